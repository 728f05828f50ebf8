"""What checks say together of a text is what they say one by one."""

import json
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from lawspeaker.checks.judge import Judge
from lawspeaker.checks.pattern import PatternCheck
from lawspeaker.checks.processes.task import Task, task
from lawspeaker.checks.registry import KINDS
from lawspeaker.checks.sieve import Sieve, cleared
from lawspeaker.checks.streams import StreamPlan, plan_stream
from lawspeaker.checks.text.prefixes import Beginnings
from lawspeaker.checks.text.regex import Joined, PatternSet, quiet
from lawspeaker.constitution.kinds import Check, Undecided, undecided
from lawspeaker.constitution.load import load, load_text
from lawspeaker.constitution.schema import Constitution
from lawspeaker.deliberation.window import Window
from lawspeaker.exchange import SCOPES, Exchange, Message, Part, Reasoning, Scope, Text, ToolCall, ToolResult
from lawspeaker.finding import Finding
from tests.checks.test_prefixes import PIECES
from tests.constitution.sample_law import WordCheck
from tests.deliberation.test_window import DISGUISED, FILLER, PERSONAL, SECRETS, TEXTS

# A quotation without an end, ends of lines, the empty match, a group that may be left out, code, other letters.
HOUSE: Final[tuple[object, ...]] = (
    ["(?i)swordfish", "ACC-[0-9]{6}", "juniper-[0-9]"], r"\Qa*b", "^the invoice", r"(?m)^\s*$", "x*y?z*$",
    "(?s)b.*q(c)?", "你好", r"\bpassword\b", [r"Straße\.?", "(?i)É"], "[^a]{3}é", [r"\Qa*b\E", "[0-9]{9}"],
)  # fmt: skip
HOSTILE: Final = (
    "a" * 300, "\u200b" * 50, "\ufdfa" * 20, "e" + "\u0301" * 40, "%41" * 60, "QUtJ" * 60, "&#65;" * 40, "\\u0041" * 40,
    ".- " * 40, "a b " * 40, "-----BEGIN PRIVATE KEY-----\n" * 9, "\ud800", "\U000e0061" * 9, '{"a": "\\u0073word',
    "hsifdrows", "s.w.o.r.d.f.i.s.h", "sw0rdfish", "ACC-12", "3456", "a*b", "\r\n", "```\neval\n```",
)  # fmt: skip
WORDS: Final = st.lists(st.sampled_from(SECRETS + PERSONAL + DISGUISED + FILLER * 2 + HOSTILE), max_size=8).map("".join)


def _house() -> Constitution:
    rules = [{"pattern": {"deny": deny, "reason": "No."}} for deny in HOUSE]
    rules += [{"pattern": {"deny": "eval", "reason": "No.", "code": True}}, {"shape": {"invisible": "deny"}}]
    law = {"name": "house", "version": "1.0.0", "extends": ["data-protection"]}
    scopes = [["answer"], ["answer", "tool_call"], ["request", "answer", "reasoning"], list(SCOPES)]
    principles = [
        {
            "id": f"rule-{n}",
            "text": "T.",
            "because": "B.",
            "severity": "minor",
            "applies_to": scopes[n % 4],
            "checks": [rule],
        }
        for n, rule in enumerate(rules)
    ]
    return load_text(json.dumps({**law, "principles": principles}), kinds=KINDS)


LAW: Final = _house()
TASKS: Final = [
    task(spec, principle, frozenset(SCOPES))
    for law in (LAW, load("agents", kinds=KINDS))
    for principle in law.principles
    for spec in principle.checks
    if not isinstance(spec.check, Judge) and spec.kind != "terraform"
]


def _part(kind: str, text: str) -> Part:
    if kind == "call":
        return ToolCall("write_file", json.dumps({"path": "a.sh", "content": text}))
    if kind == "other call":
        return ToolCall("acc-" + text[:20], text)
    named = {"reasoning": Reasoning, "result": ToolResult}
    return named[kind](text) if kind in named else Text(text, "main.py" if kind == "file" else "")


