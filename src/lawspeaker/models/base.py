"""Who can speak: the interface to every model."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from lawspeaker.exchange import Message


class Sampling(msgspec.Struct, frozen=True):
    """How to draw an answer. `temperature` 0 is greedy; `seed` None is not reproducible; `max_tokens` bounds the
    answer and `timeout` (seconds) the wait for it."""

    temperature: float = 1.0
    seed: int | None = None
    max_tokens: int = 1024
    timeout: float = 60.0


class Completion(msgspec.Struct, frozen=True):
    """What a model said. `finish` is `stop` or `length`."""

    text: str
    model: str
    finish: str = "stop"


class Model(Protocol):
    """A model behind an address.

    Safe to call from many coroutines at once. Raises `ModelError` when it does not answer in time, or answers nothing
    or nonsense; never returns an empty text.
    """

    @property
    def name(self) -> str:
        """The address that it was opened by, such as `nano` or `openai:gpt-5`."""
        ...

    @property
    def digest(self) -> str:
        """Digest of the weights where they are here, else of the address: what a record calls the model."""
        ...

    async def complete(self, messages: Sequence[Message], sampling: Sampling) -> Completion: ...

    async def complete_many(
        self, prompts: Sequence[Sequence[Message]], samplings: Sequence[Sampling]
    ) -> list[Completion]:
        """One completion per prompt, in order; each is drawn as `complete` would draw it."""
        ...

    async def choose(self, messages: Sequence[Message], options: Sequence[str]) -> tuple[float, ...] | None:
        """Probability of each of `options` as the reply, normalised over them, or None where the model does not
        tell probabilities."""
        ...

    async def close(self) -> None: ...
