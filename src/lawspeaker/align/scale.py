"""The bulk stages on Ray Data: any number of workers, each with the stage's models, on this machine or a cluster.

A worker is given batches by their place and gives back lines; they are stored in the order of the prompts, so the
dataset is that of one process. Ray restarts a worker that dies and hands its batch to another. With `RAY_ADDRESS` in
the environment the workers are those of that cluster, where every folder that the recipe names must be in the same
place; without it they run here and end with this process.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from lawspeaker.align.bulk import Job, Lines, engine_of, lines_of
from lawspeaker.align.dataset import Prompt
from lawspeaker.align.self_revision import Engine
from lawspeaker.checks.registry import KINDS
from lawspeaker.constitution.load import load
from lawspeaker.constitution.schema import Constitution
from lawspeaker.errors import BoundaryError, InputError, ModelError, boundary
from lawspeaker.models.address import open_model

_ENCODER: Final = msgspec.json.Encoder()
_STARTS: Final = 3


@dataclass(frozen=True)
class Workers:
    """`count` workers on Ray. They read the law of that digest themselves, from `folder`."""

    law: Constitution
    count: int
    folder: str

    async def __call__(self, job: Job, batches: Sequence[Sequence[Prompt]]) -> AsyncIterator[Lines]:
        _prepare()
        import ray
        from ray.exceptions import RayError

        if not ray.is_initialized():
            _start(self.count)
        try:
            rows = iter(self._made(job, batches).iter_rows())
            for _ in batches:
                row = await asyncio.to_thread(next, rows, None)
                if row is None:
                    raise ModelError("the workers made fewer batches than they were given")
                yield row["lines"].split(b"\n")
        except RayError as error:
            last = str(error).strip().splitlines()[-1]
            raise ModelError(f"a worker failed: {last}") from None

    def _made(self, job: Job, batches: Sequence[Sequence[Prompt]]) -> Any:
        """The dataset of all batches' lines, in order; nothing runs yet."""
        import ray
        from ray.data import ActorPoolStrategy, DataContext

        context = DataContext.get_current()
        context.execution_options.preserve_order = True
        context.enable_progress_bars = False
        for name in ("ray", "ray.data"):  # what fails is said in one line, by us
            logging.getLogger(name).setLevel(logging.CRITICAL)
        items = [{"prompts": _ENCODER.encode(batch)} for batch in batches]
        local = any(address == "nano" or address.startswith("local:") for address in (job.model, job.critic))
        cards = ray.cluster_resources().get("GPU", 0) if local else 0  # type: ignore[no-untyped-call]
        return ray.data.from_items(items, override_num_blocks=len(items)).map_batches(
            Worker,
            fn_constructor_args=(_ENCODER.encode(job), self.law.digest, self.folder),
            batch_size=1,
            compute=ActorPoolStrategy(size=self.count),
            num_cpus=1,
            num_gpus=min(1.0, cards / self.count),
        )


class Worker:
    """What runs in a worker's process: a batch in, its lines out."""

    def __init__(self, job: bytes, law: str, folder: str) -> None:
        os.chdir(folder)
        self.job = msgspec.json.decode(job, type=Job)
        self.law = load(self.job.recipe.constitution, kinds=KINDS)
        if self.law.digest != law:
            raise InputError(f"{self.job.recipe.constitution}: a worker reads another law than the run's")
        self.engine: Engine | None = None

    async def __call__(self, batch: Mapping[str, Sequence[bytes]]) -> AsyncIterator[dict[str, list[bytes]]]:
        if self.engine is None:
            self.engine = await engine_of(self.job, self.law, open_model)
        for prompts in batch["prompts"]:
            lines = await lines_of(self.job.stage, self.engine, msgspec.json.decode(prompts, type=tuple[Prompt, ...]))
            yield {"lines": [b"\n".join(lines)]}


def _prepare() -> None:
    """What Ray reads from the environment as it is imported: it reports its use to nobody, its workers do not stand
    back behind all other processes, and one that is started here hears this machine alone (the variable is named after
    the systems where that is the default)."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_worker_niceness", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    if not os.environ.get("RAY_ADDRESS"):
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")


def _start(count: int) -> None:
    """Ray, without its dashboard. It gives itself 30 s, which a busy machine may overrun."""
    import ray

    how: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    if not os.environ.get("RAY_ADDRESS"):
        how |= {"num_cpus": count, "include_dashboard": False}
    for left in reversed(range(_STARTS)):
        try:
            with boundary("Ray"):
                ray.init(**how)
        except BoundaryError as error:
            ray.shutdown()
            if not left:
                raise ModelError(f"Ray does not start: {str(error.__cause__).partition('. ')[0]}") from None
        else:
            return
