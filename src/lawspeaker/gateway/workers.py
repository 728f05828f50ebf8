"""Several processes that serve one address, and one that owns the log.

    supervisor ── forks ──► the holder of the log, and N workers, which append through it (`writer.sock`)

The supervisor serves nothing and has no threads, so that it can fork at any time: what dies is started again. A pipe
that only the supervisor can write to tells the workers when it has gone, and one that supervisor and workers share
tells the holder when nobody is left who could append: however the processes end, the log is closed last.
"""

import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final, NoReturn

import msgspec

from lawspeaker.errors import LawspeakerError, boundary

_SOON: Final = 1.0  # seconds before a process that did not last that long is started again
_KILLED: Final = 35.0  # seconds after which what has not ended is killed; a worker's own patience is shorter
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)


class Post(msgspec.Struct, frozen=True):
    """What a process is given: `life` ends (reads nothing) when it should; `report` takes one message."""

    life: int
    report: int

    def ready(self) -> None:
        """It serves."""
        os.write(self.report, _line(_Report()))


class _Report(msgspec.Struct, frozen=True):
    """What a process says once: that it is ready, or in one line why it is not."""

    error: str = ""
    code: int = 2


class _Child(msgspec.Struct):
    """One process. `run` is what it does; `pid` 0 is none at the moment."""

    name: str
    run: Callable[[Post], None]
    pid: int = 0
    report: int = -1
    began: float = 0.0
    again: float = 0.0  # when it may be started again


class StartError(LawspeakerError):
    """A process that could not begin, in its own words."""

    def __init__(self, words: str, code: int) -> None:
        super().__init__(words)
        self.exit_code = code


class Supervisor:
    """Runs `holder` and `workers` until SIGINT or SIGTERM. `ready` is called when all of them are, `say` is told what
    happens to them, `close` gives up what only children need (listening sockets) when it is told to stop."""

    def __init__(
        self,
        holder: Callable[[Post], None],
        workers: Sequence[Callable[[Post], None]],
        *,
        ready: Callable[[], None],
        say: Callable[[str], None],
        close: Callable[[], None],
    ) -> None:
        self._holder = _Child("the holder of the log", holder)
        self._workers = [_Child(f"worker {number}", run) for number, run in enumerate(workers, 1)]
        self._ready, self._say, self._close = ready, say, close
        self._life, self._users = os.pipe(), os.pipe()
        self._asked = 0  # times that it was told to stop

    def run(self) -> None:
        """Returns when every process has ended; raises `StartError` if one could not begin."""
        with self._awake() as wake:
            try:
                for child in (self._holder, *self._workers):
                    self._start(child)
                    if child is self._holder:
                        self._await_ready(child, wake)
                for child in self._workers:
                    self._await_ready(child, wake)
                if not self._asked:
                    self._ready()
                while not self._asked:
                    self._sleep(wake, 0.5)
                    self._restart()
            finally:
                self._stop(wake)

    def _restart(self) -> None:
        """Start again what has died."""
        for child in (self._holder, *self._workers):
            if child.pid and (ended := _ended(child.pid)) is not None:
                lasted = time.monotonic() - child.began
                child.again = time.monotonic() + (_SOON if lasted < _SOON else 0)
                why = _said(child.report).error
                self._forget(child)
                self._say(f"{child.name} {_how(ended)}; it is started again{f' ({why})' if why else ''}")
            if not child.pid and not self._asked and time.monotonic() >= child.again:
                self._start(child)

    def _stop(self, wake: int) -> None:
        """Workers finish what they answer, then the holder closes the log. Asked again, they end at once."""
        self._close()
        os.close(self._life[1])
        self._signal(signal.SIGTERM)
        told, end = self._asked, time.monotonic() + _KILLED
        while left := [child for child in self._workers if child.pid]:
            for child in left:
                if _ended(child.pid) is not None:
                    self._forget(child)
            if self._asked > max(told, 1):
                told = self._asked
                self._signal(signal.SIGQUIT)
            if time.monotonic() > end:
                self._signal(signal.SIGKILL)
            if any(child.pid for child in self._workers):
                self._sleep(wake, 0.05)
        os.close(self._users[1])
        end = time.monotonic() + _KILLED
        while self._holder.pid and _ended(self._holder.pid) is None:
            if time.monotonic() > end:
                os.kill(self._holder.pid, signal.SIGKILL)
            self._sleep(wake, 0.05)
        for descriptor in (self._life[0], self._users[0]):
            os.close(descriptor)

    def _start(self, child: _Child) -> None:
        report, told = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            self._begin(child, told)
        os.close(told)
        child.pid, child.report, child.began = pid, report, time.monotonic()

    def _begin(self, child: _Child, told: int) -> NoReturn:
        """In the new process. Never returns: what the supervisor's callers would do is not this one's to do."""
        code = 70
        try:
            signal.set_wakeup_fd(-1)
            for each in _SIGNALS:
                signal.signal(each, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the supervisor passes it on
            os.close(self._life[1])
            life = self._life[0]
            if child is self._holder:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it ends when nobody is left who could append
                os.close(self._users[1])
                life = self._users[0]
                self._close()
            post = Post(life, told)
            try:
                with boundary(child.name):
                    child.run(post)
                code = 0
            except LawspeakerError as error:
                code = error.exit_code
                with suppress(OSError):
                    os.write(told, _line(_Report(str(error) or "it could not begin", code)))
        finally:
            os._exit(code)

    def _await_ready(self, child: _Child, wake: int) -> None:
        while not self._asked:
            if child.report in select.select([child.report, wake], [], [], 1.0)[0]:
                said = _said(child.report)
                if said.error:
                    raise StartError(said.error, said.code)
                return
            _drain(wake)

    def _forget(self, child: _Child) -> None:
        os.close(child.report)
        child.pid = 0

    def _signal(self, number: signal.Signals) -> None:
        for child in self._workers:
            if child.pid:
                with suppress(ProcessLookupError):
                    os.kill(child.pid, number)

    @contextmanager
    def _awake(self) -> Iterator[int]:
        """A descriptor that can be read when a signal has come; those that stop are counted."""

        def stop(number: int, frame: object) -> None:
            self._asked += 1

        wake, rung = os.pipe()
        for each in (wake, rung):
            os.set_blocking(each, False)
        before = {number: signal.getsignal(number) for number in _SIGNALS}
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(rung)
        try:
            yield wake
        finally:
            signal.set_wakeup_fd(-1)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(wake)
            os.close(rung)

    def _sleep(self, wake: int, seconds: float) -> None:
        if select.select([wake], [], [], seconds)[0]:
            _drain(wake)


def _said(report: int) -> _Report:
    """What a process reported last. One that ended without a word was not ready."""
    lines = os.read(report, 65_536).splitlines()
    return msgspec.json.decode(lines[-1], type=_Report) if lines else _Report("it ended before it was ready", 70)


def _line(report: _Report) -> bytes:
    return msgspec.json.encode(report) + b"\n"


def _drain(wake: int) -> None:
    with suppress(BlockingIOError):
        while os.read(wake, 512):
            pass


def _ended(pid: int) -> int | None:
    """How a process ended, as `waitpid` says it; None while it runs."""
    try:
        found, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return 0
    return status if found else None


def _how(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"was ended by signal {os.WTERMSIG(status)}"
    return f"ended with code {os.WEXITSTATUS(status)}"
