"""What each kind of check says that it needs."""

from collections.abc import Sequence
from typing import Any

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from lawspeaker.checks.registry import KINDS
from lawspeaker.checks.text.regex import width
from lawspeaker.constitution.kinds import UNSTATED, Needs, needs_of, undecided
from lawspeaker.exchange import Exchange, Scope
from lawspeaker.finding import Finding
from tests.constitution.sample_law import WordCheck

SETTINGS: dict[str, Any] = {
    "pattern": {"deny": "eval", "reason": "No eval."},
    "secrets": {},
    "personal_data": {},
    "prompt_injection": {},
    "terraform": "public-storage",
    "shape": {"max_bytes": 10},
    "judge": {"ask": "Is it bad?"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_built_in_kind_says_what_it_needs(kind: str) -> None:
    assert isinstance(getattr(KINDS[kind].prepare(SETTINGS[kind], "p"), "needs", None), Needs)


def test_a_check_that_does_not_say_needs_everything() -> None:
    assert needs_of(WordCheck("p", ("word",))) == UNSTATED
    assert UNSTATED.extent == "whole"


@pytest.mark.parametrize(
    "needs",
    [Needs("window"), Needs("window", -1), Needs("incremental", reads=()), Needs("whole", reads=("answers",))],  # type: ignore[arg-type]
)
def test_a_check_that_says_what_cannot_be_meant_needs_everything(needs: Needs) -> None:
    class Says:
        def __init__(self, needs: Needs) -> None:
            self.needs = needs

        def examine(self, exchange: Exchange, scopes: frozenset[Scope]) -> Sequence[Finding]:
            return ()

    assert needs_of(Says(needs)) == UNSTATED
    assert undecided(Says(needs), "word") == 0
    assert needs_of(Says(Needs("window", 1, reads=("answer",)))) == Needs("window", 1, reads=("answer",))


@pytest.mark.parametrize(
    ("pattern", "most"),
    [
        ("eval", 6),
        (r"eval\(", 7),
        ("[a-z]{1,20}", 142),
        ("rm +-rf", None),
        (r"a.*b", None),
        ("a{2,}", None),
        (r"a\+b", 5),
        ("[*+]x", 4),
        ("ab{1,999}cd{1,999}", None),
    ],
)
def test_a_pattern_with_a_bound_needs_a_window(pattern: str, most: int | None) -> None:
    assert width(pattern) == most
    check = KINDS["pattern"].prepare({"deny": ["x", pattern], "reason": "No."}, "p")
    assert needs_of(check) == (Needs("open") if most is None else Needs("window", most))


def test_code_is_known_at_its_end_only() -> None:
    check = KINDS["pattern"].prepare({"deny": "eval", "reason": "No.", "code": True}, "p")
    assert needs_of(check).extent == "whole"


@given(
    st.lists(st.sampled_from(["a", r"\(", "[^ab]", "(?:ab|c)", r"\d", "x{2,3}", "(?:a{3}b){0,4}", r"\Qa*b\E", "[]*]"])),
    st.text("ab(*])cx0123", max_size=200),
)
def test_no_match_is_wider_than_its_window(parts: list[str], text: str) -> None:
    pattern = "".join(parts)
    most = width(pattern)
    for match in re2.compile(pattern).finditer(text):
        assert most is None or len(match.group()) <= most
