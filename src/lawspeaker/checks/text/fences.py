"""Fenced code in prose, by the rules of CommonMark that matter here.

A fence opens with three or more backticks or tildes after any indentation (lists and quotes indent it) and
closes with at least as many of the same. A fence that never closes runs to the end: an answer that was cut
off is still code.
"""

import re
from collections.abc import Iterator
from typing import Final

import msgspec

# Possessive, so that no line takes more than one pass: a plain repetition would try every way to cut a long line. The
# words after backticks hold none, else every inline code span at the start of a line would be a fence.
_FENCE: Final = re.compile(r"^[ \t>]*+(`{3,}+(?=[^\n`]*+$)|~{3,}+)([^\n]*+)$", re.MULTILINE)


class Block(msgspec.Struct, frozen=True):
    """Code between fences: `text[start:end]`, and the word after the opening fence in lower case."""

    label: str
    start: int
    end: int


def fenced(text: str) -> Iterator[Block]:
    """The fenced blocks of `text`, in order."""
    if "```" not in text and "~~~" not in text:
        return
    opening: re.Match[str] | None = None
    for line in _FENCE.finditer(text):
        marks = line[1]
        if opening is None:
            opening = line
        elif marks[0] == opening[1][0] and len(marks) >= len(opening[1]) and not line[2].strip():
            yield Block(_label(opening), min(opening.end() + 1, line.start()), line.start())
            opening = None
    if opening is not None:
        yield Block(_label(opening), min(opening.end() + 1, len(text)), len(text))


def _label(opening: re.Match[str]) -> str:
    """The first word after the marks; attributes in braces are none."""
    words = opening[2].partition("{")[0].split()
    return words[0].lower() if words else ""
