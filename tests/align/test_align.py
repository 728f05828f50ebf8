"""Align, with real models: nano's checkpoint and small random ones, real kills, a gold judge in its own process."""

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

import pytest
import torch
from click.testing import CliRunner
from transformers import LlamaForCausalLM

from lawspeaker.align.dataset import Pair, Row, Store, read_prompts
from lawspeaker.align.recipe import read_recipe
from lawspeaker.align.training import soft_dpo
from lawspeaker.cli.align import command
from lawspeaker.errors import InputError, LawspeakerError
from tests.models.test_local import save

torch.set_num_threads(1)
ROOT = Path(__file__).parents[2]
PRINCIPLES = ["no-public-data", "no-open-admin-access", "no-secrets-in-code", "encryption-at-rest", "least-privilege"]
GOLD = (
    "import json,sys\nfor l in sys.stdin: print(json.dumps({'id':json.loads(l)['id'],'violates':[],'satisfied':True}))"
)
RECIPE = """\
name: small
model: {model}
prompts: train.jsonl
held_out: held.jsonl
gold: [python, gold.py]
principles: [{principles}]
seed: 3
batch: 2
max_tokens: {tokens}
revising: {{rounds: {rounds}, draw: {draw}, keep: better}}
sft: {{rate: 0.0001, batch: 2}}
"""


def write(
    folder: Path, model: str = "nano", rounds: int = 2, draw: str = "found", prompts: int = 4, tokens: int = 120
) -> Path:
    lines = (ROOT / "recipes" / "quickstart" / "train.jsonl").read_text().splitlines()
    (folder / "train.jsonl").write_text("\n".join(lines[:prompts]) + "\n")
    (folder / "held.jsonl").write_text("\n".join(lines[20:22]) + "\n")
    (folder / "gold.py").write_text(GOLD)
    text = RECIPE.format(model=model, rounds=rounds, draw=draw, tokens=tokens, principles=", ".join(PRINCIPLES))
    (folder / "recipe.yaml").write_text(text)
    return folder / "recipe.yaml"


