"""The log's one writer: takes a batch of records and makes it durable.

The order is what makes a receipt true. Texts are durable in their own database before the leaves that commit to them: a
crash in between leaves texts that no leaf commits to, which the next opening removes. Leaves are read back and hashed
from the bytes as stored; only then is a head signed over them, and all of it committed; then the receipts go out. The
files come last: they are derived, and a receipt does not need them.

After the first error nothing may be written any more (a failed fsync may have lost pages that a second fsync reports
as safe, and memory may no longer match the disk). The caller closes the ledger; opening reads everything anew.
"""

from collections.abc import Sequence
from pathlib import Path
from sqlite3 import Connection

import msgspec

from lawspeaker.audit import loading, rotation, storage, tiles
from lawspeaker.audit import record as records
from lawspeaker.audit.admission import Admission, Entry
from lawspeaker.audit.aside import Aside
from lawspeaker.audit.checkpoint import Checkpoint
from lawspeaker.audit.keys import Keys
from lawspeaker.audit.merkle import hash_leaf
from lawspeaker.audit.publish import Head, Publisher, Site
from lawspeaker.audit.receipt import Receipt, make_receipts
from lawspeaker.audit.storage import Leaf, Store
from lawspeaker.audit.tiles import WIDTH, Growing, Written
from lawspeaker.audit.vault import Sealed, Vault
from lawspeaker.errors import LogError

LARGEST_BATCH = 256


