"""What expressions come to, and that hostile ones come to an end."""

import pytest

from lawspeaker.checks.terraform.module import module
from lawspeaker.checks.terraform.values import Unknown, Value, document, leaves


def value(expression: str, around: str = "") -> Value:
    read = module((f'{around}\nresource "t_t" "n" {{\n  v = {expression}\n}}\n',))
    found = read.at("t_t.n")
    assert found is not None
    return found.get("v")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ('"a"', "a"),
        ('"a\\n\\"b\\" \\u00e9 $${x}"', 'a\n"b" é ${x}'),
        ("12", 12),
        ("-1", -1),
        ("1.5", 1.5),
        ("true", True),
        ("!true", False),
        ("null", None),
        ("(3)", 3),
        ('["a", 1]', ("a", 1)),
        ('{ a = 1, "b" = 2 }', {"a": 1, "b": 2}),
        ("<<EOF\nx\nEOF", "\nx\n"),
        ('false ? "a" : "b"', "b"),
        ('concat(["a"], ["b"])', ("a", "b")),
        ('merge({ a = 1 }, { a = 2 })["a"]', 2),
        ("local.list[1]", "y"),
        ("local.map.k", "v"),
        ('"${local.map.k}-${var.size}"', "v-3"),
        ('jsondecode("[1]")', (1,)),
        ("sensitive(var.size)", 3),
    ],
)
def test_known(expression: str, expected: object) -> None:
    around = 'locals {\n  list = ["x", "y"]\n  map = { k = "v" }\n}\nvariable "size" {\n  default = 3\n}\n'
    assert value(expression, around) == expected


@pytest.mark.parametrize(
    ("expression", "what"),
    [
        ("var.x", "var.x"),
        ("aws_s3_bucket.b[0].id", "aws_s3_bucket.b.0.id"),
        ('"${var.x}-y"', "var.x"),
        ('templatefile("f", {})', "templatefile(…)"),
        ("var.x ? 1 : 2", "var.x"),
        ("var.x + 1", "var.x"),
        ("[for v in var.l : v]", "var.l"),
    ],
)
def test_unknown_says_which_value(expression: str, what: str) -> None:
    got = value(expression)
    assert isinstance(got, Unknown)
    assert got.what == what


def test_json_with_unknown_parts() -> None:
    got = document(value('<<EOF\n{"a": "${var.x}", "b": ["p/${var.y}/q"], "c": 1}\nEOF'))
    assert isinstance(got, dict)
    assert got["c"] == 1
    assert [leaf.what if isinstance(leaf, Unknown) else leaf for leaf in leaves(got)] == ["var.x", "var.y", 1]


def chain(first: str, step: str) -> str:
    """Locals l0 … l59, each made of the one before; written backwards, so that each is met before what it needs."""
    lines = [f"  l{i} = {step.replace('@', f'local.l{i - 1}')}" for i in range(59, 0, -1)]
    return "\n".join(("locals {", *lines, f"  l0 = {first}", "}", ""))


@pytest.mark.parametrize(
    "around",
    [
        "locals {\n  l59 = local.l59\n}\n",
        "locals {\n  l59 = local.a\n  a = local.l59\n}\n",
        chain("1", "@"),
        chain("[1]", "[@, @]"),
        chain('"x"', '"${@}${@}"'),
        chain("[1]", "concat(@, @)"),
    ],
)
def test_hostile_locals_end_in_unknown(around: str) -> None:
    assert any(isinstance(leaf, Unknown) for leaf in leaves(value("local.l59", around)))
