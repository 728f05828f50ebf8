"""A first look at two findings of Bai et al. 2022 on a small model: harmlessness over revisions 0 to 4, and soft beside
hard labels.

    python -m benchmarks.paper.first_look --home FOLDER [--recipe recipes/quickstart.yaml] [--prompts 160]
        [--held-out 200] [--seeds 1 2 3]

It goes on where it was interrupted: every run lies in FOLDER. Model, constitution, courses and judge are the recipe's.

1. The model answers the held-out requests and revises each answer four times; the recipe's gold judge reads every
   revision, those that are filtered from training too.
2. For each seed the recipe is run with soft labels, and again with each label rounded to 0 or 1. The second run reuses
   the first one's rows and pairs, so that both policies begin at one model and see the same pairs.

Intervals: 95 %, bootstrap over requests, all seeds of a request together.
"""

import argparse
import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import msgspec

from lawspeaker.align import gold
from lawspeaker.align.bulk import Here, Job, fill
from lawspeaker.align.dataset import Pair, Prompt, Row, Store, read_prompts
from lawspeaker.align.recipe import Dpo, Recipe, read_recipe
from lawspeaker.align.run import checkpoint
from lawspeaker.cli.context import load_law
from lawspeaker.digest import digest
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


def claim(recipe: Recipe, law: str, prompts: Sequence[Prompt]) -> str:
    """Names what rows depend on, so that those of another model or recipe are not taken up."""
    models = [open_model(checkpoint(address)).digest for address in (recipe.model, recipe.critic or recipe.model)]
    lines = [prompt.line.decode() for prompt in prompts]
    return digest("benchmarks/paper", [recipe.digest, law, models, lines]).partition(":")[2][:12]


def revisions(recipe: Recipe, home: Path, prompts: Sequence[Prompt], seeds: Sequence[int]) -> str:
    """The first table."""
    law = load_law((recipe.constitution,))
    violating: list[Values] = [{} for _ in range(ROUNDS + 1)]
    satisfied: list[Values] = [{} for _ in range(ROUNDS + 1)]
    changed = [0] * (ROUNDS + 1)
    for seed in seeds:
        mine = msgspec.structs.replace(
            recipe, seed=seed, revising=msgspec.structs.replace(recipe.revising, rounds=ROUNDS)
        )
        store = Store(home / f"revisions-{seed}-{claim(mine, law.digest, prompts)}.jsonl")
        job = Job("rows", mine, checkpoint(recipe.model), checkpoint(recipe.critic or recipe.model))
        say = progress(f"revisions, seed {seed}")
        asyncio.run(fill(store, job, prompts, Here(law, open_model), say))
        rows = store.read(Row)
        texts = {row.id: row.text for row in rows}
        for n in range(ROUNDS + 1):
            some = [row for row in rows if row.round == n]
            changed[n] += sum(bool(row.parent) and row.text != texts[row.parent] for row in some)
            found = judged(mine, home, prompts, {row.prompt: row.text for row in some})
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


def labels(recipe: Recipe, home: Path, seeds: Sequence[int]) -> str:
    """The second table."""
    names = ("base", "sl", "soft", "hard")
    found: dict[str, tuple[Values, Values]] = {name: ({}, {}) for name in names}
    told: list[float] = []
    for seed in seeds:
        soft = align(recipe, home, seed, "soft", None)
        hard = align(recipe, home, seed, "hard", soft)
        sure = [pair for pair in Store(soft / "pairs.jsonl").read(Pair) if not pair.filtered]
        told += [abs(pair.a_better - 0.5) for pair in sure]
        files = (soft / "base.json", soft / "sl.json", soft / "policy.json", hard / "policy.json")
        for name, file in zip(names, files, strict=True):
            one = msgspec.json.decode(file.read_bytes(), type=gold.Measured)
            for verdict in one.verdicts:
                found[name][0].setdefault(verdict.id, []).append(float(bool(verdict.violates)))
                found[name][1].setdefault(verdict.id, []).append(float(verdict.satisfied))
    lines = ["| model | violate | requests satisfied |", "|---|--:|--:|"]
    lines += [f"| {name} | {said(found[name][0])} | {said(found[name][1])} |" for name in names]
    beside = [less(found["soft"][n], found["hard"][n]) for n in (0, 1)]
    lines.append(f"| soft less hard | {said(beside[0], '+')} | {said(beside[1], '+')} |")
    far = sum(told) / max(len(told), 1)
    lines += ["", f"{len(told)} pairs; a label is {far:.3f} away from 1/2 in the mean (0.5 would be hard)."]
    return "\n".join(lines)


def align(recipe: Recipe, home: Path, seed: int, kind: str, earlier: Path | None) -> Path:
    """The folder of a run of the recipe with that seed and those labels; it is finished first."""
    policy = recipe.policy if isinstance(recipe.policy, Dpo) else Dpo()
    mine = msgspec.structs.replace(
        recipe, name=f"{kind}-{seed}", seed=seed, prompts="train.jsonl", held_out="held-out.jsonl",
        policy=msgspec.structs.replace(policy, labels=kind), preference=None, stop=None,
    )  # fmt: skip
    file, run = home / f"{kind}-{seed}.yaml", home / f"{kind}-{seed}"
    file.write_bytes(msgspec.json.encode(mine))  # JSON is YAML
    command = [Path(sys.executable).with_name("lawspeaker"), "align", file, "--run", run, "--resume"]
    if not (run / "policy" / "README.md").exists():
        print(f"{kind} labels, seed {seed}", file=sys.stderr)
        subprocess.run([*command, *(["--reuse", earlier] if earlier else [])], check=True, stdout=sys.stderr)
    return run


def progress(what: str) -> Callable[[int, int], None]:
    return lambda done, of: print(f"{what}: {done} of {of} batches", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--recipe", type=Path, default=Path("recipes/quickstart.yaml"))
    parser.add_argument("--prompts", type=int, default=160)
    parser.add_argument("--held-out", type=int, default=200)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    options = parser.parse_args()
    recipe, root = read_recipe(options.recipe), options.recipe.parent.absolute()
    options.home.mkdir(parents=True, exist_ok=True)
    for name, source, count in (
        ("train", recipe.prompts, options.prompts),
        ("held-out", recipe.held_out, options.held_out),
    ):
        lines = [prompt.line for prompt in read_prompts(root / source)][:count]
        (options.home / f"{name}.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    held_out = read_prompts(options.home / "held-out.jsonl")
    seeds = ", ".join(map(str, options.seeds))
    print(f"{options.recipe.name}, {recipe.model}, seeds {seeds}, {len(held_out)} held-out requests\n")
    print(revisions(recipe, options.home, held_out, options.seeds), flush=True)
    print("\n" + labels(recipe, options.home, options.seeds))


if __name__ == "__main__":
    main()
