"""Lint: faults in a constitution that loads.

What cannot be read is an error of `load`; what can be read and is still a mistake is found here. A rule is a small
function in `rules/`; its id is the name of its module and its own, and its docstring holds its explanation and its two
examples (see `rules/fault.py`), which `explain` prints, `docs/lint/` shows and the tests run.
"""

import inspect
import re
from collections.abc import Mapping
from types import MappingProxyType, ModuleType
from typing import Final

import msgspec

from lawspeaker.constitution.rules import composition, correctness, crosswalk, deployment, evidence, scope, wording
from lawspeaker.constitution.rules.fault import Edit, Examine, ExamineLaw, Fault
from lawspeaker.constitution.schema import Constitution

_DOCSTRING: Final = re.compile(r"(?s)(?P<text>.*?)\s*^Fails:\n(?P<fails>.*?)^Passes:\n(?P<passes>.*)", re.MULTILINE)


class LintMessage(msgspec.Struct, frozen=True):
    """One fault: what is wrong and where. `rule` is a key of `RULES`; `fix` is an edit that a machine may make."""

    rule: str
    path: str
    line: int
    column: int
    message: str
    fix: Edit | None = None

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.message} [{self.rule}]"


class Page(msgspec.Struct, frozen=True):
    """What a rule says of itself: what it finds and what to do, a fragment that it faults and one that it does not."""

    rule: str
    text: str
    fails: str
    passes: str


def _named(module: ModuleType, field: str) -> dict[str, Examine]:
    kind = module.__name__.rpartition(".")[2]
    return {f"{kind}/{rule.__name__.replace('_', '-')}": rule for rule in getattr(module, field, ())}


_MODULES: Final = (correctness, evidence, wording, scope, crosswalk, composition, deployment)
_OF_PRINCIPLES: Final[Mapping[str, Examine]] = {
    id: rule for module in _MODULES for id, rule in _named(module, "RULES").items()
}
_OF_LAWS: Final[Mapping[str, ExamineLaw]] = {
    f"{module.__name__.rpartition('.')[2]}/{rule.__name__.replace('_', '-')}": rule
    for module in _MODULES
    for rule in getattr(module, "LAW_RULES", ())
}
RULES: Final[Mapping[str, Examine | ExamineLaw]] = MappingProxyType({**_OF_PRINCIPLES, **_OF_LAWS})


def lint(constitution: Constitution) -> list[LintMessage]:
    """The faults of `constitution` and of what it extends, by file and line."""
    found = [
        _message(rule, fault)
        for principle in constitution.principles
        for rule, examine in _OF_PRINCIPLES.items()
        for fault in examine(principle, constitution)
    ]
    found += [_message(rule, fault) for rule, examine in _OF_LAWS.items() for fault in examine(constitution)]
    return sorted(found, key=lambda message: (message.path, message.line, message.column, message.rule))


def page(rule: str) -> Page:
    """The page of a rule. Raises `KeyError`."""
    found = _DOCSTRING.match(inspect.getdoc(RULES[rule]) or "")
    if found is None:
        raise TypeError(f"the docstring of {rule} has no examples")
    fails, passes = (inspect.cleandoc("\n" + found[name]) for name in ("fails", "passes"))
    return Page(rule, found["text"], fails, passes)


def explanation(rule: str) -> str:
    """What the rule finds and what to do about it. Raises `KeyError`."""
    return page(rule).text


def _message(rule: str, fault: Fault) -> LintMessage:
    place = fault.place
    return LintMessage(rule, place.path, place.line, place.column, fault.message, fault.fix)
