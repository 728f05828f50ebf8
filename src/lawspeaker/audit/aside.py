"""A thread beside its owner's, for one piece of work at a time: starting and awaiting it costs next to nothing."""

import queue
import threading
from collections.abc import Callable

from lawspeaker.errors import LawspeakerError, boundary

Work = Callable[[], None]


class Aside:
    """Runs work that its owner starts and then awaits, before it starts the next."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._given: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[LawspeakerError | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def start(self, work: Work) -> None:
        """Begin `work`."""
        self._given.put(work)

    def finish(self) -> LawspeakerError | None:
        """Wait for the end of the work; what it failed of, if it did."""
        return self._done.get()

    def close(self) -> None:
        """Let the thread end, once its work is done."""
        self._given.put(None)
        self._thread.join()

    def _run(self) -> None:
        while work := self._given.get():
            try:
                with boundary(self._name):
                    work()
            except LawspeakerError as error:
                self._done.put(error)
            else:
                self._done.put(None)
