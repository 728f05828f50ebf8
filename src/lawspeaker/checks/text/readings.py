"""What a check reads of a part.

A tool call's arguments are JSON, and what runs is what they decode to: `stop\\u002dlogging` is `stop-logging`. So a
tool call is read as it stands and as its decoded strings. Those have no place of their own in the arguments, so their
span is the whole part.

Structured output, and what a tool returns, is JSON too, and whoever asked for it decodes it. So other text that begins
as JSON does is read as it stands and, where one of its strings holds an escape, as what that string decodes to, with
its place: a cut within a string leaves JSON whole.

What looks for words or numbers reads the disguises of a text as well (`readings(…, disguises=True)`): its normal form,
and what its codes say in their place, codes within codes included. Their places lead back to the text as it stands.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from lawspeaker.checks.text.kept import kept, length
from lawspeaker.checks.text.normal import Normal, Pieces, normalised
from lawspeaker.checks.text.payloads import decoded as decoded_codes
from lawspeaker.checks.text.payloads import tagged
from lawspeaker.exchange import Segment
from lawspeaker.finding import Span, span_of

# Beyond these, strings are read in one piece with the others, not each alone as well.
_MAX_ALONE: Final = 1_000
# JSON in a string of JSON, as tools that call tools have it.
_MAX_NESTED: Final = 3
# Codes within codes.
_MAX_CODES: Final = 3
_ESCAPE: Final = re.compile(r'\\(?:u([0-9a-fA-F]{4})|(["\\/bfnrt]))')
_BLANK: Final = " \t\r\n\ufeff"
_LITERAL: Final = re.compile(r'"((?:[^"\\]|\\.)*+)', re.DOTALL)
_HIGH, _LOW = "[dD][89abAB][0-9a-fA-F]{2}", "[dD][c-fC-F][0-9a-fA-F]{2}"
_ONE_ESCAPE: Final = re.compile(rf"\\(?:u({_HIGH})\\u({_LOW})|u([0-9a-fA-F]{{4}})|(.))", re.DOTALL)
_ESCAPES: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


class Form(msgspec.Struct, frozen=True):
    """A text in another form: `steps` lead from each form back to the one before it. `codes` are those that were
    decoded on the way."""

    text: str
    steps: tuple[Normal, ...]
    codes: tuple[str, ...] = ()

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The place in the original of `text[start:end]`."""
        for step in reversed(self.steps):
            start, end = step.span(start, end)
        return start, end


class Reading(msgspec.Struct, frozen=True):
    """A text to read: it stands at `start` of the segment, in `form` or as it is, or somewhere in it where `start` is
    None."""

    segment: Segment
    text: str
    start: int | None
    form: Form | None = None

    def place(self, start: int, end: int) -> tuple[int, int]:
        """The place of `text[start:end]` in the part that it came from."""
        if self.start is None:
            return 0, len(self.segment.text)
        if self.form is not None:
            start, end = self.form.span(start, end)
        return self.start + start, self.start + end

    def span(self, start: int, end: int) -> Span:
        return span_of(self.segment, *self.place(start, end))


def readings(segment: Segment, *, disguises: bool = False) -> Iterator[Reading]:
    """The text of `segment`; for a tool call also its decoded strings, each alone and then together, since a command
    may be a list of words and a secret a key and its value; for other JSON its strings that hold escapes. With
    `disguises`, what it says in other forms too."""
    yield Reading(segment, segment.text, 0)
    if disguises:
        for form in forms(segment.text):
            yield Reading(segment, form.text, 0, form)
    if segment.scope == "tool_call":
        alone, together = decoded(segment.text)
        for text in (*alone[:_MAX_ALONE], together):
            if text != segment.text:
                yield Reading(segment, text, None)
        if disguises:
            for form in forms(together):
                yield Reading(segment, form.text, None)
    else:
        yield from escaped(segment)


def escaped(segment: Segment) -> Iterator[Reading]:
    """The strings of a text that begins as JSON does, decoded, where that differs; very many are one text."""
    others: list[str] = []
    for number, form in enumerate(_escaped(Form(segment.text, ()))):
        if number < _MAX_ALONE:
            yield Reading(segment, form.text, 0, form)
        else:
            others.append(form.text)
    if others:
        yield Reading(segment, "\n".join(others), None)


def _escaped(form: Form) -> Iterator[Form]:
    text = form.text
    if "\\" not in text or text.lstrip(_BLANK)[:1] not in ("{", "[", '"'):
        return
    for literal in _LITERAL.finditer(text):
        if "\\" not in literal[1]:
            continue
        out, done = Pieces(), literal.start(1)
        for escape in _ONE_ESCAPE.finditer(text, done, literal.end(1)):
            out.copy(text, done, escape.start())
            out.put(text, *escape.span(), _character(escape))
            done = escape.end()
        out.copy(text, done, literal.end(1))
        plain = out.finished()
        inner = Form(plain.text, (*form.steps, plain))
        yield inner
        if len(inner.steps) <= _MAX_NESTED:
            yield from _escaped(inner)


def _character(escape: re.Match[str]) -> str:
    high, low, unit, sign = escape.groups()
    if high:
        return bytes.fromhex(high + low).decode("utf-16-be")
    return chr(int(unit, 16)) if unit else _ESCAPES.get(sign, sign)


@kept(length, most=256)
def forms(text: str) -> tuple[Form, ...]:
    """The other forms of `text`, none where it is plain already."""
    return tuple(_forms(text))


def _forms(text: str) -> Iterator[Form]:
    """The normal form, then what the codes in it say, and the codes in those."""
    form = _normal(Form(text, ()))
    if form.steps:
        yield form
    # Tag characters are not drawn, so the normal form is without them; here they are letters.
    tags = tagged(text)
    if tags is not None:
        form = _normal(Form(tags.form.text, (tags.form,), tags.codes))
        yield form
    for _ in range(_MAX_CODES):
        found = decoded_codes(form.text)
        if found is None:
            return
        codes = tuple(dict.fromkeys((*form.codes, *found.codes)))
        form = _normal(Form(found.form.text, (*form.steps, found.form), codes))
        yield form


def _normal(form: Form) -> Form:
    normal = normalised(form.text)
    return form if normal.text == form.text else Form(normal.text, (*form.steps, normal), form.codes)


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
