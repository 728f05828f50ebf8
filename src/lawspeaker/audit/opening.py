"""Opening a log for writing: its keys and databases, made where there is none, restored to one state after a crash."""

import shutil
from pathlib import Path

import msgspec

from lawspeaker.audit import keys as keyring
from lawspeaker.audit import record as records
from lawspeaker.audit import rewrapping, rotation, storage, vault
from lawspeaker.audit.keys import Keys
from lawspeaker.audit.ledger import Ledger
from lawspeaker.audit.publish import Site
from lawspeaker.audit.storage import Store
from lawspeaker.errors import LogError


def open_ledger(home: Path, *, announces: bool = True) -> Ledger:
    """The log under `home`, made if there is none. The caller holds the writer's lock, and publishes heads itself
    unless the ledger `announces` them."""
    made = (home / "keys" / "log.vkey").exists()
    with storage.errors(home):
        keys = keyring.load(home / "keys") if made else _prepare(home)
    for name in ("log.db", "vault.db"):
        if made and not (home / name).is_file():
            raise LogError(f"{home / name} is missing but the log's keys are there; restore it, or use another folder")
    log = storage.open_writable(home / "log.db", storage.SCHEMA)
    texts = storage.open_writable(home / "vault.db", vault.SCHEMA)
    try:
        with storage.errors(home / "keys"):
            keys = _settle(Store(log), home / "keys", keys)
        keys = msgspec.structs.replace(keys, vault=rewrapping.settle(Store(log), texts, home))
        ledger = Ledger(log, texts, keys, home, Site(home / "log"), announces=announces)
        if not made:
            with storage.errors(home / "keys" / "log.vkey"):
                keyring.announce(home / "keys", keys)
                for folder in (home / "keys", home / "log", home, home.parent):
                    keyring.sync(folder)
    except LogError:
        log.close()
        texts.close()
        raise
    return ledger


def _settle(store: Store, folder: Path, keys: Keys) -> Keys:
    """Finish a cut-off rotation of the signing key: once its record is durable, the next key is the one in use."""
    staged = keyring.staged(folder)
    if staged is None:
        return keys
    with storage.errors(folder.parent / "log.db"):
        last = [records.decode(row[4]) for row in store.of_kind("rotated")][-1:]
    if not last or last[0].facts.get("new") != staged.vkey:
        keyring.unstage(folder)
        return keys
    rotation.successor(last[0], keys.signer.vkey)
    keyring.adopt(folder)
    return keyring.load(folder)


def _prepare(home: Path) -> Keys:
    """New keys, after removing what an interrupted first opening left. The public key is written last: without it
    nothing was ever acknowledged, unless somebody took it away."""
    if (home / "log.db").exists():
        database = storage.open_readable(home / "log.db")
        try:
            used = "leaf" in {name for (name,) in database.execute("SELECT name FROM sqlite_schema")}
            if used and Store(database).count():
                raise LogError(f"{home / 'keys' / 'log.vkey'}: the log's public key is missing; restore the keys")
        finally:
            database.close()
        for name in ("log.db", "vault.db"):
            for suffix in ("", "-wal", "-shm"):
                (home / (name + suffix)).unlink(missing_ok=True)
        shutil.rmtree(home / "log" / "tile", ignore_errors=True)
        (home / "log" / "checkpoint").unlink(missing_ok=True)
    return keyring.create(home / "keys")
