"""Evidence: one file about one exchange, for somebody who has neither the log nor this program.

It holds the leaves as they are, each with its proof under one signed head; the texts that are left, with the salt that
their commitments need; the law in force, where it is at hand; and the keys by which it may be checked.
`docs/evidence-format.md` is the contract; `tools/verify_evidence.py` was written from that page and shares no code.
"""

import base64

import msgspec

from lawspeaker.audit import record as records
from lawspeaker.audit.checkpoint import encode64
from lawspeaker.audit.reader import Leaf, LogReader
from lawspeaker.audit.receipt import Receipt
from lawspeaker.errors import LogError

FORMAT = "lawspeaker-evidence 1"


class Text(msgspec.Struct, frozen=True, omit_defaults=True):
    """A text's bytes in base64; none where the state is not `present`."""

    state: str
    data: str | None = None


class Proved(msgspec.Struct, frozen=True, omit_defaults=True):
    """A leaf, its place and the path from it to the head's root. `salt` (hex) opens its commitments."""

    index: int
    leaf: str
    proof: tuple[str, ...]
    texts: dict[str, Text] = {}
    salt: str | None = None


class Policy(msgspec.Struct, frozen=True):
    """By whose keys the file says that it can be checked. Who does not trust its sender brings keys of their own."""

    keys: tuple[str, ...]
    witnesses: tuple[str, ...] = ()
    quorum: int = 0


class Evidence(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """See `docs/evidence-format.md`. `law` is the canonical text of the constitution, in base64."""

    format: str
    subject: str
    made: str
    checkpoint: str
    records: tuple[Proved, ...]
    erasures: tuple[Proved, ...] = ()
    law: str | None = None
    policy: Policy


def export(reader: LogReader, id_: str, policy: Policy, *, law: bytes | None = None, texts: bool = True) -> Evidence:
    """The evidence for the exchange that the record `id_` belongs to. Raises `LogError` where a record of it is not
    what the log's head says, or where a text can be read but is not the one that was recorded."""
    history = reader.history(id_)
    ours = {leaf.record.id for leaf in history}
    others = [leaf for leaf in reader.of_kind("erased") if leaf.record.id not in ours]
    erasures = [leaf for leaf in others if not ours.isdisjoint(records.erased_ids(leaf.record))]
    receipts = reader.prove_all([leaf.record.id for leaf in (*history, *erasures)])
    proved = {receipt.id: receipt for receipt in receipts}
    return Evidence(
        format=FORMAT,
        subject=history[0].record.subject,
        made=records.now(),
        checkpoint=receipts[0].checkpoint,
        records=tuple(_proved(reader, leaf, proved[leaf.record.id], texts) for leaf in history),
        erasures=tuple(_proved(reader, leaf, proved[leaf.record.id], False) for leaf in erasures),
        law=encode64(law) if law is not None else None,
        policy=policy,
    )


def _proved(reader: LogReader, leaf: Leaf, receipt: Receipt, with_texts: bool) -> Proved:
    stored = reader.texts(leaf.record.id) if leaf.record.texts else {}
    if damaged := [name for name, text in stored.items() if text.state == "damaged"]:
        raise LogError(f"record {leaf.index}: the text {damaged[0]} is not what was recorded; see `audit verify`")
    shown: dict[str, Text] = {}
    for name, text in stored.items():
        open_ = text.state == "present" and with_texts
        state = text.state if open_ or text.state != "present" else "withheld"
        shown[name] = Text(state, base64.b64encode(records.text_bytes(text.text)).decode() if open_ else None)
    salt = reader.salt(leaf.record.id) if any(text.state == "present" for text in shown.values()) else None
    return Proved(leaf.index, encode64(leaf.data), receipt.proof, shown, salt.hex() if salt else None)
