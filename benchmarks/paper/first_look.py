"""A first look at two findings of Bai et al. 2022 on a small model: harmlessness over revisions 0 to 4, and soft beside
hard labels.

    python -m benchmarks.paper.first_look --home FOLDER [--recipe recipes/quickstart.yaml] [--revised 100]
        [--seeds 1 2 3] [--runs RUN RUN RUN]

It goes on where it was interrupted: what is done lies in FOLDER. Model, constitution, courses and judge are the
recipe's. `--runs` are finished runs of it, one for each seed; without it they are done in FOLDER.

1. The model answers the first `--revised` held-out requests and revises each answer four times; the recipe's gold
   judge reads every revision, those that are filtered from training too.
2. The pairs of each run are labelled anew by the critic alone, by principles drawn for each pair: what the checks know
   is not in the labels, as in the paper. From the run's fine-tuned model two policies are trained on them, without a
   stop rule: towards the labels, and towards each label rounded to 0 or 1. Both answer all held-out requests.

Intervals: 95 %, bootstrap over requests, all seeds of a request together.
"""

import argparse
import asyncio
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import msgspec

from benchmarks.align import arms
from lawspeaker.align import gold
from lawspeaker.align.bulk import Here, Job, fill
from lawspeaker.align.dataset import Pair, Prompt, Row, Store, read_prompts
from lawspeaker.align.recipe import Dpo, Recipe, read_recipe
from lawspeaker.align.run import checkpoint
from lawspeaker.cli.context import load_law
from lawspeaker.models.address import open_model

ROUNDS = 4
Values = dict[str, list[float]]  # of each request, one value for each seed


def interval(values: Values, draws: int = 2000) -> tuple[float, float, float]:
    """Mean and 95 % interval, by bootstrap over requests."""
    names, rng = sorted(values), Random(1)
    sums = {name: (sum(each), len(each)) for name, each in values.items()}

    def mean(some: Sequence[str]) -> float:
        return sum(sums[name][0] for name in some) / sum(sums[name][1] for name in some)

    means = sorted(mean(rng.choices(names, k=len(names))) for _ in range(draws))
    return mean(names), means[int(0.025 * draws)], means[int(0.975 * draws) - 1]


def said(values: Values, sign: str = "") -> str:
    mean, low, high = interval(values)
    return f"{100 * mean:{sign}.1f} % ({100 * low:{sign}.1f} to {100 * high:{sign}.1f})"


def less(one: Values, other: Values) -> Values:
    return {name: [a - b for a, b in zip(one[name], other[name], strict=True)] for name in one}


def judged(
    recipe: Recipe, root: Path, prompts: Sequence[Prompt], answers: dict[str, str]
) -> tuple[dict[str, float], dict[str, float]]:
    """Whether each answer violates, and whether it satisfies."""
    verdicts = gold.judge("gold", recipe.gold, prompts, answers, root, gold.Verdict)
    return {v.id: float(bool(v.violates)) for v in verdicts}, {v.id: float(v.satisfied) for v in verdicts}


def revisions(recipe: Recipe, root: Path, home: Path, prompts: Sequence[Prompt], seeds: Sequence[int]) -> str:
    """The first table."""
    law = load_law((recipe.constitution,))
    violating: list[Values] = [{} for _ in range(ROUNDS + 1)]
    satisfied: list[Values] = [{} for _ in range(ROUNDS + 1)]
    changed = [0] * (ROUNDS + 1)
    for seed in seeds:
        mine = msgspec.structs.replace(
            recipe, seed=seed, revising=msgspec.structs.replace(recipe.revising, rounds=ROUNDS)
        )
        store = Store(home / f"revisions-{seed}-{arms.claim(mine, law, prompts)}.jsonl")
        job = Job("rows", mine, checkpoint(recipe.model), checkpoint(recipe.critic or recipe.model))
        say = progress(f"revisions, seed {seed}")
        asyncio.run(fill(store, job, prompts, Here(law, open_model), say))
        rows = store.read(Row)
        texts = {row.id: row.text for row in rows}
        for n in range(ROUNDS + 1):
            some = [row for row in rows if row.round == n]
            changed[n] += sum(bool(row.parent) and row.text != texts[row.parent] for row in some)
            found = judged(mine, root, prompts, {row.prompt: row.text for row in some})
            for values, new in zip((violating[n], satisfied[n]), found, strict=True):
                for name, value in new.items():
                    values.setdefault(name, []).append(value)
    lines = [
        "| revision | violate | beside the draft | requests satisfied | beside the draft | answers changed |",
        "|--:|--:|--:|--:|--:|--:|",
    ]
    for n in range(ROUNDS + 1):
        beside = [said(less(each[n], each[0]), "+") if n else "" for each in (violating, satisfied)]
        row = [str(n), said(violating[n]), beside[0], said(satisfied[n]), beside[1], str(changed[n]) if n else ""]
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines)


