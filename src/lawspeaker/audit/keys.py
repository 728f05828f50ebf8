"""The log's two keys, in two files because two people may keep them: one signs heads of the log, one opens texts.

`log.key` holds the Ed25519 signing key (`PRIVATE+KEY+name+id+base64`, the form of Go's note package), `log.vkey` its
public half, `vault.key` the AES-256 key that wraps the keys of texts (`VAULT+KEY+id+base64`). The first line is the
key in use; further lines of `log.vkey` and `vault.key` are keys that were in use before and still verify or open what
is old. `log.key` has no further lines: a signing key that was given up is destroyed. Of a key that lies elsewhere it
holds `SIGNER+AT+name+id+base64`, the public half, and in a second line the URI (`custody`).

A rotation writes `log.key.next` first. Once the `rotated` record is durable the key is adopted: public halves, then
the private one by a rename. A crash at any point leaves what the next opening needs to go back or to go on. That of the
vault's key does the same beside the file that holds it: `vault.key.next` has the new key and those of before, and takes
the place of `vault.key` once the `rewrapped` record is durable.
"""

import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec

from lawspeaker.audit.checkpoint import ED25519, Signer, Verifier, decode64, encode64
from lawspeaker.audit.custody import KeptSigner
from lawspeaker.errors import LogError

_SIGNING = "PRIVATE+KEY+"
_KEPT = "SIGNER+AT+"
_VAULT = "VAULT+KEY+"
_NEXT = "log.key.next"


class VaultKey(msgspec.Struct, frozen=True):
    """A key that wraps the keys of texts; `id` names it in every row that it wrapped."""

    id: str
    secret: bytes

    @classmethod
    def of(cls, secret: bytes) -> "VaultKey":
        return cls(hashlib.sha256(b"lawspeaker vault key\n" + secret).hexdigest()[:16], secret)

    def authenticate(self, text: str) -> str:
        """HMAC-SHA256 of `text`, in hex: whoever made it had this key."""
        return hmac.digest(self.secret, text.encode(), "sha256").hex()


class Keys(msgspec.Struct, frozen=True):
    """What the writer needs."""

    signer: Signer
    verifiers: tuple[Verifier, ...]
    vault: tuple[VaultKey, ...]

    @classmethod
    def fresh(cls) -> "Keys":
        """Keys for a log that lives no longer than this process."""
        signer = Signer(new_origin(), secrets.token_bytes(32))
        return cls(signer, (Verifier(signer.vkey),), (VaultKey.of(secrets.token_bytes(32)),))


def create(folder: Path) -> Keys:
    """Write the keys of a new log, and return them."""
    folder.mkdir(mode=0o700, exist_ok=True)
    vault = VaultKey.of(secrets.token_bytes(32))
    _write(folder / "vault.key", _vault_lines([vault]))
    path = folder / "log.key"
    if path.exists() and path.read_bytes().startswith(_KEPT.encode()):
        signer = _signer(path)  # put there by `appoint`, for this log
    else:
        signer, text = _new_signer(new_origin())
        _write(path, text)
    return Keys(signer, (Verifier(signer.vkey),), (vault,))


def appoint(folder: Path, signer: KeptSigner) -> None:
    """Have a log that is to be made signed by a key that lies elsewhere."""
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    _write(folder / "log.key", _reference(signer))


def announce(folder: Path, keys: Keys) -> None:
    """Write the public key. It is the last step of making a log: where it lies, everything else must lie too."""
    _write(folder / "log.vkey", keys.signer.vkey + "\n")


def load(folder: Path) -> Keys:
    """The keys of a log that has them; raises `LogError` if one is missing or unreadable."""
    signer = _signer(folder / "log.key")
    if (folder / _NEXT).exists() and _signer(folder / _NEXT).vkey == _lines(folder / "log.vkey")[0]:
        signer = adopt(folder)
    if signer.vkey != _lines(folder / "log.vkey")[0]:
        raise LogError(f"{folder / 'log.vkey'}: not the public half of the key in log.key; restore both")
    return Keys(signer, load_verifiers(folder / "log.vkey"), load_vault(folder / "vault.key"))


def stage(folder: Path, name: str, kept: KeptSigner | None = None) -> Signer:
    """A new signing key under the log's name, on the disk (or `kept` elsewhere) and not in use yet."""
    signer, text = (kept, _reference(kept)) if kept else _new_signer(name)
    _write(folder / _NEXT, text)
    sync(folder)
    return signer


def staged(folder: Path) -> Signer | None:
    """The signing key that a rotation has put ready, if there is one."""
    return _signer(folder / _NEXT) if (folder / _NEXT).exists() else None


def unstage(folder: Path) -> None:
    """Give up a key that was never used."""
    (folder / _NEXT).unlink()


def adopt(folder: Path) -> Signer:
    """Make the staged key the one in use. May be called again after it was cut off."""
    signer, known = _signer(folder / _NEXT), _lines(folder / "log.vkey")
    if known[0] != signer.vkey:
        _write(folder / "log.vkey.tmp", "".join(f"{line}\n" for line in (signer.vkey, *known)))
        (folder / "log.vkey.tmp").rename(folder / "log.vkey")
        sync(folder)
    _replace(folder / "log.key", ".next")
    return signer


