"""Manifests of Kubernetes, as far as they are read: workloads, roles and what binds `cluster-admin`.

They are drawn as the resources of Terraform's Kubernetes provider, which have the same fields under other names. A
manifest is never upheld: what is drawn of it can only violate, and the rest of it stays inconclusive.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from lawspeaker.checks.terraform.drawn import drawn, gathered
from lawspeaker.checks.terraform.module import Module, Place, Resource
from lawspeaker.checks.terraform.templates import MAX_CHARACTERS, documents
from lawspeaker.checks.terraform.values import Value

_TYPES: Final[Mapping[str, str]] = {
    "Pod": "kubernetes_pod",
    "Deployment": "kubernetes_deployment",
    "ReplicaSet": "kubernetes_deployment",
    "DaemonSet": "kubernetes_daemonset",
    "StatefulSet": "kubernetes_stateful_set",
    "ReplicationController": "kubernetes_replication_controller",
    "Job": "kubernetes_job",
    "CronJob": "kubernetes_cron_job",
    "Role": "kubernetes_role",
    "ClusterRole": "kubernetes_cluster_role",
    "RoleBinding": "kubernetes_role_binding",
    "ClusterRoleBinding": "kubernetes_cluster_role_binding",
}
# Where the provider has one block for each item of a list.
_BLOCKS: Final[Mapping[str, str]] = {
    "containers": "container",
    "initContainers": "init_container",
    "volumes": "volume",
    "rules": "rule",
}
# What says nothing of how it runs or what it may do.
_HEAD: Final = frozenset({"apiVersion", "kind", "metadata"})
_WORD: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
# In a block of text the dashes are indented, so these always part two documents.
_PARTING: Final = re.compile(r"(?m)^---(?:[ \t][^\n]*)?$")
_KIND: Final = re.compile(r"""(?m)^(?:kind:[^\n]*|[^\n]*?"kind"\s*:\s*"\w+")""")


def kubernetes(text: str) -> Module | None:
    """The resources of manifests that a rule knows; None where there are none, or they cannot be read. Never raises.

    Each document is read by itself, so that one that is broken hides no other."""
    found = list(_resources(text)) if len(text) <= MAX_CHARACTERS else []
    return gathered(text, found) if found else None


def _resources(text: str) -> Iterator[Resource]:
    start = 0
    for end in (*(parting.start() for parting in _PARTING.finditer(text)), len(text)):
        kind = _KIND.search(text, start, end)
        if kind:
            place = Place(0, *kind.span())
            for document in documents(text[start:end]):
                for type, name, values in _drawn(document):
                    yield drawn(type, name, values, place)
        start = end


def _drawn(manifest: Mapping[str, Value]) -> Iterator[tuple[str, str, Mapping[str, Value]]]:
    """What one manifest describes, or those in a `List`."""
    items = manifest.get("items")
    for item in (manifest, *(items if isinstance(items, tuple) else ())):
        type = _TYPES.get(str(item.get("kind"))) if isinstance(item, Mapping) else None
        if type and isinstance(item, Mapping) and not item.keys() <= _HEAD:
            metadata = item.get("metadata")
            name = metadata.get("name") if isinstance(metadata, Mapping) else None
            yield type, str(name or "unnamed"), {_name(key): _renamed(value) for key, value in item.items()}


def _renamed(value: Value) -> Value:
    if isinstance(value, Mapping):
        return {_name(key): _renamed(inner) for key, inner in value.items()}
    return tuple(map(_renamed, value)) if isinstance(value, tuple) else value


def _name(key: str) -> str:
    """What the provider calls `key`: `hostPID` is `host_pid`."""
    return _BLOCKS.get(key) or _WORD.sub("_", key).lower()
