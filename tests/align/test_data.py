"""What rows are made of: draws, examples, filters, samples, people's lines; with real checks and a real server."""

import asyncio
import json
import re
import shutil
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from aiohttp import web

from lawspeaker.align.dataset import Pair, Row, Store, read_preferences, read_prompts
from lawspeaker.align.drawing import draw
from lawspeaker.align.examples import library
from lawspeaker.align.hygiene import leaks, repeats, why_filtered
from lawspeaker.align.preferences import pairs_of
from lawspeaker.align.recipe import Revising, read_recipe
from lawspeaker.align.self_revision import Engine
from lawspeaker.cli.context import load_law
from lawspeaker.deliberation.critique import TEMPLATE
from lawspeaker.errors import InputError
from lawspeaker.exchange import ask
from lawspeaker.models.address import open_model
from lawspeaker.models.base import Sampling
from tests.align.speaker import DRAFT, Speaker
from tests.align.test_align import PRINCIPLES, align
from tests.align.test_conformance import lines, tiny, write
from tests.gateway.upstream import background
from tests.models.served import says

LAW = load_law(("infrastructure",))
DRAWN = tuple(each for each in LAW.principles if each.id in PRINCIPLES)
__all__ = ["tiny"]  # the fixture


def row(text: str, critique: str = "") -> Row:
    return Row("p.1", "p", 1, ask("A bucket.").messages, text, "m", "d", Sampling(), "law", critique=critique)


def test_weights_and_scope_decide_what_is_drawn() -> None:
    def drawn(how: Revising, **outcomes: str) -> Counter[str]:
        named = {name.replace("_", "-"): outcome for name, outcome in outcomes.items()}
        return Counter(draw(Random(n), DRAWN, how, named).id for n in range(2000))

    weighted = drawn(Revising(draw="weighted", weights={"least-privilege": 6.0}))
    assert abs(weighted["least-privilege"] - 1200) < 110  # six of ten, within five standard deviations
    away = {name.replace("-", "_"): "not_applicable" for name in PRINCIPLES[:3]}
    assert set(drawn(Revising(draw="scoped"), **away)) == set(PRINCIPLES[3:])
    assert set(drawn(Revising(draw="found"), no_public_data="violated")) == {"no-public-data"}
    assert set(drawn(Revising(draw="found"))) == set(PRINCIPLES)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("keep: all", "weights: {no-such-thing: 2}, draw: weighted", "has no principle no-such-thing"),
        ("keep: all", "weights: {recoverable-data: 2}, draw: weighted", "recoverable-data is not among"),
        ("keep: all", "draw: weighted", "`draw: weighted` and `weights` go together"),
        ("keep: all", "weights: {least-privilege: 2}", "`draw: weighted` and `weights` go together"),
        ("method: odds", "per_pair: 6", "6 of 5 principles cannot be drawn"),
        ("method: odds", "clamp: [0.6, 0.4]", "lower bound is above"),
        ("share: 0.125", "share: 0.75", "leave nothing to the AI"),
        ("data: rulings.jsonl", "data: people.jsonl", "a file or log is there twice"),
        ("helpful.jsonl", "nowhere.jsonl", "nowhere.jsonl: No such file"),
        ("people.jsonl", "prompts", "preference 1 .*want an a and another b"),
        ("prompts: prompts", "prompts: empty", "it holds no line"),
        ("share: 0.2}", "share: 1.0}", r"recipe\.yaml:13:42: Expected `float` < 1"),
    ],
)
def test_what_cannot_be_is_said_before_any_work(tmp_path: Path, tiny: Path, old: str, new: str, words: str) -> None:
    path = write(tmp_path, "http://127.0.0.1:9/v1", tiny, "method: odds")
    (tmp_path / "empty").mkdir()
    path.write_text(path.read_text().replace(old, new, 1))
    assert re.search(words, align(path, "--run", tmp_path / "run", code=2))
    assert not (tmp_path / "run").exists()


def test_a_base_that_would_need_its_own_code_is_refused_before_any_work(tmp_path: Path, tiny: Path) -> None:
    shutil.copytree(tiny, tmp_path / "base")
    config = tmp_path / "base" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "auto_map": {"AutoModel": "evil.Model"}}))
    path = write(tmp_path, "http://127.0.0.1:9/v1", tmp_path / "base", "method: odds")
    assert "code from its own repository" in align(path, "--run", tmp_path / "run", code=2)
    assert not (tmp_path / "run").exists()


