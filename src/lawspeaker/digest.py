"""Digests over exact bytes, and the one canonical form for values that must be hashed.

The canonical form is JSON in UTF-8 with keys sorted, no spaces and no floats. A digest is printed `sha256:` + hex and
is taken over a tag, a zero byte and the bytes, so that two kinds of thing never share a digest.
"""

import hashlib
import math
from typing import Any

import msgspec

_EXACT = frozenset({str, int, bool, type(None)})

_encoder = msgspec.json.Encoder(order="sorted")


def canonical(value: object) -> bytes:
    """Canonical bytes of plain data or of a msgspec struct.

    Floats become decimal strings; raises `ValueError` for one that is not finite.
    """
    plain = msgspec.to_builtins(value)
    return _encoder.encode(_without_floats(plain) if _may_hold_floats(plain) else plain)


def digest_bytes(tag: str, data: bytes) -> str:
    """`sha256:` digest of `data` under `tag`."""
    return "sha256:" + hashlib.sha256(tag.encode() + b"\0" + data).hexdigest()


def digest(tag: str, value: object) -> str:
    """Digest of the canonical form of `value`."""
    return digest_bytes(tag, canonical(value))


def _may_hold_floats(plain: Any) -> bool:
    """Whether there is a float, or anything of which a type alone does not tell, in plain data. Mostly there is none,
    and to look costs a quarter of a copy."""
    waiting = [plain]
    for value in waiting:
        kind = type(value)
        if kind is dict:
            waiting.extend(value.values())
        elif kind is list or kind is tuple:
            waiting.extend(value)
        elif kind not in _EXACT:
            return True
    return False


def _without_floats(value: Any) -> Any:
    """Floats print differently in different languages, so they are written as decimal strings."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("a number that is not finite cannot be hashed")
        return repr(value)
    if isinstance(value, dict):
        return {key: _without_floats(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_floats(inner) for inner in value]
    return value
