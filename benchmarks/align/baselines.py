"""What the method is worth beside simpler ways: all from one recipe, over several seeds, in one table.

    python -m benchmarks.align.baselines --out FOLDER [--recipe recipes/quickstart.yaml] [--seeds 1 2 3]
        [--runs RUN RUN RUN] [--limit N] [--checkov PATH]

Beside the untrained model, SL-CAI and the final model of the recipe's run with each seed:

- run-time revision: the untrained model, governed as the gateway would; what is withheld satisfies nobody
- best of 8: of eight answers of the untrained model the one in which the checks see the fewest violations
- filtered samples: fine-tuning on the untrained model's own answers in which the checks see nothing wrong
- hard labels: the run's own second stage, stop rule and all, with each label rounded to 0 or 1

All answer the same held-out requests, drawn with the same seeds, and are judged by the recipe's gold command and, with
`--checkov`, by Checkov. `--runs` are finished runs of the recipe, one for each seed; without it they are done in
FOLDER. Answers that a run has drawn already are not drawn again: its answers to the held-out requests are the drafts
that are governed and the first of the eight, its drafts the first samples. Whatever is done in FOLDER is not done
again: started once more, it goes on. `--limit` cuts each set of prompts, to see that all works. Prints the table after
each seed, over those that are done; FOLDER/results.json holds the counts.
"""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec

