"""Plain-text secrets: passwords, keys and tokens that stand in the program."""

import base64
import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import Final

from lawspeaker.checks.secrets.formats import IDEMPOTENCY
from lawspeaker.checks.secrets.kind import find, is_elided, shown
from lawspeaker.checks.terraform.module import Body, Module, Place, Resource
from lawspeaker.checks.terraform.syntax import (
    Call,
    Choice,
    Expression,
    Into,
    Items,
    Literal,
    Loop,
    Operation,
    Pairs,
    Template,
)
from lawspeaker.checks.terraform.values import document
from lawspeaker.checks.terraform.verdict import Rule, Verdict, upheld, violated

_SUFFIX: Final = r"(?:_(?:value|text|string|plain|wo))?$"
_PASSWORD: Final = re.compile(r"(?:passwo?r?d|passwd|passphrase|(?:^|[_-])(?:pass|pwd))" + _SUFFIX, re.IGNORECASE)
_KEY: Final = re.compile(
    r"(?:secret|token|(?:api|access|secret|private|auth|encryption|raw)_?key|key_raw|credentials?|plaintext_value)"
    + _SUFFIX,
    re.IGNORECASE,
)
# A key or token that is a name, an address or a path stands for a secret that lies elsewhere.
_POINTER: Final = re.compile(
    r"arn:.*|\w+://\S*|/[\w/.+=@-]*|[a-z0-9_-]+(/[a-z0-9_-]+)+|projects/.*|[a-z]+(-[a-z]+)*|[A-Z_]+|\s*", re.DOTALL
)
_IDEMPOTENCY: Final = re.compile(IDEMPOTENCY + r"\Z")
# A line of a shell script or an environment file; the quotes may be escaped, as they are inside another string.
_ASSIGNMENT: Final = re.compile(r"""(?:^|[\s;"'])([A-Za-z_]\w*)=\\?["']?([^\s"'\\;$]+)""")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/\s]{16,65536}+={0,2}\s*+")
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
            yield Verdict("violated", f"{shown(address)}: a {noun} stands in plain text", place)
    if not named and not by_place:
        yield from map(upheld, module.everything())


RULE: Final = Rule(
    "plain-text-secret",
    (written_secrets,),
    r"(?i)password|secret|token|_key\b|user_data|environment",
    r"(?!)",  # what is handed to a module is read like any other attribute
    doc=(
        "Passwords, keys and tokens must not stand in the program: not as a value whose name says what it is, "
        "not in the default of a variable, not in user data, and not as a token of a documented format "
        "anywhere."
    ),
    violating="""resource "aws_db_instance" "d" {
  engine   = "postgres"
  password = "Kestrel-Harbour-41"
}
""",
    complying="""resource "aws_db_instance" "d" {
  engine   = "postgres"
  password = var.password
}
""",
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
            yield violated(resource, f"{shown(name)} stands in plain text", place)
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
        yield violated(resource, f"{shown(name)} stands in plain text", place)


def _names(value: Expression, depth: int) -> Iterator[str]:
    """The names of literal secrets in `value`: keys of maps, and `name`/`value` pairs as containers have them."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, Literal):
        if isinstance(value.value, str):
            yield from _names_in_text(value.value)
        return
    if isinstance(value, Pairs):
        yield from _names_in_pairs(value)
    for inner in _inside(value):
        yield from _names(inner, depth + 1)


def _inside(value: Expression) -> tuple[Expression, ...]:
    match value:
        case Pairs(pairs):
            return tuple(inner for _, inner in pairs)
        case Items(parts) | Template(parts) | Call(_, parts) | Operation(_, parts):
            return parts
        case Choice(_, then, otherwise):
            return then, otherwise
        case Into(base, _):
            return (base,)
        case Loop(items=items, result=result):
            return items, result
        case _:
            return ()


def _names_in_pairs(value: Pairs) -> Iterator[str]:
    flat = {
        key.value: inner.value
        for key, inner in value.pairs
        if isinstance(key, Literal) and isinstance(key.value, str) and isinstance(inner, Literal)
    }
    yield from _names_in_data(flat, _MAX_DEPTH)


def _names_in_text(text: str) -> Iterator[str]:
    """The same in a JSON document or in a script, as it is or in base64, which hides nothing."""
    if text.lstrip()[:1] in {"{", "["}:
        yield from _names_in_data(document(text), 0)
    if _BASE64.fullmatch(text):
        with contextlib.suppress(ValueError):
            text = base64.b64decode(text, validate=True).decode()
    if "=" in text:
        yield from (match[1] for match in _ASSIGNMENT.finditer(text) if _is_secret(match[1], match[2]))


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
    if not isinstance(value, str) or len(value) > 10_000 or is_elided(value) or _FLAGS.fullmatch(value):
        return False
    if _PASSWORD.search(name):
        return not value.startswith(("arn:", "/"))
    if _IDEMPOTENCY.search(name):
        return False
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
