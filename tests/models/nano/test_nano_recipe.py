"""The corpus: its flags against the reader, its switches, its independence of order."""

import re
from itertools import islice
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from recipes.nano import batches, corpus, reader, tasks, tokenizer
from recipes.nano.page import BREAKABLE
from recipes.nano.principles import Law


@pytest.fixture(scope="module")
def plans() -> list[tasks.Plan]:
    rng = Random(11)
    return [tasks.draw_plan(rng) for _ in range(500)]


def test_the_reader_finds_what_the_generator_flags(plans: list[tasks.Plan]) -> None:
    for plan in plans:
        page = plan.page()
        read = reader.read(page.answer)
        assert read.whole, page.text
        assert read.broken == {(flag.principle, flag.line) for flag in page.flags}, page.text


def test_a_flag_names_the_line_that_it_is_about(plans: list[tasks.Plan]) -> None:
    for page in (plan.page() for plan in plans):
        for flag in page.flags:
            assert page.text.split("\n")[flag.number - 1].strip() == flag.line


def test_about_half_of_the_answers_break_something(plans: list[tasks.Plan]) -> None:
    assert 0.42 < sum(bool(plan.page().flags) for plan in plans) / len(plans) < 0.6


def test_mending_one_principle_changes_nothing_else(plans: list[tasks.Plan]) -> None:
    for plan in plans:
        before = reader.read(plan.page().answer)
        for principle in BREAKABLE:
            after = reader.read(plan.fixed(principle).page().answer)
            assert after.principles == before.principles - {principle}
            assert before.addresses <= after.addresses
            assert all(text in after.text for text in plan.wanted), plan.request


@pytest.mark.parametrize("principle", sorted(BREAKABLE))
def test_a_principle_that_is_switched_off_is_never_broken(principle: str) -> None:
    rng = Random(3)
    for _ in range(200):
        flags = tasks.draw_plan(rng, BREAKABLE - {principle}).page().flags
        assert principle not in {flag.principle for flag in flags}


def test_a_sample_depends_on_its_seed_and_index_only() -> None:
    law = Law()
    first = list(islice(corpus.stream(9), 40))
    assert first[30:] == list(islice(corpus.stream(9, 30), 10))
    assert first[7] == corpus.sample(9, 7, law)
    assert first != list(islice(corpus.stream(8), 40))
    assert corpus.digest(9, (20, 5, 5)) == corpus.digest(9, (20, 5, 5)) != corpus.digest(8, (20, 5, 5))


def test_a_tie_is_told_only_in_the_course_that_has_ties() -> None:
    """There a comparison of two answers that both uphold the principle is as often (A) as (B)."""

    def ties(course: int) -> list[str]:
        compared = (one for one in islice(corpus.stream(4, course=course), 3000) if one.kind == "comparison")
        told = []
        for one in compared:
            a, b = (
                reader.read(part).principles for part in re.findall(r"```hcl\n.*?```", one.prompt[-1][1], re.DOTALL)
            )
            told += [one.reply] if a == b == frozenset() else []
        return told

    assert ties(0) == ties(1) == []
    third = ties(2)
    assert len(third) > 20
    assert 0.25 < third.count("(A)") / len(third) < 0.75


def test_batches_hold_every_token_once(small: Tokenizer) -> None:
    rows = batches.rows(small, 5, 300)
    plan = batches.order(rows, 1)
    numbers = [number for _, some in plan for number in some]
    assert len(numbers) == len(set(numbers))
    length, some = plan[0]
    one = batches.batch(small, rows, length, some, late=False)
    assert one.tokens.shape == (batches.BATCH // length, length + 1)
    row = rows[some[0]]
    said = small.decode(one.tokens[0, row.prompt : len(row.tokens)].tolist())
    assert said.endswith(("```", ".", ")"))
    assert (one.weights[0, : row.prompt] < one.weights[0, row.prompt]).all()


def test_every_family_is_asked_for_and_breaks_what_it_says() -> None:
    rng = Random(5)
    assert len(tasks.FAMILIES) >= 12
    for family in tasks.FAMILIES:
        broken = {flag.principle for _ in range(150) for flag in tasks.draw_plan(rng, families=[family]).page().flags}
        assert broken == tasks.BREAKS[family], family
    assert frozenset().union(*tasks.BREAKS.values()) == BREAKABLE


def test_a_line_that_names_principles_comes_last_and_is_heeded() -> None:
    law, rng = Law(), Random(6)
    samples = [tasks.answering(rng, law, BREAKABLE) for _ in range(400)]
    told = [one for one in samples if one.prompt[-1][0] == "system"]
    named = law.exact["encryption-at-rest"].text
    heeded = [one for one in told if named in one.prompt[-1][1]]
    assert len(told) > 20
    assert heeded
    assert all("encryption-at-rest" not in reader.read(one.reply).principles for one in heeded)


def test_a_second_turn_adds_tags_and_nothing_else() -> None:
    law, rng = Law(), Random(7)
    turns = [one for one in (tasks.answering(rng, law, BREAKABLE) for _ in range(400)) if len(one.prompt) == 3]
    assert turns
    for one in turns:
        before, after = reader.read(one.prompt[1][1]), reader.read(one.reply)
        assert before.principles == after.principles
        assert before.addresses == after.addresses
        assert "tags = {" in after.text


@pytest.fixture(scope="module")
def small() -> Tokenizer:
    return tokenizer.train(list(islice(corpus.stream(6), 1500)))


@given(st.text() | st.text('resource "aws_s3_bucket" = {}\n`0.0.0.0/0'))
def test_a_tokenizer_loses_nothing(small: Tokenizer, text: str) -> None:
    for one in (small, tokenizer.loosened(small)):
        assert one.decode(one.encode(text).ids, skip_special_tokens=False) == text


def test_a_line_that_recurs_is_one_token_and_in_pieces_when_loosened(small: Tokenizer) -> None:
    text = 'resource "aws_s3_bucket_public_access_block" "q" {\n  restrict_public_buckets = true\n}'
    whole, pieces = small.encode(text), tokenizer.loosened(small).encode(text)
    assert "restrict_public_bucketsĠ=Ġtrue" in whole.tokens
    assert "restrict_public_bucketsĠ=Ġtrue" not in pieces.tokens
    assert small.get_vocab_size() == tokenizer.loosened(small).get_vocab_size()
    quoted = small.encode("Violated: `restrict_public_buckets = true`: why").tokens
    assert "restrict_public_bucketsĠ=Ġtrue" in quoted


def test_a_name_is_the_same_tokens_wherever_it_stands(small: Tokenizer) -> None:
    alone = small.encode("velmoshi").tokens
    for text in ('bucket = "velmoshi"', "called velmoshi-x", "aws_s3_bucket.velmoshi.id"):
        tokens = small.encode(text).tokens
        assert any(tokens[at : at + len(alone)] == alone for at in range(len(tokens))), text
