"""Comparison of two answers by one principle: a soft preference (Bai et al. 2022, section 4.1).

Judges favour a position whatever stands in it, so both orders are always asked and averaged, and the difference
between them is kept as `bias`. A critic may be asked to think first (`reasoned_prompt_of`, then
`verdict_prompt_of`); what it says after that is nearly certain whether it is right or not, so such probabilities are
clamped.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from lawspeaker.constitution.schema import Principle
from lawspeaker.deliberation.render import request_text
from lawspeaker.errors import ModelError
from lawspeaker.exchange import Exchange, Message, Text
from lawspeaker.models.base import Model
from lawspeaker.prompt import load_template

TEMPLATE: Final = load_template("lawspeaker.deliberation", "comparison")
REASONED: Final = load_template("lawspeaker.deliberation", "reasoned_comparison")
VERDICT: Final = load_template("lawspeaker.deliberation", "verdict")
OPTIONS: Final = ("(A)", "(B)")
CLAMP: Final = (0.4, 0.6)
"""The published bounds for probabilities after reasoning."""


def clamped(odds: float, clamp: tuple[float, float] = CLAMP) -> float:
    """`odds` within the bounds."""
    return min(max(odds, clamp[0]), clamp[1])


class Preference(msgspec.Struct, frozen=True):
    """P(the answer shown first is better), with a shown first and with b shown first."""

    principle: str
    a_first: float
    b_first: float
    model: str

    @property
    def a_better(self) -> float:
        """P(a is better) from 0 to 1, averaged over both orders."""
        return (self.a_first + 1 - self.b_first) / 2

    @property
    def bias(self) -> float:
        """P(first shown) averaged, 0.5 for none."""
        return (self.a_first + self.b_first) / 2


async def compare(
    exchange: Exchange, a: str, b: str, principle: Principle, *, critic: Model, examples: Sequence[Message] = ()
) -> Preference:
    """Which of the answers `a` and `b` to the exchange's request upholds `principle` better. `examples` are turns of
    the same form, asked and answered, that the critic sees before.

    Raises `ModelError` where the critic does not tell probabilities.
    """
    a_first = await first_better(prompt_of(exchange, a, b, principle, examples), critic)
    b_first = await first_better(prompt_of(exchange, b, a, principle, examples), critic)
    return Preference(principle.id, a_first, b_first, critic.name)


async def first_better(prompt: Sequence[Message], critic: Model) -> float:
    """P("(A)") as the reply to `prompt`. Raises `ModelError` where the critic does not tell probabilities."""
    odds = await critic.choose(prompt, OPTIONS)
    if odds is None:
        raise ModelError(f"{critic.name} does not tell probabilities; compare with a model that does")
    return odds[0]


def prompt_of(
    exchange: Exchange, first: str, second: str, principle: Principle, examples: Sequence[Message] = ()
) -> tuple[Message, ...]:
    """What the critic is asked about one order."""
    system, user = TEMPLATE.fill(principle=principle.text, request=request_text(exchange), a=first, b=second)
    return (system, *examples, user)


def reasoned_prompt_of(
    exchange: Exchange, first: str, second: str, principle: Principle, examples: Sequence[Message] = ()
) -> tuple[Message, ...]:
    """What it is asked to think about in one order."""
    system, user = REASONED.fill(principle=principle.text, request=request_text(exchange), a=first, b=second)
    return (system, *examples, user)


def verdict_prompt_of(prompt: Sequence[Message], thought: str) -> tuple[Message, ...]:
    """What it is asked after it has thought."""
    _, question = VERDICT.fill()
    return (*prompt, Message("assistant", (Text(thought),)), question)
