"""What goes on record of an exchange: what was asked and by whose means, what failed, and what was decided."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

import msgspec

from lawspeaker.audit.log import AsyncLog
from lawspeaker.audit.receipt import Receipt
from lawspeaker.audit.record import Record, new_id
from lawspeaker.checks.waivers import Waiver
from lawspeaker.constitution.schema import Constitution
from lawspeaker.decision import Decision
from lawspeaker.deliberation.correct import Corrected
from lawspeaker.deliberation.outline import TELLING, outline, shown
from lawspeaker.deliberation.window import Flowed
from lawspeaker.digest import canonical
from lawspeaker.errors import LawspeakerError, boundary
from lawspeaker.exchange import Exchange
from lawspeaker.finding import by_principle
from lawspeaker.govern.standing import Standing
from lawspeaker.models.base import PLAIN, Terms

# A leaf is small; what these leave out of one is counted in it, and the vault holds every word.
_MOST_IDS: Final = 100
_MOST_FINDINGS: Final = 60
_MOST_STEPS: Final = 60
_TEXT: Final = msgspec.json.Encoder(order="sorted")


class Recorder(msgspec.Struct, frozen=True):
    """Puts the exchange `subject` on record, which a `client` (empty: nobody in particular) of a `tenant` began."""

    log: AsyncLog
    standing: Standing
    subject: str
    tenant: str
    client: str

    async def opened(
        self, request: Exchange, terms: Terms, waivers: Sequence[Waiver], means: Mapping[str, object]
    ) -> None:
        """What is about to happen, and by whose means."""
        facts: dict[str, object] = {**plain(means), "models": self.standing.models}
        if self.client:
            facts["client"] = self.client
        texts: dict[str, object] = {"request": request, **_said_of(terms)}
        if waivers:
            facts["waivers"] = [waiver.terms() for waiver in waivers]
            texts["waivers"] = waivers
        await self._append("opened", facts, texts)

    async def failed(self, facts: Mapping[str, object], texts: Mapping[str, object]) -> None:
        """That it came to no decision, and why."""
        await self._append("failed", facts, texts)

    @asynccontextmanager
    async def recorded(self) -> AsyncIterator[None]:
        """What the model fails in is on record before anybody is told."""
        try:
            with boundary("the model"):
                yield
        except LawspeakerError as error:
            await self.failed({"during": "draft"}, {"error": str(error)})
            raise

    async def decided(
        self,
        now: Corrected,
        decision: Decision,
        *,
        redacted: bool,
        would: tuple[Decision, bool, bool] | None,
        passed: Sequence[str],
        flowed: Flowed | None,
    ) -> Receipt:
        """The decision and all that led to it. `would` is, in a shadow, what would have been decided, and whether the
        answer would have been revised and redacted; `passed` are the principles that a waiver kept from deciding."""
        outcomes = by_principle(now.findings)
        facts: dict[str, object] = {
            "action": decision.action,
            "because": decision.because[:_MOST_IDS],
            "drafted": now.exchange.has_answer,
            "revised": now.revised,
            "redacted": redacted,
            "outcomes": dict([pair for pair in outcomes.items() if pair[1] in TELLING][:_MOST_IDS]),
            "findings": shown(now.steps)[:_MOST_FINDINGS],
            "steps": [outline(step) for step in now.steps][:_MOST_STEPS],
            "models": self.standing.models,
        }
        texts: dict[str, object] = {"exchange": now.exchange, "steps": now.steps, "outcomes": outcomes}
        if passed:
            facts["waived"] = passed[:_MOST_IDS]
        if would is not None:
            then, revised, cut = would
            said = {"action": then.action, "because": then.because[:_MOST_IDS]}
            facts["shadow"] = {**said, "revised": revised, "redacted": cut}
        if flowed is not None:
            facts["stream"] = {"released": len(flowed.released), "stopped": len(flowed.stopped)}
            texts["released"] = flowed.released
        return await self._append("decision", facts, texts)

    async def _append(self, kind: str, facts: Mapping[str, object], texts: Mapping[str, object]) -> Receipt:
        record = Record(
            kind=kind,
            id=self.subject if kind == "opened" else new_id(),
            subject=self.subject,
            facts=dict(facts),
            tenant=self.tenant,
            constitution=self.standing.law,
            behaviour=self.standing.behaviour,
        )
        return await self.log.append(record, _stored(texts))


async def record_attempt(exchange: Exchange, constitution: Constitution, log: AsyncLog, error: LawspeakerError) -> None:
    """Put on record an exchange that no model could be found for: it was asked, and nothing was answered."""
    subject = new_id()
    opened = Record(kind="opened", id=subject, subject=subject, constitution=constitution.digest)
    await log.append(opened, _stored({"request": exchange.request}))
    during: dict[str, object] = {"during": "configuration"}
    failed = Record(kind="failed", id=new_id(), subject=subject, facts=during, constitution=constitution.digest)
    await log.append(failed, _stored({"error": str(error)}))


def plain(value: Mapping[str, object]) -> dict[str, object]:
    """`value` as the plain data that its canonical form holds."""
    data: dict[str, object] = msgspec.json.decode(canonical(value))
    return data


def _said_of(terms: Terms) -> dict[str, object]:
    """The texts of the `opened` record that hold the terms; none where there are none."""
    texts: dict[str, object] = {"tools": terms.tools} if terms.tools else {}
    others = msgspec.structs.replace(terms, tools=())
    return texts if others == PLAIN else {**texts, "terms": others}


def _stored(texts: Mapping[str, object]) -> dict[str, str]:
    """A text that is a value is stored as JSON: its bytes are what is committed to."""
    return {name: text if isinstance(text, str) else _TEXT.encode(text).decode() for name, text in texts.items()}
