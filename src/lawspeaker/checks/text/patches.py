"""Patches in unified diff form: the file after the patch, where the file is known.

A hunk is found by its lines, as `patch` does, since the numbers that models write are often wrong. Where the file is
not known, what the patch leaves of it is what can be read: the lines that it keeps and those that it adds.
"""

import re
from collections.abc import Iterator
from typing import Final

import msgspec

_FILE: Final = re.compile(
    r"^(?:--- [^\n]*\n\+\+\+ (?P<unified>[^\t\r\n]+)|\*\*\* (?:Update|Add) File: (?P<tool>[^\r\n]+))", re.MULTILINE
)
_HUNK: Final = re.compile(r"^@@[^\n]*$", re.MULTILINE)
_END: Final = re.compile(r"^(?:diff --git |index [0-9a-f]|\*\*\* |--- \S)", re.MULTILINE)
_MAX_HUNKS: Final = 1_000
_MAX_LINES: Final = 50_000


class Patch(msgspec.Struct, frozen=True):
    """The changes to one file: the lines before and after, hunk by hunk."""

    path: str
    hunks: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]

    @property
    def left(self) -> str:
        """What the patch shows of the file after it."""
        return "\n".join(line for _, after in self.hunks for line in after)


def patches(text: str) -> Iterator[Patch]:
    """The patches in `text`, by file, in order."""
    files = list(_FILE.finditer(text))
    for at, file in enumerate(files):
        body = text[file.end() : files[at + 1].start() if at + 1 < len(files) else len(text)]
        last = _END.search(body)
        path = (file["unified"] or file["tool"]).strip()
        hunks = tuple(_hunks(body[: last.start()] if last else body))
        if hunks and path != "/dev/null":
            yield Patch(path.removeprefix("b/"), hunks)


def _hunks(body: str) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    starts = [match.end() for match in _HUNK.finditer(body)][:_MAX_HUNKS] or [0]
    for at, start in enumerate(starts):
        piece = body[start : starts[at + 1] if at + 1 < len(starts) else len(body)]
        lines = [line for line in piece.strip("\r\n").splitlines() if not line.startswith(("@@", "\\"))]
        before = tuple(line[1:] for line in lines if not line.startswith("+"))
        after = tuple(line[1:] for line in lines if not line.startswith("-"))
        if before or after:
            yield before, after


def patched(original: str, patch: Patch) -> str | None:
    """`original` after `patch`; None where a hunk has no place in it."""
    lines = original.splitlines()
    if len(lines) > _MAX_LINES:
        return None
    at = 0
    for before, after in patch.hunks:
        place = _find(lines, before, at)
        if place is None:
            return None
        lines[place : place + len(before)] = after
        at = place + len(after)
    return "\n".join(lines) + "\n"


def _find(lines: list[str], wanted: tuple[str, ...], start: int) -> int | None:
    """Where `wanted` stands in `lines`, at or after `start`, or else before it; blanks at the ends of lines do not
    count."""
    if not wanted:
        return len(lines) if start == 0 and not lines else start
    plain, first = [line.rstrip() for line in lines], wanted[0].rstrip()
    goal = [line.rstrip() for line in wanted]
    places = [at for at, line in enumerate(plain) if line == first and plain[at : at + len(goal)] == goal]
    return next((at for at in places if at >= start), places[0] if places else None)