def test_the_plan_says_what_goes_into_the_data(tmp_path: Path, tiny: Path) -> None:
    path = write(tmp_path, "http://127.0.0.1:9/v1", tiny, "method: reasoned, samples: 2, per_pair: 3")
    plan = align(path, "--run", tmp_path / "run", "--dry-run")
    assert "helpfulness: 20% of the rows, from helpful.jsonl" in plan
    how = "by 3 principles after 2 trains of thought; 25% from people.jsonl; 12% from rulings.jsonl"
    assert f"pairs: at most 5, each compared in both orders {how}" in plan


def test_a_law_that_only_judges_could_hold_is_refused(tmp_path: Path, tiny: Path) -> None:
    """Nobody judges the rows of a run, so nothing could be filtered or found."""
    path = write(tmp_path, "http://127.0.0.1:9/v1", tiny, "method: odds")
    principle = "{id: p, text: Be brief., severity: minor, checks: [{judge: {ask: Is the answer long?}}]}"
    (tmp_path / "law.yaml").write_text(f"name: bare\nversion: 1.0.0\nprinciples: [{principle}]\n")
    drawn = f"principles: [{', '.join(PRINCIPLES)}]"
    path.write_text(path.read_text().replace(drawn, f"constitution: {tmp_path / 'law.yaml'}"))
    for more in ((), ("--dry-run",)):
        assert "has a check but a judge, and none is set" in align(path, "--run", tmp_path / "run", *more, code=2)


def test_a_law_without_cases_has_no_examples_to_show(tmp_path: Path, tiny: Path) -> None:
    path = write(tmp_path, "http://127.0.0.1:9/v1", tiny, "method: odds")
    check = "{pattern: {deny: [sesame], reason: It is said.}}"
    principle = f"{{id: p, text: Be brief., severity: minor, checks: [{check}]}}"
    (tmp_path / "law.yaml").write_text(f"name: bare\nversion: 1.0.0\nprinciples: [{principle}]\n")
    text = path.read_text().replace(f"principles: [{', '.join(PRINCIPLES)}]", f"constitution: {tmp_path / 'law.yaml'}")
    path.write_text(text)
    assert "no cases to show as examples of a critique" in align(path, "--run", tmp_path / "run", code=2)


def test_examples_are_cases_in_the_form_of_what_is_asked() -> None:
    shelf = asyncio.run(library(LAW, DRAWN))
    assert set(shelf.of) == set(PRINCIPLES)
    shown = shelf.draw(Random(1), 40, "critique")
    assert len(shown.messages) == 80
    assert len({name.partition("/")[0] for name in shown.names}) == 5
    replies = [message.text for message in shown.messages[1::2]]
    assert {reply.partition(":")[0] for reply in replies} == {"Upheld", "Violated"}
    assert any('`acl = "public-read"`: ' in " ".join(reply.split()) for reply in replies)
    assert all("\n" not in reply for reply in replies)
    assert all(message.text.startswith("Principle: ") for message in shown.messages[::2])
    assert TEMPLATE.text.partition("\n---\n")[0] not in shown.messages[0].text
    revised = shelf.draw(Random(1), 40, "revision")
    for name, request, reply in zip(revised.names, revised.messages[::2], revised.messages[1::2], strict=True):
        assert "Violated: " in request.text
        assert reply.text.strip()
        assert reply.text not in request.text, name
    compared = shelf.draw(Random(1), 40, "odds")
    assert {message.text for message in compared.messages[1::2]} == {"(A)", "(B)"}  # neither place is always right
    thought = shelf.draw(Random(1), 2, "reasoned")
    assert [message.role for message in thought.messages] == ["user", "assistant", "user", "assistant"] * 2


def test_faults_are_told_apart() -> None:
    bad = DRAFT.format(name="x")
    good = bad.replace("public-read", "private")
    quoted = "Violated: the bucket acl lets everybody on the internet read what is in it."

    def why(text: str, critique: str = "", *, better: bool = False) -> str:
        return why_filtered(row(bad), row(text, critique), "", better=better).partition(":")[0]

    assert not why(good)
    assert why(bad) == "unchanged"
    assert why(" ") == "empty"
    assert why("I'm sorry, I can't help with that.") == "refusal"
    assert why(good + "\n" + "It is private. " * 12) == "repetition"
    assert why(f"{good}\nBut the bucket acl lets everybody on the internet read what is in it.", quoted) == "leak"
    assert why(f"Here is the revised answer:\n{good}") == "leak"
    assert why(good.replace("\n}", "\n")) == "syntax"
    assert why(good, better=True) == "worse"  # no finding says that it is better


