"""Critique: what is wrong with an answer, in terms of one principle (Bai et al. 2022, section 3.1)."""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from lawspeaker.constitution.schema import Principle
from lawspeaker.deliberation.render import answer_text, request_text
from lawspeaker.exchange import Exchange, Message
from lawspeaker.finding import Finding
from lawspeaker.models.base import Model, Sampling
from lawspeaker.prompt import load_template

TEMPLATE: Final = load_template("lawspeaker.deliberation", "critique")


class Critique(msgspec.Struct, frozen=True, tag="critique", tag_field="kind"):
    """A critic's words about one principle.

    `says` is the verdict that they begin with; a reply in another form says `inconclusive`. `agrees` tells whether
    that is also what the checks found. `account` is what the reviser is told: the critic's words where it agrees, the
    checks' where it does not, since a deterministic violation stands whatever a model thinks of it.
    """

    principle: str
    text: str
    says: Literal["upheld", "violated", "inconclusive"]
    agrees: bool
    account: str
    model: str
    sampling: Sampling


async def critique(
    exchange: Exchange,
    principle: Principle,
    findings: Sequence[Finding],
    *,
    critic: Model,
    sampling: Sampling,
    examples: Sequence[Message] = (),
) -> Critique:
    """Ask `critic` about an answer that `findings` say violates `principle`. Raises `ModelError`.

    The critic is not told the findings: an independent second look is what makes its agreement worth recording.
    `examples` are turns of the same form, asked and answered, that it sees before.
    """
    prompt = prompt_of(exchange, principle, examples)
    text = (await critic.complete(prompt, sampling)).text.strip()
    says = _verdict(text)
    agrees = says == "violated"
    account = text if agrees else account_of(principle, findings)
    return Critique(principle.id, text, says, agrees, account, critic.name, sampling)


def prompt_of(exchange: Exchange, principle: Principle, examples: Sequence[Message] = ()) -> tuple[Message, ...]:
    """What the critic is asked."""
    system, user = TEMPLATE.fill(
        principle=principle.text,
        critique=principle.critique,
        request=request_text(exchange),
        answer=answer_text(exchange),
    )
    return (system, *examples, user)


def account_of(principle: Principle, findings: Sequence[Finding]) -> str:
    """What the checks found against `principle`, a line each."""
    lines = []
    for finding in findings:
        if finding.principle == principle.id and finding.outcome == "violated" and not finding.waived:
            at = f" (line {finding.spans[0].line})" if finding.spans else ""
            lines.append(f"{finding.reason}{at}")
    return "\n".join(lines)


def _verdict(text: str) -> Literal["upheld", "violated", "inconclusive"]:
    head = text.partition(":")[0].strip().lower()
    return "upheld" if head == "upheld" else "violated" if head == "violated" else "inconclusive"
