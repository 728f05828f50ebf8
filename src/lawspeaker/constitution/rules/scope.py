"""Rules about what a principle applies to."""

from collections.abc import Iterator
from typing import Final

from lawspeaker.constitution.rules.fault import Examine, Fault
from lawspeaker.constitution.schema import Constitution, Principle

_NOT_OURS: Final = ("request", "tool_result")


def foreign_text_revised(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """A principle applies to what others wrote (`request`, `tool_result`), which no model can revise or
    redact: its violations there always fall to `otherwise`. Give that scope a principle of its own that
    escalates or refuses."""
    foreign = [scope for scope in principle.applies_to if scope in _NOT_OURS]
    if foreign and principle.on_violation in {"revise", "redact"}:
        what = f"a {foreign[0]} cannot be changed, so on_violation: {principle.on_violation} never helps there"
        yield Fault(principle.place("applies_to"), what)


def tool_calls_left_out(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """A critical principle covers what the assistant says but not what it does: the same text in a tool
    call passes. Add `tool_call` to `applies_to`."""
    if (
        principle.severity == "critical"
        and "answer" in principle.applies_to
        and "tool_call" not in principle.applies_to
    ):
        what = f"the critical principle '{principle.id}' covers answers but not tool calls"
        yield Fault(principle.place("applies_to"), what)


RULES: Final[tuple[Examine, ...]] = (foreign_text_revised, tool_calls_left_out)
