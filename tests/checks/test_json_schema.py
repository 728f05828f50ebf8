"""`shape` with a JSON Schema: what it says, what it refuses, and that neither schema nor text makes it costly."""

import json
import time
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lawspeaker.checks.registry import KINDS
from lawspeaker.checks.shape.json_schema import BeyondBoundsError, JsonSchema
from lawspeaker.constitution.kinds import SettingsError, needs_of
from tests.checks.judged import findings

ORDER: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["id", "lines"],
    "additionalProperties": False,
    "patternProperties": {"^x-": {"type": "string"}},
    "properties": {
        "id": {"type": "string", "pattern": "^[A-Z]{2}[0-9]+$"},
        "lines": {"type": "array", "minItems": 1, "uniqueItems": True, "items": {"$ref": "#/$defs/line"}},
    },
    "$defs": {"line": {"type": "object", "properties": {"count": {"type": "integer", "minimum": 1}}}},
}
GOOD = {"id": "AB1", "lines": [{"count": 2}], "x-note": "soon"}


def said(text: str) -> list[tuple[str, str]]:
    return [(each.outcome, each.reason) for each in findings("shape", {"json_schema": ORDER}, text)]


def test_what_fits_is_upheld() -> None:
    assert [outcome for outcome, _ in said(f" {json.dumps(GOOD)}\n")] == ["upheld"]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"id": "ab1"}, "properties/id/pattern"),
        ({"id": 7}, "properties/id/type"),
        ({"lines": []}, "properties/lines/minItems"),
        ({"lines": [{"count": 0}]}, "properties/lines/items/properties/count/minimum"),
        ({"lines": [{"count": 1}, {"count": 1.0}]}, "properties/lines/uniqueItems"),
        ({"extra": 1}, "additionalProperties"),
        ({"x-note": 1}, "patternProperties/^x-/type"),
    ],
)
def test_what_breaks_it_is_told_by_its_place_in_the_schema(change: dict[str, Any], place: str) -> None:
    assert said(json.dumps({**GOOD, **change})) == [("violated", f"The JSON breaks the schema at {place}.")]


def test_what_stands_in_the_text_is_never_told() -> None:
    text = json.dumps({**GOOD, "hunter2-key": 1, "id": "hunter2-value"})
    found = findings("shape", {"json_schema": ORDER}, text)
    assert len(found) == 2
    assert "hunter2" not in "".join(each.reason + each.evidence for each in found)


@pytest.mark.parametrize(
    "text",
    ["", "Sure!", "{", "```json\n{}\n```", '{"id": 1, "id": 2}', "[NaN]", "[1e999]", "[" + "1" * 400 + "]", "{} {}"],
)
def test_what_is_no_json(text: str) -> None:
    assert said(text) == [("violated", "The text as a whole is no JSON.")]


@pytest.mark.parametrize(
    ("schema", "path", "words"),
    [
        ("object", (), "mapping"),
        ({"type": "strin"}, ("type",), "no JSON Schema"),
        ({"properties": {"a": {"minimum": "1"}}}, ("properties", "a", "minimum"), "no JSON Schema"),
        ({"requred": ["a"]}, ("requred",), "not known"),
        ({"unevaluatedProperties": False}, ("unevaluatedProperties",), "not known"),
        ({"$ref": "https://example.com/schema.json"}, ("$ref",), "nothing is fetched"),
        ({"items": {"$ref": "file:///etc/passwd"}}, ("items", "$ref"), "nothing is fetched"),
        ({"items": {"$ref": "#/$defs/none"}}, ("items", "$ref"), "must lead to a schema"),
        ({"$id": "https://example.com/a", "$ref": "b"}, ("$id",), "not known"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, ("$schema",), "another dialect"),
        ({"$schema": 7}, ("$schema",), "another dialect"),
        ({"pattern": r"(a)\1"}, ("pattern",), "RE2"),
        ({"patternProperties": {"(": True}}, ("patternProperties", "("), "RE2"),
        ({"default": {"$ref": "http://a"}, "$ref": "#/default"}, ("$ref",), "must lead to a schema"),
        ({"$ref": "#"}, (), "without end"),
        (
            {"$defs": {"a": {"anyOf": [{"$ref": "#/$defs/b"}]}, "b": {"not": {"$ref": "#/$defs/a"}}}},
            None,
            "without end",
        ),
        ({"enum": ["x" * 300_000]}, (), "characters"),
        ({"minimum": float("nan")}, (), "plain values"),
    ],
)
def test_a_schema_that_cannot_be_used(schema: object, path: tuple[str, ...] | None, words: str) -> None:
    with pytest.raises(SettingsError, match=words) as caught:
        KINDS["shape"].prepare({"json_schema": schema}, "p")
    assert path is None or caught.value.path in {("json_schema", *path), path}


def test_a_schema_nested_without_end() -> None:
    for levels in (150, 900):
        schema: dict[str, Any] = {}
        for _ in range(levels):
            schema = {"items": schema}
        with pytest.raises(SettingsError, match=r"deep|without end"):
            JsonSchema(schema)


