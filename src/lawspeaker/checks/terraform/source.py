"""Where Terraform stands in an exchange.

In files by their name, in fenced code whatever its label says, between the fences, and in the strings of a
tool call's arguments. Spans always refer to the text of the part; inside a tool call's JSON they cover all
of it, since its escapes have no place of their own in the program."""

import html
import posixpath
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Final

import msgspec

from lawspeaker.checks.terraform.drawn import Drawn
from lawspeaker.checks.terraform.edits import edited, is_patch
from lawspeaker.checks.terraform.foreign import DIFF, ENCODED, JSON, Foreign, carried, foreign, ordered, times_encoded
from lawspeaker.checks.terraform.local import Folder, called_by, roots
from lawspeaker.checks.terraform.overrides import is_override
from lawspeaker.checks.terraform.parse import BEFORE_HEADER, HEADER, HEADER_WORDS, parse
from lawspeaker.checks.terraform.values import DISGUISE
from lawspeaker.checks.text.fences import fenced
from lawspeaker.checks.text.kept import kept
from lawspeaker.checks.text.readings import Reading, decoded, escaped, forms
from lawspeaker.exchange import Exchange, Scope, Segment
from lawspeaker.finding import span_of

_LABELS: Final = frozenset({"hcl", "hcl2", "terraform", "tf", "opentofu"})
# The marks of a block quote, which are not part of the code in it.
_QUOTE: Final = re.compile(r"^[ \t]*>[ \t>]*", re.MULTILINE)
_LAST_BRACE: Final = re.compile(r"^[ \t]*\}[ \t\r]*$", re.MULTILINE)
_LONE_RETURN: Final = re.compile(r"\r(?!\n)")
_BLANKS: Final = {0xFEFF: " ", 0xA0: " ", 0x85: "\n", 0x2028: "\n", 0x2029: "\n", 0x0B: "\n", 0x0C: "\n"}
# What hides a block from the parser and not from a reader, and what it stands for.
_DISGUISES: Final = re.compile(rf"{DISGUISE.pattern}|[\u201c-\u201f\uff02\uff5b]|&(?:#|quot;)")
_PLAIN: Final[Mapping[int, str | None]] = {
    **dict.fromkeys((0xAD, 0x180E, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070))),
    0xFEFF: None,
    **{0xFF01 + shift: chr(0x21 + shift) for shift in range(94)},
    **dict.fromkeys(range(0x201C, 0x2020), '"'),
}


# Codes that somebody decodes to a file.
_CODES: Final = frozenset({"base64", "base32", "hexadecimal"})
# What ends a line for some readers and not for Terraform, and what can hide code after it.
_ENDS: Final = re.compile("[\r\x0b\x0c\x85\u2028\u2029]")
_COMMENT: Final = re.compile("#|//")
_HIDES: Final = re.compile('/[*]|<<|["{]')


class Written(msgspec.Struct, frozen=True):
    """The sources of one module, and the texts of its files of variables: those that Terraform reads by itself, in
    its order, and those that somebody may name. `near` are the modules in other folders that its calls lead to."""

    sources: tuple[Reading, ...]
    given: tuple[str, ...] = ()
    perhaps: tuple[str, ...] = ()
    folder: str = ""
    near: tuple["Written", ...] = ()

    @property
    def code(self) -> Folder:
        overrides = sum(map(_overrides, self.sources))
        return Folder(self.folder, tuple(source.text for source in self.sources), self.given, self.perhaps, overrides)


class Code(msgspec.Struct, frozen=True):
    """All of it. `drawn` is what other forms describe."""

    programs: tuple[Written, ...]
    foreign: tuple[Foreign, ...]
    drawn: tuple[Drawn, ...]


def _size(exchange: Exchange, scopes: frozenset[Scope]) -> int:
    return sum(len(segment.text) for segment in exchange.segments(scopes))


