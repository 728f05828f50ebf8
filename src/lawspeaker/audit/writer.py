"""The writer's thread: everything that waits goes into one transaction (group commit).

One fsync then serves many callers: a batch is whatever came while the one before it was being written. Who asks alone
waits for no timer. While many ask at once, the thread lingers for a moment before it takes the next batch: whom it has
just answered comes back in it, and a commit is most of what a record costs.
"""

import asyncio
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, TypeVar

import msgspec

from lawspeaker.audit.admission import Entry
from lawspeaker.audit.ledger import LARGEST_BATCH, Ledger
from lawspeaker.audit.publish import Head
from lawspeaker.audit.receipt import Receipt
from lawspeaker.errors import LawspeakerError, LogError, boundary

_MANY: Final = 3  # records of one batch
_LINGER: Final = 0.0005  # seconds

Outcome = Receipt | LogError
T = TypeVar("T")


class _Job(msgspec.Struct, frozen=True, eq=False):
    entry: Entry
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[Receipt]"


class Writer:
    """Owns a ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._failed = ""
        self.closed = False
        self.ledger = ledger
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._gate = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="audit-writer", daemon=True)
        self._thread.start()

    async def append(self, entry: Entry) -> Receipt:
        """The entry's receipt, once it is durable."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Receipt] = loop.create_future()
        with self._gate:
            if self.closed:
                raise LogError("the audit log is closed")
            self._queue.put(_Job(entry, loop, future))
        return await future

    @property
    def failed(self) -> str:
        """Why it stopped, or will with the next record; empty while it works."""
        return self._failed or self.ledger.failed

    @property
    def ready(self) -> Head | None:
        """See `Ledger.ready`."""
        return self.ledger.ready

    async def close(self) -> None:
        """Finish what waits, then stop."""
        with self._gate:
            if not self.closed:
                self.closed = True
                self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        stopping, last = False, 0
        while not stopping:
            batch = [self._queue.get()]
            if last >= _MANY and self._queue.qsize() < last:
                time.sleep(_LINGER)
            while len(batch) < LARGEST_BATCH and not self._queue.empty():
                batch.append(self._queue.get())
            jobs = [job for job in batch if job is not None]
            stopping = len(jobs) < len(batch)
            last = len(jobs)
            if jobs:
                _answer(jobs, self._commit(jobs))
        self.ledger.close()

    def _commit(self, jobs: Sequence[_Job]) -> Sequence[Outcome]:
        outcomes = self._attempt(lambda: self.ledger.commit([job.entry for job in jobs]))
        if outcomes is not None:
            return outcomes
        message = f"the audit log has stopped and acknowledges nothing until it is opened again: {self.failed}"
        return [LogError(message) for _ in jobs]

    def _attempt(self, work: Callable[[], T]) -> T | None:
        """Do `work` unless something failed before. The first error that is not one record's own ends the writer, see
        `ledger`."""
        if not self.failed:
            try:
                with boundary("the audit log's writer"):
                    return work()
            except LawspeakerError as error:
                self._failed = str(error)
        return None


def _answer(jobs: Sequence[_Job], outcomes: Sequence[Outcome]) -> None:
    """Hand the outcomes over, waking each event loop once."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Receipt], Outcome]]] = defaultdict(list)
    for job, outcome in zip(jobs, outcomes, strict=True):
        by_loop[job.loop].append((job.future, outcome))
    for loop, answers in by_loop.items():
        with suppress(RuntimeError):  # the loop was closed while its callers waited: nobody is left to tell
            loop.call_soon_threadsafe(_settle, answers)


def _settle(answers: Sequence[tuple["asyncio.Future[Receipt]", Outcome]]) -> None:
    for future, outcome in answers:
        if future.done():
            continue
        if isinstance(outcome, LogError):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
