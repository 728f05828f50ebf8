"""Erasure: a record's texts and salts are destroyed, and a record says so.

The order is the reverse of an append. The `erased` record is durable first; then the writer overwrites what holds key
and salt, deletes the texts, and empties the write-ahead log. A crash between the two is made good
when the log is opened, and so is an older copy of the vault that somebody puts back. Leaves, heads and proofs stay as
they were: a leaf holds commitments only, which say nothing without the salt.
"""

from collections.abc import Mapping

import msgspec

from lawspeaker.audit.log import AsyncLog
from lawspeaker.audit.reader import Leaf, LogReader
from lawspeaker.audit.receipt import Receipt
from lawspeaker.audit.record import Record, new_id, now
from lawspeaker.audit.retention import NEVER_ERASED, months_before, rules_of
from lawspeaker.errors import LogError

OUT_OF_REACH = (
    "evidence files and other exports that were made before",
    "backups and copies of vault.db: erase there too, or rotate the vault key and destroy copies of the old one",
    "data sets, training runs and models made from the log's texts",
    "caches and logs of clients, models' providers and proxies",
    "names in the leaf's facts, such as who ruled, and blocks that the file system or the disk keeps of old files",
)
"""What no erasure in this log can destroy; said whenever one is made."""


class Erased(msgspec.Struct, frozen=True):
    """What an erasure destroyed."""

    receipt: Receipt
    records: tuple[str, ...]
    texts: int


async def erase(log: AsyncLog, id_: str, why: str, by: str, *, only: bool = False, early: bool = False) -> Erased:
    """Destroy the texts of the exchange that the record `id_` belongs to, or of that record alone.

    `why` goes to the vault, `by` stays in the log. Raises `LogError` where nothing is left to erase, where a legal
    hold lies on the exchange, or where the retention rules want it kept for longer, unless `early`; the record says so
    then.
    """
    with log.reader() as reader:
        history = reader.history(id_)
        whole = reader.find(id_)
        chosen = [leaf for leaf in history if leaf.record.id == whole or not only]
        doomed = erasable(reader, chosen)
        kept = rules_of(reader).keep
    newest = max((leaf.record.time for leaf in chosen if leaf.record.id in doomed), default="")
    if kept and not early and newest > months_before(now(), kept):
        raise LogError(f"{whole} has texts of {newest}; the retention rules keep it for {kept} months")
    if only and chosen[0].record.kind in NEVER_ERASED:
        raise LogError(f"{whole} says what was done to the log; its texts are not erased")
    if not doomed:
        raise LogError(f"{whole} has no texts that could be erased: there were none, or they are gone already")
    facts = {"erased": list(doomed), "by": by} | ({"early": True} if early else {})
    record = Record(kind="erased", id=new_id(), subject=history[0].record.subject, facts=facts)
    record = msgspec.structs.replace(record, tenant=history[0].record.tenant)
    return Erased(await log.append(record, {"why": why}), tuple(doomed), sum(doomed.values()))


def erasable(reader: LogReader, leaves: list[Leaf]) -> Mapping[str, int]:
    """The ids of those records that still have texts, and how many."""
    found: dict[str, int] = {}
    for leaf in leaves:
        if leaf.record.texts and leaf.record.kind not in NEVER_ERASED:
            states = [text.state for text in reader.texts(leaf.record.id).values()]
            if any(state != "erased" for state in states):
                found[leaf.record.id] = sum(state != "erased" for state in states)
    return found


async def hold(log: AsyncLog, id_: str, why: str, by: str, *, release: bool = False) -> Receipt:
    """Put a legal hold on an exchange, or take it away: until then nothing of it can be erased, by whomever."""
    with log.reader() as reader:
        first = reader.history(id_)[0].record
    facts = {"hold": not release, "by": by}
    record = Record(kind="hold", id=new_id(), subject=first.subject, tenant=first.tenant, facts=facts)
    return await log.append(record, {"why": why})
