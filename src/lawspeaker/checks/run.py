"""Runs deterministic checks, each where its cost allows.

Light ones on a short exchange run where they are: handing them over would cost more than they do. Light ones on a
longer exchange run in a thread. Heavy ones, and all on a very long exchange, run in a process that can be ended
(`workers`). What is known already is not asked again (`results`).

What is not covered: Python cannot end a thread. A check of no installed kind, which a program made by itself, keeps its
thread if it never returns; and a check that says that it is light and is not holds up the deadline.
"""

import asyncio
import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from lawspeaker.checks.processes import threads
from lawspeaker.checks.processes.task import Findings, Task, unfinished
from lawspeaker.checks.processes.workers import LATE, WORKERS
from lawspeaker.checks.registry import KINDS, is_installed
from lawspeaker.checks.results import Results, content, key
from lawspeaker.checks.sieve import cleared
from lawspeaker.exchange import Exchange

# Characters of an exchange up to which light checks run where they are: a few milliseconds at most.
_LITTLE: Final = 8_192
# From here on light ones may hold up too much.
_MUCH: Final = 131_072
_KNOWN: Final = Results()


async def run(exchange: Exchange, characters: int, tasks: Sequence[Task], deadline: float) -> list[Findings]:
    """The findings of each task on an exchange of so many `characters`. What is not done by the deadline is
    unfinished."""
    digest = content(exchange)
    keys = [key(digest, task) if _has_kind(task) else None for task in tasks]
    results = _KNOWN.known(keys)
    here: list[int] = []
    apart: list[int] = []
    threaded: list[int] = []
    for index, task in enumerate(tasks):
        if results[index] is not None:
            continue
        if task.idle or (characters <= _LITTLE and task.needs.light_on(characters)):
            here.append(index)
        elif _has_kind(task) and (characters > _MUCH or not task.needs.light_on(characters)):
            apart.append(index)
        else:
            threaded.append(index)
    if here:
        due = _run(exchange, [tasks[index] for index in here])
        for index in here:
            results[index] = next(due) if time.monotonic() < deadline else (unfinished(tasks[index].job, LATE),)
    if apart or threaded:
        jobs = [tasks[index].job for index in apart]
        found = await asyncio.gather(
            _elsewhere(deadline, [tasks[index] for index in threaded], lambda some: _run(exchange, some)),
            _elsewhere(
                deadline, [tasks[index] for index in apart], lambda _: WORKERS.examine(exchange, jobs, deadline)
            ),
        )
        for index, findings in zip((*threaded, *apart), (*found[0], *found[1]), strict=True):
            results[index] = findings
    done = [findings or () for findings in results]
    _KNOWN.keep(keys, done)
    return done


def _run(exchange: Exchange, tasks: Sequence[Task]) -> Iterator[Findings]:
    for task, nothing in zip(tasks, cleared(exchange, tasks), strict=True):
        yield nothing or task.run(exchange)


def _has_kind(task: Task) -> bool:
    """Whether its kind and settings say all about the check, so that another process can make it."""
    return task.job.kind in KINDS or is_installed(task.job.kind, tuple(sys.path))


async def _elsewhere(
    deadline: float, tasks: Sequence[Task], work: Callable[[Sequence[Task]], Iterator[Findings]]
) -> list[Findings]:
    """What `work` yields for each task, in one thread: a hop for each would cost more than most checks do. What is not
    done by the deadline is unfinished, and its thread is left behind."""
    if not tasks:
        return []
    done: list[Findings] = []
    abandoned = threading.Event()
    loop, finished = asyncio.get_running_loop(), asyncio.Event()

    def go() -> None:
        for found in work(tasks):
            if abandoned.is_set():
                return
            done.append(found)
        with contextlib.suppress(RuntimeError):  # the loop has been closed: nobody waits any more
            loop.call_soon_threadsafe(finished.set)

    threads.start(go)
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline - time.monotonic()):
                await finished.wait()
    finally:
        abandoned.set()
    results = done[:]
    return results + [(unfinished(task.job, LATE),) for task in tasks[len(results) :]]
