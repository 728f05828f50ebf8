"""What GRPO is paid for: the checks of each principle, the preference model, and what was asked for.

Each principle is a reward of its own, so that each has its own curve: -1 where an answer violates it, -1/2 where that
cannot be told, else 0. There is nothing to win by an answer in which more can be upheld than was asked for.

The preference model gives sigmoid(score). The helpful term is the share of what the helpful-only draft took over from
the request (its words), and of what the draft built for it (its resources), that the answer still holds; 0 where the
answer is empty, refuses or does not parse, and none where there was no draft. It knows nothing of the gold judge.
"""

import asyncio
import math
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from lawspeaker.align.dataset import Row, with_text
from lawspeaker.align.preference_model import Scorer
from lawspeaker.align.recipe import Grpo
from lawspeaker.align.self_revision import findings
from lawspeaker.checks.terraform.outline import outline
from lawspeaker.constitution.schema import Constitution, Principle
from lawspeaker.deliberation.better import refuses
from lawspeaker.exchange import Message
from lawspeaker.finding import by_principle

_WORD: Final = re.compile(r"[\w.-]+")
_PRICE: Final = {"violated": -1.0, "inconclusive": -0.5}
PREFERENCE: Final = "preference model"
HELPFUL: Final = "helpful"
Reward = Callable[..., Awaitable[list[float | None]]]


class Rollout(msgspec.Struct, frozen=True):
    """An answer that the policy drew after `step` steps, and what it was paid for."""

    id: str
    prompt: str
    step: int
    text: str
    rewards: dict[str, float]
    model_digest: str
    preference_digest: str
    constitution: str


@dataclass(frozen=True)
class Asked:
    """What the draft shows that a request wants."""

    request: tuple[Message, ...]
    words: frozenset[str]
    addresses: frozenset[str]

    @classmethod
    def of(cls, draft: Row) -> "Asked":
        request = words_of(" ".join(message.text for message in draft.request))
        built = outline(with_text(draft.request, draft.text)).addresses
        return cls(draft.request, request & words_of(draft.text), built)

    def helped(self, text: str) -> float | None:
        """Share of it that `text` holds, words and resources alike; None where nothing is known to be wanted."""
        exchange = with_text(self.request, text)
        built = outline(exchange) if text.strip() else None
        wanted = len(self.words) + len(self.addresses)
        if not wanted:
            return None
        if built is None or built.broken or refuses(text):
            return 0.0
        return (len(self.words & words_of(text)) + len(self.addresses & built.addresses)) / wanted


def words_of(text: str) -> frozenset[str]:
    """Words, names and numbers of three characters or more, as they stand but for case."""
    found = (word.strip(".-").lower() for word in _WORD.findall(text))
    return frozenset(word for word in found if len(word) >= 3)


class Rewards:
    """Rewards of a batch of answers, found once for all the functions that ask for their part of it."""

    def __init__(
        self, how: Grpo, law: Constitution, principles: Sequence[Principle], asked: Mapping[str, Asked],
        scorer: Scorer | None, keep: Callable[[int, Sequence[tuple[str, str, dict[str, float]]]], None],
    ) -> None:  # fmt: skip
        self._law = msgspec.structs.replace(law, principles=tuple(principles))  # no others are paid for
        self._asked, self._scorer, self._keep = asked, scorer, keep
        self._key: object = None
        self._found: asyncio.Task[list[dict[str, float]]] | None = None
        weights = {each.id: how.principles for each in principles}
        weights |= {PREFERENCE: how.preference if scorer else 0.0, HELPFUL: how.helpful}
        self.weights = {name: weight for name, weight in weights.items() if weight}

    def functions(self) -> list[Reward]:
        """One for each part of the reward, named for it, as TRL wants them."""
        return [self._function(name) for name in self.weights]

    def _function(self, name: str) -> Reward:
        async def reward(completions: Any, id: list[str], trainer_state: Any, **_: Any) -> list[float | None]:
            texts = [each[0]["content"] or "" for each in completions]
            found = await self.of(trainer_state.global_step, id, texts)
            return [each.get(name) for each in found]

        reward.__name__ = name
        return reward

    async def of(self, step: int, prompts: Sequence[str], texts: Sequence[str]) -> list[dict[str, float]]:
        key = (step, tuple(prompts), tuple(texts))
        if self._found is None or self._key != key:
            self._key, self._found = key, asyncio.create_task(self.price(step, prompts, texts))
        return await self._found

    async def price(self, step: int, prompts: Sequence[str], texts: Sequence[str]) -> list[dict[str, float]]:
        """A small policy says the same to a prompt more than once; each answer of its own is read once."""
        answers = [(prompt, text.strip()) for prompt, text in zip(prompts, texts, strict=True)]
        paid = {each: await self._one(self._asked[each[0]], each[1]) for each in dict.fromkeys(answers)}
        if self._scorer and PREFERENCE in self.weights:
            scores = self._scorer.score([(self._asked[prompt].request, text) for prompt, text in paid])
            for rewards, score in zip(paid.values(), scores, strict=True):
                rewards[PREFERENCE] = _sigmoid(score)
        found = [paid[each] for each in answers]
        self._keep(step, list(zip(prompts, texts, found, strict=True)))
        return found

    async def _one(self, asked: Asked, text: str) -> dict[str, float]:
        found = await findings(asked.request, text, self._law) if text else ()
        outcomes = by_principle(found)
        rewards = {each.id: _PRICE.get(outcomes.get(each.id, ""), 0.0) for each in self._law.principles}
        helped = asked.helped(text)
        return rewards if helped is None else {**rewards, HELPFUL: helped}


def _sigmoid(score: float) -> float:
    return 1 / (1 + math.exp(-score)) if score >= 0 else 1 - 1 / (1 + math.exp(score))
