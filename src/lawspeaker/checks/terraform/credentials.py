"""Plain-text secrets: passwords, keys and tokens that stand in the program."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from lawspeaker.checks.secrets import find, is_elided
from lawspeaker.checks.terraform.module import Body, Module, Place, Resource
from lawspeaker.checks.terraform.syntax import Call, Choice, Expression, Items, Literal, Pairs
from lawspeaker.checks.terraform.values import document
from lawspeaker.checks.terraform.verdict import Rule, Verdict, upheld, violated

_PASSWORD: Final = re.compile(
    r"(?:^|[_-]|\b)(?:\w*passwo?r?d|passwd|passphrase)(?:_(?:value|text|string))?$", re.IGNORECASE
)
_KEY: Final = re.compile(
    r"(?:^|[_-]|\b)(?:(?:\w*(?:secret|token|api_?key|access_?key|secret_?key|private_?key|auth_?key))|credentials?)"
    r"(?:_(?:value|text|string))?$",
    re.IGNORECASE,
)
# A key or token that is a name, an address or a path stands for a secret that lies elsewhere.
_POINTER: Final = re.compile(
    r"arn:.*|\w+://\S*|/[\w/.+=@-]*|[\w-]+(/[\w-]+)+|projects/.*|[a-z]+(-[a-z]+)*|[A-Z_]+|\s*", re.DOTALL
)
_FLAGS: Final = re.compile(r"true|false|required|optional|enabled|disabled|none|null|\d{1,4}", re.IGNORECASE)
_MAX_DEPTH: Final = 12


def written_secrets(module: Module) -> Iterator[Verdict]:
    """A literal value where a name says that it is a secret, or a token of a documented format, anywhere."""
    named: list[Verdict] = []
    for resource in module.everything():
        named += _sensitive_variable(resource) if resource.type == "variable" else _in_body(resource, resource, 0)
    yield from named
    by_place = list(_formats(module))
    for address, place, noun in by_place:
        if not any(_overlap(place, verdict.place) for verdict in named):
            yield Verdict("violated", f"{address}: a {noun} stands in plain text", place)
    if not named and not by_place:
        yield from map(upheld, module.everything())


RULE: Final = Rule(
    "plain-text-secret",
    (written_secrets,),
    r"(?i)password|secret|token|_key\b|user_data|environment",
)


def _sensitive_variable(variable: Resource) -> Iterator[Verdict]:
    default = variable.written.get("default")
    if default is None:
        return
    if isinstance(default.value, Literal) and _is_secret(variable.name, default.value.value):
        yield violated(variable, "the default of a secret stands in plain text", variable.at("default"))
    elif isinstance(default.value, Pairs | Items):
        yield from _found(variable, variable.at("default"), default.value)


def _in_body(resource: Resource, body: Body, depth: int) -> Iterator[Verdict]:
    for name, attribute in body.written.items():
        place = body.at(name)
        if isinstance(attribute.value, Literal) and _is_secret(name, attribute.value.value):
            yield violated(resource, f"{name} stands in plain text", place)
        else:
            yield from _found(resource, place, attribute.value)
    if depth < _MAX_DEPTH:
        for bodies in body.blocks.values():
            for inner in bodies:
                yield from _in_body(resource, inner, depth + 1)


def _found(resource: Resource, place: Place, value: Expression) -> Iterator[Verdict]:
    """Secrets by name inside maps and lists, at most one for an attribute."""
    name = next(_names(value, 0), None)
    if name is not None:
        yield violated(resource, f"{name} stands in plain text", place)


def _names(value: Expression, depth: int) -> Iterator[str]:
    """The names of literal secrets in `value`: keys of maps, and `name`/`value` pairs as containers have
    them.
    """
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, Pairs):
        flat = {key.value: inner for key, inner in value.pairs if isinstance(key, Literal)}
        name, given = flat.get("name"), flat.get("value")
        if isinstance(name, Literal) and isinstance(given, Literal) and _is_secret(str(name.value), given.value):
            yield str(name.value)
        for key, inner in flat.items():
            if isinstance(inner, Literal) and isinstance(key, str) and _is_secret(key, inner.value):
                yield key
        for _, inner in value.pairs:
            yield from _names(inner, depth + 1)
    elif isinstance(value, Items):
        for inner in value.items:
            yield from _names(inner, depth + 1)
    elif isinstance(value, Call):
        for inner in value.arguments:
            yield from _names(inner, depth + 1)
    elif isinstance(value, Choice):
        yield from _names(value.then, depth + 1)
        yield from _names(value.otherwise, depth + 1)
    elif isinstance(value, Literal) and isinstance(value.value, str) and value.value.lstrip()[:1] in {"{", "["}:
        yield from _names_in_data(document(value.value), 0)


def _names_in_data(data: object, depth: int) -> Iterator[str]:
    """The same in a JSON document."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(data, Mapping):
        name = data.get("name")
        if isinstance(name, str) and _is_secret(name, data.get("value")):
            yield name
        for key, inner in data.items():
            if _is_secret(key, inner):
                yield key
            yield from _names_in_data(inner, depth + 1)
    elif isinstance(data, tuple):
        for inner in data:
            yield from _names_in_data(inner, depth + 1)


def _is_secret(name: str, value: object) -> bool:
    """Whether `name` says that the literal `value` is a secret. A weak password or a `changeme` is one as
    soon as the program is applied; only what leaves the secret out (`<password>`, `****`) is none."""
    if not isinstance(value, str) or is_elided(value) or _FLAGS.fullmatch(value):
        return False
    if _PASSWORD.search(name):
        return not value.startswith(("arn:", "/"))
    return bool(_KEY.search(name)) and len(value) >= 8 and not _POINTER.fullmatch(value)


def _formats(module: Module) -> Iterator[tuple[str, Place, str]]:
    """Tokens by their format in any text of the module, with the address of the block that they stand in."""
    for file, text in enumerate(module.texts):
        for secret in find(text):
            place = Place(file, secret.start, secret.end)
            yield _owner(module, place), place, secret.format.noun


def _owner(module: Module, place: Place) -> str:
    before = [
        resource
        for resource in module.everything()
        if resource.place.file == place.file and resource.place.start <= place.start
    ]
    return max(before, key=lambda resource: resource.place.start).address if before else "the program"


def _overlap(one: Place, other: Place) -> bool:
    return one.file == other.file and one.start < other.end and other.start < one.end
