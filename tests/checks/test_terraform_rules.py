"""Every rule explains itself, and its examples are what they say."""

import pytest

from lawspeaker.checks.terraform.rules import RULES
from lawspeaker.checks.terraform.verdict import Rule
from tests.checks.judged import outcome


@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_its_examples_are_what_they_say(rule: Rule) -> None:
    assert outcome(rule.id, rule.violating) == "violated"
    assert outcome(rule.id, rule.complying) == "upheld"


@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_it_says_what_it_asks(rule: Rule) -> None:
    assert rule.doc.endswith(".") and rule.doc[0].isupper()
