"""Reading the log: needs no lock and changes nothing, so it works beside the writer and on a copy."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from lawspeaker.audit import keys, merkle, storage
from lawspeaker.audit import record as records
from lawspeaker.audit.checkpoint import encode64
from lawspeaker.audit.receipt import Receipt, leaf_digest, make_receipts
from lawspeaker.audit.record import Record
from lawspeaker.audit.storage import Store
from lawspeaker.audit.tiles import Tree
from lawspeaker.audit.vault import StoredText, Vault
from lawspeaker.errors import LogError

_PREFIX = re.compile(r"[0-9a-f]{8,32}")


class Leaf(msgspec.Struct, frozen=True):
    """A record as it is stored. `digest` is its leaf hash, `sha256:` + hex."""

    index: int
    record: Record
    data: bytes
    digest: str


class LogReader:
    """The log under a home, read-only. Use as a context manager, or `close` it.

    Ids may be shortened to a prefix of at least eight digits that only one record has.
    """

    def __init__(self, home: Path) -> None:
        self._where = home
        log = storage.open_readable(home / "log.db")
        try:
            texts = storage.open_readable(home / "vault.db")
        except LogError:
            log.close()
            raise
        vault_key = home / "keys" / "vault.key"
        self._store = Store(log)
        self._vault = Vault(texts, keys.load_vault(vault_key) if vault_key.exists() else ())
        self._connections = [log, texts]

    @classmethod
    def over(cls, store: Store, vault: Vault) -> Self:
        """A reader of databases that somebody else opened and closes."""
        reader = cls.__new__(cls)
        reader._where, reader._store, reader._vault, reader._connections = Path("memory"), store, vault, []
        return reader

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        for connection in self._connections:
            connection.close()

    @property
    def checkpoint(self) -> str:
        """The latest signed head."""
        return self._head()[1]

    @property
    def size(self) -> int:
        return self._head()[0]

    def find(self, id_: str) -> str:
        """The whole id that `id_` begins; raises `LogError` where no record or more than one has it."""
        if not _PREFIX.fullmatch(id_):
            raise LogError(f"a record's id is 8 to 32 hexadecimal digits, not {id_!r}")
        with storage.errors(self._where / "log.db"):
            found = self._store.starting_with(id_)
        if len(found) != 1:
            raise LogError(f"{'more than one' if found else 'no'} record in the log has the id {id_}")
        return found[0]

    def leaf(self, id_: str) -> Leaf:
        """One record."""
        whole = self.find(id_)
        with storage.errors(self._where / "log.db"):
            row = self._store.leaf(whole)
        if row is None:
            raise LogError(f"no record in the log has the id {whole}")
        return _leaf(row)

    def history(self, id_: str) -> tuple[Leaf, ...]:
        """Every record of the subject that the record `id_` belongs to, in the order of the log."""
        subject = self.leaf(id_).record.subject
        with storage.errors(self._where / "log.db"):
            return tuple(_leaf(row) for row in self._store.history(subject))

    def of_kind(self, kind: str) -> Iterator[Leaf]:
        """Every record of a kind, in the order of the log."""
        with storage.errors(self._where / "log.db"):
            for row in self._store.of_kind(kind):
                yield _leaf(row)

    def recent(self, count: int) -> tuple[Leaf, ...]:
        """The last records, newest first."""
        size = self.size
        with storage.errors(self._where / "log.db"):
            return tuple(_leaf(row) for row in self._store.leaves(max(0, size - count), size))[::-1]

    def leaves(self, low: int = 0, high: int | None = None) -> Iterator[Leaf]:
        """The records from index `low` to before `high`, in the order of the log."""
        with storage.errors(self._where / "log.db"):
            for row in self._store.leaves(low, self.size if high is None else high):
                yield _leaf(row)

    def has_texts(self, id_: str) -> bool:
        """Whether the vault still has the texts of the record `id_`."""
        with storage.errors(self._where / "vault.db"):
            return self._vault.holds(id_)

    def texts(self, id_: str) -> Mapping[str, StoredText]:
        """The texts of one record, each checked against the leaf's commitment; what is gone says so."""
        record = self.leaf(id_).record
        with storage.errors(self._where / "vault.db"):
            return self._vault.read(record.id, record.texts)

    def salt(self, id_: str) -> bytes | None:
        """The salt of a record's commitments; None where it is erased or locked."""
        record = self.find(id_)
        with storage.errors(self._where / "vault.db"):
            return self._vault.salt(record)

    def prove(self, id_: str) -> Receipt:
        """A fresh receipt, under the latest head; raises `LogError` for a record that is not what was recorded."""
        return self.prove_all([id_])[0]

    def prove_all(self, ids: Sequence[str]) -> tuple[Receipt, ...]:
        """Fresh receipts, all under the latest head; raises `LogError` for a record that is not what was recorded."""
        leaves = [self.leaf(id_) for id_ in ids]
        with storage.errors(self._where / "log.db"):
            size, note = self._head()
            tree = Tree.load(size, self._store.tile)
            # The own key is not asked: who checks a receipt brings the key. This only keeps a void one from being made.
            signed = f"\n{size}\n{encode64(tree.root)}\n" in note
            for leaf in leaves:
                if not signed or merkle.hash_leaf(leaf.data) != tree.node(0, leaf.index):
                    raise LogError(
                        f"record {leaf.index}, {leaf.record.id}, is not what the signed head says: it was changed"
                    )
            wanted = [(leaf.record.id, leaf.index, merkle.hash_leaf(leaf.data)) for leaf in leaves]
            return tuple(make_receipts(wanted, note, tree))

    def prove_consistency(self, size: int, to: int | None = None) -> list[bytes]:
        """The proof that the head of `to` records (the latest) only appends to the one of `size` (RFC 6962, 2.1.2)."""
        with storage.errors(self._where / "log.db"):
            latest, _ = self._head()
            end = latest if to is None else to
            if not 0 < size <= end <= latest:
                raise LogError(f"the log has {latest} records; there is no proof from a head of {size} to one of {end}")
            return merkle.consistency(size, end, Tree.load(latest, self._store.tile).node)

    def _head(self) -> tuple[int, str]:
        with storage.errors(self._where / "log.db"):
            head = self._store.head()
        if head is None:
            raise LogError(f"{self._where / 'log.db'}: the log has no checkpoint")
        return head


def read_vkeys(home: Path) -> tuple[str, ...]:
    """The log's own public keys. They show integrity; who does not trust the log's keeper brings keys of their
    own."""
    path = home / "keys" / "log.vkey"
    keys.load_verifiers(path)
    return tuple(path.read_text("utf-8").split())


def _leaf(row: storage.Leaf) -> Leaf:
    index, id_, subject, kind, data = row
    if not records.indexed_as(data, id_, subject, kind):
        raise LogError(f"the columns of record {index} are not what the record says: the log was tampered with")
    return Leaf(index, records.decode(data), data, leaf_digest(merkle.hash_leaf(data)))
