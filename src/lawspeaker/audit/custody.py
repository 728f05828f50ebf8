"""A signing key that lies elsewhere: in a key management service, a token or a file, by a URI of securesystemslib.

`log.key` then holds the public key and the URI, and no secret. Whatever comes back is verified before it becomes a
head: a service that signs with another key, or something else, must not be what the log's promise rests on. The key
must be an Ed25519 one. Needs the extra `kms`, and the client library of the service.
"""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from lawspeaker.audit.checkpoint import ED25519, Signer, Verifier, encode64, key_id
from lawspeaker.errors import BoundaryError, LogError, boundary


class KeptSigner(Signer):
    """A key under its name, which another party keeps. It is reached when it first signs."""

    def __init__(self, verifier: Verifier, uri: str) -> None:
        self.name, self.id, self.vkey, self.uri = verifier.name, verifier.id, verifier.vkey, uri
        self._verifier = verifier
        self._remote: Any = None

    def sign_text(self, text: str) -> bytes:
        """See `Signer.sign_text`. Raises where the keeper does not sign, or signs otherwise."""
        if self._remote is None:
            self._remote = _reach(self.uri, self._verifier.public)
        with _asking(f"signing with {self.uri}"):
            signature = bytes.fromhex(self._remote.sign(text.encode()).signature)
        if not self._verifier.verifies(text, signature):
            raise LogError(f"{self.uri}: the signature is not of the key {self.vkey}")
        return signature


def kept(name: str, uri: str, public: Ed25519PublicKey) -> KeptSigner:
    """The signer of a key that is new to the log, after it has signed something."""
    data = public.public_bytes_raw()
    vkey = f"{name}+{key_id(name, data).hex()}+{encode64(ED25519 + data)}"
    signer = KeptSigner(Verifier(vkey), uri)
    signer.sign_text("lawspeaker: a trial of this key\n")
    return signer


def read_public(path: Path) -> Ed25519PublicKey:
    """The public key in a PEM file, as services export it; raises `LogError` for any other file or kind of key."""
    try:
        key = load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise LogError(f"{path}: {error.strerror}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise LogError(f"{path}: not a public key in PEM") from error
    if not isinstance(key, Ed25519PublicKey):
        raise LogError(f"{path}: a log's key must be an Ed25519 one")
    return key


@contextmanager
def _asking(what: str) -> Iterator[None]:
    """Services fail in ways of their own; to the log each is a key that does not sign."""
    try:
        with boundary(what):
            yield
    except BoundaryError as error:
        why = str(error.__cause__).partition("\n")[0][:200]
        raise LogError(f"{error}: {why}") from error


def _reach(uri: str, public: Ed25519PublicKey) -> Any:
    try:
        library = importlib.import_module("securesystemslib.signer")
    except ImportError:
        raise LogError(
            f"{uri}: a key that lies elsewhere needs securesystemslib: pip install 'lawspeaker[kms]'"
        ) from None
    scheme = uri.partition(":")[0]
    if scheme not in library.SIGNER_FOR_URI_SCHEME:
        known = ", ".join(sorted(library.SIGNER_FOR_URI_SCHEME))
        raise LogError(f"{uri[:200]}: want a key's URI with one of the schemes {known}")
    with _asking(f"reaching {uri} (is the key there, and the client library of {scheme} installed?)"):
        key = library.SSlibKey.from_crypto(public, scheme="ed25519")
        return library.Signer.from_priv_key_uri(uri, key)
