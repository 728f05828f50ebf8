"""What every model behind HTTP has in common, whatever its wire format."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from lawspeaker.digest import digest
from lawspeaker.errors import ModelError
from lawspeaker.exchange import Message
from lawspeaker.models.base import PLAIN, Completion, Sampling, Terms
from lawspeaker.models.wire import Wire


class Remote(ABC):
    """A model that is asked over `wire`; `address` is what its digest is of. It tells no probabilities unless its
    wire format says how."""

    takes: frozenset[str]

    def __init__(self, wire: Wire, address: Mapping[str, str]) -> None:
        self.name = wire.name
        self.digest = digest("lawspeaker/model/address", address)
        self._wire, self._model = wire, address["model"]

    @abstractmethod
    async def complete(self, messages: Sequence[Message], sampling: Sampling, terms: Terms = PLAIN) -> Completion: ...

    async def complete_many(
        self, prompts: Sequence[Sequence[Message]], samplings: Sequence[Sampling]
    ) -> list[Completion | ModelError]:
        return await asyncio.gather(*(self._try(p, s) for p, s in list(zip(prompts, samplings, strict=True))))

    async def choose(self, messages: Sequence[Message], options: Sequence[str]) -> tuple[float, ...] | None:
        return None

    async def close(self) -> None:
        await self._wire.close()

    async def _try(self, messages: Sequence[Message], sampling: Sampling) -> Completion | ModelError:
        try:
            return await self.complete(messages, sampling)
        except ModelError as error:
            return error