TREE = {"anyOf": [{"properties": {"a": {"$ref": "#"}}, "required": ["b"]}, {"properties": {"a": {"$ref": "#"}}}]}
DOUBLED = {"$defs": {f"d{i}": {"allOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(50)}, "$ref": "#/$defs/d0"}
DOUBLED["$defs"]["d50"] = {}  # type: ignore[index]
COSTLY: dict[str, tuple[dict[str, Any], str]] = {
    "two ways at each level": (TREE, '{"a":' * 60 + "1" + "}" * 60),
    "a schema that doubles": (DOUBLED, "1"),
    "a pattern": ({"items": {"pattern": "(x+x+)+y"}}, json.dumps(["x" * 1000] * 2000)),
    "unlike items": ({"uniqueItems": True}, json.dumps([[i, str(i)] for i in range(50_000)])),
    "a long list": ({"items": {"type": "integer"}}, json.dumps(list(range(120_000)))),
    "messages": ({"items": {"anyOf": [{"type": "string"}] * 500}}, json.dumps([["x" * 1_000_000]] * 3)),
    "nesting": ({"items": {"$ref": "#"}, "type": "array"}, "[" * 100_000),
    "nesting that ends": ({"items": {"$ref": "#"}, "type": "array"}, "[" * 900 + "]" * 900),
}


@pytest.mark.parametrize("name", COSTLY)
def test_neither_schema_nor_text_makes_it_costly(name: str) -> None:
    schema, text = COSTLY[name]
    began = time.process_time()
    found = findings("shape", {"json_schema": schema}, text)
    assert {each.outcome for each in found} <= {"inconclusive", "upheld", "violated"}
    assert time.process_time() - began < 10


def test_beyond_the_bounds_is_inconclusive_but_what_was_found_is_said() -> None:
    long = list(range(120_000))
    schema = {"json_schema": {"items": {"type": "integer"}}}
    assert [each.outcome for each in findings("shape", schema, json.dumps(long))] == ["inconclusive"]
    assert [each.outcome for each in findings("shape", schema, json.dumps(["a", *long]))] == ["violated"]
    with pytest.raises(BeyondBoundsError):
        JsonSchema(TREE).faults(COSTLY["two ways at each level"][1])


def test_what_it_needs_and_what_loosens_it() -> None:
    kind = KINDS["shape"]
    for given_ in ({"max_depth": 3}, {"homoglyphs": "deny"}, {"json_schema": {}}):
        assert needs_of(kind.prepare(given_, "p")).extent == "whole"
    assert needs_of(kind.prepare({"json_schema": {}}, "p")).cost == "heavy"
    old: dict[str, Any] = {"json_schema": ORDER}
    assert kind.loosened(old, {"json_schema": {}}) == "holds to another json_schema"
    assert kind.loosened(old, {"max_bytes": 3}) == "drops 'json_schema'"
    assert kind.loosened(old, {"json_schema": dict(ORDER), "max_bytes": 3}) is None
    assert kind.loosened({"max_bytes": 3}, {**old, "max_bytes": 3}) is None


@given(st.text('{}[]":,ab\\1', max_size=30), st.integers(1, 4))
def test_what_breaks_a_depth_is_not_taken_back(text: str, most: int) -> None:
    """That is what `incremental` says."""
    settings_ = {"max_depth": most, "max_lines": 2}
    wrong = [findings("shape", settings_, text[:end])[0].outcome == "violated" for end in range(len(text) + 1)]
    assert wrong == sorted(wrong)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-2, 2, width=16) | st.sampled_from(["a", "ab", "x-a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "x-a"]), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
SCHEMAS = st.recursive(
    st.booleans()
    | st.fixed_dictionaries({"type": st.sampled_from(["object", "array", "integer", "string", "number", "null"])})
    | st.fixed_dictionaries({"enum": st.lists(VALUES, min_size=1, max_size=3)})
    | st.sampled_from(
        [{"uniqueItems": True}, {"pattern": "^a"}, {"minimum": 1}, {"multipleOf": 0.5}, {"required": ["a"]}]
    ),
    lambda inner: (
        st.dictionaries(st.sampled_from(["items", "additionalProperties", "not", "contains", "if"]), inner)
        | st.fixed_dictionaries({"anyOf": st.lists(inner, min_size=1, max_size=2)})
        | st.fixed_dictionaries({"properties": st.fixed_dictionaries({"a": inner}), "additionalProperties": inner})
        | st.fixed_dictionaries(
            {"patternProperties": st.fixed_dictionaries({"^x-": inner}), "additionalProperties": inner}
        )
    ),
    max_leaves=8,
).filter(lambda schema: isinstance(schema, dict))


@settings(max_examples=100)
@given(SCHEMAS, VALUES)
def test_the_bounded_validator_says_what_the_library_says(schema: dict[str, Any], value: Any) -> None:
    assert (not JsonSchema(schema).faults(json.dumps(value))) == jsonschema.Draft202012Validator(schema).is_valid(value)
