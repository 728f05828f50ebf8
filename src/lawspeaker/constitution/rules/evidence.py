"""Rules about principles that nothing, or nothing good enough, decides and tests."""

from collections.abc import Iterator
from typing import Final

from lawspeaker.constitution.rules.fault import Examine, Fault
from lawspeaker.constitution.schema import Constitution, Principle


def no_check(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """A principle has no check: nothing ever decides it, and every exchange in its scope is inconclusive.
    Add a check, if need be a judge's question."""
    if not principle.checks:
        yield Fault(principle.place(), f"nothing decides '{principle.id}': it has no check")


def only_a_judge(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """Only a judge decides a critical principle. A model's "upheld" counts as inconclusive there until the
    judge has been calibrated on people's labels. Add a deterministic check, or lower the severity."""
    kinds = {check.kind for check in principle.checks}
    if principle.severity == "critical" and kinds == {"judge"}:
        yield Fault(principle.place("checks"), f"only a judge decides the critical principle '{principle.id}'")


def no_violating_case(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """No case shows a violation, so nobody knows that the checks find one. Add one with `expect: violated`."""
    if not any(case.expect == "violated" for case in principle.cases):
        yield Fault(principle.place("cases"), f"no case of '{principle.id}' expects violated")


def no_complying_case(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """No case shows what is allowed, so nobody knows that the checks leave it alone. Add one with `expect:
    upheld`.
    """
    if not any(case.expect == "upheld" for case in principle.cases):
        yield Fault(principle.place("cases"), f"no case of '{principle.id}' expects upheld")


def case_out_of_scope(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """A case holds nothing that the principle applies to, so its outcome can only be not_applicable. Add
    the missing part to the case, or the scope to `applies_to`."""
    scopes = frozenset(principle.applies_to)
    for case in principle.cases:
        if case.expect != "not_applicable" and next(case.exchange.segments(scopes), None) is None:
            what = f"the case '{case.name}' holds nothing in scope ({', '.join(principle.applies_to)})"
            yield Fault(case.place, what)


RULES: Final[tuple[Examine, ...]] = (
    no_check,
    only_a_judge,
    no_violating_case,
    no_complying_case,
    case_out_of_scope,
)
