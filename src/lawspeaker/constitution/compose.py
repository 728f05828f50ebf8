"""Composition: an extension adds and tightens, and nothing else.

Who builds on another's law must not weaken it in passing. So an extension may add principles, checks,
cases, scope and crosswalk ids, and raise severity or action; a field that it states again must contain what
the base states. Anything else is an error at the place that takes something away, unless the base marks the
principle `overridable: true`: then a field that is stated replaces the base's (cases are still added).
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import msgspec

from lawspeaker.constitution.clause import Clause, Kinds
from lawspeaker.constitution.schema import (
    NOWHERE,
    ON_INCONCLUSIVE,
    ON_VIOLATION,
    OTHERWISE,
    SEVERITIES,
    Case,
    CheckSpec,
    Constitution,
    Principle,
)
from lawspeaker.constitution.source import Place
from lawspeaker.errors import boundary

Clauses = dict[str, Clause]


class _Loss(msgspec.Struct, frozen=True):
    """What an extension takes away, and where where that is not the field as a whole."""

    what: str
    place: Place | None = None


# From what the base holds and what is stated again: the composed value, and what is lost by it.
_Rule = Callable[[Any, Any], tuple[Any, _Loss | None]]


def merge(ours: Clauses, theirs: Clauses) -> Clauses:
    """Two bases of one extension. A principle may come from both (a diamond) only if both say the same."""
    merged = dict(ours)
    for id, clause in theirs.items():
        if id in merged and (clash := _differs(merged[id].principle(), clause.principle())):
            raise clause.place.error(clash)
        merged[id] = _with_cases(merged[id], clause.stated.get("cases", ())) if id in merged else clause
    return merged


def extend(base: Clauses, extension: Sequence[Clause], kinds: Kinds) -> Clauses:
    """`base` with what `extension` adds; base principles keep their places in the order."""
    composed = dict(base)
    for clause in extension:
        composed[clause.id] = _extended(base[clause.id], clause, kinds) if clause.id in base else clause
    return composed


def combine(constitutions: Sequence[Constitution]) -> Constitution:
    """One law out of several that hold together. The same principle may be in more than one if they agree
    on it.

    Raises `ConstitutionError` where two differ, and `ValueError` for none.
    """
    if not constitutions:
        raise ValueError("no constitution to combine")
    if len(constitutions) == 1:
        return constitutions[0]
    principles: dict[str, Principle] = {}
    for principle in (principle for constitution in constitutions for principle in constitution.principles):
        known = principles.get(principle.id)
        if known is not None and (clash := _differs(known, principle)):
            raise principle.place().error(clash)
        principles[principle.id] = known or principle
    return Constitution(
        "+".join(constitution.name for constitution in constitutions),
        "+".join(constitution.version for constitution in constitutions),
        tuple(principles.values()),
        " ".join(constitution.summary for constitution in constitutions if constitution.summary),
    )


def _differs(one: Principle, other: Principle) -> str | None:
    if one.law() == other.law():
        return None
    return f"principle '{one.id}' is already defined, differently, at {one.place()}; rename one of them"


def _extended(base: Clause, clause: Clause, kinds: Kinds) -> Clause:
    """`base` with what `clause` states again."""
    effective = base.principle()
    rules: Mapping[str, _Rule] = {**_RULES, "checks": partial(_checks, kinds)}
    stated, places = dict(base.stated), dict(base.places)
    for field in clause.stated.keys() - {"id", "cases"}:
        value, place = clause.stated[field], clause.places[field]
        composed, loss = rules[field](getattr(effective, field), value)
        if loss and not effective.overridable:
            raise (loss.place or place).error(
                f"{field} of '{base.id}': {loss.what}; the base ({base.place}) forbids that"
            )
        stated[field], places[field] = value if loss else composed, place
    restated = tuple(field for field in clause.stated if field != "id")
    extended = Clause(base.id, stated, places, effective, restated)
    _keeps_last_resort(effective, extended.principle(), clause.places.get("on_violation", clause.place), base.place)
    return _with_cases(extended, clause.stated.get("cases", ()))


def _keeps_last_resort(old: Principle, new: Principle, place: Place, base: Place) -> None:
    """`escalate` is more than `revise`, and yet less than a revision that is refused when it does not help."""
    if ON_INCONCLUSIVE.index(new.last_resort) < ON_INCONCLUSIVE.index(old.last_resort) and not old.overridable:
        raise place.error(
            f"on_violation of '{old.id}': a violation that stays would '{new.last_resort}', where the base "
            f"({base}) would '{old.last_resort}'; state 'on_violation: {old.last_resort}'"
        )


def _with_cases(clause: Clause, cases: Sequence[Case]) -> Clause:
    """`clause` with more cases. A name may come again only with the very same case."""
    known: dict[str, Case] = {case.name: case for case in clause.stated.get("cases", ())}
    for case in cases:
        if case.name in known and _without_place(case) != _without_place(known[case.name]):
            raise case.place.error(f"another case of '{clause.id}' is called that already ({known[case.name].place})")
        known.setdefault(case.name, case)
    return msgspec.structs.replace(clause, stated={**clause.stated, "cases": tuple(known.values())})


def _without_place(case: Case) -> Case:
    return msgspec.structs.replace(case, place=NOWHERE)


def _ranked(order: Sequence[str], old: str, new: str) -> tuple[str, _Loss | None]:
    return new, _Loss(f"'{new}' is less than '{old}'") if order.index(new) < order.index(old) else None


def _unchanged(old: object, new: object) -> tuple[object, _Loss | None]:
    return new, _Loss("another text than the base's") if new != old else None


def _wider(old: Sequence[str], new: Sequence[str]) -> tuple[Sequence[str], _Loss | None]:
    gone = [scope for scope in old if scope not in new]
    return new, _Loss(f"leaves out {', '.join(gone)}") if gone else None


def _joined(old: Sequence[str], new: Sequence[str]) -> tuple[tuple[str, ...], _Loss | None]:
    return tuple(dict.fromkeys((*old, *new))), None


def _closed(old: bool, new: bool) -> tuple[bool, _Loss | None]:
    return new, _Loss("only the base can open a principle") if new and not old else None


def _checks(
    kinds: Kinds, old: Sequence[CheckSpec], new: Sequence[CheckSpec]
) -> tuple[tuple[CheckSpec, ...], _Loss | None]:
    """The base's checks and the extension's. A check whose kind the base has too takes the place of one
    that it does not loosen; its kind decides what loosens."""
    composed = list(old)
    for spec in new:
        losses = {at: _loosened(kinds, known, spec) for at, known in enumerate(old) if known.kind == spec.kind}
        kept = [at for at, loss in losses.items() if loss is None]
        if losses and not kept:
            return tuple(composed), _Loss(f"{spec.kind} {next(iter(losses.values()))}", spec.place)
        if not losses and old and _overrules(kinds, spec):
            what = f"{spec.kind} could decide what the base's checks leave undecided"
            return tuple(composed), _Loss(what, spec.place)
        if kept:
            composed[kept[0]] = spec
        else:
            composed.append(spec)
    return tuple(composed), None


def _overrules(kinds: Kinds, spec: CheckSpec) -> bool:
    with boundary(f"check kind '{spec.kind}'"):
        return kinds[spec.kind].overrules(spec.settings)


def _loosened(kinds: Kinds, base: CheckSpec, extended: CheckSpec) -> str | None:
    with boundary(f"check kind '{base.kind}'"):
        return kinds[base.kind].loosened(base.settings, extended.settings)


_RULES: Final[Mapping[str, _Rule]] = {
    "text": _unchanged,
    "because": _unchanged,
    "critique": _unchanged,
    "revision": _unchanged,
    "severity": partial(_ranked, SEVERITIES),
    "on_violation": partial(_ranked, ON_VIOLATION),
    "otherwise": partial(_ranked, OTHERWISE),
    "on_inconclusive": partial(_ranked, ON_INCONCLUSIVE),
    "applies_to": _wider,
    "maps_to": _joined,
    "overridable": _closed,
}
