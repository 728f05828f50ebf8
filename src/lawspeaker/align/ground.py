"""Where a run happens: its folder, who tells how far it is, and which of several processes does what.

Under `accelerate launch` every process trains, and the first one does all the rest; the others wait for its files.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from os import environ
from pathlib import Path
from threading import Event
from typing import Final, TypeVar

import msgspec

from lawspeaker.align.recipe import Recipe
from lawspeaker.constitution.schema import Constitution
from lawspeaker.errors import InputError

T = TypeVar("T")
Observe = Callable[[str, int, int], None]
_OUT_OF_MEMORY: Final = re.compile(r"out of memory|can't allocate memory", re.IGNORECASE)  # as torch says it
_PAUSE: Final = 0.2  # seconds between two looks for a file of the first process


def is_first() -> bool:
    """Whether this is the first of the processes that `accelerate launch` started, or the only one."""
    return environ.get("RANK", "0") == "0"


class Interrupted(BaseException):
    """Ends a training thread after the step in which whoever waits for it gave up."""


@dataclass(frozen=True)
class Ground:
    """One recipe in one folder. `root` is where the recipe's commands run and its files lie."""

    recipe: Recipe
    law: Constitution
    folder: Path
    root: Path
    observe: Observe
    _given_up: Event = field(default_factory=Event)

    @property
    def first(self) -> bool:
        return is_first()

    async def until(self, name: str) -> None:
        """Other processes than the first wait here for what it leaves."""
        while not self.first and not (self.folder / name).exists():
            await asyncio.sleep(_PAUSE)

    async def aside(self, job: Callable[[], T]) -> T:
        """A job that takes long, in a thread, so that others can be waited for while it runs."""
        try:
            return await asyncio.to_thread(job)
        except asyncio.CancelledError:
            self._given_up.set()
            raise
        except (MemoryError, RuntimeError) as error:
            if not isinstance(error, MemoryError) and not _OUT_OF_MEMORY.search(str(error)):
                raise
            hint = "lower `micro`, or train less with lora: {}"
            raise InputError(f"training ran out of memory; {hint}, in a run of its own") from None

    def step(self, stage: str, what: str = "loss") -> Callable[[int, int, float], None]:
        def seen(step: int, steps: int, value: float) -> None:
            if self._given_up.is_set():
                raise Interrupted
            self.observe(f"{stage}, {what} {value:.3f}", step, steps)

        return seen

    def has(self, name: str) -> bool:
        return (self.folder / name).exists()

    def write(self, name: str, value: object) -> None:
        """A file as a whole, by the first process."""
        if self.first:
            fresh = self.folder / f"{name}.new"
            fresh.write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
            fresh.replace(self.folder / name)

    def read(self, name: str, kind: type[T]) -> T:
        return msgspec.json.decode((self.folder / name).read_bytes(), type=kind)
