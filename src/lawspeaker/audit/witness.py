"""A witness: it signs a log's head only if that head appends to the last one it signed (C2SP tlog-witness, Ed25519
cosignatures of tlog-cosignature).

Two heads of one log that contradict each other never both get its signature, across restarts too: the check and the new
state are one transaction, synced before the answer. That is worth as much as the database: a witness that lost it must
be retired under its key, so one that has a key and no database does not start.

Not covered: checkpoints with extension lines (refused), ML-DSA cosignatures, read access for monitors.
"""

import hashlib
import os
import sqlite3
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from lawspeaker.audit import merkle, storage
from lawspeaker.audit.checkpoint import Checkpoint, Verifier, decode64, encode64, open_note
from lawspeaker.errors import LogError

COSIGNATURE = b"\x04"
LARGEST_REQUEST = 131_072
MOST_HASHES = 63
_PRIVATE = "PRIVATE+KEY+"
_SCHEMA = "CREATE TABLE IF NOT EXISTS head (origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL) STRICT;"


class Answer(msgspec.Struct, frozen=True):
    """What the witness says, as HTTP has it."""

    status: int
    body: str
    content: str = "text/plain; charset=utf-8"


class CosignerKey:
    """A witness's public key, from its `name+hash+key` text."""

    def __init__(self, vkey: str) -> None:
        name, _, rest = vkey.strip().partition("+")
        id_text, _, encoded = rest.partition("+")
        try:
            data = decode64(encoded)
            if data[:1] != COSIGNATURE or not name:
                raise LogError("a witness's key must be an Ed25519 cosignature key (type 4), as name+hash+key")
            self._public = Ed25519PublicKey.from_public_bytes(data[1:])
        except ValueError as error:
            raise LogError("a witness's key must be an Ed25519 cosignature key, as name+hash+key") from error
        self.name, self.id, self.public = name, _key_id(name, data[1:]), data[1:]
        if id_text != self.id.hex():
            raise LogError(f"the witness key of {name} says its id is {id_text!r}, but it is {self.id.hex()}")

    def verifies(self, text: str, signature: bytes) -> bool:
        """Whether `signature` (time and Ed25519) is this witness's of a note's text."""
        moment = int.from_bytes(signature[:8], "big")
        if len(signature) != 72 or moment >= 1 << 63:
            return False
        try:
            self._public.verify(signature[8:], _message(text, moment))
        except InvalidSignature:
            return False
        return True


class Cosigner:
    """A witness's private key."""

    def __init__(self, name: str, seed: bytes) -> None:
        if not name or "+" in name or any(character.isspace() for character in name):
            raise LogError(f"a witness's name must be without spaces and plus signs, not {name!r}")
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        public = self._key.public_key().public_bytes_raw()
        self.name, self.id = name, _key_id(name, public)
        self.vkey = f"{name}+{self.id.hex()}+{encode64(COSIGNATURE + public)}"

    def cosign(self, text: str, moment: int) -> str:
        """The signature line for a note's text."""
        signature = moment.to_bytes(8, "big") + self._key.sign(_message(text, moment))
        return f"\u2014 {self.name} {encode64(self.id + signature)}\n"


class Witness:
    """The state of one witness: the last head that it signed of each log that it watches."""

    def __init__(
        self, database: sqlite3.Connection, cosigner: Cosigner, logs: Mapping[str, Sequence[Verifier]]
    ) -> None:
        self._db, self._cosigner, self._logs = database, cosigner, logs

    def add_checkpoint(self, body: bytes) -> Answer:
        """Answer one request. Not to be called from two threads at once; two processes may."""
        try:
            old, proof, note = _parse(body)
        except ValueError as error:
            return Answer(400, f"{error}\n")
        origin = note.partition("\n")[0]
        if origin not in self._logs:
            return Answer(404, "this witness does not know the log\n")
        try:
            head = open_note(note, self._logs[origin], origin)
        except LogError as error:
            return Answer(403, f"{error}\n")
        refused = self._advance(old, proof, head)
        text = note.rpartition("\n\n")[0] + "\n"
        return refused or Answer(200, self._cosigner.cosign(text, int(time.time())))

    def _advance(self, old: int, proof: Sequence[bytes], head: Checkpoint) -> Answer | None:
        """Make `head` the last one that was signed, durably, if it appends to the one that is; else the refusal."""
        if old > head.size:
            return Answer(400, f"the old size {old} is above the size {head.size}\n")
        self._db.execute("BEGIN IMMEDIATE")
        row = self._db.execute("SELECT size, root FROM head WHERE origin = ?", (head.origin,)).fetchone() or (0, b"")
        known, root = int(row[0]), bytes(row[1]) or merkle.EMPTY_ROOT
        if old != known or (old == head.size and head.root != root):
            self._db.execute("ROLLBACK")
            return Answer(409, f"{known}\n", "text/x.tlog.size")
        if not merkle.verify_consistency(old, head.size, proof, root, head.root):
            self._db.execute("ROLLBACK")
            return Answer(422, "the proof does not show that this head appends to the last one\n")
        self._db.execute("INSERT OR REPLACE INTO head VALUES (?, ?, ?)", (head.origin, head.size, head.root))
        self._db.execute("COMMIT")
        return None

    def close(self) -> None:
        self._db.close()


