"""Manifests of Kubernetes, as far as they are read."""

import json
from time import process_time

import pytest

from lawspeaker.checks.registry import KINDS
from lawspeaker.checks.terraform.kubernetes import kubernetes
from lawspeaker.exchange import ToolCall
from lawspeaker.finding import Outcome, combine
from tests.checks.judged import answer, findings, outcome

WORKLOAD, ROLE = "privileged-workload", "wildcard-action"
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers: [{name: web, image: i}]\n"
CONTAINER = "  containers: [{name: web, image: i, securityContext: {%s}}]\n"


def said(rule: str, text: str, name: str = "pod.yaml") -> Outcome:
    return combine(finding.outcome for finding in findings("terraform", rule, text, name))


def pod(spec: str) -> str:
    return f"apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec:\n{spec}"


def nested(kind: str, levels: str) -> str:
    """A workload with a privileged container below `levels`."""
    spec: object = {"containers": [{"name": "web", "securityContext": {"privileged": True}}]}
    for level in reversed(levels.split("/")):
        spec = {level: spec}
    return json.dumps({"apiVersion": "v1", "kind": kind, "metadata": {"name": "web"}, **dict(spec)}, indent=2)  # type: ignore[call-overload]


def role(kind: str, rule: str) -> str:
    return f"apiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}\nmetadata: {{name: bot}}\nrules:\n  - {rule}\n"


BINDING = """apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: bot}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, name: bot, namespace: ci}]
"""


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (WORKLOAD, pod(CONTAINER % "privileged: true")),
        (WORKLOAD, pod(CONTAINER % "allowPrivilegeEscalation: true")),
        (WORKLOAD, pod(CONTAINER % "capabilities: {add: [SYS_ADMIN]}")),
        (WORKLOAD, pod(CONTAINER.replace("containers", "initContainers") % "privileged: true")),
        (WORKLOAD, pod("  hostPID: true\n")),
        (WORKLOAD, pod("  hostIPC: true\n")),
        (WORKLOAD, pod("  hostNetwork: true\n")),
        (WORKLOAD, pod("  volumes: [{name: v, hostPath: {path: /}}]\n")),
        (WORKLOAD, pod("  volumes: [{name: v, hostPath: {path: /var/../}}]\n")),
        (WORKLOAD, pod("  volumes: [{name: v, hostPath: {path: /var/run/docker.sock}}]\n")),
        (WORKLOAD, nested("Deployment", "spec/template/spec")),
        (WORKLOAD, nested("DaemonSet", "spec/template/spec")),
        (WORKLOAD, nested("CronJob", "spec/jobTemplate/spec/template/spec")),
        (WORKLOAD, f"{POD}---\n{pod('  hostPID: true')}"),
        (WORKLOAD, f"metadata: {{{{ .Values.name }}}}\n---\n{pod('  hostPID: true')}"),
        (ROLE, role("ClusterRole", "{apiGroups: [''], resources: [pods], verbs: ['*']}")),
        (ROLE, role("Role", "{apiGroups: [''], resources: ['*'], verbs: [get]}")),
        (ROLE, BINDING),
    ],
)
def test_what_a_manifest_opens_is_violated(rule: str, text: str) -> None:
    assert said(rule, text) == "violated"
    assert said(rule, f"Apply this:\n\n```yaml\n{text}\n```\n", "") == "violated"
    call = ToolCall("write_file", json.dumps({"path": "pod.yaml", "content": text}))
    found = KINDS["terraform"].prepare(rule, "p").examine(answer(call), frozenset({"tool_call"}))
    assert combine(finding.outcome for finding in found) == "violated"


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (WORKLOAD, POD),
        (WORKLOAD, pod(CONTAINER % "privileged: false, allowPrivilegeEscalation: false")),
        (WORKLOAD, pod("  volumes: [{name: v, hostPath: {path: /var/log}}]\n")),
        (WORKLOAD, pod("  hostPID: {{ .Values.host }}\n")),
        (WORKLOAD, pod("  hostPID: &yes true\n  hostIPC: *yes\n")),
        (WORKLOAD, "apiVersion: v1\nkind: Pod\nspec: {{{"),
        (ROLE, role("Role", "{apiGroups: [apps], resources: [deployments], verbs: [get, update]}")),
        (ROLE, BINDING.replace("cluster-admin", "view")),
        ("public-storage", POD),
        ("plain-text-secret", POD),
    ],
)
def test_a_manifest_is_never_upheld(rule: str, text: str) -> None:
    assert said(rule, text) == "inconclusive"


def test_the_finding_names_the_manifest() -> None:
    text = f"{POD}---\n{pod('  hostPID: true')}"
    (finding, _) = findings("terraform", WORKLOAD, text, "pod.yaml")
    (span,) = finding.spans
    assert (text[span.start : span.end], span.start > len(POD)) == ("kind: Pod", True)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (POD, "This check reads a part only of Kubernetes manifests."),
        ("apiVersion: v1\nkind: ConfigMap\n", "This check cannot read Kubernetes manifests."),
    ],
)
def test_the_reason_says_whether_it_was_read(text: str, reason: str) -> None:
    (finding,) = findings("terraform", WORKLOAD, text, "pod.yaml")
    assert (finding.outcome, finding.reason) == ("inconclusive", reason)


def test_a_value_that_terraform_does_not_know_is_undecided() -> None:
    program = 'variable "p" {}\nresource "kubernetes_pod" "p" {\n  spec {\n    host_network = var.p\n  }\n}\n'
    assert outcome(WORKLOAD, program) == "inconclusive"


@pytest.mark.parametrize("text", ["---\nkind: Pod\n" * 3_000, "[" * 50_000, f"kind: Pod\n{'a: {' * 10_000}"])
def test_hostile_manifests_take_bounded_time(text: str) -> None:
    begin = process_time()
    kubernetes(text)
    assert process_time() - begin < 10
