"""What changed between two laws: not in their text, but in what they demand.

Each change says whether it tightens or loosens. Where neither can be shown (another wording of a rule, another question
to the judge) the effect is `unclear`, and counts as loosening: who relies on a law must look at it. From the effects
follows the semantic version: loosened, unclear or renamed is major, tightened is minor, anything else a patch; below
1.0.0, as usual, major means minor and the rest a patch.
"""

from collections.abc import Iterator, Sequence
from typing import Final, Literal

import msgspec

from lawspeaker.constitution.clause import Kinds
from lawspeaker.constitution.schema import (
    NOWHERE,
    ON_INCONCLUSIVE,
    ON_VIOLATION,
    SEVERITIES,
    CheckSpec,
    Constitution,
    Principle,
)
from lawspeaker.errors import boundary

Effect = Literal["tightens", "loosens", "unclear", "neutral"]
Bump = Literal["none", "patch", "minor", "major"]
BUMPS: Final[tuple[Bump, ...]] = ("none", "patch", "minor", "major")
_BUMP_OF: Final[dict[Effect, Bump]] = {
    "neutral": "patch",
    "tightens": "minor",
    "unclear": "major",
    "loosens": "major",
}


class Change(msgspec.Struct, frozen=True):
    """One difference. `principle` is empty for the law's own head, `field` for a principle as a whole; `breaks` says
    that an id went away which extensions may name."""

    principle: str
    field: str
    effect: Effect
    what: str
    breaks: bool = False

    @property
    def bump(self) -> Bump:
        return "major" if self.breaks else _BUMP_OF[self.effect]


class LawDiff(msgspec.Struct, frozen=True):
    """All changes, the strongest effect (none: `neutral`), the part of the version that must grow, the version that
    follows from it, and whether the new law's own version is at least that."""

    changes: tuple[Change, ...]
    effect: Effect
    bump: Bump
    version: str
    follows: bool


def diff(old: Constitution, new: Constitution, *, kinds: Kinds) -> LawDiff:
    """What `new` demands that `old` did not, and the other way round."""
    changes = tuple(_changes(old, new, kinds))
    effects = {change.effect for change in changes}
    order: tuple[Effect, ...] = ("loosens", "unclear", "tightens")
    bump: Bump = BUMPS[max((BUMPS.index(change.bump) for change in changes), default=0)]
    version = next_version(old.version, bump)
    return LawDiff(
        changes,
        next((effect for effect in order if effect in effects), "neutral"),
        bump,
        version,
        precedence(new.version) >= precedence(version),
    )


def next_version(version: str, bump: Bump) -> str:
    """The semantic version after `version`. A prerelease becomes its release where that is enough."""
    core, _, prerelease = version.partition("+")[0].partition("-")
    major, minor, patch = (int(part) for part in core.split("."))
    if bump == "none":
        return version
    if prerelease and (
        bump == "patch" or (bump == "minor" and not patch) or (bump == "major" and not patch and not minor)
    ):
        return core
    if bump == "major" and major:
        return f"{major + 1}.0.0"
    if (bump == "minor" and major) or bump == "major":
        return f"{major}.{minor + 1}.0"
    return f"{major}.{minor}.{patch + 1}"


def precedence(version: str) -> tuple[tuple[int, int, int], bool, tuple[tuple[bool, int, str], ...]]:
    """A key that orders semantic versions (2.0.0, section 11)."""
    core, _, prerelease = version.partition("+")[0].partition("-")
    major, minor, patch = (int(part) for part in core.split("."))
    parts = prerelease.split(".") if prerelease else []
    identifiers = tuple((not p.isdigit(), int(p) if p.isdigit() else 0, "" if p.isdigit() else p) for p in parts)
    return (major, minor, patch), not prerelease, identifiers


def _changes(old: Constitution, new: Constitution, kinds: Kinds) -> Iterator[Change]:
    for field in ("name", "summary"):
        before, after = getattr(old, field), getattr(new, field)
        if before != after:
            yield Change("", field, "neutral", f"{field} is '{after}', was '{before}'")
    gone = {principle.id: principle for principle in old.principles}
    come = {principle.id: principle for principle in new.principles}
    kept = [id for id in gone if id in come]
    renamed = {before: after for before in gone for after in come if _same_but_id(before, after, gone, come)}
    for id, principle in gone.items():
        if id in renamed:
            yield Change(id, "id", "neutral", f"is called '{renamed[id]}' now", breaks=True)
        elif id not in come:
            yield Change(id, "", "loosens", f"is gone ({principle.severity}): {principle.text}", breaks=True)
        else:
            yield from principle_changes(principle, come[id], kinds)
    for id, principle in come.items():
        if id not in gone and id not in renamed.values():
            yield Change(id, "", "tightens", f"is new ({principle.severity}): {principle.text}")
    if kept != [id for id in come if id in gone]:
        yield Change("", "order", "neutral", "the principles stand in another order")


def _same_but_id(before: str, after: str, gone: dict[str, Principle], come: dict[str, Principle]) -> bool:
    if before in come or after in gone:
        return False
    return {**gone[before].law(), "id": ""} == {**come[after].law(), "id": ""}


