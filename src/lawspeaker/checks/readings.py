"""What a check reads of a part.

A tool call's arguments are JSON, and what runs is what they decode to: `stop\\u002dlogging` is `stop-logging`. So a
tool call is read as it stands and as its decoded strings. Those have no place of their own in the arguments, so their
span is the whole part.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from lawspeaker.exchange import Segment
from lawspeaker.finding import Span, span_of

# Beyond these, strings are read in one piece with the others, not each alone as well.
_MAX_ALONE: Final = 1_000
# JSON in a string of JSON, as tools that call tools have it.
_MAX_NESTED: Final = 3
_ESCAPE: Final = re.compile(r'\\(?:u([0-9a-fA-F]{4})|(["\\/bfnrt]))')
_ESCAPES: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


class Reading(msgspec.Struct, frozen=True):
    """A text to read: it stands at `start` of the segment, or somewhere in it where `start` is None."""

    segment: Segment
    text: str
    start: int | None

    def span(self, start: int, end: int) -> Span:
        """The span of `text[start:end]` in the part that it came from."""
        if self.start is None:
            return span_of(self.segment, 0, len(self.segment.text))
        return span_of(self.segment, self.start + start, self.start + end)


def readings(segment: Segment) -> Iterator[Reading]:
    """The text of `segment`; for a tool call also its decoded strings, each alone and then together, since a command
    may be a list of words and a secret a key and its value."""
    yield Reading(segment, segment.text, 0)
    if segment.scope == "tool_call":
        alone, together = decoded(segment.text)
        for text in (*alone[:_MAX_ALONE], together):
            if text != segment.text:
                yield Reading(segment, text, None)


def decoded(arguments: str) -> tuple[list[str], str]:
    """Every string in a tool call's arguments, keys included, and all of them in one text. Where the arguments are
    no JSON, that is the arguments with their escapes resolved, since somebody may read them more kindly."""
    found: list[str] = []
    together: list[str] = []
    if not _decode(arguments, found, together, 0):
        return [], _unescaped(arguments)
    return found, "\n".join(together)


class _Object(list[tuple[str, Any]]):
    """An object with all its pairs: of two equal keys, readers differ in which they take."""


# Numbers stay text, because Python refuses to read very long ones; line ends in strings are let through.
_DECODER: Final = json.JSONDecoder(object_pairs_hook=_Object, parse_int=str, parse_float=str, strict=False)


def _decode(text: str, found: list[str], together: list[str], depth: int) -> bool:
    """Adds the strings in the JSON `text`; False where it is none."""
    try:
        stack: list[Any] = [_DECODER.decode(text.strip())]
    except (ValueError, RecursionError):
        return False
    while stack:
        top = stack.pop()
        if isinstance(top, _Object):
            together += [f"{key}: {value}" for key, value in top if isinstance(value, str)]
            found += [key for key, _ in top]
            stack.extend(value for _, value in reversed(top))
        elif isinstance(top, list):
            together.append(" ".join(item for item in top if isinstance(item, str)))
            stack.extend(reversed(top))
        elif isinstance(top, str):
            found.append(top)
            if depth < _MAX_NESTED and top.lstrip()[:1] in ("{", "[", '"'):
                _decode(top, found, together, depth + 1)
    return True


def _unescaped(text: str) -> str:
    plain = _ESCAPE.sub(lambda match: chr(int(match[1], 16)) if match[1] else _ESCAPES.get(match[2], match[2]), text)
    # Joins surrogate pairs; a lone one stays, and other checks speak of it.
    return plain.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
