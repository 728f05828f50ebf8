"""Stage 2 with real trainers on small random models: a preference model, GRPO, the stop rule, LoRA, two processes."""

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

import msgspec
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from lawspeaker.align import card as cards
from lawspeaker.align.agreement import Agreement
from lawspeaker.align.dataset import Prompt, Row, Store
from lawspeaker.align.gold import Measured, Seen, Verdict, judge
from lawspeaker.align.ground import Ground
from lawspeaker.align.measures import bins_of, gap, rate
from lawspeaker.align.policy import Reinforced, require_share
from lawspeaker.align.preference_model import Preferring, soft_bce
from lawspeaker.align.recipe import Grpo, Stop, read_recipe
from lawspeaker.align.reward import Asked, Rewards, Rollout
from lawspeaker.align.room import parameters, require_room
from lawspeaker.align.training import Trained
from lawspeaker.align.watch import Watch, Watched
from lawspeaker.constitution.schema import CheckSpec, Constitution, Principle
from lawspeaker.errors import InputError
from lawspeaker.exchange import Exchange, Message, Scope, Text, ask
from lawspeaker.finding import Finding
from lawspeaker.models.base import Sampling
from tests.align.test_align import align
from tests.models.test_local import save

torch.set_num_threads(1)
LAW = """\
name: no-q
version: 1.0.0
summary: What a model of noise keeps now and then.
principles:
  - id: no-q
    text: The answer must not hold the letter q.
    because: It lets noise be good or bad.
    severity: minor
    on_violation: revise
    applies_to: [answer]
    critique: Name the letter.
    revision: Leave the letter out.
    checks:
      - pattern: {deny: 'q', reason: The answer holds the letter q.}
"""
GOLD = """\
import json, sys
for line in sys.stdin:
    one = json.loads(line)
    bad = "q" in one["answer"]
    print(json.dumps({"id": one["id"], "violates": ["no-q"] if bad else [], "satisfied": len(one["answer"]) > 3}))
"""
RECIPE = """\
name: noise
model: local:{model}
constitution: {law}
prompts: train.jsonl
held_out: held.jsonl
gold: [python, gold.py]
external: [python, gold.py]
seed: 3
batch: 4
max_tokens: 12
revising: {{rounds: 1, keep: clean}}
sft: {{rate: 0.001, batch: 4, micro: 2}}
preference: {{rate: 0.001, batch: 2, held_out: 0.3}}
policy: {policy}
stop: {{prompts: watch.jsonl, every: 2, patience: 9, satisfied: 1.0, length: 0.01}}
"""
GRPO = "{method: grpo, steps: 4, rate: 0.001, prompts: 2, group: 4, beta: 0.02}"
DPO = "{method: dpo, epochs: 2, rate: 0.001, batch: 2}"


def write(folder: Path, kind: str = "llama", policy: str = GRPO, more: str = "") -> Path:
    for name, count in (("train", 8), ("held", 4), ("watch", 6)):
        lines = [json.dumps({"id": f"{name}-{n}", "request": f"Say {name} {n}."}) for n in range(count)]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "gold.py").write_text(GOLD)
    (folder / "law.yaml").write_text(LAW)
    model = save(kind, folder / kind)
    text = RECIPE.format(model=model, law=folder / "law.yaml", policy=policy) + more
    (folder / "recipe.yaml").write_text(text)
    return folder / "recipe.yaml"


