"""Keys for clients: who may ask, for what, until when, and how much.

A key is `lsp_` and 256 random bits. It is shown once, when it is made; what is stored is its SHA-256, which is enough
for a secret that nobody can guess. `access.db` under the home holds the keys and what they used: every process that
serves looks there for each request, so that a revoked key is refused from the next request on.
"""

import hashlib
import re
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from lawspeaker.errors import InputError, LawspeakerError

PREFIX: Final = "lsp_"
_KEY: Final = re.compile(r"lsp_[A-Za-z0-9_-]{43}")
WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # as the log's tenants
_MINUTE: Final = 60
_DAY: Final = 86_400
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS keys (
    hash BLOB PRIMARY KEY, id TEXT NOT NULL UNIQUE, about BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS used (
    id TEXT NOT NULL, what TEXT NOT NULL, period INTEGER NOT NULL, amount INTEGER NOT NULL, PRIMARY KEY (id, what)
) STRICT;
"""


class AccessError(LawspeakerError):
    """A key that lets nobody in. `wait` is the number of seconds after which it will, 0 where waiting does not help."""

    def __init__(self, what: str, wait: int = 0) -> None:
        super().__init__(what)
        self.wait = wait


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a key; never the key. `routes` None is every route, a limit of 0 is none, and times are seconds
    since 1970 (`expires` 0 is never). A key for `metrics` reads the counters, and is good for nothing else; a
    `configured` one stands in a configuration."""

    id: str
    name: str
    tenant: str = "default"
    routes: tuple[str, ...] | None = None
    created: int = 0
    expires: int = 0
    revoked: int = 0
    requests_per_minute: int = 0
    tokens_per_day: int = 0
    metrics: bool = False
    configured: bool = False


def new_secret() -> str:
    return PREFIX + secrets.token_urlsafe(32)


def is_secret(text: str) -> bool:
    """Whether `text` has the form of a key."""
    return bool(_KEY.fullmatch(text))


def configured(
    secret: str,
    *,
    name: str,
    tenant: str,
    routes: Sequence[str] | None,
    expires: int,
    requests_per_minute: int = 0,
    tokens_per_day: int = 0,
) -> tuple[Key, str]:
    """A key of a configuration, and its secret. Its id follows from the secret: what it asked for stays its own
    when the program is started anew."""
    id = "key-" + hashlib.sha256(b"lawspeaker/access id\0" + secret.encode()).hexdigest()[:16]
    key = Key(
        id=id,
        name=name,
        tenant=tenant,
        routes=None if routes is None else tuple(routes),
        expires=expires,
        requests_per_minute=requests_per_minute,
        tokens_per_day=tokens_per_day,
        configured=True,
    )
    return key, secret


class Keyring:
    """The keys under a home. Use as a context manager, or `close` it."""

    def __init__(self, home: Path, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        path = home / "access.db"
        with _errors(path):
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)
            self._path = path
            self._database = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.executescript(_SCHEMA)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._database.close()

    def add(
        self,
        name: str,
        *,
        tenant: str = "default",
        routes: Sequence[str] | None = None,
        lasts: int = 0,
        requests_per_minute: int = 0,
        tokens_per_day: int = 0,
        metrics: bool = False,
    ) -> tuple[Key, str]:
        """A new key and, this once, its secret. `lasts` is in seconds, 0 for ever."""
        for what, word in (("name", name), ("tenant", tenant)):
            if not WORD.fullmatch(word):
                raise InputError(f"the {what} of a key is up to 64 letters, digits, dots, dashes and underscores")
        secret = new_secret()
        now = int(self._clock())
        key = Key(
            id="key-" + secrets.token_hex(8),
            name=name,
            tenant=tenant,
            routes=None if routes is None else tuple(routes),
            created=now,
            expires=now + lasts if lasts else 0,
            requests_per_minute=requests_per_minute,
            tokens_per_day=tokens_per_day,
            metrics=metrics,
        )
        with _errors(self._path):
            row = (_hash(secret), key.id, msgspec.json.encode(key))
            self._database.execute("INSERT INTO keys VALUES (?, ?, ?)", row)
        return key, secret

    def settle(self, wanted: Sequence[tuple[Key, str]]) -> None:
        """Have exactly the keys `wanted` as those of a configuration. One that was revoked stays revoked, also where
        the configuration still has it; one that the configuration has no more is forgotten."""
        now = int(self._clock())
        hashes = {_hash(secret): key for key, secret in wanted}
        with _errors(self._path), self._database:
            self._database.execute("BEGIN IMMEDIATE")
            rows = self._database.execute("SELECT hash, about FROM keys").fetchall()
            known = {hash: msgspec.json.decode(about, type=Key) for hash, about in rows}
            for hash, key in known.items():
                if hash in hashes and not key.configured:
                    raise InputError(f"the configuration has {key.id}, which `lawspeaker access add` made; use another")
                if hash not in hashes and key.configured and not key.revoked:
                    self._database.execute("DELETE FROM keys WHERE hash = ?", (hash,))
            for hash, key in hashes.items():
                before = known.get(hash)
                dated = msgspec.structs.replace(key, created=before.created if before else now)
                dated = msgspec.structs.replace(dated, revoked=before.revoked if before else 0)
                about = msgspec.json.encode(dated)
                self._database.execute("INSERT OR REPLACE INTO keys VALUES (?, ?, ?)", (hash, key.id, about))

    def keys(self) -> list[Key]:
        """All of them, revoked ones too, the oldest first."""
        with _errors(self._path):
            rows = self._database.execute("SELECT about FROM keys ORDER BY rowid").fetchall()
        return [msgspec.json.decode(about, type=Key) for (about,) in rows]

    def valid(self) -> list[Key]:
        """Those that let somebody in now."""
        now = int(self._clock())
        return [key for key in self.keys() if not key.revoked and not 0 < key.expires <= now]

    def revoke(self, id: str) -> Key:
        """The key that `id` names (its id or its name, if only one has it) is refused from now on."""
        found = [key for key in self.keys() if id in {key.id, key.name} and not key.revoked]
        if len(found) != 1:
            how = f"{len(found)} keys are called" if found else "no valid key is called"
            raise InputError(f"{how} {id[:80]!r}; give an id of `lawspeaker access list`")
        key = msgspec.structs.replace(found[0], revoked=max(1, int(self._clock())))
        with _errors(self._path):
            self._database.execute("UPDATE keys SET about = ? WHERE id = ?", (msgspec.json.encode(key), key.id))
        return key

    def admit(self, secret: str) -> Key:
        """The key that `secret` is, with one request counted. Raises `AccessError`, in words that repeat no secret."""
        row = None
        if _KEY.fullmatch(secret):
            with _errors(self._path):
                row = self._database.execute("SELECT about FROM keys WHERE hash = ?", (_hash(secret),)).fetchone()
        if row is None:
            raise AccessError("this key is not known here")
        key = msgspec.json.decode(row[0], type=Key)
        now = int(self._clock())
        if key.revoked:
            raise AccessError("this key was revoked")
        if key.expires and now >= key.expires:
            raise AccessError("this key has expired")
        if key.tokens_per_day and self._used(key.id, "tokens", now // _DAY) >= key.tokens_per_day:
            raise AccessError("the tokens of this key are spent for today", _DAY - now % _DAY)
        if key.requests_per_minute:
            count = self._count(key.id, "requests", now // _MINUTE, 1)
            if count > key.requests_per_minute:
                raise AccessError("too many requests in this minute", _MINUTE - now % _MINUTE)
        return key

    def spend(self, key: Key, tokens: int) -> None:
        """Count `tokens` that an answer took. The answer that goes over the limit is the last of its day."""
        if key.tokens_per_day and tokens:
            self._count(key.id, "tokens", int(self._clock()) // _DAY, tokens)

    def _used(self, id: str, what: str, period: int) -> int:
        with _errors(self._path):
            row = self._database.execute(
                "SELECT amount FROM used WHERE id = ? AND what = ? AND period = ?", (id, what, period)
            ).fetchone()
        return row[0] if row else 0

    def _count(self, id: str, what: str, period: int, amount: int) -> int:
        """Add to what was used in `period`; the sum. One statement, so that processes may count together."""
        with _errors(self._path):
            row = self._database.execute(
                "INSERT INTO used VALUES (?1, ?2, ?3, ?4) ON CONFLICT (id, what) DO UPDATE SET"
                " amount = CASE WHEN period = ?3 THEN amount + ?4 ELSE ?4 END, period = ?3 RETURNING amount",
                (id, what, period, amount),
            ).fetchall()
        return int(row[0][0])


def _hash(secret: str) -> bytes:
    return hashlib.sha256(b"lawspeaker/access\0" + secret.encode()).digest()


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    """A file of keys that cannot be used lets nobody in."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        what = (error.strerror if isinstance(error, OSError) else str(error)) or "it cannot be used"
        raise InputError(f"{path}: {what}; the keys must be readable and writable") from None
