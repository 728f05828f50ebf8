"""Threads that are used again, for work that may never come back.

A thread is lent to one piece of work at a time and is idle again when that is done. Work that hangs keeps its thread;
nobody waits for it, and the next piece of work gets another.
"""

import os
import queue
import threading
from collections import deque
from collections.abc import Callable
from typing import Final

_MOST_IDLE: Final = 8  # more than these end when they are done


def start(work: Callable[[], None]) -> None:
    """Run `work` in an idle thread, or in a new one where there is none."""
    try:
        thread = _IDLE.pop()
    except IndexError:
        thread = _Thread()
    thread.run(work)


class _Thread:
    def __init__(self) -> None:
        self._next: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        # A daemon, so that work that hangs does not keep the process from ending.
        threading.Thread(target=self._loop, name="checks", daemon=True).start()

    def run(self, work: Callable[[], None]) -> None:
        self._next.put(work)

    def _loop(self) -> None:
        while True:
            work = self._next.get()
            work()
            del work  # it holds the texts that it read
            if len(_IDLE) >= _MOST_IDLE:
                return
            _IDLE.append(self)


_IDLE: Final[deque[_Thread]] = deque()
# A child that was forked has the list, but none of the threads.
os.register_at_fork(after_in_child=_IDLE.clear)
