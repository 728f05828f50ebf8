"""JSON Schema (2020-12) for structured output, within bounds.

The schema comes with a constitution and the text from a model, so neither may make the other costly: patterns are RE2,
every look at a value is counted, and a schema that would need the network, or that says something unknown, is refused
before anything is judged. What is said of a text names places in the schema only, never what stands in the text.

What is not covered: `unevaluatedProperties` and `unevaluatedItems`, anchors, and `format`, which only annotates.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Final
from urllib.parse import unquote

import re2
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import extend

from lawspeaker.checks.settings import Path
from lawspeaker.checks.text.regex import compiled, encodable
from lawspeaker.constitution.kinds import SettingsError

MOST_FAULTS: Final = 20
_LONGEST_SCHEMA: Final = 200_000
_DEEPEST_SCHEMA: Final = 100
# Looks at values, and characters that are compared or put into messages which nobody sees.
_MOST_STEPS: Final = 100_000
_STEP: Final = 100
_MOST_DIGITS: Final = 300
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
# Where schemas stand in a schema: in a mapping by name, in a list, or alone.
_NAMED: Final = ("$defs", "definitions", "properties", "patternProperties", "dependentSchemas")
_LISTED: Final = ("allOf", "anyOf", "oneOf", "prefixItems")
_ALONE: Final = ("additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then")
# Those that judge the same value as the schema that they stand in.
_SAME: Final = ("dependentSchemas", "allOf", "anyOf", "oneOf", "else", "if", "not", "then", "$ref")
_OTHER: Final = (
    "$ref $comment title description default examples deprecated readOnly writeOnly format type enum const required "
    "dependentRequired minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minLength maxLength pattern "
    "minItems maxItems uniqueItems minContains maxContains minProperties maxProperties"
)
_KNOWN: Final = frozenset((*_NAMED, *_LISTED, *_ALONE, *_OTHER.split()))

_left: ContextVar[list[int]] = ContextVar("steps left")


class BeyondBoundsError(Exception):
    """Judging the text would take more than is given to it."""


class JsonSchema:
    """A schema that was found fit for use. `faults` may be asked at the same time from several threads."""

    def __init__(self, schema: object, path: Path = ()) -> None:
        """Raises `SettingsError`; `path` is where the schema stands in the settings."""
        plain = _plain(schema, path)
        try:
            Draft202012Validator.check_schema(plain, format_checker=None)
        except SchemaError as error:
            raise SettingsError(f"no JSON Schema: {error.message[:200]}", (*path, *error.absolute_path)) from None
        except RecursionError:
            raise SettingsError(f"the schema is nested more than {_DEEPEST_SCHEMA} deep", path) from None
        _check_graph({each.pointer: each for each in _schemas(plain, path)})
        self._validator = _BOUNDED(plain)

    def faults(self, text: str) -> list[str]:
        """The places in the schema that `text` breaks, each once; `[""]` where it is no JSON. Raises
        `BeyondBoundsError` where none was found before the bounds were reached."""
        try:
            value = _DECODER.decode(text.strip(" \t\r\n"))
        except ValueError:
            return [""]
        except RecursionError:
            raise BeyondBoundsError from None
        found: dict[str, None] = {}
        token = _left.set([_MOST_STEPS])
        try:
            for error in self._validator.iter_errors(value):
                found.setdefault("/".join(str(step) for step in error.absolute_schema_path) or "false")
                if len(found) == MOST_FAULTS:
                    break
        except (BeyondBoundsError, RecursionError):
            if not found:
                raise BeyondBoundsError from None
        finally:
            _left.reset(token)
        return list(found)


def _plain(schema: object, path: Path) -> dict[str, Any]:
    """A copy of `schema` without the name of the dialect, which is known."""
    if not isinstance(schema, dict):
        raise SettingsError("expected a JSON Schema, which is a mapping", path)
    try:
        text = json.dumps(schema, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise SettingsError("expected a JSON Schema of plain values, not nested without end", path) from None
    if len(text) > _LONGEST_SCHEMA:
        raise SettingsError(f"the schema has {len(text)} characters as JSON; {_LONGEST_SCHEMA} are allowed", path)
    plain: dict[str, Any] = json.loads(text)
    if str(plain.pop("$schema", _DIALECT)).rstrip("#") != _DIALECT:
        raise SettingsError(f"another dialect than {_DIALECT}", (*path, "$schema"))
    return plain


class _Place:
    """A schema inside the schema, by its pointer; `same` are the pointers of those that judge the same value."""

    def __init__(self, pointer: str, path: Path, schema: object) -> None:
        self.pointer, self.path = pointer, path
        self.schema: Mapping[str, Any] = schema if isinstance(schema, dict) else {}
        self.same: list[str] = []


def _schemas(root: object, path: Path) -> Iterator[_Place]:
    """Every schema in `root`, each with keywords that are known and patterns that RE2 can read."""
    waiting = [_Place("", path, root)]
    while waiting:
        place = waiting.pop()
        if len(place.path) - len(path) > _DEEPEST_SCHEMA:
            raise SettingsError(f"the schema is nested more than {_DEEPEST_SCHEMA} deep", path)
        _check_keywords(place)
        for keyword, steps, schema in _inner(place.schema):
            pointer = place.pointer + "".join(f"/{_escaped(step)}" for step in (keyword, *steps))
            waiting.append(_Place(pointer, (*place.path, keyword, *steps), schema))
            if keyword in _SAME:
                place.same.append(pointer)
        yield place


def _check_keywords(place: _Place) -> None:
    for keyword in place.schema:
        if keyword not in _KNOWN:
            raise SettingsError(f"the JSON Schema keyword '{keyword}' is not known here", (*place.path, keyword))
    if "pattern" in place.schema:
        compiled([place.schema["pattern"]], (*place.path, "pattern"), several=False)
    for pattern in place.schema.get("patternProperties", ()):
        compiled([pattern], (*place.path, "patternProperties", pattern), several=False)


def _inner(schema: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str | int, ...], object]]:
    for keyword in _NAMED:
        yield from ((keyword, (name,), each) for name, each in schema.get(keyword, {}).items())
    for keyword in _LISTED:
        yield from ((keyword, (index,), each) for index, each in enumerate(schema.get(keyword, ())))
    yield from ((keyword, (), schema[keyword]) for keyword in _ALONE if keyword in schema)


def _escaped(step: str | int) -> str:
    return str(step).replace("~", "~0").replace("/", "~1")


def _check_graph(places: Mapping[str, _Place]) -> None:
    """Raises `SettingsError` for a reference that leads anywhere but to a schema in here, or round in a circle."""
    for place in places.values():
        if "$ref" in place.schema:
            target = unquote(place.schema["$ref"])
            if not target.startswith("#") or target[1:] not in places:
                what = "'$ref' must lead to a schema in this schema, such as '#/$defs/name'; nothing is fetched"
                raise SettingsError(what, (*place.path, "$ref"))
            place.same.append(target[1:])
    open_ones: set[str] = set()
    done: set[str] = set()
    for start in places:
        waiting = [(start, False)]
        while waiting:
            pointer, left = waiting.pop()
            if left:
                open_ones.discard(pointer)
                done.add(pointer)
            elif pointer in open_ones:
                raise SettingsError("the schema refers to itself without end", places[pointer].path)
            elif pointer not in done:
                open_ones.add(pointer)
                waiting += [(pointer, True), *((each, False) for each in places[pointer].same)]


def _spend(characters: int = 0) -> None:
    left = _left.get()
    left[0] -= 1 + characters // _STEP
    if left[0] < 0:
        raise BeyondBoundsError


Keyword = Callable[[Any, Any, Any, Any], Iterator[ValidationError] | None]


def _counted(keyword: Keyword) -> Keyword:
    def judged(validator: Any, wanted: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
        _spend()
        for error in keyword(validator, wanted, value, schema) or ():
            _spend(len(error.message))  # the library writes the value into it
            yield error

    return judged


def _has(pattern: str, text: str) -> bool:
    _spend(len(text))
    return bool(re2.search(pattern, encodable(text)))


def _pattern(validator: Any, pattern: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    if isinstance(value, str) and not _has(pattern, value):
        yield ValidationError("")


def _pattern_properties(validator: Any, patterns: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    for pattern, wanted in patterns.items() if isinstance(value, dict) else ():
        for name in value:
            if _has(pattern, name):
                yield from validator.descend(value[name], wanted, path=name, schema_path=pattern)


def _additional_properties(validator: Any, wanted: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    named = schema.get("properties", {})
    for name in value if isinstance(value, dict) else ():
        if name in named or any(_has(pattern, name) for pattern in schema.get("patternProperties", ())):
            continue
        if wanted is False:
            yield ValidationError("")
            return
        yield from validator.descend(value[name], wanted, path=name)


def _unique_items(validator: Any, wanted: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    seen: set[str] = set()
    for item in value if wanted and isinstance(value, list) else ():
        form = json.dumps(item, sort_keys=True)
        _spend(len(form))
        if form in seen:
            yield ValidationError("")
            return
        seen.add(form)


_OURS: Final[Mapping[str, Keyword]] = {
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "uniqueItems": _unique_items,
}
_BOUNDED: Final = extend(
    Draft202012Validator,
    {name: _counted(keyword) for name, keyword in {**Draft202012Validator.VALIDATORS, **_OURS}.items()},
)


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Of two equal keys, readers differ in which they take: that is no JSON to rely on."""
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError
    return value


def _integer(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError
    return int(digits)


def _float(digits: str) -> int | float:
    """1.0 is the integer 1, as JSON Schema has it."""
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise ValueError
    return int(value) if value.is_integer() else value


def _constant(name: str) -> object:
    raise ValueError  # NaN and Infinity are Python's, not JSON's


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant
)
