"""People's rulings as preferences: who approved an answer that was held back preferred it to the draft it came from.

Only an approval of the very decision that was ruled on counts, and only where its texts are still there and the answer
is not the draft itself. A rejection says of one answer that it is bad, and of no other that it is better: no pair.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from lawspeaker.align.dataset import Pair
from lawspeaker.audit.reader import Leaf, LogReader
from lawspeaker.audit.vault import StoredText
from lawspeaker.deliberation.steps import Draft, Step
from lawspeaker.errors import InputError, LogError
from lawspeaker.exchange import Exchange


def read_rulings(log: Path, name: str) -> tuple[Pair, ...]:
    """The preferences in the log in the folder `log`, which the recipe calls `name`. A pair is of the law that was
    ruled under, and its `line` is the leaf of the ruling. Raises `InputError` for a folder without a log."""
    try:
        with LogReader(log) as reader:
            pairs = [_pair(reader, leaf, name) for leaf in reader.of_kind("ruling")]
    except LogError as error:
        raise InputError(f"{name}: {error}; want the folder of an audit log") from None
    return tuple(pair for pair in pairs if pair)


def _pair(reader: LogReader, ruling: Leaf, name: str) -> Pair | None:
    facts = ruling.record.facts
    decision = next(
        (leaf for leaf in reader.history(ruling.record.subject) if leaf.digest == facts.get("decision")), None
    )
    if facts.get("verdict") != "approve" or decision is None:
        return None
    texts = reader.texts(decision.record.id)
    exchange, steps = (_text(texts, each) for each in ("exchange", "steps"))
    if not exchange or not steps:
        return None
    held = msgspec.json.decode(exchange, type=Exchange)
    drafts = [step.text for step in msgspec.json.decode(steps, type=tuple[Step, ...]) if isinstance(step, Draft)]
    answer, draft = held.answer.strip(), (drafts or [""])[0].strip()
    if not answer or not draft or answer == draft:
        return None
    return Pair(
        f"{name}/{ruling.record.id}", ruling.record.subject, held.request.messages, answer, draft,
        ruling.record.constitution, a_better=1.0, source="ruling", by=str(facts.get("by", "")), data=name,
        line=ruling.digest,
    )  # fmt: skip


def _text(texts: Mapping[str, StoredText], name: str) -> str:
    found = texts.get(name)
    return found.text if found and found.state == "present" else ""
