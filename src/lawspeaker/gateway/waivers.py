"""The waivers of a route, read strictly: a waiver that is not in order is a mistake in the configuration."""

import re
import time
from datetime import UTC, datetime
from typing import Final

from lawspeaker.checks.waivers import Waiver
from lawspeaker.constitution import read
from lawspeaker.constitution.schema import Constitution, Principle
from lawspeaker.constitution.source import Node
from lawspeaker.exchange import SCOPES, Scope

_FIELDS: Final = ("principle", "scope", "owner", "reason", "expires")
_OWNER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}")
_DAY: Final = 86_400
_LONGEST: Final = 366  # days; what is to last longer is an amendment of the law


def read_waivers(node: Node, law: Constitution) -> tuple[Waiver, ...]:
    """The waivers in the list at `node`, under `law`. Raises `ConstitutionError` with the place."""
    waivers: list[Waiver] = []
    for each in read.items(node):
        found = read.fields(each, "a waiver", _FIELDS, _FIELDS)
        principle = _principle(found["principle"], law)
        scope = read.some_of(SCOPES, found["scope"])
        for name in scope:
            if name not in principle.applies_to:
                words = f"'{principle.id}' does not apply to {name}; it does to {', '.join(principle.applies_to)}"
                raise found["scope"].place.error(words)
        if _overlaps(waivers, principle.id, scope):
            raise found["principle"].place.error(f"'{principle.id}' is waived twice in the same scope")
        owner = read.text(found["owner"])
        if not _OWNER.fullmatch(owner):
            raise found["owner"].place.error("an owner is up to 100 letters, digits and the signs . _ @ + -")
        reason, expires = read.text(found["reason"]), _expires(found["expires"])
        waivers.append(Waiver(principle.id, scope, owner, reason, expires))
    return tuple(waivers)


def _principle(node: Node, law: Constitution) -> Principle:
    id = read.text(node)
    names = [principle.id for principle in law.principles]
    if id not in names:
        raise node.place.error(f"no principle of this route is called '{id[:80]}'{read.did_you_mean(id, names)}")
    principle = law.principle(id)
    if principle.severity == "critical" and not principle.overridable:
        words = "is critical and cannot be waived, since its law does not say `overridable: true`"
        raise node.place.error(f"'{id}' {words}")
    return principle


def _overlaps(waivers: list[Waiver], principle: str, scope: tuple[Scope, ...]) -> bool:
    return any(waiver.principle == principle and set(waiver.scope) & set(scope) for waiver in waivers)


def end_of_day(node: Node) -> int:
    """The end, in seconds since 1970, of the day in UTC that is named."""
    text = read.text(node)
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise node.place.error(f"'{text[:40]}' is no day; write it as '2026-12-31'") from None
    return int(day.timestamp()) + _DAY


def _expires(node: Node) -> int:
    end, now = end_of_day(node), time.time()
    if end <= now:
        words = f"this waiver expired at the end of {read.text(node)}; remove it, or have its owner renew it"
        raise node.place.error(words)
    if end > now + (_LONGEST + 1) * _DAY:
        raise node.place.error(f"a waiver lasts {_LONGEST} days at most; what is to last longer belongs into the law")
    return end
