"""The vault: what people and models wrote, encrypted, apart from the log, so that it can be erased.

Each record has 64 random bytes: a salt for its commitments and an AES-256-GCM key for its texts. They are stored only
wrapped by the vault key. Overwriting that one value destroys both: ciphertexts that remain anywhere are noise, and the
commitments in the log match nothing any more. Copies of the vault made earlier still have it.

The row with the zeros stays. Rows that are removed let SQLite merge pages, and what it moves then can stay behind in
unused space of a page, wrapped keys of other records among it, where their own erasure would not find them.
"""

import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lawspeaker.audit.keys import VaultKey
from lawspeaker.audit.record import commitment, text_bytes
from lawspeaker.audit.storage import insert

SCHEMA = """
CREATE TABLE IF NOT EXISTS record (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, key TEXT NOT NULL, wrapped BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS text (
  seq INTEGER NOT NULL REFERENCES record (seq) ON DELETE CASCADE, name TEXT NOT NULL, sealed BLOB NOT NULL,
  UNIQUE (seq, name)) STRICT;
"""
_NONCE = 12
_ALIVE = "wrapped <> zeroblob(length(wrapped))"

State = Literal["present", "erased", "damaged", "locked"]


class StoredText(msgspec.Struct, frozen=True):
    """A text as it was found: `erased` has no key any more, `damaged` fails its commitment, `locked` needs a vault
    key that is not at hand. `text` is empty unless it is present."""

    name: str
    state: State
    text: str = ""


class Sealed(msgspec.Struct, frozen=True):
    """One record's texts, ready to be stored."""

    record: str
    key: str
    wrapped: bytes
    texts: tuple[tuple[str, bytes], ...]
    commitments: dict[str, str]


