"""What an expression comes to, as far as the program itself says.

Known are literals, variables by their defaults, locals, and the few functions that only pass values on.
Everything else is `Unknown` and says which value is not known; a rule that needs it is inconclusive. Widen
this module, not the rules, to know more. Self-referring locals, long chains and values that grow by
doubling end in `Unknown` too."""

import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias

import msgspec

from lawspeaker.checks.terraform.syntax import (
    Call,
    Choice,
    Expression,
    Items,
    Literal,
    Opaque,
    Pairs,
    Reference,
    Scalar,
    Template,
)

_MAX_DEPTH: Final = 40
_MAX_TEXT: Final = 1_000_000
_MAX_ITEMS: Final = 10_000
_MAX_LEAVES: Final = 2_000
_MAX_TURNS: Final = 1_000
# Characters that are invisible, and the full-width forms of what ASCII has for names and values.
DISGUISE: Final = re.compile(
    "[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\uff0a\uff0d-\uff1a\uff21-\uff5a]"
)


class Unknown(msgspec.Struct, frozen=True):
    """A value that the program does not say. `what` names it for a reason; `targets` are the addresses that
    it refers to; `parts` are the pieces of a template that is known in part. `instance` is the one object that
    it belongs to, index included (`aws_s3_bucket.b["x"]`), and empty where that may be one or another."""

    what: str
    targets: tuple[str, ...] = ()
    parts: "tuple[Value, ...]" = ()
    instance: str = ""

    @property
    def known(self) -> str:
        """The text around what is not known."""
        return "".join(part for part in self.parts if isinstance(part, str))

    @property
    def is_input(self) -> bool:
        """Whether it may be anything that a caller chooses. An attribute of a resource, a data source or a
        module is not: it names something that exists."""
        return not self.targets or any(not _names_object(target) for target in self.targets)


Value: TypeAlias = Scalar | Unknown | tuple["Value", ...] | Mapping[str, "Value"]


class Scope:
    """What names mean in one module. `iterators` are the loops around an expression, by name; `inputs` are the
    variables that a call of the module sets; `outputs` what the modules that it calls give back, where that is known.
    `within` goes before the name of every object, so that those of several modules are told apart."""

    def __init__(
        self,
        variables: Mapping[str, Expression],
        local: Mapping[str, Expression],
        iterators: Mapping[str, Value] | None = None,
        *,
        inputs: Mapping[str, Value] | None = None,
        outputs: Mapping[str, Mapping[str, Value]] | None = None,
        within: str = "",
    ) -> None:
        self._named = {"var": variables, "local": local}
        self._iterators = iterators or {}
        self._outputs = outputs or {}
        self._within = within
        self._memo: dict[tuple[str, str], Value] = {("var", name): value for name, value in (inputs or {}).items()}
        self._depth = 0
        self._turns = itertools.count()

    def turns(self, items: int) -> bool:
        """Whether a loop over `items` may still be unrolled: nested loops multiply."""
        return items <= _MAX_TURNS and all(next(self._turns) < _MAX_TURNS for _ in range(items))

    def inside(self, iterator: str, key: Value, value: Value) -> "Scope":
        """This scope within one turn of a loop."""
        turns: dict[str, Value] = {**self._iterators, iterator: {"key": key, "value": value}}
        inner = Scope(self._named["var"], self._named["local"], turns, outputs=self._outputs, within=self._within)
        inner._memo = self._memo  # variables and locals do not see the loop
        inner._turns = self._turns
        return inner

    def evaluate(self, expression: Expression) -> Value:
        if isinstance(expression, Literal):
            return _legible(expression.value)
        if isinstance(expression, Opaque):
            targets = tuple(self._object(_address(name)) for name in expression.names)
            return Unknown(" and ".join(expression.names) or "an expression", targets)
        return _EVALUATORS[type(expression)](self, expression)

    def reference(self, reference: Reference) -> Value:
        written = tuple(map(self._step, reference.steps))
        root, *steps = written
        what = _written(written)
        if root in self._named and steps and isinstance(steps[0], str):
            value = _step_into(self._lookup(str(root), steps[0]), steps[1:], what)
            # What is not known of a variable is one thing for each way into it.
            return _of_instance(value, "" if None in written else repr(written))
        if root in self._iterators:
            return _step_into(self._iterators[str(root)], steps, what)
        if root == "module" and len(steps) > 1 and steps[0] in self._outputs:
            return _step_into(self._outputs[str(steps[0])], steps[1:], what)
        instance = _instance(reference, self._inside(written))
        return Unknown(what, (self._object(_address(what)),), instance=instance)

    def _inside(self, written: tuple[str | int | None, ...]) -> tuple[str | int | None, ...]:
        """The steps to an object, with the name that it has among those of other modules."""
        at = 2 if written[0] == "data" else 1
        if not self._within or len(written) <= at or not isinstance(written[at], str):
            return written
        return (*written[:at], f"{self._within}{written[at]}", *written[at + 1 :])

    def _object(self, address: str) -> str:
        """The address of an object of this module, among those of others."""
        if not self._within or not _names_object(address):
            return address
        type, _, name = address.rpartition(".")
        return f"{type}.{self._within}{name}"

    def _step(self, step: str | int | Literal | Reference | None) -> str | int | None:
        """A step with its index evaluated."""
        if isinstance(step, Literal | Reference):
            value = self.evaluate(step)
            return value if isinstance(value, str | int) else None
        return step

    def _lookup(self, root: str, name: str) -> Value:
        key = (root, name)
        if key not in self._memo:
            unknown = Unknown(f"{root}.{name}", (f"{root}.{name}",))
            expression = self._named[root].get(name)
            # While it is being evaluated it is not known: this is what ends a local that refers to itself.
            self._memo[key] = unknown
            if expression is not None and self._depth < _MAX_DEPTH:
                self._depth += 1
                self._memo[key] = self.evaluate(expression)
                self._depth -= 1
        return self._memo[key]

    def template(self, template: Template) -> Value:
        parts = [self.evaluate(part) for part in template.parts]
        parts = [part for part in parts if part != ""]
        if len(parts) == 1:
            return parts[0]
        return _joined(parts)

    def call(self, call: Call) -> Value:
        arguments = [self.evaluate(argument) for argument in call.arguments]
        function = _FUNCTIONS.get(call.name)
        if function and arguments:
            return function(arguments)
        return Unknown(f"{call.name}(…)", _targets(arguments))

    def choice(self, choice: Choice) -> Value:
        test = self.evaluate(choice.test)
        if isinstance(test, bool):
            return self.evaluate(choice.then if test else choice.otherwise)
        then, otherwise = self.evaluate(choice.then), self.evaluate(choice.otherwise)
        if isinstance(then, Scalar) and isinstance(otherwise, Scalar) and then == otherwise:
            return then
        what = test.what if isinstance(test, Unknown) else "a condition"
        return Unknown(what, _targets([then, otherwise]))

    def pairs(self, pairs: Pairs) -> Value:
        result: dict[str, Value] = {}
        for key, value in pairs.pairs:
            name = self.evaluate(key)
            if isinstance(name, str):
                result[name] = self.evaluate(value)
        return result


