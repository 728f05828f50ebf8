"""What a constitution is: principles, their cases and their checks, and the digests that name them.

Everything here is a value; `load` makes it from files. Two digests exist because they answer two questions:
which law was this (`Constitution.digest`), and what acted under it (`behaviour_digest`). Cases are not law:
they test it, and a new test must not look like a new rule.
"""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Final, Literal

import msgspec

from lawspeaker.constitution.kinds import UNSTATED, Check, Needs, needs_of
from lawspeaker.constitution.source import Place
from lawspeaker.digest import digest
from lawspeaker.errors import LawspeakerError, boundary
from lawspeaker.exchange import Exchange, Scope
from lawspeaker.finding import Outcome

LAW_TAG: Final = "lawspeaker/law/v1"

Severity = Literal["critical", "major", "minor"]
OnViolation = Literal["note", "redact", "revise", "escalate", "refuse"]
Otherwise = Literal["escalate", "refuse"]
OnInconclusive = Literal["note", "escalate", "refuse"]
CaseDecision = Literal["release", "escalate", "refuse"]

# Each from the mildest to the strictest: an extension may only move to the right.
SEVERITIES: Final[tuple[Severity, ...]] = ("minor", "major", "critical")
ON_VIOLATION: Final[tuple[OnViolation, ...]] = ("note", "redact", "revise", "escalate", "refuse")
OTHERWISE: Final[tuple[Otherwise, ...]] = ("escalate", "refuse")
ON_INCONCLUSIVE: Final[tuple[OnInconclusive, ...]] = ("note", "escalate", "refuse")
DECISIONS: Final[tuple[CaseDecision, ...]] = ("release", "escalate", "refuse")
OUTCOMES: Final[tuple[Outcome, ...]] = ("upheld", "violated", "inconclusive", "not_applicable")

DEFAULT_SCOPE: Final[tuple[Scope, ...]] = ("answer", "tool_call")
NOWHERE: Final = Place("", 0, 0)


class Case(msgspec.Struct, frozen=True):
    """An example of one principle and the outcome that it must have. `decision` is what the whole law then
    decides, where the author says so; `borderline` marks what reasonable people could see differently."""

    name: str
    exchange: Exchange
    expect: Outcome
    decision: CaseDecision | None = None
    borderline: bool = False
    place: Place = NOWHERE


class CheckSpec(msgspec.Struct, frozen=True, dict=True):
    """A check as a principle names it (`kind`, `settings` as plain data) and as its kind prepared it."""

    kind: str
    settings: object
    check: Check
    version: str
    place: Place = NOWHERE

    @cached_property
    def digest(self) -> str:
        """Names what the check does: its kind, the version of that, and its settings."""
        return digest("lawspeaker/check/v1", [self.kind, self.version, self.settings])

    @cached_property
    def needs(self) -> Needs:
        """What the check says that it needs; everything, where it fails to say."""
        try:
            with boundary(f"the check '{self.kind}'"):
                return needs_of(self.check)
        except LawspeakerError:
            return UNSTATED


class Principle(msgspec.Struct, frozen=True):
    """One rule. `otherwise` and `on_inconclusive` default by severity; `load` does that, see `defaults`.

    `places` says where each field that somebody stated stands. In an extension, `base` is the principle as it was
    before, and `restated` names the fields that the extension states again.
    """

    id: str
    text: str
    severity: Severity
    because: str = ""
    on_violation: OnViolation = "revise"
    otherwise: Otherwise = "escalate"
    on_inconclusive: OnInconclusive = "escalate"
    applies_to: tuple[Scope, ...] = DEFAULT_SCOPE
    critique: str = ""
    revision: str = ""
    checks: tuple[CheckSpec, ...] = ()
    maps_to: tuple[str, ...] = ()
    cases: tuple[Case, ...] = ()
    overridable: bool = False
    places: Mapping[str, Place] = {}
    base: "Principle | None" = None
    restated: tuple[str, ...] = ()

    def place(self, field: str = "id") -> Place:
        """Where `field` was stated; the principle's own place for one that is a default."""
        return self.places.get(field) or self.places.get("id") or NOWHERE

    @property
    def last_resort(self) -> Literal["note", "escalate", "refuse"]:
        """What is done with a violation that stays, after all that revising and redacting could do."""
        if self.on_violation in {"revise", "redact"}:
            return self.otherwise
        return "note" if self.on_violation == "note" else "refuse" if self.on_violation == "refuse" else "escalate"

    def law(self) -> dict[str, object]:
        """What is normative, as plain data: everything but cases, places and history."""
        apart = {"cases", "places", "base", "restated"}
        stated = {name: getattr(self, name) for name in self.__struct_fields__ if name not in apart}
        return {**stated, "checks": [{check.kind: check.settings} for check in self.checks]}


# Cached, since every record names the digest; a value that cannot change cannot outdate it.
class Constitution(msgspec.Struct, frozen=True, dict=True):
    """A named, versioned, ordered set of principles: composed, with every default filled in. `places` says where each
    field of its file stands, `bases` names what it extends."""

    name: str
    version: str
    principles: tuple[Principle, ...]
    summary: str = ""
    places: Mapping[str, Place] = {}
    bases: tuple[str, ...] = ()

    def place(self, field: str = "name") -> Place:
        """Where `field` stands; the law's name for one that nobody stated."""
        return self.places.get(field) or self.places.get("name") or NOWHERE

    @cached_property
    def digest(self) -> str:
        """Names the law: the same for every way of writing it, another for any change of its demands."""
        return digest(LAW_TAG, self.law())

    def law(self) -> dict[str, object]:
        """What the digest is taken over, as plain data."""
        head = {"name": self.name, "version": self.version, "summary": self.summary}
        return {**head, "principles": [principle.law() for principle in self.principles]}

    def principle(self, id: str) -> Principle:
        """The principle called `id`. Raises `KeyError`."""
        for principle in self.principles:
            if principle.id == id:
                return principle
        raise KeyError(id)


def by_severity(principles: Iterable[Principle]) -> list[Principle]:
    """The gravest first; within a severity, in the order of the law."""
    return sorted(principles, key=lambda principle: -SEVERITIES.index(principle.severity))


def defaults(severity: Severity) -> tuple[Otherwise, OnInconclusive]:
    """`otherwise` and `on_inconclusive` of a principle that states neither."""
    return "refuse" if severity == "critical" else "escalate", "note" if severity == "minor" else "escalate"


def behaviour_digest(constitution: Constitution, *, prompts: Mapping[str, str], models: Mapping[str, str]) -> str:
    """Names what acted: the law, its checks' versions, and the digests of prompt templates and models."""
    checks = {check.kind: check.version for principle in constitution.principles for check in principle.checks}
    parts = {"law": constitution.digest, "checks": checks, "prompts": dict(prompts), "models": dict(models)}
    return digest("lawspeaker/behaviour/v1", parts)
