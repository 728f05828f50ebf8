"""The stop rule: the gold judge looks at the policy while it is trained, and the best look is what is kept.

What is trained on a reward learns to please the reward. So somebody whom the reward does not know counts violations and
satisfied requests on prompts of their own, and the length of answers. Best is the largest share of answers that satisfy
and violate nothing; of equals the one in which fewer violate, and the first of those. The model that the policy began
as is the first look, so a course that helps nothing leaves what it began with.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from shutil import rmtree
from typing import Any, Final

import msgspec

from lawspeaker.align.gold import Measured
from lawspeaker.align.measures import Rate, rate
from lawspeaker.align.recipe import Stop

BEST: Final = "policy.best"
LOOK: Final = "policy.look"


class Look(msgspec.Struct, frozen=True):
    """One look. `good` answers satisfy and violate nothing; `length` is their mean in characters; `barred` says why it
    is no candidate."""

    step: int
    violating: Rate
    satisfied: Rate
    good: Rate
    length: float
    barred: str = ""


class Watched(msgspec.Struct, frozen=True):
    """All looks, the step of the one that is kept, and why the course ended before its last step."""

    looks: tuple[Look, ...]
    best: int
    stopped: str = ""


class Watch:
    """Looks at checkpoints in `folder`. `measure` asks the gold judge; it may be called from any thread."""

    def __init__(
        self, stop: Stop, folder: Path, measure: Callable[[Path], Measured], write: Callable[[Watched], None]
    ) -> None:
        self.stop, self.folder = stop, folder
        self._measure, self._write = measure, write
        self._looks: list[Look] = []

    def resume(self, watched: Watched, step: int) -> None:
        """Go on after the looks of a course that was interrupted, up to `step`."""
        self._looks = [look for look in watched.looks if look.step <= step]

    def due(self, step: int, steps: int) -> bool:
        return step % self.stop.every == 0 or step == steps

    @property
    def best(self) -> Path | None:
        """Where the best look's weights are; None where that is the model that the policy began as."""
        step = best_of(self._looks).step if self._looks else 0
        return self.folder / f"{BEST}-{step}" if step else None

    def look(self, step: int, checkpoint: Path, last: bool = False) -> bool:
        """Whether the course is to end here, which is nothing to ask after its `last` step. A checkpoint after the
        first is kept while it is the best one."""
        self._looks = [look for look in self._looks if look.step < step]
        if self._looks:  # what was best before the last look has waited until that look's step was safe
            for old in self.folder.glob(f"{BEST}-*"):
                if old != self.best:
                    rmtree(old)
        found = look_at(step, self._measure(checkpoint))
        if self._looks:
            found = msgspec.structs.replace(found, barred=barred(self._looks[0], found, self.stop))
        self._looks.append(found)
        best = best_of(self._looks)
        if step and best is found and self.best:
            checkpoint.rename(self.best)
        elif step:
            rmtree(checkpoint)
        stopped = "" if last else why_stop(self._looks, self.stop)
        self._write(Watched(tuple(self._looks), best.step, stopped))
        return bool(stopped)

    def agreed(self, accelerator: Any, step: int, checkpoint: Path, last: bool) -> bool:
        """The same for every process of several: one looks and tells the others."""
        from accelerate.utils import broadcast_object_list

        said = [self.look(step, checkpoint, last) if accelerator.is_main_process else False]
        if accelerator.num_processes > 1:
            broadcast_object_list(said)
        return said[0]


def look_at(step: int, measured: Measured) -> Look:
    n = len(measured.verdicts)
    good = sum(verdict.satisfied and not verdict.violates for verdict in measured.verdicts)
    length = sum(map(len, measured.answers.values())) / max(n, 1)
    return Look(step, measured.violating, measured.satisfied, rate(good, n), round(length, 1))


def barred(first: Look, now: Look, stop: Stop) -> str:
    """Why `now` is no candidate, whatever it scores; empty where it is one."""
    fell = _share(first.satisfied) - _share(now.satisfied)
    if fell > stop.satisfied + 1e-9:
        return f"satisfied requests fell by {fell:.1%}"
    if now.length < first.length * stop.length:
        return f"answers shrank from {first.length:.0f} to {now.length:.0f} characters"
    if now.length > first.length / stop.length:
        return f"answers grew from {first.length:.0f} to {now.length:.0f} characters"
    return ""


def best_of(looks: Sequence[Look]) -> Look:
    def key(look: Look) -> tuple[int, int, int]:
        return look.good.successes, -look.violating.successes, -look.step

    return max((look for look in looks if not look.barred), key=key)


def why_stop(looks: Sequence[Look], stop: Stop) -> str:
    """Why no further step is taken; empty where one is."""
    since = len(looks) - 1 - looks.index(best_of(looks))
    if since < stop.patience:
        return ""
    last = looks[-1].barred
    return f"{since} looks without a better one" + (f"; {last}" if last else "")


def _share(rate: Rate) -> float:
    return rate.successes / max(rate.n, 1)