def stage_vault(folder: Path) -> VaultKey:
    """A new vault key, on the disk of the one in use and not in use itself yet."""
    path, new = _vault_path(folder), VaultKey.of(secrets.token_bytes(32))
    _write(_beside(path, ".next"), _vault_lines([new, *load_vault(path)]))
    sync(path.parent)
    return new


def staged_vault(folder: Path) -> VaultKey | None:
    """The vault key that a rotation has put ready, if there is one."""
    path = _beside(_vault_path(folder), ".next")
    return load_vault(path)[0] if path.exists() else None


def unstage_vault(folder: Path) -> None:
    """Give up a vault key that was never used."""
    _beside(_vault_path(folder), ".next").unlink()


def adopt_vault(folder: Path) -> None:
    """Make the staged vault key the one in use; those of before still open what is under them."""
    _replace(_vault_path(folder), ".next")


def destroy_older_vault_keys(folder: Path) -> None:
    """Leave the vault key in use and no other."""
    path = _vault_path(folder)
    _write(_beside(path, ".tmp"), _vault_lines(load_vault(path)[:1]))
    _replace(path, ".tmp")


def sync(folder: Path) -> None:
    """A new file survives a power cut only once its folder is on the disk too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def load_verifiers(path: Path) -> tuple[Verifier, ...]:
    """The public keys in `path`."""
    return tuple(Verifier(line) for line in _lines(path))


def load_vault(path: Path) -> tuple[VaultKey, ...]:
    """The vault keys in `path`."""
    return tuple(_parse_vault(line, path) for line in _lines(path))


def new_origin() -> str:
    """The log's name: random, since no two logs may share one."""
    return f"lawspeaker.local/{secrets.token_hex(8)}"


def _vault_path(folder: Path) -> Path:
    """The file that holds the vault keys: another disk's, where `vault.key` is a link."""
    return Path(os.path.realpath(folder / "vault.key"))


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _replace(path: Path, suffix: str) -> None:
    """Put the file beside `path` in its place, and overwrite what was there unless that has another name too: then it
    is a copy that somebody keeps."""
    before = None
    with suppress(FileNotFoundError, PermissionError):
        before = os.open(path, os.O_WRONLY)
    try:
        _beside(path, suffix).rename(path)
        sync(path.parent)
        if before is not None and not os.fstat(before).st_nlink:
            os.pwrite(before, bytes(os.fstat(before).st_size), 0)
            os.fsync(before)
    finally:
        if before is not None:
            os.close(before)


def _vault_lines(keys: Iterable[VaultKey]) -> str:
    return "".join(f"{_VAULT}{key.id}+{encode64(key.secret)}\n" for key in keys)


def _reference(signer: KeptSigner) -> str:
    return f"{_KEPT}{signer.vkey}\n{signer.uri}\n"


def _new_signer(name: str) -> tuple[Signer, str]:
    """A new key, and the text of its file."""
    seed = secrets.token_bytes(32)
    signer = Signer(name, seed)
    return signer, f"{_SIGNING}{name}+{signer.id.hex()}+{encode64(ED25519 + seed)}\n"


def _signer(path: Path) -> Signer:
    line, *others = _lines(path)
    if line.startswith(_KEPT):
        if len(others) != 1:
            raise LogError(f"{path}: the second line must be the URI of the key")
        return KeptSigner(Verifier(line.removeprefix(_KEPT)), others[0])
    name, _, rest = line.removeprefix(_SIGNING).partition("+")
    id_text, _, encoded = rest.partition("+")
    try:
        data = decode64(encoded)
        if not line.startswith(_SIGNING) or data[:1] != ED25519:
            raise LogError(f"{path}: not an Ed25519 signing key")
        signer = Signer(name, data[1:])
    except ValueError as error:
        raise LogError(f"{path}: not an Ed25519 signing key") from error
    if signer.id.hex() != id_text:
        raise LogError(f"{path}: the key's id is {signer.id.hex()}, the file says {id_text!r}")
    return signer


def _parse_vault(line: str, path: Path) -> VaultKey:
    id_text, _, encoded = line.removeprefix(_VAULT).partition("+")
    try:
        key = VaultKey.of(decode64(encoded))
    except ValueError as error:
        raise LogError(f"{path}: not a vault key") from error
    if not line.startswith(_VAULT) or len(key.secret) != 32 or key.id != id_text:
        raise LogError(f"{path}: not a vault key, or one whose id differs")
    return key


def _lines(path: Path) -> list[str]:
    try:
        lines = path.read_text("utf-8").split("\n")
    except FileNotFoundError as error:
        raise LogError(f"{path}: the key is missing; restore it from where it is kept") from error
    except (OSError, UnicodeDecodeError) as error:
        raise LogError(f"{path}: the key cannot be read: {error}") from error
    lines = [line for line in lines if line]
    if not lines:
        raise LogError(f"{path}: the file holds no key")
    return lines


def _write(path: Path, text: str) -> None:
    """Create a file that only its owner can read, on the disk before anything is signed or encrypted with it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
