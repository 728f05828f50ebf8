"""The one composition: request, checks, draft, checks, critique, revision, decision, record, receipt.

Only this module knows every stage. No receipt, no response: the answer leaves `govern()` after its record is durable.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from lawspeaker.audit.log import AsyncLog
from lawspeaker.audit.receipt import Receipt
from lawspeaker.audit.record import Record, new_id
from lawspeaker.checks.assess import assess
from lawspeaker.checks.judge import TEMPLATE as JUDGE
from lawspeaker.constitution.schema import Constitution, behaviour_digest
from lawspeaker.decision import Decision, decide
from lawspeaker.deliberation.correct import Corrected, Corrector
from lawspeaker.deliberation.critique import TEMPLATE as CRITIQUE
from lawspeaker.deliberation.critique import Critique
from lawspeaker.deliberation.redaction import redact
from lawspeaker.deliberation.revision import TEMPLATE as REVISION
from lawspeaker.deliberation.revision import Revision
from lawspeaker.deliberation.steps import Assessment, Draft, Fault, Redaction, Step
from lawspeaker.digest import canonical
from lawspeaker.errors import ModelError
from lawspeaker.exchange import Exchange
from lawspeaker.finding import Finding, by_principle
from lawspeaker.models.base import Model, Sampling

PROMPTS: Final = {template.name: template.digest for template in (CRITIQUE, REVISION, JUDGE)}
_MOST_FINDINGS: Final = 100  # in a leaf, whose size is bounded; the vault holds every one


class Governed(msgspec.Struct, frozen=True):
    """A decision with its history. `answer` is None unless the decision is to release it."""

    answer: str | None
    decision: Decision
    revised: bool
    redacted: bool
    steps: tuple[Step, ...]
    exchange: Exchange
    law: str
    behaviour: str
    models: dict[str, str]
    receipt: Receipt


class Governor(msgspec.Struct, frozen=True):
    """Everything that stays the same from one exchange to the next.

    `judge` answers what only a model can judge (None: such principles are inconclusive). `rounds` bounds the
    revisions, `budget` (seconds) one assessment. `observe` is told each stage as it begins.
    """

    constitution: Constitution
    model: Model
    critic: Model
    log: AsyncLog
    judge: Model | None = None
    sampling: Sampling = Sampling()
    rounds: int = 2
    budget: float = 5.0
    tenant: str = "default"
    observe: Callable[[str], None] = lambda stage: None

    @property
    def models(self) -> dict[str, str]:
        """Part played -> digest of the model that plays it."""
        cast = {"model": self.model, "critic": self.critic, "judge": self.judge}
        return {part: model.digest for part, model in cast.items() if model is not None}

    @property
    def behaviour(self) -> str:
        return behaviour_digest(self.constitution, prompts=PROMPTS, models=self.models)

    async def govern(self, exchange: Exchange) -> Governed:
        """Govern one exchange; one that already holds its answer is not drafted again.

        Raises `ModelError` where no draft could be had (a `failed` record says so) and `LogError` where the record
        could not be made durable; there is no answer then.
        """
        subject = new_id()
        drawn = {"sampling": canonical_data(self.sampling)}
        await self._append("opened", subject, drawn, {"request": exchange.request})
        screened = await self._assess(exchange.request, "request")
        if decide(screened.findings, self.constitution).action != "release":
            undrafted = Corrected(exchange.request, screened.findings, (screened,), revised=False)
            return await self._close(subject, undrafted)
        drafted, draft = await self._draft(subject, exchange)
        found = await self._assess(drafted, "draft")
        corrected = await self._corrector().correct(drafted, found.findings)
        history = (screened, *draft, found, *corrected.steps)
        corrected = msgspec.structs.replace(corrected, steps=history)
        return await self._close(subject, await self._redacted(corrected))

    async def _draft(self, subject: str, exchange: Exchange) -> tuple[Exchange, tuple[Draft, ...]]:
        if exchange.has_answer:
            return exchange, ()
        self.observe("draft")
        try:
            completion = await self.model.complete(exchange.messages, self.sampling)
        except ModelError as error:
            await self._append("failed", subject, {"during": "draft"}, {"error": str(error)})
            raise
        return exchange.with_answer(completion.text), (Draft(completion.text, completion.model),)

    async def _assess(self, exchange: Exchange, of: str) -> Assessment:
        self.observe(f"checks: {of}")
        found = await assess(exchange, self.constitution, judge=self.judge, budget=self.budget)
        return Assessment(of, found)

    def _corrector(self) -> Corrector:
        return Corrector(
            self.constitution,
            self.model,
            self.critic,
            self.judge,
            self.sampling,
            self.rounds,
            self.budget,
            self.observe,
        )

    async def _redacted(self, now: Corrected) -> Corrected:
        """Cut out what the law wants cut out, and look again."""
        exchange = redact(now.exchange, now.findings, self.constitution)
        if exchange == now.exchange:
            return now
        outcomes = by_principle(now.findings)
        cut = tuple(
            principle.id
            for principle in self.constitution.principles
            if principle.on_violation == "redact" and outcomes.get(principle.id) == "violated"
        )
        again = await self._assess(exchange, "redaction")
        return Corrected(exchange, again.findings, (*now.steps, Redaction(cut, exchange.answer), again), now.revised)

    async def _close(self, subject: str, now: Corrected) -> Governed:
        """Decide, record, and only then hand out."""
        decision = decide(now.findings, self.constitution)
        redacted = any(isinstance(step, Redaction) for step in now.steps)
        facts: dict[str, object] = {
            "action": decision.action,
            "because": list(decision.because),
            "revised": now.revised,
            "redacted": redacted,
            "outcomes": by_principle(now.findings),
            "findings": _shown(now.steps),
            "steps": [_outline(step) for step in now.steps],
            "models": self.models,
        }
        self.observe("record")
        texts = {"exchange": now.exchange, "steps": now.steps}
        receipt = await self._append("decision", subject, facts, texts)
        answer = now.exchange.answer if decision.action == "release" else None
        law, behaviour = self.constitution.digest, self.behaviour
        return Governed(
            answer, decision, now.revised, redacted, now.steps, now.exchange, law, behaviour, self.models, receipt
        )

    async def _append(
        self, kind: str, subject: str, facts: Mapping[str, object], texts: Mapping[str, object]
    ) -> Receipt:
        record = Record(
            kind=kind,
            id=subject if kind == "opened" else new_id(),
            subject=subject,
            tenant=self.tenant,
            constitution=self.constitution.digest,
            behaviour=self.behaviour,
            facts=dict(facts),
        )
        stored = {name: text if isinstance(text, str) else canonical(text).decode() for name, text in texts.items()}
        return await self.log.append(record, stored)


def canonical_data(value: object) -> object:
    """`value` as the plain data that its canonical form holds."""
    return msgspec.json.decode(canonical(value))


def _shown(steps: Sequence[Step]) -> list[object]:
    """The deterministic findings that a leaf may show: violated or inconclusive ones, without a model's words."""
    shown: list[object] = [
        {"step": number, **_public(finding)}
        for number, step in enumerate(steps)
        if isinstance(step, Assessment)
        for finding in step.findings
        if finding.outcome in {"violated", "inconclusive"}
    ]
    rest = len(shown) - _MOST_FINDINGS
    return [*shown[:_MOST_FINDINGS], {"left_out": rest}] if rest > 0 else shown


def _public(finding: Finding) -> dict[str, object]:
    shown: dict[str, object] = {"principle": finding.principle, "check": finding.check, "outcome": finding.outcome}
    if not finding.confidential:
        shown |= {"reason": finding.reason, "lines": [span.line for span in finding.spans]}
    return shown


def _outline(step: Step) -> dict[str, object]:
    """A step without its texts."""
    match step:
        case Draft(model=model):
            return {"kind": "draft", "model": model}
        case Assessment(of=of, findings=findings):
            violated = [id for id, outcome in by_principle(findings).items() if outcome == "violated"]
            return {"kind": "assess", "of": of, "violated": violated}
        case Critique(principle=principle, says=says, agrees=agrees):
            return {"kind": "critique", "principle": principle, "says": says, "agrees": agrees}
        case Revision(principle=principle, rejected=rejected):
            return {"kind": "revision", "principle": principle, "kept": not rejected, "rejected": rejected}
        case Redaction(principles=principles):
            return {"kind": "redact", "principles": list(principles)}
        case Fault(during=during, principle=principle):
            return {"kind": "fault", "during": during, "principle": principle}
