"""Texts that are written in another code, decoded in their place.

A model reads base64, base32, hex, percent and HTML escapes or Morse as well as plain words, so what looks for words
must too. `decoded` puts what a run of code says in the place of the run, so that a name before it and words around it
stay beside it. A run of base64, base32, base85, hex, binary, decimal codes, Morse or spaced letters counts where it
decodes to something readable, and what it decodes to may be compressed; an escape is what it stands for, and two
quoted texts that a sign joins are one. Each code is looked for once, so the cost is linear.

What is not covered: keys, compression by more than `_TIMES` or by other means than zlib's, and codes that only the
conversation itself explains.
"""

import base64
import binascii
import html
import re
import zlib
from codecs import utf_8_decode
from collections.abc import Callable, Iterator
from string import ascii_letters, ascii_lowercase
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from lawspeaker.checks.text.normal import Normal, Pieces
from lawspeaker.checks.text.regex import PatternSet

# A run of base64, over the lines of a text that was wrapped too. Nearly every text in base64 has letters of both cases.
_BASE64: Final = re.compile(
    r"(?<![A-Za-z0-9+/_-])(?=[a-z0-9+/_-]*[A-Z])(?=[A-Z0-9+/_-]*[a-z])"
    r"(?:[A-Za-z0-9+/]{60,100}\r?\n[ \t]{0,16})*[A-Za-z0-9+/_-]{8,}={0,2}"
)
_PIECE: Final = re.compile(r"[A-Za-z0-9+]{8,}={0,2}")
_BASE32: Final = re.compile(r"(?<![A-Za-z0-9])[A-Z2-7]{10,}={0,6}")
_HEX: Final = re.compile(r"(?<![0-9A-Za-z])(?:0x)?(?:[0-9a-fA-F]{2}[ :-]?){6,}|(?:0x[0-9a-fA-F]{2}[ ,]{0,2}){6,}")
_BINARY: Final = re.compile(r"(?<![0-9])(?:[01]{8}[ ]?){6,}")
# Printable ASCII by its numbers.
_NUMBER: Final = r"(?:1[01][0-9]|12[0-6]|[4-9][0-9]|3[2-9])"
_DECIMAL: Final = re.compile(rf"(?<![0-9.,])(?:{_NUMBER}[ ,;]{{1,3}}){{5,}}{_NUMBER}(?![0-9])")
# The first of five signs goes by the first of four characters, and few of those begin letters, digits, spaces or lines.
_ALPHABET_85, _ALPHABET_A85 = r"[0-9A-Za-z!#$%&()*+;<=>?@^_\x60{|}~-]", "[!-u]"
_HINT_85, _HINT_A85 = rf"[3A-Za-d]{_ALPHABET_85}{{4}}", rf"[$+0-35-H]{_ALPHABET_A85}{{4}}"
_BASE85: Final = re.compile(rf"(?<![0-9A-Za-z])(?:{_HINT_85}){{2,}}{_ALPHABET_85}{{0,4}}")
_ASCII85: Final = re.compile(rf"(?<![0-9A-Za-z])(?:<~)?(?:{_HINT_A85}){{2,}}[!-u]{{0,4}}(?:~>)?")
# Between two quoted texts: a sign that joins them, or a line's end, unless the second is a key. Nothing joins them
# in a shell.
_SEAM: Final = re.compile(
    r"(?<=[^\s\"'`])[\"'`][ \t]{0,4}(?:(?:[+&~]|\.{1,2}|\|\||\+\+|<>)\s{0,40}[\"'`](?=[^\s\"'`])"
    r"|\\?\r?\n[ \t]{0,40}[\"'`](?=[^\s\"'`][^\n\"'`]{0,200}[\"'`](?![ \t]*[=:])))"
    r"|(?<=[A-Za-z])(?:\"\"|'')(?=[A-Za-z])"
)
_HINT_SEAM: Final = (
    r"[\"'`][ \t]{0,4}(?:(?:[+&~]|\.{1,2}|\|\||\+\+|<>)\s{0,40}|\\?\r?\n[ \t]{0,40})[\"'`]|[A-Za-z](?:\"\"|'')[A-Za-z]"
)
_PERCENT: Final = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_ENTITIES: Final = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6});?|&[A-Za-z]{2,8};")
_ESCAPES: Final = re.compile(
    r"(?:\\u[0-9a-fA-F]{4})+|(?:\\x[0-9a-fA-F]{2})+|\\u\{[0-9a-fA-F]{1,6}\}|(?:\\[0-3][0-7]{2})+"
)
_MORSE: Final = re.compile(r"(?<![.\-/\w])(?:[.-]{1,6}[ /]{1,3}){5,}[.-]{1,6}")
_TAGS: Final = re.compile("[\U000e0020-\U000e007e]{4,}")
_LETTERS: Final = re.compile(r"(?:\b[A-Za-z]\b[ .\-_*|]{1,3}){5,}[A-Za-z]\b")
# Of what is compressed, so many times as much is unpacked, and of all texts so many characters more than they had.
_TIMES: Final = 16
_MOST_GROWTH: Final = 1 << 20
_ANY_HEADER: Final = 32 + zlib.MAX_WBITS
_SIGNS: Final = (
    ".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- ...- .-- -..- -.-- --.. ----- "
    ".---- ..--- ...-- ....- ..... -.... --... ---.. ----."
)
_CODE: Final = dict(zip(_SIGNS.split(), "abcdefghijklmnopqrstuvwxyz0123456789", strict=True))


