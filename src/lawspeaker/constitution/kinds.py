"""What the law knows of evidence: interfaces, no check of its own.

A constitution names checks by kind. Which kinds exist is given to `load()`; the built-in ones are in
`lawspeaker.checks.registry`.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Literal, Protocol, runtime_checkable

import msgspec

from lawspeaker.exchange import SCOPES, Exchange, Scope
from lawspeaker.finding import Finding


class SettingsError(ValueError):
    """Settings that a check kind cannot use. `path` leads to the wrong value inside the settings."""

    def __init__(self, what: str, path: tuple[str | int, ...] = ()) -> None:
        super().__init__(what)
        self.path = path


class Needs(msgspec.Struct, frozen=True):
    """How much of a text a check must have before it can judge, what it reads, and what it may cost.

    - `whole`: any later character may change what is found, so nothing is decided before the end.
    - `window`: what it finds lies within `window` characters, as they stand: a disguise may be spread over any
      length. A text that arrives in pieces is decided up to `window` characters before what has arrived, or where the
      check tells (`undecided`).
    - `open`: what it finds may be of any length, and the check tells where it may be under way.
    - `incremental`: a character is found when it arrives, and nothing later takes that back.

    It is given the parts that are among `reads`, and no others.

    `heavy` is a check whose time depends on more than the length of the text (a parser, a model), so it runs where it
    can be ended from outside. A `light` one may run where it holds everything else up, so it is not one to wait in.
    A heavy one is as good as light on texts of up to `small` characters: whatever they are, they cost little.
    """

    extent: Literal["whole", "window", "open", "incremental"]
    window: int = 0
    cost: Literal["light", "heavy"] = "light"
    reads: tuple[Scope, ...] = SCOPES
    small: int = 0

    def light_on(self, characters: int) -> bool:
        """Whether it is light on an exchange whose parts have so many characters together."""
        return self.cost == "light" or characters <= self.small


# What holds of a check that does not say, or says what cannot be meant.
UNSTATED: Final = Needs("whole", cost="heavy")


def needs_of(check: "Check") -> Needs:
    """What `check` needs, as its attribute `needs` says."""
    needs = getattr(check, "needs", UNSTATED)
    return needs if isinstance(needs, Needs) and _can_be_meant(needs) else UNSTATED


def _can_be_meant(needs: Needs) -> bool:
    """A window of no width would let all of a text leave undecided, and a check that reads nothing that there is would
    never be asked."""
    return (needs.extent != "window" or needs.window > 0) and bool(needs.reads) and {*needs.reads} <= {*SCOPES}


@runtime_checkable
class Undecided(Protocol):
    """A check that tells how much of a text it has decided before the text is complete."""

    def undecided(self, text: str) -> int:
        """From which place of `text` on, if it goes on, what is found may still be another than it is now."""
        ...

    def clear(self, text: str) -> bool:
        """Whether a look is enough to say that `examine` finds nothing in `text`, where it has no other form."""
        ...


def undecided(check: "Check", text: str) -> int:
    """The same for any check."""
    if isinstance(check, Undecided):
        return check.undecided(text)
    needs = needs_of(check)
    if needs.extent == "incremental":
        return len(text)
    return max(0, len(text) - needs.window) if needs.extent == "window" else 0


class Check(Protocol):
    """One check as one principle configured it.

    It says by an attribute `needs` what it needs; one that does not needs everything (`UNSTATED`).
    """

    def examine(self, exchange: Exchange, scopes: frozenset[Scope]) -> Sequence[Finding]:
        """Findings on the segments of `exchange` within `scopes`.

        Pure: no I/O, no clock, no state that outlives the call. At least one finding; `not_applicable`
        where there is nothing that the check can read. Any exception counts as inconclusive.
        """
        ...


class CheckKind(Protocol):
    """A kind of check, as a constitution names it."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str:
        """Changes whenever the same exchange may get another outcome; part of the behaviour digest."""
        ...

    @property
    def schema(self) -> Mapping[str, object]:
        """JSON Schema (2020-12) of this kind's settings, for editors."""
        ...

    def prepare(self, settings: object, principle: str) -> Check:
        """The check for `principle` (an id). `settings` is plain data (str, int, bool, None, list, dict
        with string keys). Raises `SettingsError`."""
        ...

    def overrules(self, settings: object) -> bool:
        """Whether the outcome of such a check may stand in place of other checks' inconclusive ones."""
        ...

    def loosened(self, base: object, extended: object) -> str | None:
        """What `extended` settings take away from `base` in one sentence, or None where they only add. Both
        are settings of this kind in the same principle."""
        ...
