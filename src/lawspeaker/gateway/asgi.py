"""The little of ASGI that the gateway speaks."""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

JSON: Final = b"application/json"
EVENTS: Final = b"text/event-stream; charset=utf-8"
TEXT: Final = b"text/plain; version=0.0.4; charset=utf-8"
# what a client's library may keep is nothing: answers are for the one who asked
_ALWAYS: Final = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))

Pairs = Iterable[tuple[bytes, bytes]]


async def start(send: Send, status: int, kind: bytes, headers: Pairs = (), length: int | None = None) -> None:
    """The head of an answer."""
    sized = [(b"content-length", str(length).encode())] if length is not None else []
    every = [(b"content-type", kind), *_ALWAYS, *sized, *headers]
    await send({"type": "http.response.start", "status": status, "headers": every})


async def whole(send: Send, status: int, body: bytes, kind: bytes = JSON, headers: Pairs = ()) -> None:
    """An answer in one piece."""
    await start(send, status, kind, headers, len(body))
    await send({"type": "http.response.body", "body": body})
