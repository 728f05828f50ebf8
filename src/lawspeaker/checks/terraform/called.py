"""Calls of the common terraform-aws-modules, drawn as the resources that they set up.

Each reader maps the documented inputs of one module to resources that the rules know. An input that is left out has its
documented default; where that differs between versions, the version decides, or it is not known. A call of another
module, or of a part of one that is not in the table, is not drawn.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from lawspeaker.checks.terraform.called_groups import SECURITY_GROUPS, network, one_group
from lawspeaker.checks.terraform.called_identity import IDENTITY, key
from lawspeaker.checks.terraform.local import Folder, followed
from lawspeaker.checks.terraform.module import Module, Resource, module
from lawspeaker.checks.terraform.values import Unknown, Value
from lawspeaker.checks.text.kept import kept

_SOURCE: Final = re.compile(
    r"(?:registry\.(?:terraform\.io|opentofu\.org)/)?terraform-aws-modules/([\w-]+)/aws(//[\w/-]+)?/?"
)
_NOT_MADE: Final = ("create", "create_bucket", "create_db_instance", "create_role", "create_user", "create_group",
                    "create_policy", "create_sg", "create_vpc")  # fmt: skip
_SWITCHES: Final = ("block_public_acls", "ignore_public_acls", "block_public_policy", "restrict_public_buckets")
_BY_VERSION: Final = Unknown("the default of its public access block, which depends on the module's version")
# From this release on the block is known to be on where nothing is said; it was not in early ones.
_BUCKET_BLOCKED: Final = 5
# Since this release the control plane is private where nothing is said.
_EKS_PRIVATE: Final = 19
_NEWEST: Final = 1_000

Drawing = Iterator[tuple[str, Mapping[str, Value], Mapping[str, str]]]
"""Type, values, and by which input each value is given where the names differ."""


def _size(root: Folder, near: tuple[Folder, ...] = ()) -> int:
    return sum(len(text) for folder in (root, *near) for text in (*folder.texts, *folder.given, *folder.perhaps))


@kept(_size, most=32)
def program(root: Folder, near: tuple[Folder, ...] = ()) -> Module:
    """The module of `root`, with what its module calls set up as far as that is known: in the folders `near` it, and in
    the common modules."""
    read = followed(root, near) if near else module(root.texts, root.given, root.perhaps, root.overrides)
    found: dict[str, list[Resource]] = {}
    names: dict[str, int] = {}
    for call in read.of("module"):
        turn = names[call.name] = names.get(call.name, 0) + 1
        for resource in _drawn(call, call.name if turn == 1 else f"{call.name} ({turn})"):
            found.setdefault(resource.type, []).append(resource)
    if not found:
        return read
    together = {type: (*read.resources.get(type, ()), *found.get(type, ())) for type in (*read.resources, *found)}
    return Module(read.texts, together, read.unread, read.followed)


def is_known(call: Resource) -> bool:
    """Whether it is known what `call` sets up."""
    return _reader(call) is not None


def _drawn(call: Resource, name: str) -> Iterator[Resource]:
    reader = _reader(call)
    if reader is None or any(call.get(switch) in (False, "false") for switch in _NOT_MADE):
        return
    for index, (type, values, inputs) in enumerate(reader(call, f"{name}/this")):
        own = f"{name}/this" if index == 0 or type.startswith("data.") else f"{name}/{index}"
        written = {value: call.written[at] for value in values if (at := inputs.get(value, value)) in call.written}
        yield Resource(values, written, {}, call.place, call.absent, type, own)


def _reader(call: Resource) -> "Callable[[Resource, str], Drawing] | None":
    source = call.get("source")
    match = _SOURCE.fullmatch(source) if isinstance(source, str) else None
    if match is None:
        return None
    part = (match[2] or "").removeprefix("//modules/")
    if match[1] == "security-group" and part:
        return one_group(part)
    return _READERS.get(f"{match[1]}/{part}" if part else match[1])


def _bucket(call: Resource, name: str) -> Drawing:
    values: dict[str, Value] = {at: call.get(at) for at in ("bucket", "acl", "grant", "force_destroy")}
    attach = call.get("attach_policy")
    if attach in (True, "true"):
        values["policy"] = call.get("policy")
    elif isinstance(attach, Unknown):
        values["policy"] = attach
    yield "aws_s3_bucket", _set(values), {}
    if call.get("attach_public_policy") in (False, "false"):
        return
    major = _major(call.get("version"))
    default = True if major is not None and major >= _BUCKET_BLOCKED else _BY_VERSION
    switches = {switch: _or(call.get(switch), default) for switch in _SWITCHES}
    outputs = ("module", call.name, "s3_bucket_id")
    for instance, target in (
        (("aws_s3_bucket", name), f"aws_s3_bucket.{name}"),
        (outputs, f"module.{call.name}"),  # what the program says of the bucket outside of the call
    ):
        bucket = Unknown("the bucket of the module", (target,), instance=repr(instance))
        yield "aws_s3_bucket_public_access_block", {"bucket": bucket, **switches}, {}


_STORE: Final = ("backup_retention_period", "deletion_protection", "skip_final_snapshot", "replicate_source_db",
                 "snapshot_identifier", "kms_key_id")  # fmt: skip


def _database(call: Resource, name: str) -> Drawing:
    values = {at: call.get(at) for at in _STORE}
    values["publicly_accessible"] = _or(call.get("publicly_accessible"), False)
    values["storage_encrypted"] = _or(call.get("storage_encrypted"), True)
    yield "aws_db_instance", _set(values), {}


def _aurora(call: Resource, name: str) -> Drawing:
    values = {at: call.get(at) for at in (*_STORE, "replication_source_identifier", "engine_mode")}
    values["storage_encrypted"] = _or(call.get("storage_encrypted"), True)
    yield "aws_rds_cluster", _set(values), {}
    instances = call.get("instances")
    several = tuple(instances.values()) if isinstance(instances, Mapping) else (instances,)
    own = [item.get("publicly_accessible") for item in several if isinstance(item, Mapping)]
    unknown = [item for item in several if isinstance(item, Unknown)]
    every = _or(call.get("publicly_accessible"), False)
    for public in (*(_or(value, every) for value in own), *unknown, every):
        yield "aws_rds_cluster_instance", {"publicly_accessible": public}, {}


def _cluster(call: Resource, name: str) -> Drawing:
    # The prefix went in a later release.
    at = "endpoint_public_access" if "endpoint_public_access" in call.values else "cluster_endpoint_public_access"
    ranges = _or(call.get("endpoint_public_access_cidrs"), call.get("cluster_endpoint_public_access_cidrs"))
    public = call.get(at)
    if public is None:
        major = _major(call.get("version"))
        public = Unknown("the module's version") if major is None else major < _EKS_PRIVATE
    config: dict[str, Value] = {"endpoint_public_access": public, "public_access_cidrs": ranges}
    yield "aws_eks_cluster", {"vpc_config": (_set(config),)}, {"vpc_config": at}
    for at in (f"{part}_security_group_additional_rules" for part in ("cluster", "node")):
        rules = call.get(at)
        for rule in rules.values() if isinstance(rules, Mapping) else ():
            if isinstance(rule, Mapping):
                yield "aws_security_group_rule", rule, dict.fromkeys(("cidr_blocks", "ipv6_cidr_blocks"), at)
        if isinstance(rules, Unknown):
            yield "aws_security_group_rule", dict.fromkeys(("type", "from_port", "cidr_blocks"), rules), {}


def _major(version: Value) -> int | None:
    """The highest major version that `version` allows, if it says so in one of the ordinary ways."""
    if version is None:
        return _NEWEST
    match = re.fullmatch(r"\s*(=|~>|>=|>)?\s*v?(\d{1,6})([.\d]*)\s*", version) if isinstance(version, str) else None
    if match is None:
        return None
    # `~> 18` and `>= 18` allow every later one.
    return _NEWEST if match[1] in (">=", ">") or (match[1] == "~>" and not match[3]) else int(match[2])


def _or(value: Value, default: Value) -> Value:
    return default if value is None else value


def _set(values: Mapping[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in values.items() if value is not None}


_READERS: Final[Mapping[str, Callable[[Resource, str], Drawing]]] = {
    "s3-bucket": _bucket,
    "rds": _database,
    "rds-aurora": _aurora,
    "eks": _cluster,
    "kms": key,
    "vpc": network,
    **SECURITY_GROUPS,
    **IDENTITY,
}
