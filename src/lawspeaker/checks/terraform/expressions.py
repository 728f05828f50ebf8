"""From the parser's nodes to expressions."""

import re
from collections.abc import Callable, Mapping
from typing import Final

import tree_sitter

from lawspeaker.checks.terraform.syntax import (
    Call,
    Choice,
    Expression,
    Into,
    Items,
    Literal,
    Loop,
    Opaque,
    Operation,
    Pairs,
    Reference,
    Template,
)

_MAX_DEPTH: Final = 60
_MAX_OPAQUE: Final = 1_000
_MAX_NAMES: Final = 10
_WORDS: Final = re.compile(r'"[^"$]')
_ESCAPE: Final = re.compile(r'\\(u[0-9a-fA-F]{4}|U000[0-9a-fA-F]{5}|[nrt"\\])|\$\$\{|%%\{')
_ESCAPES: Final = {"\\n": "\n", "\\r": "\r", "\\t": "\t", '\\"': '"', "\\\\": "\\", "$${": "${", "%%{": "%{"}
_NAMES: Final = re.compile(
    r"\b(?:var|local|data|module|each|count|path|(?=[a-z]\w*_\w)[a-z]\w++)(?:\.[A-Za-z_][\w-]*)+"
)


class TooDeepError(Exception):
    """Nested beyond what any person writes."""


def expression(text: str, node: tree_sitter.Node) -> Expression:
    """The expression at `node` of `text`; opaque where it is not one that can be evaluated, or too deep."""
    try:
        return _expression(text, node, 0)
    except TooDeepError:
        return Opaque()


def unquote(raw: str) -> str:
    """What an HCL string literal means."""
    if "\\" not in raw and "{" not in raw:
        return raw
    return _ESCAPE.sub(lambda match: _ESCAPES.get(match[0]) or chr(int(match[0][2:], 16)), raw)


def _expression(text: str, node: tree_sitter.Node, depth: int) -> Expression:
    if depth > _MAX_DEPTH:
        raise TooDeepError
    read = _READERS.get(node.type)
    return read(text, node, depth + 1) if read else _opaque(text, node)


def _opaque(text: str, node: tree_sitter.Node) -> Opaque:
    """What is not evaluated. Made of references alone it names what exists; words of its own may say anything."""
    raw = text[node.start_byte : node.end_byte]
    names = tuple(dict.fromkeys(_NAMES.findall(raw[:_MAX_OPAQUE])))
    more = len(raw) > _MAX_OPAQUE or len(names) > _MAX_NAMES
    return Opaque(names[:_MAX_NAMES], more or bool(_WORDS.search(raw)))


def _wrapper(text: str, node: tree_sitter.Node, depth: int) -> Expression:
    """`expression` and its kin: a base, and perhaps steps into it."""
    return _stepped(text, node, [child for child in node.children if child.is_named], depth)


def _stepped(text: str, node: tree_sitter.Node, children: list[tree_sitter.Node], depth: int) -> Expression:
    children = [child for child in children if child.type != "comment"]
    if not children:
        return Opaque()
    base, *steps = children
    if base.type == "variable_expr":
        return Reference((text[base.start_byte : base.end_byte], *_steps(text, steps)))
    inner = _expression(text, base, depth)
    return Into(inner, _steps(text, steps)) if steps else inner


def _steps(text: str, steps: list[tree_sitter.Node]) -> tuple[str | int | Literal | Reference | None, ...]:
    path: list[str | int | Literal | Reference | None] = []
    for step in steps:
        raw = text[step.start_byte : step.end_byte].strip()
        if step.type == "get_attr":
            path.append(raw.removeprefix(".").strip())
        elif re.fullmatch(r"\[\s*\d{1,9}\s*\]|\.\d{1,9}", raw):
            path.append(int(raw.strip("[]. \t\r\n")))
        elif match := re.fullmatch(r'\[\s*"([^"$\\]*)"\s*\]', raw):
            path.append(Literal(match[1]))
        elif match := re.fullmatch(r"\[\s*([a-z]\w*(?:\.\w+){1,5})\s*\]", raw):
            path.append(Reference(tuple(match[1].split("."))))
        else:
            path.append(None)
    return tuple(path)


def _literal(text: str, node: tree_sitter.Node, depth: int) -> Expression:
    child = node.child(0)
    if child is None:
        return Opaque()
    raw = text[child.start_byte : child.end_byte]
    if child.type == "string_lit":
        return Literal(unquote(raw[1:-1]))
    if child.type == "bool_lit":
        return Literal(raw == "true")
    if child.type == "null_lit":
        return Literal(None)
    return _number(raw)


def _number(raw: str) -> Expression:
    # A number with thousands of digits takes Python quadratic time, and no setting has one.
    if len(raw) > 40:
        return Opaque()
    return Literal(int(raw)) if raw.isdigit() else Literal(float(raw))


def _quoted(text: str, node: tree_sitter.Node, depth: int) -> Expression:
    """A template: everything between its first and last child, cut at the interpolations."""
    first, last = node.child(0), node.child(node.child_count - 1)
    if first is None or last is None:
        return Opaque()
    return _template(text, node, first.end_byte, last.start_byte, depth)


