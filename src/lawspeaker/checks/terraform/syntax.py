"""What a Terraform program is made of, as plain values.

Positions are character offsets in the program's text. Nothing here is evaluated: see `values.py`.
"""

from collections.abc import Mapping

import msgspec

Scalar = str | int | float | bool | None


class Literal(msgspec.Struct, frozen=True):
    value: Scalar


class Template(msgspec.Struct, frozen=True):
    """A string or heredoc with `${…}` in it."""

    parts: tuple["Expression", ...]


class Reference(msgspec.Struct, frozen=True):
    """`aws_s3_bucket.b[0].id`. A step is a name, an index (a number, a literal text or another reference), or None for
    an index that is computed."""

    steps: tuple["str | int | Literal | Reference | None", ...]


class Call(msgspec.Struct, frozen=True):
    name: str
    arguments: tuple["Expression", ...]


class Items(msgspec.Struct, frozen=True):
    items: tuple["Expression", ...]


class Pairs(msgspec.Struct, frozen=True):
    pairs: tuple[tuple["Expression", "Expression"], ...]


class Choice(msgspec.Struct, frozen=True):
    """`test ? then : otherwise`."""

    test: "Expression"
    then: "Expression"
    otherwise: "Expression"


class Operation(msgspec.Struct, frozen=True):
    """`left == right`, `!value` and their kin."""

    sign: str
    operands: tuple["Expression", ...]


class Into(msgspec.Struct, frozen=True):
    """`{ a = 1 }.a`, `f(x)[0]`: steps into something that has no name."""

    base: "Expression"
    steps: tuple["str | int | Literal | Reference | None", ...]


class Loop(msgspec.Struct, frozen=True):
    """`[for key, value in items : result if test]`, and with braces where it has a `name`."""

    key: str
    value: str
    items: "Expression"
    name: "Expression | None"
    result: "Expression"
    test: "Expression | None"


class Opaque(msgspec.Struct, frozen=True):
    """What the reader does not evaluate. `names` are the references in it, so that a reason can say which value
    is unknown without repeating text; `open` says that there is more in it than them."""

    names: tuple[str, ...] = ()
    open: bool = True


Expression = Literal | Template | Reference | Call | Items | Pairs | Choice | Operation | Into | Loop | Opaque


class Attribute(msgspec.Struct, frozen=True):
    value: Expression
    start: int
    end: int


class Block(msgspec.Struct, frozen=True):
    """`type "label" … { … }`. `start:header` is its first line; `broken` says that part of it could not be read."""

    type: str
    labels: tuple[str, ...]
    attributes: Mapping[str, Attribute]
    blocks: tuple["Block", ...]
    start: int
    header: int
    end: int
    broken: bool


class Program(msgspec.Struct, frozen=True):
    """Every block that could be read, and the `start, end` of code that could not."""

    blocks: tuple[Block, ...]
    unread: tuple[tuple[int, int], ...] = ()
