"""Processes in which heavy checks run, and their limits.

A process is started when one is needed, does one exchange at a time, and is kept for the next. A check that takes too
much time or memory, or that ends the process, costs its own findings only: the process is replaced, and the checks
after it run. What is not covered: a check can do to the machine what any code of the same user can.
"""

import atexit
import contextlib
import os
import pickle
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from multiprocessing.connection import Connection
from typing import Final

from lawspeaker.checks.processes import worker
from lawspeaker.checks.processes.task import Findings, Job, read_answer, unfinished, validated
from lawspeaker.errors import LawspeakerError, boundary
from lawspeaker.exchange import Exchange

LATE: Final = "The time for this assessment was over before the check was done."
# Of processor time, for one check: the slowest input known takes the slowest check two seconds.
_SECONDS: Final = 10.0
# By the clock, for one check: one that waits takes no processor time.
_PATIENCE: Final = 60.0
# Above what a process has at its start. The most that a built-in check needed on the worst inputs known is a tenth.
_MEGABYTES: Final = 1024
_START: Final = 30.0  # seconds
_END: Final = 1.0  # from what it says last
# Bytes of what it says to one job: a thousand times what a check that finds much does.
_LONGEST: Final = 64 << 20
_NOT_STARTED: Final = "No process for the check could be started."


# What a process of checks is told of this one's environment; keys of models and clients are not among it.
_TOLD: Final = re.compile(r"PATH|HOME|LANG|TMPDIR|TZ|LD_LIBRARY_PATH|(PYTHON|LC_|OMP_|OPENBLAS_).*")


class _EndedError(Exception):
    """The process gives no findings for the check that it was doing."""


class _NotStartedError(Exception):
    """There is no process."""


class Workers:
    """At most `most` processes. All methods may be called from several threads at once."""

    def __init__(
        self, most: int, *, seconds: float = _SECONDS, patience: float = _PATIENCE, megabytes: int = _MEGABYTES
    ) -> None:
        self._most, self._seconds, self._patience, self._megabytes = most, seconds, patience, megabytes
        self._room = threading.BoundedSemaphore(most)
        self._idle: deque[_Worker] = deque()

    def examine(self, exchange: Exchange, jobs: Sequence[Job], deadline: float) -> Iterator[Findings]:
        """The findings of each job, one after another; blocks. A caller that closes it ends what is being done."""
        done = 0
        room = self._room
        if room.acquire(timeout=max(0.0, deadline - time.monotonic())):
            try:
                while done < len(jobs) and time.monotonic() < deadline:
                    with contextlib.closing(self._first(exchange, jobs[done:], deadline)) as first:
                        for found in first:
                            done += 1
                            yield found
            finally:
                room.release()
        yield from ((unfinished(job, LATE),) for job in jobs[done:])

    def _first(self, exchange: Exchange, jobs: Sequence[Job], deadline: float) -> Generator[Findings]:
        """The findings of the first jobs, at least of one; not of all where a process was used up."""
        done = 0
        process: _Worker | None = None
        try:
            process = self._taken()
            process.order(exchange, jobs)
            for job in jobs:
                answer, again = process.answer(job, deadline)
                done += 1
                yield (unfinished(job, answer),) if isinstance(answer, str) else answer
                if not again:
                    return
            self._idle.append(process)
            process = None
        except _EndedError as ended:
            yield (unfinished(jobs[done], str(ended)),)
        except _NotStartedError:
            yield from ((unfinished(job, _NOT_STARTED),) for job in jobs)
        finally:
            if process is not None:
                process.end()

    def _taken(self) -> "_Worker":
        with contextlib.suppress(IndexError):
            return self._idle.pop()
        return _Worker(self._seconds, self._patience, self._megabytes)

    def close(self) -> None:
        """End the processes that wait. Those that work end with this one."""
        with contextlib.suppress(IndexError):
            while True:
                self._idle.pop().end()

    def forget(self) -> None:
        """For a child that was forked: the processes are its parent's, and nobody here holds the room."""
        for process in self._idle:
            process.forget()
        self._idle.clear()
        self._room = threading.BoundedSemaphore(self._most)


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if _TOLD.fullmatch(name)}


class _Worker:
    def __init__(self, seconds: float, patience: float, megabytes: int) -> None:
        ours, theirs = socket.socketpair()
        for wait in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):  # for a message that is begun and not finished
            ours.setsockopt(socket.SOL_SOCKET, wait, struct.pack("@ll", int(patience) + 1, 0))
        self._orders = Connection(ours.detach())
        self._seconds, self._patience = seconds, patience
        # Without the current folder among the paths, so that nothing that lies there is run.
        paths = os.pathsep.join(path for path in sys.path if path)
        command = [sys.executable, "-P", "-m", worker.__name__, str(theirs.fileno()), str(seconds), str(megabytes)]
        try:
            with theirs:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env={**_environment(), "PYTHONPATH": paths},
                    pass_fds=(theirs.fileno(),),
                    start_new_session=True,  # an interrupt from the terminal is for us
                )
        except OSError:
            self._orders.close()
            raise _NotStartedError from None
        with contextlib.suppress(EOFError, OSError):
            if self._orders.poll(_START) and self._orders.recv_bytes() == worker.READY:
                return
        self.end()
        raise _NotStartedError

    def order(self, exchange: Exchange, jobs: Sequence[Job]) -> None:
        with contextlib.suppress(OSError):  # it has ended, and its answer says so
            self._orders.send_bytes(pickle.dumps((exchange, tuple(jobs))))

    def answer(self, job: Job, deadline: float) -> tuple[Findings | str, bool]:
        """What it says to `job`, the next one, and whether it may be used again."""
        left = deadline - time.monotonic()
        if not self._orders.poll(max(0.0, min(left, self._patience))):
            late = left <= self._patience
            raise _EndedError(LATE if late else f"The check was ended: it took more than {self._patience:g} s.")
        try:
            data = self._orders.recv_bytes(_LONGEST)
        except (EOFError, OSError):
            raise _EndedError(f"The check was ended: {self._end()}.") from None
        try:
            with boundary("reading what the check says"):
                said = read_answer(data)
                return (said.failed if said.failed else validated(job, said.findings)), said.again
        except LawspeakerError as error:
            raise _EndedError(f"{error}.") from None

    def _end(self) -> str:
        """How it ended by itself."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END)
        code = self._process.returncode
        if code is None:
            return "it said something else than findings"
        if code == -signal.SIGPROF:
            return f"it took more than {self._seconds:g} s of processor time"
        return f"it broke off (signal {-code})" if code < 0 else f"it broke off (exit {code})"

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self.forget()

    def forget(self) -> None:
        self._orders.close()
        if self._process.stdin:
            self._process.stdin.close()
        if self._process.returncode is None:
            self._process.returncode = 0  # nobody here waits for it


WORKERS: Final = Workers(max(2, min(4, os.cpu_count() or 1)))
os.register_at_fork(after_in_child=WORKERS.forget)
atexit.register(WORKERS.close)
