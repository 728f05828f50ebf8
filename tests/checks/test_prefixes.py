"""What of a text is decided before it is complete, by a pattern and its beginnings."""

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from lawspeaker.checks.personal_data import kind as personal_data
from lawspeaker.checks.registry import KINDS
from lawspeaker.checks.secrets.formats import FORMATS, KEY_CONTEXT, PASSWORD_CONTEXT
from lawspeaker.checks.text.normal import normalised, settled
from lawspeaker.checks.text.prefixes import Beginnings, before_matches, begun
from lawspeaker.constitution.kinds import UNSTATED, undecided
from tests.constitution.sample_law import WordCheck

PIECES = [
    "a", "b", "(?:a|bc)", "[ab]", "[^a]", "a*", "b+?", "(?:ab){2,5}", "b{0,9}", "c?", r"\b", r"\Qa*b\E", "(?i:B)", "^",
    "$", "(a)", "(?P<n>c)", ".", r"\s*",
]  # fmt: skip


@settings(max_examples=300)
@given(
    st.lists(st.lists(st.sampled_from(PIECES), min_size=1, max_size=5).map("".join), min_size=1, max_size=3),
    st.text("abcB *\n", max_size=30),
)
def test_before_what_is_under_way_nothing_changes(alternatives: list[str], text: str) -> None:
    pattern = "|".join(alternatives).replace("?P<n>", "?:")
    told = begun([pattern])
    assert told is not None
    beginnings, compiled = Beginnings(told), re2.compile(pattern)
    whole = [match.span() for match in compiled.finditer(text) if match[0]]
    for cut in range(len(text) + 1):
        first = beginnings.first(text[:cut])
        part = [match.span() for match in compiled.finditer(text[:cut]) if match[0]]
        assert [span for span in part if span[0] < first] == [span for span in whole if span[0] < first]


@pytest.mark.parametrize("pattern", ["a(?i)b|c", r"\C"])
def test_what_cannot_be_told_is_not(pattern: str) -> None:
    assert begun([pattern]) is None


def test_where_nothing_is_told_a_match_may_be_under_way_anywhere() -> None:
    assert Beginnings(None).first("some text") == 0
    assert Beginnings(("(?:a{100}){100}",)).first("some text") == 0  # more than RE2 reads


def test_of_every_format_and_rule_the_beginnings_are_told() -> None:
    patterns = [format.pattern for format in FORMATS] + [*PASSWORD_CONTEXT, *KEY_CONTEXT]
    personal = [rule.pattern for rule in personal_data._RULES]
    for pattern in (*patterns, *personal):
        told = begun([pattern])
        assert told is not None, pattern
        assert Beginnings(told).first("Nothing here: ") > 0, pattern


def test_of_flags_at_the_beginning_all_alternatives_have_them() -> None:
    told = begun(["(?i)abc|xyz"])
    assert told is not None
    assert Beginnings(told).first("and XY") == 4
    assert Beginnings(told).first("and AB") == 4


@settings(max_examples=200)
@given(st.text("ae\u0301сѕ你ｆﾊﾞ\u200b 1\u1112\u1161\u11ab", max_size=24))
def test_what_is_settled_of_a_normal_form_stays(text: str) -> None:
    whole = normalised(text)
    for cut in range(len(text) + 1):
        place = settled(text[:cut])
        normal = normalised(text[:place])
        assert whole.text.startswith(normal.text)
        ends = [whole.span(at, at + 1) for at in range(len(normal.text))]
        assert ends == [normal.span(at, at + 1) for at in range(len(normal.text))]


def test_of_overlapping_matches_the_first_counts() -> None:
    matches = [(2, 6), (5, 9), (8, 12), (20, 25)]
    assert before_matches(10, matches) == 2
    assert before_matches(12, matches) == 12
    assert before_matches(2, matches) == 2


def test_a_check_that_does_not_tell_is_asked_for_its_needs() -> None:
    assert undecided(WordCheck("p", ("word",)), "some text") == 0
    assert UNSTATED.extent == "whole"
    shape = KINDS["shape"].prepare({"invisible": "deny"}, "p")
    assert undecided(shape, "some text") == len("some text")
    sized = KINDS["shape"].prepare({"max_bytes": 5}, "p")
    assert undecided(sized, "some text") == 0
    code = KINDS["pattern"].prepare({"deny": "x", "reason": "No.", "code": True}, "p")
    assert undecided(code, "some text") == 0
    word = KINDS["pattern"].prepare({"deny": "textile", "reason": "No."}, "p")
    assert undecided(word, "some more text") == 9  # the space, too, may begin a disguise
