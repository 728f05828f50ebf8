"""Which records of a batch may become leaves. Whoever asks, the log's one writer decides: two processes cannot pass
each other."""

from collections.abc import Sequence

import msgspec

from lawspeaker.audit import record as records
from lawspeaker.audit import rewrapping, rotation
from lawspeaker.audit.keys import Keys
from lawspeaker.audit.record import Record
from lawspeaker.audit.storage import Leaf, Store
from lawspeaker.errors import LogError


class Entry(msgspec.Struct, frozen=True):
    """What is to be appended. `again` says that an earlier try was cut off and may have succeeded."""

    record: Record
    texts: dict[str, str]
    again: bool = False


class Admission:
    """Judges one batch, record by record. `keys` are those in use; `retired` says that the signing key no longer is."""

    def __init__(self, store: Store, batch: Sequence[Entry], keys: Keys, retired: bool) -> None:
        self._store, self._keys, self._retired = store, keys, retired
        self._stored = store.known([entry.record.id for entry in batch])
        self._ids: set[str] = set()
        self._rows: list[Leaf] = []

    def admit(self, entry: Entry) -> int | None:
        """None where the record may be appended; the index of one that is in the log already because its first answer
        was lost. Raises `LogError` for one that is refused."""
        record = entry.record
        if record.id in self._stored and entry.again:
            stored = self._store.leaf(record.id)
            if stored and _same(record, stored[4]):
                return stored[0]
        if record.id in self._stored or record.id in self._ids:
            raise LogError(f"a record with the id {record.id} is in the log already")
        earlier = [*self._store.history(record.subject), *self._rows] if record.kind in records.ONCE else []
        if any(row[2] == record.subject and row[3] == record.kind for row in earlier):
            raise LogError(f"{record.subject} {records.ONCE[record.kind]} already; a second one is refused")
        if self._retired:
            raise LogError("the log's signing key was rotated; open the log again")
        if record.kind == "rotated":
            rotation.successor(record, self._keys.signer.vkey)
        if record.kind == "rewrapped":
            rewrapping.admit(record, self._keys.vault[0])
        for id_ in records.erased_ids(record):
            if holding := self._held(id_):
                raise LogError(f"{id_} cannot be erased: record {holding} puts a legal hold on it")
        return None

    def admitted(self, row: Leaf) -> None:
        """Take note of a row that will be written: the next record is judged as if it were."""
        self._ids.add(row[1])
        self._rows.append(row)
        self._retired = self._retired or row[3] == "rotated"

    def _held(self, id_: str) -> str:
        """The record by which a legal hold lies on the record `id_`; empty where none does."""
        leaf = self._store.leaf(id_)
        if leaf is None:
            raise LogError(f"no record in the log has the id {id_}")
        earlier = [*self._store.history(leaf[2]), *(row for row in self._rows if row[2] == leaf[2])]
        holds = [records.decode(row[4]) for row in earlier if row[3] == "hold"]
        return holds[-1].id if holds and holds[-1].facts.get("hold") is True else ""


def _same(record: Record, leaf: bytes) -> bool:
    stored = msgspec.structs.replace(records.decode(leaf), texts={})
    return records.encode(stored) == records.encode(record)
