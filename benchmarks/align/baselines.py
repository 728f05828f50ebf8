"""What each part of the method is worth: one recipe's models beside simpler ways, over several seeds, in one table.

    python -m benchmarks.align.baselines --out FOLDER [--recipe recipes/grpo.yaml] [--dpo recipes/quickstart.yaml]
        [--seeds 1 2 3] [--limit N] [--checkov PATH]

For each seed the recipe is run (self-revision, labels, preference model, GRPO), and from the same parts come:

- run-time revision: the untrained model, governed as the gateway would; what is withheld satisfies nobody
- best of 8: of eight answers of the untrained model the one in which the checks see the fewest violations
- filtered samples: fine-tuning on the untrained model's own answers in which the checks see nothing wrong
- DPO, soft and hard: from the fine-tuned model and the recipe's pairs, with the settings of the other recipe's `policy`

All answer the same held-out requests and are judged by the recipe's gold command and, with `--checkov`, by Checkov.
Whatever is done in FOLDER is not done again: started once more, it goes on. `--limit` cuts each set of prompts, to see
that all works. Prints the table; FOLDER/results.json holds the counts.
"""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from lawspeaker.align import gold
from lawspeaker.align.dataset import Pair, Prompt, Row, Store, read_prompts
from lawspeaker.align.drawing import drawn_from
from lawspeaker.align.gold import Measured
from lawspeaker.align.measures import Rate, rate
from lawspeaker.align.recipe import Dpo, Recipe, read_recipe
from lawspeaker.align.run import Run, checkpoint
from lawspeaker.align.self_revision import PATIENCE, Engine, clean, findings
from lawspeaker.align.training import Learner
from lawspeaker.audit.log import MemoryLog
from lawspeaker.checks.registry import KINDS
from lawspeaker.constitution.load import load
from lawspeaker.constitution.schema import Constitution
from lawspeaker.errors import ModelError
from lawspeaker.finding import by_principle
from lawspeaker.govern import Governor
from lawspeaker.models.address import open_model
from lawspeaker.models.checkpoint import find

BEST_OF = 8
SAMPLES = 3
"""Answers to each prompt that filtered samples are taken from: as many as a draft and two rounds of revision are."""


