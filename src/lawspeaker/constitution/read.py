"""Readers: from a node to a typed value, or to an error that says what would be right."""

import difflib
import re
from collections.abc import Collection, Iterable, Sequence
from typing import Final, TypeVar

from lawspeaker.constitution.source import Node, shortened

Option = TypeVar("Option", bound=str)

ID: Final = r"[a-z0-9]+(-[a-z0-9]+)*"


def text(node: Node) -> str:
    """A text with something in it; spaces around it are formatting."""
    if not isinstance(node.value, str):
        quote = f"; quote it: '{shortened(node.raw)}'" if node.raw else ""
        raise node.place.error(f"expected text, found {_kind(node)}{quote}")
    if not node.value.strip():
        raise node.place.error("expected text, found an empty one")
    return node.value.strip()


def verbatim(node: Node) -> str:
    """A text as it stands, which may be empty: what a case quotes is data."""
    return node.value if isinstance(node.value, str) else text(node)


def identifier(node: Node) -> str:
    """Lower-case words joined by hyphens."""
    if not re.fullmatch(ID, value := text(node)):
        raise node.place.error(
            f"'{shortened(value)}' is not an id; write lower-case words joined by hyphens, as in no-secrets"
        )
    return value


def flag(node: Node) -> bool:
    if not isinstance(node.value, bool):
        raise node.place.error(f"expected true or false, found {_kind(node)}")
    return node.value


def one_of(options: Sequence[Option], node: Node) -> Option:
    """The one of `options` that the node names."""
    value = text(node)
    for option in options:
        if option == value:
            return option
    raise node.place.error(f"'{shortened(value)}' is not one of {', '.join(options)}{did_you_mean(value, options)}")


def items(node: Node) -> tuple[Node, ...]:
    if not isinstance(node.value, tuple):
        raise node.place.error(f"expected a list, found {_kind(node)}")
    return node.value


def texts(node: Node) -> tuple[str, ...]:
    return tuple(text(item) for item in items(node))


def some_of(options: Sequence[Option], node: Node) -> tuple[Option, ...]:
    """At least one of `options`, each once, in the order of `options`: the file's order means nothing."""
    chosen = []
    for item in items(node):
        if (value := one_of(options, item)) in chosen:
            raise item.place.error(f"'{value}' is in the list twice")
        chosen.append(value)
    if not chosen:
        raise node.place.error(f"the list is empty; name at least one of {', '.join(options)}")
    return tuple(option for option in options if option in chosen)


def mapping(node: Node, what: str) -> dict[str, Node]:
    if not isinstance(node.value, dict):
        raise node.place.error(f"expected {what}, found {_kind(node)}")
    return node.value


def fields(node: Node, what: str, allowed: Collection[str], required: Iterable[str] = ()) -> dict[str, Node]:
    """The fields of `what`: none beyond `allowed`, and all that are `required`."""
    found = mapping(node, what)
    for name in found:
        if name not in allowed:
            hint = did_you_mean(name, allowed) or f"; there are {', '.join(allowed)}"
            raise node.keys[name].error(f"unknown field '{shortened(name)}' in {what}{hint}")
    for name in required:
        if name not in found:
            raise node.place.error(f"{what} without '{name}'")
    return found


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint at the nearest of the `known` names; empty where none is near."""
    near = difflib.get_close_matches(shortened(name), list(known), n=1)
    return f"; did you mean '{near[0]}'?" if near else ""


def _kind(node: Node) -> str:
    value = node.value
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"{str(value).lower()} (a truth value)"
    if isinstance(value, int | float):
        return f"the number {shortened(node.raw)}"
    return "a mapping" if isinstance(value, dict) else "a list" if isinstance(value, tuple) else "text"
