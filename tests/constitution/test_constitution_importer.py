"""Principles from elsewhere: the published form of instruction pairs, and plain lists."""

import json

import pytest

from lawspeaker.checks.registry import KINDS
from lawspeaker.constitution.importer import constitution_text, imported
from lawspeaker.constitution.load import load_text
from lawspeaker.errors import InputError

PAIRS = {
    f"loud{n}": {
        "prompt": [f"\n\nCritiqueRequest: Name what is loud in part {n}.\n\nCritique:"],
        "edit_request": f"\n\nRevisionRequest: Say part {n} quietly.\n\nRevision:",
    }
    for n in range(3)
}
LIST = """Our rules

1. Answers must be quiet.
2) Answers must not
   name people.

- Answers must be: short; "plain" #1.
1. Answers must be quiet.
"""


def test_instruction_pairs() -> None:
    found = imported(json.dumps(PAIRS), "pairs.json")
    assert [each.id for each in found] == ["loud0", "loud1", "loud2"]
    assert (found[1].critique, found[1].revision) == ("Name what is loud in part 1.", "Say part 1 quietly.")
    law = load_text(constitution_text(found, "pairs", "pairs.json"), kinds=KINDS)
    assert law.principle("loud2").critique == "Name what is loud in part 2."


def test_numbered_principles() -> None:
    found = imported(LIST, "rules.txt")
    assert [each.text for each in found] == [
        "Answers must be quiet.",
        "Answers must not name people.",
        'Answers must be: short; "plain" #1.',
        "Answers must be quiet.",
    ]
    assert len({each.id for each in found}) == 4
    law = load_text(constitution_text(found, "rules", "rules.txt"), kinds=KINDS)
    assert [principle.text for principle in law.principles] == [each.text for each in found]


@pytest.mark.parametrize(
    "source",
    [
        "",
        "no list here",
        "{",
        '{"a": 1}',
        '{"a": {"prompt": []}}',
        '{"a": {"prompt": ["x"], "edit_request": ""}}',
        "{" * 9999,
    ],
)
def test_what_is_neither_is_refused_in_one_line(source: str) -> None:
    with pytest.raises(InputError) as caught:
        imported(source, "f")
    assert str(caught.value).startswith("f:")
    assert len(str(caught.value).splitlines()) == 1