def principle_changes(old: Principle, new: Principle, kinds: Kinds) -> Iterator[Change]:
    """What changed in one principle."""

    def change(field: str, effect: Effect, what: str) -> Change:
        return Change(new.id, field, effect, what)

    if old.text != new.text:
        yield change("text", "unclear", f"says '{new.text}', said '{old.text}'")
    yield from _ranks(old, new)
    yield from _action(old, new)
    for scope in new.applies_to:
        if scope not in old.applies_to:
            yield change("applies_to", "tightens", f"applies to {scope} too")
    for scope in old.applies_to:
        if scope not in new.applies_to:
            yield change("applies_to", "loosens", f"no longer applies to {scope}")
    yield from (change("checks", effect, what) for effect, what in _checks(old.checks, new.checks, kinds))
    if old.overridable != new.overridable:
        yield (
            change("overridable", "loosens", "extensions may loosen it now")
            if new.overridable
            else change("overridable", "tightens", "extensions may no longer loosen it")
        )
    for field in ("because", "critique", "revision"):
        if getattr(old, field) != getattr(new, field):
            yield change(field, "neutral", f"{field} is worded anew")
    yield from (change("maps_to", "neutral", what) for what in _listed("id", old.maps_to, new.maps_to))
    cases = [{msgspec.structs.replace(case, place=NOWHERE) for case in each.cases} for each in (old, new)]
    yield from (
        change("cases", "neutral", f"{len(some)} of its cases {what}")
        for some, what in ((cases[1] - cases[0], "are new"), (cases[0] - cases[1], "are gone"))
        if some
    )


def _listed(thing: str, old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    if added := [item for item in new if item not in old]:
        yield f"{thing}s added: {', '.join(added)}"
    if dropped := [item for item in old if item not in new]:
        yield f"{thing}s dropped: {', '.join(dropped)}"


def _ranks(old: Principle, new: Principle) -> Iterator[Change]:
    ranked: tuple[tuple[str, Sequence[str]], ...] = (("severity", SEVERITIES), ("on_inconclusive", ON_INCONCLUSIVE))
    for field, order in ranked:
        before, after = getattr(old, field), getattr(new, field)
        if before != after:
            effect: Effect = "tightens" if order.index(after) > order.index(before) else "loosens"
            yield Change(new.id, field, effect, f"{field} is {after}, was {before}")


def _action(old: Principle, new: Principle) -> Iterator[Change]:
    """`on_violation` and `otherwise` together: `escalate` is more than `revise`, and less than a revision that is
    refused when it does not help."""
    steps = [ON_VIOLATION.index(each.on_violation) for each in (old, new)]
    last = [ON_INCONCLUSIVE.index(each.last_resort) for each in (old, new)]
    if old.on_violation != new.on_violation:
        up, down = steps[1] > steps[0], last[1] < last[0]
        effect: Effect = "tightens" if up else "loosens"
        if up == down or (not up and last[1] > last[0]):
            effect = "unclear"
        what = f"a violation means {_said(new)}, meant {_said(old)}"
        yield Change(new.id, "on_violation", effect, what)
    elif old.otherwise != new.otherwise:
        effect = "neutral" if last[0] == last[1] else "tightens" if last[1] > last[0] else "loosens"
        yield Change(new.id, "otherwise", effect, f"otherwise is {new.otherwise}, was {old.otherwise}")


def _said(principle: Principle) -> str:
    if principle.on_violation in {"revise", "redact"}:
        return f"{principle.on_violation}, otherwise {principle.otherwise}"
    return principle.on_violation


def _checks(old: Sequence[CheckSpec], new: Sequence[CheckSpec], kinds: Kinds) -> Iterator[tuple[Effect, str]]:
    """Equal checks pair first, then those of one kind in their order."""
    left = [spec for spec in new if not any(_equal(spec, before) for before in old)]
    for before in (spec for spec in old if not any(_equal(spec, after) for after in new)):
        after = next((spec for spec in left if spec.kind == before.kind), None)
        if after is None:
            yield "loosens", f"the check {before.kind} is gone"
            continue
        left.remove(after)
        with boundary(f"check kind '{before.kind}'"):
            kind = kinds[before.kind]
            lost = kind.loosened(before.settings, after.settings)
            gained = kind.loosened(after.settings, before.settings)
        if lost is None:
            yield (
                ("neutral", f"{before.kind} is worded anew")
                if gained is None
                else (
                    "tightens",
                    f"{before.kind} looks for more",
                )
            )
        else:
            yield ("unclear" if gained else "loosens"), f"{before.kind} {lost}"
    for spec in left:
        with boundary(f"check kind '{spec.kind}'"):
            decides = not old or kinds[spec.kind].overrules(spec.settings)
        if decides:
            yield "unclear", f"a new check {spec.kind} decides what was left undecided"
        else:
            yield "tightens", f"a new check {spec.kind}"


def _equal(one: CheckSpec, other: CheckSpec) -> bool:
    return (one.kind, one.settings) == (other.kind, other.settings)
