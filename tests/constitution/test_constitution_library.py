"""The bundled laws, with the real kinds of check: they load, have no fault, and every case comes out as it says."""

import re
from pathlib import Path

import pytest

from lawspeaker.checks.registry import KINDS
from lawspeaker.constitution.clause import Kinds
from lawspeaker.constitution.files import bundled
from lawspeaker.constitution.lint import lint
from lawspeaker.constitution.load import load, load_text
from lawspeaker.constitution.schema import Case, Constitution, Principle
from lawspeaker.finding import combine

LAWS: dict[str, Constitution] = {name: load(name, kinds=KINDS) for name in bundled()}
LARGEST = LAWS["infrastructure"]  # extends the other
CASES = {(principle.id, case.name): (principle, case) for principle in LARGEST.principles for case in principle.cases}
PRINCIPLES = [(name, principle) for name in bundled() for principle in LAWS[name].principles]


def outcome(principle: Principle, case: Case) -> str:
    scopes = frozenset(principle.applies_to)
    checks = [check for check in principle.checks if check.kind != "judge"]
    return combine(finding.outcome for check in checks for finding in check.check.examine(case.exchange, scopes))


@pytest.mark.parametrize("name", bundled())
def test_a_bundled_law_has_no_fault(name: str) -> None:
    assert lint(LAWS[name]) == []


def test_what_is_bundled() -> None:
    assert [principle.id for principle in LAWS["data-protection"].principles] == [
        "no-leaked-credentials",
        "no-national-ids",
        "no-payment-numbers",
        "no-contact-data",
        "no-signed-links",
        "no-data-smuggling",
        "no-system-prompt-leak",
        "no-other-customers-data",
    ]
    assert len(LARGEST.principles) == 26
    assert {principle.id for principle in LAWS["data-protection"].principles} < {
        principle.id for principle in LARGEST.principles
    }


@pytest.mark.parametrize(("name", "principle"), PRINCIPLES, ids=lambda each: getattr(each, "id", each))
def test_a_principle_is_whole(name: str, principle: Principle) -> None:
    assert all([principle.because, principle.critique, principle.revision, principle.checks, principle.maps_to])
    assert sum(case.expect == "violated" for case in principle.cases) >= 3
    assert sum(case.expect == "upheld" for case in principle.cases) >= 3
    assert any(case.borderline for case in principle.cases)


@pytest.mark.parametrize(("name", "principle"), PRINCIPLES, ids=lambda each: getattr(each, "id", each))
def test_who_decides(name: str, principle: Principle) -> None:
    """Without a judge, `infrastructure` decides everything; what only a judge decides is never critical."""
    kinds = {check.kind for check in principle.checks}
    assert name == "assistant" or "judge" not in kinds
    assert principle.severity != "critical" or kinds != {"judge"}


@pytest.mark.parametrize("key", CASES, ids=" / ".join)
def test_a_case_comes_out_as_it_says(key: tuple[str, str]) -> None:
    principle, case = CASES[key]
    assert outcome(principle, case) == case.expect


@pytest.mark.parametrize("key", [key for key in CASES if CASES[key][1].expect == "upheld"], ids=" / ".join)
def test_what_complies_with_one_principle_violates_no_other(key: tuple[str, str]) -> None:
    """An example of how to do it right must not be wrong by another rule."""
    case = CASES[key][1]
    assert [principle.id for principle in LARGEST.principles if outcome(principle, case) == "violated"] == []


def test_kinds_are_given_and_not_found() -> None:
    kinds: Kinds = {**KINDS}
    needed = ("secrets", "pattern", "personal_data")
    assert load("data-protection", kinds={name: kinds[name] for name in needed}).digest == (
        LAWS["data-protection"].digest
    )


def test_the_examples_in_the_manual_load() -> None:
    manual = Path(__file__).parents[2] / "docs" / "constitution.md"
    whole = [block for block in re.findall(r"```yaml\n(.*?)```", manual.read_text(), re.DOTALL) if block[0] != " "]
    first, tightened = (load_text(block, kinds=KINDS) for block in whole)
    assert len(whole[0].splitlines()) == 12
    assert len(first.principles) == len(LARGEST.principles) + 1
    assert tightened.principle("encryption-at-rest").severity == "critical"


@pytest.mark.parametrize(
    "principle",
    [principle for name, principle in PRINCIPLES if name == "agents"],
    ids=lambda principle: principle.id,
)
def test_a_case_of_agents_comes_out_as_it_says(principle: Principle) -> None:
    assert [(case.name, outcome(principle, case)) for case in principle.cases] == [
        (case.name, case.expect) for case in principle.cases
    ]


@pytest.mark.parametrize("name", ("agents", "assistant"))
def test_what_complies_violates_no_other_principle_of_its_law(name: str) -> None:
    for principle in LAWS[name].principles:
        for case in (case for case in principle.cases if case.expect == "upheld"):
            others = [other.id for other in LAWS[name].principles if outcome(other, case) == "violated"]
            assert others == [], case.name
