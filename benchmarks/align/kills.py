"""Kills `lawspeaker align` 20 times, in each of its stages alike, and compares what comes out with an undisturbed run.

    python -m benchmarks.align.kills --home FOLDER [--recipe recipes/quickstart.yaml] [--kills 20] [--seed 1]
        [--prompts 8] [--workers 1]

A small run of the recipe (two rounds, batches of two) is done once, undisturbed, and the time of each stage is taken.
Then runs are started and taken up with `--resume`; each is sent SIGKILL, with all its processes, once in each stage: a
random part of that stage's time after it came to it. After its last stage, or the last kill of all, it is finished.
Counted: the stage that each kill came in; files that ended in a torn line; files that held a row that the undisturbed
run has not; finished datasets, fine-tuned models and policies with another digest than that run's. A batch is written
at once, so what a kill loses is the batch that was being worked on; a course of training begins again, but for GRPO.
Zero in n kills only shows that fewer than 3/n of such kills do harm (95 %), and a killed process is not a power cut.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

import msgspec

from lawspeaker.align.dataset import Store, read_prompts
from lawspeaker.align.recipe import Grpo, read_recipe
from lawspeaker.models.checkpoint import digest_of

PROGRAM = Path(sys.executable).with_name("lawspeaker")
LOOK = 0.02  # seconds
DATA = ("rows.jsonl", "pairs.jsonl")
MODELS = ("sl", "policy")
MARKS = {
    "before its folder is claimed": "RUN",
    "draft, critique, revise": "filters.json",
    "fine-tune": "sl",
    "pair and label": "agreement.json",
    "preference model": "preference",
    "policy": "policy",
    "measure and report": "policy/README.md",
}
"""Stages, and what is there when they are over."""


def recipe_in(home: Path, path: Path, prompts: int) -> Path:
    """A small recipe after that of `path`, in `home`."""
    home.mkdir(parents=True, exist_ok=True)
    recipe, root = read_recipe(path), path.parent.absolute()
    sources = [("train", recipe.prompts, prompts), ("held-out", recipe.held_out, 2)]
    if recipe.stop:
        sources.append(("watch", recipe.stop.prompts, 2))
    for name, source, count in sources:
        lines = [prompt.line for prompt in read_prompts(root / source)][:count]
        (home / f"{name}.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    how = recipe.policy
    if isinstance(how, Grpo):
        how = msgspec.structs.replace(how, steps=4, prompts=2, group=4, micro=0)
    small = msgspec.structs.replace(
        recipe, name="kills", policy=how, prompts="train.jsonl", held_out="held-out.jsonl", batch=2, max_tokens=120,
        revising=msgspec.structs.replace(recipe.revising, rounds=2, keep="better"),
        sft=msgspec.structs.replace(recipe.sft, epochs=10),
        stop=recipe.stop and msgspec.structs.replace(recipe.stop, prompts="watch.jsonl", every=1),
    )  # fmt: skip
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    file = home / "recipe.yaml"
    file.write_bytes(msgspec.json.encode(small))  # JSON is YAML
    return file


def start(recipe: Path, run: Path, workers: int) -> "subprocess.Popen[bytes]":
    command = [PROGRAM, "align", recipe, "--run", run, "--workers", str(workers), "--resume"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


def stage_at(run: Path, stages: Sequence[str]) -> str:
    """Where a run is, by what it has left; empty where it is over."""
    return next((stage for stage in stages if not (run / MARKS[stage]).exists()), "")


def timed(process: "subprocess.Popen[bytes]", run: Path, stages: Sequence[str]) -> dict[str, float]:
    """How long an undisturbed process is in each stage."""
    took = dict.fromkeys(stages, 0.0)
    last = time.monotonic()
    while process.poll() is None:
        time.sleep(LOOK)
        now, stage = time.monotonic(), stage_at(run, stages)
        if stage:
            took[stage] += now - last
        last = now
    if process.returncode:
        raise SystemExit("the undisturbed run failed")
    return took


def killed(process: "subprocess.Popen[bytes]", run: Path, stages: Sequence[str], stage: str, wait: float) -> bool:
    """Kill the run `wait` seconds after it has come to `stage`; False where it is over before that."""
    while process.poll() is None and stages.index(stage_at(run, stages) or stages[-1]) < stages.index(stage):
        time.sleep(LOOK)
    try:
        process.wait(wait)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True
    return False


def on_disk(run: Path, name: str) -> bytes:
    return (run / name).read_bytes() if (run / name).exists() else b""


def weights(run: Path) -> dict[str, str]:
    return {name: digest_of(run / name) for name in MODELS}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--recipe", type=Path, default=Path("recipes/quickstart.yaml"))
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--prompts", type=int, default=8)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    recipe, rng = recipe_in(options.home, options.recipe, options.prompts), Random(options.seed)
    stages = [stage for stage in MARKS if stage != "preference model" or read_recipe(recipe).preference]
    first = options.home / "undisturbed"
    took = timed(start(recipe, first, options.workers), first, stages)
    want = {name: on_disk(first, name) for name in DATA}
    rows, pairs = (len(want[name].splitlines()) for name in DATA)
    each = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in took.items())
    print(f"undisturbed: {rows} rows, {pairs} pairs; {each}", flush=True)
    hits: Counter[str] = Counter()
    torn = lost = other = changed = finished = 0
    while hits.total() < options.kills:
        run = options.home / f"run-{finished}"
        for stage in stages:
            if hits.total() == options.kills:
                break
            process = start(recipe, run, options.workers)
            if not killed(process, run, stages, stage, rng.uniform(0, took[stage])):
                if process.returncode:
                    raise SystemExit(f"{run}: it failed")
                break
            hits[stage_at(run, stages) or "after the report"] += 1
            for name in DATA:
                whole = on_disk(run, name).rpartition(b"\n")
                torn += bool(whole[2])
                lost += not want[name].startswith(whole[0] + whole[1])
            print(f"kill {hits.total()}: {stage_at(run, stages)}", file=sys.stderr, flush=True)
        if start(recipe, run, options.workers).wait():
            raise SystemExit(f"{run}: it failed")
        other += sum(Store(run / name).digest != Store(first / name).digest for name in DATA)
        changed += sum(weights(run)[name] != digest for name, digest in weights(first).items())
        finished += 1
    for stage, count in hits.most_common():
        print(f"| {stage} | {count} |")
    print(
        f"{hits.total()} kills in {finished} runs; {torn} files ended in a torn line; {lost} files held a row that "
        f"the undisturbed run lacks; {other} of {2 * finished} finished datasets have another digest; "
        f"{changed} of {2 * finished} finished models have other weights"
    )


if __name__ == "__main__":
    main()
