"""Principles from elsewhere, in our language.

Two forms are read: the published pairs of critique and revision instructions (a JSON object of named entries with
`prompt` and `edit_request`), and plain numbered or bulleted principles. What they do not say is left for a person: an
imported principle is decided by a judge, is minor and only noted, and has no case; `lint` names what is missing.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import yaml

from lawspeaker.constitution.source import MAX_BYTES, shortened, too_big
from lawspeaker.errors import InputError

_LABEL: Final = re.compile(r"^\s*(?:Critique|Revision)\s*Request:\s*", re.IGNORECASE)
_END: Final = re.compile(r"\s*(?:Critique|Revision):\s*$", re.IGNORECASE)
_ITEM: Final = re.compile(r"^\s*(?:\(?\d{1,3}[.):]|[-*•])\s+(.*\S)\s*$")


class Imported(msgspec.Struct, frozen=True):
    """One principle as it was found; `critique` and `revision` are empty where the source has none."""

    id: str
    text: str
    critique: str = ""
    revision: str = ""


def imported(source: str, path: str) -> list[Imported]:
    """The principles in `source`. Raises `InputError` for what is in neither form."""
    if len(source) > MAX_BYTES:
        raise InputError(f"{path}: {too_big(len(source))}")
    found = list(_pairs(source, path) if source.lstrip().startswith("{") else _numbered(source))
    if not found:
        raise InputError(f"{path}: no principles; expected pairs of instructions (JSON) or a numbered list")
    return found


def constitution_text(principles: list[Imported], name: str, source: str) -> str:
    """The YAML of a constitution that holds `principles`."""
    law = {
        "name": name,
        "version": "0.1.0",
        "summary": f"Imported from {source}.",
        "principles": [_entry(principle) for principle in principles],
    }
    return yaml.safe_dump(law, sort_keys=False, allow_unicode=True, width=110)


def _entry(principle: Imported) -> dict[str, object]:
    guidance = {"critique": principle.critique, "revision": principle.revision}
    return {
        "id": principle.id,
        "text": principle.text,
        "severity": "minor",
        "on_violation": "note",
        **{field: text for field, text in guidance.items() if text},
        "checks": [{"judge": {"ask": f"Does the answer go against this rule: {principle.text.rstrip('.!? ')}?"}}],
    }


def _pairs(source: str, path: str) -> Iterator[Imported]:
    try:
        entries = json.loads(source)
    except (ValueError, RecursionError) as error:
        what = getattr(error, "msg", "nested too deep")
        raise InputError(f"{path}:{getattr(error, 'lineno', 1)}: not valid JSON: {what}") from None
    ids: set[str] = set()
    for key, entry in entries.items():
        critique, revision = _instruction(entry, "prompt"), _instruction(entry, "edit_request")
        if not critique or not revision:
            raise InputError(f"{path}: '{shortened(key)}' lacks the text of prompt or edit_request")
        yield Imported(_id(key, ids), f"Answers must pass this review: {critique}", critique, revision)


def _instruction(entry: Any, field: str) -> str:
    """The instruction between its label and the word that asks for the reply."""
    value = entry.get(field) if isinstance(entry, dict) else None
    text = value[0] if isinstance(value, list) and len(value) == 1 else value
    return _one_line(_END.sub("", _LABEL.sub("", text))) if isinstance(text, str) else ""


def _numbered(source: str) -> Iterator[Imported]:
    """Each item of a list, with the lines that go on below it."""
    ids: set[str] = set()
    item = ""
    for line in [*source.splitlines(), "- "]:
        match = _ITEM.match(line)
        if match or not line.strip() or line == "- ":
            if item:
                yield Imported(_id(" ".join(item.split()[:5]), ids), _one_line(item))
            item = match[1] if match else ""
        elif item:
            item += " " + line.strip()


def _one_line(text: str) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _id(words: str, taken: set[str]) -> str:
    """A new id made of `words`."""
    base = "-".join(re.findall(r"[a-z0-9]+", words.lower()))[:60].strip("-") or "principle"
    id, number = base, 1
    while id in taken:
        number += 1
        id = f"{base}-{number}"
    taken.add(id)
    return id
