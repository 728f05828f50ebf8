"""What follows from findings: pure, no I/O, replayable from a record."""

from collections.abc import Iterable, Sequence
from typing import Final, Literal

import msgspec

from lawspeaker.constitution.schema import Constitution, Principle
from lawspeaker.finding import Finding, Outcome, by_principle

Action = Literal["release", "escalate", "refuse"]
_SOUND: Final = frozenset({"upheld", "not_applicable"})


class Decision(msgspec.Struct, frozen=True):
    """What is done with an answer, and the ids of the principles that caused it (none for a plain release)."""

    action: Action
    because: tuple[str, ...] = ()


def decide(findings: Sequence[Finding], constitution: Constitution) -> Decision:
    """The decision on an exchange as it stands, after all that revising and redacting could do.

    Principles combine by maximum on release < escalate < refuse. A principle of the law that no finding speaks of was
    not judged and counts as inconclusive: silence never releases.
    """
    outcomes = by_principle(findings)
    actions = {
        principle.id: _action(principle, outcome)
        for principle in constitution.principles
        if (outcome := outcomes.get(principle.id, "inconclusive")) not in _SOUND
    }
    worst = severest(actions.values())
    if worst == "release":
        return Decision("release")
    return Decision(worst, tuple(id for id, action in actions.items() if action == worst))


def severest(actions: Iterable[Action]) -> Action:
    """The maximum on release < escalate < refuse; release for none."""
    seen = set(actions)
    return "refuse" if "refuse" in seen else "escalate" if "escalate" in seen else "release"


def _action(principle: Principle, outcome: Outcome) -> Action:
    """What a principle wants that is not upheld."""
    done = principle.last_resort if outcome == "violated" else principle.on_inconclusive
    return "release" if done == "note" else done
