"""Rules about what a law costs and does where it is deployed."""

from collections.abc import Iterator
from typing import Final

from lawspeaker.constitution.files import bundled
from lawspeaker.constitution.rules.fault import Examine, ExamineLaw, Fault
from lawspeaker.constitution.schema import Constitution, Principle

_LONG: Final = 600
_MANY: Final = 8


def refuses_without_judge(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """Only a judge decides, and undecided means refused: while the judge is down or not set up, every answer is
    refused. Escalate instead, or add a check that decides.

    Fails:
        {checks: [{judge: {ask: 'Is it loud?'}}], on_violation: refuse, on_inconclusive: refuse}
    Passes:
        {checks: [{judge: {ask: 'Is it loud?'}}], on_violation: refuse, on_inconclusive: escalate}
    """
    if principle.on_inconclusive == "refuse" and {check.kind for check in principle.checks} == {"judge"}:
        yield Fault(principle.place("on_inconclusive"), "without its judge, this principle refuses every answer")


def long_guidance(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """`critique` or `revision` is longer than 600 characters. It is part of every prompt about the principle, and a
    small model loses the thread. Shorten it, or make two principles.

    Fails:
        critique: >-
          Name the word that is shouted, and the line, and the reason why it may have been shouted. Name the word that
          was meant, and the line, and the reason why it may have been meant. Name the word that is whispered, and the
          line, and the reason why it may have been whispered. Name the word that is sung, and the line, and the reason
          why it may have been sung. Name the word that is spoken, and the line, and the reason why it may have been
          spoken. Name the word that is written, and the line, and the reason why it may have been written. Name the
          word that is left out, and the line, and the reason why it may have been left out.
    Passes:
        {critique: Name the word that is shouted.}
    """
    for field in ("critique", "revision"):
        if len(getattr(principle, field)) > _LONG:
            yield Fault(principle.place(field), f"{field} has more than {_LONG} characters and is in every prompt")


def everything_noted(law: Constitution) -> Iterator[Fault]:
    """Every principle only notes its violations, so that the law stops nothing. That is right for a trial; say what
    must happen before it is relied on.

    Fails:
        {on_violation: note, on_inconclusive: note}
    Passes:
        {on_violation: revise}
    """
    if all(principle.on_violation == "note" for principle in law.principles):
        yield Fault(law.place("principles"), f"'{law.name}' stops nothing: every principle only notes")


def people_for_everything(law: Constitution) -> Iterator[Fault]:
    """Every one of three or more principles escalates, so that people must look at each violation. Let a model revise
    what it can.

    Fails:
        on_violation: escalate
        principles:
          - {id: no-whistling, text: Answers must not whistle., on_violation: escalate}
          - {id: no-singing, text: Answers must not sing., on_violation: escalate}
    Passes:
        on_violation: revise
        principles:
          - {id: no-whistling, text: Answers must not whistle., on_violation: escalate}
          - {id: no-singing, text: Answers must not sing., on_violation: escalate}
    """
    if len(law.principles) > 2 and all(principle.on_violation == "escalate" for principle in law.principles):
        yield Fault(law.place("principles"), f"'{law.name}' sends every violation to a person")


def many_judges(law: Constitution) -> Iterator[Fault]:
    """More than eight judges are asked about every answer (`when: always`), each a model's call. Ask when undecided, or
    put questions together.

    Fails:
        checks: [
          {judge: {ask: 'A?', when: always}}, {judge: {ask: 'B?', when: always}}, {judge: {ask: 'C?', when: always}},
          {judge: {ask: 'D?', when: always}}, {judge: {ask: 'E?', when: always}}, {judge: {ask: 'F?', when: always}},
          {judge: {ask: 'G?', when: always}}, {judge: {ask: 'H?', when: always}}, {judge: {ask: 'I?', when: always}}]
    Passes:
        {checks: [{judge: {ask: 'Is it loud?', when: always}}]}
    """
    always = sum(
        check.kind == "judge" and isinstance(check.settings, dict) and check.settings.get("when") == "always"
        for principle in law.principles
        for check in principle.checks
    )
    if always > _MANY:
        yield Fault(law.place("principles"), f"{always} judges are asked about every answer")


def name_of_bundled(law: Constitution) -> Iterator[Fault]:
    """A constitution has the name of a bundled one and is another, so that records and commands confuse the two.
    Rename it.

    Fails:
        {name: infrastructure}
    Passes:
        {name: our-infrastructure}
    """
    if law.name in bundled() and law.place().path != f"bundled/{law.name}.yaml":
        yield Fault(law.place(), f"'{law.name}' is the name of a bundled constitution")


def prerelease(law: Constitution) -> Iterator[Fault]:
    """The version is a prerelease, or carries build metadata that no comparison sees. Records name the version; deploy
    a released one.

    Fails:
        {version: 1.0.0-rc.1}
    Passes:
        {version: 1.0.0}
    """
    if "-" in law.version or "+" in law.version:
        yield Fault(law.place("version"), f"{law.version} is no released version")


RULES: Final[tuple[Examine, ...]] = (refuses_without_judge, long_guidance)
LAW_RULES: Final[tuple[ExamineLaw, ...]] = (
    everything_noted,
    people_for_everything,
    many_judges,
    name_of_bundled,
    prerelease,
)
