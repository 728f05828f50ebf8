"""The bulk stages: drafts with their revisions, samples of helpfulness, pairs with their labels.

What a stage does with a batch of prompts depends on nothing but the recipe, the law, the models and the prompts in it;
so batches may be worked on here or by any number of workers (`scale`), and are stored in the order of the prompts.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from lawspeaker.align.dataset import Prompt, Store
from lawspeaker.align.drawing import drawn_from
from lawspeaker.align.examples import Library, library
from lawspeaker.align.preferences import pairs_of
from lawspeaker.align.recipe import Recipe
from lawspeaker.align.reuse import Reusing, known
from lawspeaker.align.self_revision import Engine
from lawspeaker.constitution.schema import Constitution
from lawspeaker.models.base import Model

Stage = Literal["rows", "helpful", "pairs"]
Open = Callable[[str], Model]
Lines = list[bytes]


class Job(msgspec.Struct, frozen=True):
    """A stage, by what it takes to set it up anywhere: addresses, not models. `reuse` is the folder of an earlier
    run."""

    stage: Stage
    recipe: Recipe
    model: str
    critic: str
    reuse: str = ""


class Work(Protocol):
    """Works on batches: the lines of each, in the order of the batches."""

    def __call__(self, job: Job, batches: Sequence[Sequence[Prompt]]) -> AsyncIterator[Lines]: ...


async def engine_of(job: Job, law: Constitution, open_model: Open) -> Engine:
    """The engine of a job; models of one address are one."""
    earlier = known(Path(job.reuse) if job.reuse else None)
    model = Reusing(open_model(job.model), earlier)
    critic = model if job.critic == job.model else Reusing(open_model(job.critic), earlier)
    how = job.recipe.labels if job.stage == "pairs" else job.recipe.revising
    names = job.recipe.labels.principles if job.stage == "pairs" else ()
    cases = await library(law, drawn_from(law, names or job.recipe.principles)) if how.examples else Library()
    return Engine(job.recipe, law, model, critic, cases)


async def close(engine: Engine) -> None:
    await engine.model.close()
    if engine.critic is not engine.model:
        await engine.critic.close()


async def lines_of(stage: Stage, engine: Engine, prompts: Sequence[Prompt]) -> Lines:
    """What a stage makes of one batch."""
    work: dict[Stage, Callable[[], Awaitable[Sequence[msgspec.Struct]]]] = {
        "rows": lambda: engine.batch(prompts),
        "helpful": lambda: engine.helpful(prompts),
        "pairs": lambda: pairs_of(engine, prompts),
    }
    return [msgspec.json.encode(row) for row in await work[stage]()]


@dataclass(frozen=True)
class Here:
    """Works in this process, one batch after another."""

    law: Constitution
    open: Open

    async def __call__(self, job: Job, batches: Sequence[Sequence[Prompt]]) -> AsyncIterator[Lines]:
        engine = await engine_of(job, self.law, self.open)
        try:
            for batch in batches:
                yield await lines_of(job.stage, engine, batch)
        finally:
            await close(engine)


async def fill(
    store: Store,
    job: Job,
    prompts: Sequence[Prompt],
    work: Work,
    observe: Callable[[int, int], None],
) -> None:
    """The stage's rows of all `prompts`, from the last whole batch on."""
    size = job.recipe.batch
    batches = [prompts[at : at + size] for at in range(0, len(prompts), size)]
    done = store.resume([sum(_rows_of(job, prompt) for prompt in batch) for batch in batches])
    observe(done, len(batches))
    if done == len(batches):
        return
    async for lines in work(job, batches[done:]):
        store.append(lines)
        done += 1
        observe(done, len(batches))


def _rows_of(job: Job, prompt: Prompt) -> int:
    """How many rows the stage makes of one prompt."""
    helpful = job.recipe.helpful
    if job.stage == "helpful" and helpful:
        return 1 if prompt.answer else helpful.responses
    return job.recipe.revising.rounds + 1 if job.stage == "rows" else 1