def align(*arguments: object, code: int = 0) -> str:
    """What the command prints, or with a `code` its error, in this process: the libraries are loaded once."""
    done = CliRunner().invoke(command, [*map(str, arguments)], standalone_mode=False)
    if not code:
        assert done.exception is None, done.exception
        return done.output
    assert isinstance(done.exception, LawspeakerError)
    assert done.exception.exit_code == code
    return str(done.exception)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recipe and its undisturbed run."""
    folder = tmp_path_factory.mktemp("done")
    assert "| after preferences |" in align(write(folder), "--run", folder / "run")
    return folder


def test_a_run_leaves_a_model_a_card_and_a_report(done: Path) -> None:
    run = done / "run"
    policy = LlamaForCausalLM.from_pretrained(run / "policy")
    assert policy.config.model_type == "llama"
    card = (run / "policy" / "README.md").read_text()
    assert Store(run / "rows.jsonl").digest in card
    assert "External judge: not measured" in card
    assert (run / "report.html").read_text().startswith("<!doctype html>")


def test_every_row_is_kept_and_names_its_ancestry(done: Path) -> None:
    """Of the published algorithm: all revisions kept, a principle drawn for each round and label, T = 1, one pair for
    each prompt, soft labels, the second stage begins at the fine-tuned model."""
    rows = Store(done / "run" / "rows.jsonl").read(Row)
    assert Counter(row.round for row in rows) == {0: 4, 1: 4, 2: 4}
    assert {row.sampling.temperature for row in rows} == {1.0}
    by_id = {row.id: row for row in rows}
    for row in rows:
        assert row.constitution.startswith("sha256:")
        if row.round:
            assert by_id[row.parent].round == row.round - 1
            assert row.principle in PRINCIPLES
            assert row.principle_text
            assert row.critique or row.filtered
            assert set(row.templates) == {"critique", "revision"}
    pairs = Store(done / "run" / "pairs.jsonl").read(Pair)
    assert len(pairs) == len({pair.prompt for pair in pairs}) == 4
    assert all(0 < pair.a_better < 1 for pair in pairs if not pair.filtered)
    assert {pair.model_digest for pair in pairs}.isdisjoint({row.model_digest for row in rows})


def test_trace_walks_to_the_draft(done: Path) -> None:
    line = json.loads(align("trace", done / "run", "train-0.2"))
    assert [each["id"] for each in line] == ["train-0.2", "train-0.1", "train-0.0"]
    assert "principle_text" in line[0]
    assert "it has no row train-0.9" in align("trace", done / "run", "train-0.9", code=2)


def test_a_killed_run_goes_on_to_the_same_data(done: Path, tmp_path: Path) -> None:
    recipe, run = write(tmp_path), tmp_path / "run"
    rows = run / "rows.jsonl"
    program = [sys.executable, "-c", "from lawspeaker.cli.main import main; main()"]
    process = subprocess.Popen([*program, "align", str(recipe), "--run", str(run)])
    deadline = time.monotonic() + 120
    while not (rows.exists() and rows.stat().st_size) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    saved = rows.read_bytes().rpartition(b"\n")[0]
    assert 0 < len(saved) < (done / "run" / "rows.jsonl").stat().st_size - 1
    with rows.open("ab") as file:  # as if the kill had come in the middle of a write
        file.write(b'{"id": "train-')
    assert "go on with --resume" in align(recipe, "--run", run, code=2)
    align(recipe, "--run", run, "--resume")
    assert rows.read_bytes().startswith(saved)
    assert Store(rows).digest == Store(done / "run" / "rows.jsonl").digest
    assert Store(run / "pairs.jsonl").digest == Store(done / "run" / "pairs.jsonl").digest


def test_a_run_that_was_killed_before_it_claimed_its_folder_begins_there(tmp_path: Path) -> None:
    tiny, run = save("llama", tmp_path / "tiny"), tmp_path / "run"
    recipe = write(tmp_path, f"local:{tiny}", rounds=1, prompts=2, tokens=20)
    run.mkdir()
    (run / "recipe.json.new").write_text("{")
    (run / "recipe.json").write_text("{}")
    recipe.write_text(recipe.read_text().replace("keep: better", "keep: clean"))
    assert "no row passed the filters" in align(recipe, "--run", run, "--resume", code=2)
    assert json.loads((run / "recipe.json").read_text())["name"] == "small"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("Dear")
    assert "it is not empty and no run" in align(recipe, "--run", tmp_path / "mine", code=2)


def test_a_run_of_another_recipe_is_refused(done: Path) -> None:
    other = done / "other.yaml"
    other.write_text((done / "recipe.yaml").read_text().replace("seed: 3", "seed: 4"))
    assert "belongs to another recipe" in align(other, "--run", done / "run", "--resume", code=2)


def test_a_run_does_not_go_on_with_another_base(tmp_path: Path) -> None:
    tiny, base = (save("llama", tmp_path / name) for name in ("tiny", "base"))
    recipe = write(tmp_path, f"local:{tiny}", rounds=1, prompts=2, tokens=20)
    recipe.write_text(recipe.read_text().replace("keep: better", "keep: clean") + f"base: local:{base}\n")
    for _ in range(2):
        assert "no row passed the filters" in align(recipe, "--run", tmp_path / "run", "--resume", code=2)
    network = LlamaForCausalLM.from_pretrained(base)
    with torch.no_grad():
        network.lm_head.weight += 1
    network.save_pretrained(base)
    assert "belongs to another recipe" in align(recipe, "--run", tmp_path / "run", "--resume", code=2)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("seed: 3", "sead: 3", r"recipe\.yaml:7:1: .*unknown field `sead`"),
        ("batch: 2\nmax", "batch: 0\nmax", r"recipe\.yaml:8:8: .*>= 1"),
        ("rounds: 2", "round: 2", r"recipe\.yaml:10:12: .*unknown field `round`"),
        ("gold: [python, gold.py]\n", "", r"recipe\.yaml:1:1: .*`gold`"),
        ("seed: 3", "seed: [", r"recipe\.yaml"),
    ],
)
def test_a_recipe_is_strict(tmp_path: Path, old: str, new: str, words: str) -> None:
    path = write(tmp_path)
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(LawspeakerError, match=words):
        read_recipe(path)


def test_prompts_say_where_they_are_wrong(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]
    path.write_text(json.dumps({"id": "1", "messages": turns}) + "\n")
    assert len(read_prompts(path)[0].exchange.messages) == 3  # of the published algorithm: several turns
    for line, words in [
        ('{"id": "2"', "p.jsonl:2"),
        ('{"id": "2"}', "must end with something that is asked"),
        (json.dumps({"id": "2", "messages": turns[:2]}), "must end with something that is asked"),
        (json.dumps({"id": "1", "request": "x"}), "an id is there twice"),
    ]:
        path.write_text(path.read_text().splitlines()[0] + "\n" + line + "\n")
        with pytest.raises(InputError, match=words):
            read_prompts(path)


def test_the_gradient_of_the_soft_loss_is_the_closed_form() -> None:
    rng = Random(1)
    for beta in (0.05, 0.1, 1.0):
        margins = torch.tensor([rng.gauss(0, 8) for _ in range(64)], dtype=torch.float64, requires_grad=True)
        labels = torch.tensor([rng.random() for _ in range(64)], dtype=torch.float64)
        soft_dpo(margins, labels, beta).backward()
        closed = beta * (torch.sigmoid(beta * margins.detach()) - labels) / 64
        assert margins.grad is not None
        assert torch.allclose(margins.grad, closed, atol=1e-6, rtol=0)


def test_dry_run_does_nothing(tmp_path: Path) -> None:
    assert "drafts: 4 by nano" in align(write(tmp_path), "--run", tmp_path / "run", "--dry-run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("kind", ["llama", "qwen"])
def test_random_checkpoints_say_in_one_line_that_nothing_can_be_learnt(kind: str, tmp_path: Path) -> None:
    """Noise is never clean: the stages run, and the run ends before it trains on nothing."""
    recipe = write(tmp_path, f"local:{save(kind, tmp_path / kind)}", rounds=1, prompts=2, tokens=20)
    recipe.write_text(recipe.read_text().replace("keep: better", "keep: clean"))
    assert "no row passed the filters" in align(recipe, "--run", tmp_path / "run", code=2)
    assert len(Store(tmp_path / "run" / "rows.jsonl").read(Row)) == 4