def open_witness(folder: Path, name: str, logs: Sequence[str]) -> tuple[Witness, str]:
    """The witness in `folder`, made if there is none, and its public key. `logs` are the public keys that it trusts."""
    key, database = folder / "witness.key", folder / "witness.db"
    with storage.errors(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if key.exists() != database.exists():
            there, missing = (key, database) if key.exists() else (database, key)
            raise LogError(f"{missing} is missing but {there.name} is there; a witness that lost one must be retired")
        verifiers: dict[str, list[Verifier]] = {}
        for vkey in logs:
            verifier = Verifier(vkey)
            verifiers.setdefault(verifier.name, []).append(verifier)
        connection = storage.open_writable(database, _SCHEMA)
        if not key.exists():
            _create(key, name or f"lawspeaker.local/witness/{os.urandom(4).hex()}")
        cosigner = _load(key)
    if name and name != cosigner.name:
        raise LogError(f"{key}: the witness is called {cosigner.name}, not {name}")
    return Witness(connection, cosigner, verifiers), cosigner.vkey


def cosignatures(note: str, keys: Sequence[CosignerKey]) -> dict[bytes, str]:
    """The valid signature lines of `keys` in a note, by public key. One that is wrong, or twice there, is refused."""
    text, _, lines = note.rpartition("\n\n")
    found: dict[bytes, str] = {}
    known = {(key.name, key.id): key for key in keys}
    for line in lines.removesuffix("\n").split("\n"):
        name, _, encoded = line.removeprefix("\u2014 ").partition(" ")
        try:
            data = decode64(encoded)
        except ValueError:
            raise LogError("a cosignature's line must be a dash, a name and base64") from None
        key = known.get((name, data[:4]))
        if key is None:
            continue
        if key.public in found:
            raise LogError(f"a checkpoint has two cosignatures of the key {name}+{data[:4].hex()}")
        if not key.verifies(text + "\n", data[4:]):
            raise LogError(f"a checkpoint's cosignature by {name}+{data[:4].hex()} is wrong")
        found[key.public] = line + "\n"
    return found


def request_body(old: int, proof: Sequence[bytes], note: str) -> bytes:
    """The body of `add-checkpoint`."""
    lines = "".join(encode64(part) + "\n" for part in proof)
    return f"old {old}\n{lines}\n{note}".encode()


def _parse(body: bytes) -> tuple[int, list[bytes], str]:
    if len(body) > LARGEST_REQUEST:
        raise ValueError("the request is too long")
    head, gap, note = body.decode().partition("\n\n")
    first, *hashes = head.split("\n")
    size = first.removeprefix("old ")
    if not gap or not first.startswith("old ") or not (size.isascii() and size.isdigit()) or len(size) > 19:
        raise ValueError("a request must be old SIZE, the proof, an empty line and a checkpoint")
    if str(int(size)) != size:
        raise ValueError("the old size must be a decimal number without leading zeros")
    if len(hashes) > MOST_HASHES:
        raise ValueError(f"a proof has at most {MOST_HASHES} hashes")
    proof = [decode64(text) for text in hashes]
    if any(len(part) != 32 for part in proof):
        raise ValueError("a proof's hash must be 32 bytes")
    return int(size), proof, note


def _message(text: str, moment: int) -> bytes:
    return f"cosignature/v1\ntime {moment}\n{text}".encode()


def _key_id(name: str, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + COSIGNATURE + public).digest()[:4]


def _create(path: Path, name: str) -> None:
    seed = os.urandom(32)
    cosigner = Cosigner(name, seed)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"{_PRIVATE}{name}+{cosigner.id.hex()}+{encode64(COSIGNATURE + seed)}\n")
        file.flush()
        os.fsync(descriptor)


def _load(path: Path) -> Cosigner:
    """The key in a file. One that was damaged is refused: it would be another witness with this one's state."""
    line = path.read_text("utf-8", errors="replace").strip()
    name, _, rest = line.removeprefix(_PRIVATE).partition("+")
    id_text, _, encoded = rest.partition("+")
    try:
        data = decode64(encoded)
    except ValueError:
        data = b""
    cosigner = Cosigner(name, data[1:]) if data[:1] == COSIGNATURE and len(data) == 33 else None
    if cosigner is None or cosigner.id.hex() != id_text or not line.startswith(_PRIVATE):
        raise LogError(f"{path}: not a witness's signing key")
    return cosigner
