"""A route as `lawspeaker.yaml` has it, read strictly.

    name: assistant              # what requests give as their model
    model: openai:gpt-5          # who answers and revises
    constitution: [infrastructure, data-protection]
    critic: anthropic:claude-sonnet-4-5   # default: the model
    judge: openai:gpt-5          # default: nobody
    rounds: 2
    timeout: 60                  # seconds for each call of a model
    budget: 30                   # seconds for each assessment; what is not judged by then is inconclusive
    shadow: true                 # judge and record, change nothing
    stream: window               # let streams flow as they are decided; default: hold
    retain: 4096                 # characters kept back at most; default: all that are undecided
    betas: [files-api-2025-04-14]    # further values of `anthropic-beta`, whatever they bring in; default: none
    waivers:                     # what does not decide for a while
      - principle: pinned-modules
        scope: [answer]
        owner: platform
        reason: The registry has no tags yet.
        expires: '2026-12-31'    # the last day, in UTC

Every mistake is one line with its place.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from lawspeaker.checks.streams import StreamPlan
from lawspeaker.checks.waivers import Waiver
from lawspeaker.constitution import read
from lawspeaker.constitution.compose import combine
from lawspeaker.constitution.kinds import CheckKind
from lawspeaker.constitution.load import load
from lawspeaker.constitution.schema import Constitution
from lawspeaker.constitution.source import Node, Place
from lawspeaker.errors import ConstitutionError
from lawspeaker.gateway.streams import read_stream
from lawspeaker.gateway.waivers import read_waivers

_MODELS: Final = ("name", "model", "constitution", "critic", "judge", "rounds", "timeout", "budget")
_ROUTE: Final = (*_MODELS, "shadow", "waivers", "stream", "retain", "betas")
Kinds = Mapping[str, CheckKind]
_BETA: Final = re.compile(r"[A-Za-z0-9-]{1,100}")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}")


class RouteConfig(msgspec.Struct, frozen=True):
    """One route as configured; models are addresses, and `places` says where each stands."""

    name: str
    law: Constitution
    model: str
    critic: str
    judge: str | None
    rounds: int
    timeout: float
    shadow: bool
    waivers: tuple[Waiver, ...]
    places: dict[str, Place]
    budget: float = 30.0
    flowing: StreamPlan | None = None
    betas: frozenset[str] = frozenset()


def read_routes(nodes: Sequence[Node], path: Path, kinds: Kinds) -> dict[str, RouteConfig]:
    """The routes in `nodes` by name, of the configuration at `path`, under laws that may name these `kinds`."""
    routes: dict[str, RouteConfig] = {}
    for node in nodes:
        route = _route(node, path, kinds)
        if route.name in routes:
            raise route.places["name"].error(f"the route '{route.name}' is here twice; a name leads to one route")
        routes[route.name] = route
    return routes


def _route(node: Node, path: Path, kinds: Kinds) -> RouteConfig:
    found = read.fields(node, "a route", _ROUTE, ("name", "model", "constitution"))
    name = read.text(found["name"])
    if not _NAME.fullmatch(name):
        raise found["name"].place.error("a route's name is up to 128 letters, digits and the signs . _ : / -")
    model = read.text(found["model"])
    law = _law(found["constitution"], path.parent, kinds)
    shadow = read.flag(found["shadow"]) if "shadow" in found else False
    return RouteConfig(
        name,
        law,
        model,
        read.text(found["critic"]) if "critic" in found else model,
        read.text(found["judge"]) if "judge" in found else None,
        int(number(found["rounds"], 0, 8, whole=True)) if "rounds" in found else 2,
        number(found["timeout"], 0.1, 3600) if "timeout" in found else 60.0,
        shadow,
        read_waivers(found["waivers"], law) if "waivers" in found else (),
        {field: value.place for field, value in found.items()},
        number(found["budget"], 0.1, 600) if "budget" in found else 30.0,
        read_stream(found, law, shadow=shadow),
        frozenset(_beta(each) for each in read.items(found["betas"])) if "betas" in found else frozenset(),
    )


def _beta(node: Node) -> str:
    name = read.text(node)
    if not _BETA.fullmatch(name):
        raise node.place.error("the name of a beta is of letters, digits and dashes")
    return name


def _law(node: Node, folder: Path, kinds: Kinds) -> Constitution:
    """Bundled names, and files that are looked for from the configuration's folder."""
    nodes = read.items(node) if isinstance(node.value, tuple) else (node,)
    laws = []
    for each in nodes:
        name = read.text(each)
        beside = folder / name
        try:
            laws.append(load(str(beside) if beside.is_file() else name, kinds=kinds))
        except ConstitutionError as error:
            if error.path and error.line:
                raise
            raise each.place.error(error.what) from None
    if not laws:
        raise node.place.error("the list is empty; a route has at least one constitution")
    return combine(laws)


def number(node: Node, low: float, high: float, *, whole: bool = False) -> float:
    """A number from `low` to `high`."""
    value = node.value
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float) or not low <= value <= high:
        raise node.place.error(f"expected a {'whole ' if whole else ''}number from {low:g} to {high:g}")
    return float(value)
