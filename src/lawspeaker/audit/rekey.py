"""Rotating the log's keys: a new one follows the one in use, and the log says so under both.

It needs the writer's place: a process that went on with the old key would break the chain of signing keys, or seal
texts with a vault key that is about to be destroyed.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from lawspeaker.audit import keys as keyring
from lawspeaker.audit import storage
from lawspeaker.audit.admission import Entry
from lawspeaker.audit.custody import KeptSigner
from lawspeaker.audit.ledger import Ledger
from lawspeaker.audit.log import lock_writer
from lawspeaker.audit.opening import open_ledger
from lawspeaker.audit.publication import load_plan
from lawspeaker.audit.receipt import Receipt
from lawspeaker.audit.record import Record, check, opened
from lawspeaker.audit.rewrapping import rewrapped
from lawspeaker.audit.rotation import rotated
from lawspeaker.errors import LogError


def rotate(home: Path, why: str, by: str, kept: Callable[[str], KeptSigner] | None = None) -> Receipt:
    """Replace the signing key, by one that lies elsewhere if `kept` gives it for the log's name; returns the receipt of
    the `rotated` record. `why` goes to the vault, `by` stays in the log. Raises `LogError` while another process holds
    the log."""
    folder = home / "keys"
    with _held(home), _ledger(home) as ledger:
        old = keyring.load(folder).signer
        with storage.errors(folder):
            new = keyring.stage(folder, old.name, kept(old.name) if kept else None)
        begun = opened(facts={"maintenance": "key rotation"})
        receipt = _record(ledger, [(begun, {}), (rotated(begun, old, new, by), {"why": why})])
        with storage.errors(folder):
            keyring.adopt(folder)
    return receipt


def rotate_vault(home: Path, why: str, by: str) -> Receipt:
    """Replace the vault key and destroy the one before; returns the receipt of the `rewrapped` record. Raises
    `LogError` while another process holds the log; where texts are damaged or locked, before anything is changed; and
    where a reader keeps the old key from being destroyed, which the next opening then does."""
    folder = home / "keys"
    with _held(home):
        with _ledger(home) as ledger:
            with storage.errors(home / "vault.db"):
                unopened = next(ledger.vault.unopened(), "")
            if unopened:
                raise LogError(
                    f"{home / 'vault.db'}: no key in vault.key opens the texts of record {unopened}, so nothing was "
                    "changed; see `lawspeaker audit verify`"
                )
            old = keyring.load_vault(folder / "vault.key")[0]
            with storage.errors(folder / "vault.key"):
                new = keyring.stage_vault(folder)
            begun = opened(facts={"maintenance": "vault key rotation"})
            receipt = _record(ledger, [(begun, {}), (rewrapped(begun, old, new, by), {"why": why})])
        with _ledger(home):  # opening wraps what is there anew
            pass
        if len(keyring.load_vault(folder / "vault.key")) > 1:
            raise LogError(
                f"{home / 'vault.db'}: the new vault key is in use (record {receipt.index}), but a process that reads "
                "keeps the old one from being destroyed: end it, and the log's next opening destroys the key"
            )
    return receipt


@contextmanager
def _held(home: Path) -> Iterator[None]:
    """The writer's place in a log that has keys."""
    if not (home / "keys" / "log.vkey").exists():
        raise LogError(f"{home / 'keys'}: there are no keys to rotate; `lawspeaker keys init` makes the first ones")
    lock = lock_writer(home)
    if lock is None:
        raise LogError(f"{home}: another process holds the audit log; stop it, rotate, and start it again")
    try:
        yield
    finally:
        os.close(lock)


@contextmanager
def _ledger(home: Path) -> Iterator[Ledger]:
    plan = load_plan(home)
    ledger = open_ledger(home, announces=plan is None or not plan.required)
    try:
        yield ledger
    finally:
        ledger.close()


def _record(ledger: Ledger, entries: Sequence[tuple[Record, Mapping[str, str]]]) -> Receipt:
    """Append one after the other; the receipt of the last."""
    receipt: Receipt | LogError = LogError("nothing was to be recorded")
    for record, texts in entries:
        check(record, texts)
        (receipt,) = ledger.commit([Entry(record, dict(texts))])
        if isinstance(receipt, LogError):
            raise receipt
    assert isinstance(receipt, Receipt)
    return receipt
