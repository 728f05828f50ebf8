"""The draft: asked for as a whole, or given out while it is made as far as a window lets it."""

import asyncio

import msgspec

from lawspeaker.deliberation.steps import Draft
from lawspeaker.deliberation.window import Flowed, Release, Window, flow
from lawspeaker.errors import LawspeakerError, boundary
from lawspeaker.exchange import Exchange, Message
from lawspeaker.govern.recording import Recorder
from lawspeaker.models.base import Completion, Model, Sampling, Terms, streamed


class Drafted(msgspec.Struct, frozen=True):
    """The exchange with its answer, the step that made it, and what of it has left where it flowed."""

    exchange: Exchange
    steps: tuple[Draft, ...] = ()
    flowed: Flowed | None = None


class Drafter(msgspec.Struct, frozen=True):
    """Asks `model`. What it fails in is on record before anybody is told."""

    model: Model
    sampling: Sampling
    recorder: Recorder

    async def whole(self, exchange: Exchange, terms: Terms) -> Drafted:
        async with self.recorder.recorded():
            completion = await self.model.complete(exchange.messages, self.sampling, terms)
        return self._drafted(exchange, completion)

    async def flowing(self, exchange: Exchange, terms: Terms, window: Window, release: Release) -> Drafted:
        """The draft, while it leaves. However that ends, what has left is on record."""
        pieces = streamed(self.model, exchange.messages, self.sampling, terms)
        try:
            with boundary("the model"):
                flowed = await flow(pieces, self.model.name, window, release)
        except (LawspeakerError, asyncio.CancelledError) as error:
            gone = isinstance(error, asyncio.CancelledError)
            facts = {"during": "stream", "released": len(window.released)}
            texts = {"error": "the client left" if gone else str(error), "released": window.released}
            await asyncio.shield(self.recorder.failed(facts, texts))
            raise
        return self._drafted(exchange, flowed.completion, flowed)

    def _drafted(self, exchange: Exchange, said: Completion, flowed: Flowed | None = None) -> Drafted:
        step = Draft(said.text, said.model, self.sampling, said.finish, said.usage, said.stopped_by)
        return Drafted(Exchange((*exchange.messages, Message("assistant", said.parts))), (step,), flowed)
