"""What a dry run says of time: a trial with real models, in one process and in two, and what it is counted up to."""

import os
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from lawspeaker.align.dataset import Prompt
from lawspeaker.align.estimate import Trial, lines, times
from lawspeaker.align.recipe import Dpo, Grpo, Helpful, Labels, PreferenceModel, Recipe, Revising, Stop, Training
from lawspeaker.align.run import Inputs
from lawspeaker.exchange import ask
from tests.align.test_align import align
from tests.align.test_second_stage import write

STAGES = ("draft, critique, revise", "fine-tune", "pair and label", "preference model", "GRPO", "stop rule", "measure")


def sets(prompts: int, held_out: int, helpful: int = 0, watched: int = 0) -> Inputs:
    some = [
        tuple(Prompt(str(n), ask("x"), b"") for n in range(count)) for count in (prompts, held_out, helpful, watched)
    ]
    return Inputs(*some, preferred=(), base=Path())


def test_every_stage_has_a_time_and_nothing_is_left(tmp_path: Path) -> None:
    said = align(write(tmp_path), "--run", tmp_path / "run", "--dry-run")
    assert re.search(r"^time, by a trial on this machine: about [\d.]+ (s|min)$", said, re.MULTILINE)
    for stage in STAGES:
        assert re.search(rf"^  {stage}: [\d.]+ (s|min)$", said, re.MULTILINE), stage
    assert not (tmp_path / "run").exists()


def test_processes_try_together_and_one_of_them_tells(tmp_path: Path) -> None:
    recipe, script = write(tmp_path), tmp_path / "launch.py"
    script.write_text("from lawspeaker.cli.main import main\nmain()\n")
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", str(script)]
    command, home = [*launch, "align", str(recipe), "--dry-run"], tmp_path / "home"
    env = {**os.environ, "LAWSPEAKER_HOME": str(home)}
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300, env=env)
    assert done.stdout.count("constitution: no-q") == 1
    assert done.stdout.count("time, by a trial on this machine: about") == 1
    assert not home.exists()


def test_models_over_the_network_are_not_tried(tmp_path: Path) -> None:
    recipe = write(tmp_path, more="critic: http://127.0.0.1:9/v1#nobody\n")
    said = align(recipe, "--run", tmp_path / "run", "--dry-run")
    assert re.search("time, by a trial on this machine: at least ", said)
    assert "  draft, critique, revise: not told" in said
    assert "  pair and label: not told" in said
    assert re.search(r"  GRPO: [\d.]+ (s|min)", said)
    base = f"base: local:{tmp_path / 'llama'}\n"
    recipe.write_text(
        recipe.read_text().replace(f"model: local:{tmp_path / 'llama'}", f"model: http://127.0.0.1:9/v1#x\n{base}")
    )
    said = align(recipe, "--run", tmp_path / "run", "--dry-run")
    assert "time: not told, a dry run asks nothing of http://127.0.0.1:9/v1#x" in said


def test_a_dry_run_says_what_is_wrong(tmp_path: Path) -> None:
    recipe = write(tmp_path)
    recipe.write_text(recipe.read_text().replace("gold: [python, gold.py]", "gold: [no-such-judge]"))
    assert "there is no program no-such-judge" in align(recipe, "--run", tmp_path / "run", "--dry-run", code=2)


def test_times_are_what_a_trial_took_times_what_there_is_to_do() -> None:
    recipe = Recipe(
        "r", "p", "h", ("g",), revising=Revising(rounds=3, draw="found"), sft=Training(epochs=2),
        labels=Labels(per_pair=2, method="reasoned", samples=3), policy=Dpo(epochs=2, batch=5),
        helpful=Helpful("x", 0.5), stop=Stop("w", every=4),
    )  # fmt: skip
    took = Trial(answer=1.0, round=2.0, choice=0.5, row=0.25, drafts=0.5, revisions=0.25)
    found = times(recipe, sets(40, 10, helpful=100, watched=6), took)
    assert found == pytest.approx({
        "draft, critique, revise": 40 * (1 + 3 * 2),
        "helpful": 200,
        "fine-tune": 2 * (30 + 30) * 0.25,
        "pair and label": 40 * (2 + 2 * 6 * (0.5 + 1)),
        "DPO": 2 * 40 * (2 + 1 / 3) * 0.25,
        "stop rule": (1 + 4) * 6,
        "measure": 30,
    })  # fmt: skip
    assert times(recipe, sets(40, 10, 100, 6), took, workers=4)["pair and label"] == found["pair and label"] / 4
    paid = msgspec.structs.replace(recipe, policy=Grpo(steps=10, prompts=2, group=4), preference=PreferenceModel())
    found = times(paid, sets(40, 10, 100, 6), took)
    assert found["GRPO"] == pytest.approx(80 * (1 + 0.25 * (1 + 2 / 3)))
    assert found["preference model"] == pytest.approx(2 * 40 * 0.8 * 0.25)
    assert found["stop rule"] == (1 + 3) * 6
    assert lines({"a": 30.0, "b": None, "c": 7200.0}) == [
        "time, by a trial on this machine: at least 2.0 h", "  a: 30 s", "  b: not told", "  c: 2.0 h"
    ]  # fmt: skip
