"""What the disk has of a log, and whether it may be gone on with: it must be what the last signed head says.

Raises `LogError` for all else. Nobody may append to a log that was tampered with: the next head would hide it.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from lawspeaker.audit import record as records
from lawspeaker.audit import storage, tiles
from lawspeaker.audit.checkpoint import Checkpoint, Signer
from lawspeaker.audit.merkle import hash_leaf
from lawspeaker.audit.publish import Site
from lawspeaker.audit.rotation import Chain
from lawspeaker.audit.storage import Store
from lawspeaker.audit.tiles import WIDTH, Tree
from lawspeaker.audit.vault import Vault
from lawspeaker.errors import LogError

FULLY_CHECKED = 100_000
"""Up to this many leaves, opening hashes all of them (0.3 s); beyond, it checks the head against the stored tiles."""


class Loaded(msgspec.Struct, frozen=True):
    """`tail` is the bundle of the leaves after the last full tile."""

    tree: Tree
    note: str
    tail: bytes


def begin(store: Store, signer: Signer, where: Path) -> None:
    """Sign the head of the empty log, so that there always is a head."""
    if store.count():
        raise _tampered(where, "there are records but no checkpoint")
    store.db.execute("BEGIN IMMEDIATE")
    store.set_meta("format", storage.FORMAT)
    store.set_meta("origin", signer.name)
    store.add_checkpoint(0, signer.sign(Checkpoint(signer.name, 0, Tree(store.tile).root)))
    store.db.execute("COMMIT")


def load(store: Store, chain: Chain, vkey: str, where: Path) -> Loaded:
    """The tree as the disk has it, if its signed head agrees; `vkey` is the key that is to sign the next one."""
    path = where / "log.db"
    if store.meta("format") != storage.FORMAT:
        raise LogError(f"{path}: the format is {store.meta('format')!r}; this version writes {storage.FORMAT!r}")
    if chain.wrong:
        raise _tampered(where, "record {}: {}".format(*chain.wrong[0]))
    if chain.keys[-1].vkey != vkey:
        raise LogError(f"{path}: the log was rotated to the key {chain.keys[-1].vkey}; restore that key")
    size, note = store.head() or (0, "")
    head = _open(store, chain, note, path)
    if head.size != size or store.count() != size:
        raise _tampered(where, f"the last checkpoint is of {head.size} records, {store.count()} are stored")
    tree = _rehash(store, size, where) if size <= FULLY_CHECKED else Tree.load(size, store.tile)
    if tree.size != size or tree.root != head.root:
        raise _tampered(where, f"the stored records do not hash to the signed checkpoint of size {size}")
    for leaf in store.leaves(0, size if size <= FULLY_CHECKED else 0):
        if not records.indexed_as(leaf[4], *leaf[1:4]):
            raise _tampered(where, f"the columns of record {leaf[0]} are not what the record says")
    return Loaded(tree, note, tiles.bundle([leaf[4] for leaf in store.leaves(size - size % WIDTH, size)]))


def published(site: Site, store: Store, chain: Chain, size: int) -> int | None:
    """The size of the published head. One that the database does not know means that one of them was replaced. None
    where there is none: then an older database cannot be told from one that a crash left behind."""
    note, path = site.checkpoint(), site.folder / "checkpoint"
    if not note:
        return None
    head = _open(store, chain, note, path)
    if head.size > size:
        raise LogError(
            f"{path}: the published log has {head.size} records, the database only {size}; an older database was put "
            "in its place: restore the newer one"
        )
    if not store.has_head(head.size, note):
        raise LogError(f"{path}: the database never had this checkpoint; one was replaced")
    return head.size


def left_behind(vault: Vault, store: Store, most: int, where: Path) -> Sequence[str]:
    """The ids of at most so many records whose texts were stored but which then were not: a crash came between, nobody
    got a receipt."""
    orphans: list[str] = []
    for id_ in vault.newest_first():
        if store.leaf(id_):
            break
        orphans.append(id_)
        if len(orphans) > most:
            raise LogError(
                f"{where / 'vault.db'}: it holds texts of more records than a crash can leave behind; an older log.db "
                "was put in its place: restore the newer one"
            )
    return orphans


def _open(store: Store, chain: Chain, note: str, path: Path) -> Checkpoint:
    try:
        return chain.open(note, store.meta("origin"))
    except LogError as error:
        raise LogError(f"{path}: {error}; the log was tampered with, or its keys are not these") from error


def _rehash(store: Store, size: int, where: Path) -> Tree:
    tree = Tree(store.tile)
    for leaf in store.leaves(0, size):
        for tile in tree.append(hash_leaf(leaf[4])):
            if len(tile.data) == 32 * WIDTH and store.tile(tile.level, tile.n) != tile.data:
                raise _tampered(where, f"tile {tile.n} of level {tile.level} does not match its records")
    return tree


def _tampered(where: Path, what: str) -> LogError:
    return LogError(f"{where / 'log.db'}: {what}; the log was tampered with: see `lawspeaker audit verify`")
