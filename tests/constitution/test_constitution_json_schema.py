"""The schema for editors: valid itself, and it takes what `load` takes."""

import jsonschema
import pytest
import yaml
from sample_law import KINDS, LAW, changed

from lawspeaker.checks import registry
from lawspeaker.constitution.clause import CASE_FIELDS, PRINCIPLE_FIELDS
from lawspeaker.constitution.files import LIBRARY, bundled
from lawspeaker.constitution.json_schema import json_schema
from lawspeaker.constitution.load import CONSTITUTION_FIELDS

SCHEMA = json_schema(KINDS)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_it_knows_every_field() -> None:
    fields = {name: tuple(SCHEMA["$defs"][name]["properties"]) for name in ("principle", "case")}  # type: ignore[index]
    assert tuple(SCHEMA["properties"]) == CONSTITUTION_FIELDS  # type: ignore[arg-type]
    assert set(fields["principle"]) == set(PRINCIPLE_FIELDS)
    assert fields["case"] == CASE_FIELDS


def test_it_takes_the_sample_law() -> None:
    VALIDATOR.validate(yaml.safe_load(LAW))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name: house", "name: My House"),
        ("version: 1.0.0", "version: v1"),
        ("severity: major", "sevrity: major"),
        ("severity: major", "severity: grave"),
        ("[answer]", "[anser]"),
        ("rules: [public]", "rule: [public]"),
        ("rules: [public]", "rules: [pubic]"),
        ("expect: violated", "expect: bad"),
        ("        request: Say hello.\n        answer: HEY\n", ""),
        ("answer: HEY", "messages: [{role: user, parts: [{type: tool_call, text: x}]}]"),
    ],
)
def test_it_marks_slips(old: str, new: str) -> None:
    assert list(VALIDATOR.iter_errors(yaml.safe_load(changed(old, new))))


@pytest.mark.parametrize("name", bundled())
def test_it_takes_the_bundled_laws(name: str) -> None:
    schema = json_schema(registry.KINDS)
    jsonschema.Draft202012Validator.check_schema(schema)
    document = yaml.safe_load((LIBRARY / f"{name}.yaml").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(document)