class Decoded(NamedTuple):
    """A text with its codes decoded, and which codes they were, in order of their first run."""

    form: Normal
    codes: tuple[str, ...]


class _Run(NamedTuple):
    start: int
    end: int
    plain: str
    code: str


def decoded(text: str) -> Decoded | None:
    """`text` with what its runs of code say in their place; None where it has none."""
    runs, room = [], _MOST_GROWTH
    for run in (run for index in _HINTS.occurring(text) for run in _runs(text, _CODES[index])):
        grows = max(0, len(run.plain) - (run.end - run.start))
        if grows <= room:
            runs.append(run)
            room -= grows
    runs.sort(key=lambda run: (run.start, -run.end))
    if not runs:
        return None
    out, done = Pieces(), 0
    for run in runs:
        if run.start < done:
            continue
        out.copy(text, done, run.start)
        out.put(text, run.start, run.end, run.plain)
        done = run.end
    out.copy(text, done, len(text))
    return Decoded(out.finished(), tuple(dict.fromkeys(run.code for run in runs)))


def tagged(text: str) -> Decoded | None:
    """`text` with runs of tag characters, which nobody sees, as the letters that they tag; None where it has none."""
    if text.isascii() or not _TAGS.search(text):
        return None
    out, done = Pieces(), 0
    for run in _TAGS.finditer(text):
        out.copy(text, done, run.start())
        out.put(text, *run.span(), "".join(chr(ord(sign) - 0xE0000) for sign in run[0]))
        done = run.end()
    out.copy(text, done, len(text))
    return Decoded(out.finished(), ("tag characters",))


def shifted(text: str, by: int) -> str:
    """`text` with each ASCII letter moved `by` places along the alphabet; by 13 it is ROT13."""
    moved = ascii_lowercase[by:] + ascii_lowercase[:by]
    return text.translate(str.maketrans(ascii_letters, moved + moved.upper()))


class _Code(NamedTuple):
    name: str
    # What some place of each run matches; RE2 sees in one pass which codes a text cannot have.
    hint: str
    pattern: re.Pattern[str]
    decode: Callable[[str], str | None]
    readable: bool


def _runs(text: str, code: _Code) -> Iterator[_Run]:
    for match in code.pattern.finditer(text):
        plain = code.decode(match[0])
        if plain is not None and plain != match[0] and (not code.readable or _is_readable(plain)):
            yield _Run(*match.span(), plain, code.name)
        elif code.decode is _base64:
            yield from _pieces(match)


def _pieces(match: re.Match[str]) -> Iterator[_Run]:
    """The base64 in what slashes, dashes and line ends divide: a path or a name may hold some."""
    for piece in _PIECE.finditer(match[0]):
        plain = _base64(piece[0]) if len(piece[0]) < len(match[0]) else None
        if plain and _is_readable(plain):
            yield _Run(match.start() + piece.start(), match.start() + piece.end(), plain, "base64")


def _is_readable(text: str) -> bool:
    """What a person could have written in whatever script: nothing unprintable, and mostly letters, digits, spaces."""
    if len(text) < 6:
        return False
    words = "".join(text.split())
    return words.isprintable() and len(text) - len(words) + sum(map(str.isalnum, words)) >= 0.5 * len(text)


def _text(data: bytes) -> str | None:
    """`data`, unpacked where it is compressed, as UTF-8, or as the UTF-16 that PowerShell encodes its commands in."""
    if data[:2] == b"\x1f\x8b" or (data[:1] == b"\x78" and int.from_bytes(data[:2]) % 31 == 0):
        try:
            data = zlib.decompressobj(_ANY_HEADER).decompress(data, _TIMES * len(data)) or data
        except zlib.error:
            return None
    try:
        if data[1::2].count(0) * 2 > len(data[1::2]) > 4:
            return data[: len(data) // 2 * 2].decode("utf-16-le")
        return data.decode()
    except UnicodeDecodeError:
        return None


def _base64(text: str) -> str | None:
    if text.isalpha() and text[1:].islower():
        return None  # a word
    standard = re.sub(r"\s", "", text).rstrip("=").replace("-", "+").replace("_", "/")
    # A cut end costs the last characters, not the text.
    standard = standard[: len(standard) - (len(standard) % 4 == 1)]
    try:
        return _text(base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True))
    except binascii.Error:
        return None


