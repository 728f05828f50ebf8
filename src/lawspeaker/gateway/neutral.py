"""The neutral form between the protocols and the core: what a client asks, and what it is to be told.

Each protocol is read into an `Asked` and written from `Outcome`s, so any surface can be served by any upstream.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

import msgspec

from lawspeaker.exchange import Exchange, Part
from lawspeaker.gateway.fault import RequestError


class Asked(msgspec.Struct, frozen=True):
    """A request: the conversation and how it is to be answered. What is None was left to the deployment."""

    model: str
    exchange: Exchange
    max_tokens: int | None = None
    temperature: float | None = None
    seed: int | None = None
    count: int = 1
    stream: bool = False
    usage: bool = False


class Outcome(msgspec.Struct, frozen=True):
    """What one governed answer came to: its parts, or why there is none in `refusal`. `cut` marks an answer that
    ended at its bound of tokens."""

    parts: tuple[Part, ...] = ()
    refusal: str = ""
    cut: bool = False


class Surface(Protocol):
    """One protocol's way of asking and answering."""

    @property
    def name(self) -> str: ...

    def read(self, body: bytes) -> Asked:
        """Raises `RequestError`."""
        ...

    def answer(self, id: str, created: int, asked: Asked, outcomes: Sequence[Outcome]) -> bytes: ...

    def events(self, id: str, created: int, asked: Asked, outcomes: Sequence[Outcome]) -> Iterator[bytes]:
        """The same answer as a stream of this protocol."""
        ...

    def ping(self) -> bytes:
        """What keeps a stream open while its answer is held."""
        ...

    def error(self, error: RequestError, id: str) -> bytes: ...

    def stream_error(self, error: RequestError, id: str) -> bytes:
        """The end of a stream that has begun and cannot be finished."""
        ...
