"""Signing keys that lie elsewhere, with securesystemslib's own file signer as the one who keeps them."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from securesystemslib.signer import CryptoSigner

from lawspeaker.audit import keys as keyring
from lawspeaker.audit.custody import kept, read_public
from lawspeaker.audit.keys import appoint
from lawspeaker.audit.reader import read_vkeys
from lawspeaker.audit.rekey import rotate
from lawspeaker.audit.verify import verify
from lawspeaker.errors import LogError
from tests.audit.logs import make_log, run_python

NAME = "example.org/log"


def keep(folder: Path, name: str = "kept") -> tuple[str, Path]:
    """A new key in somebody else's hands: its URI and its public half in a file."""
    signer = CryptoSigner.generate_ed25519()
    (folder / f"{name}.pem").write_bytes(signer.private_bytes)
    public = folder / f"{name}.pub"
    private = serialization.load_pem_private_key(signer.private_bytes, None)
    pem = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    public.write_bytes(private.public_key().public_bytes(*pem))
    return f"file2:{folder / f'{name}.pem'}", public


def test_a_log_is_signed_by_a_key_that_it_never_holds(tmp_path):
    home, (uri, public) = tmp_path / "home", keep(tmp_path)
    appoint(home / "keys", kept(NAME, uri, read_public(public)))
    make_log(home, 3)
    make_log(home, 2)
    key = read_vkeys(home)[0]
    assert key.startswith(f"{NAME}+")
    report = verify(home, key)
    assert (report.ok, report.size) == (True, 5)
    text = (home / "keys" / "log.key").read_text()
    assert text == f"SIGNER+AT+{key}\n{uri}\n"
    assert "PRIVATE" not in text


def test_a_key_is_rotated_to_one_elsewhere_and_back(tmp_path):
    home, (uri, public) = tmp_path / "home", keep(tmp_path)
    make_log(home, 2)
    first = read_vkeys(home)[0]
    rotate(home, "a service keeps it now", "Rina", lambda name: kept(name, uri, read_public(public)))
    make_log(home, 2)
    assert (home / "keys" / "log.key").read_text().endswith(f"\n{uri}\n")
    rotate(home, "and now it does not", "Rina")
    make_log(home, 1)
    assert len(read_vkeys(home)) == 3
    report = verify(home, first)
    assert report.ok, report.problems


def test_a_key_that_is_gone_or_another_one_stops_the_log_and_signs_nothing(tmp_path):
    home, (uri, public) = tmp_path / "home", keep(tmp_path)
    appoint(home / "keys", kept(NAME, uri, read_public(public)))
    make_log(home, 2)
    place = Path(uri.removeprefix("file2:"))
    mine = place.read_bytes()
    place.unlink()
    with pytest.raises(LogError, match=r"reaching file2:.*FileNotFoundError") as raised:
        make_log(home, 1)
    assert "\n" not in str(raised.value)
    place.write_bytes(CryptoSigner.generate_ed25519().private_bytes)
    with pytest.raises(LogError, match=r"KeyMismatchError|not of the key"):
        make_log(home, 1)
    place.write_bytes(mine)
    make_log(home, 1)
    assert (verify(home).ok, verify(home).size) == (True, 3)


def test_what_is_no_key_of_a_log_is_refused(tmp_path):
    uri, public = keep(tmp_path)
    rsa = generate_private_key(65537, 2048).public_key()
    pem = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "rsa.pub").write_bytes(rsa.public_bytes(*pem))
    (tmp_path / "other.pub").write_bytes(Ed25519PrivateKey.generate().public_key().public_bytes(*pem))
    for name, says in (("rsa.pub", "Ed25519"), ("kept.pem", "not a public key"), ("none", "No such file")):
        with pytest.raises(LogError, match=says):
            read_public(tmp_path / name)
    for bad, of, says in (
        (uri, tmp_path / "other.pub", "KeyMismatchError|not of the key"),
        ("nowhere:x", public, "schemes awskms"),
        ("file2:/nowhere", public, "reaching"),
        ("", public, "schemes"),
    ):
        with pytest.raises(LogError, match=says):
            kept(NAME, bad, read_public(of))


def test_a_reference_without_its_uri_is_refused(tmp_path):
    home, (uri, public) = tmp_path / "home", keep(tmp_path)
    appoint(home / "keys", kept(NAME, uri, read_public(public)))
    make_log(home, 1)
    path = home / "keys" / "log.key"
    path.write_text(path.read_text().split("\n")[0] + "\n")
    with pytest.raises(LogError, match="the URI of the key"):
        keyring.load(home / "keys")


WITHOUT = """
import sys
sys.modules["securesystemslib"] = sys.modules["securesystemslib.signer"] = None
from pathlib import Path
from lawspeaker.audit.custody import kept, read_public
try:
    kept("example.org/log", sys.argv[1], read_public(Path(sys.argv[2])))
except Exception as error:
    print(type(error).__name__, error)
"""


def test_without_the_extra_it_says_what_to_install(tmp_path):
    uri, public = keep(tmp_path)
    done = run_python(WITHOUT, uri, str(public))
    assert done.stdout.startswith("LogError ")
    assert "pip install 'lawspeaker[kms]'" in done.stdout