def test_lists_and_code_are_no_repetition() -> None:
    assert not repeats("} " * 19)
    assert repeats("} " * 21)
    assert not repeats(" ".join(f"tag_{n} = {n}" for n in range(50)))
    assert not leaks("", "a b c d e f g", "a b c d e f g")  # seven words are no quotation


def test_a_revision_without_a_critique(tmp_path: Path, tiny: Path) -> None:
    speaker = Speaker()
    with background(speaker) as base:
        path = write(tmp_path, base, tiny, "checks: true, principles: [no-public-data]")
        path.write_text(path.read_text().replace("keep: all", "keep: all, critique: false"))
        align(path, "--run", tmp_path / "run")
        assert speaker.counts["critique"] == 0
        assert speaker.counts["revision"] == 20
    for body in speaker.of("revision"):
        assert [turn["role"] for turn in body["messages"]] == ["system"] + ["user", "assistant"] * 3 + ["user"]
        assert "what breaks the principle" in body["messages"][-1]["content"]
    rows = Store(tmp_path / "run" / "rows.jsonl").read(Row)
    assert all(not row.critique and set(row.templates) == {"revision"} for row in rows if row.round)


@pytest.mark.parametrize(
    ("labels", "verified"),
    [
        ("checks: true, principles: [no-public-data]", True),
        ("checks: true, draw: found, per_pair: 2", True),  # one of five principles tells the answers apart
        ("draw: found, per_pair: 2", False),
    ],
)
def test_what_the_checks_see_decides_labels(tmp_path: Path, labels: str, verified: bool) -> None:
    """The second model is behind the server, too: of its two answers one is open to the public."""
    speaker = Speaker()
    answers = [DRAFT.format(name="x"), DRAFT.format(name="x").replace("public-read", "private")]

    def answer(request: web.Request, body: dict) -> web.Response:
        return says(answers.pop()) if len(body["messages"]) == 1 else speaker(request, body)

    async def job(base: str) -> list[Pair]:
        recipe = read_recipe(write(tmp_path, base, tmp_path, labels))
        model = open_model(f"{base}#speaker")
        try:
            engine = Engine(recipe, LAW, model, model, await library(LAW, DRAWN))
            return await pairs_of(engine, read_prompts(tmp_path / "held.jsonl"))
        finally:
            await model.close()

    with background(answer) as base:
        pair = asyncio.run(job(base))[0]
    assert [vote.principle for vote in pair.votes] == ["no-public-data"]
    assert pair.verified == verified
    assert pair.votes[0].by == ("checks" if verified else "critic")
    assert (pair.a_better == float("private" in pair.a)) == verified
    assert bool(speaker.asked) != verified


def test_a_folder_of_prompts_is_read_by_name_and_an_id_is_there_once(tmp_path: Path) -> None:
    lines(tmp_path / "b.jsonl", {"id": "2", "request": "two"})
    lines(tmp_path / "a.jsonl", {"id": "1", "request": "one"})
    (tmp_path / "notes.txt").write_text("not a prompt")
    assert [prompt.id for prompt in read_prompts(tmp_path)] == ["1", "2"]
    lines(tmp_path / "c.jsonl", {"id": "1", "request": "three"})
    with pytest.raises(InputError, match="an id is there twice: 1"):
        read_prompts(tmp_path)
    lines(tmp_path / "c.jsonl", {"id": "3"})
    with pytest.raises(InputError, match=r"c\.jsonl:1: it must end with"):
        read_prompts(tmp_path)
    lines(tmp_path / "c.jsonl", {"id": "3", "messages": [{"role": "system", "content": "Be brief."}]})
    with pytest.raises(InputError, match=r"c\.jsonl:1: it must end with"):
        read_prompts(tmp_path)


@pytest.mark.parametrize("change", [{"a_better": 1.5}, {"by": ""}, {"b": "x"}, {"source": "rumour"}, {"id": ""}])
def test_a_preference_says_who_and_how_much(tmp_path: Path, change: dict) -> None:
    good = {"id": "1", "request": "q", "a": "x", "b": "y", "a_better": 1, "by": "somebody"}
    lines(tmp_path / "p.jsonl", good)
    assert read_preferences(tmp_path / "p.jsonl", "law", "p.jsonl")[0].a_better == 1
    (tmp_path / "p.jsonl").write_text(json.dumps({**good, **change}) + "\n")
    with pytest.raises(InputError, match=r"p\.jsonl"):
        read_preferences(tmp_path / "p.jsonl", "law", "p.jsonl")
