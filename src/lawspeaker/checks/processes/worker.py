"""The process in which heavy checks run, so that they can be ended. `workers` starts it; nothing else should.

    python -P -m lawspeaker.checks.processes.worker SOCKET SECONDS MEGABYTES

SOCKET is the number of an open connection. An order on it is an exchange and the jobs to do; each is answered by its
findings, or by a reason why there are none, and with whether this process should be used again. The system ends it when
a check takes more than SECONDS of processor time, and refuses it memory beyond MEGABYTES more than it has at its start.
When whoever started it ends, its standard input does, and it follows.
"""

import os
import pickle
import resource
import signal
import sys
import threading
from functools import lru_cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from lawspeaker.checks.processes.task import Answer, Job, examined, written_answer
from lawspeaker.checks.registry import KINDS, extended
from lawspeaker.constitution.kinds import Check
from lawspeaker.errors import LawspeakerError, boundary
from lawspeaker.exchange import Exchange

READY: Final = b"ready"
# A process that has grown by so many megabytes is not used again: what it keeps to be quick would stay for good.
_GROWN: Final = 256
_STATUS: Final = Path("/proc/self/statm")
_PEAK: Final = Path("/proc/self/status")


def main(socket: int, seconds: float, megabytes: int) -> None:
    threading.Thread(target=_follow, daemon=True).start()
    orders = Connection(socket)
    _limit(megabytes)
    before = _peak()
    orders.send_bytes(READY)
    while True:
        try:
            exchange, jobs = pickle.loads(orders.recv_bytes())
        except EOFError:
            return
        for job in jobs:
            # The signal that nobody catches: it also ends code that never comes back to Python.
            signal.setitimer(signal.ITIMER_PROF, seconds)
            answer = _answer(exchange, job, megabytes, before)
            signal.setitimer(signal.ITIMER_PROF, 0)
            orders.send_bytes(answer)


def _answer(exchange: Exchange, job: Job, megabytes: int, before: int) -> bytes:
    try:
        check = _prepared(job.kind, job.principle, pickle.dumps(job.settings))
        with boundary(f"the check '{job.kind}'"):
            found = examined(job, check, exchange)
            return written_answer(Answer(found, again=_again(before)))  # a finding may hold what no text can
    except LawspeakerError as error:
        reason = f"{error}."
        if isinstance(error.__cause__, MemoryError):
            reason = f"The check was ended: it needs more than {megabytes} MB of memory."
        return written_answer(Answer((), reason, again=_again(before)))


def _again(before: int) -> bool:
    return _peak() - before < _GROWN


@lru_cache(maxsize=512)
def _prepared(kind: str, principle: str, settings: bytes) -> Check:
    kinds = KINDS if kind in KINDS else extended([kind])
    with boundary(f"the check kind '{kind}'"):
        return kinds[kind].prepare(pickle.loads(settings), principle)


def _follow() -> None:
    os.read(0, 1)
    os._exit(0)


def _limit(megabytes: int) -> None:
    if _STATUS.exists():  # elsewhere the system does not say how much there is, or does not hold to the limit
        pages = int(_STATUS.read_text(encoding="ascii").split()[0])
        most = pages * resource.getpagesize() + megabytes * 1024 * 1024
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _peak() -> int:
    """Megabytes of memory that this process had at its most.

    `getrusage` counts what the parent had when it made this process (Linux keeps that over exec); `VmHWM` does not.
    """
    if _PEAK.exists():
        found = next(line for line in _PEAK.read_text(encoding="ascii").split("\n") if line.startswith("VmHWM:"))
        return int(found.split()[1]) // 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most // (1024 * 1024 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))
