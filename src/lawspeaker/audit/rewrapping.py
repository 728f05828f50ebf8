"""Another vault key: the secrets of all records are wrapped anew under it, and the old key is destroyed.

A `rewrapped` record says so. It has an authentication code under each of the two keys: nobody who had not both made it,
and nobody else can make the log's next opening destroy a key. The record comes first, as that of an erasure does. What
follows is done by whoever opens the log, as often as it was cut off, and until it is done both keys are there:

1. `vault.key.next`, with the new key and those of before, takes the place of `vault.key`;
2. secrets are wrapped under the new key, some thousand at a time, and the write-ahead log is emptied;
3. once none is left under another key, `vault.key` is written anew with the new one alone.

A text's own key and salt stay, so ciphertexts and commitments stay as they are, and what was erased stays erased.
"""

import hmac
from collections.abc import Iterable
from pathlib import Path
from sqlite3 import Connection

from lawspeaker.audit import keys as keyring
from lawspeaker.audit import record as records
from lawspeaker.audit import storage
from lawspeaker.audit.keys import VaultKey
from lawspeaker.audit.record import Record
from lawspeaker.audit.storage import Store
from lawspeaker.audit.vault import Vault
from lawspeaker.errors import LogError

_TITLE = "lawspeaker vault key rotation 1"
_AT_ONCE = 4096


def rewrapped(begun: Record, old: VaultKey, new: VaultKey, by: str) -> Record:
    """The record by which `new` follows `old`; `begun` is its subject."""
    id_ = records.new_id()
    text = _statement(id_, old.id, new.id)
    codes = {"old": old.authenticate(text), "new": new.authenticate(text)}
    facts = {"old": old.id, "new": new.id, "codes": codes, "by": by}
    return Record(kind="rewrapped", id=id_, subject=begun.id, facts=facts)


def check(record: Record, keys: Iterable[VaultKey]) -> None:
    """Refuse, with `LogError`, a `rewrapped` record whose code under one of `keys` is wrong."""
    facts = record.facts
    old, new, codes = str(facts.get("old")), str(facts.get("new")), facts.get("codes")
    if old == new:
        raise LogError(f"the rotation {record.id} keeps the vault key")
    known = {key.id: key for key in keys}
    for which, id_ in (("old", old), ("new", new)):
        code = str(codes.get(which)) if isinstance(codes, dict) else ""
        if id_ in known and not hmac.compare_digest(
            known[id_].authenticate(_statement(record.id, old, new)).encode(), code.encode("utf-8", "replace")
        ):
            raise LogError(f"the rotation {record.id} was not made by who has the {which} vault key")


def admit(record: Record, in_use: VaultKey) -> None:
    """Refuse, with `LogError`, a `rewrapped` record that does not hand over from the vault key in use."""
    if record.facts.get("old") != in_use.id:
        raise LogError(f"the rotation {record.id} is of another vault key than the one in use, {in_use.id}")
    check(record, (in_use,))


def settle(store: Store, texts: Connection, home: Path) -> tuple[VaultKey, ...]:
    """Bring a rotation of the vault key to its end if its record is durable, or take it back. Returns the keys."""
    folder = home / "keys"
    with storage.errors(home / "log.db"):
        last = [records.decode(row[4]) for row in store.of_kind("rewrapped")][-1:]
    with storage.errors(folder / "vault.key"):
        staged = keyring.staged_vault(folder)
        if staged and last and last[0].facts.get("new") == staged.id:
            check(last[0], (staged, *keyring.load_vault(folder / "vault.key")))
            keyring.adopt_vault(folder)
        elif staged:
            keyring.unstage_vault(folder)
        keys = keyring.load_vault(folder / "vault.key")
        vault = Vault(texts, keys)
        if last and len(keys) > 1 and (last[0].facts.get("new"), last[0].facts.get("old")) == (keys[0].id, keys[1].id):
            check(last[0], keys)
            if _rewrap(texts, vault, home):
                keyring.destroy_older_vault_keys(folder)
                keys = keys[:1]
    with storage.errors(home / "vault.db"):
        if missing := vault.locked():
            path = folder / "vault.key"
            raise LogError(f"{path}: no text is under a key that it has; restore the key {missing}")
    return keys


def _rewrap(texts: Connection, vault: Vault, home: Path) -> bool:
    """Whether nothing is left anywhere in the database that an older key opens. A reader may keep the write-ahead log
    from being emptied, and what is damaged stays under its key."""
    seq = 0
    with storage.errors(home / "vault.db"):
        while True:
            texts.execute("BEGIN IMMEDIATE")
            seq = vault.rewrap(seq, _AT_ONCE)
            texts.execute("COMMIT")
            if not seq:
                return vault.rewrapped() and vault.scrub()


def _statement(id_: str, old: str, new: str) -> str:
    return f"{_TITLE}\n{id_}\n{old}\n{new}\n"
