"""Rules about principles that nothing, or nothing good enough, decides and tests."""

from collections.abc import Iterator
from typing import Final

from lawspeaker.constitution.rules.fault import Examine, Fault
from lawspeaker.constitution.schema import Constitution, Principle
from lawspeaker.exchange import Exchange


def no_check(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """A principle has no check: nothing ever decides it, and every exchange in its scope is inconclusive.
    Add a check, if need be a judge's question.

    Fails:
        {checks: null}
    Passes:
        {checks: [{judge: {ask: 'Is it loud?'}}]}
    """
    if not principle.checks:
        yield Fault(principle.place(), f"nothing decides '{principle.id}': it has no check")


def only_a_judge(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """Only a judge decides a critical principle. A model's "upheld" counts as inconclusive there until the
    judge has been calibrated on people's labels. Add a deterministic check, or lower the severity.

    Fails:
        {severity: critical, checks: [{judge: {ask: 'Is it loud?'}}]}
    Passes:
        {severity: major, checks: [{judge: {ask: 'Is it loud?'}}]}
    """
    kinds = {check.kind for check in principle.checks}
    if principle.severity == "critical" and kinds == {"judge"}:
        yield Fault(principle.place("checks"), f"only a judge decides the critical principle '{principle.id}'")


def no_violating_case(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """No case shows a violation, so nobody knows that the checks find one. Add one with `expect: violated`.

    Fails:
        {cases: [{name: quiet, answer: hello, expect: upheld}]}
    Passes:
        {cases: [{name: loud, answer: HEY, expect: violated}, {name: quiet, answer: hello, expect: upheld}]}
    """
    if not any(case.expect == "violated" for case in principle.cases):
        yield Fault(principle.place("cases"), f"no case of '{principle.id}' expects violated")


def no_complying_case(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """No case shows what is allowed, so nobody knows that the checks leave it alone. Add one with `expect:
    upheld`.

    Fails:
        {cases: [{name: loud, answer: HEY, expect: violated}]}
    Passes:
        {cases: [{name: loud, answer: HEY, expect: violated}, {name: quiet, answer: hello, expect: upheld}]}
    """
    if not any(case.expect == "upheld" for case in principle.cases):
        yield Fault(principle.place("cases"), f"no case of '{principle.id}' expects upheld")


def case_out_of_scope(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """A case holds nothing that the principle applies to, so its outcome can only be not_applicable. Add
    the missing part to the case, or the scope to `applies_to`.

    Fails:
        {applies_to: [tool_call]}
    Passes:
        {applies_to: [answer]}
    """
    scopes = frozenset(principle.applies_to)
    for case in principle.cases:
        if case.expect != "not_applicable" and next(case.exchange.segments(scopes), None) is None:
            what = f"the case '{case.name}' holds nothing in scope ({', '.join(principle.applies_to)})"
            yield Fault(case.place, what)


def duplicate_case(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """Two cases hold the same exchange and expect the same, so that one of them tests nothing. Remove it, or make it
    differ.

    Fails:
        cases: [{name: loud, answer: HEY, expect: violated}, {name: louder, answer: HEY, expect: violated},
          {name: quiet, answer: hello, expect: upheld}]
    Passes:
        cases: [{name: loud, answer: HEY, expect: violated}, {name: louder, answer: HEY HEY, expect: violated},
          {name: quiet, answer: hello, expect: upheld}]
    """
    known: dict[tuple[Exchange, str], str] = {}
    for case in principle.cases:
        first = known.setdefault((case.exchange, case.expect), case.name)
        if first != case.name:
            yield Fault(case.place, f"the case '{case.name}' repeats '{first}'")


def only_borderline(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """Every violating, or every complying, case is marked borderline, so that no example is beyond doubt. Add a plain
    one.

    Fails:
        cases: [{name: loud, answer: HEY, expect: violated, borderline: true},
          {name: quiet, answer: hello, expect: upheld}]
    Passes:
        cases: [{name: loud, answer: HEY, expect: violated}, {name: quiet, answer: hello, expect: upheld}]
    """
    for outcome in ("violated", "upheld"):
        cases = [case for case in principle.cases if case.expect == outcome]
        if cases and all(case.borderline for case in cases):
            yield Fault(cases[0].place, f"every case of '{principle.id}' that expects {outcome} is borderline")


def untested_scope(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """The principle applies to what others write, or to reasoning, and no case holds such a part. Add one, or nobody
    knows that the checks read it.

    Fails:
        {applies_to: [answer, reasoning]}
    Passes:
        applies_to: [answer, reasoning]
        cases:
          - {name: loud, answer: HEY, expect: violated}
          - name: quiet
            messages: [{role: assistant, parts: [{type: reasoning, text: hm}, {type: text, text: hello}]}]
            expect: upheld
    """
    for scope in principle.applies_to:
        unusual = scope in {"request", "reasoning", "tool_result"}
        if (
            unusual
            and principle.cases
            and not any(next(case.exchange.segments(frozenset({scope})), None) for case in principle.cases)
        ):
            yield Fault(principle.place("applies_to"), f"no case of '{principle.id}' holds a {scope}")


RULES: Final[tuple[Examine, ...]] = (
    no_check,
    only_a_judge,
    no_violating_case,
    no_complying_case,
    case_out_of_scope,
    duplicate_case,
    only_borderline,
    untested_scope,
)
