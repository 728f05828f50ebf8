"""Rules about laws that build on others."""

from collections.abc import Iterator
from typing import Final

from lawspeaker.constitution.rules.fault import Edit, Examine, ExamineLaw, Fault
from lawspeaker.constitution.schema import (
    ON_INCONCLUSIVE,
    ON_VIOLATION,
    OTHERWISE,
    SEVERITIES,
    Constitution,
    Principle,
)

_RANKED: Final = (
    ("severity", SEVERITIES),
    ("on_violation", ON_VIOLATION),
    ("otherwise", OTHERWISE),
    ("on_inconclusive", ON_INCONCLUSIVE),
)
_PLAIN: Final = ("text", "because", "severity", "on_violation", "otherwise", "on_inconclusive", "critique", "revision")


def restated(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """An extension states a field as the base has it. It changes nothing today, and hides tomorrow's change of the
    base. Remove it; `--fix` does where the field stands on one line.

    Fails:
        {extends: [base.yaml], principles: [{id: no-noise, severity: major}]}
    Passes:
        {extends: [base.yaml], principles: [{id: no-noise, severity: critical}]}
    """
    base = principle.base
    if base is None:
        return
    for field in principle.restated:
        if field in _PLAIN and field in base.places and getattr(base, field) == getattr(principle, field):
            place = principle.place(field)
            yield Fault(place, f"{field} is what the base says already", Edit(place, f"{field}:", whole=True))


def says_nothing(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """An extension names a principle of its base and changes nothing in it. Remove the entry, or say what it was for.

    Fails:
        {extends: [base.yaml], principles: [{id: no-noise}]}
    Passes:
        {extends: [base.yaml], principles: [{id: no-noise, severity: critical}]}
    """
    if principle.base is not None and not principle.restated:
        yield Fault(principle.place(), f"nothing of '{principle.id}' is changed here")


def loosened(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """The base left the principle open, and this extension makes it milder. That is allowed, and whoever approves it
    must see it: tighten it, or keep the fault as a reminder in review.

    Fails:
        {extends: [base.yaml], principles: [{id: no-noise, severity: minor, on_inconclusive: escalate}]}
    Passes:
        {extends: [base.yaml], principles: [{id: no-noise, severity: critical}]}
    """
    base = principle.base
    if base is None:
        return
    for field, order in _RANKED:
        before, after = getattr(base, field), getattr(principle, field)
        if field in principle.restated and order.index(after) < order.index(before):
            yield Fault(principle.place(field), f"{field} is {after}, milder than the base's {before}")


def critical_open(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """A critical principle is `overridable`: any extension may switch it off. Close it.

    Fails:
        {severity: critical, overridable: true}
    Passes:
        {severity: critical}
    """
    if principle.severity == "critical" and principle.overridable:
        yield Fault(principle.place("overridable"), f"any extension may loosen the critical principle '{principle.id}'")


def similar_ids(law: Constitution) -> Iterator[Fault]:
    """Two principles have ids that differ only in a plural or in the order of words. One may be a slip: an extension
    that misspells a base's id makes a new principle. Rename or remove one.

    Fails:
        {principles: [{id: no-shoutings, text: Answers must not whistle.}]}
    Passes:
        {principles: [{id: no-whistling, text: Answers must not whistle.}]}
    """
    known: dict[tuple[str, ...], str] = {}
    for principle in law.principles:
        words = tuple(sorted(word.rstrip("s") for word in principle.id.split("-")))
        first = known.setdefault(words, principle.id)
        if first != principle.id:
            yield Fault(principle.place(), f"'{principle.id}' is easily taken for '{first}'")


def name_of_base(law: Constitution) -> Iterator[Fault]:
    """A constitution has the name of one that it extends, so that records of the two look the same. Rename it.

    Fails:
        {name: base, extends: [base.yaml]}
    Passes:
        {name: house, extends: [base.yaml]}
    """
    if law.name in law.bases:
        yield Fault(law.place(), f"'{law.name}' is the name of what it extends")


RULES: Final[tuple[Examine, ...]] = (restated, says_nothing, loosened, critical_open)
LAW_RULES: Final[tuple[ExamineLaw, ...]] = (similar_ids, name_of_base)
