"""Terraform's functions, as far as they pass values on or put texts together.

What a function makes of a value that is not known is not known either. It is `open` where the result may be something
else than an attribute of what exists: a choice among words of the program, a text made of them.
"""

import base64
import binascii
import ipaddress
import operator
import re
from collections.abc import Callable, Mapping
from typing import Final, TypeGuard

from lawspeaker.checks.terraform.values import (
    MAX_ITEMS,
    Unknown,
    Value,
    document,
    joined,
    leaves,
    targets,
)

Function = Callable[[list[Value]], Value]

_MAX_TEXT: Final = 100_000
_SHORT: Final = 100
_LARGEST: Final = 10**15
# Longer words in a call may be what its result is made of; shorter ones separate.
_SEPARATOR: Final = 2


def called(name: str, arguments: list[Value]) -> Value:
    """What the function `name` gives for `arguments`."""
    function = FUNCTIONS.get(name)
    if function is not None and arguments:
        return function(arguments)
    plain = _PLAIN.get(name)
    if plain is not None and not any(isinstance(leaf, Unknown) for leaf in leaves(tuple(arguments))):
        try:
            return plain(arguments)
        except (ValueError, TypeError, LookupError, AttributeError, OverflowError):
            return Unknown(f"{name}(…)", open=True)
    words = name == "replace" or any(
        isinstance(leaf, str) and len(leaf) > _SEPARATOR for leaf in leaves(tuple(arguments))
    )
    return made_of(f"{name}(…)", arguments, words=words)


def made_of(what: str, values: list[Value], *, words: bool) -> Unknown:
    """What is not known, of `values`. `words` says that words of the program may be in it."""
    found = [leaf for value in values for leaf in leaves(value) if isinstance(leaf, Unknown)]
    more = words or any(leaf.is_input for leaf in found)
    return Unknown(what, targets(found), open=more or not found)


def one_of(what: str, values: list[Value]) -> Value:
    """One of `values`, and nobody knows which: open where one of them stands in the program."""
    known = (leaf for value in values for leaf in leaves(value) if not isinstance(leaf, Unknown))
    return made_of(what, values, words=any(leaf not in (None, "") for leaf in known))


def operated(sign: str, values: list[Value]) -> Value:
    """What an operation on `values` gives."""
    sides = [_flag(value) for value in values]
    if sign in {"&&", "||"} and (sign == "||") in [side for side in sides if isinstance(side, bool)]:
        return sign == "||"
    unknown = [side for side in sides if isinstance(side, Unknown)]
    if unknown:
        return Unknown(unknown[0].what, targets(unknown), open=True)
    try:
        return _operated(sign, sides, values)
    except (TypeError, ZeroDivisionError, OverflowError):
        return Unknown("an expression", open=True)


def _operated(sign: str, sides: list[Value], values: list[Value]) -> Value:
    match sign, sides:
        case "!", (bool() as one,):
            return not one
        case "&&" | "||", (bool(), bool() as other):
            return other
        case "==" | "!=", (_, _):
            same = values[0] == values[1] and isinstance(values[0], bool) == isinstance(values[1], bool)
            return same == (sign == "==")
        case _, (int() | float() as one, int() | float() as two) if sign in _ARITHMETIC:
            result = _ARITHMETIC[sign](one, two)
            if isinstance(result, bool) or abs(result) <= _LARGEST:
                return result
        case "-", (int() | float() as one,):
            return -one
    return Unknown("an expression", open=True)


_ARITHMETIC: Final[Mapping[str, Callable[[float, float], bool | int | float]]] = {
    "<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge,
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "%": operator.mod,
}  # fmt: skip


def _flag(value: Value) -> Value:
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


def _bounded(items: list[Value]) -> Value:
    return tuple(items) if len(items) <= MAX_ITEMS else Unknown("a very long list")


def _concat(arguments: list[Value]) -> Value:
    items: list[Value] = []
    for argument in arguments:
        # What is not known is one item, whatever it is: its leaves are what rules look at.
        items.extend(argument if isinstance(argument, tuple) else [argument])
        if len(items) > MAX_ITEMS:
            break
    return _bounded(items)


def _flatten(arguments: list[Value]) -> Value:
    items: list[Value] = []
    waiting: list[Value] = list(reversed(arguments))
    while waiting and len(items) <= MAX_ITEMS:
        top = waiting.pop()
        if isinstance(top, tuple) and len(waiting) + len(top) <= MAX_ITEMS:
            waiting.extend(reversed(top))
        else:
            items.append(top)
    return _bounded(items)