# Several principles ask for the code of the same exchange, one after another.
@kept(_size, most=16)
def code_in(exchange: Exchange, scopes: frozenset[Scope]) -> Code:
    """The infrastructure code in the segments of `scopes`."""
    groups: dict[tuple[int, str], list[Reading]] = {}
    variables: dict[tuple[int, str], list[Segment]] = {}
    others: list[Foreign | Drawn] = []
    for segment in exchange.segments(scopes):
        place = segment.message, _folder(segment)
        if _is_file(segment) and segment.name.endswith(".tfvars"):
            variables.setdefault(place, []).append(segment)
        for source in _sources(segment):
            groups.setdefault(place, []).append(source)
            others += carried(source)
        others += [*_foreign(segment), *ordered(segment)]
    programs = _joined(
        [
            (place, _written(program, variables.get(place, ()), place[1]))
            for place, sources in groups.items()
            for program in _programs(sources)
        ]
    )
    files = edited(exchange, scopes)
    programs += [Written((Reading(file.segment, _levelled(file.text), None),)) for file in files]
    # What a patch says is known where the file is.
    judged = {file.segment for file in files} - {file.segment for file in files if not file.whole}
    done = {(segment.message, segment.part) for segment in judged}
    unread = [item for item in others if isinstance(item, Foreign)]
    return Code(
        tuple(programs),
        tuple(item for item in unread if item.language != DIFF or (item.span.message, item.span.part) not in done),
        tuple(item for item in others if isinstance(item, Drawn)),
    )


def _joined(programs: Sequence[tuple[tuple[int, str], Written]]) -> list[Written]:
    """The programs that no other one calls, each with those that it calls. A folder whose files are versions of each
    other is one program for each, and nobody can tell which of them a call means."""
    several = Counter(place for place, _ in programs)
    known = {place: program for place, program in programs if several[place] == 1 and place[1]}
    calls = {
        place: [(place[0], path) for path in called_by(place[1], [source.text for source in program.sources])]
        for place, program in known.items()
    }
    found = roots({place: [to for to in called if to in known] for place, called in calls.items()})
    alone = [program for place, program in programs if place not in known]
    near = {place: tuple(known[other] for other in others) for place, others in found.items()}
    return alone + [msgspec.structs.replace(known[place], near=others) for place, others in near.items()]


def _written(sources: tuple[Reading, ...], variables: Sequence[Segment], folder: str) -> Written:
    named = {PurePosixPath(segment.name).name: segment.text for segment in variables}
    automatic = sorted(name for name in named if name.endswith(".auto.tfvars"))
    order = [name for name in ("terraform.tfvars", *automatic) if name in named]
    others = (text for name, text in named.items() if name not in order)
    return Written(sources, tuple(named[name] for name in order), tuple(others), folder)


def _folder(segment: Segment) -> str:
    """The files of one folder are one module; so is everything in an answer that is in no file."""
    return posixpath.normpath(PurePosixPath(segment.name).parent) if _is_file(segment) else ""


def _is_file(segment: Segment) -> bool:
    return bool(segment.name) and segment.scope != "tool_call"


def _is_program(segment: Segment) -> bool:
    return _is_file(segment) and segment.name.endswith((".tf", ".tofu"))


def _texts(arguments: str) -> list[str]:
    """The strings in a tool call's arguments; both ways to read them where they are no JSON."""
    alone, together = decoded(arguments)
    return alone or [arguments, together]


def _levelled(text: str) -> str:
    """Every line end and space as the parser knows it, each one character, so that offsets stay."""
    if not text.isascii() or "\x0b" in text or "\x0c" in text:
        text = text.translate(_BLANKS)
    return _LONE_RETURN.sub("\n", text) if "\r" in text else text


def _bare(text: str) -> str:
    """Without what prose puts before a block: quote marks, list marks, tags, the start of a command."""
    text = _levelled(text)
    if ">" in text:
        text = _QUOTE.sub(_blank, text)
    return BEFORE_HEADER.sub(_blank, text) if _may_declare(text) else text


def _blank(mark: re.Match[str]) -> str:
    return " " * len(mark[0])


def _may_declare(text: str) -> bool:
    """Whether a header may stand in `text`: quick to deny for most answers, which hold no code."""
    last = text.rfind("{")
    return last >= 0 and any(text.find(word, 0, last) >= 0 for word in HEADER_WORDS)


