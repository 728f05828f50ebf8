"""Plans and states in JSON (`terraform show -json`), as the resources that the rules judge.

A plan says what will be, with every variable, loop and module resolved. A value that is known only after it is
applied is unknown and refers to what the configuration says; one that the configuration leaves to the provider is
absent, as it is in the program.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from lawspeaker.checks.terraform.drawn import drawn, gathered
from lawspeaker.checks.terraform.module import Module, Place, Resource
from lawspeaker.checks.terraform.values import Unknown, Value

_MAX_CHARACTERS: Final = 20_000_000
_MAX_RESOURCES: Final = 20_000
_ADDRESS: Final = re.compile(r'"address"\s{0,20}+:\s{0,20}+("(?:[^"\\]|\\.)*+")')
_STEP: Final = re.compile(r"(data\.)?([\w-]+)\.([\w-]+)")
_MODULE: Final = re.compile(r"module\.([\w-]+)(\[[^\]]*\])?")


def plan(text: str) -> Module | None:
    """The resources of a plan or state; None where `text` is neither, or is too much to read. Never raises."""
    if len(text) > _MAX_CHARACTERS:
        return None
    try:
        data = json.loads(text)
        return _module(text, data) if isinstance(data, dict) else None
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return None  # a plan in another shape than is documented


def _module(text: str, data: dict[str, Any]) -> Module | None:
    changes = data.get("resource_changes")
    if isinstance(changes, list):
        found = [_Planned(item, item["change"]) for item in changes if item["change"].get("after") is not None]
    elif isinstance(data.get("values"), dict):
        found = [_Planned(item, {"after": item.get("values")}) for item in _stated(data["values"]["root_module"])]
    else:
        return None
    if len(found) > _MAX_RESOURCES:
        return None
    places = _places(text)
    reader = _Reader(found, data.get("configuration", {}).get("root_module", {}))
    return gathered(text, [reader.resource(item, places.get(item.address, (0, 0))) for item in found])


def _stated(module: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The resources of a state, those of its modules too."""
    yield from module.get("resources", ())
    for child in module.get("child_modules", ()):
        yield from _stated(child)


def _places(text: str) -> dict[str, tuple[int, int]]:
    """Where each address is written first."""
    found: dict[str, tuple[int, int]] = {}
    for match in _ADDRESS.finditer(text):
        found.setdefault(json.loads(match[1]), match.span())
    return found


class _Planned:
    """One resource of a plan."""

    def __init__(self, item: dict[str, Any], change: dict[str, Any]) -> None:
        self.address = str(item["address"])
        self.after: Any = change["after"]
        self.unknown: Any = change.get("after_unknown", {})
        self.type = f"data.{item['type']}" if item.get("mode") == "data" else str(item["type"])
        self.own = str(item["name"])
        self.index = item.get("index")
        modules = _MODULE.findall(str(item.get("module_address", "")))
        self.modules = tuple(name for name, _ in modules)
        self.path = "/".join(f"{name}{index}" for name, index in modules)
        whole = f"{self.path}/{self.own}" if self.path else self.own
        # Addresses are cut at dots.
        self.name = (whole if self.index is None else f"{whole}[{self.index}]").replace(".", "_")


class _Reader:
    """Turns planned values into values that know what they refer to."""

    def __init__(self, found: list[_Planned], configuration: dict[str, Any]) -> None:
        self._configuration = configuration
        self._instances: dict[tuple[str, str, str], list[_Planned]] = {}
        for item in found:
            self._instances.setdefault((item.path, item.type, item.own), []).append(item)

    def resource(self, item: _Planned, place: tuple[int, int]) -> Resource:
        expressions = self._expressions(item)
        values = self._object(item, item.after, item.unknown, expressions)
        return drawn(item.type, item.name, values, Place(0, *place), absent=None)

    def _expressions(self, item: _Planned) -> dict[str, Any] | None:
        """What the configuration sets of `item`; None where it is not there."""
        module = self._configuration
        for name in item.modules:
            module = module.get("module_calls", {}).get(name, {}).get("module", {})
        type = item.type.removeprefix("data.")
        mode = "data" if item.type.startswith("data.") else "managed"
        for resource in module.get("resources", ()):
            if (resource.get("type"), resource.get("name"), resource.get("mode")) == (type, item.own, mode):
                return dict(resource.get("expressions", {}))
        return None

    def _object(
        self, item: _Planned, after: dict[str, Any], unknown: Any, expressions: dict[str, Any] | None
    ) -> Mapping[str, Value]:
        unknown = unknown if isinstance(unknown, dict) else {}
        names = [*after, *(name for name in unknown if name not in after)]
        result: dict[str, Value] = {}
        for name in names:
            if unknown.get(name) is True:
                if expressions is None or name in expressions:
                    result[name] = self._reference(item, name, (expressions or {}).get(name))
            else:
                result[name] = self._value(item, after.get(name), unknown.get(name), (expressions or {}).get(name))
        return result

    def _value(self, item: _Planned, after: Any, unknown: Any, expression: Any) -> Value:
        if unknown is True:
            return self._reference(item, "a value", expression)
        if isinstance(after, dict):
            return self._object(item, after, unknown, expression if _is_block(expression) else None)
        if isinstance(after, list):
            marks = unknown if isinstance(unknown, list) else []
            several = expression if isinstance(expression, list) else []
            return tuple(
                self._value(
                    item,
                    value,
                    marks[at] if at < len(marks) else None,
                    several[at] if at < len(several) else expression if isinstance(expression, dict) else None,
                )
                for at, value in enumerate(after)
            )
        return after if isinstance(after, str | int | float | bool) else None

    def _reference(self, item: _Planned, name: str, expression: Any) -> Unknown:
        """What is known only later, with the resources that the configuration takes it from."""
        written = expression.get("references", ()) if isinstance(expression, dict) else ()
        targets: dict[str, None] = {}
        for reference in written:
            step = _STEP.match(str(reference))
            if step:
                type = f"data.{step[2]}" if step[1] else step[2]
                several = self._instances.get((item.path, type, step[3]), ())
                same = [other for other in several if other.index == item.index]
                targets.update(dict.fromkeys(f"{type}.{other.name}" for other in same or several))
        address = next(iter(targets)) if len(targets) == 1 else ""
        instance = repr(tuple(address.split("."))) if address else ""
        return Unknown(f"{item.own}.{name}", tuple(targets), instance=instance)


def _is_block(expression: Any) -> bool:
    """Whether an expression is that of a nested block, and not of an attribute."""
    return isinstance(expression, dict) and "references" not in expression and "constant_value" not in expression
