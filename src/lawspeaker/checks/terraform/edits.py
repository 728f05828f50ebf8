"""Patches to Terraform files, judged on the file after the patch.

The file is known where the exchange holds it: as a named text, or as what a tool call wrote to it. Where it is not,
what the patch leaves is read as a part of a program.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Final

import msgspec

from lawspeaker.checks.text.patches import Patch, patched, patches
from lawspeaker.checks.text.readings import decoded, escaped
from lawspeaker.exchange import Exchange, Scope, Segment, Text, ToolCall

_ENDINGS: Final = (".tf", ".tofu")
_PATHS: Final = ("path", "file_path", "filename", "file", "filepath")
_CONTENTS: Final = ("content", "contents", "file_text", "text", "new_content")
_MAX_PATCHES: Final = 200


class Edited(msgspec.Struct, frozen=True):
    """A file after the patches in `segment`; only what they show of it where `whole` is False."""

    segment: Segment
    path: str
    text: str
    whole: bool


def edited(exchange: Exchange, scopes: frozenset[Scope]) -> list[Edited]:
    """The Terraform files that segments of `scopes` patch, in order; one that is patched twice counts as it is at the
    end."""
    segments = list(exchange.segments(scopes))
    if not any("+++ " in segment.text or "*** " in segment.text for segment in segments):
        return []
    files = _files(exchange)
    found: dict[tuple[str, bool], Edited] = {}
    for segment in segments:
        for number, patch in enumerate(_patches(segment)):
            if number == _MAX_PATCHES:  # the rest is not applied, so nothing of this segment is known for certain
                found[patch.path, True] = Edited(segment, patch.path, patch.left, False)
                break
            before = _known(files, patch.path)
            after = None if before is None else patched(files[before], patch)
            if before is not None and after is not None:
                files[before] = after
            path = before or patch.path
            found[path, after is None] = Edited(
                segment, path, patch.left if after is None else after, after is not None
            )
    return list(found.values())


def is_patch(text: str) -> bool:
    """Whether `text` patches a Terraform file, and so is no program itself."""
    return any(patch.path.endswith(_ENDINGS) for patch in patches(text))


def _patches(segment: Segment) -> Iterator[Patch]:
    """The patches in a text and, where it is JSON, in its strings; in the strings of a tool call alone."""
    called = segment.scope == "tool_call"
    texts = decoded(segment.text)[0] if called else [segment.text, *(each.text for each in escaped(segment))]
    found = [patch for text in texts for patch in patches(text) if patch.path.endswith(_ENDINGS)]
    yield from dict.fromkeys(found)


def _files(exchange: Exchange) -> dict[str, str]:
    """The files that the exchange holds, by name; a later text of the same name stands in place of an earlier."""
    files: dict[str, str] = {}
    for message in exchange.messages:
        for part in message.parts:
            if isinstance(part, Text) and part.name:
                files[part.name] = part.text
            elif isinstance(part, ToolCall):
                files.update(_written(part.text))
    return {name: text for name, text in files.items() if name.endswith(_ENDINGS)}


def _written(arguments: str) -> Mapping[str, str]:
    """The file that a tool call writes, if its arguments name one and its text."""
    try:
        given = json.loads(arguments)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(given, dict):
        return {}
    name = next((given[key] for key in _PATHS if isinstance(given.get(key), str)), "")
    text = next((given[key] for key in _CONTENTS if isinstance(given.get(key), str)), None)
    return {name: text} if name and text is not None else {}


def _known(files: Mapping[str, str], path: str) -> str | None:
    """The name of the file that `path` means: the same path, or the only one of which one path ends with the other."""
    if path in files:
        return path
    wanted = PurePosixPath(path).parts
    ends = [
        name
        for name in files
        if (parts := PurePosixPath(name).parts)[-len(wanted) :] == wanted or wanted[-len(parts) :] == parts
    ]
    return ends[0] if len(ends) == 1 else None
