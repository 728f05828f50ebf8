"""The log's one writer, without threads: takes a batch of records and makes it durable.

The order is what makes a receipt true. Texts first, in their own database: a crash after that leaves texts that no
leaf commits to, which the next opening removes. Then leaves, read back and hashed from the bytes as stored; only then
is a head signed over them, and all of it committed; then the receipts go out. The files come last: they are derived,
and a receipt does not need them.

After the first error nothing may be written any more (a failed fsync may have lost pages that a second fsync reports
as safe, and memory may no longer match the disk). The caller closes the ledger; opening reads everything anew.
"""

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from sqlite3 import Connection

import msgspec

from lawspeaker.audit import keys as keyring
from lawspeaker.audit import record as records
from lawspeaker.audit import rotation, storage, tiles, vault
from lawspeaker.audit.checkpoint import Checkpoint
from lawspeaker.audit.keys import Keys
from lawspeaker.audit.merkle import hash_leaf
from lawspeaker.audit.publish import Site
from lawspeaker.audit.receipt import Receipt, make_receipt
from lawspeaker.audit.record import Record
from lawspeaker.audit.storage import Leaf, Store
from lawspeaker.audit.tiles import WIDTH, Tree, Written
from lawspeaker.audit.vault import Sealed, Vault
from lawspeaker.errors import LogError

LARGEST_BATCH = 256
PUBLISH_EVERY = 0.2  # seconds
FULLY_CHECKED = 100_000
"""Up to this many leaves, opening hashes all of them (0.3 s); beyond, it checks the head against the stored tiles."""


class Entry(msgspec.Struct, frozen=True):
    """What is to be appended. `again` says that an earlier try was cut off and may have succeeded."""

    record: Record
    texts: dict[str, str]
    again: bool = False


