"""Commands of the cloud vendors' own tools, found in a text and cut into words.

A command is read where a shell would run it: at the start of a line, after what joins commands, or in quotes behind
`-c`. A sentence that speaks of one is not one.
"""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from lawspeaker.checks.terraform.values import Unknown, Value

# Nothing in it can be divided in two ways.
_START: Final = re.compile(
    r"(?:^[ \t>]*+(?:[$%][ \t]++)?|[;&|(\"'][ \t]*+|\b(?:then|do|else)[ \t]++)"
    r"(?:(?:sudo|time|exec|env)[ \t]++|[A-Z_]{1,40}+=[^\s\"']*+[ \t]++)*+"
    r"(?P<tool>aws|gcloud|gsutil|az)(?:\.cmd|\.exe)?[ \t]++",
    re.MULTILINE,
)
_TOKEN: Final = re.compile(
    r"""(?P<blank>(?:[ \t]|[\\`^]\r?\n)++)|(?P<double>"(?:[^"\\]|\\.)*+")|(?P<single>'[^']*+')"""
    r"""|(?P<end>[\n;|&<>()])|\\(?P<escaped>.)|(?P<plain>[^\s"'\\;|&<>()`^]++|[`^])""",
    re.DOTALL,
)
_ESCAPE: Final = re.compile(r'\\(["\\$`])')
_VARIABLE: Final = re.compile(r"\$(?:\{?\w|\()|<[a-z][^>]*>|%\w+%")
# What goes beyond is not read, and whoever asks is told so.
_MAX_COMMANDS: Final = 500
_MAX_WORDS: Final = 500
BEYOND: Final = f"commands of more than {_MAX_WORDS} words, or more than {_MAX_COMMANDS} of them"


class Command(msgspec.Struct, frozen=True):
    """`aws s3api put-bucket-acl …`: the words before and between options, and the options with their words. It stands
    at `start:end`."""

    tool: str
    words: tuple[str, ...]
    options: Mapping[str, tuple[str, ...]]
    start: int
    end: int

    def says(self, *words: str) -> bool:
        """Whether it starts with `words`; a name in the middle (`gcloud beta run`) is left out by the caller."""
        return self.words[: len(words)] == words

    def all(self, *names: str) -> tuple[str, ...]:
        """Every word given to the options `names`."""
        return tuple(word for name in names for word in self.options.get(name, ()))

    def value(self, *names: str) -> Value:
        """The first word given to one of `names`; unknown where a variable or a file stands for it; None where it is
        not given."""
        found = self.all(*names)
        return known(found[0], f"--{names[0]}") if found else None


def known(word: str, what: str) -> Value:
    """`word`, unless it stands for something else."""
    if word.startswith(("file://", "fileb://", "@")) or _VARIABLE.search(word):
        return Unknown(what)
    return word


def commands(text: str) -> tuple[list[Command], bool]:
    """The commands in `text`, and whether all of them were read. What looks like one among the words of another is one
    only in quotes."""
    found: list[Command] = []
    all_read, end = True, 0
    quoted: list[tuple[int, int]] = []
    for match in _START.finditer(text):
        start = match.start("tool")
        if start < end and not any(first <= start < last for first, last in quoted):
            continue
        if len(found) == _MAX_COMMANDS:
            return found, False
        words, end, quoted = _words(text, match.end())
        all_read = all_read and len(words) < _MAX_WORDS
        found.append(_command(match["tool"], words, start, end))
    return found, all_read


def _words(text: str, at: int) -> tuple[list[str], int, list[tuple[int, int]]]:
    """The words from `at` to the end of the command, that end, and the places in quotes."""
    words: list[str] = []
    quoted: list[tuple[int, int]] = []
    word: str | None = None
    while at < len(text) and len(words) < _MAX_WORDS:
        token = _TOKEN.match(text, at)
        if token is None or token["end"]:
            break
        at = token.end()
        if token["double"] or token["single"]:
            quoted.append(token.span())
        if token["blank"]:
            words += [word] if word is not None else []
            word = None
        else:
            word = (word or "") + _piece(token)
    return words + ([word] if word is not None else []), at, quoted


def _piece(token: re.Match[str]) -> str:
    if token["double"]:
        return _ESCAPE.sub(r"\1", token["double"][1:-1])
    if token["single"]:
        return token["single"][1:-1]
    return token["escaped"] or token["plain"] or ""


def _command(tool: str, words: list[str], start: int, end: int) -> Command:
    plain: list[str] = []
    options: dict[str, list[str]] = {}
    option = ""
    # An option that every command of the tool takes may stand before its name.
    for word in words:
        if word.startswith("-") and len(word) > 1 and not word[1:2].isdigit():
            name, equals, value = word.lstrip("-").partition("=")
            option = name
            options.setdefault(option, []).extend([value] if equals else [])
            option = "" if equals else option
        elif option and (plain or len(options[option])):
            options[option].append(word)
        elif option:
            options[option].append(word)
            option = ""
        else:
            plain.append(word)
    return Command(tool, tuple(plain), {name: tuple(given) for name, given in options.items()}, start, end)
