"""`writer.sock`: how a second process appends through the one that holds the log.

A Unix socket in the log's private folder. Requests and answers are frames: the length in four bytes, big-endian, then
JSON. Each has a number, since answers come as they are ready. The holder answers only processes of its own user.
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
_AT_ONCE = 1024  # requests of one peer that are being answered; what it sends beyond waits

Append = Callable[[Entry], Awaitable[Receipt]]


class State(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why the log takes no records, and why its last head is not where it is to be; empty where nothing is wrong."""

    trouble: str = ""
    unpublished: str = ""


class HolderGoneError(Exception):
    """Nobody answered: the holder stopped before or while it was asked. Whether it appended is not known."""


class _Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Texts travel as bytes, since JSON has no lone surrogates. Without a record it asks for the log's state."""

    record: Record | None
    texts: dict[str, bytes] = {}
    again: bool = False
    number: int = 0


class _Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    number: int = 0
    receipt: Receipt | None = None
    error: str = ""
    state: State = State()


class Holder:
    """The holder's end: it listens at a path and answers with what `append` and `state` give."""

    def __init__(self, append: Append, state: Callable[[], State]) -> None:
        self._append, self._state = append, state
        self._server: asyncio.Server | None = None
        self._peers: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}
        self._answering: set[asyncio.Task[None]] = set()

    async def listen(self, path: Path) -> None:
        """The caller holds the lock, so a socket that lies there is left over."""
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        with _short(path) as address:
            listener.bind(address)
        path.chmod(stat.S_IRUSR | stat.S_IWUSR)
        self._server = await asyncio.start_unix_server(self._handle, sock=listener, backlog=_BACKLOG)

    async def close(self) -> None:
        """Listen no longer, give the answers that are being made, and hang up."""
        if self._server is None:
            return
        self._server.close()
        if self._answering:
            await asyncio.wait(self._answering, timeout=PATIENCE)
        handlers = list(self._peers.values())
        for writer in self._peers:
            writer.close()
        if handlers:
            await asyncio.wait(handlers, timeout=PATIENCE)

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A peer that goes away while it is served has chosen not to hear the answer.
        task = asyncio.current_task()
        if task is not None:
            self._peers[writer] = task
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                await self._serve(reader, writer)
        except LogError as error:
            _send(writer, msgspec.json.encode(_Answer(error=str(error))))
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
            self._peers.pop(writer, None)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not _is_own(writer):
            raise LogError("the audit log belongs to another user")
        room = asyncio.Semaphore(_AT_ONCE)
        while True:
            frame = await _receive(reader)
            await room.acquire()
            task = asyncio.create_task(self._answer(frame, writer))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)
            task.add_done_callback(lambda _: room.release())

    async def _answer(self, frame: bytes, writer: asyncio.StreamWriter) -> None:
        number = 0
        try:
            request = msgspec.json.decode(frame, type=_Request)
            number = request.number
            if request.record is None:
                answer = _Answer(number, state=self._state())
            else:
                texts = {name: data.decode("utf-8", "surrogatepass") for name, data in request.texts.items()}
                answer = _Answer(number, await self._append(Entry(request.record, texts, request.again)))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            answer = _Answer(number, error=f"a request to the audit log cannot be read: {error}")
        except LogError as error:
            answer = _Answer(number, error=str(error))
        with suppress(OSError):
            _send(writer, msgspec.json.encode(answer))
            await writer.drain()


class Line:
    """The other end: one connection, over which many ask at the same time, opened when somebody asks. Used from one
    event loop."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._opening = asyncio.Lock()
        self._number = 0
        self._waiting: dict[int, asyncio.Future[_Answer]] = {}

    async def append(self, entry: Entry) -> Receipt:
        """Append through the holder; raises `LogError` where it refuses, `HolderGoneError` where there is none."""
        texts = {name: text_bytes(text) for name, text in entry.texts.items()}
        answer = await self._ask(entry.record, texts, entry.again)
        if answer.receipt is None:
            raise LogError(answer.error)
        return answer.receipt

    async def state(self) -> State:
        """The state of the log, as its holder knows it. Raises as `append` does."""
        answer = await self._ask(None, {}, False)
        if answer.error:
            raise LogError(answer.error)
        return answer.state

    async def close(self) -> None:
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.cancel()
            with suppress(asyncio.CancelledError):
                await reading

    async def _ask(self, record: Record | None, texts: dict[str, bytes], again: bool) -> _Answer:
        self._number += 1
        number = self._number
        request = msgspec.json.encode(_Request(record, texts, again, number))
        try:
            async with asyncio.timeout(PATIENCE):
                writer = await self._open()
                self._waiting[number] = asyncio.get_running_loop().create_future()
                if writer is not self._writer:  # it was lost meanwhile, and those who waited have been told
                    raise HolderGoneError
                _send(writer, request)
                await writer.drain()
                return await self._waiting[number]
        except TimeoutError as error:
            words = f"{self._path}: the process that holds the audit log did not answer in {PATIENCE:.0f} s"
            raise LogError(words) from error
        except OSError as error:
            raise HolderGoneError from error
        finally:
            self._waiting.pop(number, None)

    async def _open(self) -> asyncio.StreamWriter:
        async with self._opening:
            if self._writer is None:
                with _short(self._path) as address:
                    reader, self._writer = await asyncio.open_unix_connection(address)
                self._reading = asyncio.create_task(self._read(reader, self._writer))
            return self._writer

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hand each answer to who waits for it; when the connection is lost, everybody is told."""
        unreadable = False
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                while True:
                    answer = msgspec.json.decode(await _receive(reader), type=_Answer)
                    if (waits := self._waiting.get(answer.number)) and not waits.done():
                        waits.set_result(answer)
        except (msgspec.DecodeError, LogError):
            unreadable = True
        finally:
            self._writer = None
            for waits in self._waiting.values():
                if not waits.done():
                    waits.set_exception(self._unreadable() if unreadable else HolderGoneError())
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def _unreadable(self) -> LogError:
        return LogError(f"{self._path}: the process that holds the audit log gave an unreadable answer")


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