class Ledger:
    """The open log. `where` names it in errors; `behind` says that the published head is not the latest."""

    def __init__(self, log: Connection, texts: Connection, keys: Keys, where: Path, site: Site | None) -> None:
        self.store, self.vault = Store(log), Vault(texts, keys.vault)
        self._texts, self._keys, self._where, self._site = texts, keys, where, site
        self._bundle = bytearray()
        self._unpublished: tuple[list[Written], list[Written]] = [], []
        with storage.errors(where / "log.db"):
            if self.store.head() is None:
                self._begin()
            self._chain, self._retired = rotation.follow(self.store.of_kind("rotated"), keys.signer.vkey), False
            self._tree, self._note = self._load()
            published = site is None or self._compare_published(site)
        with storage.errors(where / "vault.db"):
            self._sweep(LARGEST_BATCH if published else 0)
            self._scrubbed = self._erase([id_ for leaf in self.store.of_kind("erased") for id_ in _erased(leaf)])
        if site:
            with storage.errors(where / "log.db"):
                site.restore(self.store, self._tree.size)
        self.publish_head()

    def commit(self, batch: Sequence[Entry]) -> list[Receipt | LogError]:
        """Append what can be appended. A bad record gets its own error; an error of the storage is raised, and is
        the end of this ledger."""
        outcomes: dict[int, int | LogError] = {}
        sealed: list[Sealed] = []
        rows: list[Leaf] = []
        with storage.errors(self._where / "log.db"):
            for place, entry in enumerate(batch):
                try:
                    index = self._known(entry, rows)
                    if index is None:
                        index = self._tree.size + len(rows)
                        rows.append(self._seal(entry, index, sealed))
                    outcomes[place] = index
                except LogError as error:
                    outcomes[place] = error
            hashes = self._write(rows, sealed) if rows else {}
            if gone := [id_ for row in rows for id_ in _erased(row)]:
                self._scrubbed = self._erase(gone) and self._scrubbed
            return [self._answer(entry, outcomes[place], hashes) for place, entry in enumerate(batch)]

    def publish(self) -> None:
        """Write the files that the last commit calls for. To be called after each, before the next."""
        (written, bundles), self._unpublished = self._unpublished, ([], [])
        if not self._scrubbed:
            self._scrubbed = self.vault.scrub()
        if not self._site or not written:
            return
        for bundle in bundles:
            self._site.put("entries", bundle.n, bundle.data, WIDTH)
        for tile in written:
            self._site.put(tile.level, tile.n, tile.data, len(tile.data) // 32)
        if self._bundle:
            self._site.put("entries", self._tree.size // WIDTH, bytes(self._bundle), self._tree.size % WIDTH)
        self.behind = True
        if time.monotonic() - self._head_published > PUBLISH_EVERY:
            self.publish_head()

    def publish_head(self) -> None:
        """Put the latest head where others look for it. Each receipt has its own, so this one may be late, and is:
        to replace a file takes longer than all the rest of an append (ext4 then writes the new one out at once)."""
        if self._site:
            self._site.put_checkpoint(self._note)
        self._head_published, self.behind = time.monotonic(), False

    def close(self) -> None:
        self.store.db.close()
        self._texts.close()

    def _known(self, entry: Entry, rows: Sequence[Leaf]) -> int | None:
        """The index of a record that is in the log already because its first answer was lost."""
        record = entry.record
        stored = self.store.leaf(record.id)
        if stored and entry.again and _same(record, stored[4]):
            return stored[0]
        if stored or any(row[1] == record.id for row in rows):
            raise LogError(f"a record with the id {record.id} is in the log already")
        earlier = [*self.store.history(record.subject), *rows] if record.kind in records.ONCE else []
        if any(row[2] == record.subject and row[3] == record.kind for row in earlier):
            raise LogError(f"{record.subject} {records.ONCE[record.kind]} already; a second one is refused")
        if self._retired or (rows and rows[-1][3] == "rotated"):
            raise LogError("the log's signing key was rotated; open the log again")
        if record.kind == "rotated":
            rotation.successor(record, self._keys.signer.vkey)
        for id_ in records.erased_ids(record):
            if holding := self._held(id_, rows):
                raise LogError(f"{id_} cannot be erased: record {holding} puts a legal hold on it")
        return None

    def _held(self, id_: str, rows: Sequence[Leaf]) -> str:
        """The record by which a legal hold lies on the record `id_`; empty where none does."""
        leaf = self.store.leaf(id_)
        if leaf is None:
            raise LogError(f"no record in the log has the id {id_}")
        earlier = [*self.store.history(leaf[2]), *(row for row in rows if row[2] == leaf[2])]
        holds = [records.decode(row[4]) for row in earlier if row[3] == "hold"]
        return holds[-1].id if holds and holds[-1].facts.get("hold") is True else ""

    def _seal(self, entry: Entry, index: int, sealed: list[Sealed]) -> Leaf:
        record = entry.record
        if entry.texts:
            closed = vault.seal(record.id, entry.texts, self._keys.vault[0])
            record = msgspec.structs.replace(record, texts=closed.commitments)
            leaf = records.encode(record)
            sealed.append(closed)
        else:
            leaf = records.encode(record)
        return index, record.id, record.subject, record.kind, leaf

    def _write(self, rows: Sequence[Leaf], sealed: Sequence[Sealed]) -> dict[int, bytes]:
        """Make rows and texts durable; returns the leaf hashes by index."""
        if sealed:
            with storage.errors(self._where / "vault.db"):
                self._texts.execute("BEGIN IMMEDIATE")
                self.vault.put(sealed)
                self._texts.execute("COMMIT")
        self.store.db.execute("BEGIN IMMEDIATE")
        self.store.add_leaves(rows)
        hashes = self._hash_stored(rows)
        written, bundles = self._grow(rows, hashes)
        self.store.add_tiles(written)
        checkpoint = Checkpoint(self._keys.signer.name, self._tree.size, self._tree.root)
        self._note = self._keys.signer.sign(checkpoint)
        self.store.add_checkpoint(checkpoint.size, self._note)
        self.store.db.execute("COMMIT")
        self._retired = rows[-1][3] == "rotated"
        self._unpublished = [*written, *self._tree.partials()], bundles
        return hashes

    def _erase(self, ids: Sequence[str]) -> bool:
        """Destroy the texts that `erased` records name, those of an older copy of the vault too. False where a reader
        keeps the write-ahead log from being emptied; it is tried again with each commit."""
        with storage.errors(self._where / "vault.db"):
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
            raise LogError(f"{self._where / 'log.db'}: records {low} to {high - 1} were read back differently")
        return hashes

    def _grow(self, rows: Sequence[Leaf], hashes: dict[int, bytes]) -> tuple[list[Written], list[Written]]:
        """Grow the tree; returns the tiles to store and the full bundles to publish."""
        written: dict[tuple[int, int], Written] = {}
        bundles = []
        for row in rows:
            for tile in self._tree.append(hashes[row[0]]):
                written[tile.level, tile.n] = tile
            self._bundle += tiles.bundle([row[4]])
            if self._tree.size % WIDTH == 0:
                n = self._tree.size // WIDTH - 1
                bundles.append(Written(0, n, bytes(self._bundle)))
                self._bundle.clear()
                again = b"".join(hash_leaf(leaf[4]) for leaf in self.store.leaves(n * WIDTH, (n + 1) * WIDTH))
                if again != written[0, n].data:
                    raise LogError(f"{self._where / 'log.db'}: tile {n} came out differently a second time")
        return list(written.values()), bundles

    def _answer(self, entry: Entry, outcome: int | LogError, hashes: dict[int, bytes]) -> Receipt | LogError:
        if isinstance(outcome, LogError):
            return outcome
        leaf_hash = hashes.get(outcome) or self._tree.node(0, outcome)
        return make_receipt(entry.record.id, outcome, leaf_hash, self._note, self._tree)

    def _begin(self) -> None:
        """Sign the head of the empty log, so that there always is a head."""
        if self.store.count():
            raise self._tampered("there are records but no checkpoint")
        name = self._keys.signer.name
        self.store.db.execute("BEGIN IMMEDIATE")
        self.store.set_meta("format", storage.FORMAT)
        self.store.set_meta("origin", name)
        self.store.add_checkpoint(0, self._keys.signer.sign(Checkpoint(name, 0, Tree(self.store.tile).root)))
        self.store.db.execute("COMMIT")

    def _load(self) -> tuple[Tree, str]:
        """The tree as the disk has it, if its signed head agrees; raises `LogError` otherwise."""
        path = self._where / "log.db"
        if self.store.meta("format") != storage.FORMAT:
            raise LogError(
                f"{path}: the format is {self.store.meta('format')!r}; this version writes {storage.FORMAT!r}"
            )
        if self._chain.wrong:
            raise self._tampered("record {}: {}".format(*self._chain.wrong[0]))
        if self._chain.keys[-1].vkey != self._keys.signer.vkey:
            raise LogError(f"{path}: the log was rotated to the key {self._chain.keys[-1].vkey}; restore that key")
        size, note = self.store.head() or (0, "")
        head = self._open(note, path)
        if head.size != size or self.store.count() != size:
            raise self._tampered(f"the last checkpoint is of {head.size} records, {self.store.count()} are stored")
        tree = self._rehash(size) if size <= FULLY_CHECKED else Tree.load(size, self.store.tile)
        if tree.size != size or tree.root != head.root:
            raise self._tampered(f"the stored records do not hash to the signed checkpoint of size {size}")
        for leaf in self.store.leaves(0, size if size <= FULLY_CHECKED else 0):
            if not records.indexed_as(leaf[4], *leaf[1:4]):
                raise self._tampered(f"the columns of record {leaf[0]} are not what the record says")
        tail = self.store.leaves(size - size % WIDTH, size)
        self._bundle += tiles.bundle([leaf[4] for leaf in tail])
        return tree, note

    def _open(self, note: str, path: Path) -> Checkpoint:
        try:
            return self._chain.open(note, self.store.meta("origin"))
        except LogError as error:
            raise LogError(f"{path}: {error}; the log was tampered with, or its keys are not these") from error

    def _rehash(self, size: int) -> Tree:
        tree = Tree(self.store.tile)
        for leaf in self.store.leaves(0, size):
            for tile in tree.append(hash_leaf(leaf[4])):
                if len(tile.data) == 32 * WIDTH and self.store.tile(tile.level, tile.n) != tile.data:
                    raise self._tampered(f"tile {tile.n} of level {tile.level} does not match its records")
        return tree

    def _tampered(self, what: str) -> LogError:
        return LogError(f"{self._where / 'log.db'}: {what}; the log was tampered with: see `lawspeaker audit verify`")

    def _sweep(self, most: int) -> None:
        """Remove texts that were stored for at most so many records that then were not: a crash came between, nobody
        got a receipt."""
        orphans = []
        for id_ in self.vault.newest_first():
            if self.store.leaf(id_):
                break
            orphans.append(id_)
            if len(orphans) > most:
                raise LogError(
                    f"{self._where / 'vault.db'}: it holds texts of more records than a crash can leave behind; an "
                    "older log.db was put in its place: restore the newer one"
                )
        self._texts.execute("BEGIN IMMEDIATE")
        for id_ in orphans:
            self.vault.erase(id_)
        self._texts.execute("COMMIT")

    def _compare_published(self, site: Site) -> bool:
        """A published head that the database does not know means that one of them was replaced. False where there is
        none: then an older database cannot be told from one that a crash left behind."""
        note = site.checkpoint()
        if not note:
            return False
        head = self._open(note, site.folder / "checkpoint")
        if head.size > self._tree.size:
            raise LogError(
                f"{site.folder / 'checkpoint'}: the published log has {head.size} records, the database only "
                f"{self._tree.size}; an older database was put in its place: restore the newer one"
            )
        if (head.size, note) not in self.store.checkpoints(head.size):
            raise LogError(f"{site.folder / 'checkpoint'}: the database never had this checkpoint; one was replaced")
        return True


def open_ledger(home: Path) -> Ledger:
    """The log under `home`, made if there is none. The caller holds the writer's lock."""
    made = (home / "keys" / "log.vkey").exists()
    with storage.errors(home):
        keys = keyring.load(home / "keys") if made else _prepare(home)
    for name in ("log.db", "vault.db"):
        if made and not (home / name).is_file():
            raise LogError(f"{home / name} is missing but the log's keys are there; restore it, or use another folder")
    log = storage.open_writable(home / "log.db", storage.SCHEMA)
    texts = storage.open_writable(home / "vault.db", vault.SCHEMA)
    try:
        with storage.errors(home / "keys"):
            keys = _settle(Store(log), home / "keys", keys)
        ledger = Ledger(log, texts, keys, home, Site(home / "log"))
        if not made:
            with storage.errors(home / "keys" / "log.vkey"):
                keyring.announce(home / "keys", keys)
                for folder in (home / "keys", home / "log", home, home.parent):
                    keyring.sync(folder)
    except LogError:
        log.close()
        texts.close()
        raise
    return ledger


def _settle(store: Store, folder: Path, keys: Keys) -> Keys:
    """Finish a rotation that was cut off: once its record is durable, the next key is the one in use."""
    staged = keyring.staged(folder)
    if staged is None:
        return keys
    with storage.errors(folder.parent / "log.db"):
        last = [records.decode(row[4]) for row in store.of_kind("rotated")][-1:]
    if not last or last[0].facts.get("new") != staged.vkey:
        keyring.unstage(folder)
        return keys
    rotation.successor(last[0], keys.signer.vkey)
    keyring.adopt(folder)
    return keyring.load(folder)


def _prepare(home: Path) -> Keys:
    """New keys, after removing what an interrupted first opening left. The public key is written last: without it
    nothing was ever acknowledged, unless somebody took it away."""
    if (home / "log.db").exists():
        database = storage.open_readable(home / "log.db")
        try:
            used = "leaf" in {name for (name,) in database.execute("SELECT name FROM sqlite_schema")}
            if used and Store(database).count():
                raise LogError(f"{home / 'keys' / 'log.vkey'}: the log's public key is missing; restore the keys")
        finally:
            database.close()
        for name in ("log.db", "vault.db"):
            for suffix in ("", "-wal", "-shm"):
                (home / (name + suffix)).unlink(missing_ok=True)
        shutil.rmtree(home / "log" / "tile", ignore_errors=True)
        (home / "log" / "checkpoint").unlink(missing_ok=True)
    return keyring.create(home / "keys")


def _erased(leaf: Leaf) -> tuple[str, ...]:
    return records.erased_ids(records.decode(leaf[4])) if leaf[3] == "erased" else ()


def _same(record: Record, leaf: bytes) -> bool:
    stored = msgspec.structs.replace(records.decode(leaf), texts={})
    return records.encode(stored) == records.encode(record)