def _merge(arguments: list[Value]) -> Value:
    result: dict[str, Value] = {}
    for argument in arguments:
        if not isinstance(argument, Mapping):
            return one_of("merge(…)", arguments)
        result.update(argument)
    return result


def _lookup(arguments: list[Value]) -> Value:
    found, key, *default = arguments if len(arguments) > 1 else (*arguments, None)
    if isinstance(found, Mapping) and isinstance(key, str):
        return found[key] if key in found else (default[0] if default else None)
    return one_of("lookup(…)", arguments[:1] + list(default))


def _coalesce(arguments: list[Value]) -> Value:
    for at, argument in enumerate(arguments):
        if isinstance(argument, Unknown):
            return one_of("coalesce(…)", arguments[at:])
        if argument not in (None, "", ()):
            return argument
    return None


def _try(arguments: list[Value]) -> Value:
    for at, argument in enumerate(arguments):
        if isinstance(argument, Unknown):
            return one_of("try(…)", arguments[at:])
        if argument is not None:
            return argument
    return None


def _element(arguments: list[Value]) -> Value:
    items, at = arguments if len(arguments) == 2 else (arguments[0], None)
    if isinstance(items, tuple) and items and isinstance(at, int):
        return items[at % len(items)]
    return one_of("element(…)", [items])


def _one(arguments: list[Value]) -> Value:
    items = arguments[0]
    if isinstance(items, tuple) and len(items) < 2:
        return items[0] if items else None
    return one_of("one(…)", [items])


def _values(arguments: list[Value]) -> Value:
    given = arguments[0]
    return tuple(given.values()) if isinstance(given, Mapping) else one_of("values(…)", arguments)


def _distinct(arguments: list[Value]) -> Value:
    items = arguments[0]
    return tuple(item for at, item in enumerate(items) if item not in items[:at]) if _is_short(items) else items


def _compact(arguments: list[Value]) -> Value:
    items = arguments[0]
    return tuple(item for item in items if item not in (None, "")) if isinstance(items, tuple) else items


def _is_short(value: Value) -> TypeGuard[tuple[Value, ...]]:
    return isinstance(value, tuple) and len(value) <= _SHORT


def _join(arguments: list[Value]) -> Value:
    separator, *lists = arguments
    items = _flatten(lists)
    if not isinstance(separator, str) or not isinstance(items, tuple):
        return made_of("join(…)", arguments, words=True)
    parts: list[Value] = [part for item in items for part in (separator, item)][1:]
    return _text([part for part in parts if part is not None])


def _format(arguments: list[Value]) -> Value:
    pattern, *given = arguments
    if not isinstance(pattern, str) or len(pattern) > _MAX_TEXT:
        return made_of("format(…)", arguments, words=True)
    parts: list[Value] = []
    for piece in re.split(r"(%[svd%])", pattern):
        if piece == "%%":
            parts.append("%")
        elif piece in ("%s", "%v", "%d") and given:
            parts.append(given.pop(0))
        elif "%" in piece:
            return made_of("format(…)", arguments, words=True)
        else:
            parts.append(piece)
    return _text(parts)


def _text(parts: list[Value]) -> Value:
    parts = [part for part in parts if part != ""]
    return parts[0] if len(parts) == 1 and isinstance(parts[0], str | Unknown) else joined(parts)


def _formatted(arguments: list[Value]) -> Value:
    """`formatlist`: `format` for each item of the only list."""
    lists = [argument for argument in arguments[1:] if isinstance(argument, tuple)]
    if len(lists) != 1 or not _is_short(lists[0]):
        return made_of("formatlist(…)", arguments, words=True)
    turns = ([item if one is lists[0] else one for one in arguments] for item in lists[0])
    return tuple(_format(turn) for turn in turns)


def _sorted(arguments: list[Value]) -> Value:
    items = _list(arguments[0])
    return tuple(sorted(map(_word, items)))


def _replaced(arguments: list[Value]) -> Value:
    text, old, new = map(_word, arguments)
    if old.startswith("/") and old.endswith("/"):
        raise ValueError  # a pattern, in a language of its own
    if len(text) + text.count(old) * len(new) > _MAX_TEXT:
        raise ValueError
    return text.replace(old, new)


