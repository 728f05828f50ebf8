"""JSON Schema (2020-12) of a constitution file, for editors.

It depends on the kinds of check that are at hand, so it is made and not kept. Editors complete and explain with it;
`load` is what decides, and says more: places, composition, and what JSON Schema cannot express.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from lawspeaker.constitution.clause import ROLES, Kinds
from lawspeaker.constitution.load import SEMANTIC_VERSION
from lawspeaker.constitution.read import ID
from lawspeaker.constitution.schema import (
    DECISIONS,
    ON_INCONCLUSIVE,
    ON_VIOLATION,
    OTHERWISE,
    OUTCOMES,
    SEVERITIES,
)
from lawspeaker.exchange import SCOPES

Schema = dict[str, object]

_TEXT: Final[Schema] = {"type": "string", "pattern": r"\S"}
_ANY_TEXT: Final[Schema] = {"type": "string"}
_FLAG: Final[Schema] = {"type": "boolean"}


def json_schema(kinds: Kinds) -> Schema:
    """The schema of a constitution whose checks are of `kinds`."""
    principles = _list({"$ref": "#/$defs/principle"}, "The rules, in order. One that a base defines may be partial.")
    properties = {
        "name": _said(_id(), "What the constitution is called."),
        "version": _said(_exactly(SEMANTIC_VERSION), "A semantic version, such as 1.0.0."),
        "summary": _said(_TEXT, "What it is for, in a sentence."),
        "extends": _list(_TEXT, "Bundled names, or files beneath this one's folder, that it adds to and tightens."),
        "principles": principles,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Lawspeaker constitution",
        **_object(properties, required=("name", "version")),
        "$defs": {"principle": _principle(), "check": _check(kinds), "case": _case(), "part": _part()},
    }


def _principle() -> Schema:
    return _object(
        {
            "id": _said(_id(), "Lower-case words joined by hyphens."),
            "text": _said(_TEXT, "The rule, in one sentence that says what must or must not be."),
            "because": _said(_TEXT, "Why the rule exists."),
            "severity": _one_of(SEVERITIES, "How bad a violation is."),
            "on_violation": _one_of(ON_VIOLATION, "What happens on a violation (revise)."),
            "otherwise": _one_of(OTHERWISE, "When that does not help (critical: refuse, else escalate)."),
            "on_inconclusive": _one_of(ON_INCONCLUSIVE, "When nobody could tell (minor: note, else escalate)."),
            "applies_to": _list({"enum": list(SCOPES)}, "What it judges (answer and tool_call)."),
            "critique": _said(_TEXT, "What a critic looks for."),
            "revision": _said(_TEXT, "What a reviser changes, and what it keeps."),
            "checks": _list({"$ref": "#/$defs/check"}, "What decides it."),
            "maps_to": _list(_TEXT, "Ids in catalogues, such as CWE-732 or OWASP-LLM06:2025."),
            "cases": _list({"$ref": "#/$defs/case"}, "Examples, which test the principle."),
            "overridable": _said(_FLAG, "Whether an extension may loosen it (false)."),
        },
        required=("id",),
    )


def _check(kinds: Kinds) -> Schema:
    settings = {name: dict(kinds[name].schema) for name in sorted(kinds)}
    return {**_object(settings), "minProperties": 1, "maxProperties": 1}


def _case() -> Schema:
    message = _object(
        {
            "role": {"enum": list(ROLES)},
            "text": _ANY_TEXT,
            "parts": _list({"$ref": "#/$defs/part"}, "Instead of text."),
        },
        required=("role",),
    )
    case = _object(
        {
            "name": _TEXT,
            "request": _said(_ANY_TEXT, "What the user says."),
            "answer": _said(_ANY_TEXT, "What the assistant says."),
            "file": _said(_TEXT, "The file name of the answer, such as main.tf."),
            "messages": _list(message, "A whole conversation, instead of request and answer."),
            "expect": _one_of(OUTCOMES, "The outcome of this principle."),
            "decision": _one_of(DECISIONS, "The decision of the whole constitution."),
            "borderline": _said(_FLAG, "Whether reasonable people could see it differently (false)."),
        },
        required=("name", "expect"),
    )
    return {**case, "anyOf": [{"required": [name]} for name in ("request", "answer", "messages")]}


def _part() -> Schema:
    forms = {"text": ("name",), "reasoning": (), "tool_call": ("name", "id"), "tool_result": ("id",)}
    required = {"tool_call": ("name",)}
    return {
        "oneOf": [
            _object(
                {"type": {"const": form}, "text": _ANY_TEXT, **dict.fromkeys(names, _ANY_TEXT)},
                required=("type", "text", *required.get(form, ())),
            )
            for form, names in forms.items()
        ]
    }


def _object(properties: Mapping[str, object], required: Sequence[str] = ()) -> Schema:
    schema: Schema = {"type": "object", "additionalProperties": False, "properties": dict(properties)}
    return {**schema, "required": list(required)} if required else schema


def _list(items: Schema, description: str) -> Schema:
    return {"type": "array", "items": items, "description": description}


def _one_of(options: Sequence[str], description: str) -> Schema:
    return {"enum": list(options), "description": description}


def _said(schema: Schema, description: str) -> Schema:
    return {**schema, "description": description}


def _id() -> Schema:
    return _exactly(ID)


def _exactly(pattern: str) -> Schema:
    return {"type": "string", "pattern": f"^(?:{pattern})$"}
