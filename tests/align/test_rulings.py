"""A person's approval in a real audit log becomes a preference; a rejection and what was erased do not."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from lawspeaker.align.preferences import preferences
from lawspeaker.align.recipe import Labels, People, Recipe
from lawspeaker.align.rulings import read_rulings
from lawspeaker.audit.erasure import erase
from lawspeaker.audit.log import open_log
from lawspeaker.audit.rulings import Verdict, rule
from lawspeaker.checks.registry import KINDS
from lawspeaker.constitution.load import load_text
from lawspeaker.errors import InputError
from lawspeaker.exchange import ask
from lawspeaker.govern import Governor
from lawspeaker.models.scripted import Scripted

LAW = load_text(
    """
name: house
version: 1.0.0
principles:
  - id: no-apple
    text: Apples are not named.
    severity: major
    critique: Name the word.
    revision: Leave the word out.
    checks: [{pattern: {deny: [apple], reason: It is named.}}]
  - id: ask-first
    text: Payments are made by people.
    severity: major
    on_violation: escalate
    checks: [{pattern: {deny: [pay now], reason: A payment is made.}}]
""",
    kinds=KINDS,
)
SCRIPT = [
    {"when": "Does the answer uphold", "reply": "Violated: `apple`: it is named.", "again": True},
    {"when": "Reply with the whole revised answer", "reply": "I pay now for the fruit.", "again": True},
    {"reply": "I pay now for the apple.", "again": True},
]


def make_log(home: Path, script: list[dict[str, object]], *verdicts: Verdict | None, erased: bool = False) -> None:
    """A log with an escalated decision for each verdict, ruled on; without one it is left waiting."""
    path = home.with_suffix(".json")
    path.write_bytes(msgspec.json.encode(script))

    async def run() -> None:
        async with await open_log(home) as log:
            for verdict in verdicts:
                model = Scripted.open(path)
                governed = await Governor(LAW, model, model, log).govern(ask("Buy it."))
                assert governed.decision.action == "escalate"
                if verdict:
                    await rule(log, governed.receipt.id, verdict, "I looked.", "mara")
                if erased:
                    await erase(log, governed.receipt.id, "They asked.", "mara")

    asyncio.run(run())


def test_an_approved_revision_is_preferred_to_its_draft(tmp_path: Path) -> None:
    make_log(tmp_path / "home", SCRIPT, "approve", "reject", None)
    pairs = read_rulings(tmp_path / "home", "home")
    assert len(pairs) == 1
    pair = pairs[0]
    assert (pair.a, pair.b, pair.a_better) == ("I pay now for the fruit.", "I pay now for the apple.", 1.0)
    assert (pair.source, pair.by, pair.data, pair.constitution) == ("ruling", "mara", "home", LAW.digest)
    assert [message.text for message in pair.request] == ["Buy it."]
    assert pair.line.startswith("sha256:")
    recipe = Recipe("r", "p", "h", ("g",), labels=Labels(people=(People(0.5, log="home"),)))
    assert preferences(recipe, LAW, tmp_path) == [pair]


def test_what_was_erased_is_no_preference(tmp_path: Path) -> None:
    make_log(tmp_path / "home", SCRIPT, "approve", erased=True)
    assert read_rulings(tmp_path / "home", "home") == ()


def test_an_approved_draft_says_of_no_answer_that_it_is_better(tmp_path: Path) -> None:
    make_log(tmp_path / "home", [{"reply": "I pay now.", "again": True}], "approve")
    assert read_rulings(tmp_path / "home", "home") == ()


def test_a_folder_without_a_log_and_a_file_beside_a_log_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="want the folder of an audit log"):
        read_rulings(tmp_path / "none", "none")
    for each in (People(0.5), People(0.5, data="a", log="b")):
        with pytest.raises(InputError, match="either `data` or a `log`"):
            preferences(Recipe("r", "p", "h", ("g",), labels=Labels(people=(each,))), LAW, tmp_path)