PARTS: Final = st.builds(
    _part, st.sampled_from(["text", "text", "text", "file", "call", "other call", "reasoning", "result"]), WORDS
)
EXCHANGES: Final = st.lists(
    st.builds(Message, st.sampled_from(["user", "assistant", "tool"]), st.lists(PARTS, max_size=4).map(tuple)),
    max_size=4,
).map(lambda messages: Exchange(tuple(messages)))


@given(EXCHANGES)
def test_what_is_cleared_is_what_each_check_finds(exchange: Exchange) -> None:
    present = frozenset(segment.scope for segment in exchange.segments())
    tasks = [msgspec.structs.replace(each, idle=each.job.scopes.isdisjoint(present)) for each in TASKS]
    for each, nothing in zip(tasks, cleared(exchange, tasks), strict=True):
        assert not nothing or nothing == each.run(exchange)


def test_of_an_ordinary_answer_nearly_all_checks_are_cleared() -> None:
    exchange = Exchange(
        (Message("user", (Text("When?"),)), Message("assistant", (Text("It comes on Monday, I hope."),)))
    )
    found = dict(zip([each.job.principle for each in TASKS], cleared(exchange, TASKS), strict=True))
    # What matches the empty end, quotations beside others, code, what is no search, and signs of an injection.
    others = {"rule-4", "rule-10", "rule-11", "rule-12", "untrusted-text-is-data"}
    assert {id for id, nothing in found.items() if not nothing} == others
    assert len(found) > 20


class Each:
    """Checks that are asked one by one: what the sieve stands for."""

    def __init__(self, checks: Sequence[Check]) -> None:
        self._checks = checks

    def concerned(self, text: str) -> set[int]:
        told = ((n, check) for n, check in enumerate(self._checks))
        return {n for n, check in told if not (isinstance(check, Undecided) and check.clear(text))}

    def undecided(self, text: str, done: int = -1) -> int:
        places = [len(text)]
        for check in self._checks:
            places.append(undecided(check, text))
            if min(places) <= done:
                break
        return min(places)


@given(TEXTS | WORDS, st.integers(-1, 400))
def test_what_is_undecided_is_the_first_place_that_one_of_them_tells(text: str, done: int) -> None:
    checks: list[Check] = [each.check for each in TASKS]
    for some in (checks, checks[:8], checks[4:8], checks[:4], []):
        joined, single = Sieve(some), Each(some)
        assert joined.undecided(text) == single.undecided(text)
        assert max(joined.undecided(text, done), done) == max(single.undecided(text), done)
        assert joined.concerned(text) >= single.concerned(text)


@given(TEXTS | WORDS, st.integers(1, 40), st.sampled_from([None, 0, 30]), st.booleans())
def test_a_window_lets_out_what_it_would_if_each_were_asked(
    text: str, size: int, retain: int | None, some: bool
) -> None:
    law = load_flowing(retain)
    plan = plan_stream(law, retain)
    aside = frozenset(each.principle.id for each in plan.watches[::3]) if some else frozenset()
    one, other = Window(plan, aside), Window(_each(plan, aside))
    for at in range(0, len(text), size):
        assert one.take(text[at : at + size]) == other.take(text[at : at + size])
    assert one.stopped == other.stopped


def load_flowing(retain: int | None) -> Constitution:
    """The principles of `LAW` that flow."""
    held = {each.principle for each in plan_stream(LAW, retain).held}
    principles = tuple(each for each in LAW.principles if each.id not in held)
    return msgspec.structs.replace(LAW, principles=principles)


def _each(plan: StreamPlan, aside: frozenset[str]) -> StreamPlan:
    watches = tuple(each for each in plan.watches if each.principle.id not in aside)
    sieve: Any = Each([watch.task.check for watch in watches])
    return msgspec.structs.replace(plan, watches=watches, sieve=sieve)


