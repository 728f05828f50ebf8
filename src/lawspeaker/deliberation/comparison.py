"""Comparison of two answers by one principle: a soft preference (Bai et al. 2022, section 4.1).

Judges favour a position whatever stands in it, so both orders are always asked and averaged, and the difference
between them is kept as `bias`.
"""

from typing import Final

import msgspec

from lawspeaker.constitution.schema import Principle
from lawspeaker.deliberation.render import request_text
from lawspeaker.errors import ModelError
from lawspeaker.exchange import Exchange
from lawspeaker.models.base import Model
from lawspeaker.prompt import load_template

TEMPLATE: Final = load_template("lawspeaker.deliberation", "comparison")
_OPTIONS: Final = ("(A)", "(B)")


class Preference(msgspec.Struct, frozen=True):
    """P(a is better) from 0 to 1, averaged over both orders; `bias` is P(first shown) averaged, 0.5 for none."""

    principle: str
    a_better: float
    bias: float
    model: str


async def compare(exchange: Exchange, a: str, b: str, principle: Principle, *, critic: Model) -> Preference:
    """Which of the answers `a` and `b` to the exchange's request upholds `principle` better.

    Raises `ModelError` where the critic does not tell probabilities.
    """
    a_first = await _first_better(exchange, a, b, principle, critic)
    b_first = await _first_better(exchange, b, a, principle, critic)
    return Preference(principle.id, (a_first + 1 - b_first) / 2, (a_first + b_first) / 2, critic.name)


async def _first_better(exchange: Exchange, first: str, second: str, principle: Principle, critic: Model) -> float:
    prompt = TEMPLATE.fill(principle=principle.text, request=request_text(exchange), a=first, b=second)
    odds = await critic.choose(prompt, _OPTIONS)
    if odds is None:
        raise ModelError(f"{critic.name} does not tell probabilities; compare with a model that does")
    return odds[0]
