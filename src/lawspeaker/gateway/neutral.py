"""The neutral form between the protocols and the core: what a client asks, and what it is to be told.

Each protocol is read into an `Asked` and written from `Outcome`s, so any surface can be served by any upstream.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal, Protocol

import msgspec

from lawspeaker.decision import Action
from lawspeaker.exchange import Exchange, Part
from lawspeaker.gateway.fault import RequestError
from lawspeaker.models.base import PLAIN, Terms, Usage

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
Verbosity = Literal["low", "medium", "high"]
PIECE: Final = 256  # characters of one streamed event


class Asked(msgspec.Struct, frozen=True):
    """A request: the conversation, how it is to be answered and on what terms. What is None was left to the
    deployment. `previous` is the response that it goes on from, `own` how many messages at the start are this request's
    alone, and `kept` whether it may be gone on from."""

    model: str
    exchange: Exchange
    max_tokens: int | None = None
    temperature: float | None = None
    seed: int | None = None
    count: int = 1
    stream: bool = False
    usage: bool = False
    terms: Terms = PLAIN
    previous: str = ""
    own: int = 0
    kept: bool = False


class Outcome(msgspec.Struct, frozen=True):
    """What one governed answer came to: its parts, or why there is none in `refusal`. `cut` marks an answer that
    ended at its bound of tokens; `stopped_by` is the sequence that ended it, where that is known. `waived` names the
    principles that a waiver kept from deciding."""

    parts: tuple[Part, ...] = ()
    refusal: str = ""
    cut: bool = False
    usage: Usage = Usage()
    action: Action = "release"
    waived: tuple[str, ...] = ()
    stopped_by: str = ""


def pieces(text: str) -> Iterator[str]:
    """`text` as the events of a stream carry it."""
    return (text[at : at + PIECE] for at in range(0, len(text), PIECE))


class Writer(Protocol):
    """One answer as a stream of one protocol's events."""

    def text(self, index: int, text: str) -> bytes:
        """More words of the choice `index`, as they come."""
        ...

    def finish(self, outcomes: Sequence[Outcome]) -> Iterator[bytes]:
        """What is left to say of each choice, up to the stream's end. An answer whose words all come here is one that
        was held."""
        ...


class Surface(Protocol):
    """One protocol's way of asking and answering."""

    @property
    def name(self) -> str: ...

    @property
    def calls(self) -> Mapping[str, str]:
        """What this protocol calls the fields of `Terms` (and `seed`), where its name is another."""
        ...

    def read(self, body: bytes) -> Asked:
        """Raises `RequestError`."""
        ...

    def answer(self, id: str, created: int, asked: Asked, outcomes: Sequence[Outcome]) -> bytes: ...

    def writer(self, id: str, created: int, asked: Asked) -> Writer: ...

    def ping(self) -> bytes:
        """What keeps a stream open while its answer is held."""
        ...

    def error(self, error: RequestError, id: str) -> bytes: ...

    def stream_error(self, error: RequestError, id: str) -> bytes:
        """The end of a stream that has begun and cannot be finished."""
        ...
