"""The part of verification that opens the vault: each text must be the one that its leaf commits to, or its
erasure must be on record."""

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from lawspeaker.audit import keys, rewrapping, storage
from lawspeaker.audit.keys import VaultKey
from lawspeaker.audit.problems import Problems
from lawspeaker.audit.record import Record, erased_ids
from lawspeaker.audit.vault import StoredText, Vault
from lawspeaker.errors import LogError


class TextCheck:
    """Compares the vault under `home` with records that it is shown."""

    def __init__(self, home: Path, problems: Problems) -> None:
        self._home, self._problems = home, problems
        self._database: sqlite3.Connection | None = None
        self._vault: Vault | None = None
        self._gone: list[tuple[int, str, str]] = []
        self._erased: dict[str, int] = {}
        self._committed: set[str] = set()
        self._vault_keys: tuple[VaultKey, ...] = ()
        self._locked = self._present = self._unwritten = 0

    def open(self) -> None:
        """Open the vault. It is opened after the log: texts come before their leaves, so none may be missing."""
        try:
            self._vault_keys = self._load_keys()
            self._database = storage.open_readable(self._home / "vault.db")
            self._vault = Vault(self._database, self._vault_keys)
        except LogError as error:
            self._problems.add(None, str(error))

    def check(self, index: int, record: Record) -> None:
        """Compare one record's texts with its commitments."""
        if record.kind == "erased":
            self._erased.update(dict.fromkeys(erased_ids(record), index))
        if record.kind == "rewrapped":
            self._rotation(index, record)
        if self._vault is None or not record.texts:
            return
        self._committed.add(record.id)
        try:
            texts = self._vault.read(record.id, record.texts)
            if self._vault_keys and next(iter(texts.values())).state == "locked":  # then all of them are
                texts = self._read_again(record)
        except storage.DAMAGE as error:
            self._problems.add(index, f"vault.db cannot be read at this record: {error}")
            return
        for name, text in texts.items():
            if text.state == "present":
                self._present += 1
            elif text.state == "damaged":
                self._problems.add(index, f"vault.db: the text {name} is not what the record commits to")
            elif text.state == "locked":
                self._locked += 1
                if self._vault_keys:
                    self._problems.add(index, f"vault.db: the text {name} is under a key that vault.key does not have")
            else:
                self._gone.append((index, record.id, name))

    def _load_keys(self) -> tuple[VaultKey, ...]:
        path = self._home / "keys" / "vault.key"
        return keys.load_vault(path) if path.exists() else ()

    def _read_again(self, record: Record) -> dict[str, StoredText]:
        """The texts of a record that no key opens: the vault's key may have been rotated since it was read."""
        assert self._database is not None
        with suppress(LogError):
            self._vault_keys = self._load_keys() or self._vault_keys
        self._vault = Vault(self._database, self._vault_keys)
        return self._vault.read(record.id, record.texts)

    def _rotation(self, index: int, record: Record) -> None:
        """Whether who rotated the vault key had those keys of the two that are here."""
        try:
            rewrapping.check(record, self._vault_keys)
        except LogError as error:
            self._problems.add(index, str(error))

    def finish(self, records: Mapping[str, int], later: Iterable[Record]) -> None:
        """Judge what was not there, and what was there without a record or against one. `later` are records that came
        while the others were looked at: what they erased is not missing."""
        missing = [gone for gone in self._gone if gone[1] not in self._erased]
        came = {id_ for record in (later if missing else ()) for id_ in erased_ids(record)}
        self._revived(records)
        for index, id_, name in self._gone:
            if id_ not in self._erased and id_ not in came:
                self._problems.add(index, f"vault.db: the text {name} is missing and no record says that it was erased")
        if self._vault is None or self._database is None:
            return
        try:
            known = False
            for id_ in self._vault.newest_first():
                # Texts of records that were not written yet, or never were after a crash, lie at the end.
                known = known or id_ in records
                self._unwritten += not known
                if known and id_ not in self._committed:
                    self._problems.add(records.get(id_), f"vault.db: there are texts of {id_}, which commits to none")
            for (line,) in self._database.execute("PRAGMA integrity_check(10)"):
                if line != "ok":
                    self._problems.add(None, f"vault.db: {line}")
        except storage.DAMAGE as error:
            self._problems.add(None, f"vault.db cannot be read: {error}")

    def _revived(self, records: Mapping[str, int]) -> None:
        """An older copy of the vault brings back what was erased. Looked at last: the writer destroys right after the
        record is durable."""
        if self._vault is None:
            return
        try:
            back = [(id_, by) for id_, by in self._erased.items() if self._vault.holds(id_)]
        except storage.DAMAGE as error:
            self._problems.add(None, f"vault.db cannot be read: {error}")
            return
        for id_, by in back:
            what = f"vault.db: there are texts of {id_}, which record {by} says were erased"
            self._problems.add(records.get(id_), f"{what}; an older copy was put back")

    def close(self) -> None:
        if self._database is not None:
            self._database.close()

    @property
    def scope(self) -> str:
        """What was checked of the texts."""
        parts = [f"{self._present} texts match their commitments"]
        if self._gone:
            parts.append(f"{len(self._gone)} are gone")
        if self._unwritten:
            parts.append(f"{self._unwritten} records with texts were not in the log yet, or a crash cut them off")
        if self._locked:
            parts.append(f"{self._locked} were not checked, for want of the vault key")
        return ", ".join(parts) + "."