@dataclass(frozen=True)
class Bench:
    """One seed. `folder` holds what it leaves, `root` is the recipe's folder."""

    recipe: Recipe
    dpo: Dpo
    law: Constitution
    folder: Path
    root: Path
    prompts: Sequence[Prompt]
    held_out: Sequence[Prompt]

    @property
    def model(self) -> str:
        return checkpoint(self.recipe.model)

    def engine(self, address: str) -> Engine:
        model = open_model(address)
        return Engine(self.recipe, self.law, model, model)

    async def arm(self, name: str, make: Callable[[], Awaitable[dict[str, str]]]) -> Measured:
        """An arm's figures; `make` gives its answers to the held-out requests."""
        path = self.folder / f"{name}.json"
        if not path.exists():
            print(f"{self.folder.name}: {name}", file=sys.stderr)
            found = gold.measured(self.recipe, self.held_out, await make(), self.root)
            path.write_bytes(msgspec.json.encode(found))
        return msgspec.json.decode(path.read_bytes(), type=Measured)

    async def said(self, address: str) -> dict[str, str]:
        """One answer to each held-out request, drawn as the run draws its own."""
        engine = self.engine(address)
        found = await gold.measure(engine, self.held_out, self.root, lambda done, of: None)
        await engine.model.close()
        return found.answers

    async def sampled(self, prompts: Sequence[Prompt], count: int, what: str) -> list[list[Row]]:
        """`count` answers of the untrained model to each prompt, with what the checks find in them."""
        engine, at_once = self.engine(self.model), max(1, self.recipe.batch // count)
        rows: list[list[Row]] = []
        for at in range(0, len(prompts), at_once):
            asked = [(prompt, n) for prompt in prompts[at : at + at_once] for n in range(count)]
            samplings = [engine.sampling(prompt.id, what, n) for prompt, n in asked]
            said = await engine.model.complete_many([prompt.exchange.messages for prompt, _ in asked], samplings)
            for (prompt, n), sampling, each in zip(asked, samplings, said, strict=True):
                text = "" if isinstance(each, ModelError) else each.text.strip()
                found = await findings(prompt.exchange.messages, text, self.law) if text else ()
                rows += [] if n else [[]]
                rows[-1].append(
                    Row(
                        f"{prompt.id}.{what}.{n}", prompt.id, 0, prompt.exchange.messages, text, engine.model.name,
                        engine.model.digest, sampling, self.law.digest, found,
                    )
                )  # fmt: skip
        await engine.model.close()
        return rows

    async def governed(self) -> dict[str, str]:
        model = open_model(self.model)
        engine = Engine(self.recipe, self.law, model, model)
        log, answers = MemoryLog(), {}
        governor = Governor(self.law, model, model, log, rounds=self.recipe.revising.rounds, budget=PATIENCE)
        for at in range(0, len(self.held_out), self.recipe.batch):
            some = self.held_out[at : at + self.recipe.batch]
            jobs = [
                msgspec.structs.replace(governor, sampling=engine.sampling(each.id, "held-out")).govern(each.exchange)
                for each in some
            ]
            for prompt, done in zip(some, await asyncio.gather(*jobs, return_exceptions=True), strict=True):
                if isinstance(done, BaseException) and not isinstance(done, ModelError):
                    raise done
                answers[prompt.id] = "" if isinstance(done, BaseException) else done.answer or ""
        await log.close()
        await model.close()
        return answers

    async def best(self) -> dict[str, str]:
        rows = await self.sampled(self.held_out, BEST_OF, "best")
        return {some[0].prompt: min(some, key=_violations).text for some in rows}

    async def filtered(self) -> dict[str, str]:
        to = self.folder / "filtered"
        if not to.exists():
            principles = drawn_from(self.law, self.recipe.principles)
            rows = [row for some in await self.sampled(self.prompts, SAMPLES, "sample") for row in some]
            chosen = [(row.request, row.text) for row in rows if row.text and clean(row, principles)]
            folder = find(self.model, self.model.removeprefix("local:"))
            learner = Learner(folder, self.recipe.seed)
            learner.supervised(chosen, self.recipe.sft, lambda step, steps, loss: None)
            learner.save(to)
        return await self.said(f"local:{to}")

    async def preferred(self, labels: str) -> dict[str, str]:
        to = self.folder / f"dpo-{labels}"
        if not to.exists():
            pairs = [pair for pair in Store(self.folder / "run" / "pairs.jsonl").read(Pair) if not pair.filtered]
            learner = Learner(self.folder / "run" / "sl", self.recipe.seed)
            how = msgspec.structs.replace(self.dpo, labels=labels)
            rows = [(pair.request, pair.a, pair.b, pair.a_better) for pair in pairs]
            learner.prefer(rows, how, lambda step, steps, loss: None)
            learner.save(to)
        return await self.said(f"local:{to}")


def _violations(row: Row) -> tuple[bool, int]:
    outcomes = list(by_principle(row.findings).values())
    return not row.text, outcomes.count("violated")


async def one_seed(bench: Bench) -> dict[str, Measured]:
    run = Run(bench.recipe, bench.law, bench.folder / "run", bench.root, _tell(bench.folder.name), open=open_model)
    await run.run()
    own = {
        name: msgspec.json.decode((bench.folder / "run" / f"{file}.json").read_bytes(), type=Measured)
        for name, file in (("untrained", "base"), ("SL-CAI", "sl"), (_policy(bench.recipe), "policy"))
    }
    return {
        "untrained": own["untrained"],
        "run-time revision": await bench.arm("governed", bench.governed),
        f"best of {BEST_OF} by checks": await bench.arm("best", bench.best),
        "SFT on filtered samples": await bench.arm("sft", bench.filtered),
        "SL-CAI": own["SL-CAI"],
        "SL-CAI, DPO with hard labels": await bench.arm("hard", lambda: bench.preferred("hard")),
        "SL-CAI, DPO with soft labels": await bench.arm("soft", lambda: bench.preferred("soft")),
        _policy(bench.recipe): own[_policy(bench.recipe)],
    }


def _policy(recipe: Recipe) -> str:
    return f"SL-CAI, {type(recipe.policy).__name__.upper()} and the stop rule"


def _tell(name: str) -> Callable[[str, int, int], None]:
    def observe(stage: str, done: int, of: int) -> None:
        if done == of:
            print(f"{name}: {stage}", file=sys.stderr)

    return observe


def row(name: str, found: Sequence[Measured], outside: Sequence[Rate]) -> str:
    def cell(rates: Sequence[Rate]) -> str:
        whole = rate(sum(each.successes for each in rates), sum(each.n for each in rates))
        seeds = ", ".join(f"{each.successes / each.n:.1%}" for each in rates)
        return f"{whole.successes / whole.n:.1%} ({whole.low:.1%} to {whole.high:.1%}); {seeds}"

    cells = [cell([each.violating for each in found]), cell([each.satisfied for each in found])]
    return f"| {name} | " + " | ".join([*cells, cell(outside) if outside else "not measured"]) + " |"


def cut(path: Path, to: Path, limit: int) -> str:
    """A copy of the first `limit` lines, for a trial."""
    to.write_text("".join(path.read_text(encoding="utf-8").splitlines(keepends=True)[:limit]), encoding="utf-8")
    return str(to)


async def whole(options: argparse.Namespace) -> None:
    recipe, dpo = read_recipe(options.recipe), read_recipe(options.dpo).policy
    if not isinstance(dpo, Dpo):
        sys.exit(f"{options.dpo}: its policy is no DPO")
    out, root = options.out.absolute(), options.recipe.parent.absolute()
    out.mkdir(parents=True, exist_ok=True)
    files = {"prompts": recipe.prompts, "held_out": recipe.held_out}
    if options.limit:
        files = {name: cut(root / file, out / f"{name}.jsonl", options.limit) for name, file in files.items()}
        recipe = msgspec.structs.replace(recipe, **files)
    law = load(recipe.constitution, kinds=KINDS)
    results: dict[str, list[Measured]] = {}
    outside: dict[str, list[Rate]] = {}
    for seed in options.seeds:
        folder = out / f"seed-{seed}"
        folder.mkdir(exist_ok=True)
        prompts, held_out = (read_prompts(root / file) for file in files.values())
        seeded = msgspec.structs.replace(recipe, seed=seed)
        found = await one_seed(Bench(seeded, dpo, law, folder, root, prompts, held_out))
        for name, measured in found.items():
            results.setdefault(name, []).append(measured)
            if options.checkov:
                command = [sys.executable, str(Path(__file__).with_name("external.py")), options.checkov]
                outside.setdefault(name, []).append(gold.external(command, held_out, measured.answers, root))
    print("| model | answers that violate; each seed | requests satisfied; each seed | violate, says Checkov |")
    print("|---|--:|--:|--:|")
    for name, some in results.items():
        print(row(name, some, outside.get(name, [])))
    counts = {name: [[m.violating, m.satisfied] for m in some] for name, some in results.items()}
    report = {"seeds": options.seeds, "recipe": recipe, "counts": counts, "checkov": outside}
    (out / "results.json").write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--recipe", type=Path, default=Path("recipes/grpo.yaml"))
    parser.add_argument("--dpo", type=Path, default=Path("recipes/quickstart.yaml"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--checkov", help="its command; left out, the external judge is not measured")
    asyncio.run(whole(parser.parse_args()))


if __name__ == "__main__":
    main()