def _split(arguments: list[Value]) -> Value:
    separator, text = map(_word, arguments)
    if len(text) > MAX_ITEMS:
        raise ValueError
    return tuple(text.split(separator) if separator else text)


def _subnet(arguments: list[Value]) -> Value:
    network = ipaddress.ip_network(_word(arguments[0]), strict=False)
    bits, number = int(_word(arguments[1])), int(_word(arguments[2]))
    if not 0 <= bits <= network.max_prefixlen - network.prefixlen:
        raise ValueError
    prefix = network.prefixlen + bits
    first = int(network.network_address) + (number << (network.max_prefixlen - prefix))
    return f"{ipaddress.ip_address(first)}/{prefix}"


def _slice(arguments: list[Value]) -> Value:
    start, end = (int(_word(argument)) for argument in arguments[1:])
    return _list(arguments[0])[start:end]


def _part(arguments: list[Value]) -> Value:
    start, length = (int(_word(argument)) for argument in arguments[1:])
    rest = _word(arguments[0])[start:]
    return rest[:length] if length >= 0 else rest


def _range(arguments: list[Value]) -> Value:
    numbers = range(*(int(_word(argument)) for argument in arguments))
    if len(numbers) > MAX_ITEMS:
        raise ValueError
    return tuple(numbers)


def _size(arguments: list[Value]) -> Value:
    if isinstance(arguments[0], str | tuple | Mapping):
        return len(arguments[0])
    raise TypeError


def _list(value: Value) -> tuple[Value, ...]:
    if not isinstance(value, tuple):
        raise TypeError
    return value


def _word(value: Value) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError
    return str(value)


def _words(change: Callable[[str], str]) -> Function:
    def changed(arguments: list[Value]) -> Value:
        if not isinstance(arguments[0], str) or len(arguments[0]) > _MAX_TEXT:
            raise TypeError
        return change(arguments[0])

    return changed


def _trimmed(change: Callable[[str, str], str]) -> Function:
    return lambda arguments: change(_word(arguments[0]), _word(arguments[1]))


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except binascii.Error as error:
        raise ValueError from error


def _same(arguments: list[Value]) -> Value:
    return arguments[0]


# They say what to do with values that are not known.
FUNCTIONS: Final[Mapping[str, Function]] = {
    **dict.fromkeys(
        ("jsonencode", "sensitive", "nonsensitive", "tolist", "toset", "tomap", "tostring", "tobool", "tonumber"),
        _same,
    ),
    "jsondecode": lambda arguments: document(arguments[0]),
    "concat": _concat, "flatten": _flatten, "merge": _merge, "lookup": _lookup, "coalesce": _coalesce,
    "coalescelist": _coalesce, "try": _try, "element": _element, "one": _one, "values": _values, "join": _join,
    "format": _format, "formatlist": _formatted, "setunion": _concat, "distinct": _distinct, "compact": _compact,
    "reverse": lambda arguments: arguments[0][::-1] if isinstance(arguments[0], tuple) else arguments[0],
}  # fmt: skip
# They need values that are known.
_PLAIN: Final[Mapping[str, Function]] = {
    "lower": _words(str.lower), "upper": _words(str.upper), "title": _words(str.title), "trimspace": _words(str.strip),
    "chomp": _words(lambda text: text.rstrip("\r\n")), "strrev": _words(lambda text: text[::-1]),
    "base64decode": _words(_decoded), "trim": _trimmed(str.strip), "trimprefix": _trimmed(str.removeprefix),
    "trimsuffix": _trimmed(str.removesuffix), "split": _split, "replace": _replaced, "substr": _part,
    "cidrsubnet": _subnet, "slice": _slice, "length": _size, "sort": _sorted, "range": _range,
    "startswith": lambda arguments: _word(arguments[0]).startswith(_word(arguments[1])),
    "endswith": lambda arguments: _word(arguments[0]).endswith(_word(arguments[1])),
    "contains": lambda arguments: arguments[1] in _list(arguments[0]),
    "keys": lambda arguments: tuple(arguments[0]) if isinstance(arguments[0], Mapping) else _list(arguments[0]),
    "zipmap": lambda arguments: dict(zip(map(_word, _list(arguments[0])), _list(arguments[1]), strict=True)),
    "max": lambda arguments: max(_numbers(arguments)), "min": lambda arguments: min(_numbers(arguments)),
}  # fmt: skip


def _numbers(values: list[Value]) -> list[float]:
    return [value for value in values if isinstance(value, int | float)]