async def labels(recipe: Recipe, root: Path, home: Path, seeds: Sequence[int], runs: Sequence[Path]) -> str:
    """The second table."""
    names = ("untrained", "SL-CAI", "soft", "hard")
    found: dict[str, tuple[Values, Values]] = {name: ({}, {}) for name in names}
    told: list[float] = []
    for n, seed in enumerate(seeds):
        mine = msgspec.structs.replace(recipe, seed=seed)
        run = runs[n].absolute() if runs else home / f"run-{seed}"
        some, pairs = await two_policies(mine, root, home, run, own=not runs)
        told += [abs(pair.a_better - 0.5) for pair in pairs]
        for name, one in zip(names, (arms.measured(run, "base"), arms.measured(run, "sl"), *some), strict=True):
            for verdict in one.verdicts:
                found[name][0].setdefault(verdict.id, []).append(float(bool(verdict.violates)))
                found[name][1].setdefault(verdict.id, []).append(float(verdict.satisfied))
    lines = ["| model | violate | requests satisfied |", "|---|--:|--:|"]
    lines += [f"| {name} | {said(found[name][0])} | {said(found[name][1])} |" for name in names]
    for one, other in (("soft", "SL-CAI"), ("hard", "SL-CAI"), ("soft", "hard")):
        beside = [less(found[one][n], found[other][n]) for n in (0, 1)]
        lines.append(f"| {one} less {other} | {said(beside[0], '+')} | {said(beside[1], '+')} |")
    far = sum(told) / max(len(told), 1)
    lines += ["", f"{len(told)} pairs; a label is {far:.3f} away from 1/2 in the mean (0.5 would be hard)."]
    return "\n".join(lines)


async def two_policies(
    recipe: Recipe, root: Path, home: Path, run: Path, own: bool
) -> tuple[list[gold.Measured], list[Pair]]:
    """What is measured of the policies towards soft and hard labels of one run's pairs, and the usable pairs."""
    law = load_law((recipe.constitution,))
    prompts, held_out = (read_prompts(root / name) for name in (recipe.prompts, recipe.held_out))
    await arms.finished(run, recipe, law, root, own)
    critics = msgspec.structs.replace(recipe.labels, checks=False, draw="uniform", people=())
    how = recipe.policy if isinstance(recipe.policy, Dpo) else Dpo()
    mine = msgspec.structs.replace(recipe, labels=critics, preference=None, stop=None, policy=how)
    folder = home / f"labels-{recipe.seed}-{arms.claim(mine, law, [*prompts, *held_out])}"
    folder.mkdir(exist_ok=True)
    store, tuned = Store(folder / "pairs.jsonl"), f"local:{run / 'sl'}"
    job = Job("pairs", mine, tuned, checkpoint(recipe.critic or recipe.model), reuse=str(run))
    await fill(store, job, prompts, Here(law, open_model), progress(f"labels, seed {recipe.seed}"))
    found = []
    for kind in ("soft", "hard"):
        labelled = msgspec.structs.replace(mine, policy=msgspec.structs.replace(how, labels=kind))
        path = folder / f"{kind}.json"
        if not path.exists():
            address = await arms.policy(run, store.path, labelled, law, root, folder / kind)
            answers = await arms.answers(address, labelled, law, held_out, root)
            fresh = path.with_suffix(".new")
            fresh.write_bytes(msgspec.json.encode(gold.measured(labelled, held_out, answers, root)))
            fresh.replace(path)
        found.append(msgspec.json.decode(path.read_bytes(), type=gold.Measured))
    return found, [pair for pair in store.read(Pair) if not pair.filtered]


def progress(what: str) -> Callable[[int, int], None]:
    return lambda done, of: print(f"{what}: {done} of {of} batches", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--recipe", type=Path, default=Path("recipes/quickstart.yaml"))
    parser.add_argument("--revised", type=int, default=100)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--runs", type=Path, nargs="+", default=[], help="finished runs, one for each seed")
    options = parser.parse_args()
    if options.runs and len(options.runs) != len(options.seeds):
        parser.error("want one of --runs for each of --seeds")
    recipe, root, home = read_recipe(options.recipe), options.recipe.parent.absolute(), options.home.absolute()
    home.mkdir(parents=True, exist_ok=True)
    held_out = read_prompts(root / recipe.held_out)[: options.revised]
    seeds = ", ".join(map(str, options.seeds))
    print(f"{recipe.name}, {recipe.model}, seeds {seeds}; revised: {len(held_out)} held-out requests\n")
    print(revisions(recipe, root, home, held_out, options.seeds), flush=True)
    print("\n" + asyncio.run(labels(recipe, root, home, options.seeds, options.runs)))


if __name__ == "__main__":
    main()
