"""What an expression comes to, as far as the program itself says.

Known are literals, variables by their defaults, locals, what a resource of the program says of itself, conditions,
loops, and the functions of `functions.py`. Everything else is `Unknown` and says which value is not known; a rule that
needs it is inconclusive. Widen this module, not the rules, to know more. Self-referring locals, long chains and values
that grow by doubling end in `Unknown` too."""

import copy
import itertools
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from lawspeaker.checks.terraform.functions import called, made_of, one_of, operated
from lawspeaker.checks.terraform.syntax import (
    Block,
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
    Scalar,
    Template,
)
from lawspeaker.checks.terraform.values import DISGUISE, Unknown, Value, joined, leaves, names_object, step_into

_MAX_DEPTH: Final = 40
_MAX_TURNS: Final = 1_000
# Characters and items that are made for one module: a short program can ask for very many.
_MAX_MADE: Final = 5_000_000
_LONG: Final = Unknown("a very long value", open=True)
# What an object is called: other resources refer to it by them, and whoever reads a rule wants to know which it is.
_CALLED: Final = re.compile(r"bucket|(?:.*_)?(?:ids?|arns?|names?|identifier|links?|urls?)")
# What carries any text at all, whoever wrote it.
_CARRIES: Final = re.compile(
    r"tags|tags_all|labels|annotations|description|comment|input|output|triggers|triggers_replace|keepers|metadata"
)
_OWN: Final = ("terraform_data", "null_resource")
_CARRIERS: Final = re.compile(
    r"terraform_data|null_resource|local_(?:sensitive_)?file|(?:aws_)?ssm_parameter|aws_ssm_parameter|"
    r"data\.(?:external|http|template_file|template_cloudinit_config|null_data_source|local_(?:sensitive_)?file|"
    r"aws_ssm_parameters?(?:_by_path)?|aws_secretsmanager_secret_version|vault_\w+)"
)


