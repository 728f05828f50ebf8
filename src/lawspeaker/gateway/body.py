"""Request bodies: bounded, strict, and read once.

What two parsers could understand in two ways is refused: a name twice in one object, a number that is none, bytes that
are not UTF-8. Fields are allow-listed by the types that a protocol decodes into.
"""

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final, NoReturn, TypeVar

import msgspec

from lawspeaker.gateway.fault import RequestError, bad

LARGEST: Final = 8 * 1024 * 1024  # bytes: far beyond any model's window
TOGETHER: Final = 32 * LARGEST  # of all requests that a process has in hand
MOST_MESSAGES: Final = 4096
PATIENCE: Final = 30.0  # seconds for a body to arrive

_T = TypeVar("_T")
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.*?)`")


class Room:
    """What the bodies of requests may take together, of those that are coming and those that are being answered."""

    def __init__(self, size: int = TOGETHER) -> None:
        self.left = size

    def share(self, receive: Callable[[], Awaitable[Any]]) -> "Share":
        return Share(self, receive)


class Share:
    """What one request takes of a `Room`: all that it receives, until that is given back."""

    def __init__(self, room: Room, receive: Callable[[], Awaitable[Any]]) -> None:
        self._room, self._receive, self._taken = room, receive, 0

    async def receive(self) -> Any:
        """The next message. Raises `RequestError` where there is no room for it."""
        message = await self._receive()
        size = len(message.get("body", b""))
        if size > self._room.left:
            raise RequestError(429, "as much is being served as there is room for; try again later", code="no_room")
        self._room.left -= size
        self._taken += size
        return message

    def give_back(self) -> None:
        self._room.left += self._taken
        self._taken = 0


async def receive_body(receive: Callable[[], Awaitable[Any]], declared: str | None) -> bytes | None:
    """The whole body; None where the client left before it was complete."""
    if declared is not None and (not declared.isdecimal() or len(declared) > 12 or int(declared) > LARGEST):
        raise _too_large()
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > LARGEST:
            raise _too_large()
        if not message.get("more_body", False):
            return bytes(body)


def decode(body: bytes, form: type[_T]) -> _T:
    """`body` as a `form`. Raises `RequestError` in words that repeat names of fields, never their contents."""
    try:
        value = msgspec.json.decode(body, type=form)
        json.loads(body, object_pairs_hook=_once, parse_constant=_no_number)
    except msgspec.ValidationError as error:
        raise _refused(str(error)) from None
    except _TwiceError as error:
        raise bad(f"the body holds the field {str(error)[:60]!r} twice in one object") from None
    except RecursionError:
        raise bad("the body is nested too deeply") from None
    except (msgspec.DecodeError, ValueError):
        raise bad("the body is not JSON in UTF-8") from None
    return value


class _TwiceError(Exception):
    """A name that stands twice in one object."""


def _once(pairs: list[tuple[str, Any]]) -> None:
    names = {name for name, _ in pairs}
    if len(names) == len(pairs):
        return
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise _TwiceError(name)
        seen.add(name)


def _no_number(word: str) -> NoReturn:
    raise ValueError(word)


def _refused(words: str) -> RequestError:
    at = words.partition(" - at `$.")[2].rstrip("`") or None
    unknown = _UNKNOWN.search(words)
    if unknown:
        name = f"{at}.{unknown[1]}" if at else unknown[1]
        what = f"the field {name[:100]!r} is not served here: what it brings in would pass unchecked"
        return bad(what, param=name[:100], code="unsupported_parameter")
    return bad(words[:300], param=at[:100] if at else None)


def _too_large() -> RequestError:
    return RequestError(413, f"the body is larger than {LARGEST} bytes")
