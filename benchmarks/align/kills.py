"""Kills `lawspeaker align` at random moments, 20 times, and compares what comes out with an undisturbed run.

    python -m benchmarks.align.kills --home FOLDER [--kills 20] [--seed 1] [--prompts 8] [--workers 1]

A small run of the quickstart (two rounds, batches of two) is done once, undisturbed. Then runs are started and sent
SIGKILL, with all their processes, after a random time of up to what the first one took, and taken up with `--resume`
until they are finished; after the last kill the run at hand is finished, too. Counted: the stage that each kill came
in; files that ended in a torn line; files that held a row that the undisturbed run has not; finished datasets with
another digest than that run's. A batch is written at once, so what a kill loses is the batch that was being worked on.
Zero in n kills only shows that fewer than 3/n of such kills do harm (95 %), and a killed process is not a power cut.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

import msgspec

from lawspeaker.align.dataset import Store, read_prompts
from lawspeaker.align.recipe import read_recipe

PROGRAM = Path(sys.executable).with_name("lawspeaker")
QUICKSTART = Path("recipes/quickstart.yaml")
DATA = ("rows.jsonl", "pairs.jsonl")


def recipe_in(home: Path, prompts: int) -> Path:
    """A small recipe after the quickstart, in `home`."""
    home.mkdir(parents=True, exist_ok=True)
    recipe, root = read_recipe(QUICKSTART), QUICKSTART.parent.absolute()
    sources = [("train", recipe.prompts, prompts), ("held-out", recipe.held_out, 2)]
    if recipe.stop:
        sources.append(("watch", recipe.stop.prompts, 2))
    for name, source, count in sources:
        lines = [prompt.line for prompt in read_prompts(root / source)][:count]
        (home / f"{name}.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    small = msgspec.structs.replace(
        recipe, name="kills", prompts="train.jsonl", held_out="held-out.jsonl", batch=2, max_tokens=120,
        revising=msgspec.structs.replace(recipe.revising, rounds=2, keep="better"),
        stop=recipe.stop and msgspec.structs.replace(recipe.stop, prompts="watch.jsonl", every=1),
    )  # fmt: skip
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    file = home / "recipe.yaml"
    file.write_bytes(msgspec.json.encode(small))  # JSON is YAML
    return file


def start(recipe: Path, run: Path, workers: int) -> "subprocess.Popen[bytes]":
    command = [PROGRAM, "align", recipe, "--run", run, "--workers", str(workers), "--resume"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


def stage_of(run: Path, done: dict[str, bytes]) -> str:
    """Where a run was, by what it left."""
    if not (run / "RUN").exists():
        return "before its folder is claimed"
    if on_disk(run, "rows.jsonl") != done["rows.jsonl"]:
        return "draft, critique, revise"
    if not (run / "sl").exists():
        return "fine-tune"
    if on_disk(run, "pairs.jsonl") != done["pairs.jsonl"]:
        return "pair and label"
    if not (run / "policy").exists():
        return "policy"
    return "measure and report"


def on_disk(run: Path, name: str) -> bytes:
    return (run / name).read_bytes() if (run / name).exists() else b""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--prompts", type=int, default=8)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    recipe, rng = recipe_in(options.home, options.prompts), Random(options.seed)
    began = time.monotonic()
    if start(recipe, options.home / "undisturbed", options.workers).wait():
        raise SystemExit("the undisturbed run failed")
    took = time.monotonic() - began
    want = {name: on_disk(options.home / "undisturbed", name) for name in DATA}
    rows, pairs = (len(want[name].splitlines()) for name in DATA)
    print(f"undisturbed: {took:.0f} s, {rows} rows, {pairs} pairs", flush=True)
    stages: Counter[str] = Counter()
    torn = lost = other = finished = 0
    ended = False
    while stages.total() < options.kills or not ended:
        ended = False
        run = options.home / f"run-{finished}"
        process = start(recipe, run, options.workers)
        try:
            last = stages.total() >= options.kills
            ended = process.wait(None if last else rng.uniform(0, took)) == 0
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            stages[stage_of(run, want)] += 1
            for name in DATA:
                whole = on_disk(run, name).rpartition(b"\n")
                torn += bool(whole[2])
                lost += not want[name].startswith(whole[0] + whole[1])
            print(f"kill {stages.total()}: {stage_of(run, want)}", file=sys.stderr)
            continue
        if not ended:
            raise SystemExit(f"{run}: it failed")
        other += sum(Store(run / name).digest != Store(options.home / "undisturbed" / name).digest for name in DATA)
        finished += 1
    for stage, count in stages.most_common():
        print(f"| {stage} | {count} |")
    print(
        f"{stages.total()} kills in {finished} runs; {torn} files ended in a torn line; {lost} files held a row that "
        f"the undisturbed run lacks; {other} of {2 * finished} finished datasets have another digest"
    )


if __name__ == "__main__":
    main()
