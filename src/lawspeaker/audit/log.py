"""The audit log as the rest of the program sees it: `append(record, texts)` gives a receipt.

    async with await open_log(home) as log:
        receipt = await log.append(opened(facts={...}), {"request": "..."})

One process holds the log, by a lock on `log/writer.lock` that the kernel takes back when the process dies. Any other
process that opens the same home appends through the holder's `writer.sock`, and takes its place when it has gone. One
that is opened with `may_hold=False` never does: it waits until there is a holder again.
"""

import asyncio
import fcntl
import os
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from lawspeaker.audit import record as records
from lawspeaker.audit import remote, storage, vault
from lawspeaker.audit.admission import Entry
from lawspeaker.audit.keys import Keys
from lawspeaker.audit.ledger import Ledger
from lawspeaker.audit.opening import open_ledger
from lawspeaker.audit.publication import Publication, load_plan
from lawspeaker.audit.reader import LogReader
from lawspeaker.audit.receipt import Receipt
from lawspeaker.audit.record import Record
from lawspeaker.audit.remote import State
from lawspeaker.audit.writer import Writer
from lawspeaker.errors import LogError

_PATIENCE = 30.0
_PAUSE = 0.02


class AsyncLog(Protocol):
    """Where records go."""

    async def append(self, record: Record, texts: Mapping[str, str]) -> Receipt:
        """Durable, with its texts, before this returns; safe from many coroutines at once.

        Raises `LogError` if the record is refused or cannot be made durable. After a failure of the storage every
        later call raises too, until the log is opened again.
        """
        ...

    def reader(self) -> LogReader:
        """What is in the log; to be closed by the caller."""
        ...

    async def close(self) -> None: ...


class _Closing:
    """`async with` for a log."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        raise NotImplementedError


class Log(_Closing):
    """The log under a home. Made by `open_log`."""

    def __init__(self, home: Path, *, may_hold: bool = True) -> None:
        self.home = home
        self._may_hold = may_hold
        self._writer: Writer | None = None
        self._publication: Publication | None = None
        self._lock = -1
        self._holder = remote.Holder(self._serve, self._state)
        self._line = remote.Line(self._socket)
        self._joining = asyncio.Lock()
        self._closed = False

    @property
    def holds(self) -> bool:
        """Whether this process is the writer."""
        return self._writer is not None

    @property
    def failed(self) -> str:
        """Why the writer in this process has stopped; empty while it works."""
        return self._writer.failed if self._writer else ""

    async def state(self) -> State:
        """The log's state, whichever process holds it."""
        if self._writer:
            return self._state()
        try:
            return await self._line.state()
        except remote.HolderGoneError:
            # who may hold it takes its place with the next record
            return State("" if self._may_hold else "no process holds the audit log")
        except LogError as error:
            return State(str(error))

    @property
    def unpublished(self) -> str:
        """Why the last head is not where `publication.json` wants it; empty where it is, and where another process is
        the writer."""
        return self._publication.trouble if self._publication else ""

    async def append(self, record: Record, texts: Mapping[str, str]) -> Receipt:
        """See `AsyncLog.append`."""
        records.check(record, texts)
        again, end = False, time.monotonic() + _PATIENCE
        while True:
            if self._closed:
                raise LogError("the audit log is closed")
            entry = Entry(record, dict(texts), again)
            if self._writer:
                return await self._writer.append(entry)
            try:
                return await self._line.append(entry)
            except remote.HolderGoneError as error:
                # The record may have been written before the holder went: asked again, it is found by its id.
                again = True
                if time.monotonic() > end:
                    raise LogError(f"{self._socket}: the process that holds the audit log does not answer") from error
                await asyncio.sleep(_PAUSE)
            await self.join()

    def reader(self) -> LogReader:
        """See `AsyncLog.reader`."""
        return LogReader(self.home)

    async def close(self) -> None:
        """Finish what waits, stop listening, let another process be the writer."""
        self._closed = True
        await self._holder.close()
        await self._line.close()
        if self._writer:
            await self._writer.close()
            if self._publication:
                await self._publication.close()
            self._socket.unlink(missing_ok=True)
            os.close(self._lock)
            self._lock, self._writer = -1, None

    async def join(self) -> None:
        """Become the writer if nobody is."""
        async with self._joining:
            lock = None if self._writer or self._closed or not self._may_hold else lock_writer(self.home)
            if lock is None:
                return
            try:
                plan = load_plan(self.home)
                announces = plan is None or not plan.required
                self._writer = Writer(await asyncio.to_thread(open_ledger, self.home, announces=announces))
                self._lock = lock
            finally:
                if self._writer is None:
                    os.close(lock)
            if plan:
                self._publication = Publication(self.home, plan, self._writer)
            try:
                with storage.errors(self._socket):
                    await self._holder.listen(self._socket)
            except LogError:
                await self.close()
                raise

    async def _serve(self, entry: Entry) -> Receipt:
        records.check(entry.record, entry.texts)
        if self._writer is None:
            raise LogError("the audit log is closed")
        return await self._writer.append(entry)

    def _state(self) -> State:
        return State(self._writer.failed if self._writer else "the audit log is closed", self.unpublished)

    @property
    def _socket(self) -> Path:
        return self.home / "writer.sock"


class MemoryLog(_Closing):
    """A log that is gone when its process is: the same code over databases in memory, without files or socket."""

    def __init__(self) -> None:
        keys = Keys.fresh()
        log, texts = storage.open_in_memory(storage.SCHEMA), storage.open_in_memory(vault.SCHEMA)
        self.vkey = keys.signer.vkey
        self._ledger = Ledger(log, texts, keys, Path("memory"), None)
        self._writer = Writer(self._ledger)

    async def append(self, record: Record, texts: Mapping[str, str]) -> Receipt:
        """See `AsyncLog.append`, except for what durable can mean here."""
        records.check(record, texts)
        return await self._writer.append(Entry(record, dict(texts)))

    def reader(self) -> LogReader:
        """See `AsyncLog.reader`; it can be used until the log is closed."""
        return LogReader.over(self._ledger.store, self._ledger.vault)

    async def close(self) -> None:
        await self._writer.close()


async def open_log(home: Path, *, may_hold: bool = True) -> Log:
    """Open the log under `home`, made if there is none; raises `LogError` if it cannot be written or trusted."""
    log = Log(home, may_hold=may_hold)
    await log.join()
    return log


def lock_writer(home: Path) -> int | None:
    """The writer's lock, as a descriptor that holds it; None if another process has it."""
    path = home / "log" / "writer.lock"
    with storage.errors(home):
        for folder in (home, path.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        ignore = home / ".gitignore"
        if not ignore.exists():
            ignore.touch(0o600)
            ignore.write_text("*\n")  # keys and texts lie here: no commit may take them along
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError as error:
        os.close(descriptor)
        raise LogError(f"{path}: cannot be locked: {error.strerror}") from error
    return descriptor
