"""A text as a reader sees it, with every place mapped back to the text as it stands.

Three things keep a pattern from finding what a reader reads: compatibility forms (full-width digits, mathematical
letters), characters that are not drawn at all, and letters of another script that look like Latin ones. `normalised`
undoes them: NFKC, without invisible characters and marks that strike letters out, and Latin in the place of lookalikes
in words that are Latin otherwise. A word that is written in one other script is left as it is.

What is not covered: lookalikes beyond `confusables`, digits in the place of letters, and spaces between letters.
"""

import re
import unicodedata
from bisect import bisect_right
from typing import Final

import msgspec

from lawspeaker.checks.text.confusables import LATIN_OF

# Not drawn, or drawn only as an effect on others.
INVISIBLE: Final = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff9-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_UNSEEN: Final = re.compile(f"[{INVISIBLE}]")
# What is not ASCII, and the character before it, which may join with what follows.
_RUN: Final = re.compile(r"[\x00-\x7f]?[^\x00-\x7f]+")
# Marks that make no letter of their own with a Latin one, such as a stroke through it.
_MARKED: Final = re.compile("([A-Za-z0-9])[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]+")
_WORD: Final = re.compile(r"[^\W\d_]+")
# Stream-safe text (UAX 15) has at most 30 marks on one letter; more would make normalisation slow.
_MOST_MARKS: Final = 30


class Normal(msgspec.Struct, frozen=True):
    """`text` came from an original: what stands at `starts[i]` and after it comes from `origins[i]`, character by
    character where `exact[i]`, else as one whole that ends at `ends[i]`."""

    text: str
    starts: tuple[int, ...] = (0,)
    origins: tuple[int, ...] = (0,)
    ends: tuple[int, ...] = (0,)
    exact: tuple[bool, ...] = (True,)

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The place in the original of `text[start:end]`: all characters that it was made from."""
        first = self._piece(start)
        origin = self.origins[first] + (start - self.starts[first] if self.exact[first] else 0)
        if end <= start:
            return origin, origin
        last = self._piece(end - 1)
        if self.exact[last]:
            return origin, self.origins[last] + end - self.starts[last]
        return origin, self.ends[last]

    def _piece(self, place: int) -> int:
        return bisect_right(self.starts, place) - 1


def normalised(text: str) -> Normal:
    """The normal form of `text`. Linear in its length; a text that is normal already costs one look."""
    if text.isascii():
        return Normal(text)
    out = Pieces()
    done = 0
    for run in _RUN.finditer(text):
        out.copy(text, done, run.start())
        start = run.start()
        while start < run.end():
            stop = _cluster_end(text, start, run.end())
            out.put(text, start, stop, _plain(text[start:stop]))
            start = stop
        done = run.end()
    out.copy(text, done, len(text))
    plain = out.finished()
    return Normal(_latin(plain.text), plain.starts, plain.origins, plain.ends, plain.exact)


def mixed_words(text: str) -> list[tuple[int, int]]:
    """The places of the words that have Latin letters and lookalikes of them: no language writes so."""
    if text.isascii():
        return []
    return [
        word.span()
        for word in _WORD.finditer(text)
        if not word[0].isascii()
        and any(sign in LATIN_OF for sign in word[0])
        and any("a" <= sign.lower() <= "z" for sign in word[0])
    ]


def settled(text: str) -> int:
    """Up to where the normal form of `text` stays as it is, if the text goes on: its last sign may be joined with the
    next one, and whether a word is read as Latin is known at its end, unless it has a letter that is none."""
    if text.isascii():
        return max(0, len(text) - 1)
    place = start = _cluster_start(text, len(text) - 1)
    joined = False  # whether marks or what is not seen lie between
    while start > 0 and (text[start - 1].isalpha() or not text[start - 1].isascii()):
        plain = _plain(text[start - 1])
        joined = joined or not plain or _joins(text[start - 1])
        if not joined and not plain[-1].isalpha():
            break
        if not joined and not all(map(_may_be_latin, plain)):
            return place
        start -= 1
    return _cluster_start(text, start)


class Pieces:
    """Collects a text and where its pieces come from. Pieces that follow each other in both texts are one."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._size = 0
        self._pieces: list[tuple[int, int, int, bool]] = []

    def copy(self, text: str, start: int, end: int) -> None:
        if end > start:
            self._add(text[start:end], start, end, exact=True)

    def put(self, text: str, start: int, end: int, plain: str) -> None:
        if plain:
            self._add(plain, start, end, exact=plain == text[start:end])

    def _add(self, plain: str, start: int, end: int, *, exact: bool) -> None:
        if self._pieces and exact and self._pieces[-1][3] and self._pieces[-1][2] == start:
            first, origin, _, _ = self._pieces[-1]
            self._pieces[-1] = (first, origin, end, True)
        else:
            self._pieces.append((self._size, start, end, exact))
        self._text.append(plain)
        self._size += len(plain)

    def finished(self) -> Normal:
        if not self._pieces:
            return Normal("")
        starts, origins, ends, exact = zip(*self._pieces, strict=True)
        return Normal("".join(self._text), starts, origins, ends, exact)


def _cluster_end(text: str, start: int, limit: int) -> int:
    """A character and what NFKC may join to it: marks, the later parts of a Korean syllable, half-width voice marks."""
    stop = start + 1
    while stop < min(limit, start + _MOST_MARKS) and _joins(text[stop]):
        stop += 1
    return stop


def _cluster_start(text: str, place: int) -> int:
    while place > 0 and _joins(text[place]):
        place -= 1
    return place


def _joins(sign: str) -> bool:
    return unicodedata.category(sign)[0] == "M" or "\u1160" <= sign <= "\u11ff" or sign in "\uff9e\uff9f"


def _plain(cluster: str) -> str:
    plain = _UNSEEN.sub("", unicodedata.normalize("NFKC", _UNSEEN.sub("", cluster)))
    return _MARKED.sub(r"\1", plain)


def _latin(text: str) -> str:
    """`text` of the same length, with Latin letters in the words that only lookalikes keep from being Latin."""
    return _WORD.sub(
        lambda word: "".join(LATIN_OF.get(sign, sign) for sign in word[0]) if _is_latin(word[0]) else word[0], text
    )


def _is_latin(word: str) -> bool:
    """A single lookalike is a letter of its own language, or a symbol; a word of nothing else is read as Latin."""
    return not word.isascii() and len(word) > 1 and all(_may_be_latin(sign) for sign in word)


def _may_be_latin(sign: str) -> bool:
    return sign in LATIN_OF or unicodedata.name(sign, "").startswith("LATIN")
