"""`previous_response_id`: what was said before is taken from the audit log, for the key that said it.

There is no second store: the vault holds every governed exchange, under an id that nobody can guess, checked against
what the leaf commits to. So a conversation goes on in any worker and after a restart, and is gone when it is erased.
"""

import asyncio
import re
import time
from datetime import datetime
from typing import Final

import msgspec

from lawspeaker.audit.log import AsyncLog
from lawspeaker.audit.record import Record
from lawspeaker.errors import LogError
from lawspeaker.exchange import Exchange, Message
from lawspeaker.gateway.body import LARGEST, MOST_MESSAGES
from lawspeaker.gateway.fault import bad
from lawspeaker.gateway.neutral import Asked
from lawspeaker.gateway.routes import Client
from lawspeaker.govern import Governor

KEPT: Final = "continued_from"
"""The fact of an `opened` record that lets it be continued: how many messages at its start were its own alone."""
_ID: Final = re.compile(r"resp_([0-9a-f]{32})")
_LASTS: Final = 30 * 86_400.0  # seconds, as long as OpenAI keeps a response


def facts(asked: Asked) -> dict[str, object]:
    """What goes on record of a request that may be continued; nothing of one that may not."""
    return {KEPT: asked.own} if asked.kept else {}


async def continued(asked: Asked, client: Client, governor: Governor, log: AsyncLog) -> Asked:
    """`asked` with what was said before it. One error says that there is no such response, whatever the reason:
    another's, withheld, not stored, erased or too old. Raises `RequestError`."""
    found = _ID.fullmatch(asked.previous)
    before = await asyncio.to_thread(_before, log, found[1], client, governor) if found else None
    if before is None:
        words = "there is no response of yours by that id that can be continued; send the conversation itself"
        raise bad(words, "previous_response_id", "previous_response_not_found")
    now = asked.exchange.messages
    messages = (*now[: asked.own], *before, *now[asked.own :])
    if len(messages) > MOST_MESSAGES:
        raise bad(f"there are more than {MOST_MESSAGES} items, those before included", "previous_response_id")
    if sum(len(part.text) for message in messages for part in message.parts) > LARGEST:
        raise bad(f"there are more than {LARGEST} characters, those before included", "previous_response_id")
    return msgspec.structs.replace(asked, exchange=Exchange(messages))


def _before(log: AsyncLog, id: str, client: Client, governor: Governor) -> tuple[Message, ...] | None:
    with log.reader() as reader:
        try:
            history = reader.history(id)
        except LogError:
            return None
        opened = history[0].record
        own = opened.facts.get(KEPT)
        mine = (opened.tenant, opened.facts.get("client")) == (client.tenant, client.id)
        decided = next((leaf.record for leaf in history if leaf.record.kind == "decision"), None)
        if opened.id != id or not mine or not isinstance(own, int) or decided is None:
            return None
        if decided.facts["action"] != "release" or _age(decided) >= _LASTS:
            return None
        text = reader.texts(decided.id).get("exchange")
    if text is None or text.state != "present":
        return None
    messages = msgspec.json.decode(text.text, type=Exchange).messages[own:]
    return messages if _judged_alike(decided, governor) else tuple(_from_outside(each) for each in messages)


def _judged_alike(decided: Record, governor: Governor) -> bool:
    """Whether the answer was judged by what judges now: the same law and checks, nothing waived, not in shadow."""
    return decided.behaviour == governor.standing.behaviour and not {"shadow", "waived"} & decided.facts.keys()


def _from_outside(message: Message) -> Message:
    """An answer that was judged otherwise is judged again, as part of the request."""
    return msgspec.structs.replace(message, outside=True) if message.role == "assistant" else message


def _age(record: Record) -> float:
    return time.time() - datetime.fromisoformat(record.time).timestamp()
