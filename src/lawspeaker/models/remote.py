"""What every model behind HTTP has in common, whatever its wire format."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import ClassVar, Generic, NamedTuple, Protocol, TypeVar

from lawspeaker.digest import digest
from lawspeaker.errors import ModelError
from lawspeaker.exchange import Message
from lawspeaker.models.base import PLAIN, Completion, Sampling, Terms
from lawspeaker.models.wire import Wire

_Reply = TypeVar("_Reply")
_Whole_co = TypeVar("_Whole_co", covariant=True)


class Question(NamedTuple):
    """What is sent: what every model takes, what one may not take, what it has to take, and headers beside the model's
    own."""

    fixed: Mapping[str, object]
    wanted: Mapping[str, object]
    needed: Mapping[str, object]
    headers: Mapping[str, str] = {}


class Hearing(Protocol[_Whole_co]):
    """A stream's reply, put together from its events; `ended` says whether the last of them has come."""

    ended: bool

    def take(self, data: bytes) -> str:
        """What an event adds to the words. Raises `ModelError` where it says that something failed."""
        ...

    def reply(self) -> _Whole_co: ...


class Remote(ABC, Generic[_Reply]):
    """A model that is asked over `wire`; `address` is what its digest is of. It tells no probabilities unless its
    wire format says how."""

    takes: frozenset[str]
    of_streams: ClassVar[Mapping[str, object]] = {}
    """What a stream is asked for beside, of the model that may not take it."""

    def __init__(self, wire: Wire, address: Mapping[str, str]) -> None:
        self.name = wire.name
        self.digest = digest("lawspeaker/model/address", address)
        self._wire, self._model = wire, address["model"]

    @abstractmethod
    def _question(self, messages: Sequence[Message], sampling: Sampling, terms: Terms) -> Question: ...

    @abstractmethod
    def _reply(self, data: bytes) -> _Reply:
        """A whole reply. Raises `ModelError` where `data` is none."""

    @abstractmethod
    def _hearing(self) -> Hearing[_Reply]: ...

    @abstractmethod
    def _completion(self, reply: _Reply, sampling: Sampling) -> Completion: ...

    async def complete(self, messages: Sequence[Message], sampling: Sampling, terms: Terms = PLAIN) -> Completion:
        return self._completion(await self._ask(self._question(messages, sampling, terms), sampling.timeout), sampling)

    async def stream(
        self, messages: Sequence[Message], sampling: Sampling, terms: Terms = PLAIN
    ) -> AsyncGenerator[str | Completion, None]:
        fixed, wanted, needed, headers = self._question(messages, sampling, terms)
        fixed, wanted = {**fixed, "stream": True}, {**wanted, **self.of_streams}
        heard = self._hearing()
        async with aclosing(self._wire.events(fixed, wanted, sampling.timeout, needed, headers)) as together:
            async for events in together:
                words = "".join(map(heard.take, events))
                if words:
                    yield words
        if not heard.ended:
            raise self._wire.broken()
        yield self._completion(heard.reply(), sampling)

    async def complete_many(
        self, prompts: Sequence[Sequence[Message]], samplings: Sequence[Sampling]
    ) -> list[Completion | ModelError]:
        return await asyncio.gather(*(self._try(p, s) for p, s in list(zip(prompts, samplings, strict=True))))

    async def choose(self, messages: Sequence[Message], options: Sequence[str]) -> tuple[float, ...] | None:
        return None

    async def close(self) -> None:
        await self._wire.close()

    async def _ask(self, question: Question, timeout: float) -> _Reply:
        fixed, wanted, needed, headers = question
        return self._reply(await self._wire.ask(fixed, wanted, timeout, needed, headers))

    async def _try(self, messages: Sequence[Message], sampling: Sampling) -> Completion | ModelError:
        try:
            return await self.complete(messages, sampling)
        except ModelError as error:
            return error
