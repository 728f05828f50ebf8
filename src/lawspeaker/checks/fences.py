"""Fenced code in prose, by the rules of CommonMark that matter here.

A fence opens with three or more backticks or tildes after any indentation (lists and quotes indent it) and
closes with at least as many of the same. A fence that never closes runs to the end: an answer that was cut
off is still code.
"""

import re
from collections.abc import Iterator
from typing import Final

import msgspec

_FENCE: Final = re.compile(r"^[ \t>]*(`{3,}|~{3,})[ \t]*([^\s`{]*)[^\n`]*$", re.MULTILINE)


class Block(msgspec.Struct, frozen=True):
    """Code between fences: `text[start:end]`, and the word after the opening fence in lower case."""

    label: str
    start: int
    end: int


def fenced(text: str) -> Iterator[Block]:
    """The fenced blocks of `text`, in order."""
    opening: re.Match[str] | None = None
    for line in _FENCE.finditer(text):
        marks, label = line[1], line[2]
        if opening is None:
            opening = line
        elif marks[0] == opening[1][0] and len(marks) >= len(opening[1]) and not label:
            yield Block(opening[2].lower(), min(opening.end() + 1, line.start()), line.start())
            opening = None
    if opening is not None:
        yield Block(opening[2].lower(), min(opening.end() + 1, len(text)), len(text))
