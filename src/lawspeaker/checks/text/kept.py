"""Results that are kept for whoever asks for the same next: the checks of a law read the same texts one after another.

What is kept is bounded by the characters that it was made from, since what is made of a large text is large, and by
the number of results. The latest is kept whatever its size, so memory holds one large text's result at most.
"""

import functools
from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Final, ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")
CHARACTERS: Final = 500_000


def kept(
    weigh: Callable[_P, int], *, most: int, characters: int = CHARACTERS
) -> Callable[[Callable[_P, _T]], Callable[_P, _T]]:
    """Keeps the last results of a function of hashable arguments: `most` of them, and of so many `characters` together
    as `weigh` tells of their arguments. Two threads that ask for the same at once both work it out."""

    def keeping(make: Callable[_P, _T]) -> Callable[_P, _T]:
        results: OrderedDict[Hashable, tuple[_T, int]] = OrderedDict()
        lock, total = Lock(), 0

        @functools.wraps(make)
        def ask(*args: _P.args, **kwargs: _P.kwargs) -> _T:
            nonlocal total
            key = (args, tuple(kwargs.items())) if kwargs else args
            with lock:
                if (found := results.get(key)) is not None:
                    results.move_to_end(key)
                    return found[0]
            made, weight = make(*args, **kwargs), weigh(*args, **kwargs)
            with lock:
                if key not in results:
                    results[key] = made, weight
                    total += weight
                while len(results) > 1 and (len(results) > most or total > characters):
                    _, (_, gone) = results.popitem(last=False)
                    total -= gone
            return made

        return ask

    return keeping


def length(text: str) -> int:
    """What the result of one text weighs."""
    return len(text)