@given(
    st.lists(
        st.lists(
            st.lists(st.sampled_from([*PIECES, "\\Qa", "é", "你"]), max_size=4).map("".join), min_size=1, max_size=3
        ),
        max_size=7,
    ),
    st.text("abcB *\né你\ud800", max_size=30),
)
def test_a_group_of_which_a_pattern_occurs_is_told(groups: list[list[str]], text: str) -> None:
    groups = [[pattern.replace("?P<n>", "?:") for pattern in group] for group in groups]
    occurring = [n for n, group in enumerate(groups) if list(PatternSet(group).search(text))]
    told = list(Joined(groups).occurring(text))
    assert told == sorted(set(told))
    assert set(occurring) <= set(told)
    if not any("(a)" in pattern or "Q" in pattern for group in groups for pattern in group):
        assert set(told) == set(occurring)


def test_patterns_too_large_to_be_joined_are_told_by_halves() -> None:
    large = [letter + r"\pL" * 60 for letter in "abcdefghijklmnop"]
    with pytest.raises(re2.error):
        re2.compile("|".join(large), quiet())
    assert list(Joined([[each] for each in large]).occurring("1" + "c" + "é" * 60)) == [2]


def test_where_one_pattern_does_not_tell_its_beginnings_the_others_tell_theirs() -> None:
    checks = [KINDS["pattern"].prepare({"deny": each, "reason": "No."}, "p") for each in ("textile", "a(?i)b|c")]
    assert [Sieve(some).undecided("some more text") for some in (checks, checks[:1], checks[1:])] == [0, 9, 0]


@given(st.text("abé你🙂\ud800", max_size=20))
def test_a_beginning_has_its_place_in_characters(text: str) -> None:
    first = Beginnings(("(?:你(?:🙂)*)?",)).first(text)
    end = len(text.rstrip("🙂")) - 1
    assert first == (end if end >= 0 and text[end] == "你" else len(text))


def test_a_set_that_was_asked_for_another_text_is_asked_again() -> None:
    both = PatternSet(["a", "b"], at_once=True)
    assert [list(both.occurring(text)) for text in ("a", "b", "b", "ab", "", "a")] == [[0], [1], [1], [0, 1], [], [0]]


def test_a_check_from_elsewhere_is_never_cleared_and_decides_nothing_before_the_end() -> None:
    sieve = Sieve([WordCheck("p", ("word",))])
    assert sieve.concerned("") == {0}
    assert sieve.undecided("some text") == 0


def test_a_text_that_fails_to_be_read_clears_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RecursionError

    exchange = Exchange((Message("assistant", (Text("x"),)),))
    monkeypatch.setattr("lawspeaker.checks.sieve.texts", fail)
    tasks: list[Task] = TASKS[:5]
    assert not any(cleared(exchange, tasks))


class Stricter(PatternCheck, frozen=True, dict=True, eq=False):
    """An extension's check that is made of ours and finds something else."""

    def examine(self, exchange: Exchange, scopes: frozenset[Scope]) -> Sequence[Finding]:
        return (Finding(self.principle, "house/stricter", "violated", "Always."),)

    def undecided(self, text: str) -> int:
        return 0


def test_a_check_of_somebody_elses_is_always_run() -> None:
    """What its base would find says nothing of what it finds."""
    plain = next(each for each in TASKS if type(each.check) is PatternCheck)
    fields = {name: getattr(plain.check, name) for name in plain.check.__struct_fields__}
    own = msgspec.structs.replace(plain, check=Stricter(**fields))
    exchange = Exchange((Message("user", (Text("hello"),)), Message("assistant", (Text("All is well."),))))
    assert cleared(exchange, [own]) == [()]
    assert Sieve([own.check]).concerned("All is well.") == {0}
    assert Sieve([own.check]).undecided("All is well.") == 0