class Scope:
    """What names mean in one module. `objects` are its resources by address; `inputs` are the variables that a call of
    the module sets; `outputs` what the modules that it calls give back, where that is known. `within` goes before the
    name of every object, so that those of several modules are told apart."""

    def __init__(
        self,
        variables: Mapping[str, Expression],
        local: Mapping[str, Expression],
        *,
        inputs: Mapping[str, Value] | None = None,
        objects: Mapping[str, Block] | None = None,
        outputs: Mapping[str, Mapping[str, Value]] | None = None,
        within: str = "",
    ) -> None:
        self._named = {"var": variables, "local": local}
        self._iterators: Mapping[str, Value] = {}
        self._objects = objects or {}
        self._outputs = outputs or {}
        self._within = within
        self._root = self
        self._memo: dict[tuple[str, str], Value] = {("var", name): value for name, value in (inputs or {}).items()}
        self._depth = 0
        self._made = 0
        self._turns = itertools.count()

    def turns(self, items: int) -> bool:
        """Whether a loop over `items` may still be unrolled: nested loops multiply."""
        root = self._root
        return items <= _MAX_TURNS and all(next(root._turns) < _MAX_TURNS for _ in range(items))

    def inside(self, iterators: Mapping[str, Value]) -> "Scope":
        """This scope within one turn of a loop, where `iterators` have names."""
        inner = copy.copy(self)
        inner._iterators = {**self._iterators, **iterators}
        return inner

    def evaluate(self, expression: Expression) -> Value:
        if isinstance(expression, Literal):
            return _legible(expression.value)
        if isinstance(expression, Opaque):
            targets = tuple(self._object(_address(name)) for name in expression.names)
            return Unknown(" and ".join(expression.names[:3]) or "an expression", targets, open=expression.open)
        value = _EVALUATORS[type(expression)](self, expression)
        if not isinstance(expression, Reference) and isinstance(value, str | tuple | Mapping):
            self._root._made += len(value)
        return _LONG if self._root._made > _MAX_MADE else value

    def reference(self, reference: Reference) -> Value:
        written = tuple(map(self._step, reference.steps))
        root, *steps = written
        what = _written(written)
        if root in self._iterators:
            return step_into(self._iterators[str(root)], steps, what)
        if root in self._named and steps and isinstance(steps[0], str):
            value = step_into(self._lookup(str(root), steps[0]), steps[1:], what)
            # What is not known of a variable is one thing for each way into it.
            return _of_instance(value, "" if None in written else repr(written))
        if root == "module" and len(steps) > 1 and steps[0] in self._outputs:
            return step_into(self._outputs[str(steps[0])], steps[1:], what)
        return self._attribute(reference, written, what)

    def _attribute(self, reference: Reference, written: tuple[str | int | None, ...], what: str) -> Value:
        """An attribute of an object: what the program says that it is, unless it is what the object is called."""
        at = 3 if written[0] == "data" else 2
        type, rest = ".".join(map(str, written[: at - 1])), list(written[at:])
        if rest and not isinstance(reference.steps[at], str):
            del rest[0]  # which one of several
        name = str(rest[0]) if rest else ""
        free = bool(_CARRIES.fullmatch(name) or _CARRIERS.fullmatch(type))
        address = ".".join(map(str, written[:at]))
        block = self._objects.get(address)
        if block is not None and rest and (type in _OWN or not _CALLED.fullmatch(name)):
            said = step_into(self._said(block, address, name), rest[1:], what)
            if not any(isinstance(leaf, Unknown) for leaf in leaves(said)) and said is not None:
                return said
        instance = _instance(reference, self._inside(written))
        return Unknown(what, (self._object(_address(what)),), instance=instance, open=free)

    def _said(self, block: Block, address: str, name: str) -> Value:
        """What `block` sets `name` to."""
        written = "input" if address.startswith("terraform_data.") and name == "output" else name
        attribute = block.attributes.get(written)
        return self._remembered((address, written), attribute.value if attribute else None, Unknown(name))

    def _inside(self, written: tuple[str | int | None, ...]) -> tuple[str | int | None, ...]:
        """The steps to an object, with the name that it has among those of other modules."""
        at = 2 if written[0] == "data" else 1
        if not self._within or len(written) <= at or not isinstance(written[at], str):
            return written
        return (*written[:at], f"{self._within}{written[at]}", *written[at + 1 :])

    def _object(self, address: str) -> str:
        """The address of an object of this module, among those of others."""
        if not self._within or not names_object(address):
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
        unknown = Unknown(f"{root}.{name}", (f"{root}.{name}",))
        return self._remembered((root, name), self._named[root].get(name), unknown)

    def _remembered(self, key: tuple[str, str], expression: Expression | None, unknown: Unknown) -> Value:
        """What `expression` comes to where no loop is around it."""
        root = self._root
        if key not in root._memo:
            # While it is being evaluated it is not known: this is what ends a local that refers to itself.
            root._memo[key] = unknown
            if expression is not None and root._depth < _MAX_DEPTH:
                root._depth += 1
                root._memo[key] = root.evaluate(expression)
                root._depth -= 1
        return root._memo[key]

    def template(self, template: Template) -> Value:
        parts = [self.evaluate(part) for part in template.parts]
        parts = [part for part in parts if part != ""]
        if len(parts) == 1:
            return parts[0]
        return joined(parts)

    def call(self, call: Call) -> Value:
        return called(call.name, [self.evaluate(argument) for argument in call.arguments])

    def operation(self, operation: Operation) -> Value:
        return operated(operation.sign, [self.evaluate(operand) for operand in operation.operands])

    def into(self, into: Into) -> Value:
        value = self.evaluate(into.base)
        steps = list(map(self._step, into.steps))
        return step_into(value, steps, value.what if isinstance(value, Unknown) else "an item")

    def choice(self, choice: Choice) -> Value:
        test = self.evaluate(choice.test)
        if test in (True, "true") or test in (False, "false"):
            return self.evaluate(choice.then if test in (True, "true") else choice.otherwise)
        then, otherwise = self.evaluate(choice.then), self.evaluate(choice.otherwise)
        if isinstance(then, Scalar) and isinstance(otherwise, Scalar) and then == otherwise:
            return then
        return one_of(test.what if isinstance(test, Unknown) else "a condition", [then, otherwise])

    def loop(self, loop: Loop) -> Value:
        items = self.evaluate(loop.items)
        turns, known = self._items(items)
        results: list[tuple[Value, Value]] = []
        for key, value in turns:
            inner = self.inside({loop.value: value, **({loop.key: key} if loop.key else {})})
            test = inner.evaluate(loop.test) if loop.test else True
            if test is not False:
                known = known and test is True
                results.append((inner.evaluate(loop.name) if loop.name else None, inner.evaluate(loop.result)))
        if known and loop.name is None:
            return tuple(value for _, value in results)
        if known and all(_is_key(name) for name, _ in results):
            return {_key(name): value for name, value in results}
        return one_of(items.what if isinstance(items, Unknown) else "a loop", [value for _, value in results])

    def _items(self, items: Value) -> tuple[list[tuple[Value, Value]], bool]:
        """What a loop over `items` meets, and whether that is known; if not, one thing that stands for all of them."""
        if isinstance(items, Mapping) and self.turns(len(items)):
            return list(items.items()), True
        if isinstance(items, tuple) and self.turns(len(items)):
            return list(enumerate(items)), True
        return [(Unknown("a key"), items if isinstance(items, Unknown) else Unknown("an item"))], False

    def pairs(self, pairs: Pairs) -> Value:
        result: dict[str, Value] = {}
        for key, value in pairs.pairs:
            name = self.evaluate(key)
            if not _is_key(name):
                # Nobody knows which entry that is, or whether it stands in place of another.
                values = [self.evaluate(each) for _, each in pairs.pairs]
                return made_of(name.what if isinstance(name, Unknown) else "a key", values, words=True)
            result[_key(name)] = self.evaluate(value)
        return result


