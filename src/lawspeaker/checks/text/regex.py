"""RE2 patterns over a text, in linear time.

RE2 cannot backtrack, so no pattern and no text can make a search take more than linear time; a pattern that a
constitution brings is therefore safe to run on hostile input.
"""

import math
import re
from collections.abc import Container, Iterator, Sequence
from functools import cached_property
from itertools import islice
from typing import Final

import re2

from lawspeaker.checks.settings import Path
from lawspeaker.constitution.kinds import SettingsError

# Past this, a bound is none that a text in pieces could wait for.
_WIDEST: Final = 20_000
_ESCAPED: Final = re.compile(
    r"\\Q.*?(?:\\E|$)|\\[pP]\{[^}]*\}|\\x\{[^}]*\}|\\.|\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\]", re.DOTALL
)
_ENDLESS: Final = re.compile(r"[*+]|\{\d+,\}")
_TIMES: Final = re.compile(r"\{(?:\d+,)?(\d+)\}")


class PatternSet:
    """Compiled patterns. A pattern with a group finds the group, else the whole match.

    With `at_once`, one pass tells which patterns occur and only those are looked for. RE2 reports an exhausted memory
    budget of that pass as "nothing occurs", so it is for pattern sets that are known and tested, never for those
    that a constitution brings. Patterns with gaps multiply each other's states: of such, `together` bounds how many
    share a pass.
    """

    def __init__(self, patterns: Sequence[str], *, at_once: bool = False, together: int = 1_000) -> None:
        self.patterns = tuple(patterns)
        self._patterns = tuple(re2.compile(pattern, quiet()) for pattern in patterns)
        self._sets = [
            (first, _set(patterns[first : first + together])) for first in range(0, len(patterns) * at_once, together)
        ]
        self._any = _any(patterns) if not at_once and len(patterns) > 2 else None
        self._last: tuple[str, Sequence[int]] | None = None

    def search(
        self, text: str, limit: int | None = None, *, among: Container[int] | None = None
    ) -> Iterator[tuple[int, int, int]]:
        """`(pattern, start, end)` for at most `limit` matches of each pattern, or of those `among` them, pattern by
        pattern."""
        text = encodable(text)
        for index in self.occurring(text):
            if among is not None and index not in among:
                continue
            pattern = self._patterns[index]
            group = 1 if pattern.groups else 0
            for match in islice(pattern.finditer(text), limit):
                start, end = match.span(group)
                if start >= 0:
                    yield index, start, end

    def occurring(self, text: str) -> Sequence[int]:
        """Those of the patterns that may match; without `at_once`, it is known only whether there are any."""
        text = encodable(text)
        if not self._sets:
            return () if self._any is not None and not self._any.search(text.encode()) else range(len(self._patterns))
        last = self._last  # several checks ask for the same text, one after the other
        if last is None or last[0] != text:
            found = sorted(first + index for first, each in self._sets for index in each.Match(text) or ())
            last = self._last = (text, found)
        return last[1]

    def fullmatch(self, text: str) -> bool:
        """Whether one of the patterns is all of `text`."""
        text = encodable(text)
        return any(pattern.fullmatch(text) for pattern in self._patterns)


class Joined:
    """Several groups of patterns that a constitution brings, and which of them may occur in a text: one search where
    none does, and one of each half where one does. Where joined patterns have too many states to keep, RE2 goes on
    without keeping them; a set of RE2 would make them all, or say that nothing occurs."""

    def __init__(self, groups: Sequence[Sequence[str]]) -> None:
        self._groups = groups
        self._any = _any([pattern for group in groups for pattern in group])

    @cached_property
    def _halves(self) -> "tuple[Joined, Joined]":
        half = len(self._groups) // 2
        return Joined(self._groups[:half]), Joined(self._groups[half:])

    def occurring(self, text: str) -> Iterator[int]:
        """The numbers of the groups that may occur; those of all others do not."""
        return self._occurring(encodable(text).encode(), 0)

    def _occurring(self, text: bytes, first: int) -> Iterator[int]:
        if not self._groups or (self._any is not None and not self._any.search(text)):
            return
        if len(self._groups) == 1:
            yield first
            return
        for half in self._halves:
            yield from half._occurring(text, first)
            first += len(half._groups)


def compiled(patterns: Sequence[str], path: Path, *, several: bool) -> PatternSet:
    """The set of `patterns`. Raises `SettingsError` at the first that RE2 cannot read; `several` says
    whether the setting was a list, so that the error leads into it."""
    for index, pattern in enumerate(patterns):
        try:
            re2.compile(pattern, quiet())
        except re2.error as error:
            place = (*path, index) if several else path
            raise SettingsError(f"not a pattern that RE2 can read: {_text(error)}", place) from None
    return PatternSet(patterns)


def width(pattern: str) -> int | None:
    """A number of characters that no match of `pattern` exceeds, with one on each side for what it looks at; None
    where there is no such number, or it is large. Generous: every repetition counts as if it were around all of it."""
    # A quoted text is as long as it is written; every other escape and class is one character.
    plain = _ESCAPED.sub(lambda found: "x" * len(found[0]) if found[0].startswith("\\Q") else "x", pattern)
    if _ENDLESS.search(plain):
        return None
    most = len(plain) * math.prod(max(1, int(times[1])) for times in _TIMES.finditer(plain)) + 2
    return most if most <= _WIDEST else None


def _set(patterns: Sequence[str]) -> re2.Set:
    options = quiet()
    options.max_mem = 64 << 20
    together = re2.Set.SearchSet(options)
    for pattern in patterns:
        together.Add(pattern)
    together.Compile()
    return together


def _any(patterns: Sequence[str]) -> re2._Regexp | None:
    """One pattern that occurs where one of `patterns` does: a single pass says that none does, which is so of most
    texts. None where they cannot be put together, as where a quotation that no `\\E` ends would swallow the next."""
    if len(patterns) > 1:
        if any(r"\Q" in pattern for pattern in patterns):
            return None
        patterns = ["|".join(f"(?:{pattern})" for pattern in patterns)]
    try:
        return re2.compile("".join(patterns), quiet())
    except re2.error:
        return None


def quiet() -> re2.Options:
    """RE2 writes its errors to standard error, unless it is told not to; ours are exceptions."""
    options = re2.Options()
    options.log_errors = False
    return options


def encodable(text: str) -> str:
    """`text` with lone surrogates, which no encoding has, as `?`; offsets stay the same."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def _text(error: Exception) -> str:
    """RE2 words its errors as bytes."""
    said = error.args[0] if error.args else ""
    return said.decode(errors="replace") if isinstance(said, bytes) else str(said)
