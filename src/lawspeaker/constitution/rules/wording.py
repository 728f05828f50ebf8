"""Rules about what people and models are to read."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from lawspeaker.constitution.rules.fault import Examine, Fault
from lawspeaker.constitution.schema import Constitution, Principle

_OBLIGATION: Final = re.compile(r"\b(?:must|shall|never|always|only|may not|cannot|do not)\b", re.IGNORECASE)
_LONG: Final = 300
_PROSE: Final = ("text", "because", "critique", "revision")


def no_obligation(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """The text states no duty: it has neither must nor must not, never, always or only. A model that is
    asked whether an answer upholds it has nothing to hold the answer against."""
    if not _OBLIGATION.search(principle.text):
        yield Fault(principle.place("text"), "the text states no duty; say what must or must not be")


def no_reason(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """`because` is missing. People keep a rule that they understand, and models generalise from reasons."""
    if not principle.because:
        yield Fault(principle.place(), f"'{principle.id}' gives no reason; add because")


def no_critique(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """A principle with `on_violation: revise` has no `critique`: the critic is not told what to look for."""
    if principle.on_violation == "revise" and not principle.critique:
        yield Fault(principle.place("on_violation"), "on_violation: revise, and no critique says what to look for")


def long_text(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """The text is so long that it holds more than one rule. One rule, one principle: a finding then says
    which.
    """
    if len(principle.text) > _LONG:
        what = f"the text has {len(principle.text)} characters; above {_LONG} it is more than one rule"
        yield Fault(principle.place("text"), what)


def same_text(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """Two principles say the same, so that one violation counts twice. Remove one."""
    for other in law.principles:
        if other.id == principle.id:
            return
        if other.text.casefold() == principle.text.casefold():
            yield Fault(principle.place("text"), f"'{principle.id}' has the text of '{other.id}'")


def hidden_character(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """A text holds a character that a reviewer cannot see, or that reorders what is seen. Whoever approves
    a change of the law must see all of it."""
    for field in _PROSE:
        for character in getattr(principle, field):
            if unicodedata.category(character) in {"Cf", "Co", "Cc"} and character != "\n":
                what = f"{field} holds the invisible character U+{ord(character):04X}"
                yield Fault(principle.place(field), what)
                break


RULES: Final[tuple[Examine, ...]] = (
    no_obligation,
    no_reason,
    no_critique,
    long_text,
    same_text,
    hidden_character,
)
