"""CloudFormation, as far as it is read.

A template is never upheld: what is drawn of it can only violate, and the rest of it stays inconclusive. A function such
as `!Ref` is a value that is not known.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import yaml

from lawspeaker.checks.terraform.drawn import drawn, gathered
from lawspeaker.checks.terraform.module import Module, Place, Resource
from lawspeaker.checks.terraform.values import Unknown, Value

# What AWS takes in one call; the parser takes a second for it.
MAX_CHARACTERS: Final = 51_200
# Aliases can make a small text large, and deep nesting ends the parser's stack.
_ALIAS: Final = re.compile(r"(?m)^[^#\n]*[:\-\[,]\s+\*\w")
_DEEP: Final = re.compile(r"[\[{]\s*(?:[\[{]\s*){50}|(?:- ){50}")
_MAX_INDENT: Final = re.compile(r"(?m)^[ ]{200}")

Set = tuple[str, Mapping[str, Value]]


def cloudformation(text: str) -> Module | None:
    """The resources of a template that a rule knows; None where there are none, or it cannot be read. Never raises."""
    found: list[Resource] = []
    for data in documents(text):
        resources = data.get("Resources")
        for name, item in resources.items() if isinstance(resources, Mapping) else ():
            if isinstance(item, Mapping):
                found += _drawn(text, name, item)
    return gathered(text, found) if found else None


def _drawn(text: str, name: str, item: Mapping[str, Value]) -> Iterator[Resource]:
    properties, reader = item.get("Properties"), _READERS.get(str(item.get("Type")))
    if reader and isinstance(properties, Mapping):
        place = _place(text, name)
        for type, values in reader(name, properties):
            yield drawn(type, name, values, place)


def _place(text: str, name: str) -> Place:
    match = re.search(rf"""(?m)^[ \t{{,]*["']?{re.escape(name)}["']?[ \t]*:""", text)
    return Place(0, match.start(), match.end()) if match else Place(0, 0, len(text))


class _Loader(yaml.SafeLoader):
    """Functions of a template are tags."""


def _function(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> Unknown:
    return Unknown(f"!{tag} {node.value}"[:80] if isinstance(node, yaml.ScalarNode) else f"!{tag} …")


_Loader.add_multi_constructor("!", _function)


def documents(text: str) -> list[Mapping[str, Value]]:
    """The documents of `text`, in YAML or JSON; empty where it is neither, or more than a person writes."""
    if len(text) > MAX_CHARACTERS or any(pattern.search(text) for pattern in (_ALIAS, _DEEP, _MAX_INDENT)):
        return []
    try:
        documents = [json.loads(text)] if text.lstrip().startswith("{") else list(yaml.load_all(text, _Loader))
        values = [_value(document) for document in documents]
        return [value for value in values if isinstance(value, Mapping)]
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):
        return []


def _value(data: Any) -> Value:
    """Plain data as a value; a function in its long form is not known."""
    if isinstance(data, dict):
        if len(data) == 1 and (key := str(next(iter(data)))) and (key == "Ref" or key.startswith("Fn::")):
            return Unknown(key)
        return {str(key): _value(value) for key, value in data.items()}
    if isinstance(data, list):
        return tuple(map(_value, data))
    return data if isinstance(data, str | int | float | bool | Unknown) else None


def _each(value: Value) -> Iterator[Mapping[str, Value]]:
    """The objects in a list, or the only one."""
    for item in value if isinstance(value, tuple) else (value,):
        if isinstance(item, Mapping):
            yield item


def _bucket(name: str, given: Mapping[str, Value]) -> Iterator[Set]:
    acl = given.get("AccessControl")
    if acl is not None:
        plain = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", acl).lower() if isinstance(acl, str) else acl
        yield "aws_s3_bucket_acl", {"bucket": name, "acl": plain}


def _bucket_policy(name: str, given: Mapping[str, Value]) -> Iterator[Set]:
    yield "aws_s3_bucket_policy", {"bucket": given.get("Bucket"), "policy": given.get("PolicyDocument")}


def _security_group(name: str, given: Mapping[str, Value]) -> Iterator[Set]:
    for rule in _each(given.get("SecurityGroupIngress")):
        yield from _ingress(name, rule)


def _ingress(name: str, given: Mapping[str, Value]) -> Iterator[Set]:
    ranges = tuple(given[key] for key in ("CidrIp", "CidrIpv6") if key in given)
    protocol = given.get("IpProtocol", "-1")
    yield (
        "aws_security_group_rule",
        {
            "type": "ingress",
            "protocol": str(protocol) if isinstance(protocol, int) else protocol,
            "from_port": given.get("FromPort", 0),
            "to_port": given.get("ToPort", 65535),
            "cidr_blocks": ranges,
        },
    )


def _database(name: str, given: Mapping[str, Value]) -> Iterator[Set]:
    public = given.get("PubliclyAccessible")
    if public is not None:
        yield "aws_db_instance", {"publicly_accessible": _flag(public)}


def _flag(value: Value) -> Value:
    return value.lower() == "true" if isinstance(value, str) else value


def _policy(name: str, given: Mapping[str, Value]) -> Iterator[Set]:
    if "PolicyDocument" in given:
        yield "aws_iam_policy", {"policy": given["PolicyDocument"]}


def _role(name: str, given: Mapping[str, Value]) -> Iterator[Set]:
    for policy in _each(given.get("Policies")):
        yield from _policy(name, policy)
    arns = given.get("ManagedPolicyArns")
    for arn in arns if isinstance(arns, tuple) else ():
        yield "aws_iam_role_policy_attachment", {"policy_arn": arn}


_READERS: Final[Mapping[str, Callable[[str, Mapping[str, Value]], Iterator[Set]]]] = {
    "AWS::S3::Bucket": _bucket,
    "AWS::S3::BucketPolicy": _bucket_policy,
    "AWS::EC2::SecurityGroup": _security_group,
    "AWS::EC2::SecurityGroupIngress": _ingress,
    "AWS::RDS::DBInstance": _database,
    "AWS::IAM::Policy": _policy,
    "AWS::IAM::ManagedPolicy": _policy,
    "AWS::IAM::Role": _role,
    "AWS::IAM::User": _role,
    "AWS::IAM::Group": _role,
}
