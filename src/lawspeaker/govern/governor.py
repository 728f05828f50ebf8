"""How one exchange is governed. Only this module knows every stage.

No receipt, no response: the answer leaves `govern()` after its record is durable.
"""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeVar

import msgspec

from lawspeaker.audit.log import AsyncLog
from lawspeaker.audit.receipt import Receipt
from lawspeaker.audit.record import new_id
from lawspeaker.checks.streams import StreamPlan
from lawspeaker.checks.waivers import Waiver, assess_waived, waived
from lawspeaker.constitution.schema import Constitution
from lawspeaker.decision import Decision, decide
from lawspeaker.deliberation.correct import Corrected, Corrector
from lawspeaker.deliberation.form import fits
from lawspeaker.deliberation.redaction import hide, redact
from lawspeaker.deliberation.steps import Assessment, Redaction, Step
from lawspeaker.deliberation.window import Flowed, Release, Window
from lawspeaker.exchange import Exchange, Message, Text
from lawspeaker.finding import Finding, by_principle
from lawspeaker.govern.drafting import Drafted, Drafter
from lawspeaker.govern.recording import Recorder
from lawspeaker.govern.standing import Standing, standing
from lawspeaker.models.base import PLAIN, Model, Sampling, Terms

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
    stream; without it, streams are held. `observe` is told each stage as it begins. `worked_out` is what follows from
    these; it is made here.
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
    worked_out: Standing | None = None

    def __post_init__(self) -> None:
        cast = {"model": self.model, "critic": self.critic, "judge": self.judge}
        now = standing(self.constitution, cast, self.waivers, self.worked_out)
        msgspec.structs.force_setattr(self, "worked_out", now)

    @property
    def standing(self) -> Standing:
        """What every record names."""
        assert self.worked_out is not None
        return self.worked_out

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
        now = time.time()
        in_force = tuple(waiver for waiver in self.waivers if waiver.expires > now)
        return self if len(in_force) == len(self.waivers) else msgspec.structs.replace(self, waivers=in_force)

    def _recorder(self, subject: str) -> Recorder:
        return Recorder(self.log, self.standing, subject, self.tenant, self.client)

    async def _pass_on(
        self, exchange: Exchange, forward: Callable[[], Awaitable[_T]], subject: str
    ) -> tuple[Governed, _T | None]:
        recorder = self._recorder(subject)
        await self._opened(recorder, exchange, PLAIN)
        screened = await self._assess(exchange, "request")
        made = None
        if self.shadow or decide(screened.findings, self.constitution).action == "release":
            async with recorder.recorded():
                made = await forward()
        judged = Corrected(exchange, screened.findings, (screened,), revised=False)
        return await self._close(recorder, judged, exchange if self.shadow else None), made

    async def _govern(
        self, exchange: Exchange, subject: str, terms: Terms, noted: Mapping[str, object], release: Release | None
    ) -> Governed:
        recorder, request = self._recorder(subject), exchange.request
        await self._opened(recorder, request, terms, noted)
        screened = await self._assess(_with_terms(request, terms), "request")
        stopped = decide(screened.findings, self.constitution).action != "release"
        if stopped and not self.shadow:
            undrafted = Corrected(request, screened.findings, (screened,), revised=False)
            return await self._close(recorder, undrafted)
        drafted = await self._draft(recorder, exchange, terms, release)
        untouched, flowed = drafted.exchange if self.shadow else None, drafted.flowed
        if stopped:
            undrafted = Corrected(drafted.exchange, screened.findings, (screened, *drafted.steps), revised=False)
            return await self._close(recorder, undrafted, untouched, flowed)
        found = await self._assess(drafted.exchange, "draft")
        now = Corrected(drafted.exchange, found.findings, (screened, *drafted.steps, found), revised=False)
        if any(finding.outcome == "violated" for finding in found.findings):
            now = await self._mended(now, terms, held=flowed is None)
        if flowed is not None and untouched is None:
            now = self._in_line(now, flowed)
        return await self._close(recorder, now, untouched, flowed)

    async def _opened(
        self, recorder: Recorder, request: Exchange, terms: Terms, noted: Mapping[str, object] = _NOTHING
    ) -> None:
        means = {**noted, "sampling": self.sampling, "rounds": self.rounds, "budget": self.budget}
        await recorder.opened(request, terms, self.waivers, means)

    async def _draft(self, recorder: Recorder, exchange: Exchange, terms: Terms, release: Release | None) -> Drafted:
        if exchange.has_answer:
            return Drafted(exchange)
        self.observe("draft")
        drafter = Drafter(self.model, self.sampling, recorder)
        if release is None or self.flowing is None:
            return await drafter.whole(exchange, terms)
        aside = frozenset(waiver.principle for waiver in self.waivers if "answer" in waiver.scope)
        window = Window(self.flowing, aside, shadow=self.shadow)
        return await drafter.flowing(exchange, terms, window, release)

    async def _mended(self, now: Corrected, terms: Terms, *, held: bool) -> Corrected:
        """`now`, as far as the law says how to mend it; words that have left are not revised."""
        now = await self._hidden(now)
        if held:
            steps, now = now.steps, await self._corrector(terms).correct(now.exchange, now.findings)
            now = msgspec.structs.replace(now, steps=(*steps, *now.steps))
        return await self._redacted(now, terms)

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

    async def _hidden(self, now: Corrected) -> Corrected:
        """The draft, without its reasoning where the law wants something in that changed."""
        exchange = hide(now.exchange, now.findings, self.constitution)
        return now if exchange == now.exchange else await self._without(exchange, now, "redact", "revise")

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
        self, recorder: Recorder, now: Corrected, untouched: Exchange | None = None, flowed: Flowed | None = None
    ) -> Governed:
        """Decide, record, and only then hand out; what is handed out of a shadow is the exchange `untouched`."""
        decision = decide(now.findings, self.constitution)
        redacted = any(isinstance(step, Redaction) for step in now.steps)
        would: tuple[Decision, bool, bool] | None = None
        if untouched is not None:
            would = (decision, now.revised, redacted)
            decision, redacted = Decision("release"), False
            now = msgspec.structs.replace(now, exchange=untouched, revised=False)
        passed = _waived(now.steps) if self.waivers else ()
        self.observe("record")
        receipt = await recorder.decided(now, decision, redacted=redacted, would=would, passed=passed, flowed=flowed)
        answer = now.exchange.answer if decision.action == "release" else None
        acted, released = self.standing, flowed.released if flowed else ""
        by = (acted.law, acted.behaviour, acted.models, receipt, passed, released)
        return Governed(answer, decision, now.revised, redacted, now.steps, now.exchange, *by)


def _waived(steps: Sequence[Step]) -> tuple[str, ...]:
    """The principles that a waiver kept from deciding, at any stage."""
    return tuple(sorted({id for step in steps if isinstance(step, Assessment) for id in waived(step.findings)}))


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
