"""Findings that are known already: the same content under the same check has the same findings.

What is kept names contents by digest only, so no text stays here. What a check did not finish is not kept.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

import msgspec

from lawspeaker.checks.processes.task import UNFINISHED, Findings, Task
from lawspeaker.exchange import Exchange, Scope

Key = tuple[bytes, str, str, frozenset[Scope]]

# Findings, counted over all results: some ten megabytes.
_MOST: Final = 20_000
_ENCODER: Final = msgspec.msgpack.Encoder()


class Results:
    """The findings of the results that were asked for last, at most `most` of them. May be used by several threads."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._held = 0
        self._found: OrderedDict[Key, Findings] = OrderedDict()
        self._lock = threading.Lock()

    def known(self, keys: Sequence[Key | None]) -> list[Findings | None]:
        """What is kept under each key."""
        with self._lock:
            found = [self._found.get(key) if key is not None else None for key in keys]
            for key, findings in zip(keys, found, strict=True):
                if key is not None and findings is not None:
                    self._found.move_to_end(key)
            return found

    def keep(self, keys: Sequence[Key | None], findings: Sequence[Findings]) -> None:
        """Keep the findings under the keys, where their check came to any of its own."""
        with self._lock:
            for key, found in zip(keys, findings, strict=True):
                if key is not None and not found[0].check.endswith(UNFINISHED):
                    self._held += len(found) - len(self._found.pop(key, ()))
                    self._found[key] = found
            while self._held > self._most:
                self._held -= len(self._found.popitem(last=False)[1])


def content(exchange: Exchange) -> bytes | None:
    """The digest of all that is in `exchange`; None where it holds what no encoding has (half of a surrogate pair)."""
    try:
        return hashlib.sha256(_ENCODER.encode(exchange)).digest()
    except UnicodeEncodeError:
        return None


def key(digest: bytes | None, task: Task) -> Key | None:
    return None if digest is None else (digest, task.digest, task.job.principle, task.job.scopes)
