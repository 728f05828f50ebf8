"""Clauses: what one file states of one principle, all of it or only some fields.

A principle that extends another is stated in part, so a clause keeps apart what was stated from what is a
default; `principle()` fills in the defaults once composition is done.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import msgspec

from lawspeaker.constitution.crosswalk import withdrawal
from lawspeaker.constitution.kinds import CheckKind, SettingsError
from lawspeaker.constitution.read import (
    did_you_mean,
    fields,
    flag,
    identifier,
    items,
    mapping,
    one_of,
    some_of,
    text,
    texts,
    verbatim,
)
from lawspeaker.constitution.schema import (
    DECISIONS,
    ON_INCONCLUSIVE,
    ON_VIOLATION,
    OTHERWISE,
    OUTCOMES,
    SEVERITIES,
    Case,
    CheckSpec,
    Principle,
    defaults,
)
from lawspeaker.constitution.source import Node, Place, shortened
from lawspeaker.errors import boundary
from lawspeaker.exchange import SCOPES, Exchange, Message, Part, Reasoning, Role, Text, ToolCall, ToolResult

Kinds = Mapping[str, CheckKind]

CASE_FIELDS: Final = ("name", "request", "answer", "file", "messages", "expect", "decision", "borderline")


def _crosswalk(node: Node) -> tuple[str, ...]:
    """Ids in catalogues. One that was withdrawn would tell an auditor of something that is no more."""
    for item, id in zip(items(node), ids := texts(node), strict=True):
        if withdrawn := withdrawal(id):
            raise item.place.error(withdrawn)
    return ids


ROLES: Final[tuple[Role, ...]] = ("system", "user", "assistant", "tool")
_FIELDS: Final[Mapping[str, Callable[[Node], object]]] = {
    "id": identifier,
    "text": text,
    "because": text,
    "severity": partial(one_of, SEVERITIES),
    "on_violation": partial(one_of, ON_VIOLATION),
    "otherwise": partial(one_of, OTHERWISE),
    "on_inconclusive": partial(one_of, ON_INCONCLUSIVE),
    "applies_to": partial(some_of, SCOPES),
    "critique": text,
    "revision": text,
    "maps_to": _crosswalk,
    "overridable": flag,
}
PRINCIPLE_FIELDS: Final = (*_FIELDS, "checks", "cases")


class Clause(msgspec.Struct, frozen=True):
    """`stated` maps fields of `Principle` to their values, `places` the same fields to where they stand."""

    id: str
    stated: Mapping[str, Any]
    places: Mapping[str, Place]
    base: Principle | None = None
    restated: tuple[str, ...] = ()

    @property
    def place(self) -> Place:
        return self.places["id"]

    def principle(self) -> Principle:
        """The principle with its defaults. Raises `ConstitutionError` where text or severity is missing."""
        for name in ("text", "severity"):
            if name not in self.stated:
                raise self.place.error(f"principle '{self.id}' without '{name}'")
        otherwise, on_inconclusive = defaults(self.stated["severity"])
        filled = {"otherwise": otherwise, "on_inconclusive": on_inconclusive, **self.stated}
        if filled["severity"] == "critical" and filled["on_inconclusive"] == "note":
            what = "critical with on_inconclusive: note would release what nobody judged; escalate or refuse"
            raise self.places["severity"].error(what)
        return Principle(**filled, places=self.places, base=self.base, restated=self.restated)


def read_clause(node: Node, kinds: Kinds) -> Clause:
    """The clause in one entry of `principles`."""
    found = fields(node, "a principle", PRINCIPLE_FIELDS, required=("id",))
    stated = {name: read(found[name]) for name, read in _FIELDS.items() if name in found}
    id = str(stated["id"])
    if "checks" in found:
        stated["checks"] = tuple(_check(item, id, kinds) for item in items(found["checks"]))
    if "cases" in found:
        stated["cases"] = _cases(found["cases"])
    return Clause(id, stated, {name: value.place for name, value in found.items()})


def _check(node: Node, principle: str, kinds: Kinds) -> CheckSpec:
    """One check: a mapping of one kind to its settings."""
    entry = mapping(node, "a check (one kind and its settings)")
    if len(entry) != 1:
        raise node.place.error("a check is one kind and its settings, as in '- secrets: {}'")
    ((name, settings),) = entry.items()
    if name not in kinds:
        hint = did_you_mean(name, kinds) or f"; there are {', '.join(sorted(kinds))}"
        raise node.keys[name].error(f"no check of kind '{shortened(name)}'{hint}")
    kind, plain = kinds[name], settings.plain()
    with boundary(f"check kind '{name}'"):
        try:
            check = kind.prepare(plain, principle)
        except SettingsError as error:
            # whatever a kind quotes of its settings, and however long that is, the error stays a line
            raise settings.at(error.path).error(f"{name}: {shortened(str(error), 320)}") from None
    return CheckSpec(name, plain, check, kind.version, node.place)


def _cases(node: Node) -> tuple[Case, ...]:
    cases: dict[str, Case] = {}
    for item in items(node):
        case = _case(item)
        if case.name in cases:
            raise item.at(("name",)).error(
                f"a second case '{shortened(case.name)}'; the first is in line {cases[case.name].place.line}"
            )
        cases[case.name] = case
    return tuple(cases.values())


def _case(node: Node) -> Case:
    found = fields(node, "a case", CASE_FIELDS, required=("name", "expect"))
    return Case(
        name=text(found["name"]),
        exchange=_exchange(node, found),
        expect=one_of(OUTCOMES, found["expect"]),
        decision=one_of(DECISIONS, found["decision"]) if "decision" in found else None,
        borderline=flag(found["borderline"]) if "borderline" in found else False,
        place=node.place,
    )


def _exchange(node: Node, found: Mapping[str, Node]) -> Exchange:
    """A case's exchange, from `messages` or from the short form `request`, `answer` and `file`."""
    short = [name for name in ("request", "answer", "file") if name in found]
    if "messages" in found:
        if short:
            raise node.keys[short[0]].error(f"a case has messages or {short[0]}, not both")
        return Exchange(tuple(_message(item) for item in items(found["messages"])))
    if not short or short == ["file"]:
        raise node.place.error("a case without request, answer or messages")
    if "file" in found and "answer" not in found:
        raise node.keys["file"].error("file names the answer's file, and there is no answer")
    messages = []
    if "request" in found:
        messages.append(Message("user", (Text(verbatim(found["request"])),)))
    if "answer" in found:
        name = text(found["file"]) if "file" in found else ""
        messages.append(Message("assistant", (Text(verbatim(found["answer"]), name),)))
    return Exchange(tuple(messages))


def _message(node: Node) -> Message:
    found = fields(node, "a message", ("role", "text", "parts"), required=("role",))
    if ("text" in found) == ("parts" in found):
        raise node.place.error("a message has either text or parts")
    role = one_of(ROLES, found["role"])
    if "text" in found:
        return Message(role, (Text(verbatim(found["text"])),))
    return Message(role, tuple(_part(item) for item in items(found["parts"])))


def _part(node: Node) -> Part:
    """One part; the fields are those of the structs in `exchange`."""
    found = mapping(node, "a part of a message")
    if "type" not in found:
        raise node.place.error("a part without 'type'")
    type = one_of(tuple(_PARTS), found["type"])
    allowed, required, make = _PARTS[type]
    values = fields(node, f"a {type} part", ("type", *allowed), required)
    return make(**{name: verbatim(values[name]) for name in allowed if name in values})


_PARTS: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...], Callable[..., Part]]]] = {
    "text": (("text", "name"), ("text",), Text),
    "reasoning": (("text",), ("text",), Reasoning),
    "tool_call": (("name", "text", "id"), ("name", "text"), ToolCall),
    "tool_result": (("text", "id"), ("text",), ToolResult),
}