def _legible(value: Scalar) -> Value:
    """A text with characters that nobody sees, or that look like others, is not what it seems."""
    if isinstance(value, str) and not value.isascii() and DISGUISE.search(value):
        return Unknown("a text with hidden or full-width characters")
    return value


def document(value: Value) -> Value:
    """The data of a JSON document: `jsonencode(…)` is data already, a text is read, and what a template
    leaves open stays unknown inside the data."""
    if isinstance(value, str):
        return _from_json(value, ())
    if isinstance(value, Unknown) and value.parts:
        marked = "".join(
            part if isinstance(part, str) else f"\ue000{index}\ue001" for index, part in enumerate(value.parts)
        )
        data = _from_json(marked, value.parts)
        return value if isinstance(data, Unknown) else data
    return value


def leaves(value: Value) -> Iterator[Scalar | Unknown]:
    """Every scalar and unknown in `value`; past a bound, that the rest is unknown."""
    stack: list[Value] = [value]
    for visited in itertools.count():
        if not stack:
            return
        if visited == _MAX_LEAVES:
            yield Unknown("a very long list")
            return
        top = stack.pop()
        if isinstance(top, tuple):
            stack.extend(reversed(top[:_MAX_ITEMS]))
        elif isinstance(top, Mapping):
            stack.extend(reversed(list(top.values())))
        else:
            yield top


def targets_of(value: Value) -> tuple[str, ...]:
    """The addresses that `value` refers to, where it is unknown."""
    return value.targets if isinstance(value, Unknown) else ()


def _targets(values: Iterable[Value]) -> tuple[str, ...]:
    """The addresses that `values` refer to, each once and not without end: unknowns are made of unknowns."""
    return tuple(itertools.islice(dict.fromkeys(target for value in values for target in targets_of(value)), 20))