def _sources(segment: Segment) -> Iterator[Reading]:
    if _is_program(segment):
        yield Reading(segment, _levelled(segment.text), 0)
        return
    if segment.scope == "tool_call":
        texts = (_bare(text) for text in _texts(segment.text) if not is_patch(text))
        yield from (Reading(segment, text, None) for text in texts if HEADER.search(text))
        yield from _encoded(segment, decoded(segment.text)[1])
        return
    text = _bare(segment.text)
    end = 0
    for block in fenced(text):
        yield from _raw(segment, text, end, block.start)
        inner = text[block.start : block.end]
        if (block.label in _LABELS or HEADER.search(inner)) and not is_patch(segment.text[block.start : block.end]):
            yield Reading(segment, inner, block.start)
        end = block.end
    yield from _raw(segment, text, end, len(text))
    for reading in escaped(segment):
        words = _bare(reading.text)
        if HEADER.search(words) and not is_patch(reading.text):
            yield Reading(segment, words, reading.start, reading.form)
    yield from _encoded(segment, segment.text)


def _encoded(segment: Segment, text: str) -> Iterator[Reading]:
    """Terraform that stands in `text` in a code, as `base64 -d` gives it."""
    seen: set[str] = set()
    for form in forms(text):
        if _CODES.isdisjoint(form.codes) or not _may_declare(form.text):
            continue
        seen = seen or _headers(text)
        words = _bare(form.text)
        headers = {header[0].strip() for header in HEADER.finditer(words)}
        if headers - seen:
            seen |= headers
            yield Reading(segment, words, None) if text is not segment.text else Reading(segment, words, 0, form)


def _raw(segment: Segment, text: str, start: int, end: int) -> Iterator[Reading]:
    """Terraform outside of fences: from the first line of a block to the last brace that closes one.
    What is cut off, or stands on one line, runs to the end."""
    first = HEADER.search(text, start, end) if _may_declare(text[start:end]) else None
    if first:
        braces = list(_LAST_BRACE.finditer(text, first.start(), end))
        last = braces[-1].end() if braces else end
        if HEADER.search(text, last, end):
            last = end
        yield Reading(segment, text[first.start() : last], first.start())


def _programs(sources: Sequence[Reading]) -> list[tuple[Reading, ...]]:
    """One module, unless two sources declare the same resource: then they are versions of each other, and
    what is safe in one says nothing about the other. Files that override others come last, in the order of their
    names."""
    last = sorted(filter(_overrides, sources), key=lambda source: source.segment.name)
    base = [source for source in sources if not _overrides(source)]
    seen: set[tuple[str, ...]] = set()
    for source in base:
        declared = {block.labels for block in parse(source.text).blocks if block.type == "resource"}
        if seen & declared:
            return [(each, *last) for each in base]
        seen |= declared
    return [(*base, *last)]


def _overrides(source: Reading) -> bool:
    return _is_program(source.segment) and is_override(source.segment.name)


def _foreign(segment: Segment) -> Iterator[Foreign | Drawn]:
    whole = span_of(segment, 0, len(segment.text))
    strings = _texts(segment.text) if segment.scope == "tool_call" else [each.text for each in escaped(segment)]
    texts = [segment.text, *strings]
    if any(map(_is_disguised, texts)) or (_is_program(segment) and _has_split_comment(segment.text)):
        yield Foreign("Terraform in disguise (hidden or look-alike characters)", whole)
    if _is_file(segment) and segment.name.endswith((".tf.json", ".tofu.json", ".tfvars.json")):
        yield Foreign(JSON, whole)
    elif not _is_program(segment):
        # One payload, and it was read.
        text = decoded(segment.text)[1] if segment.scope == "tool_call" else segment.text
        read = any(_encoded(segment, text)) and times_encoded(text) == 1
        yield from (item for item in foreign(segment, texts) if not (read and _is_encoded(item)))


def _has_split_comment(text: str) -> bool:
    """Whether a comment ends for some readers where it goes on for others, and hides code there."""
    for line in text.split("\n") if _ENDS.search(text) else ():
        comment = _COMMENT.search(line)
        end = _ENDS.search(line.rstrip("\r"), comment.end()) if comment else None
        if end and _HIDES.search(line, end.end()):
            return True
    return False


def _is_encoded(item: Foreign | Drawn) -> bool:
    return isinstance(item, Foreign) and item.language == ENCODED


def _is_disguised(text: str) -> bool:
    """Whether a reader sees blocks of Terraform that the parser does not: with invisible characters, full-width
    letters, typographic quotes or HTML's escapes."""
    if (text.isascii() and "&" not in text) or not _DISGUISES.search(text):
        return False
    plain = html.unescape(text.translate(_PLAIN))
    return bool(_headers(plain) - _headers(text))


def _headers(text: str) -> set[str]:
    return {header[0].strip() for header in HEADER.finditer(_bare(text))}