def read(run: Path, name: str, kind: type) -> object:
    return Ground(None, None, run, run, lambda *_: None).read(f"{name}.json", kind)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recipe and its undisturbed run of GRPO."""
    folder = tmp_path_factory.mktemp("noise")
    assert "| after preferences |" in align(write(folder), "--run", folder / "run")
    return folder


def test_grpo_logs_a_curve_for_each_part_of_its_reward(done: Path) -> None:
    found = read(done / "run", "grpo", Reinforced)
    assert isinstance(found, Reinforced)
    assert {"no-q", "preference model", "helpful", "reward"} <= set(found.curves)
    assert [step for step, _ in found.curves["no-q"]] == [1, 2, 3, 4]
    assert all(-1 <= value <= 0 for _, value in found.curves["no-q"])
    page = (done / "run" / "report.html").read_text()
    for words in ("no-q", "preference model", "Calibration error", "The stop rule", "favour the same position"):
        assert words in page
    changed = AutoModelForCausalLM.from_pretrained(done / "run" / "sl").state_dict()
    policy = AutoModelForCausalLM.from_pretrained(done / "run" / "policy").state_dict()
    watched = read(done / "run", "watch", Watched)
    assert isinstance(watched, Watched)
    assert any(not torch.equal(changed[name], policy[name]) for name in changed) == bool(watched.best)


def test_every_answer_that_was_paid_for_can_be_traced(done: Path) -> None:
    rows = Store(done / "run" / "rollouts.jsonl").read(Rollout)
    assert len({row.id for row in rows}) == len(rows) == 4 * 2 * 4
    assert {row.step for row in rows} == {0, 1, 2, 3}
    assert all(("q" in row.text) == (row.rewards["no-q"] == -1) for row in rows)
    line = json.loads(align("trace", done / "run", rows[-1].id))
    assert [each["id"] for each in line] == [rows[-1].id, f"{rows[-1].prompt}.0"]
    assert line[0]["preference_digest"].startswith("sha256:")
    assert line[0]["preference_digest"] in (done / "run" / "policy" / "README.md").read_text()


def test_the_preference_model_is_a_standard_folder_and_is_measured_apart(done: Path) -> None:
    network = AutoModelForSequenceClassification.from_pretrained(done / "run" / "preference")
    tokenizer = AutoTokenizer.from_pretrained(done / "run" / "preference")
    score = network(**tokenizer("hello", return_tensors="pt")).logits
    assert score.shape == (1, 1)
    found = read(done / "run", "preference", Preferring)
    labels = read(done / "run", "agreement", Agreement)
    assert isinstance(found, Preferring)
    assert isinstance(labels, Agreement)
    assert found.trained.rows + sum(each.n for each in found.bins) == labels.pairs
    assert labels.by_principle["no-q"].votes == labels.pairs
    card = (done / "run" / "policy" / "README.md").read_text()
    assert "calibration error (ECE)" in card
    assert "| no-q |" in card
    assert "not measured" not in card  # the recipe has an external judge


def test_a_killed_course_goes_on_from_its_last_checkpoint(done: Path, tmp_path: Path) -> None:
    recipe, run = write(tmp_path), tmp_path / "run"
    recipe.write_text((done / "recipe.yaml").read_text().replace(str(done), str(tmp_path)))
    program = [sys.executable, "-c", "from lawspeaker.cli.main import main; main()"]
    process = subprocess.Popen([*program, "align", str(recipe), "--run", str(run)])
    deadline = time.monotonic() + 240
    while not (run / "policy.training" / "checkpoint-2" / "trainer_state.json").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    saved = {row.id: row for row in Store(run / "rollouts.jsonl").read(Rollout) if row.step < 2}
    align(recipe, "--run", run, "--resume")
    rows = Store(run / "rollouts.jsonl").read(Rollout)
    assert len(rows) == len({row.id for row in rows}) == 32
    assert {row.id: row for row in rows if row.step < 2} == saved
    found = read(run, "grpo", Reinforced)
    assert isinstance(found, Reinforced)
    assert [step for step, _ in found.curves["reward"]] == [1, 2, 3, 4]
    watched = read(run, "watch", Watched)
    assert isinstance(watched, Watched)
    assert [look.step for look in watched.looks] == [0, 2, 4]
    texts = {row.id: row.text for row in Store(done / "run" / "rollouts.jsonl").read(Rollout)}
    assert {row.id: row.text for row in rows} == texts
    assert [each.name for each in run.glob("policy*") if each.is_dir()] == ["policy"]


@pytest.mark.parametrize(("kind", "policy"), [("llama", DPO), ("qwen", GRPO)])
def test_adapters_go_through_every_stage_and_are_merged(kind: str, policy: str, tmp_path: Path) -> None:
    recipe = write(tmp_path, kind, policy, "lora: {rank: 4}\n")
    align(recipe, "--run", tmp_path / "run")
    first = AutoModelForCausalLM.from_pretrained(tmp_path / kind).state_dict()
    for name in ("sl", "policy"):
        folder = tmp_path / "run" / name
        assert not list(folder.glob("adapter*"))
        tuned = AutoModelForCausalLM.from_pretrained(folder).state_dict()
        assert set(tuned) == set(first)
        moved = {each for each in first if not torch.equal(first[each], tuned[each])}
        assert any("q_proj" in each for each in moved)
        assert not any("norm" in each or "embed" in each for each in moved)


def test_two_processes_descend_as_one_does(done: Path, tmp_path: Path) -> None:
    """What `accelerate launch` starts on a machine with two devices, on two processes of this one."""
    write(tmp_path)
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text((done / "recipe.yaml").read_text().replace(str(done), str(tmp_path)))
    script = tmp_path / "launch.py"
    script.write_text("from lawspeaker.cli.main import main\nmain()\n")
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", str(script), "align", str(recipe)]
    subprocess.run(launch, check=True, env={**os.environ, "LAWSPEAKER_HOME": str(tmp_path / "home")}, timeout=300)
    run = tmp_path / "home" / "runs" / "noise"
    texts = [[row.text for row in Store(each / "rows.jsonl").read(Row)] for each in (done / "run", run)]
    assert texts[0] == texts[1]
    for name, kind in (("sft", Trained), ("preference", Preferring)):
        one, two = (read(each, name, kind) for each in (done / "run", run))
        curves = [each.trained.curve if isinstance(each, Preferring) else each.curve for each in (one, two)]
        assert [loss for _, loss in curves[1]] == pytest.approx([loss for _, loss in curves[0]], abs=2e-3)
    rollouts = [Store(path).read(Rollout) for path in sorted(run.glob("rollouts*.jsonl"))]
    assert [len(rows) for rows in rollouts] == [16, 16]
    assert AutoModelForCausalLM.from_pretrained(run / "policy").num_parameters() > 0


def test_the_gradient_of_the_preference_model_is_the_closed_form() -> None:
    rng = Random(2)
    a = torch.tensor([rng.gauss(0, 3) for _ in range(64)], dtype=torch.float64, requires_grad=True)
    b = torch.tensor([rng.gauss(0, 3) for _ in range(64)], dtype=torch.float64)
    labels = torch.tensor([rng.random() for _ in range(64)], dtype=torch.float64)
    soft_bce(a, b, labels, 0.01).backward()
    centre = 0.01 * 2 * (a.detach() + b) / 64
    closed = (torch.sigmoid(a.detach() - b) - labels) / 64 + centre
    assert a.grad is not None
    assert torch.allclose(a.grad, closed, atol=1e-6, rtol=0)


def test_calibration_is_the_gap_between_what_is_said_and_what_was() -> None:
    assert gap(bins_of([0.95] * 10, [1.0] * 9 + [0.0])) == pytest.approx(0.05)
    assert gap(bins_of([0.1, 0.9], [1.0, 1.0])) == pytest.approx(0.5)
    assert gap(bins_of([], [])) == 0
    assert sum(each.n for each in bins_of([0.0, 1.0], [0.5, 0.5])) == 2


def draft(request: str, text: str) -> Row:
    sampling = Sampling()
    return Row("p.0", "p", 0, (Message("user", (Text(request),)),), text, "m", "d", sampling, "c")


def test_what_helps_is_read_off_the_draft() -> None:
    code = '```hcl\nresource "aws_s3_bucket" "logs" {\n  bucket = "acme-logs-7"\n}\n```'
    asked = Asked.of(draft("A bucket called acme-logs-7, please.", code))
    assert asked.words == {"acme-logs-7", "bucket"}
    assert asked.addresses == {"aws_s3_bucket.logs"}
    assert asked.helped(code) == 1
    assert asked.helped(code.replace("acme-logs-7", "x")) == pytest.approx(2 / 3)
    assert asked.helped("```hcl\n```") == 0
    assert asked.helped("") == 0
    assert asked.helped(code.replace("}", "")) == 0
    assert asked.helped("I'm sorry, I can't. bucket acme-logs-7") == 0
    assert Asked.of(draft("Hi", "Yo")).helped("anything") is None


class Ended:
    """A check that a busy machine ends the first time."""

    def __init__(self) -> None:
        self.asked = 0

    def examine(self, exchange: Exchange, scopes: frozenset[Scope]) -> Sequence[Finding]:
        self.asked += 1
        if self.asked == 1:
            raise TimeoutError
        return (Finding("no-q", "test/ended", "violated", "It holds the letter q."),)


def test_a_check_that_was_ended_is_asked_again_before_an_answer_is_paid_for() -> None:
    check = Ended()
    spec = CheckSpec("ended", {}, check, "1")
    law = Constitution("law", "1", (Principle("no-q", "Text.", "major", applies_to=("answer",), checks=(spec,)),))
    kept: list[object] = []
    asked = {"p": Asked.of(draft("Hi", "Yo"))}
    rewards = Rewards(Grpo(), law, law.principles, asked, None, lambda step, found: kept.extend(found))
    texts = ["a q", "a q ", "a q"]
    assert asyncio.run(rewards.of(0, ["p"] * 3, texts)) == [{"no-q": -1.0}] * 3
    assert check.asked == 2  # once more after it was ended, and not again for the same answer
    assert kept == [("p", text, {"no-q": -1.0}) for text in texts]


def looked(violating: int, satisfied: int, length: int, n: int = 10) -> Measured:
    """`satisfied` of `n` answers do what was asked, and the last `violating` violate."""
    verdicts = tuple(Verdict(str(i), ("no-q",) if i >= n - violating else (), i < satisfied) for i in range(n))
    answers = {str(i): "x" * length for i in range(n)}
    return Measured(rate(violating, n), rate(satisfied, n), {}, answers, verdicts)


def watch(tmp_path: Path, looks: list[Measured], stop: Stop) -> tuple[Watched, list[bool]]:
    kept: list[Watched] = []
    found = iter(looks)
    one = Watch(stop, tmp_path, lambda _: next(found), kept.append)
    ends = []
    for number in range(len(looks)):
        folder = tmp_path / ("sl" if not number else "policy.look")
        folder.mkdir()
        (folder / "step").write_text(str(number))
        ends.append(one.look(number, folder))
        assert one.best is None or (one.best / "step").read_text() == str(kept[-1].best)
    return kept[-1], ends


def test_a_policy_that_stops_violating_by_saying_less_is_stopped(tmp_path: Path) -> None:
    stop = Stop("w.jsonl", every=1, patience=2, satisfied=0.05)
    looks = [looked(5, 8, 100), looked(2, 8, 90), looked(1, 7, 60), looked(0, 8, 40)]
    found, ends = watch(tmp_path, looks, stop)
    assert found.best == 1
    assert ends == [False, False, False, True]
    assert [look.barred for look in found.looks[2:]] == [
        "satisfied requests fell by 10.0%", "answers shrank from 100 to 40 characters"
    ]  # fmt: skip
    assert "2 looks without a better one" in found.stopped


def test_a_course_that_helps_nothing_leaves_what_it_began_with(tmp_path: Path) -> None:
    found, ends = watch(tmp_path, [looked(1, 9, 50)] * 3, Stop("w.jsonl", patience=2))
    assert found.best == 0
    assert ends == [False, False, True]
    assert not list(tmp_path.glob("policy*"))


def test_of_looks_as_good_as_each_other_the_one_that_violates_less_is_kept(tmp_path: Path) -> None:
    found, _ = watch(tmp_path, [looked(2, 8, 50), looked(1, 8, 50), looked(1, 8, 50)], Stop("w.jsonl", patience=9))
    assert [look.good.successes for look in found.looks] == [8, 8, 8]
    assert found.best == 1


def test_a_course_that_ran_to_its_last_step_did_not_end_early(tmp_path: Path) -> None:
    """The last look may be the one that would have ended it."""
    kept: list[Watched] = []
    one = Watch(Stop("w.jsonl", patience=1), tmp_path, lambda _: looked(1, 9, 50), kept.append)
    one.look(0, tmp_path / "sl")
    (tmp_path / "policy.look").mkdir()
    assert not one.look(4, tmp_path / "policy.look", last=True)
    (tmp_path / "watch.json").write_bytes(msgspec.json.encode(kept[-1]))
    assert "It ran to its last step." in cards.watched(tmp_path)


@pytest.mark.parametrize(("world", "micro", "fits"), [(2, 2, True), (2, 8, False), (3, 0, False), (4, 0, True)])
def test_processes_share_the_answers_of_a_step_evenly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: int, micro: int, fits: bool
) -> None:
    """Said before the first draft, and not by the trainer hours later."""
    monkeypatch.setenv("WORLD_SIZE", str(world))
    recipe = write(tmp_path)
    recipe.write_text(recipe.read_text().replace("group: 4", f"group: 4, micro: {micro}"))
    if fits:
        how = read_recipe(recipe).policy
        assert isinstance(how, Grpo)
        require_share(how)
    else:
        assert f"{world} processes cannot share the 8 answers" in align(recipe, "--run", tmp_path / "run", code=2)
        assert not (tmp_path / "run").exists()


def test_too_little_room_is_said_before_work(tmp_path: Path) -> None:
    recipe = read_recipe(write(tmp_path))
    base = tmp_path / "llama"
    assert parameters(base) == sum(p.numel() for p in AutoModelForCausalLM.from_pretrained(base).parameters())
    require_room(base, recipe, tmp_path)
    big = tmp_path / "big"
    big.mkdir()
    head = json.dumps({"w": {"dtype": "F16", "shape": [1_000_000, 1_000_000], "data_offsets": [0, 0]}}).encode()
    (big / "model.safetensors").write_bytes(len(head).to_bytes(8, "little") + head)
    with pytest.raises(InputError, match=r"of disk, and .* are free"):
        require_room(big, recipe, tmp_path)
    side = shutil.disk_usage(tmp_path).free // 44 + 2**30  # 4 bytes a weight, at most 11 copies: a little too large
    head = json.dumps({"w": {"dtype": "F16", "shape": [side], "data_offsets": [0, 0]}}).encode()
    (big / "model.safetensors").write_bytes(len(head).to_bytes(8, "little") + head)

    def why() -> str:
        try:
            require_room(big, recipe, tmp_path / "run")
        except InputError as error:
            return str(error)
        return ""

    assert "of disk" in why()
    (tmp_path / "run" / "sl").mkdir(parents=True)
    with (tmp_path / "run" / "sl" / "model.safetensors").open("wb") as file:
        file.truncate(64 * 2**30)  # a run that goes on has some of them already; a hole takes no room
    assert "of disk" not in why()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("preference: {rate", "# preference: {rate", "its reward has a preference model, and the recipe trains none"),
        ("prompts: 2, group: 4", "prompts: 2, group: 1", r"`int` >= 2"),
        ("steps: 4", "steps: 4, micro: 3", "micro: 3 does not divide the 8 answers"),
        ("method: grpo", "method: ppo", r"Invalid value 'ppo'"),
        (
            "external: [python,",
            "external: [no-such-program,",
            r"external judge .*: there is no program",
        ),
        ("name: noise", "name: noise\nlora: {targets: [v_project]}", r"lora.targets: llama has no layer v_project"),
        ("watch.jsonl", "train.jsonl", r"train-0 is also in .*train.jsonl"),
    ],
)
def test_a_second_stage_that_cannot_be_is_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    recipe = write(tmp_path)
    recipe.write_text(recipe.read_text().replace(old, new, 1))
    assert re.search(words, align(recipe, "--run", tmp_path / "run", code=2))


def test_a_gold_judge_that_does_not_say_what_satisfies_is_refused(tmp_path: Path) -> None:
    """By a silent no for each answer the stop rule would find every look equal."""
    (tmp_path / "judge.py").write_text(GOLD.replace(', "satisfied": len(one["answer"]) > 3', ""))
    words, prompts = ["python", "judge.py"], [Prompt("p", ask("Hi."), b'{"id": "p"}')]
    assert judge("external", words, prompts, {"p": "quick"}, tmp_path, Seen) == (Seen("p", ("no-q",)),)
    with pytest.raises(InputError, match="did not say id, violates, satisfied"):
        judge("gold", words, prompts, {"p": "quick"}, tmp_path, Verdict)


@pytest.mark.parametrize("counts", [(0, 0, 0), (0, 3, 1)])
def test_requests_without_an_answer_are_counted_apart(tmp_path: Path, counts: tuple[int, ...]) -> None:
    """A model that answers nothing violates nothing, and that is no merit."""
    for name, count in zip(("base", "sl", "policy"), counts, strict=True):
        found = looked(0, 5, 10)
        answers = {id: "" if int(id) < count else text for id, text in found.answers.items()}
        found = msgspec.structs.replace(found, answers=answers)
        (tmp_path / f"{name}.json").write_bytes(msgspec.json.encode(found))
    table = cards.table(tmp_path)
    assert table.endswith(": 3 after self-revision (SL-CAI), 1 after preferences.") == any(counts)
    assert ("without an answer" in table) == any(counts)


def test_stages_can_be_run_one_at_a_time(tmp_path: Path) -> None:
    recipe, run = write(tmp_path, policy=DPO), tmp_path / "run"
    left = {
        "draft": "filters.json", "fine-tune": "sl", "label": "agreement.json", "preference": "preference",
        "policy": "policy", "measure": "policy/README.md",
    }  # fmt: skip
    for n, stage in enumerate(left):
        said = align(recipe, "--run", run, "--resume", "--until", stage)
        assert [(run / name).exists() for name in left.values()] == [m <= n for m in range(len(left))]
        assert ("| after preferences |" in said) == (stage == "measure")
    recipe.write_text(re.sub("preference: .*", "", recipe.read_text()))
    words = "the recipe noise has no stage preference"
    assert words in align(recipe, "--run", tmp_path / "other", "--until", "preference", code=2)


def test_memory_that_runs_out_in_training_is_said_in_one_line(tmp_path: Path) -> None:
    ground = Ground(None, None, tmp_path, tmp_path, lambda *_: None)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="training ran out of memory; lower `micro`"):
        asyncio.run(ground.aside(lambda: torch.zeros(2**50)))
    with pytest.raises(RuntimeError, match="shape"):  # a fault of the program keeps its words
        asyncio.run(ground.aside(lambda: torch.zeros(2).view(3)))


def test_the_plan_counts(tmp_path: Path) -> None:
    said = align(write(tmp_path), "--dry-run")
    assert "GRPO, 4 steps of 2 prompts with 4 answers: 32 answers of at most 12 tokens" in said
    assert "on 6 answers every 2 steps" in said
    assert "6 pairs, 2 set aside" in said


def test_a_critic_that_tells_no_probabilities_is_refused_before_work(tmp_path: Path) -> None:
    (tmp_path / "critic.yaml").write_text("- reply: Yes.\n")
    recipe = write(tmp_path, more=f"critic: scripted:{tmp_path / 'critic.yaml'}\n")
    assert "tells no probabilities" in align(recipe, "--run", tmp_path / "run", code=2)
    assert not (tmp_path / "run").exists()
