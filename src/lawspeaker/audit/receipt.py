"""A receipt: proof that a record is in the log, checkable by anybody who holds the log's public key.

It needs neither the log nor this machine: leaf hash, index, signed head, and the hashes between them.
"""

from collections.abc import Sequence

import msgspec

from lawspeaker.audit import merkle
from lawspeaker.audit.checkpoint import Checkpoint, Verifier, decode64, encode64, open_note
from lawspeaker.audit.tiles import Tree
from lawspeaker.errors import LogError


class Receipt(msgspec.Struct, frozen=True):
    """`digest` is the RFC 6962 leaf hash as `sha256:` + hex, `checkpoint` a signed note, `proof` base64 hashes."""

    id: str
    index: int
    digest: str
    checkpoint: str
    proof: tuple[str, ...]


def leaf_digest(leaf_hash: bytes) -> str:
    return f"sha256:{leaf_hash.hex()}"


def make_receipts(wanted: Sequence[tuple[str, int, bytes]], note: str, tree: Tree) -> list[Receipt]:
    """The receipts of records, given as id, index and leaf hash, under `note`, the signed head of `tree`."""
    paths = merkle.inclusions([index for _, index, _ in wanted], tree.size, tree.node, encode64)
    return [Receipt(id_, index, leaf_digest(hash_), note, paths[index]) for id_, index, hash_ in wanted]


def verify_receipt(receipt: Receipt, leaf: bytes | None, *vkeys: str) -> Checkpoint:
    """The head that `receipt` proves its record to be under; raises `LogError` if it proves nothing.

    `leaf` is the record's bytes where the verifier has them; without, only the digest is shown to be in the log.
    `vkeys` are the log's public keys, from somewhere that the log's keeper cannot write to.
    """
    checkpoint = open_note(receipt.checkpoint, [Verifier(vkey) for vkey in vkeys])
    if leaf is not None and leaf_digest(merkle.hash_leaf(leaf)) != receipt.digest:
        raise LogError(f"the receipt of {receipt.id} is for another record: the digest differs")
    try:
        leaf_hash = bytes.fromhex(receipt.digest.removeprefix("sha256:"))
        proof = [decode64(part) for part in receipt.proof]
    except ValueError as error:
        raise LogError(f"the receipt of {receipt.id} cannot be read: {error}") from error
    shapely = all(len(part) == 32 for part in (leaf_hash, *proof)) and leaf_digest(leaf_hash) == receipt.digest
    if not shapely or not merkle.verify_inclusion(leaf_hash, receipt.index, checkpoint.size, proof, checkpoint.root):
        raise LogError(f"the receipt of {receipt.id} does not prove index {receipt.index} of {checkpoint.size}")
    return checkpoint
