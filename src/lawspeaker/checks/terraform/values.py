"""Values: what a program says, and `Unknown` for what it does not say, with the bounds on both."""

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias

import msgspec

from lawspeaker.checks.terraform.syntax import Scalar

_MAX_TEXT: Final = 1_000_000
MAX_ITEMS: Final = 10_000
_MAX_LEAVES: Final = 2_000
# Characters that are invisible, and the full-width forms of what ASCII has for names and values.
DISGUISE: Final = re.compile(
    "[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\uff0a\uff0d-\uff1a\uff21-\uff5a]"
)


class Unknown(msgspec.Struct, frozen=True):
    """A value that the program does not say. `what` names it for a reason; `targets` are the addresses that
    it refers to; `parts` are the pieces of a template that is known in part. `instance` is the one object that
    it belongs to, index included (`aws_s3_bucket.b["x"]`), and empty where that may be one or another. `open` says that
    there is more in it than what `targets` are: words of the program, or text that somebody else writes."""

    what: str
    targets: tuple[str, ...] = ()
    parts: "tuple[Value, ...]" = ()
    instance: str = ""
    open: bool = False

    @property
    def known(self) -> str:
        """The text around what is not known."""
        return "".join(part for part in self.parts if isinstance(part, str))

    @property
    def is_input(self) -> bool:
        """Whether it may be anything that a caller chooses. An attribute of a resource, a data source or a
        module is not: it names something that exists."""
        return self.open or not self.targets or any(not names_object(target) for target in self.targets)


Value: TypeAlias = Scalar | Unknown | tuple["Value", ...] | Mapping[str, "Value"]


def document(value: Value) -> Value:
    """The data of a JSON document: `jsonencode(…)` is data already, a text is read, and what a template
    leaves open stays unknown inside the data."""
    if isinstance(value, str):
        return _from_json(value, ())
    if isinstance(value, Unknown) and value.parts:
        marked = "".join(
            part if isinstance(part, str) else f"\ue000{index}\ue001" for index, part in enumerate(value.parts)
        )
        data = _from_json(marked, value.parts)
        return msgspec.structs.replace(value, open=True) if isinstance(data, Unknown) else data
    return value


def leaves(value: Value) -> Iterator[Scalar | Unknown]:
    """Every scalar and unknown in `value`; past a bound, that the rest is unknown."""
    stack: list[Value] = [value]
    for visited in itertools.count():
        if not stack:
            return
        if visited == _MAX_LEAVES:
            yield Unknown("a very long list")
            return
        top = stack.pop()
        if isinstance(top, tuple):
            stack.extend(reversed(top[:MAX_ITEMS]))
        elif isinstance(top, Mapping):
            stack.extend(reversed(list(top.values())))
        else:
            yield top


def targets_of(value: Value) -> tuple[str, ...]:
    """The addresses that `value` refers to, where it is unknown."""
    return value.targets if isinstance(value, Unknown) else ()


def targets(values: Iterable[Value]) -> tuple[str, ...]:
    """The addresses that `values` refer to, each once and not without end: unknowns are made of unknowns."""
    return tuple(itertools.islice(dict.fromkeys(target for value in values for target in targets_of(value)), 20))


def joined(parts: list[Value]) -> Value:
    """The text of `parts`, one after another."""
    if all(isinstance(part, str | int | float | bool) for part in parts):
        text = [part if isinstance(part, str) else json.dumps(part) for part in parts]
        if sum(map(len, text)) <= _MAX_TEXT:
            return "".join(text)
        return Unknown("a very long text")
    unknown = [part for part in parts if isinstance(part, Unknown)]
    what = unknown[0].what if unknown else "a text made of lists"
    flat = tuple(inner for part in parts for inner in (part.parts or (part,) if isinstance(part, Unknown) else (part,)))
    more = any(part.is_input for part in unknown)
    return Unknown(what, targets(unknown), flat if len(flat) <= MAX_ITEMS else (), open=more)


def step_into(value: Value, steps: list[str | int | None], what: str) -> Value:
    for step in steps:
        if isinstance(value, Mapping) and step is not None:
            value = value.get(str(step))
        elif isinstance(value, tuple) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return value if isinstance(value, Unknown) else Unknown(what)
    return value


def names_object(target: str) -> bool:
    root, _, step = target.partition(".")
    return root in {"data", "module"} or ("_" in root and step not in {"key", "value"})


def _from_json(text: str, parts: tuple[Value, ...]) -> Value:
    try:
        return _restored(json.loads(text, object_pairs_hook=_unique), parts)
    except (ValueError, RecursionError):
        return Unknown("a document that is not JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of two equal keys, readers differ in which they take."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("the same key twice")
    return found


def _restored(data: Any, parts: tuple[Value, ...]) -> Value:
    """Parsed JSON as a value, with the marks of unknown parts turned back. The JSON parser bounds the
    depth.
    """
    if isinstance(data, dict):
        return {key: _restored(value, parts) for key, value in data.items()}
    if isinstance(data, list):
        return tuple(_restored(item, parts) for item in data)
    if not isinstance(data, str) or "\ue000" not in data:
        return data
    pieces: list[Value] = []
    for index, piece in enumerate(data.replace("\ue001", "\ue000").split("\ue000")):
        if index % 2 == 0:
            pieces.append(piece)
        elif piece.isdigit() and int(piece) < len(parts):
            pieces.append(parts[int(piece)])
    pieces = [piece for piece in pieces if piece != ""]
    return pieces[0] if len(pieces) == 1 else joined(pieces)
