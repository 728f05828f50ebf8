"""Running one check over a text, as the tests of this folder need it."""

from collections.abc import Sequence

from lawspeaker.checks.registry import KINDS
from lawspeaker.exchange import Exchange, Message, Part, Scope, Text, ask
from lawspeaker.finding import Finding, Outcome, combine

ANSWER: frozenset[Scope] = frozenset({"answer"})


def answer(*parts: Part) -> Exchange:
    """An exchange whose answer has `parts`."""
    return Exchange((Message("user", (Text("please"),)), Message("assistant", parts)))


def findings(kind: str, settings: object, text: str, name: str = "") -> Sequence[Finding]:
    """What a check says about an answer of one text."""
    return KINDS[kind].prepare(settings, "p").examine(answer(Text(text, name)), ANSWER)


def asked(kind: str, settings: object, text: str) -> Sequence[Finding]:
    """What a check says about a request."""
    return KINDS[kind].prepare(settings, "p").examine(ask(text), frozenset({"request"}))


def outcome(rule: str, program: str) -> Outcome:
    """What a Terraform rule says about a file."""
    return combine(finding.outcome for finding in findings("terraform", [rule], program, "main.tf"))


def reasons(rule: str, program: str) -> list[str]:
    """The reasons of what is wrong or unknown."""
    found = findings("terraform", [rule], program, "main.tf")
    return [finding.reason for finding in found if finding.outcome in {"violated", "inconclusive"}]
