"""Digests: the same for every way of writing one law, another for every other law."""

import json
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from sample_law import KINDS, LAW, changed, law

from lawspeaker.constitution.load import load_text
from lawspeaker.constitution.schema import Constitution, behaviour_digest, by_severity

DIGEST = "sha256:"


def test_a_digest_is_one() -> None:
    assert law().digest.startswith(DIGEST)
    assert len(law().digest) == len(DIGEST) + 64


@pytest.mark.parametrize(
    "text",
    [
        "# a comment\n" + LAW,
        LAW.replace("    because", "\n    # why\n    because"),
        changed("severity: major", "severity: 'major'"),
        changed("text: Answers must not shout.", "text: >\n      Answers must\n      not shout."),
        changed("[HEY, STOP]", '["HEY", "STOP"]'),
        changed("    applies_to: [answer]\n", "").replace("    severity", "    applies_to: [answer]\n    severity"),
        changed("    otherwise: escalate\n", ""),
        changed("    on_inconclusive: escalate\n", ""),
        changed("    on_violation: revise\n", ""),
        changed("severity: major", "overridable: false\n    severity: major"),
        LAW[: LAW.index("    cases:")],
        LAW.replace("answer: HEY", "answer: OI").replace("expect: violated", "expect: upheld"),
        json.dumps(yaml.safe_load(LAW)),
    ],
)
def test_formatting_defaults_and_cases_are_not_law(text: str) -> None:
    assert law(text).digest == law().digest


CHANGES = [
    ("name: house", "name: barn"),
    ("version: 1.0.0", "version: 1.0.1"),
    ("summary: The rules", "summary: Some rules"),
    ("id: no-shouting", "id: no-noise"),
    ("text: Answers must not", "text: Answers may not"),
    ("because: Shouting", "because: Noise"),
    ("severity: major", "severity: critical"),
    ("on_violation: revise", "on_violation: refuse"),
    ("otherwise: escalate", "otherwise: refuse"),
    ("on_inconclusive: escalate", "on_inconclusive: refuse"),
    ("applies_to: [answer]", "applies_to: [answer, request]"),
    ("critique: Name", "critique: Say"),
    ("revision: Say", "revision: Write"),
    ("[HEY, STOP]", "[HEY]"),
    ("[HEY, STOP]", "[STOP, HEY]"),
    ("rules: [public]", "rules: [open]"),
    ("          - rules: [public]\n".removeprefix("    "), ""),
    ("maps_to: [CWE-1426]", "maps_to: [CWE-200]"),
    ("severity: major", "severity: major\n    overridable: true"),
]


@pytest.mark.parametrize(("old", "new"), CHANGES)
def test_whatever_demands_something_is_law(old: str, new: str) -> None:
    assert law(changed(old, new)).digest != law().digest


def test_no_two_of_these_laws_share_a_digest() -> None:
    digests = [law(changed(old, new)).digest for old, new in CHANGES]
    assert len(set(digests)) == len(digests)


def test_order_is_law() -> None:
    head = "name: house\nversion: 1.0.0\nprinciples:\n"
    one = "  - {id: one, text: Must., severity: minor}\n"
    two = "  - {id: two, text: Must not., severity: critical}\n"
    assert law(head + one + two).digest != law(head + two + one).digest
    assert [principle.id for principle in by_severity(law(head + one + two).principles)] == ["two", "one"]


def test_composed_and_written_out_are_one_law(tmp_path: Any) -> None:
    """A digest names the law, not the files that it was put together from."""
    (tmp_path / "base.yaml").write_text(LAW)
    wing = "name: house\nversion: 1.0.0\nsummary: The rules of the house.\nextends: [base.yaml]\n"
    assert load_text(wing, str(tmp_path / "wing.yaml"), kinds=KINDS).digest == law().digest


words = st.text("abc", min_size=1, max_size=3)


@given(st.lists(words, min_size=1, max_size=3), st.lists(words, min_size=1, max_size=3))
def test_other_settings_are_another_law(one: list[str], other: list[str]) -> None:
    def digest(deny: list[str]) -> str:
        return law(changed("{deny: [HEY, STOP]}", json.dumps({"deny": deny}))).digest

    assert (digest(one) == digest(other)) == (one == other)


def test_behaviour_names_law_checks_prompts_and_models() -> None:
    constitution, prompts, models = law(), {"critique": "sha256:1"}, {"model": "sha256:2"}
    behaviour = behaviour_digest(constitution, prompts=prompts, models=models)
    others = [
        behaviour_digest(law(changed("severity: major", "severity: critical")), prompts=prompts, models=models),
        behaviour_digest(newer(constitution), prompts=prompts, models=models),
        behaviour_digest(constitution, prompts={"critique": "sha256:3"}, models=models),
        behaviour_digest(constitution, prompts=prompts, models={"model": "sha256:3"}),
        behaviour_digest(constitution, prompts=models, models=prompts),
    ]
    assert behaviour == behaviour_digest(law("# same\n" + LAW), prompts=prompts, models=models)
    assert len({behaviour, constitution.digest, *others}) == 7
    assert newer(constitution).digest == constitution.digest


def newer(constitution: Constitution) -> Constitution:
    """The same law with checks of another version."""
    (principle,) = constitution.principles
    checks = tuple(msgspec.structs.replace(check, version="2") for check in principle.checks)
    principles = (msgspec.structs.replace(principle, checks=checks),)
    return msgspec.structs.replace(constitution, principles=principles)


def test_an_unknown_principle() -> None:
    with pytest.raises(KeyError):
        law().principle("no-such-thing")
