"""Revision: a new answer made from a critique (Bai et al. 2022, section 3.1)."""

from typing import Final

import msgspec

from lawspeaker.constitution.schema import Principle
from lawspeaker.deliberation.render import answer_text, request_text
from lawspeaker.exchange import Exchange, Text
from lawspeaker.models.base import Model, Sampling
from lawspeaker.prompt import load_template

TEMPLATE: Final = load_template("lawspeaker.deliberation", "revision")


class Revision(msgspec.Struct, frozen=True, tag="revision", tag_field="kind"):
    """A revised answer. `rejected` says why it was not kept; empty where it was."""

    principle: str
    text: str
    model: str
    sampling: Sampling
    rejected: str = ""


def revisable(exchange: Exchange) -> bool:
    """Whether a revision can replace the answer: only words can, since a tool call would be lost."""
    answer = exchange.messages[exchange.answer_start :]
    return bool(answer) and all(isinstance(part, Text) for message in answer for part in message.parts)


async def revise(
    exchange: Exchange, principle: Principle, account: str, *, model: Model, sampling: Sampling
) -> Revision:
    """Ask `model` for an answer without what `account` names. Raises `ModelError`."""
    prompt = TEMPLATE.fill(
        principle=principle.text,
        revision=principle.revision,
        request=request_text(exchange),
        answer=answer_text(exchange),
        account=account,
    )
    text = (await model.complete(prompt, sampling)).text.strip()
    return Revision(principle.id, text, model.name, sampling)
