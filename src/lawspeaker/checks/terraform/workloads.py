"""Workloads of Kubernetes that hold the machine they run on."""

import posixpath
from collections.abc import Iterator
from typing import Final

from lawspeaker.checks.terraform.module import Module
from lawspeaker.checks.terraform.switches import NEVER, ON, Setting, judgement
from lawspeaker.checks.terraform.values import Value, leaves
from lawspeaker.checks.terraform.verdict import Rule, Verdict, each, nested, violated

_TEMPLATE: Final = ("spec", "template", "spec")
# Where the pod stands in each kind of workload.
PODS: Final = {
    f"kubernetes_{kind}{version}": path
    for version in ("", "_v1")
    for kind, path in {
        "pod": ("spec",),
        "deployment": _TEMPLATE,
        "daemonset": _TEMPLATE,
        "daemon_set": _TEMPLATE,
        "stateful_set": _TEMPLATE,
        "replication_controller": _TEMPLATE,
        "job": _TEMPLATE,
        "cron_job": ("spec", "job_template", *_TEMPLATE),
    }.items()
}
_CONTAINERS: Final = ("container", "init_container")
_SOCKETS: Final = ("/docker.sock", "/containerd.sock", "/crio.sock")
# With one of them a process can leave its container.
_CAPABILITIES: Final = frozenset({"ALL", "SYS_ADMIN", "SYS_MODULE", "CAP_SYS_ADMIN", "CAP_SYS_MODULE"})


def _is_host(path: Value) -> bool:
    """Whether a mounted path is the whole machine, or the socket that starts containers on it."""
    if not isinstance(path, str):
        return False
    plain = posixpath.normpath(path)
    return plain in {"/", "//"} or plain.endswith(_SOCKETS)


_POD: Final = tuple(
    Setting(type, attribute, ON, what, path)
    for type, path in PODS.items()
    for attribute, what in (
        ("host_pid", "it sees and may signal every process of its machine"),
        ("host_ipc", "it shares the memory of other processes of its machine"),
        ("host_network", "it stands in the network of its machine, past every network policy"),
    )
)
_MOUNTS: Final = tuple(
    Setting(type, "path", _is_host, "it mounts its whole machine, or the socket that starts containers on it",
            (*path, "volume", "host_path"))
    for type, path in PODS.items()
)  # fmt: skip
_SECURITY: Final = tuple(
    Setting(type, attribute, ON, what, (*path, container, "security_context"))
    for type, path in PODS.items()
    for container in _CONTAINERS
    for attribute, what in (
        ("privileged", "a container is privileged, which makes it root on its machine"),
        ("allow_privilege_escalation", "a container may gain more rights than it starts with"),
    )
)

pods = judgement(_POD)
pods.__doc__ = "Pods of every kind of workload: `hostPID`, `hostIPC` and `hostNetwork`."
mounts = judgement(_MOUNTS)
mounts.__doc__ = "Volumes: `hostPath` of `/`, or of the socket of Docker, containerd or CRI-O."
containers = judgement(_SECURITY)
containers.__doc__ = "Containers: `privileged`, and `allowPrivilegeEscalation` where it is switched on."


def capabilities(module: Module) -> Iterator[Verdict]:
    """Containers: the capabilities `ALL`, `SYS_ADMIN` and `SYS_MODULE`."""
    for type, path in PODS.items():
        for resource in module.of(type):
            wrong = (
                violated(resource, "a container has a capability with which it can leave its confinement", added.place)
                for container in _CONTAINERS
                for added in nested(resource, (*path, container, "security_context", "capabilities"))
                if any(isinstance(leaf, str) and leaf.upper() in _CAPABILITIES for leaf in leaves(added.get("add")))
            )
            yield from each(resource, wrong)


RULE: Final = Rule(
    "privileged-workload",
    (pods, mounts, containers, capabilities),
    r"kubernetes_(?:pod|deployment|daemon_?set|stateful_set|replication_controller|job|cron_job)",
    NEVER,
    doc=(
        "A workload of Kubernetes must not hold its machine: no privileged container, no namespace or root folder of "
        "the host. Manifests in YAML or JSON violate it too; they are never upheld."
    ),
    violating="""resource "kubernetes_pod" "agent" {
  metadata {
    name = "agent"
  }
  spec {
    container {
      name  = "agent"
      image = "registry.acme.example/agent:1.4.2"
      security_context {
        privileged = true
      }
    }
  }
}
""",
    complying="""resource "kubernetes_pod" "agent" {
  metadata {
    name = "agent"
  }
  spec {
    container {
      name  = "agent"
      image = "registry.acme.example/agent:1.4.2"
      security_context {
        privileged                 = false
        allow_privilege_escalation = false
      }
    }
  }
}
""",
)