from benchmarks.align import arms
from lawspeaker.align import gold
from lawspeaker.align.dataset import Prompt, Row, Store, read_prompts, with_text
from lawspeaker.align.drawing import drawn_from
from lawspeaker.align.gold import Measured
from lawspeaker.align.measures import Rate, rate
from lawspeaker.align.recipe import Dpo, Recipe, read_recipe
from lawspeaker.align.run import checkpoint
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
    """One seed. `folder` holds what it leaves, `run` the recipe's run, `root` is the recipe's folder."""

    recipe: Recipe
    law: Constitution
    folder: Path
    run: Path
    root: Path
    prompts: Sequence[Prompt]
    held_out: Sequence[Prompt]

    @property
    def model(self) -> str:
        return checkpoint(self.recipe.model)

    async def arm(self, name: str, make: Callable[[], Awaitable[dict[str, str]]]) -> Measured:
        """An arm's figures; `make` gives its answers to the held-out requests."""
        path = self.folder / f"{name}.json"
        if not path.exists():
            found = gold.measured(self.recipe, self.held_out, await make(), self.root)
            fresh = path.with_suffix(".new")
            fresh.write_bytes(msgspec.json.encode(found))
            fresh.replace(path)
            print(f"{self.folder.name}: {name}", file=sys.stderr, flush=True)
        return msgspec.json.decode(path.read_bytes(), type=Measured)

    async def said(self, address: str) -> dict[str, str]:
        return await arms.answers(address, self.recipe, self.law, self.held_out, self.root)

    async def untrained(self) -> Measured:
        """The run's own answers, where it has come so far."""
        if (self.run / "base.json").exists():
            return arms.measured(self.run, "base")
        return await self.arm("untrained", lambda: self.said(self.model))

    async def sampled(
        self, prompts: Sequence[Prompt], count: int, what: str, first: Mapping[str, str]
    ) -> list[list[Row]]:
        """`count` answers of the untrained model to each prompt, with what the checks find in them; `first` has the
        first ones that are drawn already."""
        model = open_model(self.model)
        engine, at_once = Engine(self.recipe, self.law, model, model), max(1, self.recipe.batch // count)
        rows: list[list[Row]] = []
        for at in range(0, len(prompts), at_once):
            some = prompts[at : at + at_once]
            asked = [(prompt, n) for prompt in some for n in range(count) if n or prompt.id not in first]
            samplings = [engine.sampling(prompt.id, what, n) for prompt, n in asked]
            said = await model.complete_many([prompt.exchange.messages for prompt, _ in asked], samplings)
            texts = {
                (prompt.id, n): "" if isinstance(each, ModelError) else each.text.strip()
                for (prompt, n), each in zip(asked, said, strict=True)
            }
            for prompt in some:
                drawn = [first[prompt.id]] if prompt.id in first else []
                drawn += [texts[prompt.id, n] for n in range(len(drawn), count)]
                rows.append([await self._row(engine, prompt, f"{what}.{n}", text) for n, text in enumerate(drawn)])
        await model.close()
        return rows

    async def _row(self, engine: Engine, prompt: Prompt, name: str, text: str) -> Row:
        request = prompt.exchange.messages
        found = await findings(request, text, self.law) if text else ()
        return Row(
            f"{prompt.id}.{name}", prompt.id, 0, request, text, engine.model.name, engine.model.digest,
            engine.sampling(prompt.id, name), self.law.digest, found,
        )  # fmt: skip

    async def governed(self, drafts: Mapping[str, str]) -> dict[str, str]:
        """Each draft as the gateway would let it out; none where it is withheld."""
        model = open_model(self.model)
        engine = Engine(self.recipe, self.law, model, model)
        log, answers = MemoryLog(), {}
        governor = Governor(self.law, model, model, log, rounds=self.recipe.revising.rounds, budget=PATIENCE)
        for at in range(0, len(self.held_out), self.recipe.batch):
            some = self.held_out[at : at + self.recipe.batch]
            jobs = [
                msgspec.structs.replace(governor, sampling=engine.sampling(each.id, "governed")).govern(
                    with_text(each.exchange.messages, drafts[each.id]) if drafts[each.id] else each.exchange
                )
                for each in some
            ]
            for prompt, done in zip(some, await asyncio.gather(*jobs, return_exceptions=True), strict=True):
                if isinstance(done, BaseException) and not isinstance(done, ModelError):
                    raise done
                answers[prompt.id] = "" if isinstance(done, BaseException) else done.answer or ""
        await log.close()
        await model.close()
        return answers

    async def best(self, first: Mapping[str, str]) -> dict[str, str]:
        principles = {each.id for each in drawn_from(self.law, self.recipe.principles)}

        def violations(row: Row) -> tuple[bool, int]:
            outcomes = by_principle(row.findings)
            return not row.text, sum(outcomes.get(each) == "violated" for each in principles)

        rows = await self.sampled(self.held_out, BEST_OF, "best", first)
        return {some[0].prompt: min(some, key=violations).text for some in rows}

    async def filtered(self) -> dict[str, str]:
        to = self.folder / "filtered"
        if not to.exists():
            done = self.run / "rows.jsonl"
            drafts = {row.prompt: row.text for row in Store(done).read(Row) if not row.round} if done.exists() else {}
            principles = drawn_from(self.law, self.recipe.principles)
            rows = [row for some in await self.sampled(self.prompts, SAMPLES, "sample", drafts) for row in some]
            chosen = [(row.request, row.text) for row in rows if row.text and clean(row, principles)]
            learner = Learner(find(self.model, self.model.removeprefix("local:")), self.recipe.seed)
            learner.supervised(chosen, self.recipe.sft, lambda step, steps, loss: None)
            learner.save(to)
        return await self.said(f"local:{to}")

    async def hard(self, how: Dpo) -> dict[str, str]:
        recipe = msgspec.structs.replace(self.recipe, policy=msgspec.structs.replace(how, labels="hard"))
        pairs, folder = self.run / "pairs.jsonl", self.folder / "hard"
        return await self.said(await arms.policy(self.run, pairs, recipe, self.law, self.root, folder))


async def one_seed(bench: Bench, own: bool) -> dict[str, Measured]:
    """The arms that need no training of the run's come first: a run may still be going on elsewhere."""
    base = await bench.untrained()
    found = {
        "untrained": base,
        "run-time revision": await bench.arm("governed", partial(bench.governed, base.answers)),
        f"best of {BEST_OF} by checks": await bench.arm("best", partial(bench.best, base.answers)),
        "SFT on filtered samples": await bench.arm("sft", bench.filtered),
    }
    await arms.finished(bench.run, bench.recipe, bench.law, bench.root, own)
    found["SL-CAI"] = arms.measured(bench.run, "sl")
    how = bench.recipe.policy
    if isinstance(how, Dpo) and how.labels == "soft":
        found["SL-CAI, DPO with hard labels"] = await bench.arm("hard-labels", partial(bench.hard, how))
    name = type(how).__name__.upper() + (" with soft labels" if isinstance(how, Dpo) else "")
    return {**found, f"SL-CAI, {name} (the final model)": arms.measured(bench.run, "policy")}


def row(name: str, found: Sequence[Measured], outside: Sequence[Rate]) -> str:
    def cell(rates: Sequence[Rate]) -> str:
        whole = rate(sum(each.successes for each in rates), sum(each.n for each in rates))
        seeds = ", ".join(f"{each.successes / each.n:.1%}" for each in rates)
        return f"{whole.successes / whole.n:.1%} ({whole.low:.1%} to {whole.high:.1%}); {seeds}"

    silent = sum(not text for each in found for text in each.answers.values())
    cells = [cell([each.violating for each in found]), cell([each.satisfied for each in found]), str(silent)]
    return f"| {name} | " + " | ".join([*cells, cell(outside) if outside else "not measured"]) + " |"


def cut(path: Path, to: Path, limit: int) -> str:
    """A copy of the first `limit` lines, for a trial."""
    to.write_text("".join(path.read_text(encoding="utf-8").splitlines(keepends=True)[:limit]), encoding="utf-8")
    return str(to)


def external(folder: Path, name: str, found: Measured, held_out: Sequence[Prompt], checkov: str) -> Rate:
    """What Checkov says of an arm; once said it stands."""
    path = folder / f"{name.replace(' ', '-')}.checkov.json"
    if not path.exists():
        command = [sys.executable, str(Path(__file__).with_name("external.py")), checkov]
        path.write_bytes(msgspec.json.encode(gold.external(command, held_out, found.answers, folder)))
    return msgspec.json.decode(path.read_bytes(), type=Rate)


async def whole(options: argparse.Namespace) -> None:
    recipe, out, root = read_recipe(options.recipe), options.out.absolute(), options.recipe.parent.absolute()
    if options.runs and len(options.runs) != len(options.seeds):
        sys.exit("want one of --runs for each of --seeds")
    out.mkdir(parents=True, exist_ok=True)
    if options.limit:
        files = {"prompts": recipe.prompts, "held_out": recipe.held_out}
        sets = {name: cut(root / file, out / f"{name}.jsonl", options.limit) for name, file in files.items()}
        recipe = msgspec.structs.replace(recipe, **sets)
    law = load(recipe.constitution, kinds=KINDS)
    prompts, held_out = (read_prompts(root / file) for file in (recipe.prompts, recipe.held_out))
    results: dict[str, list[Measured]] = {}
    outside: dict[str, list[Rate]] = {}
    for n, seed in enumerate(options.seeds):
        seeded = msgspec.structs.replace(recipe, seed=seed)
        folder = out / f"seed-{seed}-{arms.claim(seeded, law, [*prompts, *held_out])}"
        folder.mkdir(exist_ok=True)
        run = options.runs[n].absolute() if options.runs else folder / "run"
        found = await one_seed(Bench(seeded, law, folder, run, root, prompts, held_out), own=not options.runs)
        for name, one in found.items():
            results.setdefault(name, []).append(one)
            if options.checkov:
                outside.setdefault(name, []).append(external(folder, name, one, held_out, options.checkov))
        report(out, options.seeds[: n + 1], recipe, results, outside)


def report(
    out: Path, seeds: Sequence[int], recipe: Recipe, results: dict[str, list[Measured]], outside: dict[str, list[Rate]]
) -> None:
    print(f"\nseeds {', '.join(map(str, seeds))}\n")
    print("| model | answers that violate; each seed | requests satisfied; each seed | no answer | Checkov |")
    print("|---|--:|--:|--:|--:|")
    for name, some in results.items():
        print(row(name, some, outside.get(name, [])), flush=True)
    counts = {name: [[m.violating, m.satisfied] for m in some] for name, some in results.items()}
    found = {"seeds": seeds, "recipe": recipe, "counts": counts, "checkov": outside}
    (out / "results.json").write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--recipe", type=Path, default=Path("recipes/quickstart.yaml"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--runs", type=Path, nargs="+", default=[], help="finished runs, one for each seed")
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--checkov", help="its command; left out, the external judge is not measured")
    asyncio.run(whole(parser.parse_args()))


if __name__ == "__main__":
    main()