def _heredoc(text: str, node: tree_sitter.Node, depth: int) -> Expression:
    marks = [child for child in node.children if child.type == "heredoc_identifier"]
    if len(marks) != 2:
        return Opaque()
    return _template(text, node, marks[0].end_byte, marks[1].start_byte, depth)


def _template(text: str, node: tree_sitter.Node, start: int, end: int, depth: int) -> Expression:
    unescape = unquote if node.type == "quoted_template" else str
    parts: list[Expression] = []
    for child in node.children:
        if child.type not in {"template_interpolation", "template_directive"}:
            continue
        parts.append(Literal(unescape(text[start : child.start_byte])))
        inner = next((part for part in child.children if part.type == "expression"), None)
        readable = child.type == "template_interpolation" and inner is not None
        parts.append(_expression(text, inner, depth) if readable and inner else Opaque(_opaque(text, child).names))
        start = child.end_byte
    parts.append(Literal(unescape(text[start:end])))
    return parts[0] if len(parts) == 1 else Template(tuple(parts))


def _call(text: str, node: tree_sitter.Node, depth: int) -> Expression:
    name = node.child(0)
    arguments = next((child for child in node.children if child.type == "function_arguments"), None)
    given = [child for child in arguments.children if child.type == "expression"] if arguments else []
    called = text[name.start_byte : name.end_byte] if name else ""
    return Call(called, tuple(_expression(text, argument, depth) for argument in given))


def _items(text: str, node: tree_sitter.Node, depth: int) -> Expression:
    return Items(tuple(_expression(text, item, depth) for item in node.children if item.type == "expression"))


def _pairs(text: str, node: tree_sitter.Node, depth: int) -> Expression:
    pairs: list[tuple[Expression, Expression]] = []
    for element in node.children:
        sides = [child for child in element.children if child.type == "expression"]
        if element.type == "object_elem" and len(sides) == 2:
            key = _expression(text, sides[0], depth)
            if isinstance(key, Reference) and len(key.steps) == 1:
                key = Literal(str(key.steps[0]))  # a bare word is a key, not a variable
            pairs.append((key, _expression(text, sides[1], depth)))
    return Pairs(tuple(pairs))


def _choice(text: str, node: tree_sitter.Node, depth: int) -> Expression:
    sides = [_expression(text, child, depth) for child in node.children if child.type == "expression"]
    return Choice(sides[0], sides[1], sides[2]) if len(sides) == 3 else _opaque(text, node)


def _operation(text: str, node: tree_sitter.Node, depth: int) -> Expression:
    """`-1` and `!x`, comparisons, sums and what joins conditions."""
    inner = node.child(0)
    if inner is None:
        return Opaque()
    signs = [child for child in inner.children if not child.is_named and child.type not in {"(", ")"}]
    if len(signs) != 1:
        return _opaque(text, node)
    before = [child for child in inner.children if child.is_named and child.end_byte <= signs[0].start_byte]
    after = [child for child in inner.children if child.is_named and child.start_byte >= signs[0].end_byte]
    sides = [_stepped(text, node, side, depth) for side in (before, after) if side]
    sign = text[signs[0].start_byte : signs[0].end_byte]
    if sign == "-" and len(sides) == 1 and isinstance(sides[0], Literal) and isinstance(sides[0].value, int):
        return Literal(-sides[0].value)
    return Operation(sign, tuple(sides)) if sides else _opaque(text, node)


def _loop(text: str, node: tree_sitter.Node, depth: int) -> Expression:
    """`[for x in xs : x]`. One that groups its values is not evaluated."""
    inner = node.child(0)
    intro = next((child for child in inner.children if child.type == "for_intro"), None) if inner else None
    if inner is None or intro is None or any(child.type == "ellipsis" for child in inner.children):
        return _opaque(text, node)
    names = [text[child.start_byte : child.end_byte] for child in intro.children if child.type == "identifier"]
    items = next((child for child in intro.children if child.type == "expression"), None)
    results = [child for child in inner.children if child.type == "expression"]
    cond = next((child for child in inner.children if child.type == "for_cond"), None)
    test = next((child for child in cond.children if child.type == "expression"), None) if cond else None
    if not names or items is None or not results:
        return _opaque(text, node)
    return Loop(
        names[0] if len(names) > 1 else "",
        names[-1],
        _expression(text, items, depth),
        _expression(text, results[0], depth) if len(results) > 1 else None,
        _expression(text, results[-1], depth),
        _expression(text, test, depth) if test else None,
    )


_READERS: Final[Mapping[str, Callable[[str, tree_sitter.Node, int], Expression]]] = {
    "expression": _wrapper,
    "template_expr": _wrapper,
    "collection_value": _wrapper,
    "literal_value": _literal,
    "quoted_template": _quoted,
    "heredoc_template": _heredoc,
    "function_call": _call,
    "tuple": _items,
    "object": _pairs,
    "conditional": _choice,
    "operation": _operation,
    "for_expr": _loop,
}
