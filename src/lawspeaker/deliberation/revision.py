"""Revision: a new answer made from a critique (Bai et al. 2022, section 3.1)."""

from collections.abc import Sequence
from typing import Final

import msgspec

from lawspeaker.constitution.schema import Principle
from lawspeaker.deliberation.render import answer_text, request_text
from lawspeaker.exchange import Exchange, Message, Reasoning, Text
from lawspeaker.models.base import PLAIN, Form, Model, Sampling, Terms
from lawspeaker.prompt import load_template

TEMPLATE: Final = load_template("lawspeaker.deliberation", "revision")
DIRECT: Final = load_template("lawspeaker.deliberation", "direct_revision")


class Revision(msgspec.Struct, frozen=True, tag="revision", tag_field="kind"):
    """A revised answer. `rejected` says why it was not kept; empty where it was. `finish` is as a draft's."""

    principle: str
    text: str
    model: str
    sampling: Sampling
    rejected: str = ""
    finish: str = "stop"


def revisable(exchange: Exchange) -> bool:
    """Whether a revision can replace the answer: only words can, since a tool call would be lost. The reasoning that
    led to them is dropped with them."""
    parts = [part for message in exchange.messages[exchange.answer_start :] for part in message.parts]
    return any(isinstance(part, Text) for part in parts) and all(isinstance(p, Text | Reasoning) for p in parts)


async def revise(
    exchange: Exchange,
    principle: Principle,
    account: str,
    *,
    model: Model,
    sampling: Sampling,
    examples: Sequence[Message] = (),
    form: Form | None = None,
) -> Revision:
    """Ask `model` for an answer without what `account` names, in the `form` that the first one was asked in. Raises
    `ModelError`. `examples` are turns of the same kind, asked and answered, that it sees before."""
    prompt = prompt_of(exchange, principle, account, examples)
    return await _revised(prompt, principle, model, sampling, Terms(form=form))


async def revise_directly(
    exchange: Exchange,
    principle: Principle,
    *,
    model: Model,
    sampling: Sampling,
    examples: Sequence[Message] = (),
) -> Revision:
    """The same without a critique: the model is told the principle alone (section 3.5)."""
    return await _revised(direct_prompt_of(exchange, principle, examples), principle, model, sampling, PLAIN)


def prompt_of(
    exchange: Exchange, principle: Principle, account: str, examples: Sequence[Message] = ()
) -> tuple[Message, ...]:
    """What the reviser is asked after a critique."""
    system, user = TEMPLATE.fill(
        principle=principle.text,
        revision=principle.revision,
        request=request_text(exchange),
        answer=answer_text(exchange),
        account=account,
    )
    return (system, *examples, user)


def direct_prompt_of(exchange: Exchange, principle: Principle, examples: Sequence[Message] = ()) -> tuple[Message, ...]:
    """What the reviser is asked without one."""
    system, user = DIRECT.fill(
        principle=principle.text,
        revision=principle.revision,
        request=request_text(exchange),
        answer=answer_text(exchange),
    )
    return (system, *examples, user)


async def _revised(
    prompt: Sequence[Message], principle: Principle, model: Model, sampling: Sampling, terms: Terms
) -> Revision:
    said = await model.complete(prompt, sampling, terms)
    return Revision(principle.id, said.text.strip(), model.name, sampling, finish=said.finish)
