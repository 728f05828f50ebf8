"""What a rule says about one resource."""

from collections.abc import Callable, Iterator
from typing import Literal

import msgspec

from lawspeaker.checks.secrets.kind import shown
from lawspeaker.checks.terraform.module import Body, Module, Place, Resource
from lawspeaker.checks.terraform.values import Unknown


class Verdict(msgspec.Struct, frozen=True):
    outcome: Literal["upheld", "violated", "inconclusive"]
    reason: str
    place: Place


Judgement = Callable[[Module], Iterator[Verdict]]


class Rule(msgspec.Struct, frozen=True):
    """A rule: its id, the judgements that it is made of (each on other resource types), a pattern of the types that it
    judges, so that it knows when a part that cannot be read matters to it, and one of the words by which a module call
    (its name or source) shows that it sets up such things. `doc` says in prose what it asks; `violating`
    and `complying` are programs that show it, and the tests run them."""

    id: str
    judgements: tuple[Judgement, ...]
    reads: str
    calls: str
    doc: str
    violating: str
    complying: str


def upheld(resource: Resource) -> Verdict:
    return Verdict("upheld", shown(resource.address), resource.place)


def violated(resource: Resource, what: str, place: Place | None = None) -> Verdict:
    """`what` is the rest of a sentence that starts with the resource's address."""
    return Verdict("violated", f"{shown(resource.address)}: {what}", place or resource.place)


def undecided(resource: Resource, what: str, value: Unknown, place: Place | None = None) -> Verdict:
    """`what` names what would decide it; `value` is the value that is not known."""
    reason = f"{shown(resource.address)}: cannot tell {what}, since {shown(value.what)} is not known here"
    return Verdict("inconclusive", reason, place or resource.place)


def each(resource: Resource, verdicts: Iterator[Verdict]) -> Iterator[Verdict]:
    """`verdicts`, or upheld where there are none."""
    found = False
    for verdict in verdicts:
        found = True
        yield verdict
    if not found:
        yield upheld(resource)


def nested(body: Body, path: tuple[str, ...]) -> list[Body]:
    """The blocks at `path` inside `body`."""
    bodies = [body]
    for name in path:
        bodies = [child for parent in bodies for child in parent.children(name)]
    return bodies
