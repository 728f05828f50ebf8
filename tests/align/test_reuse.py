"""An edited principle costs the rows that used it: the calls are counted by the server that answers them."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from lawspeaker.align.dataset import Pair, Row, Store
from tests.align.speaker import Speaker, part
from tests.align.test_align import GOLD, align
from tests.align.test_conformance import lines
from tests.gateway.upstream import background
from tests.models.test_local import save

RECIPE = """\
name: sixteen
model: {base}#speaker
base: local:{tiny}
constitution: {law}
principles: [{revising}]
prompts: prompts.jsonl
held_out: held.jsonl
gold: [python, gold.py]
seed: 2
batch: 8
max_tokens: 8
revising: {{rounds: 2, keep: all}}
labels: {{principles: [{labelling}], per_pair: 2}}
sft: {{rate: 0.0001, batch: 16}}
"""
PRINCIPLE = """\
  - id: p{n}
    text: {text}
    because: It matters.
    severity: major
    critique: Name the line.
    revision: Rewrite the line.
    checks:
      - pattern: {{deny: [word-{n}], reason: The word is said.}}
"""


def write(folder: Path, base: str, tiny: Path, edited: str = "") -> Path:
    """A recipe of sixteen principles: eight to revise by, eight to label by; `edited` says another thing."""
    folder.mkdir()
    texts = {f"p{n}": f"Never say word {n}." for n in range(16)}
    if edited:
        texts[edited] += " Not even once."
    law = "".join(PRINCIPLE.format(n=n, text=texts[f"p{n}"]) for n in range(16))
    (folder / "law.yaml").write_text(f"name: sixteen\nversion: 1.0.0\nsummary: For a test.\nprinciples:\n{law}")
    lines(folder / "prompts.jsonl", *({"id": f"p{n}", "request": f"A bucket for team {n}."} for n in range(24)))
    lines(folder / "held.jsonl", {"id": "h", "request": "A bucket for the cat."})
    (folder / "gold.py").write_text(GOLD)
    names = [", ".join(f"p{n}" for n in some) for some in (range(8), range(8, 16))]
    recipe = folder / "recipe.yaml"
    text = RECIPE.format(base=base, tiny=tiny, law=folder / "law.yaml", revising=names[0], labelling=names[1])
    recipe.write_text(text)
    return recipe


class Earlier:
    """A finished run, and what it was asked."""

    def __init__(self, folder: Path, base: str, speaker: Speaker, tiny: Path) -> None:
        self.folder, self.base, self.speaker, self.tiny = folder, base, speaker, tiny
        self.run = folder / "first" / "run"
        align(write(folder / "first", base, tiny), "--run", self.run)
        assert self.counts == {"draft": 24, "critique": 48, "revision": 48, "odds": 96}

    @property
    def counts(self) -> Counter[str]:
        """What was asked, without the answer to the held-out request."""
        return Counter(part(body) for body in self.speaker.asked if "the cat" not in body["messages"][-1]["content"])

    def again(self, name: str, edited: str) -> Path:
        """The run of the amended law, with the earlier one's answers; `speaker` then knows what was asked for it."""
        self.speaker.asked.clear()
        recipe = write(self.folder / name, self.base, self.tiny, edited)
        align(recipe, "--run", recipe.parent / "run", "--reuse", self.run)
        return recipe.parent / "run"


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Earlier]:
    speaker = Speaker()
    with background(speaker) as base:
        folder = tmp_path_factory.mktemp("sixteen")
        yield Earlier(folder, base, speaker, save("llama", folder / "tiny"))


def test_a_principle_to_revise_by_asks_again_for_the_rows_that_drew_it(earlier: Earlier) -> None:
    run = earlier.again("revising", "p3")
    rows = Store(run / "rows.jsonl").read(Row)
    used = [row for row in rows if row.principle == "p3"]
    assert 0 < len(used) < 15
    first = {name: count for name, count in earlier.counts.items() if name != "odds"}
    assert first == {"critique": len(used), "revision": len(used)}
    assert all("Not even once" in body["messages"][1]["content"] for body in earlier.speaker.of("critique"))
    assert all("Not even once" in row.principle_text for row in used)
    before = Store(earlier.run / "rows.jsonl").read(Row)
    assert [row.text for row in rows] == [row.text for row in before]
    assert {row.constitution for row in rows}.isdisjoint({row.constitution for row in before})
    kept = 24 + 2 * 48 - 2 * len(used)
    said = json.loads((run / "reuse.json").read_text())
    assert kept <= said["reused"] < said["answers"]
    assert f"Reused: {said['reused']} of {said['answers']} answers" in (run / "policy" / "README.md").read_text()


def test_a_principle_to_label_by_asks_again_for_the_labels_that_drew_it(earlier: Earlier) -> None:
    run = earlier.again("labelling", "p11")
    pairs = Store(run / "pairs.jsonl").read(Pair)
    votes = [vote for pair in pairs for vote in pair.votes if vote.principle == "p11"]
    assert 0 < len(votes) < 15
    assert earlier.counts == {"odds": 2 * len(votes)}  # both orders
    before = Store(earlier.run / "pairs.jsonl").read(Pair)
    assert [(pair.a, pair.b, pair.model_digest) for pair in pairs] == [(p.a, p.b, p.model_digest) for p in before]
    for mine, theirs in zip(pairs, before, strict=True):
        same = [vote for vote in mine.votes if vote.principle != "p11"]
        assert same == [vote for vote in theirs.votes if vote.principle != "p11"]


def test_nothing_is_asked_where_nothing_changed(earlier: Earlier) -> None:
    run = earlier.again("same", "")
    assert not earlier.counts
    for name in ("rows.jsonl", "pairs.jsonl"):
        assert (run / name).read_bytes() == (earlier.run / name).read_bytes()


def test_what_is_no_run_is_not_reused(earlier: Earlier, tmp_path: Path) -> None:
    recipe = write(tmp_path / "none", earlier.base, earlier.tiny)
    assert "it has no rows to reuse" in align(recipe, "--run", tmp_path / "run", "--reuse", tmp_path, code=2)
    assert not (tmp_path / "run").exists()
