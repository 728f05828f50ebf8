"""YAML text to plain values that know where they stand.

A constitution is a strict subset of YAML: one document of mappings, lists and scalars. What makes YAML
dangerous or surprising is refused with its place: anchors and aliases (a few lines can stand for
gigabytes), tags (they name types), duplicate keys (the last one would win in silence), and plain scalars
that YAML 1.1 and YAML 1.2 read differently (`no`, `012`, `1:30`, a date). The tree is built from parser
events, so that these are refused before anything is built from them.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NoReturn

import msgspec
import yaml

from lawspeaker.errors import ConstitutionError

MAX_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 24
LOADER: Final = getattr(
    yaml, "CSafeLoader", yaml.SafeLoader
)  # libyaml where PyYAML was built with it: 20 times as fast
_yaml_1_1: Final[Callable[[type[yaml.Node], str, tuple[bool, bool]], str]] = yaml.resolver.Resolver().resolve
_TAG: Final = "tag:yaml.org,2002:"
_YAML_1_2: Final[Mapping[str, re.Pattern[str]]] = {
    "null": re.compile(r"(?:null|Null|NULL|~|)"),
    "bool": re.compile(r"true|True|TRUE|false|False|FALSE"),
    "int": re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"),
    "float": re.compile(
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
    ),
}
_HALF: Final = re.compile("[\ud800-\udfff]")
_PLAIN_INTEGER: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")  # 64 bits everywhere, and no octal


class Place(msgspec.Struct, frozen=True):
    """Where something stands in a constitution; line and column count from 1."""

    path: str
    line: int
    column: int

    def error(self, what: str) -> ConstitutionError:
        return ConstitutionError(what, self.path, self.line, self.column)

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


Scalar = str | int | float | bool | None


class Node(msgspec.Struct, frozen=True):
    """A value and its place. `keys` holds the places of a mapping's keys, `raw` what a scalar looked like."""

    value: "Scalar | tuple[Node, ...] | dict[str, Node]"
    place: Place
    keys: Mapping[str, Place] = {}
    raw: str = ""

    def plain(self) -> object:
        """The value as str, int, float, bool, None, list and dict."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, tuple):
            return [node.plain() for node in self.value]
        return self.value

    def at(self, path: tuple[str | int, ...]) -> Place:
        """The place of what `path` leads to, or of the last thing on the way that exists."""
        if not path:
            return self.place
        step, rest = path[0], path[1:]
        if isinstance(self.value, dict) and isinstance(step, str) and step in self.value:
            return self.value[step].at(rest) if rest else self.value[step].place
        if isinstance(self.value, tuple) and isinstance(step, int) and 0 <= step < len(self.value):
            return self.value[step].at(rest)
        return self.place


def parse(text: str, path: str) -> Node:
    """The one document in `text`. `path` is what errors call the file. Raises `ConstitutionError`."""
    if len(text) > MAX_BYTES:
        raise ConstitutionError(too_big(len(text)), path)
    text = text.removeprefix("\ufeff")
    if strange := yaml.reader.Reader.NON_PRINTABLE.search(text):
        character = f"U+{ord(strange[0]):04X}"
        raise place_in(text, strange.start(), path).error(
            f"the character {character} cannot stand in YAML; write an escape"
        )
    try:
        return _Builder(yaml.parse(text, Loader=LOADER), path).document()
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, text, path) from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: what PyYAML without libyaml makes of a bad escape
        raise ConstitutionError(f"not valid YAML: {' '.join(str(error).split())}", path) from None


def place_in(text: str, offset: int, path: str) -> Place:
    """The place of the character at `offset`."""
    return Place(path, text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset))


def too_big(size: int) -> str:
    return f"{size:,} bytes is too big for a constitution; at most {MAX_BYTES:,} are read"


def shortened(value: str, room: int = 60) -> str:
    """`value` as far as it fits into `room` characters of one line of an error."""
    line = " ".join(value.split())
    return line if len(line) <= room else line[: room - 1] + "…"


def _syntax_error(error: yaml.MarkedYAMLError, text: str, path: str) -> ConstitutionError:
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return ConstitutionError(f"not valid YAML: {error.problem}", path)
    lines = text.split("\n")
    line = lines[mark.line] if mark.line < len(lines) else ""
    indent = line[: len(line) - len(line.lstrip(" \t"))]
    if "\t" in indent:
        return Place(path, mark.line + 1, indent.index("\t") + 1).error("a tab in the indentation; indent with spaces")
    what = error.problem or error.context or "it cannot be read"
    return Place(path, mark.line + 1, mark.column + 1).error(f"not valid YAML: {what}")


class _Builder:
    """A tree from parser events, refusing on the way what a constitution may not hold."""

    def __init__(self, events: Iterator[yaml.Event], path: str) -> None:
        self._events = events
        self._path = path

    def document(self) -> Node:
        next(self._events)  # the start of the stream
        start = next(self._events)
        if not isinstance(start, yaml.DocumentStartEvent):
            raise ConstitutionError("the file is empty; a constitution needs name, version and principles", self._path)
        if start.version or start.tags:
            self._refuse(start, "YAML directives are not used here; remove the line")
        root = self._node(next(self._events), 1)
        next(self._events)  # the end of the document
        if not isinstance(extra := next(self._events), yaml.StreamEndEvent):
            self._refuse(extra, "a second document; a constitution is one document")
        return root

    def _node(self, event: yaml.Event, depth: int) -> Node:
        if isinstance(event, yaml.AliasEvent):
            self._refuse(event, f"an alias, *{shortened(event.anchor or '')}; write the value out")
        # What begins a node is a scalar, a sequence or a mapping: the parser promises it, its types do not.
        assert isinstance(event, yaml.ScalarEvent | yaml.SequenceStartEvent | yaml.MappingStartEvent)
        if event.anchor is not None:
            self._refuse(event, f"an anchor, &{shortened(event.anchor)}; write the value out where it is needed")
        if event.tag is not None:
            self._refuse(event, f"a tag, {shortened(event.tag)}; a constitution is plain data")
        if depth > MAX_DEPTH:
            self._refuse(event, f"nested more than {MAX_DEPTH} levels deep")
        if isinstance(event, yaml.ScalarEvent):
            return Node(self._scalar(event), self._place(event), raw=event.value)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(event, depth)
        return self._mapping(event, depth)

    def _sequence(self, start: yaml.Event, depth: int) -> Node:
        items = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(event, depth + 1))
        return Node(tuple(items), self._place(start))

    def _mapping(self, start: yaml.Event, depth: int) -> Node:
        entries: dict[str, Node] = {}
        keys: dict[str, Place] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._node(event, depth + 1)
            if not isinstance(key.value, str):
                raise key.place.error(
                    "a field's name must be text" + (f"; quote it: '{shortened(key.raw)}'" if key.raw else "")
                )
            if key.value in entries:
                raise key.place.error(
                    f"'{shortened(key.value)}' is here twice; the first is in line {keys[key.value].line}"
                )
            keys[key.value] = key.place
            entries[key.value] = self._node(next(self._events), depth + 1)
        return Node(entries, self._place(start), keys)

    def _scalar(self, event: yaml.ScalarEvent) -> Scalar:
        raw: str = event.value
        if _HALF.search(raw):  # libyaml refuses them itself
            self._refuse(event, "an escape that names half a character")
        if event.style:  # quoted or a block
            return raw
        seen = shortened(raw)
        tag = next((name for name, form in _YAML_1_2.items() if form.fullmatch(raw)), "str")
        if _yaml_1_1(yaml.ScalarNode, raw, (True, False)) != _TAG + tag:
            self._refuse(event, f"YAML readers disagree about what {seen} is; quote it: '{seen}'")
        if tag == "int" and not _PLAIN_INTEGER.fullmatch(raw):
            self._refuse(event, f"{seen} is ambiguous; quote it: '{seen}'")
        if tag == "float" and not math.isfinite(_number(raw)):
            self._refuse(event, f"{seen} is not a finite number")
        return _VALUES[tag](raw)

    def _place(self, event: yaml.Event) -> Place:
        mark = event.start_mark
        assert mark is not None  # every event of a parser has one
        return Place(self._path, mark.line + 1, mark.column + 1)

    def _refuse(self, event: yaml.Event, what: str) -> NoReturn:
        raise self._place(event).error(what)


def _number(raw: str) -> float:
    """A float, infinite for what YAML calls .inf and .nan."""
    return float(raw) if raw.lstrip("+-").lower() not in {".inf", ".nan"} else math.inf


_VALUES: Final[Mapping[str, Callable[[str], Scalar]]] = {
    "str": str,
    "int": int,
    "float": _number,
    "bool": lambda raw: raw.lower() == "true",
    "null": lambda raw: None,
}
