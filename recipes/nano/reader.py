"""Reads an answer back: what is in it, and which principles it breaks.

Written against Terraform and not against the generator: it shares the principles' names with it and no code, so that
a test can hold the generator's flags to it, and the evaluation can judge text that nano made up. It knows the
families with one attribute per line; it is no substitute for the product's checks, and uses none of their code.
"""

import re
from dataclasses import dataclass, field
from typing import Final

import tree_sitter_hcl
from tree_sitter import Language, Parser

from .page import ADMIN, CIPHER, ENDPOINT, LEAST, METADATA, NAMED, PUBLIC, SECRET, TRANSIT

_HCL: Final = Parser(Language(tree_sitter_hcl.language()))
_FENCE: Final = re.compile(r"```hcl\n(.*)\n```\Z", re.DOTALL)
_HEAD: Final = re.compile(r'^(resource|data) "([^"]+)" "([^"]+)" \{$')
_PAIR: Final = re.compile(r"^([\w\"]+) = (.+)$")
_ADMIN_PORTS: Final = (22, 23, 3389, 5900, 5432, 3306, 1433, 1521, 6379, 27017, 9200, 11211)


@dataclass
class Block:
    """A resource, or a block inside of one: its pairs as (key, value, line)."""

    name: str
    pairs: list[tuple[str, str, str]] = field(default_factory=list)
    blocks: list["Block"] = field(default_factory=list)

    def value(self, key: str) -> str:
        return next((value for name, value, _ in self.pairs if name == key), "")

    def line(self, key: str) -> str:
        return next((line for name, _, line in self.pairs if name == key), "")

    def everywhere(self) -> list[tuple[str, str, str]]:
        return [*self.pairs, *(pair for block in self.blocks for pair in block.everywhere())]


@dataclass(frozen=True)
class Resource:
    kind: str
    label: str
    head: str
    body: Block


@dataclass(frozen=True)
class Reading:
    """`broken` are (principle, line); `whole` says that the answer is one fenced block which parses."""

    whole: bool
    text: str
    resources: tuple[Resource, ...]
    broken: frozenset[tuple[str, str]]

    @property
    def principles(self) -> frozenset[str]:
        return frozenset(principle for principle, _ in self.broken)

    @property
    def addresses(self) -> frozenset[str]:
        return frozenset(f"{one.kind}.{one.label}" for one in self.resources)


def read(answer: str) -> Reading:
    fenced = _FENCE.match(answer.strip())
    text = fenced[1] if fenced else answer
    whole = fenced is not None and not _HCL.parse(text.encode()).root_node.has_error
    resources = tuple(_resources(text))
    broken = frozenset(pair for resource in resources for pair in _broken(resource))
    return Reading(whole, text, resources, broken)


def _resources(text: str) -> list[Resource]:
    found: list[Resource] = []
    stack: list[Block] = []
    for raw in text.split("\n"):
        line = raw.strip()
        head = _HEAD.match(line)
        if head and not stack:
            body = Block("")
            stack = [body]
            if head[1] == "resource":
                found.append(Resource(head[2], head[3], line, body))
            continue
        if not line or (not stack and not line.endswith("{")):
            continue
        if line[0] in "}])" and stack:
            stack.pop()
        if line[-1] in "{[(" and not (line[0] not in "}])" and line.count("{") == line.count("}") > 0):
            block = Block(line.split(" ")[0])
            if stack:
                stack[-1].blocks.append(block)
            stack.append(block)
        elif (pair := _PAIR.match(line)) and stack:
            stack[-1].pairs.append((pair[1].strip('"'), pair[2], line))
    return found


def _broken(one: Resource) -> list[tuple[str, str]]:
    if one.kind in {"aws_s3_bucket_policy", "aws_ecr_repository_policy"}:
        return _anyone(one, PUBLIC)
    if one.kind == "aws_db_instance":
        return _database(one)
    if one.kind == "aws_security_group":
        return [pair for block in one.body.blocks if block.name == "ingress" for pair in _ingress(block, "cidr_blocks")]
    if one.kind == "aws_vpc_security_group_ingress_rule":
        return _ingress(one.body, "cidr_ipv4")
    if one.kind in {"aws_iam_policy", "aws_iam_role_policy"}:
        return [
            (LEAST, line)
            for key, value, line in one.body.everywhere()
            if key == "Action" and re.search(r'"(?:\w+:)?\*"', value)
        ]
    return [*_wrong_lines(one), *(_anyone(one, NAMED) if one.kind in _POLICIES else [])]


_POLICIES: Final = frozenset({"aws_sqs_queue_policy", "aws_sns_topic_policy", "aws_kms_key"})
# kind, key, whether the value is wrong (empty: the line is missing), the principle
_LINES: Final = (
    ("aws_s3_bucket_acl", "acl", lambda value: value.startswith('"public'), PUBLIC),
    ("aws_instance", "http_tokens", lambda value: value == '"optional"', METADATA),
    ("aws_instance", "encrypted", lambda value: value == "false", CIPHER),
    ("aws_sqs_queue", "sqs_managed_sse_enabled", lambda value: value == "false", CIPHER),
    ("aws_sns_topic", "kms_master_key_id", lambda value: not value, CIPHER),
    ("aws_lambda_function", "API_TOKEN", lambda value: value.startswith('"'), SECRET),
    ("aws_lambda_function_url", "authorization_type", lambda value: value == '"NONE"', ENDPOINT),
    ("aws_efs_file_system", "encrypted", lambda value: value != "true", CIPHER),
    ("aws_ebs_volume", "encrypted", lambda value: value != "true", CIPHER),
    ("aws_lb_listener", "ssl_policy", lambda value: "TLS13" not in value, TRANSIT),
    ("aws_elasticache_replication_group", "at_rest_encryption_enabled", lambda value: value != "true", CIPHER),
    ("aws_elasticache_replication_group", "transit_encryption_enabled", lambda value: value != "true", TRANSIT),
)


def _wrong_lines(one: Resource) -> list[tuple[str, str]]:
    broken = []
    for kind, key, wrong, principle in _LINES:
        if kind == one.kind:
            held = {name: (value, line) for name, value, line in one.body.everywhere()}
            value, line = held.get(key, ("", one.head))
            if wrong(value):
                broken.append((principle, line))
    return broken


def _anyone(one: Resource, principle: str) -> list[tuple[str, str]]:
    anyone = ('"*"', '{ AWS = "*" }', '["*"]')
    return [(principle, line) for key, value, line in one.body.everywhere() if key == "Principal" and value in anyone]


def _database(one: Resource) -> list[tuple[str, str]]:
    broken = []
    if one.body.value("publicly_accessible") == "true":
        broken.append((PUBLIC, one.body.line("publicly_accessible")))
    if one.body.value("password").startswith('"'):
        broken.append((SECRET, one.body.line("password")))
    if one.body.value("storage_encrypted") != "true":
        broken.append((CIPHER, one.body.line("storage_encrypted") or one.head))
    return broken


def _ingress(block: Block, key: str) -> list[tuple[str, str]]:
    world = any(place in block.value(key) for place in ("0.0.0.0/0", "::/0"))
    first, last = (block.value(end) for end in ("from_port", "to_port"))
    if not (world and first.isdecimal() and last.isdecimal()):
        return []
    return [(ADMIN, block.line(key))] if any(int(first) <= port <= int(last) for port in _ADMIN_PORTS) else []
