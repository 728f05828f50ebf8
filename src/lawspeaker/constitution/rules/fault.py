"""What a lint rule is: a function that finds faults in one principle, or in a law as a whole.

Its docstring explains it: what is wrong and what to do, then a YAML fragment after `Fails:` that it faults and one
after `Passes:` that it does not. The pages in `docs/lint/` are made from it and the tests run both fragments, each laid
over a small law without fault (`null` takes a field away, keys of a constitution go to its head).
"""

from collections.abc import Callable, Iterator

import msgspec

from lawspeaker.constitution.schema import Constitution, Principle
from lawspeaker.constitution.source import Place


class Edit(msgspec.Struct, frozen=True):
    """A change of one line of a file: the last `old` in it becomes `new`; with `whole` the line goes, if it begins with
    `old`."""

    place: Place
    old: str
    new: str = ""
    whole: bool = False


class Fault(msgspec.Struct, frozen=True):
    """What is wrong at one place, and what would be right; `fix` where that is safe to do without a person."""

    place: Place
    message: str
    fix: Edit | None = None


Examine = Callable[[Principle, Constitution], Iterator[Fault]]
ExamineLaw = Callable[[Constitution], Iterator[Fault]]
