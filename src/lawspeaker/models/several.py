"""One model on several servers: `http://A/v1,http://B/v1#MODEL`.

A seed goes to the same server each time, and so does a question without one; a server that does not answer is passed
over for the next, which draws by the same seed. The servers are taken to serve the same weights: nobody here can tell.
"""

import asyncio
import zlib
from collections.abc import Sequence

from lawspeaker.digest import digest
from lawspeaker.errors import ModelError
from lawspeaker.exchange import Message
from lawspeaker.models.base import PLAIN, Completion, Model, Sampling, Terms


class Several:
    """`servers` behind one name."""

    def __init__(self, name: str, servers: Sequence[Model]) -> None:
        self.name, self._servers = name, tuple(servers)
        self.digest = digest("lawspeaker/model/several", [server.digest for server in servers])
        self.takes = frozenset.intersection(*(server.takes for server in servers))

    async def complete(self, messages: Sequence[Message], sampling: Sampling, terms: Terms = PLAIN) -> Completion:
        first = _of(messages) if sampling.seed is None else sampling.seed
        error = ModelError(f"{self.name}: no server")
        for server in self._from(first):
            try:
                return await server.complete(messages, sampling, terms)
            except ModelError as failed:
                error = failed
        raise error

    async def complete_many(
        self, prompts: Sequence[Sequence[Message]], samplings: Sequence[Sampling]
    ) -> list[Completion | ModelError]:
        return await asyncio.gather(*(self._try(p, s) for p, s in zip(prompts, samplings, strict=True)))

    async def choose(self, messages: Sequence[Message], options: Sequence[str]) -> tuple[float, ...] | None:
        error = ModelError(f"{self.name}: no server")
        for server in self._from(_of(messages)):
            try:
                return await server.choose(messages, options)
            except ModelError as failed:
                error = failed
        raise error

    async def close(self) -> None:
        for server in self._servers:
            await server.close()

    def _from(self, number: int) -> tuple[Model, ...]:
        """The servers in the order in which they are asked."""
        at = number % len(self._servers)
        return self._servers[at:] + self._servers[:at]

    async def _try(self, messages: Sequence[Message], sampling: Sampling) -> Completion | ModelError:
        try:
            return await self.complete(messages, sampling)
        except ModelError as error:
            return error


def _of(messages: Sequence[Message]) -> int:
    """A number of what is asked."""
    return zlib.crc32("\n".join(message.text for message in messages).encode("utf-8", "replace"))
