"""Rules about principles that cannot do what they say."""

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from lawspeaker.constitution.rules.fault import Edit, Examine, Fault
from lawspeaker.constitution.schema import DECISIONS, ON_INCONCLUSIVE, Case, Constitution, Principle
from lawspeaker.errors import BoundaryError, boundary
from lawspeaker.exchange import Exchange, Message, Scope, Text, ask

# Kinds whose findings name no words that could be cut out: a judge gives none, and Terraform with a hole is
# broken.
_NOTHING_TO_CUT: Final = frozenset({"judge", "terraform"})
# Kinds that never leave a text undecided.
_ALWAYS_DECIDE: Final = frozenset({"pattern", "secrets", "shape"})
_ALL_IS_WELL: Final = re.compile(
    r"(?i)\b(?:compl(?:y|ies|iant)|uphold|respect|follow|obey|adhere|refrain|avoid|safe|acceptable|allowed|harmless)\b"
    r"(?! to)(?!.*\b(?:fail|violat|break))"
)
_HARMLESS: Final = tuple(
    Exchange((*ask("Hello").messages, Message("assistant", (Text(text),)))) for text in ("Good morning.", "42")
)
_ANSWER: Final[frozenset[Scope]] = frozenset({"answer"})


def no_revision(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """A principle with `on_violation: revise` has no `revision`: the model that should revise is not told
    how. Write one sentence that says what to change and what to keep.

    Fails:
        {revision: null}
    Passes:
        {revision: Say it quietly.}
    """
    if principle.on_violation == "revise" and not principle.revision:
        yield Fault(principle.place("on_violation"), "on_violation: revise, and no revision says how")


def redact_without_spans(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """A principle with `on_violation: redact` has no check that says which words to cut out, so that every
    violation falls to `otherwise`. Add a check of a kind like `pattern` or `secrets`, or revise instead.

    Fails:
        {on_violation: redact, checks: [{judge: {ask: 'Is it loud?'}}]}
    Passes:
        {on_violation: redact}
    """
    if principle.on_violation == "redact" and all(check.kind in _NOTHING_TO_CUT for check in principle.checks):
        yield Fault(principle.place("on_violation"), "on_violation: redact, and no check names words to cut out")


def idle_otherwise(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """`otherwise` is stated, but says what happens when revising or redacting does not help; this principle
    does neither. Remove it (`--fix` does), or choose `on_violation: revise` or `redact`.

    Fails:
        {on_violation: refuse, otherwise: escalate}
    Passes:
        {on_violation: revise, otherwise: escalate}
    """
    if principle.on_violation not in {"revise", "redact"} and "otherwise" in principle.places:
        what, place = (
            f"otherwise has no effect with on_violation: {principle.on_violation}",
            principle.place("otherwise"),
        )
        yield Fault(place, what, Edit(place, "otherwise:", whole=True))


def note_on_critical(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """A violation of a critical principle is only noted, so the answer is released. Either the principle is
    not critical, or more must happen.

    Fails:
        {severity: critical, on_violation: note}
    Passes:
        {severity: critical, on_violation: revise}
    """
    if principle.severity == "critical" and principle.on_violation == "note":
        yield Fault(principle.place("on_violation"), "a critical principle whose violation is only noted")


def impossible_decision(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """A case expects a milder decision than the outcome that it expects too leads to. Correct one of the
    two.

    Fails:
        {on_violation: refuse, cases: [
          {name: loud, answer: HEY, expect: violated, decision: escalate},
          {name: quiet, answer: hello, expect: upheld}]}
    Passes:
        {on_violation: refuse, cases: [
          {name: loud, answer: HEY, expect: violated, decision: refuse}, {name: quiet, answer: hello, expect: upheld}]}
    """
    actions = {"violated": principle.on_violation, "inconclusive": principle.on_inconclusive}
    for case in principle.cases:
        least = actions.get(case.expect, "")
        if case.decision and least in DECISIONS and DECISIONS.index(case.decision) < DECISIONS.index(least):
            what = f"the case '{case.name}' expects {case.decision}, but {case.expect} means {least} here"
            yield Fault(case.place, what)


def duplicate_check(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """The same check stands twice in a principle, so that each of its findings is told twice. Remove one.

    Fails:
        {checks: [{pattern: {deny: HEY, reason: Loud.}}, {pattern: {deny: HEY, reason: Loud.}}]}
    Passes:
        {checks: [{pattern: {deny: HEY, reason: Loud.}}]}
    """
    for index, check in enumerate(principle.checks):
        if any((check.kind, check.settings) == (other.kind, other.settings) for other in principle.checks[:index]):
            yield Fault(check.place, f"this check {check.kind} stands above already")


def judge_never_asked(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """A judge that is asked only when undecided stands beside a check that always decides, so that nobody ever asks it.
    Write `when: always`, or remove one of the two.

    Fails:
        {checks: [{pattern: {deny: HEY, reason: Loud.}}, {judge: {ask: 'Is it loud?'}}]}
    Passes:
        {checks: [{pattern: {deny: HEY, reason: Loud.}}, {judge: {ask: 'Is it loud?', when: always}}]}
    """
    deciding = next((check.kind for check in principle.checks if check.kind in _ALWAYS_DECIDE), None)
    for check in principle.checks:
        settings = check.settings
        if deciding and check.kind == "judge" and isinstance(settings, dict) and settings.get("when") != "always":
            yield Fault(check.place, f"the judge is asked when undecided, and {deciding} always decides")


def judge_upside_down(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """Yes to a judge's question means violated, and this question asks whether all is well. Turn it round.

    Fails:
        {checks: [{judge: {ask: 'Does the answer comply with the rule?'}}]}
    Passes:
        {checks: [{judge: {ask: 'Does the answer break the rule?'}}]}
    """
    for check in principle.checks:
        if (
            check.kind == "judge"
            and isinstance(check.settings, dict)
            and _ALL_IS_WELL.search(str(check.settings.get("ask")))
        ):
            yield Fault(check.place, "yes to this question would mean that all is well; yes means violated")


def harsher_undecided(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """What nobody could decide is treated harder than a violation. Lower `on_inconclusive`, or raise what a violation
    means.

    Fails:
        {on_violation: escalate, on_inconclusive: refuse}
    Passes:
        {on_violation: refuse, on_inconclusive: refuse}
    """
    noted = principle.severity == "critical" and principle.on_violation == "note"  # has a rule of its own
    if not noted and ON_INCONCLUSIVE.index(principle.on_inconclusive) > ON_INCONCLUSIVE.index(principle.last_resort):
        what = f"undecided means {principle.on_inconclusive}, and a violation no more than {principle.last_resort}"
        yield Fault(principle.place("on_inconclusive"), what)


def minor_refused(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """A minor principle refuses the answer. What is worth a refusal is not minor; what is minor is revised or noted.

    Fails:
        {severity: minor, on_violation: refuse}
    Passes:
        {severity: major, on_violation: refuse}
    """
    if principle.severity == "minor" and principle.last_resort == "refuse":
        yield Fault(principle.place("severity"), f"'{principle.id}' is minor, and its violation refuses the answer")


def contradicting_cases(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """Two cases of a principle hold the same exchange and expect different outcomes. One of them is wrong.

    Fails:
        {cases: [{name: loud, answer: HEY, expect: violated}, {name: quiet, answer: HEY, expect: upheld}]}
    Passes:
        {cases: [{name: loud, answer: HEY, expect: violated}, {name: quiet, answer: hey, expect: upheld}]}
    """
    known: dict[Exchange, Case] = {}
    for case in principle.cases:
        first = known.setdefault(case.exchange, case)
        if first.expect != case.expect:
            yield Fault(case.place, f"'{case.name}' is the exchange of '{first.name}' and expects another outcome")


def denies_everything(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """A check finds a violation in a plain greeting, whatever it is for: an empty alternative in a pattern does that.
    Correct its settings.

    Fails:
        {checks: [{pattern: {deny: 'HEY|', reason: Loud.}}]}
    Passes:
        {checks: [{pattern: {deny: 'HEY', reason: Loud.}}]}
    """
    for check in principle.checks:
        if isinstance(check.settings, dict) and "json_schema" in check.settings:
            continue  # a greeting is no structured output
        with suppress(BoundaryError), boundary(f"check kind '{check.kind}'"):
            if all(
                any(finding.outcome == "violated" for finding in check.check.examine(probe, _ANSWER))
                for probe in _HARMLESS
            ):
                yield Fault(check.place, f"{check.kind} finds a violation in any text at all")


RULES: Final[tuple[Examine, ...]] = (
    no_revision,
    redact_without_spans,
    idle_otherwise,
    note_on_critical,
    impossible_decision,
    duplicate_check,
    judge_never_asked,
    judge_upside_down,
    harsher_undecided,
    minor_refused,
    contradicting_cases,
    denies_everything,
)
