"""What a client may look up: the models that it may use, and the decisions on its own requests."""

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from lawspeaker.audit.log import AsyncLog
from lawspeaker.audit.reader import Leaf
from lawspeaker.errors import LogError
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


def decision(log: AsyncLog, id: str, client: Client) -> bytes:
    """Action, principles and receipt of one of the client's own requests; never what was withheld.

    Another client's id is answered as one that does not exist, and an id is only good whole.
    """
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
        receipt = reader.prove(decided.record.id) if decided else None
    return msgspec.json.encode({**_told(id, history, decided), "receipt": receipt})


def _told(id: str, history: Sequence[Leaf], decided: Leaf | None) -> dict[str, object]:
    """Of the log's leaves, which hold no text: what was decided, why, and what a person said since."""
    failed = any(leaf.record.kind == "failed" for leaf in history)
    ruling = next((leaf.record.facts.get("verdict") for leaf in history if leaf.record.kind == "ruling"), None)
    if decided is None:
        return {"id": id, "action": None, "state": "failed" if failed else "open", "because": []}
    facts = decided.record.facts
    findings = [
        {key: finding[key] for key in ("principle", "check", "outcome", "line")} for finding in facts["findings"]
    ]
    state = "waiting" if facts["action"] == "escalate" and ruling is None else "decided"
    return {
        "id": id,
        "action": facts["action"],
        "state": state,
        "because": facts["because"],
        "revised": facts["revised"],
        "redacted": facts["redacted"],
        "findings": findings,
        "ruling": ruling,
        "constitution": decided.record.constitution,
        "behaviour": decided.record.behaviour,
    }
