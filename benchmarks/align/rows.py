"""What a row of self-revision costs besides the models: processor time for checks, filters, lineage and storage.

    python -m benchmarks.align.rows [--prompts 200]

The models answer at once, from the cases of the law, each time with another note: a violated answer as the draft, an
upheld one as each revision. So all the processor time is ours; that of the processes in which checks run counts.
Lineage is what names things: digests of questions and principles. It is timed apart, on the same questions.
"""

import argparse
import asyncio
import contextlib
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

from lawspeaker.align.bulk import Here, Job, fill
from lawspeaker.align.dataset import Prompt, Row, Store
from lawspeaker.align.examples import library
from lawspeaker.align.recipe import Recipe, Revising
from lawspeaker.align.reuse import asked
from lawspeaker.cli.context import load_law
from lawspeaker.deliberation import critique, revision
from lawspeaker.digest import digest
from lawspeaker.errors import ModelError
from lawspeaker.exchange import Exchange, Message, ask
from lawspeaker.models.base import PLAIN, Completion, Sampling, Terms

LAW = load_law(("infrastructure",))


class Instant:
    """Says at once what a seed picks from the cases."""

    name, digest, takes = "instant", "sha256:instant", frozenset({"seed"})

    def __init__(self, bad: Sequence[str], good: Sequence[str]) -> None:
        self.bad, self.good = bad, good

    async def complete(self, messages: Sequence[Message], sampling: Sampling, terms: Terms = PLAIN) -> Completion:
        rng, head = Random(sampling.seed), messages[0].text
        if head.startswith("You review"):
            return Completion("Violated: `the line`: it breaks the principle.", self.name)
        text = rng.choice(self.good if head.startswith("You revise") else self.bad)
        return Completion(f"{text}\n\nNote {sampling.seed}.", self.name)

    async def complete_many(
        self, prompts: Sequence[Sequence[Message]], samplings: Sequence[Sampling]
    ) -> list[Completion | ModelError]:
        return [await self.complete(p, s) for p, s in zip(prompts, samplings, strict=True)]

    async def choose(self, messages: Sequence[Message], options: Sequence[str]) -> tuple[float, ...] | None:
        return None

    async def close(self) -> None:
        """Nothing is held."""


def processor() -> float:
    """Seconds of this process and its children, which are kept as long as it is."""
    ticks = 0
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = file.read_text().rpartition(")")[2].split()
            if os.getpid() in {int(fields[1]), int(file.parent.name)}:
                ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


async def texts() -> tuple[list[str], list[str]]:
    """Answers of the law's cases, violated and upheld."""
    cases = [case for each in (await library(LAW, LAW.principles)).of.values() for case in each]
    return [case.exchange.answer for case in cases if case.account], [case.better for case in cases if case.better]


def rows(prompts: Sequence[Prompt], examples: int, folder: Path) -> tuple[float, list[Row], int]:
    """Processor seconds, the rows, and bytes on disk."""
    recipe = Recipe("rows", "", "", ("none",), revising=Revising(keep="all", examples=examples))
    bad, good = asyncio.run(texts())
    store = Store(folder / f"rows-{examples}.jsonl")
    began = processor()
    job = Job("rows", recipe, "instant", "instant")
    asyncio.run(fill(store, job, prompts, Here(LAW, lambda _: Instant(bad, good)), lambda done, of: None))
    took = processor() - began
    return took, store.read(Row), store.path.stat().st_size


def lineage(made: Sequence[Row]) -> float:
    """Processor seconds for naming what was asked for the revisions among `made`."""
    before = {row.id: row for row in made}
    some = [
        (row, critique.prompt_of(old, law), revision.prompt_of(old, law, row.account), law)
        for row in made
        if row.parent
        for law in [LAW.principle(row.principle)]
        for old in [Exchange(row.request).with_answer(before[row.parent].text)]
    ]
    began = time.process_time()
    for row, first, second, law in some:
        asked(row.critic_digest, first, row.sampling)
        asked(row.model_digest, second, row.sampling)
        digest("lawspeaker/principle/v1", law.law())
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=200)
    options = parser.parse_args()
    prompts = [Prompt(str(n), ask(f"Store the invoices of team {n}."), b"{}") for n in range(options.prompts)]
    with tempfile.TemporaryDirectory() as folder:
        rows(prompts[:32], 0, Path(folder))  # imports and caches
        (Path(folder) / "rows-0.jsonl").unlink()
        print("| few-shot examples | rows | processor ms a row | of it lineage | bytes a row |\n|--:|--:|--:|--:|--:|")
        for examples in (0, 3):
            took, made, size = rows(prompts, examples, Path(folder))
            named = lineage(made)
            n = len(made)
            print(f"| {examples} | {n} | {1e3 * took / n:.2f} | {1e3 * named / n:.3f} ms | {size / n:,.0f} |")


if __name__ == "__main__":
    main()