def _joined(parts: list[Value]) -> Value:
    if all(isinstance(part, str | int | float | bool) for part in parts):
        text = [part if isinstance(part, str) else json.dumps(part) for part in parts]
        if sum(map(len, text)) <= _MAX_TEXT:
            return "".join(text)
        return Unknown("a very long text")
    unknown = [part for part in parts if isinstance(part, Unknown)]
    what = unknown[0].what if unknown else "a text made of lists"
    flat = tuple(inner for part in parts for inner in (part.parts or (part,) if isinstance(part, Unknown) else (part,)))
    return Unknown(what, _targets(unknown), flat if len(flat) <= _MAX_ITEMS else ())


def _step_into(value: Value, steps: list[str | int | None], what: str) -> Value:
    for step in steps:
        if isinstance(value, Mapping) and isinstance(step, str):
            value = value.get(step)
        elif isinstance(value, tuple) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return value if isinstance(value, Unknown) else Unknown(what)
    return value


def _of_instance(value: Value, instance: str) -> Value:
    if isinstance(value, Unknown) and not value.instance and not value.parts and len(value.targets) == 1:
        root = value.targets[0].partition(".")[0]
        if root in {"var", "local"}:
            return msgspec.structs.replace(value, instance=instance)
    return value


def _instance(reference: Reference, written: tuple[str | int | None, ...]) -> str:
    """The object that a reference leads to, with its index."""
    if not _names_object(_written(written)):
        return ""
    length = 3 if written[0] in {"data", "module"} else 2
    index = reference.steps[length : length + 1]
    if not index or isinstance(index[0], str):
        return repr(written[:length])
    return "" if written[length] is None else repr(written[: length + 1])


def _written(steps: tuple[str | int | None, ...]) -> str:
    """The reference as a person writes it, cut where it gets long."""
    return ".".join("*" if step is None else str(step) for step in steps[:6])[:80]


def _names_object(target: str) -> bool:
    root, _, step = target.partition(".")
    return root in {"data", "module"} or ("_" in root and step not in {"key", "value"})


def _address(name: str) -> str:
    """`aws_s3_bucket.b.id` → `aws_s3_bucket.b`; `data.` counts as part of the type."""
    parts = name.split(".")
    return ".".join(parts[:3] if parts[0] == "data" else parts[:2])


def _from_json(text: str, parts: tuple[Value, ...]) -> Value:
    try:
        return _restored(json.loads(text), parts)
    except (ValueError, RecursionError):
        return Unknown("a document that is not JSON")


def _restored(data: Any, parts: tuple[Value, ...]) -> Value:
    """Parsed JSON as a value, with the marks of unknown parts turned back. The JSON parser bounds the
    depth.
    """
    if isinstance(data, dict):
        return {key: _restored(value, parts) for key, value in data.items()}
    if isinstance(data, list):
        return tuple(_restored(item, parts) for item in data)
    if not isinstance(data, str) or "\ue000" not in data:
        return data
    pieces: list[Value] = []
    for index, piece in enumerate(data.replace("\ue001", "\ue000").split("\ue000")):
        if index % 2 == 0:
            pieces.append(piece)
        elif piece.isdigit() and int(piece) < len(parts):
            pieces.append(parts[int(piece)])
    pieces = [piece for piece in pieces if piece != ""]
    return pieces[0] if len(pieces) == 1 else _joined(pieces)


def _concat(arguments: list[Value]) -> Value:
    if all(isinstance(argument, tuple) for argument in arguments):
        items = tuple(item for argument in arguments if isinstance(argument, tuple) for item in argument)
        return items if len(items) <= _MAX_ITEMS else Unknown("a very long list")
    return Unknown("concat(…)", _targets(arguments))


def _merge(arguments: list[Value]) -> Value:
    result: dict[str, Value] = {}
    for argument in arguments:
        if not isinstance(argument, Mapping):
            return Unknown("merge(…)", targets_of(argument))
        result.update(argument)
    return result


def _same(arguments: list[Value]) -> Value:
    return arguments[0]


_FUNCTIONS: Final[Mapping[str, Callable[[list[Value]], Value]]] = {
    "jsonencode": _same,
    "jsondecode": lambda arguments: document(arguments[0]),
    "sensitive": _same,
    "nonsensitive": _same,
    "tolist": _same,
    "toset": _same,
    "tomap": _same,
    "tostring": _same,
    "tobool": _same,
    "concat": _concat,
    "merge": _merge,
}

_EVALUATORS: Final[Mapping[type, Callable[[Scope, Any], Value]]] = {
    Template: Scope.template,
    Reference: Scope.reference,
    Call: Scope.call,
    Choice: Scope.choice,
    Pairs: Scope.pairs,
    Items: lambda scope, items: tuple(scope.evaluate(item) for item in items.items),
}
