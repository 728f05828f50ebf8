"""Checks the whole log from what is stored, without a writer and without trust in any index, tile or file.

Every leaf is hashed again from its bytes; every checkpoint that was ever signed must be the root of the leaves below
it; every tile, bundle, column and text must agree with the leaves. Nothing here raises on a damaged log: damage is
what it is asked to find, and each finding names the record or the file.

What no log can show about itself is said in the report's scope: its keeper, who has the signing key, can cut it or
write another one, and only a head or a key that lies elsewhere tells.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import msgspec

from lawspeaker.audit import keys, merkle, rotation, storage
from lawspeaker.audit import record as records
from lawspeaker.audit.checkpoint import Checkpoint, Verifier
from lawspeaker.audit.merkle import hash_leaf
from lawspeaker.audit.problems import Problem, Problems
from lawspeaker.audit.rotation import Chain
from lawspeaker.audit.storage import Leaf, Store
from lawspeaker.audit.tiles import WIDTH, Tree
from lawspeaker.audit.verify_site import SiteCheck
from lawspeaker.audit.verify_texts import TextCheck
from lawspeaker.errors import LogError

_HOLES = 256  # how many missing records are named one by one, where an index or a head claims a huge size


class Report(msgspec.Struct, frozen=True):
    """`size` and `root` (hex) are of the tree that the stored leaves make. `scope` says what the result covers."""

    size: int
    root: str
    ok: bool
    problems: tuple[Problem, ...]
    scope: str


def verify(home: Path, vkey: str | None = None, since: str | None = None) -> Report:
    """Check the log under `home`, with the public key `vkey` and the earlier checkpoint `since` where the verifier
    brings them. Raises `LogError` only where there is no log, or what was brought is no key or no checkpoint of it."""
    brought = Verifier(vkey).vkey if vkey else ""
    database = home / "log.db"
    if not database.is_file():
        raise LogError(f"{database}: there is no audit log here")
    problems = Problems()
    key = brought or _own_key(home, problems)
    earlier = _chain(database, key).open(since) if since is not None else None
    check = _Check(home, problems, key, earlier)
    try:
        with closing(storage.open_readable(database)) as connection, closing(check.texts):
            check.run(Store(connection))
    except (LogError, *storage.DAMAGE) as error:
        problems.add(None, f"log.db cannot be read: {error}")
    scope = f"{_scope(bool(brought), earlier)} {check.texts.scope}"
    return Report(check.tree.size, check.tree.root.hex(), not problems.count, problems.found(), scope)


class _Check:
    def __init__(self, home: Path, problems: Problems, key: str, earlier: Checkpoint | None) -> None:
        self.problems, self.earlier = problems, earlier
        self._key, self._chain = key, Chain(())
        self.site = SiteCheck(home / "log", problems)
        self.texts = TextCheck(home, problems)
        self.tree = Tree(self._grown_tile)
        self._ids: dict[str, int] = {}
        self._sound_until = 0
        self._wrong: list[int] = []

    def run(self, store: Store) -> None:
        published = self.site.look()
        store.db.execute("BEGIN")  # one snapshot: a writer may go on meanwhile
        origin = store.meta("origin")
        if store.meta("format") != storage.FORMAT:
            self.problems.add(None, f"log.db: the format is {store.meta('format')!r}, not {storage.FORMAT!r}")
        head = store.head()
        due = head[0] if head else 0
        self.texts.open()
        if self._key:
            self._chain = rotation.follow(store.of_kind("rotated"), self._key)
        for index, what in self._chain.wrong:
            self.problems.add(index, what)
        self._leaves(store, origin, min(max(due, store.count()), store.rows() + _HOLES))
        if due != self.tree.size or store.rows(outside=self.tree.size):
            low = min(due, self.tree.size)
            self.problems.add(low, f"the log's last head is of {due} records, but {store.rows()} are stored")
        self._roots()
        self._grown_from(origin)
        self._stored_tiles(store)
        self.site.finish(self.tree, published)
        self._published(store, published, origin)
        store.db.execute("COMMIT")
        self.texts.finish(self._ids, _later(store, self.tree.size))
        for (line,) in store.db.execute("PRAGMA integrity_check(10)"):
            if line != "ok":
                self.problems.add(None, f"log.db: {line}")

    def _leaves(self, store: Store, origin: str | None, size: int) -> None:
        """Hash every leaf, and check every head where the tree has its size."""
        heads = iter(store.checkpoints())
        head = next(heads, None)
        for n in range(-(-size // WIDTH)):
            rows = self._rows(store, n, size)
            hashes = self._hashes(n * WIDTH, rows, self._tile(store, n))
            done = 0
            while head and head[0] < n * WIDTH + len(rows):
                until = max(done, head[0] - n * WIDTH)
                self.site.grew(self.tree.extend(hashes[done:until]))
                done = until
                self._head(*head, origin)
                head = next(heads, None)
            self.site.grew(self.tree.extend(hashes[done:]))
            self.site.level_zero(n, [row[4] if row else None for row in rows], hashes)
        while head:
            self._head(*head, origin)
            head = next(heads, None)

    def _rows(self, store: Store, n: int, size: int) -> Sequence[Leaf | None]:
        """The leaves of a tile, one by one where they cannot be read together, None for each that is not there."""
        low, high = n * WIDTH, min((n + 1) * WIDTH, size)
        found: list[Leaf] = []
        try:
            found = store.sound_leaves(low, high)
        except storage.DAMAGE:
            for index in range(low, high):
                try:
                    found += store.leaves(index, index + 1)
                except storage.DAMAGE as error:
                    self.problems.add(index, f"the record cannot be read: {error}")
        if len(found) == high - low:
            return found
        rows = {row[0]: row for row in found}
        return [rows.get(index) for index in range(low, high)]

    def _hashes(self, low: int, rows: Sequence[Leaf | None], tile: bytes) -> list[bytes]:
        """Check the leaves from index `low` on; the hash of each, and where there is none, what its tile remembers."""
        hashes = [hash_leaf(row[4]) if row else b"" for row in rows]
        for place, row in enumerate(rows):
            if row:
                self._leaf(row)
            else:
                self.problems.add(low + place, "the record is missing")
                hashes[place] = tile[32 * place : 32 * place + 32] or bytes(32)
        if tile and tile != b"".join(hashes):
            for place, hash_ in enumerate(hashes):
                if hash_ != (tile[32 * place : 32 * place + 32] or hash_):
                    what = f"the record does not match its hash in tile {low // WIDTH} of log.db"
                    self.problems.add(low + place, what)
        return hashes

    def _leaf(self, row: Leaf) -> None:
        index, id_, subject, kind, data = row
        try:
            record = records.decode_strictly(data)
        except LogError as error:
            self.problems.add(index, str(error))
            return
        if record.id != id_ or record.subject != subject or record.kind != kind:
            self.problems.add(index, "the columns id, subject and kind are not those of the record")
        if record.id in self._ids:
            self.problems.add(index, f"the id {record.id} was used before, by record {self._ids[record.id]}")
        self._ids[record.id] = index
        self.texts.check(index, record)

    def _head(self, size: int, note: str, origin: str | None) -> None:
        """Check a head where the tree has its size."""
        try:
            head = self._chain.open(note, origin)
        except LogError as error:
            self.problems.add(None, f"log.db, checkpoint {size}: {error}")
            return
        if head.size != size:
            self.problems.add(None, f"log.db, checkpoint {size}: its text says {head.size}")
        elif size == self.tree.size and head.root == self.tree.root:
            self._sound_until = size
        else:
            self._wrong.append(size)

    def _roots(self) -> None:
        """Judge the heads that were no roots, once every record was looked at: behind the last good head, records
        were changed, and all later heads say no more than the first; before it, the head itself is the odd one
        out."""
        low = self._sound_until
        for size in self._wrong:
            if size < low:
                self.problems.add(None, f"log.db, checkpoint {size}: it is signed over other records than these")
                continue
            known = self.problems.among(low, size)
            self.problems.add(
                None if known else low,
                f"the signed head of size {size} is not the root of the records; the one of size {low} is",
            )
            break

    def _grown_from(self, origin: str | None) -> None:
        """The tree must begin with the one of the earlier checkpoint; proved as if the leaves were not here."""
        old = self.earlier
        if old is None:
            return
        if origin != old.origin:
            self.problems.add(None, f"the log is {origin}; the earlier checkpoint is of {old.origin}")
        elif old.size > self.tree.size:
            what = f"the earlier checkpoint is of {old.size} records, {self.tree.size} are here: the log was cut"
            self.problems.add(self.tree.size, what)
        else:
            proof = merkle.consistency(old.size, self.tree.size, self.tree.node) if old.size else []
            if not merkle.verify_consistency(old.size, self.tree.size, proof, old.root, self.tree.root):
                what = f"the log does not begin with the {old.size} records of the earlier checkpoint"
                self.problems.add(None, f"{what}: it was rewritten")

    def _grown_tile(self, level: int, n: int) -> bytes:
        return self.site.tiles[level, n]

    def _tile(self, store: Store, n: int) -> bytes:
        """The stored hashes of a full tile, to say which of two is wrong; nothing for the last, partial one."""
        try:
            return store.stored_tile(0, n)
        except storage.DAMAGE as error:
            self.problems.add(None, f"log.db, tile {n} of level 0 cannot be read: {error}")
            return b""

    def _stored_tiles(self, store: Store) -> None:
        """Compare all tiles in the database with those of the leaves."""
        try:
            stored = store.tiles()
        except storage.DAMAGE as error:
            self.problems.add(None, f"log.db: the tiles cannot be read: {error}")
            return
        for (level, n), hashes in sorted(self.site.tiles.items()):
            if stored.pop((level, n), b"") != hashes and not self.site.explained(level, n):
                self.problems.add(None, f"log.db: tile {n} of level {level} does not match the records")
        for place in stored:
            self.problems.add(None, f"log.db: tile {place[1]} of level {place[0]} is no tile of this log")

    def _published(self, store: Store, note: str, origin: str | None) -> None:
        """The published head must be one that the database has too."""
        if not note:
            self.problems.add(None, "log/checkpoint is missing or empty")
            return
        try:
            head = self._chain.open(note, origin)
        except LogError as error:
            self.problems.add(None, f"log/checkpoint: {error}")
            return
        if not store.has_head(head.size, note):
            self.problems.add(
                min(head.size, self.tree.size),
                f"log/checkpoint: log.db has no such head of size {head.size}",
            )


def _later(store: Store, size: int) -> Iterator[records.Record]:
    """Erasures that came after the snapshot."""
    return (records.decode(leaf[4]) for leaf in store.of_kind("erased") if leaf[0] >= size)


def _own_key(home: Path, problems: Problems) -> str:
    try:
        return keys.load_verifiers(home / "keys" / "log.vkey")[0].vkey
    except LogError as error:
        problems.add(None, str(error))
        return ""


def _chain(database: Path, key: str) -> Chain:
    """The keys of the log, to open what somebody else kept of it. Damage is none of its business."""
    if not key:
        return Chain(())
    try:
        with closing(storage.open_readable(database)) as connection:
            return rotation.follow(Store(connection).of_kind("rotated"), key)
    except (LogError, *storage.DAMAGE):
        return Chain((Verifier(key),))


def _scope(keyed: bool, earlier: Checkpoint | None) -> str:
    if keyed and earlier:
        return (
            "Integrity, signatures under the key that was given, and consistency with the earlier checkpoint: "
            f"whether its {earlier.size} records are still the first of the log. What came later may be another log's "
            "by the holder of the signing key, unless witnesses saw it."
        )
    if keyed:
        return (
            "Integrity, and signatures under the key that was given. Truncation or another log by the "
            "holder of the signing key is not excluded without an earlier checkpoint."
        )
    return (
        "Integrity only: the key was the log's own. Truncation and rewriting by the key holder are not "
        "excluded; give a key from elsewhere to check whose log it is."
    )
