"""A record: the leaf of the log, small, and safe to show to whoever may see the log at all.

A leaf never holds what people or models wrote. Texts lie encrypted in the vault; the leaf holds a commitment to each,
keyed with a salt that only the vault has, so that erasing a text leaves every proof valid and gives nobody a hash to
guess against. What is hashed is the stored bytes, all of them; nothing is ever encoded again to verify it.
"""

import hmac
import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from lawspeaker import __version__
from lawspeaker.digest import canonical
from lawspeaker.errors import LogError

VERSION = 1
LARGEST_LEAF = 65_535  # entry bundles count a leaf's bytes in two bytes (C2SP tlog-tiles)
LARGEST_TEXTS = 32 * 1024 * 1024

KINDS = frozenset(
    {"opened", "decision", "failed", "ruling", "delivered", "erased", "hold", "retention", "rotated", "rewrapped"}
)
"""What this version writes. Readers accept any kind: a log outlives the program that began it."""

ONCE = {"ruling": "has a ruling", "delivered": "was delivered"}
"""Kinds of which a subject has one at most: the log's writer refuses a second, whichever process asks."""

_ID = re.compile(r"[0-9a-f]{32}")
_NAME = re.compile(r"[a-z0-9][a-z0-9._/-]{0,63}")
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")


def _refuse_float(text: str) -> Any:
    raise ValueError(f"a float, {text}")


_PLAIN = msgspec.json.Decoder(float_hook=_refuse_float)
_SORTED = msgspec.json.Encoder(order="sorted")


def new_id() -> str:
    """128 random bits: an id must not tell how many records there are, nor be guessed."""
    return secrets.token_hex(16)


def now() -> str:
    """The clock, in RFC 3339. It is evidence of what this machine believed; order comes from the index alone."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One leaf.

    `kind` is one of `KINDS`. `subject` is the id of the `opened` record that this one continues; an `opened` record
    is its own subject. `facts` is plain data that repeats no text: action, principles, deterministic findings, model
    addresses, kinds of steps. `texts` maps each text's name to its commitment and is filled in by the log.
    """

    kind: str
    id: str
    subject: str
    facts: dict[str, Any] = {}
    tenant: str = "default"
    constitution: str = ""
    behaviour: str = ""
    texts: dict[str, str] = {}
    time: str = msgspec.field(default_factory=now)
    producer: str = f"lawspeaker/{__version__}"
    v: int = VERSION


_STRICT = msgspec.json.Decoder(Record, float_hook=_refuse_float)


def opened(**fields: Any) -> Record:
    """A record that opens a subject, with a new id."""
    id_ = new_id()
    return Record(kind="opened", id=id_, subject=id_, **fields)


def check(record: Record, texts: Mapping[str, str]) -> None:
    """Refuse, with `LogError`, what must never become a leaf."""
    if record.kind not in KINDS:
        raise LogError(f"a record's kind must be one of {', '.join(sorted(KINDS))}, not {record.kind!r}")
    if not _ID.fullmatch(record.id) or not _ID.fullmatch(record.subject):
        raise LogError(
            f"a record's id and subject must be 32 hexadecimal digits, not {record.id!r}, {record.subject!r}"
        )
    if (record.kind == "opened") != (record.id == record.subject):
        raise LogError("a record is its own subject if, and only if, its kind is opened")
    if not _TENANT.fullmatch(record.tenant):
        raise LogError(f"a tenant must be up to 64 letters, digits, dots, dashes, not {record.tenant!r}")
    if not _TIME.fullmatch(record.time):
        raise LogError(f"a record's time must be UTC in RFC 3339, not {record.time!r}")
    if record.v != VERSION or record.texts:
        raise LogError("a record to be written has the present version and no commitments: the log makes them")
    for name in texts:
        if not _NAME.fullmatch(name):
            raise LogError(f"a text's name must be up to 64 of a-z, 0-9, dot, dash, slash, not {name!r}")
    size = sum(len(text) for text in texts.values())
    if size > LARGEST_TEXTS:
        raise LogError(f"the texts of one record are {size:,} characters; the most is {LARGEST_TEXTS:,}")


def encode(record: Record) -> bytes:
    """The leaf: canonical JSON, the exact bytes that are hashed."""
    try:
        data = canonical(record)
    except (TypeError, ValueError, OverflowError) as error:
        raise LogError(f"a record's facts must be plain data: {error}") from error
    if len(data) > LARGEST_LEAF:
        raise LogError(
            f"a record has {len(data):,} bytes and a leaf at most {LARGEST_LEAF:,}: put long ones into texts"
        )
    return data


def decode(leaf: bytes) -> Record:
    """The record in a leaf, of this version or a later one with more fields; raises `LogError`."""
    try:
        return msgspec.json.decode(leaf, type=Record)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LogError(f"a leaf is not a record: {error}") from error


def decode_strictly(leaf: bytes) -> Record:
    """The record in a leaf that is the one canonical text of what it says: no space, no name twice, no float, keys
    in order. Raises `LogError` for any other."""
    try:
        record = _STRICT.decode(leaf)
        if _SORTED.encode(record) == leaf:
            return record
        value = _PLAIN.decode(leaf)  # with fields of a later version, or not canonical
        if _SORTED.encode(value) != leaf:
            raise LogError("a leaf is not canonical JSON")
        return msgspec.convert(value, Record)
    except (msgspec.MsgspecError, ValueError, OverflowError) as error:
        raise LogError(f"a leaf is not a record: {error}") from error


def indexed_as(leaf: bytes, id_: str, subject: str, kind: str) -> bool:
    """Whether the database's columns say of a leaf what it says of itself: only the leaf is under the signed head."""
    record = decode(leaf)
    return (record.id, record.subject, record.kind) == (id_, subject, kind)


def erased_ids(record: Record) -> tuple[str, ...]:
    """The ids of the records whose texts an `erased` record says were destroyed; none for any other kind."""
    named = record.facts.get("erased") if record.kind == "erased" else None
    return tuple(str(id_) for id_ in named) if isinstance(named, list) else ()


def text_bytes(text: str) -> bytes:
    """A text as it is stored. Models emit lone surrogates; those pass, since a record must not fail on its
    content."""
    return text.encode("utf-8", "surrogatepass")


def commitment(salt: bytes, record: str, name: str, data: bytes) -> str:
    """HMAC-SHA256 under the record's salt of what, where and the bytes, so that texts cannot trade places."""
    message = b"lawspeaker text 1\n" + record.encode() + b"\n" + name.encode() + b"\n" + data
    return hmac.digest(salt, message, "sha256").hex()
