"""The one composition: request, checks, draft, checks, critique, revision, decision, record, receipt.

Only this module knows every stage. No receipt, no response: the answer leaves `govern()` after its record is durable.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final, TypeVar

import msgspec

from lawspeaker.audit.log import AsyncLog
from lawspeaker.audit.receipt import Receipt
from lawspeaker.audit.record import Record, new_id
from lawspeaker.checks.judge import TEMPLATE as JUDGE
from lawspeaker.checks.streams import StreamPlan
from lawspeaker.checks.waivers import Waiver, assess_waived, waived
from lawspeaker.constitution.schema import Constitution, behaviour_digest
from lawspeaker.decision import Decision, decide
from lawspeaker.deliberation.correct import Corrected, Corrector
from lawspeaker.deliberation.critique import TEMPLATE as CRITIQUE
from lawspeaker.deliberation.form import fits
from lawspeaker.deliberation.outline import TELLING, outline, shown
from lawspeaker.deliberation.redaction import hide, redact
from lawspeaker.deliberation.revision import TEMPLATE as REVISION
from lawspeaker.deliberation.steps import Assessment, Draft, Redaction, Step
from lawspeaker.deliberation.window import Flowed, Release, Window, flow
from lawspeaker.digest import canonical, digest
from lawspeaker.errors import LawspeakerError, boundary
from lawspeaker.exchange import Exchange, Message, Text
from lawspeaker.finding import Finding, by_principle
from lawspeaker.models.base import PLAIN, Model, Sampling, Terms, streamed

PROMPTS: Final = {template.name: template.digest for template in (CRITIQUE, REVISION, JUDGE)}
# A leaf is small; what these leave out of one is counted in it, and the vault holds every word.
_MOST_IDS: Final = 100
_MOST_FINDINGS: Final = 60
_MOST_STEPS: Final = 60
_NOTHING: Final[Mapping[str, object]] = {}
_T = TypeVar("_T")


class Governed(msgspec.Struct, frozen=True):
    """A decision with its history. `answer` is None unless the decision is to release it. `released` is what of the
    answer had left before it."""

    answer: str | None
    decision: Decision
    revised: bool
    redacted: bool
    steps: tuple[Step, ...]
    exchange: Exchange
    law: str
    behaviour: str
    models: dict[str, dict[str, str]]
    receipt: Receipt
    waived: tuple[str, ...] = ()
    released: str = ""


class Governor(msgspec.Struct, frozen=True):
    """Everything that stays the same from one exchange to the next.

    `judge` answers what only a model can judge (None: such principles are inconclusive). `rounds` bounds the
    revisions, `budget` (seconds) one assessment. `client` names who asks, where somebody does. In `shadow`,
    everything is judged and recorded, and the draft is given out as it came: the record says what would have been
    done. `waivers` keep principles from deciding until they expire. `flowing` says how the law is enforced on a
    stream; without it, streams are held. `observe` is told each stage as it begins.
    """

    constitution: Constitution
    model: Model
    critic: Model
    log: AsyncLog
    judge: Model | None = None
    sampling: Sampling = Sampling()
    rounds: int = 2
    budget: float = 30.0
    tenant: str = "default"
    client: str = ""
    shadow: bool = False
    waivers: tuple[Waiver, ...] = ()
    flowing: StreamPlan | None = None
    observe: Callable[[str], None] = lambda stage: None

    @property
    def models(self) -> dict[str, dict[str, str]]:
        """Part played -> name and digest of the model that plays it."""
        cast = {"model": self.model, "critic": self.critic, "judge": self.judge}
        return {part: {"name": each.name, "digest": each.digest} for part, each in cast.items() if each is not None}

    @property
    def behaviour(self) -> str:
        models = {part: each["digest"] for part, each in self.models.items()}
        acted = behaviour_digest(self.constitution, prompts=PROMPTS, models=models)
        if not self.waivers:
            return acted
        terms = [waiver.terms() for waiver in self.waivers]
        return digest("lawspeaker/waived/v1", {"behaviour": acted, "waivers": terms})

    async def govern(
        self,
        exchange: Exchange,
        *,
        subject: str = "",
        terms: Terms = PLAIN,
        noted: Mapping[str, object] = _NOTHING,
        release: Release | None = None,
    ) -> Governed:
        """Govern one exchange; one that already holds its answer is not drafted again. `subject` is a fresh
        `new_id()` of a caller who has to know the exchange's id before its end; `terms` are the model's to keep;
        `noted` are facts of the caller's own for the `opened` record, which the log shows. `release` is given the words
        of the answer while it is made, as far as `flowing` lets them leave; a structured answer is held.

        Raises `ModelError` where no draft could be had (a `failed` record says so) and `LogError` where the record
        could not be made durable; there is no answer then.
        """
        flows = self.flowing is not None and terms.form is None
        return await self._in_force()._govern(exchange, subject or new_id(), terms, noted, release if flows else None)

    async def pass_on(
        self, exchange: Exchange, forward: Callable[[], Awaitable[_T]], *, subject: str
    ) -> tuple[Governed, _T | None]:
        """Govern a request whose answer has no words: it is judged, and `forward` is called where the law releases it
        (in shadow, always); None where it was not. Raises as `govern` does."""
        return await self._in_force()._pass_on(exchange, forward, subject)

    def _in_force(self) -> "Governor":
        """With the waivers that have not expired."""
        in_force = tuple(waiver for waiver in self.waivers if waiver.expires > time.time())
        return msgspec.structs.replace(self, waivers=in_force)

    async def _pass_on(
        self, exchange: Exchange, forward: Callable[[], Awaitable[_T]], subject: str
    ) -> tuple[Governed, _T | None]:
        await self._opened(exchange, subject, PLAIN)
        screened = await self._assess(exchange, "request")
        made = None
        if self.shadow or decide(screened.findings, self.constitution).action == "release":
            async with self._recorded(subject):
                made = await forward()
        judged = Corrected(exchange, screened.findings, (screened,), revised=False)
        return await self._close(subject, judged, exchange if self.shadow else None), made

    async def _govern(
        self, exchange: Exchange, subject: str, terms: Terms, noted: Mapping[str, object], release: Release | None
    ) -> Governed:
        await self._opened(exchange, subject, terms, noted)
        screened = await self._assess(_with_terms(exchange.request, terms), "request")
        stopped = decide(screened.findings, self.constitution).action != "release"
        if stopped and not self.shadow:
            undrafted = Corrected(exchange.request, screened.findings, (screened,), revised=False)
            return await self._close(subject, undrafted)
        drafted, draft, flowed = await self._draft(subject, exchange, terms, release)
        untouched = drafted if self.shadow else None
        if stopped:
            undrafted = Corrected(drafted, screened.findings, (screened, *draft), revised=False)
            return await self._close(subject, undrafted, untouched, flowed)
        found = await self._assess(drafted, "draft")
        now = await self._hidden(drafted, found)
        steps = (screened, *draft, found, *now.steps)
        if flowed is None:
            now = await self._corrector(terms).correct(now.exchange, now.findings)
            steps += now.steps
        now = await self._redacted(msgspec.structs.replace(now, steps=steps), terms)
        if flowed is not None and untouched is None:
            now = self._in_line(now, flowed)
        return await self._close(subject, now, untouched, flowed)

    async def _opened(
        self, exchange: Exchange, subject: str, terms: Terms, noted: Mapping[str, object] = _NOTHING
    ) -> None:
        """Record what is about to happen, and by whose means."""
        means = {
            **noted,
            "models": self.models,
            "sampling": self.sampling,
            "rounds": self.rounds,
            "budget": self.budget,
        }
        if self.client:
            means["client"] = self.client
        texts: dict[str, object] = {"request": exchange.request, **_said_of(terms)}
        if self.waivers:
            means["waivers"] = [waiver.terms() for waiver in self.waivers]
            texts["waivers"] = self.waivers
        await self._append("opened", subject, means, texts)

    async def _draft(
        self, subject: str, exchange: Exchange, terms: Terms, release: Release | None
    ) -> tuple[Exchange, tuple[Draft, ...], Flowed | None]:
        if exchange.has_answer:
            return exchange, (), None
        self.observe("draft")
        flowed = None
        if release is not None and self.flowing is not None:
            flowed = await self._flow(subject, exchange, terms, self.flowing, release)
            completion = flowed.completion
        else:
            async with self._recorded(subject):
                completion = await self.model.complete(exchange.messages, self.sampling, terms)
        draft = Draft(
            completion.text, completion.model, self.sampling, completion.finish, completion.usage, completion.stopped_by
        )
        answer = Message("assistant", completion.parts)
        return Exchange((*exchange.messages, answer)), (draft,), flowed

    @asynccontextmanager
    async def _recorded(self, subject: str) -> AsyncIterator[None]:
        """What the model fails in is on record before anybody is told."""
        try:
            with boundary("the model"):
                yield
        except LawspeakerError as error:
            await self._append("failed", subject, {"during": "draft"}, {"error": str(error)})
            raise

    async def _flow(self, subject: str, exchange: Exchange, terms: Terms, plan: StreamPlan, release: Release) -> Flowed:
        """The draft, while it leaves. However that ends, what has left is on record."""
        aside = frozenset(waiver.principle for waiver in self.waivers if "answer" in waiver.scope)
        window = Window(plan, aside, shadow=self.shadow)
        pieces = streamed(self.model, exchange.messages, self.sampling, terms)
        try:
            with boundary("the model"):
                return await flow(pieces, self.model.name, window, release)
        except (LawspeakerError, asyncio.CancelledError) as error:
            gone = isinstance(error, asyncio.CancelledError)
            facts = {"during": "stream", "released": len(window.released)}
            texts = {"error": "the client left" if gone else str(error), "released": window.released}
            await asyncio.shield(self._append("failed", subject, facts, texts))
            raise

    def _in_line(self, now: Corrected, flowed: Flowed) -> Corrected:
        """`now` as it is: what has left has to be the beginning of what is let go, else it is not let go."""
        begins = now.exchange.answer.startswith(flowed.released)
        if not flowed.stopped and (begins or decide(now.findings, self.constitution).action != "release"):
            return now
        cutting = (each.id for each in self.constitution.principles if each.on_violation == "redact")
        reason = "What is not to be said had begun, or what has left is not what is left of the answer."
        findings = tuple(Finding(id, "stream/left", "violated", reason) for id in flowed.stopped or cutting)
        found = (*now.findings, *findings)
        return msgspec.structs.replace(now, findings=found, steps=(*now.steps, Assessment("stream", findings)))

    async def _assess(self, exchange: Exchange, of: str) -> Assessment:
        self.observe(f"checks: {of}")
        found = await assess_waived(exchange, self.constitution, self.waivers, judge=self.judge, budget=self.budget)
        return Assessment(of, found)

    def _corrector(self, terms: Terms) -> Corrector:
        return Corrector(
            self.constitution,
            self.model,
            self.critic,
            self.judge,
            self.sampling,
            self.rounds,
            self.budget,
            self.observe,
            self.waivers,
            terms.form,
        )

    async def _redacted(self, now: Corrected, terms: Terms) -> Corrected:
        """Cut out what the law wants cut out, and look again. Structured output that a cut would break is left: what
        could not be cut is still found, and decides."""
        exchange = redact(now.exchange, now.findings, self.constitution)
        if exchange == now.exchange or not await fits(exchange.answer, terms.form):
            return now
        return await self._without(exchange, now, "redact")

    async def _hidden(self, drafted: Exchange, found: Assessment) -> Corrected:
        """The draft, without its reasoning where the law wants something in that changed."""
        now = Corrected(drafted, found.findings, (), revised=False)
        exchange = hide(drafted, found.findings, self.constitution)
        return now if exchange == drafted else await self._without(exchange, now, "redact", "revise")

    async def _without(self, exchange: Exchange, now: Corrected, *actions: str) -> Corrected:
        """`exchange`, which is `now` without what the principles of these `actions` wanted gone, looked at again."""
        outcomes = by_principle(now.findings)
        cut = tuple(
            principle.id
            for principle in self.constitution.principles
            if principle.on_violation in actions and outcomes.get(principle.id) == "violated"
        )
        again = await self._assess(exchange, "redaction")
        return Corrected(exchange, again.findings, (*now.steps, Redaction(cut, exchange.answer), again), now.revised)

    async def _close(
        self, subject: str, now: Corrected, untouched: Exchange | None = None, flowed: Flowed | None = None
    ) -> Governed:
        """Decide, record, and only then hand out; what is handed out of a shadow is the exchange `untouched`."""
        decision = decide(now.findings, self.constitution)
        redacted = any(isinstance(step, Redaction) for step in now.steps)
        shadow: dict[str, object] = {}
        if untouched is not None:
            would = {"action": decision.action, "because": decision.because[:_MOST_IDS]}
            shadow = {"shadow": {**would, "revised": now.revised, "redacted": redacted}}
            decision, redacted = Decision("release"), False
            now = msgspec.structs.replace(now, exchange=untouched, revised=False)
        outcomes = by_principle(now.findings)
        passed = _waived(now.steps)
        facts: dict[str, object] = {
            "action": decision.action,
            "because": decision.because[:_MOST_IDS],
            "drafted": now.exchange.has_answer,
            "revised": now.revised,
            "redacted": redacted,
            "outcomes": dict([pair for pair in outcomes.items() if pair[1] in TELLING][:_MOST_IDS]),
            "findings": shown(now.steps)[:_MOST_FINDINGS],
            "steps": [outline(step) for step in now.steps][:_MOST_STEPS],
            "models": self.models,
            **({"waived": passed[:_MOST_IDS]} if passed else {}),
            **shadow,
        }
        self.observe("record")
        texts: dict[str, object] = {"exchange": now.exchange, "steps": now.steps, "outcomes": outcomes}
        released = flowed.released if flowed else ""
        if flowed is not None:
            facts["stream"] = {"released": len(released), "stopped": len(flowed.stopped)}
            texts["released"] = released
        receipt = await self._append("decision", subject, facts, texts)
        answer = now.exchange.answer if decision.action == "release" else None
        law, behaviour = self.constitution.digest, self.behaviour
        by = (law, behaviour, self.models, receipt, passed)
        return Governed(answer, decision, now.revised, redacted, now.steps, now.exchange, *by, released)

    async def _append(
        self, kind: str, subject: str, facts: Mapping[str, object], texts: Mapping[str, object]
    ) -> Receipt:
        by = Record(
            kind=kind,
            id=subject if kind == "opened" else new_id(),
            subject=subject,
            tenant=self.tenant,
            constitution=self.constitution.digest,
            behaviour=self.behaviour,
        )
        return await _record(self.log, by, facts, texts)


def _waived(steps: Sequence[Step]) -> tuple[str, ...]:
    """The principles that a waiver kept from deciding, at any stage."""
    return tuple(sorted({id for step in steps if isinstance(step, Assessment) for id in waived(step.findings)}))


def _said_of(terms: Terms) -> dict[str, object]:
    """The texts of the `opened` record that hold the terms; none where there are none."""
    texts: dict[str, object] = {"tools": terms.tools} if terms.tools else {}
    others = msgspec.structs.replace(terms, tools=())
    return texts if others == PLAIN else {**texts, "terms": others}


def _with_terms(request: Exchange, terms: Terms) -> Exchange:
    """`request` as it is screened: the model reads what its tools and the form of its answer are said to be, so that
    is judged too, and so is whatever else of the terms is a client's own text."""
    said = [
        Text(f"{tool.name}\n{tool.description}\n{msgspec.json.encode(tool.parameters).decode()}")
        for tool in terms.tools
    ]
    if terms.form is not None:
        schema = msgspec.json.encode(terms.form.schema or {}).decode()
        said.append(Text(f"{terms.form.name}\n{terms.form.description}\n{schema}"))
    said += [Text(text) for text in (*terms.stop, terms.named) if text]
    return Exchange((*request.messages, Message("system", tuple(said), outside=True))) if said else request


async def record_attempt(exchange: Exchange, constitution: Constitution, log: AsyncLog, error: LawspeakerError) -> None:
    """Put on record an exchange that no model could be found for: it was asked, and nothing was answered."""
    subject = new_id()
    opened = Record(kind="opened", id=subject, subject=subject, constitution=constitution.digest)
    await _record(log, opened, {}, {"request": exchange.request})
    failed = Record(kind="failed", id=new_id(), subject=subject, constitution=constitution.digest)
    await _record(log, failed, {"during": "configuration"}, {"error": str(error)})


async def _record(log: AsyncLog, record: Record, facts: Mapping[str, object], texts: Mapping[str, object]) -> Receipt:
    """Append `record` with its facts. A text that is a value is stored as JSON: its bytes are what is committed to."""
    stored = {
        name: text if isinstance(text, str) else msgspec.json.encode(text, order="sorted").decode()
        for name, text in texts.items()
    }
    return await log.append(msgspec.structs.replace(record, facts=plain(facts)), stored)


def plain(value: Mapping[str, object]) -> dict[str, object]:
    """`value` as the plain data that its canonical form holds."""
    data: dict[str, object] = msgspec.json.decode(canonical(value))
    return data
