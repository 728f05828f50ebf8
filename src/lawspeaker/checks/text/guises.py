"""The ways to write a word so that a reader knows it and a pattern does not, as RE2 patterns.

Only for a pattern that is a word or a phrase: what a longer expression means by a letter or a gap, nobody but its
author knows. Digits and accented letters in the place of letters, marks, tags, a line end or the border of two quoted
texts within the word, separated letters, the word backwards, upside down and in ROT13. Case counts as the author says,
save in the first letters of lines or of words, which have the case of their place.

What is not covered: words of fewer than six letters (eight for what is turned and for first letters), which other words
would turn into.
"""

import re
import unicodedata
from collections.abc import Iterable
from string import ascii_letters
from typing import Final, NamedTuple

from lawspeaker.checks.text.normal import Normal, Pieces
from lawspeaker.checks.text.payloads import shifted

_PHRASE: Final = re.compile(r"(\(\?i\))?(?:\\b)?([^\W\d_]+(?:[ '’-][^\W\d_]+)*)(?:\\b)?")
_LEAST: Final = 6
# `desserts` and `stressed` are eight letters long; hardly any longer word is another one backwards or in ROT13.
_LEAST_TURNED: Final = 8
_DIGITS: Final = {
    **{"a": "4@", "b": "8", "e": "3€", "g": "9", "i": "1!|", "l": "1|", "o": "0", "s": "5$", "t": "7+", "z": "2"}
}
# Letters with an accent, by the letter that they are without it.
_ACCENTED: Final = {
    letter: "".join(sign for sign in map(chr, range(0xC0, 0x250)) if unicodedata.normalize("NFD", sign)[0] == letter)
    for letter in ascii_letters
}
_MARKS: Final = (
    r"(?:[*_~\x60|^\\.-]{1,4}|</?[A-Za-z]{1,6}>|-?\r?\n[ \t]{0,8}|[\"'\x60]\s{0,3}[+.&|~]{0,2}\s{0,8}[\"'\x60])?"
)
_APART: Final = r"[\s.,*_~|/+·-]{1,4}"
_ALONE: Final = r"(?:^|[^\p{L}\p{N}])(%s)(?:$|[^\p{L}\p{N}])"
# A letter with the most that may stand after it.
_WIDEST: Final = 16
# What letters look like when they stand on their heads; those that nobody has turned stand for themselves.
_TURNED: Final = dict(
    zip(
        "abcdefghijkmnpqrtuvwyABCDEFGKLMPQRTUVWY",
        "ɐqɔpǝɟƃɥᴉɾʞɯudbɹʇnʌʍʎ∀ᗺƆᗡƎℲ⅁ʞꞀWԀΌᴚ⊥∩ΛMʎ",
        strict=True,
    )
)
_TURNED_TOO: Final = {"f": "ⅎ", "g": "ᵷɓ", "i": "ıᵎ", "l": "ʃןꞁ", "r": "ᴚ", "t": "⊥", "L": "⅂˥", "T": "┴", "Y": "⅄"}
_WORD: Final = re.compile(r"[^\W\d_]\w*")
_LINE: Final = re.compile(r"^\W*([^\W\d_])", re.MULTILINE)


class Guises(NamedTuple):
    """Patterns for one phrase, a number of characters that no match of theirs exceeds, and its letters as first ones
    spell them; empty where it has too few."""

    patterns: tuple[str, ...]
    width: int
    spelt: str = ""


def guises(pattern: str) -> Guises | None:
    """How else the phrase that `pattern` is may be written; None where it is no phrase, or too short a one."""
    phrase = _PHRASE.fullmatch(pattern)
    if phrase is None or sum(map(str.isalpha, phrase[2])) < _LEAST:
        return None
    words = phrase[2]
    signs = [_sign(sign) for sign in words]
    found = [
        "".join(signs),
        _ALONE % _MARKS.join(signs),
        _ALONE % _APART.join(sign for sign, letter in zip(signs, words, strict=True) if letter.isalpha()),
    ]
    letters = "".join(filter(str.isalpha, words))
    if len(letters) >= _LEAST_TURNED:
        found += [_ALONE % re.escape(turned) for turned in (words[::-1], shifted(words, 13))]
        heads = [_head(sign, either=bool(phrase[1])) for sign in words]
        found += ["".join(order) for order in (heads[::-1], heads)]
    flag, spelt = phrase[1] or "", letters if len(letters) >= _LEAST_TURNED else ""
    return Guises(tuple(flag + each for each in found), _WIDEST * len(words) + 2, spelt)


def initials(text: str) -> tuple[Normal, ...]:
    """The first letters of the lines of `text`, and those of its words, with their places."""
    lines = _picked(text, (found.start(1) for found in _LINE.finditer(text)))
    return lines, _picked(text, (found.start() for found in _WORD.finditer(text)))


def _picked(text: str, places: Iterable[int]) -> Normal:
    out = Pieces()
    for place in places:
        out.put(text, place, place + 1, text[place])
    return out.finished()


def _head(sign: str, *, either: bool) -> str:
    """One letter upside down, or itself, of either case or its own; what is between words."""
    if not sign.isalpha():
        return r"\s{1,3}" if sign == " " else "['’,-]?"
    cases = sign.lower() + sign.upper() if either else sign
    return f"[{''.join(_TURNED.get(each, each) + _TURNED_TOO.get(each, '') for each in cases)}]"


def _sign(sign: str) -> str:
    """One letter or what stands for it; what is between words."""
    if not sign.isalpha():
        return r"\s{1,3}" if sign == " " else "['’-]?"
    others = _DIGITS.get(sign.lower(), "") + _ACCENTED.get(sign, "")
    return f"[{sign}{others}]" if others else sign
