"""Texts that are written in another code, decoded within bounds.

A model reads base64, hex, percent and HTML escapes, Morse and ROT13 as well as plain words, so what looks for words
must too. Only what decodes to readable text counts. At most `MOST` payloads of `LONGEST` characters are decoded, and
what they decode to once more, so the cost is linear.

What is not covered: keys, compression, and codes that only the conversation itself explains.
"""

import base64
import binascii
import codecs
import html
import re
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import unquote

import msgspec

MOST: Final = 20
LONGEST: Final = 20_000
_DEPTH: Final = 2
_BASE64: Final = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{16,}={0,2}")
_HEX: Final = re.compile(
    r"(?<![0-9A-Za-z])(?:0x)?(?:[0-9a-fA-F]{2}[ :]?){12,}(?![0-9A-Za-z])|(?:\\x[0-9a-fA-F]{2}){8,}"
)
_BINARY: Final = re.compile(r"(?<![0-9])(?:[01]{8}[ ]?){8,}(?![0-9])")
_PERCENT: Final = re.compile(r"(?:%[0-9A-Fa-f]{2}[\w.!~*'()+-]{0,20}){3,}")
_ENTITIES: Final = re.compile(r"(?:&#x?[0-9A-Fa-f]{1,6};[ ]?){6,}")
_ESCAPES: Final = re.compile(r"(?:\\u[0-9a-fA-F]{4}){6,}")
_MORSE: Final = re.compile(r"(?<![.\-/\w])(?:[.-]{1,6}[ /]{1,3}){8,}[.-]{1,6}")
_TAGS: Final = re.compile("[\U000e0020-\U000e007e]{4,}")
_LETTERS: Final = re.compile(r"(?:\b[A-Za-z]\b[ .\-_*]){8,}[A-Za-z]\b")
_SIGNS: Final = (
    ".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- ...- .-- -..- -.-- --.. ----- "
    ".---- ..--- ...-- ....- ..... -.... --... ---.. ----."
)
_CODE: Final = dict(
    zip(
        _SIGNS.split(),
        "abcdefghijklmnopqrstuvwxyz0123456789",
        strict=True,
    )
)


class Payload(msgspec.Struct, frozen=True):
    """What `text[start:end]` of the original decodes to, and by which code."""

    code: str
    text: str
    start: int
    end: int


def payloads(text: str) -> Iterator[Payload]:
    """The encoded texts in `text`, and what is encoded in those, in the place of the outermost."""
    waiting = [(text, 0, len(text), 0)]
    left = MOST
    while waiting:
        inside, first, last, depth = waiting.pop()
        for code, hint, pattern, decode in _CODES:
            if hint and hint not in inside:
                continue
            for match in pattern.finditer(inside):
                if left == 0:
                    return
                plain = decode(match[0][:LONGEST])
                if plain is None or plain == match[0] or not _is_readable(plain):
                    continue
                left -= 1
                start, end = (match.start(), match.end()) if depth == 0 else (first, last)
                yield Payload(code, plain, start, end)
                if depth + 1 < _DEPTH:
                    waiting.append((plain, start, end, depth + 1))


def rot13(text: str) -> str:
    """`text` by ROT13, which has no shape of its own: whoever looks for words looks twice."""
    return codecs.encode(text[:LONGEST], "rot13")


def _is_readable(text: str) -> bool:
    """Mostly letters and spaces, as words are, whatever their script."""
    return len(text) >= 6 and sum(sign.isalpha() or sign.isspace() for sign in text) >= 0.75 * len(text)


def _utf8(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def _base64(text: str) -> str | None:
    standard = text.rstrip("=").replace("-", "+").replace("_", "/")
    # A cut end costs the last characters, not the text.
    standard = standard[: len(standard) - (len(standard) % 4 == 1)]
    try:
        return _utf8(base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True))
    except binascii.Error:
        return None


def _hex(text: str) -> str | None:
    digits = re.sub(r"0x|\\x|[ :]", "", text)
    return _utf8(bytes.fromhex(digits[: len(digits) // 2 * 2]))


def _binary(text: str) -> str | None:
    bits = text.replace(" ", "")
    return _utf8(bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits) // 8 * 8, 8)))


def _morse(text: str) -> str | None:
    words = (word.split() for word in re.split(r" ?/ ?| {3}", text))
    plain = " ".join("".join(_CODE.get(sign, "?") for sign in word) for word in words)
    return None if "?" in plain else plain


def _percent(text: str) -> str | None:
    return unquote(text.replace("+", " ")) if text.count("%") >= 3 else None


def _escapes(text: str) -> str | None:
    return "".join(chr(int(code, 16)) for code in text.split("\\u")[1:])


# With what each occurrence holds, where there is such a thing: a text without it need not be searched.
_CODES: Final[tuple[tuple[str, str, re.Pattern[str], Callable[[str], str | None]], ...]] = (
    ("tag characters", "", _TAGS, lambda text: "".join(chr(ord(sign) - 0xE0000) for sign in text)),
    ("base64", "", _BASE64, _base64),
    ("hexadecimal", "", _HEX, _hex),
    ("binary", "", _BINARY, _binary),
    ("percent escapes", "%", _PERCENT, _percent),
    ("HTML escapes", "&#", _ENTITIES, html.unescape),
    ("Unicode escapes", "\\u", _ESCAPES, _escapes),
    ("Morse code", " ", _MORSE, _morse),
    ("spaced letters", "", _LETTERS, lambda text: re.sub(r"[ .\-_*]", "", text)),
)
