"""What several checks say of a text together, before any of them is run.

Most texts hold nothing that a check looks for. The patterns that a constitution brings are searched for in one pass,
however many checks have them; a kind that has formats of its own has one pass for all its checks. So a check is run
only where one of its patterns may occur, and of a text that goes on, all are asked once what is undecided. The outcome
is what it would be if each were asked.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cached_property, lru_cache, partial
from typing import Final, TypeGuard, get_args

from lawspeaker.checks.pattern import PatternCheck
from lawspeaker.checks.personal_data.kind import PersonalDataCheck
from lawspeaker.checks.processes.task import Findings, Task
from lawspeaker.checks.secrets.kind import SecretsCheck
from lawspeaker.checks.text.prefixes import Beginnings
from lawspeaker.checks.text.regex import Joined
from lawspeaker.checks.text.sightings import texts
from lawspeaker.checks.text.undecided import undecided_in
from lawspeaker.constitution.kinds import Check, Undecided, undecided
from lawspeaker.errors import LawspeakerError, boundary
from lawspeaker.exchange import Exchange

# What they find occurs in one of `sightings.texts`; there is none where they are clear of all of these.
Sifted = PatternCheck | SecretsCheck | PersonalDataCheck
_SIFTED: Final = frozenset(get_args(Sifted))


class Sieve:
    """Several checks, each named by its place among them."""

    def __init__(self, checks: Sequence[Check]) -> None:
        self._own = {
            number: check
            for number, check in enumerate(checks)
            if _is_ours(check) and isinstance(check, PatternCheck) and check.patterns
        }
        self._others = {number: check for number, check in enumerate(checks) if number not in self._own}
        self._joined = Joined([check.patterns for check in self._own.values()])
        self._numbers = tuple(self._own)
        self._clear = {
            number: check.clear
            for number, check in self._others.items()
            if isinstance(check, Undecided) and (_is_ours(check) or not isinstance(check, Sifted))
        }

    def concerned(self, text: str) -> set[int]:
        """The checks that may find something in `text`, where it has no other form; all others find nothing."""
        found = {self._numbers[each] for each in self._joined.occurring(text)}
        return found.union(n for n in self._others if n not in self._clear or not self._clear[n](text))

    def undecided(self, text: str, done: int = -1) -> int:
        """From which place of `text` on, if it goes on, what some check finds may still be another. Where that is not
        after `done`, any place up to there."""
        place = len(text)
        for tell in self._tellers:
            place = min(place, tell(text))
            if place <= done:
                break
        return place

    @cached_property
    def _tellers(self) -> list[Callable[[str], int]]:
        own = list(self._own.values())
        tellers = [
            check.undecided if isinstance(check, Undecided) else partial(undecided, check)
            for check in self._others.values()
        ]
        begun = [beginning for check in own for beginning in check.begun or ()]
        joined = Beginnings(begun if all(check.begun for check in own) else None)
        if own and joined.told:
            return [lambda text: undecided_in(text, joined.first), *tellers]
        return [*(check.undecided for check in own), *tellers]


def _is_ours(check: Check) -> TypeGuard[Sifted]:
    """A check that was made of one of these is not one of them: it may find what they do not."""
    return type(check) in _SIFTED


@lru_cache(maxsize=64)
def _sieve(checks: tuple[Sifted, ...]) -> Sieve:
    return Sieve(checks)


def cleared(exchange: Exchange, tasks: Sequence[Task]) -> list[Findings]:
    """What each task finds, where its check is clear of all that it reads; nothing for a task that is to be run."""
    done: list[Findings] = [()] * len(tasks)
    # A text that cannot be read is spoken of by each check.
    with suppress(LawspeakerError), boundary("looking for what checks may find"):
        sifted = {
            number: task.check
            for number, task in enumerate(tasks)
            if not task.idle and _is_ours(task.check) and task.check.principle == task.job.principle
        }
        sieve = _sieve(tuple(sifted.values()))
        read = {scopes: set(texts(exchange, scopes)) for scopes in {tasks[number].job.scopes for number in sifted}}
        concerned = {text: sieve.concerned(text) for text in set().union(*read.values())}
        found = {scopes: set().union(*(concerned[text] for text in some)) for scopes, some in read.items()}
        for place, (number, check) in enumerate(sifted.items()):
            if place not in found[tasks[number].job.scopes]:
                done[number] = check.nothing
    return done
