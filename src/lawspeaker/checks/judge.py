"""The kind `judge`: a model answers a question about the exchange.

For rules that no program can decide. "Yes" means violated. The verdict has a strict form; anything else is
inconclusive, because a judge whose answer cannot be read must neither pass nor fail anybody. What the model
wrote is vault content, so its findings are confidential. `assess()` asks the judge; `examine()` is for
whoever has no model.
"""

import asyncio
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal

import msgspec

from lawspeaker.checks.settings import fields, sentence
from lawspeaker.constitution.kinds import Check, Needs, SettingsError
from lawspeaker.errors import LawspeakerError, boundary
from lawspeaker.exchange import Exchange, Message, Scope, Segment, Text, ToolCall, ToolResult
from lawspeaker.finding import Finding, Outcome
from lawspeaker.models.base import Model, Sampling
from lawspeaker.prompt import Template, load_template

CHECK: Final = "judge/question"
TEMPLATE: Final[Template] = load_template("lawspeaker.checks", "judge")
_SAMPLING: Final = Sampling(temperature=0.0, seed=0, max_tokens=200)
_VERDICT: Final = re.compile(r"\s*+(Yes|No|Cannot tell)[:.][ \t]*+([^\n]*+)\s*+", re.IGNORECASE)
_OUTCOMES: Final[Mapping[str, Outcome]] = {"yes": "violated", "no": "upheld", "cannot tell": "inconclusive"}

When = Literal["always", "undecided"]


class Judge(msgspec.Struct, frozen=True):
    principle: str
    question: str
    when: When

    @property
    def needs(self) -> Needs:
        return Needs("whole", cost="heavy")

    def examine(self, exchange: Exchange, scopes: frozenset[Scope]) -> Sequence[Finding]:
        return (
            Finding(
                self.principle,
                CHECK,
                "inconclusive",
                "This question needs a judge, and there is no judge model.",
            ),
        )

    async def ask(self, exchange: Exchange, scopes: frozenset[Scope], model: Model, patience: float = 60.0) -> Finding:
        """The model's verdict as a finding; inconclusive where it gives none, or none within `patience` seconds."""
        prompt = TEMPLATE.fill(
            question=self.question,
            request=_quoted((message.role, _said(message)) for message in exchange.request.messages),
            judged=_quoted((_place(part), part.text) for part in exchange.segments(scopes)),
        )
        try:
            with boundary("the judge model"):
                # The model is told its time-out, and held to it.
                async with asyncio.timeout(patience):
                    completion = await model.complete(prompt, msgspec.structs.replace(_SAMPLING, timeout=patience))
        except LawspeakerError as error:
            said = "it was too late." if isinstance(error.__cause__, TimeoutError) else str(error)
            reason = f"The judge did not answer: {said}"
            return Finding(self.principle, CHECK, "inconclusive", reason, confidential=True)
        outcome, reason = verdict(completion.text)
        return Finding(self.principle, CHECK, outcome, reason, confidential=True)


def verdict(text: str) -> tuple[Outcome, str]:
    """Outcome and reason in a judge's reply."""
    match = _VERDICT.fullmatch(text)
    if match is None:
        return "inconclusive", "The judge's reply is not in the form that it was asked for."
    return _OUTCOMES[match[1].lower()], match[2].strip() or "The judge gave no reason."


class JudgeKind:
    name: Final = "judge"
    # The question's template is part of what the judge does, so a change of it is a change of version.
    version: Final = f"2+{TEMPLATE.digest.removeprefix('sha256:')[:12]}"
    schema: Final[Mapping[str, object]] = {
        "type": "object",
        "required": ["ask"],
        "additionalProperties": False,
        "properties": {
            "ask": {"type": "string", "description": "A question to which yes means violated."},
            "when": {
                "enum": ["always", "undecided"],
                "description": "undecided (the default): only where no deterministic check decided.",
            },
        },
    }

    def prepare(self, settings: object, principle: str) -> Check:
        given = fields(settings, ("ask", "when"), required=("ask",))
        return Judge(principle, sentence(given["ask"], ("ask",)), _when(given.get("when", "undecided")))

    def overrules(self, settings: object) -> bool:
        return fields(settings, ("ask", "when")).get("when", "undecided") == "undecided"

    def loosened(self, base: object, extended: object) -> str | None:
        old, new = fields(base, ("ask", "when")), fields(extended, ("ask", "when"))
        if old["ask"] != new["ask"]:
            return "asks the judge another question"
        if old.get("when", "undecided") == "always" and new.get("when", "undecided") != "always":
            return "asks the judge only when undecided, where the base always asks"
        return None


def _when(value: object) -> When:
    if value == "always":
        return "always"
    if value == "undecided":
        return "undecided"
    raise SettingsError("expected 'always' or 'undecided'", ("when",))


def _place(segment: Segment) -> str:
    """What is judged, with the name of the tool or file: a call of `delete_bucket` says most by its name."""
    return f"{segment.scope} {segment.name}" if segment.name else segment.scope


def _said(message: Message) -> str:
    """All of a turn but its reasoning: what tools were asked and what they returned is part of a request."""
    return "\n".join(_parts(message))


def _parts(message: Message) -> Iterator[str]:
    for part in message.parts:
        match part:
            case ToolCall():
                yield f"[tool call {part.name}] {part.text}"
            case ToolResult():
                yield f"[tool result] {part.text}"
            case Text():
                yield f"[file {part.name}]\n{part.text}" if part.name else part.text


def _quoted(parts: Iterable[tuple[str, str]]) -> str:
    """Texts, each under the name of who or what it is."""
    return "\n\n".join(f"[{name}]\n{text}" for name, text in parts)
