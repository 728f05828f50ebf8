"""The log on disk: `log.db`, in which a leaf is durable before anybody is told that it is in the log.

WAL with `synchronous=FULL` syncs at each commit. One connection writes and checkpoints; every other one is opened
read-only. SQLite before 3.51.3 can corrupt a WAL that two connections write or checkpoint at once, so the second rule
is what keeps older versions safe, and they are accepted.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from lawspeaker.audit.merkle import hash_leaf
from lawspeaker.audit.tiles import WIDTH, Written
from lawspeaker.errors import LogError

FORMAT = "lawspeaker-log 1"
SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS leaf (
  idx INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, subject TEXT NOT NULL, kind TEXT NOT NULL,
  bytes BLOB NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS leaf_subject ON leaf (subject) WHERE kind <> 'opened';
CREATE INDEX IF NOT EXISTS leaf_kind ON leaf (kind);
CREATE TABLE IF NOT EXISTS tile (
  level INTEGER NOT NULL, n INTEGER NOT NULL, hashes BLOB NOT NULL,
  PRIMARY KEY (level, n)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS checkpoint (size INTEGER PRIMARY KEY, note TEXT NOT NULL) STRICT;
"""
# The casts make bytes of whatever a damaged database claims to hold; it is then found wrong by its hash.
_LEAF = "SELECT idx, id, subject, kind, coalesce(CAST(bytes AS BLOB), x'') FROM leaf"
_HASHES = "coalesce(CAST(hashes AS BLOB), x'')"

_lenient = partial(str, encoding="utf-8", errors="replace")
"""Text from a database that may be damaged: it must be readable to be found wrong."""

DAMAGE = (sqlite3.Error, UnicodeDecodeError)
"""What reading a damaged database raises; the second where SQLite's own message quotes the damage."""

_TOGETHER = 256  # rows of one statement: the values of one are bounded, by 32,766 at least

_OLDEST_SQLITE = (3, 37, 0)  # STRICT tables

Leaf = tuple[int, str, str, str, bytes]
"""A row: idx, id, subject, kind, bytes. Id, subject and kind repeat the bytes, for finding; `verify` compares
them."""


def open_writable(path: Path, schema: str) -> sqlite3.Connection:
    """The one connection that may write to the database at `path`, made if need be."""
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise LogError(f"SQLite {sqlite3.sqlite_version} is too old for the audit log; it needs 3.37 or later")
    with errors(path):
        path.touch(mode=0o600)
        database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        _prepare(database, schema)
        return database


def open_in_memory(schema: str) -> sqlite3.Connection:
    """A database that lives as long as its connection."""
    database = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    _prepare(database, schema)
    return database


def open_readable(path: Path) -> sqlite3.Connection:
    """A connection that changes nothing, so it needs no lock and may be open beside the writer's."""
    if not path.is_file():
        raise LogError(f"{path}: there is no audit log here")
    with errors(path):
        database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
        try:
            database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        except sqlite3.OperationalError:
            # A database in WAL mode in a directory that cannot be written to can only be read as one at rest.
            database.close()
            database = sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True, isolation_level=None)
        database.text_factory = _lenient
        return database


def _prepare(database: sqlite3.Connection, schema: str) -> None:
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("PRAGMA foreign_keys = ON")
    database.execute("PRAGMA secure_delete = ON")
    database.execute("PRAGMA wal_autocheckpoint = 4000")  # 16 MB: copying back syncs twice more
    database.executescript(schema)


@contextmanager
def errors(path: Path) -> Iterator[None]:
    """Say which file it was and what is wrong with it."""
    try:
        yield
    except DAMAGE as error:
        raise LogError(f"{path}: the database cannot be used: {error}") from error
    except OSError as error:
        raise LogError(f"{path}: {error.strerror or error}") from error


def insert(database: sqlite3.Connection, table: str, rows: Sequence[tuple[object, ...]]) -> None:
    """Insert rows by as few statements as can be: for each, and with `executemany` for each row, the interpreter's lock
    is given away and waited for again."""
    for at in range(0, len(rows), _TOGETHER):
        some = rows[at : at + _TOGETHER]
        marks = ",".join(["(" + ",".join("?" * len(some[0])) + ")"] * len(some))
        database.execute(f"INSERT INTO {table} VALUES {marks}", [value for row in some for value in row])


