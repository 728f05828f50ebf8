"""Infrastructure code in other forms than Terraform's own language.

What can be read is drawn as resources; the rest has its place, so that it is inconclusive and never upheld.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from lawspeaker.checks.terraform.command_line import BEYOND
from lawspeaker.checks.terraform.commands import command_module
from lawspeaker.checks.terraform.drawn import Drawn, Reader
from lawspeaker.checks.terraform.kubernetes import kubernetes
from lawspeaker.checks.terraform.parse import parse
from lawspeaker.checks.terraform.plan import plan
from lawspeaker.checks.terraform.templates import cloudformation
from lawspeaker.checks.text.fences import fenced
from lawspeaker.checks.text.readings import Reading, escaped, readings
from lawspeaker.checks.text.regex import PatternSet
from lawspeaker.exchange import Segment
from lawspeaker.finding import Span

JSON: Final = "Terraform in JSON"
DIFF: Final = "diffs of Terraform"
ENCODED: Final = "Terraform that is written in a code"
_TO_FILE: Final = (
    r"\b(?:base64|base32|openssl|gunzip|gzip|zcat|xxd|uudecode)\b[^\n]*>[ \t]*[^\s>]*\.(?:tf|tofu)\b|"
    r"\b(?:b64decode|decompress|fromhex|unhexlify)\b[^\n]*\.(?:tf|tofu)\b|"
    r"\.(?:tf|tofu)\b[^\n]*\b(?:b64decode|decompress|fromhex|unhexlify)\b"
)
_CARRIED: Final = "what this resource carries in another language"
_CARRIERS: Final = re.compile(
    r"awscc_|azapi_|aws_cloudformation_stack|aws_cloudcontrolapi_resource|azurerm_(?:\w+_)?template_deployment|"
    r"google_deployment_manager_deployment|(?:kubernetes|kubectl)_manifest"
)
_PLAN: Final = "Terraform plans in JSON"
# Every pattern of a language must occur.
_FOREIGN: Final = (
    ("CloudFormation", r"""AWSTemplateFormatVersion|\bType["']?\s*:\s*["']?AWS::\w+::"""),
    ("Kubernetes manifests", r"""(?m)^[ \t>]*apiVersion:[ \t]*\S|"apiVersion"\s*:\s*\""""),
    (
        "Kubernetes manifests",
        r"(?m)^[ \t>]*kind:[ \t]*\w|"
        r'"kind"\s*:\s*"(?:Pod|Deployment|ReplicaSet|DaemonSet|StatefulSet|(?:Cron)?Job|(?:Cluster)?Role(?:Binding)?|List)"',
    ),
    ("Azure templates", r"(?m)schema\.management\.azure\.com|^[ \t]*resource \w+ 'Microsoft\."),
    ("Pulumi or CDK programs", r"\b(?:import|from|require\().{0,80}\b(?:aws[-_]cdk|pulumi)"),
    (
        DIFF,
        r'(?m)^[ \t>]*\+[ \t]*(?:resource|data|module)[ \t]+"\w|'
        r"^(?:\+\+\+|\*\*\* (?:Update|Add) File:) [^\t\r\n]+\.(?:tf|tofu)\b",
    ),
    (JSON, r'"(?:resource|data)"\s*:\s*(?:\[\s*)?\{\s*"[a-z][a-z0-9]*_\w+"\s*:\s*[\[{]'),
    (ENCODED, _TO_FILE),
    (_PLAN, r'"resource_changes"\s*:|"root_module"\s*:\s*\{'),
)
_ENCODINGS: Final = PatternSet([_TO_FILE])
_PATTERNS: Final = PatternSet([pattern for _, pattern in _FOREIGN], at_once=True)
# What can be read all the same, and all of it.
_READERS: Final[Mapping[str, Reader]] = {_PLAN: plan}
# What can be read in part: it may violate, and the rest of it is undecided.
_PARTLY: Final[Mapping[str, Reader]] = {"CloudFormation": cloudformation, "Kubernetes manifests": kubernetes}
# A command has one of these words, so most texts need no closer look.
_TOOLS: Final = re.compile(r"\b(?:aws|gcloud|gsutil|az)(?:\.cmd|\.exe)?[ \t]")
_TOOL_WORDS: Final = ("aws", "gcloud", "gsutil", "az ", "az\t", "az.")


class Foreign(msgspec.Struct, frozen=True):
    """Code in a form that is not read, or, with `partly`, not all of it."""

    language: str
    span: Span
    partly: bool = False


def foreign(segment: Segment, texts: list[str]) -> Iterator[Foreign | Drawn]:
    """The code in `segment` that is in another form; `texts` are the texts in a tool call's arguments."""
    seen: set[str] = set()
    for reading in _places(segment, texts):
        for language in _languages(reading.text):
            read = _READERS[language](reading.text) if language in _READERS else None
            part = _PARTLY[language](reading.text) if language in _PARTLY else None
            if part:
                yield Drawn(reading, part, False)
            if read:
                yield Drawn(reading, read, True)
            elif language not in seen:
                seen.add(language)
                yield Foreign(language, reading.span(0, len(reading.text)), part is not None)


def times_encoded(text: str) -> int:
    """How often `text` decodes something to a Terraform file."""
    return sum(1 for _ in _ENCODINGS.search(text, 100))


def carried(source: Reading) -> Iterator[Foreign]:
    """The resources of the program `source` whose settings are code of another language."""
    for block in parse(source.text).blocks if _CARRIERS.search(source.text) else ():
        if block.type == "resource" and block.labels and _CARRIERS.match(block.labels[0]):
            yield Foreign(_CARRIED, source.span(block.start, block.header))


def ordered(segment: Segment) -> Iterator[Foreign | Drawn]:
    """What the commands in `segment` set, and that there are more than are read."""
    if _has_tool(segment.text) or segment.scope == "tool_call":
        for reading in readings(segment):
            read, all_read = command_module(reading.text) if _has_tool(reading.text) else (None, True)
            if read:
                yield Drawn(reading, read, False)
            if not all_read:
                yield Foreign(BEYOND, reading.span(0, len(reading.text)))


def _has_tool(text: str) -> bool:
    return any(word in text for word in _TOOL_WORDS) and bool(_TOOLS.search(text))


def _places(segment: Segment, texts: list[str]) -> list[Reading]:
    """The texts of a tool call; else the fenced blocks and what stands between them where a block has such code, else
    all of it, and its strings where it is JSON."""
    if segment.scope == "tool_call":
        return [Reading(segment, text, None) for text in texts]
    blocks = [Reading(segment, segment.text[block.start : block.end], block.start) for block in fenced(segment.text)]
    if not any(_languages(block.text) for block in blocks):
        return [Reading(segment, segment.text, 0), *escaped(segment)]
    return [*blocks, *_between(segment, blocks), *escaped(segment)]


def _between(segment: Segment, blocks: list[Reading]) -> Iterator[Reading]:
    """What stands between `blocks`, without the lines that fence them."""
    text, done = segment.text, 0
    for block in blocks:
        start = block.start or 0
        opening, closing = text.rfind("\n", 0, start - 1) + 1, text.find("\n", start + len(block.text))
        yield Reading(segment, text[done:opening], done)
        done = closing + 1 if closing >= 0 else len(text)
    yield Reading(segment, text[done:], done)


def _languages(text: str) -> list[str]:
    occurring = {index for index, _, _ in _PATTERNS.search(text, 1)}
    absent = {language for index, (language, _) in enumerate(_FOREIGN) if index not in occurring}
    return [language for language in dict(_FOREIGN) if language not in absent]
