"""Where Terraform stands in an exchange.

In files by their name, in fenced code whatever its label says, between the fences, and in the strings of a
tool call's arguments. Spans always refer to the text of the part; inside a tool call's JSON they cover all
of it, since its escapes have no place of their own in the program."""

import json
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any, Final

import msgspec

from lawspeaker.checks.fences import fenced
from lawspeaker.checks.regex import PatternSet
from lawspeaker.checks.terraform.parse import HEADER, parse
from lawspeaker.exchange import Exchange, Scope, Segment
from lawspeaker.finding import Span, span_of

_LABELS: Final = frozenset({"hcl", "hcl2", "terraform", "tf", "opentofu"})
# The marks of a block quote, which are not part of the code in it.
_QUOTE: Final = re.compile(r"^[ \t]*>[ \t>]*", re.MULTILINE)
_LAST_BRACE: Final = re.compile(r"^[ \t]*\}[ \t\r]*$", re.MULTILINE)
# Other infrastructure code, which no rule can read yet: every pattern of a language must occur.
_FOREIGN: Final = (
    ("CloudFormation", r"""AWSTemplateFormatVersion|\bType["']?\s*:\s*["']?AWS::\w+::"""),
    ("Kubernetes YAML", r"(?m)^[ \t>]*apiVersion:[ \t]*\S"),
    ("Kubernetes YAML", r"(?m)^[ \t>]*kind:[ \t]*\w"),
    ("Azure templates", r"(?m)schema\.management\.azure\.com|^[ \t]*resource \w+ 'Microsoft\."),
    ("Pulumi or CDK programs", r"\b(?:import|from|require\().{0,80}\b(?:aws[-_]cdk|pulumi)"),
    ("Terraform plans in JSON", r'"resource_changes"\s*:'),
)
_PATTERNS: Final = PatternSet([pattern for _, pattern in _FOREIGN], at_once=True)


class Source(msgspec.Struct, frozen=True):
    """A piece of Terraform: `text` stands at `start` of the segment, or somewhere in it where `start` is
    None.
    """

    segment: Segment
    text: str
    start: int | None

    def span(self, start: int, end: int) -> Span:
        """The span of `text[start:end]` in the part that it came from."""
        if self.start is None:
            return span_of(self.segment, 0, len(self.segment.text))
        return span_of(self.segment, self.start + start, self.start + end)


class Foreign(msgspec.Struct, frozen=True):
    """Infrastructure code of another language."""

    language: str
    span: Span


class Code(msgspec.Struct, frozen=True):
    """All of it: each program is the sources of one module."""

    programs: tuple[tuple[Source, ...], ...]
    foreign: tuple[Foreign, ...]


# Several principles ask for the code of the same exchange, one after another.
@lru_cache(maxsize=16)
def code_in(exchange: Exchange, scopes: frozenset[Scope]) -> Code:
    """The infrastructure code in the segments of `scopes`."""
    groups: dict[tuple[int, str], list[Source]] = {}
    foreign: list[Foreign] = []
    for segment in exchange.segments(scopes):
        for source in _sources(segment):
            groups.setdefault((segment.message, _folder(segment)), []).append(source)
        foreign += _foreign(segment)
    programs = tuple(program for sources in groups.values() for program in _programs(sources))
    return Code(programs, tuple(foreign))


def _folder(segment: Segment) -> str:
    """The files of one folder are one module; so is everything in an answer that is in no file."""
    return str(PurePosixPath(segment.name).parent) if _is_file(segment) else ""


def _is_file(segment: Segment) -> bool:
    return bool(segment.name) and segment.scope != "tool_call"


def _sources(segment: Segment) -> Iterator[Source]:
    text = segment.text
    if _is_file(segment) and segment.name.endswith(".tf"):
        yield Source(segment, text, 0)
        return
    if segment.scope == "tool_call":
        yield from (Source(segment, inner, None) for inner in _strings(text) if HEADER.search(inner))
        return
    text = _QUOTE.sub(lambda marks: " " * len(marks[0]), text)  # as many, so that offsets stay
    end = 0
    for block in fenced(text):
        yield from _raw(segment, text, end, block.start)
        inner = text[block.start : block.end]
        if block.label in _LABELS or HEADER.search(inner):
            yield Source(segment, inner, block.start)
        end = block.end
    yield from _raw(segment, text, end, len(text))


def _raw(segment: Segment, text: str, start: int, end: int) -> Iterator[Source]:
    """Terraform outside of fences: from the first line of a block to the last brace that closes one.
    What is cut off, or stands on one line, runs to the end."""
    first = HEADER.search(text, start, end)
    if first:
        braces = list(_LAST_BRACE.finditer(text, first.start(), end))
        last = braces[-1].end() if braces else end
        if HEADER.search(text, last, end):
            last = end
        yield Source(segment, text[first.start() : last], first.start())


def _programs(sources: Sequence[Source]) -> list[tuple[Source, ...]]:
    """One module, unless two sources declare the same resource: then they are versions of each other, and
    what is safe in one says nothing about the other."""
    seen: set[tuple[str, ...]] = set()
    for source in sources:
        declared = {block.labels for block in parse(source.text).blocks if block.type == "resource"}
        if seen & declared:
            return [(source,) for source in sources]
        seen |= declared
    return [tuple(sources)]


def _foreign(segment: Segment) -> Iterator[Foreign]:
    text = segment.text
    whole = span_of(segment, 0, len(text))
    if _is_file(segment) and segment.name.endswith(".tf.json"):
        yield Foreign("Terraform in JSON", whole)
    if _is_file(segment) and segment.name.endswith(".tf"):
        return
    found: dict[str, Span] = {}
    if segment.scope == "tool_call":
        for inner in _strings(text):
            found.update(dict.fromkeys(_languages(inner), whole))
    else:
        for block in fenced(text):
            for language in _languages(text[block.start : block.end]):
                found.setdefault(language, span_of(segment, block.start, block.end))
        if not found:
            found.update(dict.fromkeys(_languages(text), whole))
    yield from (Foreign(language, span) for language, span in found.items())


def _languages(text: str) -> list[str]:
    occurring = {index for index, _, _ in _PATTERNS.search(text, 1)}
    absent = {language for index, (language, _) in enumerate(_FOREIGN) if index not in occurring}
    return [language for language in dict(_FOREIGN) if language not in absent]


def _strings(arguments: str) -> Iterator[str]:
    """Every string in a tool call's arguments; the arguments themselves where they are not JSON."""
    try:
        stack: list[Any] = [json.loads(arguments)]
    except (ValueError, RecursionError):
        yield arguments
        return
    while stack:
        top = stack.pop()
        if isinstance(top, dict):
            stack.extend(reversed(top.values()))
        elif isinstance(top, list):
            stack.extend(reversed(top))
        elif isinstance(top, str):
            yield top
