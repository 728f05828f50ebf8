"""A module: the blocks of its files with their attributes evaluated.

Rules see values and places, never syntax. The values are read once for a module and shared by all rules.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from lawspeaker.checks.terraform.overrides import merged
from lawspeaker.checks.terraform.parse import assignments, parse
from lawspeaker.checks.terraform.scope import Scope
from lawspeaker.checks.terraform.syntax import Attribute, Block, Expression, Reference
from lawspeaker.checks.terraform.values import Unknown, Value
from lawspeaker.checks.text.kept import kept

_SWITCHES: Final[Mapping[str, bool]] = {"true": True, "1": True, "false": False, "0": False}
_MAX_INSTANCES: Final = 100
_UNREAD: Final = Unknown("a part of the block that cannot be read")


class Place(msgspec.Struct, frozen=True):
    """`start:end` in the text of file number `file`."""

    file: int
    start: int
    end: int


class Body(msgspec.Struct, frozen=True):
    """What stands in a block. `absent` is what an attribute comes to that is not there: None, or unknown where part
    of the block could not be read."""

    values: Mapping[str, Value]
    written: Mapping[str, Attribute]
    blocks: Mapping[str, tuple["Body", ...]]
    place: Place
    absent: Unknown | None

    def get(self, name: str) -> Value:
        """The value of `name`; None where it is not set, which is also what `null` means."""
        return self.values.get(name, self.absent)

    def flag(self, name: str) -> Value:
        """The same as Terraform reads it where it wants a switch: a text may say it, too."""
        value = self.get(name)
        return _SWITCHES.get(value, value) if isinstance(value, str) else value

    def at(self, name: str = "") -> Place:
        """Where `name` is set; the first line of the block where it is not."""
        attribute = self.written.get(name)
        return Place(self.place.file, attribute.start, attribute.end) if attribute else self.place

    def children(self, name: str) -> tuple["Body", ...]:
        """The blocks called `name`, however they are written: as blocks, dynamic, or as a list of objects."""
        found = self.blocks.get(name, ())
        value = self.values.get(name)
        items = value if isinstance(value, tuple) else (value,)
        return found + tuple(
            Body(item if isinstance(item, Mapping) else {}, {}, {}, self.at(name), _unknown(item))
            for item in items
            if isinstance(item, Mapping | Unknown)
        )


class Resource(Body, frozen=True):
    """A top-level block with a name: `type` is `data.…` for a data source, else the block's own word for variables,
    providers, outputs and modules."""

    type: str
    name: str

    @property
    def address(self) -> str:
        return f"{self.type}.{self.name}"


class Module(msgspec.Struct, frozen=True):
    """Every readable block of some files. `unread` is where code could not be read, damaged blocks among it; `followed`
    are the addresses of the calls whose module is in it too."""

    texts: tuple[str, ...]
    resources: Mapping[str, tuple[Resource, ...]]
    unread: tuple[Place, ...]
    followed: frozenset[str] = frozenset()

    @property
    def broken(self) -> bool:
        return bool(self.unread)

    def text(self, place: Place) -> str:
        """What stands there."""
        return self.texts[place.file][place.start : place.end]

    def of(self, *types: str) -> Iterator[Resource]:
        """The resources of `types`."""
        for type in types:
            yield from self.resources.get(type, ())

    def at(self, address: str) -> Resource | None:
        return next(self.all_at(address), None)

    def all_at(self, address: str) -> Iterator[Resource]:
        """The resources of one address: one for each turn of its loop."""
        type, _, name = address.rpartition(".")
        return (found for found in self.resources.get(type, ()) if found.name == name)

    def everything(self) -> Iterator[Resource]:
        for found in self.resources.values():
            yield from found


def _size(
    texts: tuple[str, ...], given: tuple[str, ...] = (), perhaps: tuple[str, ...] = (), overrides: int = 0
) -> int:
    return sum(map(len, (*texts, *given, *perhaps)))


@kept(_size, most=32)
def module(
    texts: tuple[str, ...], given: tuple[str, ...] = (), perhaps: tuple[str, ...] = (), overrides: int = 0
) -> Module:
    """The module whose files have `texts`. `given` are the files of variables that Terraform reads by itself, in its
    order; `perhaps`, those that somebody may name. The last `overrides` files override the others. Never raises."""
    return evaluated(texts, given, perhaps, overrides)


def evaluated(
    texts: tuple[str, ...],
    given: tuple[str, ...] = (),
    perhaps: tuple[str, ...] = (),
    overrides: int = 0,
    *,
    inputs: Mapping[str, Value] | None = None,
    outputs: Mapping[str, Mapping[str, Value]] | None = None,
    within: str = "",
    first: int = 0,
) -> Module:
    """`module`, as a call with `inputs` makes it, where its calls give `outputs`; see `Scope`. `first` is the number of
    the first file. Never raises."""
    programs = [parse(text) for text in texts]
    files = [program.blocks for program in programs]
    blocks = merged(files[: len(files) - overrides], files[len(files) - overrides :])
    scope = Scope(
        _variables(blocks, given, perhaps),
        _locals(blocks),
        inputs=inputs,
        objects=_objects(blocks),
        outputs=outputs,
        within=within,
    )
    resources: dict[str, list[Resource]] = {}
    for at, block in blocks:
        counted = "count.index" in texts[at][block.start : block.end]
        for resource in _resources(block, at + first, scope, within, counted=counted):
            resources.setdefault(resource.type, []).append(resource)
    unread = [Place(file, *place) for file, program in enumerate(programs, first) for place in program.unread]
    damaged = [
        Place(file, block.start, block.end)
        for file, program in enumerate(programs, first)
        for block in program.blocks
        if block.broken
    ]
    frozen = {type: tuple(found) for type, found in resources.items()}
    return Module(texts, frozen, (*unread, *damaged))


def _variables(
    blocks: Sequence[tuple[int, Block]], given: Sequence[str], perhaps: Sequence[str]
) -> dict[str, Expression]:
    """What variables come to: their defaults, over them the files that are read. A variable that another file would
    change is unknown; so are all where a file cannot be read."""
    known: dict[str, Expression] = {
        block.labels[0]: block.attributes["default"].value
        for _, block in blocks
        if block.type == "variable" and block.labels and "default" in block.attributes
    }
    for values, whole in map(assignments, given):
        known = {**known, **values} if whole else {}
    for values, whole in map(assignments, perhaps):
        known = {name: value for name, value in known.items() if whole and values.get(name, value) == value}
    return known


def _locals(blocks: Sequence[tuple[int, Block]]) -> dict[str, Expression]:
    return {
        name: attribute.value
        for _, block in blocks
        if block.type == "locals"
        for name, attribute in block.attributes.items()
    }


def _objects(blocks: Sequence[tuple[int, Block]]) -> dict[str, Block]:
    """The resources and data sources, by address."""
    found: dict[str, Block] = {}
    for _, block in blocks:
        if block.type in {"resource", "data"} and len(block.labels) == 2:
            found.setdefault(".".join(("data", *block.labels) if block.type == "data" else block.labels), block)
    return found


def _resources(block: Block, file: int, scope: Scope, within: str, *, counted: bool) -> Iterator[Resource]:
    """The resource that `block` declares: one for each turn of a `for_each` that is known, or of a count that it asks
    for the number of; none for a count of 0."""
    match (block.type, block.labels):
        case ("resource" | "data" | "ephemeral", (kind, name)):
            type = kind if block.type == "resource" else f"{block.type}.{kind}"
        case (other, (name,)):
            type = other
        case (other, _):
            type, name = other, ""
    count = scope.evaluate(block.attributes["count"].value) if "count" in block.attributes else None
    if count in (0, "0") and count is not False:
        return
    turns = [scope]
    if counted and isinstance(count, int) and 0 < count <= _MAX_INSTANCES and scope.turns(count):
        turns = [scope.inside({"count": {"index": index}}) for index in range(count)]
    for turn in turns:
        for inner in _turns(block, "each", turn):
            body = _body(block, file, inner)
            yield Resource(body.values, body.written, body.blocks, body.place, body.absent, type, within + name)


def _body(block: Block, file: int, scope: Scope) -> Body:
    blocks: dict[str, list[Body]] = {}
    for child in block.blocks:
        if child.type == "dynamic" and child.labels:
            name = child.labels[0]
            contents = [inner for inner in child.blocks if inner.type == "content"]
            turns = [_body(inner, file, turn) for turn in _turns(child, _iterator(child), scope) for inner in contents]
            blocks.setdefault(name, []).extend(turns)
        else:
            blocks.setdefault(child.type, []).append(_body(child, file, scope))
    return Body(
        {name: scope.evaluate(attribute.value) for name, attribute in block.attributes.items()},
        block.attributes,
        {name: tuple(found) for name, found in blocks.items()},
        Place(file, block.start, block.header),
        _UNREAD if block.broken else None,
    )


def _iterator(dynamic: Block) -> str:
    """The name of a dynamic block's loop: the block's own, unless it says another."""
    named = dynamic.attributes.get("iterator")
    value = named.value if named else None
    return str(value.steps[0]) if isinstance(value, Reference) and len(value.steps) == 1 else dynamic.labels[0]


def _turns(block: Block, iterator: str, scope: Scope) -> Iterator[Scope]:
    """The scope of each turn of `block`'s `for_each`; `scope` itself where it has none, or its items are unknown or
    too many."""
    items = scope.evaluate(block.attributes["for_each"].value) if "for_each" in block.attributes else None
    if isinstance(items, Mapping) and scope.turns(len(items)):
        for key, value in items.items():
            yield scope.inside({iterator: {"key": key, "value": value}})
    elif isinstance(items, tuple) and scope.turns(len(items)):
        for item in items:
            yield scope.inside({iterator: {"key": item, "value": item}})
    else:
        yield scope


def _unknown(value: Value) -> Unknown | None:
    return value if isinstance(value, Unknown) else None
