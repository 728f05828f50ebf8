"""A second verifier, from `docs/audit-format.md` alone: the standard library, and `cryptography` for two primitives.

It shares no code with the log, so what it accepts is what the page says and not what the program does.
"""

import base64
import hashlib
import hmac
import json
import sqlite3
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from lawspeaker.audit import record as records
from lawspeaker.audit.record import opened
from tests.audit.logs import TEXTS, make_log


def canonical(leaf: bytes) -> bytes:
    text = json.dumps(json.loads(leaf), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def open_checkpoint(note: str, vkey: str) -> tuple[int, bytes]:
    text, _, lines = note.rpartition("\n\n")
    text += "\n"
    name, key_id, encoded = vkey.split("+", 2)
    public = base64.b64decode(encoded)
    assert public[:1] == b"\x01"
    assert hashlib.sha256(name.encode() + b"\n" + public).digest()[:4].hex() == key_id
    dash, signer, signature = lines.rstrip("\n").split(" ")
    data = base64.b64decode(signature)
    assert (dash, signer, data[:4].hex()) == ("\u2014", name, key_id)
    Ed25519PublicKey.from_public_bytes(public[1:]).verify(data[4:], text.encode())
    origin, size, root = text.split("\n")[:3]
    assert origin == name
    return int(size), base64.b64decode(root)


def root_from_path(leaf_hash: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """Recursive, unlike the program's: the last hash of the path is the sibling below the root."""
    if size == 1:
        assert not path
        return leaf_hash
    k = 1
    while 2 * k < size:
        k *= 2
    *rest, sibling = path
    if index < k:
        return hashlib.sha256(b"\x01" + root_from_path(leaf_hash, index, k, rest) + sibling).digest()
    return hashlib.sha256(b"\x01" + sibling + root_from_path(leaf_hash, index - k, size - k, rest)).digest()


def open_texts(home: Path, leaf: dict[str, object]) -> dict[str, bytes]:
    prefix, kind, key_id, encoded = (home / "keys" / "vault.key").read_text().strip().split("+", 3)
    key = base64.b64decode(encoded)
    assert (prefix, kind) == ("VAULT", "KEY")
    assert hashlib.sha256(b"lawspeaker vault key\n" + key).hexdigest()[:16] == key_id
    database = sqlite3.connect(home / "vault.db")
    id_ = str(leaf["id"])
    seq, wrapped_by, wrapped = database.execute("SELECT seq, key, wrapped FROM record WHERE id = ?", [id_]).fetchone()
    assert wrapped_by == key_id
    secret = AESGCM(key).decrypt(wrapped[:12], wrapped[12:], f"lawspeaker key 1\n{id_}\n{key_id}".encode())
    texts = {}
    for name, sealed in database.execute("SELECT name, sealed FROM text WHERE seq = ?", [seq]):
        label = f"lawspeaker text 1\n{id_}\n{name}".encode()
        texts[name] = AESGCM(secret[32:]).decrypt(sealed[:12], sealed[12:], label)
        assert hmac.new(secret[:32], label + b"\n" + texts[name], "sha256").hexdigest() == leaf["texts"][name]
    database.close()
    assert texts.keys() == leaf["texts"].keys()
    return texts


def test_receipts_heads_leaves_tiles_and_texts_are_as_the_page_says(tmp_path):
    receipts = make_log(tmp_path, 20, 300)
    vkey = (tmp_path / "keys" / "log.vkey").read_text().strip()
    entries = tmp_path / "log" / "tile" / "entries"
    data = (entries / "000").read_bytes() + (entries / "001.p" / "64").read_bytes()
    leaves, place = [], 0
    while place < len(data):
        size = int.from_bytes(data[place : place + 2], "big")
        leaves.append(data[place + 2 : place + 2 + size])
        place += 2 + size
    assert len(leaves) == 320
    for receipt in receipts:
        leaf = leaves[receipt.index]
        fields = json.loads(leaf)
        assert fields["id"] == receipt.id
        assert canonical(leaf) == leaf
        leaf_hash = hashlib.sha256(b"\x00" + leaf).digest()
        assert receipt.digest == f"sha256:{leaf_hash.hex()}"
        size, root = open_checkpoint(receipt.checkpoint, vkey)
        path = [base64.b64decode(part) for part in receipt.proof]
        assert root_from_path(leaf_hash, receipt.index, size, path) == root
        if receipt.index % 20:
            continue
        texts = open_texts(tmp_path, fields)
        assert {name: text.decode("utf-8", "surrogatepass") for name, text in texts.items()} == TEXTS
    tile = (tmp_path / "log/tile/0/000").read_bytes()
    assert tile == b"".join(hashlib.sha256(b"\x00" + leaf).digest() for leaf in leaves[:256])


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
    ),
    max_leaves=12,
)


@settings(max_examples=200)
@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), PLAIN, max_size=4))
def test_canonical_json_is_what_another_encoder_makes_of_it(facts):
    leaf = records.encode(opened(facts=facts))
    assert canonical(leaf) == leaf
    assert records.decode_strictly(leaf).facts == json.loads(leaf)["facts"]
