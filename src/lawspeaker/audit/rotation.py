"""Which key signs which head: the chain of `rotated` records.

A `rotated` record names the key in use and the one that follows it, and both have signed that. It is the last record
under the old key: heads up to and with it are the old key's, every later one the new key's. So whoever holds any key of
the chain can check every head, and a key that was given up (or stolen) signs nothing that came later.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from lawspeaker.audit import record as records
from lawspeaker.audit.checkpoint import Checkpoint, Signer, Verifier, decode64, encode64, open_note
from lawspeaker.audit.record import Record
from lawspeaker.audit.storage import Leaf
from lawspeaker.errors import LogError

_TITLE = "lawspeaker key rotation 1"


class Chain(msgspec.Struct, frozen=True):
    """`keys[n]` signs heads up to the size `ends[n]`, the last one all later ones. `wrong` are the `rotated` records
    that hand nothing over, by index; the chain ends before the first of them."""

    keys: tuple[Verifier, ...]
    ends: tuple[int, ...] = ()
    wrong: tuple[tuple[int, str], ...] = ()

    def open(self, note: str, origin: str | None = None) -> Checkpoint:
        """The checkpoint in `note`, if the key that has to sign its size signed it; raises `LogError` otherwise."""
        head = open_note(note, self.keys, origin)
        if not self.ends:
            return head
        return open_note(note, self.keys[(place := bisect_left(self.ends, head.size)) : place + 1], origin)


def rotated(begun: Record, old: Signer, new: Signer, by: str) -> Record:
    """The record by which `new` follows `old`; `begun` is its subject."""
    id_ = records.new_id()
    text = _statement(id_, old.vkey, new.vkey)
    signatures = {"old": encode64(old.sign_text(text)), "new": encode64(new.sign_text(text))}
    facts = {"old": old.vkey, "new": new.vkey, "signatures": signatures, "by": by}
    return Record(kind="rotated", id=id_, subject=begun.id, facts=facts)


def successor(record: Record, vkey: str) -> Verifier:
    """The key that `record` says follows `vkey`; raises `LogError` unless both have signed that."""
    facts: Mapping[str, Any] = record.facts
    old, new = str(facts.get("old")), str(facts.get("new"))
    if old != vkey:
        raise LogError(f"the rotation {record.id} is of another key than the one in use, {vkey}")
    if new == old:
        raise LogError(f"the rotation {record.id} keeps the key")
    keys = {"old": Verifier(old), "new": Verifier(new)}
    if keys["old"].name != keys["new"].name:
        raise LogError(f"the rotation {record.id} is to the key of another log, {keys['new'].name}")
    signatures = facts.get("signatures")
    for which, key in keys.items():
        try:
            signature = decode64(str(signatures.get(which) if isinstance(signatures, dict) else None))
        except ValueError:
            signature = b""
        if not key.verifies(_statement(record.id, old, new), signature):
            raise LogError(f"the rotation {record.id} is not signed by the {which} key")
    return keys["new"]


def follow(rows: Iterable[Leaf], vkey: str) -> Chain:
    """The chain through `vkey`, by the `rotated` records of a log in their order. A log whose chain does not have
    `vkey` is none of that key's: the chain is then that key alone, which signed no head of it."""
    keys: list[Verifier] = []
    ends: list[int] = []
    wrong: list[tuple[int, str]] = []
    in_use = ""
    for index, _, _, _, data in rows:
        try:
            record = records.decode(data)
            follows = successor(record, in_use or str(record.facts.get("old")))
        except LogError as error:
            wrong.append((index, str(error)))
            continue
        if wrong:
            continue
        if not keys:
            keys.append(Verifier(str(record.facts["old"])))
        keys.append(follows)
        ends.append(index + 1)
        in_use = str(record.facts["new"])
    brought = Verifier(vkey)
    if any((key.name, key.id, key.public) == (brought.name, brought.id, brought.public) for key in keys):
        return Chain(tuple(keys), tuple(ends), tuple(wrong))
    return Chain((brought,), (), tuple(wrong))


def _statement(id_: str, old: str, new: str) -> str:
    return f"{_TITLE}\n{id_}\n{old}\n{new}\n"