class Vault:
    """The vault's database. Its owner opens, commits and closes it. The first of `keys` seals, all of them open."""

    def __init__(self, database: sqlite3.Connection, keys: Sequence[VaultKey]) -> None:
        self._db = database
        self._keys = {key.id: AESGCM(key.secret) for key in keys}

    def seal(self, record: str, texts: Mapping[str, str]) -> Sealed:
        """Encrypt a record's texts under fresh secrets and commit to each. Nothing is stored yet."""
        key, wrapping = next(iter(self._keys.items()))
        drawn = secrets.token_bytes(64 + _NONCE * (1 + len(texts)))
        secret, nonces = drawn[:64], [drawn[at : at + _NONCE] for at in range(64, len(drawn), _NONCE)]
        salt, inner = secret[:32], AESGCM(secret[32:])
        data = {name: text_bytes(text) for name, text in texts.items()}
        return Sealed(
            record,
            key,
            _encrypt(wrapping, nonces.pop(), secret, _key_label(record, key)),
            tuple(
                (name, _encrypt(inner, nonces.pop(), content, _text_label(record, name)))
                for name, content in data.items()
            ),
            {name: commitment(salt, record, name, content) for name, content in data.items()},
        )

    def put(self, batch: Iterable[Sealed]) -> None:
        """Store sealed texts in the open transaction."""
        first = int(self._db.execute("SELECT coalesce(max(seq), 0) + 1 FROM record").fetchone()[0])
        numbered = list(enumerate(batch, first))
        insert(self._db, "record", [(seq, sealed.record, sealed.key, sealed.wrapped) for seq, sealed in numbered])
        insert(self._db, "text", [(seq, name, data) for seq, sealed in numbered for name, data in sealed.texts])

    def read(self, record: str, commitments: Mapping[str, str]) -> dict[str, StoredText]:
        """The texts of a record, each checked against its leaf's commitment. One without a commitment is damaged."""
        row = self._db.execute("SELECT seq, key, wrapped FROM record WHERE id = ?", (record,)).fetchone()
        if row is None or not any(row[2]):
            return {name: StoredText(name, "erased") for name in commitments}
        seq, key, wrapped = row
        if key not in self._keys:
            return {name: StoredText(name, "locked") for name in commitments}
        secret = self._unwrap(record, key, wrapped)
        if secret is None:
            return {name: StoredText(name, "damaged") for name in commitments}
        stored = dict(self._db.execute("SELECT name, sealed FROM text WHERE seq = ?", (seq,)).fetchall())
        return {
            name: _open(secret, record, name, stored.get(name), commitments.get(name))
            for name in (*commitments, *(stored.keys() - commitments.keys()))
        }

    def newest_first(self) -> Iterator[str]:
        """The ids of all records that have a key."""
        return (id_ for (id_,) in self._db.execute(f"SELECT id FROM record WHERE {_ALIVE} ORDER BY seq DESC"))

    def holds(self, record: str) -> bool:
        """Whether a record's key, salt and texts are still here."""
        return self._db.execute(f"SELECT 1 FROM record WHERE id = ? AND {_ALIVE}", (record,)).fetchone() is not None

    def salt(self, record: str) -> bytes | None:
        """The salt of a record's commitments, for whoever shall be able to check them; None where it is erased,
        locked or damaged."""
        row = self._db.execute("SELECT key, wrapped FROM record WHERE id = ?", (record,)).fetchone()
        secret = self._unwrap(record, *row) if row else None
        return secret[:32] if secret else None

    def locked(self) -> str:
        """The id of the key that the newest texts are under, if no text at all is under a key that is at hand."""
        rows = self._db.execute(f"SELECT key FROM record WHERE {_ALIVE} ORDER BY seq DESC")
        newest = ""
        for (key,) in rows:
            if key in self._keys:
                return ""
            newest = newest or str(key)
        return newest

    def unopened(self) -> Iterator[str]:
        """The ids of all records whose secrets cannot be unwrapped: damaged, or under a key that is not at hand."""
        rows = self._db.execute(f"SELECT id, key, wrapped FROM record WHERE {_ALIVE}")
        return (id_ for id_, key, wrapped in rows if self._unwrap(id_, key, wrapped) is None)

    def rewrap(self, after: int, most: int) -> int:
        """Wrap the secrets of up to `most` records that come after row `after` under the first key, in the open
        transaction. Returns the last row that was looked at, 0 where there is none. What cannot be unwrapped stays."""
        key, wrapping = next(iter(self._keys.items()))
        where = f"seq > ? AND key <> ? AND {_ALIVE} ORDER BY seq LIMIT ?"
        rows = self._db.execute(
            f"SELECT seq, id, key, wrapped FROM record WHERE {where}", (after, key, most)
        ).fetchall()
        opened = ((seq, id_, self._unwrap(id_, old, wrapped)) for seq, id_, old, wrapped in rows)
        self._db.executemany(
            "UPDATE record SET key = ?, wrapped = ? WHERE seq = ?",
            [
                (key, _encrypt(wrapping, secrets.token_bytes(_NONCE), secret, _key_label(id_, key)), seq)
                for seq, id_, secret in opened
                if secret
            ],
        )
        return int(rows[-1][0]) if rows else 0

    def rewrapped(self) -> bool:
        """Whether all records' secrets are under the first key."""
        where = f"key <> ? AND {_ALIVE}"
        return not self._db.execute(f"SELECT 1 FROM record WHERE {where} LIMIT 1", (next(iter(self._keys)),)).fetchone()

    def scrub(self) -> bool:
        """Empty the write-ahead log, which still has the pages as they were before an erasure. False where a reader
        keeps it from that."""
        busy, _, _ = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy

    def erase(self, record: str) -> None:
        """Destroy a record's key, salt and texts in the open transaction."""
        self._db.execute("UPDATE record SET wrapped = zeroblob(length(wrapped)) WHERE id = ?", (record,))
        self._db.execute("DELETE FROM text WHERE seq IN (SELECT seq FROM record WHERE id = ?)", (record,))

    def forget(self, record: str) -> None:
        """Erase what a crash left behind of a record that was never written, and give its id back."""
        self.erase(record)
        self._db.execute("UPDATE record SET id = printf('unwritten-%022d', seq) WHERE id = ?", (record,))

    def _unwrap(self, record: str, key: str, wrapped: bytes) -> bytes | None:
        """The salt and the text key of a record; None where the key is not at hand or the row is damaged."""
        secret = _decrypt(self._keys[key], wrapped, _key_label(record, key)) if key in self._keys else None
        return secret if secret and len(secret) == 64 else None


def _open(secret: bytes, record: str, name: str, sealed: bytes | None, expected: str | None) -> StoredText:
    if sealed is None:
        return StoredText(name, "erased")
    data = _decrypt(AESGCM(secret[32:]), sealed, _text_label(record, name))
    if data is None or commitment(secret[:32], record, name, data) != expected:
        return StoredText(name, "damaged")
    return StoredText(name, "present", data.decode("utf-8", "surrogatepass"))


def _encrypt(cipher: AESGCM, nonce: bytes, data: bytes, label: bytes) -> bytes:
    return nonce + cipher.encrypt(nonce, data, label)


def _decrypt(cipher: AESGCM, sealed: bytes, label: bytes) -> bytes | None:
    try:
        return cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], label)
    except (InvalidTag, ValueError, TypeError):
        return None


def _key_label(record: str, key: str) -> bytes:
    return f"lawspeaker key 1\n{record}\n{key}".encode()


def _text_label(record: str, name: str) -> bytes:
    return f"lawspeaker text 1\n{record}\n{name}".encode()
