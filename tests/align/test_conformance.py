"""The published algorithm (Bai et al. 2022, arXiv 2212.08073), thirteen points of it, each seen in a run: in what a
model behind a real server was asked, in the rows, and in the weights. The list is in `docs/align.md`."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
import torch
from safetensors.torch import load_file

from lawspeaker.align.dataset import Pair, Row, Store, read_prompts
from lawspeaker.align.recipe import Recipe, Revising, read_recipe
from lawspeaker.align.self_revision import Engine
from lawspeaker.cli.context import load_law
from lawspeaker.constitution.schema import Constitution
from lawspeaker.models.address import open_model
from tests.align.speaker import Speaker, odds, part
from tests.align.test_align import GOLD, PRINCIPLES, align
from tests.gateway.upstream import background
from tests.models.test_local import save

TURNS = [
    {"role": "user", "content": "I keep our invoices in a folder."},
    {"role": "assistant", "content": "Where should they go?"},
    {"role": "user", "content": "Into a bucket that the website can read."},
]
RECIPE = """\
name: published
model: {base}#speaker
critic: {base}#critic
base: local:{tiny}
prompts: prompts
held_out: held.jsonl
gold: [python, gold.py]
principles: [{principles}]
seed: 5
batch: 4
max_tokens: 12
revising: {{keep: all, examples: 3}}
helpful: {{prompts: helpful.jsonl, share: 0.2}}
labels: {{{labels}, examples: 2, people: [{{data: people.jsonl, share: 0.25}}, {{data: rulings.jsonl, share: 0.125}}]}}
sft: {{rate: 0.0001, batch: 8}}
policy: {{method: dpo, rate: 0.000001, batch: 4}}
"""


@dataclass
class Done:
    folder: Path
    speaker: Speaker
    law: Constitution
    recipe: Recipe

    @property
    def rows(self) -> list[Row]:
        return Store(self.folder / "run" / "rows.jsonl").read(Row)

    @property
    def pairs(self) -> list[Pair]:
        return Store(self.folder / "run" / "pairs.jsonl").read(Pair)

    def said(self, name: str) -> dict:
        return json.loads((self.folder / "run" / name).read_text())


def lines(path: Path, *values: dict) -> None:
    path.write_text("".join(json.dumps(value) + "\n" for value in values))


def write(folder: Path, base: str, tiny: Path, labels: str) -> Path:
    (folder / "prompts").mkdir(exist_ok=True)
    single = [{"id": f"p{n}", "request": f"A bucket for team {n}, please."} for n in range(4)]
    lines(folder / "prompts" / "a.jsonl", *single)
    lines(folder / "prompts" / "b.jsonl", {"id": "talk", "messages": TURNS})
    lines(folder / "held.jsonl", {"id": "h", "request": "A bucket for the cat, please."})
    helpful = [{"id": f"w{n}", "request": f"What is {n} and {n}?", "answer": f"It is {n + n}."} for n in range(4)]
    lines(folder / "helpful.jsonl", *helpful, {"id": "asked", "request": "What is a bucket?"})
    preferred = {"request": "Name a colour.", "a": "Blue.", "b": "Colours are many.", "by": "reviewer-7"}
    lines(folder / "people.jsonl", *({"id": f"h{n}", "a_better": 0.9, **preferred} for n in range(9)))
    lines(folder / "rulings.jsonl", {"id": "r1", "a_better": 0, "source": "ruling", **preferred})
    (folder / "gold.py").write_text(GOLD)
    path = folder / "recipe.yaml"
    path.write_text(RECIPE.format(base=base, tiny=tiny, principles=", ".join(PRINCIPLES), labels=labels))
    return path


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save("qwen", tmp_path_factory.mktemp("qwen"))


def run(folder: Path, tiny: Path, labels: str) -> Iterator[Done]:
    speaker = Speaker()
    with background(speaker) as base:
        path = write(folder, base, tiny, labels)
        align(path, "--run", folder / "run")
        yield Done(folder, speaker, load_law(("infrastructure",)), read_recipe(path))


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> Iterator[Done]:
    yield from run(tmp_path_factory.mktemp("odds"), tiny, "method: odds")


@pytest.fixture(scope="module")
def reasoned(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> Iterator[Done]:
    yield from run(tmp_path_factory.mktemp("reasoned"), tiny, "method: reasoned, samples: 2, per_pair: 2")


def test_1_four_revisions_each_of_the_one_before(done: Done) -> None:
    assert Counter(row.round for row in done.rows) == {0: 5, 1: 5, 2: 5, 3: 5, 4: 5}
    assert done.speaker.counts["critique"] == done.speaker.counts["revision"] == 20
    by_id = {row.id: row for row in done.rows}
    questions = [body["messages"][-1]["content"] for body in done.speaker.of("revision")]
    for row in done.rows:
        if row.round:
            before = by_id[row.parent].text
            assert row.text != before
            assert sum(before in question and row.account in question for question in questions) == 1


def test_2_all_revisions_are_kept_and_trained_on(done: Done) -> None:
    assert not [row for row in done.rows if row.filtered]
    assert done.said("filters.json")["trained"] == 20
    assert done.said("sft.json")["rows"] == 20 + done.said("filters.json")["helpful"]


def test_3_the_principle_is_drawn_anew_for_each_step_and_each_label(done: Done, tiny: Path) -> None:
    texts = {each.id: each.text for each in done.law.principles}
    questions = [body["messages"][-1]["content"] for body in done.speaker.of("critique")]
    for row in done.rows:
        if row.round:
            assert row.principle_text == texts[row.principle]
            assert any(f"Principle: {row.principle_text}\n" in question for question in questions)
    drawn = [vote.principle for pair in done.pairs for vote in pair.votes]
    assert len(set(drawn)) > 1
    nobody = open_model(f"local:{tiny}")
    bare = msgspec.structs.replace(done.recipe, revising=Revising())
    engine = Engine(bare, done.law, nobody, nobody)
    rows = [msgspec.structs.replace(done.rows[0], prompt=f"x{n}") for n in range(1500)]
    many = [[engine.step(row, number).principle.id for number in (1, 2, 3, 4)] for row in rows]
    for counts in (Counter(each[0] for each in many), Counter(each[3] for each in many)):
        assert all(abs(count - 300) < 80 for count in counts.values())  # 5 standard deviations of 300 of 1,500
    alike = sum(first == second for each in many for first, second in pairwise(each))
    assert abs(alike - 900) < 140  # independent: a fifth of 4,500 neighbours


def test_4_every_few_shot_example_has_a_principle_of_its_own(done: Done) -> None:
    texts = {each.id: each.text for each in done.law.principles}
    own = 0
    for name, shots in (("critique", 3), ("revision", 3), ("odds", 2)):
        for body in done.speaker.of(name):
            turns = body["messages"][1:]
            assert [turn["role"] for turn in turns] == ["user", "assistant"] * shots + ["user"]
            principles = [turn["content"].partition("\n")[0] for turn in turns[::2]]
            own += len(set(principles)) > 1
            assert all(each.removeprefix("Principle: ") in texts.values() for each in principles)
    assert own > done.speaker.counts["critique"]
    for row in done.rows:
        if row.round:
            assert {name: len(shown) for name, shown in row.examples.items()} == {"critique": 3, "revision": 3}
            assert all(shown.partition("/")[0] in PRINCIPLES for each in row.examples.values() for shown in each)


def test_5_everything_is_drawn_at_temperature_one(done: Done, reasoned: Done) -> None:
    bodies = [body for each in (done, reasoned) for body in each.speaker.asked if part(body) != "odds"]
    assert {part(body) for body in bodies} == {"draft", "critique", "revision", "thought"}
    assert {body["temperature"] for body in bodies} == {1.0}
    assert {row.sampling.temperature for row in done.rows} == {1.0}


def test_6_the_base_model_is_fine_tuned_and_not_the_one_that_drafts(done: Done, tiny: Path) -> None:
    trained, base = (load_file(folder / "model.safetensors") for folder in (done.folder / "run" / "sl", tiny))
    assert {name: each.shape for name, each in trained.items()} == {name: each.shape for name, each in base.items()}
    assert 0 < distance(trained, base) < 1
    assert {row.model.partition("#")[2] for row in done.rows} == {"speaker"}


def distance(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    """The largest change of a weight."""
    return max(float((one[name].float() - other[name].float()).abs().max()) for name in one)


def test_7_helpfulness_samples_are_a_set_share_of_the_fine_tuning(done: Done) -> None:
    counts = done.said("filters.json")
    assert counts["helpful"] / (counts["helpful"] + counts["trained"]) == pytest.approx(0.2)
    rows = Store(done.folder / "run" / "helpful.jsonl").read(Row)
    assert {row.source for row in rows} == {"helpful"}
    assert [row.text for row in rows[:4]] == [f"It is {n + n}." for n in range(4)]
    assert Store(done.folder / "run" / "helpful.jsonl").digest in (done.folder / "run/policy/README.md").read_text()
    answered = [row for row in rows if row.prompt == "asked"]
    assert len(answered) == 2  # as published: two samples for each prompt, by the helpful model
    assert all(row.model.endswith("#speaker") and row.asked for row in answered)


def test_8_there_is_one_pair_for_each_prompt(done: Done) -> None:
    pairs = [pair for pair in done.pairs if pair.source == "ai"]
    assert [pair.prompt for pair in pairs] == [p.id for p in read_prompts(done.folder / "prompts")]
    assert len({pair.model_digest for pair in pairs}) == 1
    assert pairs[0].model_digest == open_model(f"local:{done.folder / 'run' / 'sl'}").digest


def test_9_labels_are_the_critics_probabilities_in_both_orders(done: Done) -> None:
    told = sorted(odds(body) for body in done.speaker.of("odds"))
    votes = [vote for pair in done.pairs for vote in pair.votes]
    assert sorted(each for vote in votes for each in vote.odds) == pytest.approx(told)
    for vote in votes:
        first, second = vote.odds
        assert vote.a_better == pytest.approx((first + 1 - second) / 2)
        assert 0 < vote.a_better < 1
    soft = [pair for pair in done.pairs if pair.votes]
    assert all(pair.a_better == pytest.approx(pair.votes[0].a_better) for pair in soft)
    assert done.said("dpo.json")["rows"] == len(done.pairs)


def test_10_labels_after_reasoning_are_clamped(reasoned: Done) -> None:
    votes = [vote for pair in reasoned.pairs for vote in pair.votes]
    assert len(votes) == 10
    for vote in votes:
        assert len(vote.thoughts) == len(vote.odds) == 4  # two samples in both orders
        assert all(not 0.4 <= each <= 0.6 for each in vote.odds)
        held = [min(max(each, 0.4), 0.6) for each in vote.odds]
        want = (held[0] + 1 - held[1] + held[2] + 1 - held[3]) / 4
        assert vote.a_better == pytest.approx(want)
        assert 0.4 - 1e-9 <= vote.a_better <= 0.6 + 1e-9
    for body in reasoned.speaker.of("odds"):
        assert body["messages"][-2]["content"].startswith("One of them is open")  # it has its own thoughts before it
        assert "Think step by step" in body["messages"][-3]["content"]
    for pair in reasoned.pairs:
        if pair.votes:
            assert len({vote.principle for vote in pair.votes}) == 2
            assert pair.a_better == pytest.approx(sum(vote.a_better for vote in pair.votes) / 2)


def test_11_human_preferences_are_mixed_in_with_who_said_so(done: Done) -> None:
    counts = Counter(pair.source for pair in done.pairs)
    assert counts == {"ai": 5, "helpfulness": 2, "ruling": 1}  # a quarter and an eighth of eight
    for pair in done.pairs:
        if pair.source != "ai":
            assert pair.by == "reviewer-7"
            assert pair.line.startswith("sha256:")
            assert pair.a_better == (0 if pair.source == "ruling" else 0.9)


def test_12_the_second_stage_begins_at_the_first_ones_model(done: Done, tiny: Path) -> None:
    run = done.folder / "run"
    sl, policy, base = (load_file(each / "model.safetensors") for each in (run / "sl", run / "policy", tiny))
    assert 0 < distance(policy, sl) < distance(sl, base) / 10


def test_13_prompts_of_many_turns_stay_so(done: Done) -> None:
    draft = next(body for body in done.speaker.of("draft") if len(body["messages"]) == 3)
    assert [(turn["role"], turn["content"]) for turn in draft["messages"]] == [
        (turn["role"], turn["content"]) for turn in TURNS
    ]
    rows = [row for row in done.rows if row.prompt == "talk"]
    assert all([message.role for message in row.request] == ["user", "assistant", "user"] for row in rows)
    asked = [body["messages"][-1]["content"] for body in done.speaker.of("critique")]
    assert sum("assistant: Where should they go?" in question for question in asked) == 4
    assert len(next(pair for pair in done.pairs if pair.prompt == "talk").request) == 3
