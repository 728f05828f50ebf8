"""Fixes: the edits that lint rules offer, made in the text and nowhere else.

A fix keeps every other character of the file: comments, order, quotes. One that does not find what it would change, or
finds more on the line than that, is left out. Whether the law still loads afterwards is for the caller to see.
"""

import re
from collections.abc import Sequence
from typing import Final

from lawspeaker.constitution.lint import LintMessage
from lawspeaker.constitution.rules.fault import Edit

_ANOTHER_FIELD: Final = re.compile(r""",\s*["']?[\w-]+["']?\s*:""")


def fixed(text: str, messages: Sequence[LintMessage]) -> tuple[str, int]:
    """`text` with the fixes of `messages`, all of which are about it, and how many were made."""
    lines, made = text.splitlines(keepends=True), 0
    for message in sorted(messages, key=lambda message: -message.line):
        edit = message.fix
        if edit is None or not 0 < edit.place.line <= len(lines):
            continue
        changed = _line(lines[edit.place.line - 1], edit, following=lines[edit.place.line : edit.place.line + 1])
        if changed is not None:
            lines[edit.place.line - 1] = changed
            made += 1
    return "".join(lines), made


def _line(line: str, edit: Edit, following: Sequence[str]) -> str | None:
    """The line after `edit`; None where it is not what the edit expects."""
    if not edit.whole:
        # No part of a longer id: CWE-20 stands in CWE-200 too.
        found = list(re.finditer(rf"{re.escape(edit.old)}(?![\w:-])", line))
        if not found or (edit.new and line.count(edit.old) != 1):
            return None
        return line[: found[-1].start()] + edit.new + line[found[-1].end() :]
    if _ANOTHER_FIELD.search(line):
        return None
    indent = len(line) - len(line.lstrip())
    deeper = any(len(each) - len(each.lstrip()) > indent and each.strip() for each in following)
    return "" if line.lstrip().startswith(edit.old) and not deeper and line.rstrip()[-1:] not in "|>:" else None
