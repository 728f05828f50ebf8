"""Lint: faults in a constitution that loads.

What cannot be read is an error of `load`; what can be read and is still a mistake is found here. A rule is a small
function in `rules/`; its id is the name of its module and its own, and its docstring is what `explain` prints.
"""

import inspect
from collections.abc import Mapping
from types import MappingProxyType, ModuleType
from typing import Final

import msgspec

from lawspeaker.constitution.rules import correctness, evidence, scope, wording
from lawspeaker.constitution.rules.fault import Examine
from lawspeaker.constitution.schema import Constitution


class LintMessage(msgspec.Struct, frozen=True):
    """One fault: what is wrong and where. `rule` is a key of `RULES`."""

    rule: str
    path: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.message} [{self.rule}]"


def _named(module: ModuleType) -> dict[str, Examine]:
    kind = module.__name__.rpartition(".")[2]
    return {f"{kind}/{examine.__name__.replace('_', '-')}": examine for examine in module.RULES}


RULES: Final[Mapping[str, Examine]] = MappingProxyType(
    {**_named(correctness), **_named(evidence), **_named(wording), **_named(scope)}
)


def lint(constitution: Constitution) -> list[LintMessage]:
    """The faults of `constitution` and of what it extends, by file and line."""
    return sorted(
        (
            LintMessage(rule, fault.place.path, fault.place.line, fault.place.column, fault.message)
            for principle in constitution.principles
            for rule, examine in RULES.items()
            for fault in examine(principle, constitution)
        ),
        key=lambda message: (message.path, message.line, message.column, message.rule),
    )


def explanation(rule: str) -> str:
    """What the rule finds and what to do about it. Raises `KeyError`."""
    return inspect.getdoc(RULES[rule]) or ""
