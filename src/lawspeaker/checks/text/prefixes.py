"""Where the end of a text that is not complete may still become a match.

From an RE2 pattern another one is made that matches every beginning of its matches. Searched for with the text's end
behind it, it tells the first place from which a match may be under way; what stands before that place is decided,
whatever comes later. RE2 runs such a search backwards from the end, so it costs about as much as what is under way is
long.

What is not covered: a pattern that changes its flags in the middle of an alternative, and one whose beginnings make
too large a pattern. There is no answer then, and whoever asks has to wait for the whole text.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, NamedTuple

import re2

from lawspeaker.checks.text.regex import encodable, quiet

_MEMORY: Final = 64 << 20
# One sign, one class, or one escape; a quoted text is taken apart by the parser.
_ATOM: Final = re.compile(
    r"\\[pP](?:\{[^}]*\}|.)|\\x(?:\{[0-9A-Fa-f]+\}|[0-9A-Fa-f]{2})|\\[0-7]{1,3}|\\.|\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\]|.",
    re.DOTALL,
)
_FEW: Final = 3
_NOWHERE: Final = re.compile(r"[\^$]|\\[bBAz]")
_TIMES: Final = re.compile(r"([*+?]|\{(\d+)(?:(,)(\d*))?\})\??")
_OPEN: Final = re.compile(r"\((?:\?(?:P?<\w+>|([imsU-]*)([:)])))?")


class _Unreadable(Exception):  # noqa: N818
    """A pattern whose beginnings are not told."""


class _Node(NamedTuple):
    """A piece of a pattern: `whole` matches it, `begun` every beginning of it at the text's end, the empty and the
    whole one too."""

    whole: str
    begun: str


_EMPTY: Final = _Node("", "")


class Beginnings:
    """The beginnings of the matches of some patterns, from what `begun` made of each. Where they are not told, or
    together are too large for RE2, a match may be under way anywhere."""

    def __init__(self, begun: Sequence[str] | None) -> None:
        options = quiet()
        options.max_mem = _MEMORY
        self._pattern: re2._Regexp | None = None
        if begun is not None:
            with suppress(re2.error):
                self._pattern = re2.compile(rf"(?:{'|'.join(begun)})?\z", options)

    def first(self, text: str) -> int:
        """The first place in `text` from which its end may be the beginning of a match; its length for none."""
        data = encodable(text).encode()
        found = self._pattern.search(data) if self._pattern else None
        start = int(found.start()) if found else 0  # the text's end is always found, unless memory ran out
        return start if len(data) == len(text) else len(data[:start].decode())

    @property
    def told(self) -> bool:
        return self._pattern is not None


def begun(patterns: Sequence[str]) -> tuple[str, ...] | None:
    """For each of `patterns` one that matches every beginning of its matches, or None where one cannot be told."""
    try:
        return tuple(_Parser(pattern).read() for pattern in patterns)
    except _Unreadable:
        return None


def before_matches(place: int, matches: Sequence[tuple[int, int]]) -> int:
    """The last place up to `place` that lies in none of `matches` (start, end): of those that overlap, a later one may
    yet stand in place of an earlier one."""
    for start, end in sorted(matches, key=lambda match: match[1], reverse=True):
        if start < place < end:
            place = start
    return place


class _Parser:
    """Reads one pattern that RE2 has read before."""

    def __init__(self, pattern: str) -> None:
        self._text, self._at = pattern, 0

    def read(self) -> str:
        node = self._either()
        if self._at < len(self._text):
            raise _Unreadable
        return node.begun

    def _either(self) -> _Node:
        """Alternatives, up to the end of the group."""
        branches = [self._row()]
        while self._text.startswith("|", self._at):
            self._at += 1
            branches.append(self._row())
        if len(branches) == 1:
            return branches[0]
        whole, begun = ("|".join(each) for each in zip(*branches, strict=True))
        return _Node(f"(?:{whole})", f"(?:{begun})")

    def _row(self) -> _Node:
        """One alternative."""
        nodes: list[_Node] = []
        while self._at < len(self._text) and self._text[self._at] not in "|)":
            nodes.append(self._repeated())
        row = _EMPTY
        for node in reversed(nodes):
            begun = f"(?:{node.whole}{row.begun})?" if node.begun == f"{node.whole}?" else ""
            row = _Node(node.whole + row.whole, begun or f"(?:{node.begun}|{node.whole}{row.begun})")
        return row

    def _repeated(self) -> _Node:
        node = self._one()
        times = _TIMES.match(self._text, self._at)
        while times:
            self._at = times.end()
            node = _times(node, times)
            times = _TIMES.match(self._text, self._at)
        return node

    def _one(self) -> _Node:
        if self._text.startswith("(", self._at):
            return self._group()
        if self._text.startswith(r"\Q", self._at):
            return self._quoted()
        atom = _ATOM.match(self._text, self._at)
        if atom is None or atom[0] in {r"\C", r"\E"}:
            raise _Unreadable
        self._at = atom.end()
        if _NOWHERE.fullmatch(atom[0]):
            return _Node(atom[0], "")  # at the text's end nobody knows what it will look at
        return _Node(atom[0], f"{atom[0]}?")

    def _quoted(self) -> _Node:
        end = self._text.find(r"\E", self._at)
        signs = self._text[self._at + 2 : end if end >= 0 else None]
        self._at = end + 2 if end >= 0 else len(self._text)
        row = _EMPTY
        for sign in reversed(signs):
            plain = re2.escape(sign)
            row = _Node(plain + row.whole, f"(?:{plain}{row.begun})?")
        return _Node(f"(?:{row.whole})", row.begun)

    def _group(self) -> _Node:
        opened = _OPEN.match(self._text, self._at)
        if opened is None:
            raise _Unreadable
        before, self._at = self._text[: self._at], opened.end()
        flags = opened[1] or ""
        if opened[2] == ")":  # flags that hold for the rest of the group: of all of it, if it begins there
            node = self._either()
            if node.whole.startswith("(?:") and not re.search(r"(?:^|\((?:\?[imsU-]*:|\?P?<\w+>)?)$", before):
                raise _Unreadable
        else:
            node = self._either()
            if not self._text.startswith(")", self._at):
                raise _Unreadable
            self._at += 1
        return _Node(f"(?{flags}:{node.whole})", f"(?{flags}:{node.begun})")


def _times(node: _Node, times: re.Match[str]) -> _Node:
    """A repetition. One of more than a few times counts as one of any number: what is under way may then seem longer
    than it can become, and RE2 need not count what it has seen."""
    sign = times[1]
    most = {"*": None, "+": None, "?": 1}.get(sign, 0)
    if sign[0] == "{":
        most = int(times[4]) if times[4] else None if times[3] else int(times[2])
    if most == 0:
        return _Node(f"(?:{node.whole}){times[0]}", "")
    if most is None or most > _FEW:
        return _Node(f"(?:{node.whole})*", f"(?:{node.whole})*(?:{node.begun})")
    before = f"(?:{node.whole}){{0,{most - 1}}}" if most > 1 else ""
    return _Node(f"(?:{node.whole}){times[0]}", f"{before}(?:{node.begun})")
