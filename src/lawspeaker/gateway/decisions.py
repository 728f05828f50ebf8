"""What a client may look up: the models that it may use, and the decisions on its own requests."""

import asyncio
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from lawspeaker.audit.log import AsyncLog
from lawspeaker.audit.reader import Leaf
from lawspeaker.audit.record import Record
from lawspeaker.audit.rulings import approved, deliver, delivered
from lawspeaker.errors import LogError
from lawspeaker.exchange import Exchange
from lawspeaker.gateway.fault import RequestError
from lawspeaker.gateway.routes import Client

_ID: Final = re.compile(r"[0-9a-f]{32}")


def models(names: Sequence[str], *, anthropic: bool) -> bytes:
    """The list of models in either vendor's form."""
    if anthropic:
        shown = [{"type": "model", "id": n, "display_name": n, "created_at": "1970-01-01T00:00:00Z"} for n in names]
        ends = {"first_id": names[0] if names else None, "last_id": names[-1] if names else None}
        return msgspec.json.encode({"data": shown, "has_more": False, **ends})
    listed = [{"id": name, "object": "model", "created": 0, "owned_by": "lawspeaker"} for name in names]
    return msgspec.json.encode({"object": "list", "data": listed})


async def decision(log: AsyncLog, id: str, client: Client, lasts: float) -> bytes:
    """What was decided on one of the client's own requests, with its receipt; never what was withheld, save an answer
    that a person has since approved, once.

    Another client's id is answered as one that does not exist, and an id is only good whole. `lasts` is the number of
    seconds after which an escalated request is refused for good. Its delivery is on record before it leaves: an answer
    whose client is gone by then is lost, and none is given out twice.
    """
    found = await asyncio.to_thread(_look, log, id, client, lasts)
    if not found.answer:
        return msgspec.json.encode(found.told)
    decided = next(leaf.record for leaf in found.history if leaf.record.kind == "decision")
    try:
        await deliver(log, decided)
    except LogError:
        found = await asyncio.to_thread(_look, log, id, client, lasts)
        if found.answer:
            raise RequestError(503, "the audit log takes no records, so nothing is given out") from None
        return msgspec.json.encode(found.told)
    answer = msgspec.json.decode(found.answer, type=Exchange)
    parts = [part for message in answer.messages[answer.answer_start :] for part in message.parts]
    return msgspec.json.encode({**found.told, "state": "delivered", "answer": answer.answer, "parts": parts})


class _Found(msgspec.Struct, frozen=True):
    """What may be told, and the exchange whose answer is to be delivered, as the vault has it; empty for none."""

    told: dict[str, object]
    history: tuple[Leaf, ...]
    answer: str = ""


def _look(log: AsyncLog, id: str, client: Client, lasts: float) -> _Found:
    unknown = RequestError(404, "there is no such decision", code="unknown_decision")
    if not _ID.fullmatch(id):
        raise unknown
    with log.reader() as reader:
        try:
            history = reader.history(id)
        except LogError:
            raise unknown from None
        opened = history[0].record
        if opened.id != id or (opened.tenant, opened.facts.get("client")) != (client.tenant, client.id):
            raise unknown
        decided = next((leaf for leaf in history if leaf.record.kind == "decision"), None)
        if decided is None:
            return _Found({**_undecided(id, history), "receipt": None}, history)
        told = {**_told(id, history, decided), "receipt": reader.prove(decided.record.id)}
        if told["state"] in {"waiting", "approved"} and _age(decided.record) >= lasts:
            return _Found({**told, "action": "refuse", "state": "expired"}, history)
        if told["state"] != "approved":
            return _Found(told, history)
        for leaf in history:
            if leaf.record.kind == "ruling":
                reader.prove(leaf.record.id)
        text = reader.texts(decided.record.id).get("exchange")
    if text is None or text.state != "present":
        return _Found({**told, "action": "refuse", "state": "erased"}, history)
    return _Found(told, history, text.text)


def _age(record: Record) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(record.time)).total_seconds()


def _undecided(id: str, history: Sequence[Leaf]) -> dict[str, object]:
    failed = any(leaf.record.kind == "failed" for leaf in history)
    return {"id": id, "action": None, "state": "failed" if failed else "open", "because": []}


def _state(history: Sequence[Leaf], action: str, ruling: object) -> str:
    if action != "escalate":
        return "decided"
    if delivered(history):
        return "delivered"
    if approved(history):
        return "approved"
    return "waiting" if ruling is None else "decided"


def _told(id: str, history: Sequence[Leaf], decided: Leaf) -> dict[str, object]:
    """Of the log's leaves, which hold no text: what was decided, why, and what a person said since."""
    ruling = next((leaf.record.facts.get("verdict") for leaf in history if leaf.record.kind == "ruling"), None)
    facts = decided.record.facts
    findings = [
        {key: finding[key] for key in ("principle", "check", "outcome", "line")} for finding in facts["findings"]
    ]
    return {
        "id": id,
        "action": facts["action"],
        "state": _state(history, facts["action"], ruling),
        "because": facts["because"],
        "waived": facts.get("waived", []),
        "revised": facts["revised"],
        "redacted": facts["redacted"],
        "findings": findings,
        "ruling": ruling,
        "constitution": decided.record.constitution,
        "behaviour": decided.record.behaviour,
    }
