"""Rotating the signing key: a new one follows the one in use, and the log says so under both.

It needs the writer's place: a process that went on signing with the old key would break the chain.
"""

import os
from collections.abc import Callable
from pathlib import Path

from lawspeaker.audit import keys as keyring
from lawspeaker.audit import storage
from lawspeaker.audit.admission import Entry
from lawspeaker.audit.custody import KeptSigner
from lawspeaker.audit.log import lock_writer
from lawspeaker.audit.opening import open_ledger
from lawspeaker.audit.publication import load_plan
from lawspeaker.audit.receipt import Receipt
from lawspeaker.audit.record import check, opened
from lawspeaker.audit.rotation import rotated
from lawspeaker.errors import LogError


def rotate(home: Path, why: str, by: str, kept: Callable[[str], KeptSigner] | None = None) -> Receipt:
    """Replace the signing key, by one that lies elsewhere if `kept` gives it for the log's name; returns the receipt of
    the `rotated` record. `why` goes to the vault, `by` stays in the log. Raises `LogError` while another process holds
    the log."""
    if not (home / "keys" / "log.vkey").exists():
        raise LogError(f"{home / 'keys'}: there are no keys to rotate; `lawspeaker keys init` makes the first ones")
    lock = lock_writer(home)
    if lock is None:
        raise LogError(f"{home}: another process holds the audit log; stop it, rotate, and start it again")
    try:
        return _rotate(home, why, by, kept)
    finally:
        os.close(lock)


def _rotate(home: Path, why: str, by: str, kept: Callable[[str], KeptSigner] | None) -> Receipt:
    plan = load_plan(home)
    ledger = open_ledger(home, announces=plan is None or not plan.required)
    try:
        old = keyring.load(home / "keys").signer
        with storage.errors(home / "keys"):
            new = keyring.stage(home / "keys", old.name, kept(old.name) if kept else None)
        begun = opened(facts={"maintenance": "key rotation"})
        outcomes: list[Receipt | LogError] = []
        for record, texts in ((begun, {}), (rotated(begun, old, new, by), {"why": why})):
            check(record, texts)
            outcomes = [*outcomes, *ledger.commit([Entry(record, texts)])]
    finally:
        ledger.close()
    for outcome in outcomes:
        if isinstance(outcome, LogError):
            raise outcome
    with storage.errors(home / "keys"):
        keyring.adopt(home / "keys")
    receipt = outcomes[-1]
    assert isinstance(receipt, Receipt)
    return receipt
