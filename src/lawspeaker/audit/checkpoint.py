"""Checkpoints: the size and root of the log, signed (C2SP tlog-checkpoint v1.0.0 in a signed-note v1.0.0).

Parsing is strict. What would print differently than it was written is refused, so that one head of the log has one
text; a signature that cannot be verified is an error and not a missing signature.
"""

import base64
import binascii
import hashlib
from collections.abc import Sequence

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from lawspeaker.errors import LogError

ED25519 = b"\x01"
_DASH = "\u2014 "
_LONGEST_NOTE = 65_536


class Checkpoint(msgspec.Struct, frozen=True):
    """One head of the log."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        return f"{self.origin}\n{self.size}\n{encode64(self.root)}\n"


class Verifier:
    """A public key under its name, made from the `name+hash+key` text of the signed-note specification."""

    def __init__(self, vkey: str) -> None:
        name, _, rest = vkey.strip().partition("+")
        id_text, _, encoded = rest.partition("+")
        try:
            data = decode64(encoded)
            if data[:1] != ED25519 or not _is_name(name):
                raise LogError("a verifier key must be an Ed25519 one, as name+hash+key")
            self.public = Ed25519PublicKey.from_public_bytes(data[1:])
        except ValueError as error:
            raise LogError("a verifier key must be an Ed25519 one, as name+hash+key") from error
        self.name, self.id, self.vkey = name, key_id(name, data[1:]), vkey.strip()
        if id_text != self.id.hex():
            raise LogError(f"the verifier key of {name} says its id is {id_text!r}, but it is {self.id.hex()}")

    def verifies(self, text: str, signature: bytes) -> bool:
        try:
            self.public.verify(signature, text.encode())
        except InvalidSignature:
            return False
        return True


class Signer:
    """A private key under its name."""

    def __init__(self, name: str, seed: bytes) -> None:
        if not _is_name(name):
            raise LogError(f"a key's name must be without spaces and plus signs, not {name!r}")
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        public = self._key.public_key().public_bytes_raw()
        self.name, self.id = name, key_id(name, public)
        self.vkey = f"{name}+{self.id.hex()}+{encode64(ED25519 + public)}"

    def sign(self, checkpoint: Checkpoint) -> str:
        """The checkpoint as a signed note."""
        text = checkpoint.text
        return f"{text}\n{_DASH}{self.name} {encode64(self.id + self.sign_text(text))}\n"

    def sign_text(self, text: str) -> bytes:
        """The bare signature of a text that cannot be a checkpoint."""
        return self._key.sign(text.encode())


def key_id(name: str, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + ED25519 + public).digest()[:4]


def open_note(note: str, verifiers: Sequence[Verifier], origin: str | None = None) -> Checkpoint:
    """The checkpoint that `note` holds, if at least one of `verifiers` signed it; raises `LogError` otherwise.

    Signatures of other keys are ignored, as the specification demands (witnesses, keys after rotation). `origin` is
    whose log it must be; without it, the name of the key that signed.
    """
    text, lines = _split(note)
    known = {(verifier.name, verifier.id): verifier for verifier in verifiers}
    signed_by: set[tuple[str, bytes]] = set()
    for line in lines:
        name, data = _signature(line)
        who = (name, data[:4])
        if who not in known:
            continue
        if who in signed_by:
            raise LogError(f"a checkpoint has two signatures of the key {name}+{data[:4].hex()}")
        if not known[who].verifies(text, data[4:]):
            raise LogError(f"a checkpoint's signature by {name}+{data[:4].hex()} is wrong")
        signed_by.add(who)
    if not signed_by:
        names = ", ".join(f"{name}+{id_.hex()}" for name, id_ in known)
        raise LogError(f"a checkpoint is not signed by {names or 'any known key'}")
    checkpoint = _parse_text(text)
    wanted = {origin} if origin is not None else {name for name, _ in signed_by}
    if checkpoint.origin not in wanted:
        raise LogError(f"a checkpoint is of the log {checkpoint.origin!r}, not of {' or '.join(sorted(wanted))!r}")
    return checkpoint


def encode64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def decode64(text: str) -> bytes:
    """Standard base64 that encodes back to the same text; raises `ValueError` for any other."""
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
    if encode64(data) != text:
        raise ValueError("not the one base64 text of these bytes")
    return data


def _split(note: str) -> tuple[str, list[str]]:
    if len(note) > _LONGEST_NOTE:
        raise LogError("a checkpoint is longer than 64 KiB")
    if any(character < " " and character != "\n" for character in note):
        raise LogError("a checkpoint holds control characters")
    text, gap, signatures = note.rpartition("\n\n")
    if not gap or not signatures.endswith("\n"):
        raise LogError("a checkpoint must be a text, an empty line and signature lines")
    return text + "\n", signatures[:-1].split("\n")


def _signature(line: str) -> tuple[str, bytes]:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    try:
        data = decode64(encoded)
    except ValueError:
        data = b""
    if not line.startswith(_DASH) or not _is_name(name) or len(data) < 5:
        raise LogError("a checkpoint's signature line must be a dash, a key's name and base64")
    return name, data


def _parse_text(text: str) -> Checkpoint:
    lines = text[:-1].split("\n")
    if len(lines) != 3 or not lines[0]:
        raise LogError("a checkpoint's text must be an origin, a size and a root, and no extension lines")
    origin, size, encoded = lines
    if not (size.isascii() and size.isdigit() and len(size) < 20) or str(int(size)) != size:
        raise LogError("a checkpoint's size must be a decimal number without leading zeros")
    try:
        root = decode64(encoded)
    except ValueError:
        root = b""
    if len(root) != 32:
        raise LogError("a checkpoint's root must be 32 bytes in base64")
    return Checkpoint(origin, int(size), root)


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(character.isspace() for character in name)
