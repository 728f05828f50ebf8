"""How each principle is enforced on a stream: planned before the first request, from what its checks say they need.

Text flows once no check can object to it any more. A tool call is held to the answer's end in any case, since its
arguments mean what they decode to, and that is known at their end.
"""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from lawspeaker.checks.judge import Judge
from lawspeaker.checks.processes.task import Task, task
from lawspeaker.checks.sieve import Sieve
from lawspeaker.constitution.kinds import Check, Needs, Undecided, needs_of
from lawspeaker.constitution.schema import Constitution, Principle
from lawspeaker.errors import boundary
from lawspeaker.exchange import Scope

# - before: it speaks of the request, which is judged before the answer begins.
# - window: text flows as far as its checks have decided it.
# - end: it is decided at the end, and what it speaks of has not left by then, or it never decides.
# - hold: nothing may leave before its verdict.
Mode = Literal["before", "window", "end", "hold"]
_FLOWING: Final[frozenset[Scope]] = frozenset({"answer"})
_OF_ANSWER: Final[frozenset[Scope]] = frozenset({"answer", "reasoning", "tool_call"})


class Planned(msgspec.Struct, frozen=True):
    """How one principle is enforced on a stream, and in a few words why so. In a window, `longest` is the longest
    match of its checks that may be undecided (None: there is no bound), and `leak` how many characters of one may
    leave before it is known."""

    principle: str
    mode: Mode
    why: str
    longest: int | None = 0
    leak: int = 0


class Watch(msgspec.Struct, frozen=True):
    """One check that is asked while the text flows."""

    principle: Principle
    task: Task


class StreamPlan(msgspec.Struct, frozen=True):
    """How a law is enforced on a stream of which at most `retain` characters are kept back (None: as many as are
    undecided)."""

    principles: tuple[Planned, ...]
    watches: tuple[Watch, ...]
    sieve: Sieve
    retain: int | None = None

    @property
    def held(self) -> tuple[Planned, ...]:
        """The principles that let nothing flow."""
        return tuple(each for each in self.principles if each.mode == "hold")


def plan_stream(law: Constitution, retain: int | None = None) -> StreamPlan:
    """The plan for a stream under `law`."""
    planned = tuple(_planned(principle, retain) for principle in law.principles)
    watches = tuple(
        Watch(principle, task(spec, principle, _FLOWING))
        for principle, how in zip(law.principles, planned, strict=True)
        if how.mode == "window"
        for spec in principle.checks
    )
    sieve = Sieve([watch.task.check for watch in watches])
    with boundary("a check that tells what it has decided"):
        sieve.undecided("")  # whatever is made once is made before the first request
    return StreamPlan(planned, watches, sieve, retain)


def _planned(principle: Principle, retain: int | None) -> Planned:
    scopes = _OF_ANSWER.intersection(principle.applies_to)
    if not scopes:
        return Planned(principle.id, "before", "is judged before the answer begins")
    if principle.on_violation == "revise":
        return Planned(principle.id, "hold", "is revised, which takes all of the answer")
    noted = principle.on_violation == "note" and principle.on_inconclusive == "note"
    if noted or "answer" not in scopes:
        return Planned(principle.id, "end", "is only noted" if noted else "speaks of what is held to the end")
    return _flowing(principle, retain)


def _flowing(principle: Principle, retain: int | None) -> Planned:
    """How a principle is enforced that decides on words which flow."""
    needs = [needs_of(spec.check) for spec in principle.checks]
    whole = [spec.kind for spec, each in zip(principle.checks, needs, strict=True) if _takes_all(spec.check, each)]
    if whole or not needs:
        what = f"its check '{whole[0]}' takes all of the answer" if whole else "has no check"
        return Planned(principle.id, "hold", what)
    longest = _longest(needs)
    if retain is not None and longest is None:
        why = f"has no longest match, so what leaves with {retain} characters retained has no bound"
        return Planned(principle.id, "hold", why, None)
    leak = 0 if retain is None or longest is None else max(0, longest - retain)
    return Planned(principle.id, "window", "is decided as the text comes", longest, leak)


def _takes_all(check: Check, needs: Needs) -> bool:
    if isinstance(check, Judge) or needs.extent == "whole" or needs.cost == "heavy":
        return True
    return needs.extent == "open" and not isinstance(check, Undecided)


def _longest(needs: Sequence[Needs]) -> int | None:
    if any(each.extent == "open" for each in needs):
        return None
    return max(each.window if each.extent == "window" else 0 for each in needs)
