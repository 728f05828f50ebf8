"""`writer.sock`: how a second process appends through the one that holds the log.

A Unix socket in the log's private folder. Each connection carries one request and one answer, as frames: the length
in four bytes, big-endian, then JSON. The holder answers only processes of its own user.
"""

import asyncio
import os
import socket
import stat
import struct
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from lawspeaker.audit.admission import Entry
from lawspeaker.audit.receipt import Receipt
from lawspeaker.audit.record import LARGEST_LEAF, LARGEST_TEXTS, Record, text_bytes
from lawspeaker.errors import LogError

LARGEST_FRAME = 6 * LARGEST_TEXTS + 4 * LARGEST_LEAF  # base64 of up to four bytes a character
PATIENCE = 60.0
_LONGEST_PATH = 100  # sun_path has 108 bytes on Linux, 104 elsewhere
_BACKLOG = 1024

Append = Callable[[Entry], Awaitable[Receipt]]


class HolderGoneError(Exception):
    """Nobody answered: the holder stopped before or while it was asked. Whether it appended is not known."""


class _Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Texts travel as bytes, since JSON has no lone surrogates. Without a record it asks whether records are taken."""

    record: Record | None
    texts: dict[str, bytes] = {}
    again: bool = False


class _Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    receipt: Receipt | None = None
    error: str = ""


async def serve(path: Path, append: Append, state: Callable[[], str]) -> asyncio.Server:
    """Listen at `path`. The caller holds the lock, so a socket that lies there is left over. `state` says why records
    are not taken, and nothing while they are."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    with _short(path) as address:
        listener.bind(address)
    path.chmod(stat.S_IRUSR | stat.S_IWUSR)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A peer that goes away while it is served has chosen not to hear the answer.
        with suppress(ConnectionError, asyncio.IncompleteReadError, TimeoutError):
            async with asyncio.timeout(PATIENCE):
                answer = await _respond(reader, writer, append, state)
                _send(writer, msgspec.json.encode(answer))
                await writer.drain()
        writer.close()

    return await asyncio.start_unix_server(handle, sock=listener, backlog=_BACKLOG)


async def ask(path: Path, entry: Entry) -> Receipt:
    """Append through the holder; raises `LogError` where it refuses, `HolderGoneError` where there is none."""
    texts = {name: text_bytes(text) for name, text in entry.texts.items()}
    answer = await _exchange(path, _Request(entry.record, texts, entry.again))
    if answer.receipt is None:
        raise LogError(answer.error)
    return answer.receipt


async def ask_state(path: Path) -> str:
    """Why the holder takes no records; empty while it does. Raises as `ask` does."""
    return (await _exchange(path, _Request(None))).error


async def _exchange(path: Path, request: _Request) -> _Answer:
    data = msgspec.json.encode(request)
    try:
        async with asyncio.timeout(PATIENCE):
            with _short(path) as address:
                reader, writer = await asyncio.open_unix_connection(address)
            try:
                _send(writer, data)
                return msgspec.json.decode(await _receive(reader), type=_Answer)
            finally:
                writer.close()
    except TimeoutError as error:
        raise LogError(f"{path}: the process that holds the audit log did not answer in {PATIENCE:.0f} s") from error
    except (OSError, asyncio.IncompleteReadError) as error:
        raise HolderGoneError from error
    except msgspec.DecodeError as error:
        raise LogError(f"{path}: the process that holds the audit log gave an unreadable answer") from error


async def _respond(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, append: Append, state: Callable[[], str]
) -> _Answer:
    if not _is_own(writer):
        return _Answer(error="the audit log belongs to another user")
    try:
        request = msgspec.json.decode(await _receive(reader), type=_Request)
        if request.record is None:
            return _Answer(error=state())
        texts = {name: data.decode("utf-8", "surrogatepass") for name, data in request.texts.items()}
        return _Answer(await append(Entry(request.record, texts, request.again)))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return _Answer(error=f"a request to the audit log cannot be read: {error}")
    except LogError as error:
        return _Answer(error=str(error))


def _send(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(len(data).to_bytes(4, "big") + data)


async def _receive(reader: asyncio.StreamReader) -> bytes:
    length = int.from_bytes(await reader.readexactly(4), "big")
    if length > LARGEST_FRAME:
        raise LogError(f"a frame of {length:,} bytes is longer than {LARGEST_FRAME:,}")
    return await reader.readexactly(length)


def _is_own(writer: asyncio.StreamWriter) -> bool:
    """The folder's permissions keep others out; where the system can tell who is there, it is asked as well."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return True
    peer: socket.socket = writer.get_extra_info("socket")
    _, user, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i")))
    return int(user) in {os.geteuid(), 0}


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """An address for a socket's path of any length: a socket's address holds 108 bytes, a descriptor's link is
    short."""
    if len(os.fsencode(path)) <= _LONGEST_PATH:
        yield str(path)
        return
    if not Path("/proc/self/fd").is_dir():
        raise LogError(f"{path}: the path is too long for a socket; use a folder with a shorter one")
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