class Ledger:
    """The open log. `where` names it in errors. Unless it `announces`, somebody else publishes its heads."""

    def __init__(
        self, log: Connection, texts: Connection, keys: Keys, where: Path, site: Site | None, *, announces: bool = True
    ) -> None:
        self.store, self.vault = Store(log), Vault(texts, keys.vault)
        self._texts, self._keys, self._log_path, self._vault_path = texts, keys, where / "log.db", where / "vault.db"
        self._full: list[tuple[int | str, Written]] = []
        self._retired = False
        shown = None
        with storage.errors(self._log_path):
            if self.store.head() is None:
                loading.begin(self.store, keys.signer, where)
            # Texts without leaves are what a crash left, unless somebody else is at it: then they wait for each other.
            self.store.db.execute("BEGIN IMMEDIATE")
            chain = rotation.follow(self.store.of_kind("rotated"), keys.signer.vkey)
            loaded = loading.load(self.store, chain, keys.signer.vkey, where)
            self._tree, self._note, self._bundle = loaded.tree, loaded.note, [loaded.tail]
            if site:
                shown = loading.published(site, self.store, chain, self._tree.size)
            most = 0 if site and shown is None else LARGEST_BATCH
            orphans = loading.left_behind(self.vault, self.store, most, where)
            gone = [id_ for leaf in self.store.of_kind("erased") for id_ in _erased(leaf)]
        self._forget(orphans)
        with storage.errors(self._log_path):
            self.store.db.execute("COMMIT")
        self._scrubbed = self._erase(gone)
        self._publisher = self._publish(site, shown, announces) if site else None
        self._aside = Aside("audit-vault")

    def commit(self, batch: Sequence[Entry]) -> list[Receipt | LogError]:
        """Append what can be appended. A bad record gets its own error; an error of the storage is raised, and is
        the end of this ledger."""
        if self.failed:
            raise LogError(self.failed)
        outcomes: list[int | LogError] = []
        sealed: list[Sealed] = []
        rows: list[Leaf] = []
        with storage.errors(self._log_path):
            admission = Admission(self.store, batch, self._keys, self._retired)
            for entry in batch:
                try:
                    index = admission.admit(entry)
                    if index is None:
                        index = self._tree.size + len(rows)
                        rows.append(self._seal(entry, index, sealed))
                        admission.admitted(rows[-1])
                    outcomes.append(index)
                except LogError as error:
                    outcomes.append(error)
            hashes = self._write(rows, sealed) if rows else {}
            gone = [id_ for row in rows for id_ in _erased(row)]
            if gone or not self._scrubbed:
                self._scrubbed = self._erase(gone)
            return self._answer(batch, outcomes, hashes)

    def close(self) -> None:
        """Write the files that are missing, and let go of the databases."""
        if self._publisher:
            self._publisher.close()
        self._aside.close()
        self.store.db.close()
        self._texts.close()

    @property
    def failed(self) -> str:
        """Why nothing may be appended although the storage works: what was appended could not be published."""
        return self._publisher.failed if self._publisher else ""

    @property
    def ready(self) -> Head | None:
        """The last head of which all files are written."""
        return self._publisher.ready if self._publisher else None

    def _seal(self, entry: Entry, index: int, sealed: list[Sealed]) -> Leaf:
        record = entry.record
        if entry.texts:
            closed = self.vault.seal(record.id, entry.texts)
            record = msgspec.structs.replace(record, texts=closed.commitments)
            leaf = records.encode(record)
            sealed.append(closed)
        else:
            leaf = records.encode(record)
        return index, record.id, record.subject, record.kind, leaf

    def _write(self, rows: Sequence[Leaf], sealed: Sequence[Sealed]) -> dict[int, bytes]:
        """Make rows and texts durable; returns the leaf hashes by index. Texts are synced in a thread of their own
        while the head is prepared, and the leaves are not committed before the texts are. The log is locked first, and
        nothing is written unless it is what this writer left: the lock on the folder may have been taken away."""
        self.store.db.execute("BEGIN IMMEDIATE")
        if self.store.head() != (self._tree.size, self._note):
            self.store.db.execute("ROLLBACK")  # that process may go on
            raise LogError(f"{self._log_path}: another process wrote to the log, and this one stops")
        if sealed:
            self._store_texts(sealed)
        try:
            self.store.add_leaves(rows)
            hashes = self._hash_stored(rows)
            self.store.add_tiles(self._grow(rows, hashes))
            checkpoint = Checkpoint(self._keys.signer.name, self._tree.size, self._tree.root)
            note = self._keys.signer.sign(checkpoint)
            self.store.add_checkpoint(checkpoint.size, note)
        finally:
            lost = self._aside.finish() if sealed else None
        if lost:
            raise lost
        self.store.db.execute("COMMIT")
        self._note = note
        self._retired = self._retired or rows[-1][3] == "rotated"
        if self._publisher:
            self._publisher.offer(self._full, self._head())
        self._full = []
        return hashes

    def _store_texts(self, sealed: Sequence[Sealed]) -> None:
        with storage.errors(self._vault_path):
            self._texts.execute("BEGIN IMMEDIATE")
            self.vault.put(sealed)
        self._aside.start(self._commit_texts)

    def _commit_texts(self) -> None:
        with storage.errors(self._vault_path):
            self._texts.execute("COMMIT")

    def _forget(self, orphans: Sequence[str]) -> None:
        """Remove texts of records that a crash kept from being written."""
        with storage.errors(self._vault_path):
            self._texts.execute("BEGIN IMMEDIATE")
            for id_ in orphans:
                self.vault.forget(id_)
            self._texts.execute("COMMIT")

    def _erase(self, ids: Sequence[str]) -> bool:
        """Destroy the texts that `erased` records name, those of an older copy of the vault too. False where a reader
        keeps the write-ahead log from being emptied; it is tried again with each commit."""
        with storage.errors(self._vault_path):
            here = [id_ for id_ in ids if self.vault.holds(id_)]
            if here:
                self._texts.execute("BEGIN IMMEDIATE")
                for id_ in here:
                    self.vault.erase(id_)
                self._texts.execute("COMMIT")
            return self.vault.scrub()

    def _hash_stored(self, rows: Sequence[Leaf]) -> dict[int, bytes]:
        """Hashes of what the database gives back. One flipped bit in a leaf hash has ended whole logs (Yeti,
        2022), so both sides are hashed, and no head is signed before they agree."""
        low, high = rows[0][0], rows[-1][0] + 1
        stored = list(self.store.leaves(low, high))
        hashes = {row[0]: hash_leaf(row[4]) for row in stored}
        if stored != list(rows) or hashes != {row[0]: hash_leaf(row[4]) for row in rows}:
            raise LogError(f"{self._log_path}: records {low} to {high - 1} were read back differently")
        return hashes

    def _grow(self, rows: Sequence[Leaf], hashes: dict[int, bytes]) -> list[Written]:
        """Grow the tree; returns the tiles to store, and takes note of full tiles and bundles, which are published."""
        written: dict[tuple[int, int], Written] = {}
        for row in rows:
            for tile in self._tree.append(hashes[row[0]]):
                written[tile.level, tile.n] = tile
            self._bundle.append(tiles.bundle([row[4]]))
            if self._tree.size % WIDTH == 0:
                n = self._tree.size // WIDTH - 1
                self._full.append(("entries", Written(0, n, b"".join(self._bundle))))
                self._bundle = []
                again = b"".join(hash_leaf(leaf[4]) for leaf in self.store.leaves(n * WIDTH, (n + 1) * WIDTH))
                if again != written[0, n].data:
                    raise LogError(f"{self._log_path}: tile {n} came out differently a second time")
        self._full += [(tile.level, tile) for tile in written.values() if len(tile.data) == 32 * WIDTH]
        return list(written.values())

    def _head(self) -> Head:
        size = self._tree.size
        bundle = Growing("entries", size // WIDTH, self._bundle, len(self._bundle))
        return Head(size, self._note, self._tree.partials(), bundle)

    def _publish(self, site: Site, shown: int | None, announces: bool) -> Publisher:
        """Make the files anew that are missing, those of the head that is shown first, and go on from there."""
        with storage.errors(self._log_path):
            for size in dict.fromkeys((shown or 0, self._tree.size)):
                site.restore(self.store, size)
        return Publisher(site, self._head(), announces=announces)

    def _answer(
        self, batch: Sequence[Entry], outcomes: Sequence[int | LogError], hashes: dict[int, bytes]
    ) -> list[Receipt | LogError]:
        wanted = [
            (entry.record.id, outcome, hashes.get(outcome) or self._tree.node(0, outcome))
            for entry, outcome in zip(batch, outcomes, strict=True)
            if isinstance(outcome, int)
        ]
        receipts = iter(make_receipts(wanted, self._note, self._tree))
        return [outcome if isinstance(outcome, LogError) else next(receipts) for outcome in outcomes]


def _erased(leaf: Leaf) -> tuple[str, ...]:
    return records.erased_ids(records.decode(leaf[4])) if leaf[3] == "erased" else ()
