"""Stage 2 of Constitutional AI: one pair for each prompt, drawn from the fine-tuned model, and the critic's soft label.

One principle is drawn for each label; the critic sees both orders and says probabilities (`deliberation/comparison`).
"""

import asyncio
from collections.abc import Sequence
from random import Random

import msgspec

from lawspeaker.align.dataset import Pair, Prompt, seed_of
from lawspeaker.align.self_revision import Engine
from lawspeaker.constitution.schema import Principle
from lawspeaker.deliberation import comparison
from lawspeaker.deliberation.comparison import compare
from lawspeaker.digest import digest
from lawspeaker.errors import ModelError
from lawspeaker.exchange import Exchange


async def pairs_of(engine: Engine, prompts: Sequence[Prompt]) -> list[Pair]:
    """A pair for each of `prompts`; `engine.model` is the fine-tuned model. One that cannot be used says why."""
    samplings = [engine.sampling(prompt.id, side) for prompt in prompts for side in ("a", "b")]
    messages = [prompt.exchange.messages for prompt in prompts for _ in ("a", "b")]
    said = await engine.model.complete_many(messages, samplings)
    texts = ["" if isinstance(each, ModelError) else each.text.strip() for each in said]
    pairs = []
    for n, prompt in enumerate(prompts):
        a, b = texts[2 * n : 2 * n + 2]
        drawn = _draw(engine, prompt)
        pairs.append(
            Pair(
                f"{prompt.id}.pair", prompt.id, prompt.exchange.messages, a, b, engine.model.digest,
                (samplings[2 * n].seed or 0, samplings[2 * n + 1].seed or 0), engine.law.digest, drawn.id,
                digest("lawspeaker/principle/v1", drawn.law()), comparison.TEMPLATE.digest, engine.critic.digest,
                filtered="failed: no answer" if not (a and b) else "equal" if a == b else "",
            )
        )  # fmt: skip
    return list(await asyncio.gather(*(_labelled(engine, pair) for pair in pairs)))


def _draw(engine: Engine, prompt: Prompt) -> Principle:
    return Random(seed_of(engine.recipe.seed, prompt.id, "label")).choice(engine.principles)


async def _labelled(engine: Engine, pair: Pair) -> Pair:
    if pair.filtered:
        return pair
    principle = engine.law.principle(pair.principle)
    try:
        said = await compare(Exchange(pair.request), pair.a, pair.b, principle, critic=engine.critic)
    except ModelError as error:
        return msgspec.structs.replace(pair, filtered=f"failed: {error}")
    return msgspec.structs.replace(pair, a_better=said.a_better, bias=said.bias)
