"""Rules about principles that cannot do what they say."""

from collections.abc import Iterator
from typing import Final

from lawspeaker.constitution.rules.fault import Examine, Fault
from lawspeaker.constitution.schema import DECISIONS, Constitution, Principle

# Kinds whose findings name no words that could be cut out: a judge gives none, and Terraform with a hole is
# broken.
_NOTHING_TO_CUT: Final = frozenset({"judge", "terraform"})


def no_revision(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """A principle with `on_violation: revise` has no `revision`: the model that should revise is not told
    how. Write one sentence that says what to change and what to keep."""
    if principle.on_violation == "revise" and not principle.revision:
        yield Fault(principle.place("on_violation"), "on_violation: revise, and no revision says how")


def redact_without_spans(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """A principle with `on_violation: redact` has no check that says which words to cut out, so that every
    violation falls to `otherwise`. Add a check of a kind like `pattern` or `secrets`, or revise instead."""
    if principle.on_violation == "redact" and all(check.kind in _NOTHING_TO_CUT for check in principle.checks):
        yield Fault(principle.place("on_violation"), "on_violation: redact, and no check names words to cut out")


def idle_otherwise(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """`otherwise` is stated, but says what happens when revising or redacting does not help; this principle
    does neither. Remove it, or choose `on_violation: revise` or `redact`."""
    if principle.on_violation not in {"revise", "redact"} and "otherwise" in principle.places:
        what = f"otherwise has no effect with on_violation: {principle.on_violation}"
        yield Fault(principle.place("otherwise"), what)


def note_on_critical(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """A violation of a critical principle is only noted, so the answer is released. Either the principle is
    not critical, or more must happen."""
    if principle.severity == "critical" and principle.on_violation == "note":
        yield Fault(principle.place("on_violation"), "a critical principle whose violation is only noted")


def impossible_decision(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """A case expects a milder decision than the outcome that it expects too leads to. Correct one of the
    two.
    """
    actions = {"violated": principle.on_violation, "inconclusive": principle.on_inconclusive}
    for case in principle.cases:
        least = actions.get(case.expect, "")
        if case.decision and least in DECISIONS and DECISIONS.index(case.decision) < DECISIONS.index(least):
            what = f"the case '{case.name}' expects {case.decision}, but {case.expect} means {least} here"
            yield Fault(case.place, what)


RULES: Final[tuple[Examine, ...]] = (
    no_revision,
    redact_without_spans,
    idle_otherwise,
    note_on_critical,
    impossible_decision,
)
