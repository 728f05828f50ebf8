"""Rulings: what people decide on exchanges that the constitution sent to them.

A ruling is a record like any other. It names the digest of the decision that it rules on, and that leaf commits to
every text that was shown and names the law: nothing of it can change under an approval. One subject gets one ruling;
the log's writer refuses a second, whichever process asks.
"""

from collections.abc import Sequence
from typing import Literal

from lawspeaker.audit.log import AsyncLog
from lawspeaker.audit.reader import Leaf, LogReader
from lawspeaker.audit.receipt import Receipt
from lawspeaker.audit.record import Record, new_id
from lawspeaker.errors import LogError

Verdict = Literal["approve", "reject"]


def pending(reader: LogReader) -> tuple[Leaf, ...]:
    """The decisions with the action `escalate` on which nobody has ruled, oldest first."""
    ruled = {ruling.record.subject for ruling in reader.of_kind("ruling")}
    return tuple(
        decision
        for decision in reader.of_kind("decision")
        if decision.record.facts.get("action") == "escalate" and decision.record.subject not in ruled
    )


async def rule(log: AsyncLog, subject: str, verdict: Verdict, reason: str, by: str) -> Receipt:
    """Record a person's ruling on an escalated subject (any of its ids, or the beginning of one).

    `by` is a stable name of the person and stays in the log; `reason` goes to the vault. Raises `LogError` where
    nothing waits for a ruling, where the decision is not what the log's head says, or where an approval would be of
    texts that cannot be read back whole.
    """
    with log.reader() as reader:
        decision = _escalated(reader, subject)
        reader.prove(decision.record.id)
        damaged = [name for name, text in reader.texts(decision.record.id).items() if text.state != "present"]
    if verdict == "approve" and damaged:
        names = ", ".join(damaged)
        raise LogError(f"{decision.record.subject} cannot be approved: {names} cannot be read back as recorded")
    record = Record(
        kind="ruling",
        id=new_id(),
        subject=decision.record.subject,
        tenant=decision.record.tenant,
        constitution=decision.record.constitution,
        behaviour=decision.record.behaviour,
        facts={"verdict": verdict, "by": by, "decision": decision.digest},
    )
    return await log.append(record, {"reason": reason})


def approved(history: Sequence[Leaf]) -> bool:
    """Whether a person approved the escalated decision of this subject, that very one, and nobody had it since."""
    decided = next((leaf for leaf in history if leaf.record.kind == "decision"), None)
    ruling = next((leaf.record.facts for leaf in history if leaf.record.kind == "ruling"), {})
    if decided is None or decided.record.facts.get("action") != "escalate" or delivered(history):
        return False
    return ruling.get("verdict") == "approve" and ruling.get("decision") == decided.digest


def delivered(history: Sequence[Leaf]) -> bool:
    """Whether the approved answer of this subject has been given out."""
    return any(leaf.record.kind == "delivered" for leaf in history)


async def deliver(log: AsyncLog, decision: Record) -> Receipt:
    """Put on record that an approved answer is being given out, before it is. Raises `LogError` the second time."""
    record = Record(
        kind="delivered",
        id=new_id(),
        subject=decision.subject,
        tenant=decision.tenant,
        constitution=decision.constitution,
        behaviour=decision.behaviour,
    )
    return await log.append(record, {})


def _escalated(reader: LogReader, subject: str) -> Leaf:
    history = reader.history(subject)
    whole = history[0].record.subject
    if any(leaf.record.kind == "ruling" for leaf in history):
        raise LogError(f"{whole} has a ruling already; a second one is refused")
    for leaf in reversed(history):
        if leaf.record.kind == "decision":
            if leaf.record.facts.get("action") != "escalate":
                raise LogError(f"{whole} was not escalated: its decision is {leaf.record.facts.get('action')!r}")
            return leaf
    raise LogError(f"{whole} has no decision to rule on")
