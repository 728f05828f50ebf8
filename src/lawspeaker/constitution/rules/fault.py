"""What a lint rule is: a function that finds faults in one principle, and whose docstring explains them."""

from collections.abc import Callable, Iterator

import msgspec

from lawspeaker.constitution.schema import Constitution, Principle
from lawspeaker.constitution.source import Place


class Fault(msgspec.Struct, frozen=True):
    """What is wrong at one place, and what would be right."""

    place: Place
    message: str


Examine = Callable[[Principle, Constitution], Iterator[Fault]]