def _is_key(value: Value) -> bool:
    return isinstance(value, str | int | float)


def _key(value: Value) -> str:
    """A key, which is a text in Terraform whatever it is written as."""
    return value if isinstance(value, str) else json.dumps(value)


def _legible(value: Scalar) -> Value:
    """A text with characters that nobody sees, or that look like others, is not what it seems."""
    if isinstance(value, str) and not value.isascii() and DISGUISE.search(value):
        return Unknown("a text with hidden or full-width characters")
    return value


def _of_instance(value: Value, instance: str) -> Value:
    if isinstance(value, Unknown) and not value.instance and not value.parts and len(value.targets) == 1:
        root = value.targets[0].partition(".")[0]
        if root in {"var", "local"}:
            return msgspec.structs.replace(value, instance=instance)
    return value


def _instance(reference: Reference, written: tuple[str | int | None, ...]) -> str:
    """The object that a reference leads to, with its index."""
    if not names_object(_written(written)):
        return ""
    length = 3 if written[0] in {"data", "module"} else 2
    index = reference.steps[length : length + 1]
    if not index or isinstance(index[0], str):
        return repr(written[:length])
    return "" if written[length] is None else repr(written[: length + 1])


def _written(steps: tuple[str | int | None, ...]) -> str:
    """The reference as a person writes it, cut where it gets long."""
    return ".".join("*" if step is None else str(step) for step in steps[:6])[:80]


def _address(name: str) -> str:
    """`aws_s3_bucket.b.id` → `aws_s3_bucket.b`; `data.` counts as part of the type."""
    parts = name.split(".")
    return ".".join(parts[:3] if parts[0] == "data" else parts[:2])


_EVALUATORS: Final[Mapping[type, Callable[[Scope, Any], Value]]] = {
    Template: Scope.template,
    Reference: Scope.reference,
    Call: Scope.call,
    Choice: Scope.choice,
    Operation: Scope.operation,
    Into: Scope.into,
    Loop: Scope.loop,
    Pairs: Scope.pairs,
    Items: lambda scope, items: tuple(scope.evaluate(item) for item in items.items),
}