class Store:
    """Reading and writing of `log.db`. Writes belong to the transaction that their caller has begun."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self.db = database

    def meta(self, name: str) -> str | None:
        row = self.db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def set_meta(self, name: str, value: str) -> None:
        self.db.execute("INSERT INTO meta VALUES (?, ?)", (name, value))

    def head(self) -> tuple[int, str] | None:
        """Size and note of the latest checkpoint."""
        row = self.db.execute("SELECT size, note FROM checkpoint ORDER BY size DESC LIMIT 1").fetchone()
        return None if row is None else (int(row[0]), str(row[1]))

    def checkpoints(self, low: int = 0) -> Iterator[tuple[int, str]]:
        """Every checkpoint of at least size `low`, in order."""
        rows = self.db.execute("SELECT size, note FROM checkpoint WHERE size >= ? ORDER BY size", (low,))
        return ((size, str(note)) for size, note in rows)

    def has_head(self, size: int, note: str) -> bool:
        """Whether `note` is the checkpoint of that size. Witnesses may have added their signatures to it."""
        return any(held == size and note.startswith(stored) for held, stored in self.checkpoints(size))

    def known(self, ids: Sequence[str]) -> set[str]:
        """Those of `ids` that records in the log have."""
        marks = ",".join("?" * len(ids))
        return {str(id_) for (id_,) in self.db.execute(f"SELECT id FROM leaf WHERE id IN ({marks})", tuple(ids))}

    def count(self) -> int:
        """One more than the highest index."""
        return int(self.db.execute("SELECT coalesce(max(idx) + 1, 0) FROM leaf").fetchone()[0])

    def rows(self, outside: int | None = None) -> int:
        """How many leaves there are, or how many of them lie outside of the indices below `outside`."""
        if outside is None:
            return int(self.db.execute("SELECT count(*) FROM leaf").fetchone()[0])
        return int(self.db.execute("SELECT count(*) FROM leaf WHERE idx < 0 OR idx >= ?", (outside,)).fetchone()[0])

    def leaves(self, low: int, high: int) -> Iterator[Leaf]:
        """The rows from index `low` to before `high`, in order."""
        return self.db.execute(f"{_LEAF} WHERE idx >= ? AND idx < ? ORDER BY idx", (low, high))

    def sound_leaves(self, low: int, high: int) -> list[Leaf]:
        """The same at once; raises one of `DAMAGE` where a text is not UTF-8, even if the connection is lenient."""
        before, self.db.text_factory = self.db.text_factory, str
        try:
            return list(self.leaves(low, high))
        finally:
            self.db.text_factory = before

    def leaf(self, id_: str) -> Leaf | None:
        found: Leaf | None = self.db.execute(f"{_LEAF} WHERE id = ?", (id_,)).fetchone()
        return found

    def history(self, subject: str) -> list[Leaf]:
        """Every record of a subject, in order."""
        where = "id = ? OR (subject = ? AND kind <> 'opened')"  # an opened record is its own subject
        return self.db.execute(f"{_LEAF} WHERE {where} ORDER BY idx", (subject, subject)).fetchall()

    def of_kind(self, kind: str) -> Iterator[Leaf]:
        """Every record of a kind, in order."""
        return self.db.execute(f"{_LEAF} WHERE kind = ? ORDER BY idx", (kind,))

    def starting_with(self, prefix: str) -> list[str]:
        """Up to two ids that begin with `prefix`."""
        rows = self.db.execute(
            "SELECT id FROM leaf WHERE id >= ? AND id < ? LIMIT 2", (prefix, prefix + "g")
        ).fetchall()
        return [str(id_) for (id_,) in rows]

    def stored_tile(self, level: int, n: int) -> bytes:
        """A tile's bytes as they are stored, nothing where there are none."""
        row = self.db.execute(f"SELECT {_HASHES} FROM tile WHERE level = ? AND n = ?", (level, n)).fetchone()
        return row[0] if row else b""

    def tile(self, level: int, n: int) -> bytes:
        """A tile's bytes; the partial one at level 0 is not stored and is made from its leaves."""
        data = self.stored_tile(level, n)
        if not data and level:
            raise LogError(f"tile {n} of level {level} is missing from the database")
        return data or b"".join(hash_leaf(leaf[4]) for leaf in self.leaves(n * WIDTH, (n + 1) * WIDTH))

    def tiles(self) -> dict[tuple[object, object], bytes]:
        """Every stored tile by level and number, whatever those are."""
        return {(level, n): data for level, n, data in self.db.execute(f"SELECT level, n, {_HASHES} FROM tile")}

    def add_leaves(self, rows: Sequence[Leaf]) -> None:
        insert(self.db, "leaf", rows)

    def add_tiles(self, tiles: Sequence[Written]) -> None:
        """Store tiles; one of a level above 0 takes the place of its narrower self."""
        self.db.executemany(
            "INSERT INTO tile VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET hashes = excluded.hashes",
            [(tile.level, tile.n, tile.data) for tile in tiles],
        )

    def add_checkpoint(self, size: int, note: str) -> None:
        self.db.execute("INSERT INTO checkpoint VALUES (?, ?)", (size, note))