def _base32(text: str) -> str | None:
    bare = text.rstrip("=")
    bare = bare[: len(bare) // 8 * 8 + {2: 2, 3: 2, 4: 4, 5: 5, 6: 5, 7: 7}.get(len(bare) % 8, 0)]
    return _text(base64.b32decode(bare + "=" * (-len(bare) % 8)))


def _hex(text: str) -> str | None:
    digits = re.sub(r"0x|[ :,-]", "", text)
    return _text(bytes.fromhex(digits[: len(digits) // 2 * 2]))


def _decimal(text: str) -> str:
    return "".join(chr(int(number)) for number in re.findall("[0-9]+", text))


def _base85(text: str) -> str | None:
    """As Python and git write it."""
    return _without_tail(text, base64.b85decode)


def _ascii85(text: str) -> str | None:
    """As Adobe writes it."""
    return _without_tail(text.removeprefix("<~").partition("~")[0], base64.a85decode)


def _without_tail(text: str, decode: Callable[[str], bytes]) -> str | None:
    """What `text` says; up to two signs at its end may be of the text around it, which uses the same signs."""
    if text.isdigit() or (text.isalpha() and text[1:].islower()):
        return None  # a number, or a word
    try:  # nearly all that is no such code shows it here
        if not "".join(utf_8_decode(decode(text[:10]))[0].split()).isprintable():
            return None
    except ValueError:
        return None
    for size in range(len(text), len(text) - 3, -1):
        try:
            plain = _text(decode(text[:size]))
        except ValueError:
            continue
        if plain and _is_readable(plain):
            return plain
    return None


def _binary(text: str) -> str | None:
    bits = text.replace(" ", "")
    return _text(bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits) // 8 * 8, 8)))


def _morse(text: str) -> str | None:
    words = (word.split() for word in re.split(r" ?/ ?| {3}", text))
    plain = " ".join("".join(_CODE.get(sign, "?") for sign in word) for word in words)
    return None if "?" in plain else plain


def _percent(text: str) -> str | None:
    return _text(unquote_to_bytes(text))


def _escapes(text: str) -> str | None:
    if text.startswith("\\x"):
        data = bytes.fromhex(text.replace("\\x", ""))
        return _text(data) or data.decode("latin-1")
    if text[1].isdigit():
        data = bytes(int(code, 8) for code in text.split("\\")[1:])
        return _text(data) or data.decode("latin-1")
    if text.startswith("\\u{"):
        code = int(text[3:-1], 16)
        return chr(code) if code <= 0x10FFFF else None
    # Joins surrogate pairs; a lone one stays, and other checks speak of it.
    plain = "".join(chr(int(code, 16)) for code in text.split("\\u")[1:])
    return plain.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _nothing(text: str) -> str:
    return ""


def _joined(text: str) -> str:
    return re.sub(r"[ .\-_*|]", "", text)


_CODES: Final = (
    _Code("base64", r"[a-z0-9+/_-][A-Z]|[A-Z]{2}[a-z0-9]", _BASE64, _base64, readable=True),
    _Code("base32", r"[A-Z2-7]{10}", _BASE32, _base32, readable=True),
    _Code("hexadecimal", r"(?:[0-9a-fA-F]{2}[ :-]?){6}|(?:0x[0-9a-fA-F]{2}[ ,]{0,2}){6}", _HEX, _hex, readable=True),
    _Code("binary", r"(?:[01]{8} ?){6}", _BINARY, _binary, readable=True),
    _Code("percent escapes", r"%[0-9A-Fa-f]{2}", _PERCENT, _percent, readable=False),
    _Code("HTML escapes", r"&#|&[A-Za-z]{2,8};", _ENTITIES, html.unescape, readable=False),
    _Code("Unicode escapes", r"\\[ux0-3]", _ESCAPES, _escapes, readable=False),
    _Code("Morse code", r"(?:[.-]{1,6}[ /]{1,3}){5}[.-]", _MORSE, _morse, readable=True),
    _Code("decimal codes", rf"(?:{_NUMBER}[ ,;]{{1,3}}){{5}}", _DECIMAL, _decimal, readable=True),
    _Code("base85", rf"(?:^|[^0-9A-Za-z])(?:{_HINT_85}){{2}}", _BASE85, _base85, readable=True),
    _Code("Ascii85", rf"(?:^|[^0-9A-Za-z])(?:<~)?(?:{_HINT_A85}){{2}}", _ASCII85, _ascii85, readable=True),
    _Code("pieces in quotes", _HINT_SEAM, _SEAM, _nothing, readable=False),
    _Code("spaced letters", r"(?:\b[A-Za-z]\b[ .*|_-]{1,3}){5}", _LETTERS, _joined, readable=True),
)
_HINTS: Final = PatternSet([code.hint for code in _CODES], at_once=True)
