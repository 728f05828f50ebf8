"""How much of a text that goes on is decided, for a check that reads it in all its forms.

What comes next may complete a code, join the last sign or make a word another one, so the text is read up to where its
forms stay as they are. In each form the check tells where a match may be under way, and the first of these places, in
the text as it stands, is the one.
"""

from collections.abc import Callable
from typing import Final

from lawspeaker.checks.text.kept import kept, length
from lawspeaker.checks.text.normal import settled
from lawspeaker.checks.text.prefixes import Beginnings
from lawspeaker.checks.text.readings import Form, forms

# The beginnings of what `payloads` decodes; a little more than that is no harm.
_CODES: Final = Beginnings(
    (
        r"(?:[A-Za-z0-9+/]{60}[A-Za-z0-9+/]*\r?\n[ \t]{0,16})*[A-Za-z0-9+/_=-]*\r?",
        r"\b(?:0x)?(?:[0-9a-fA-F]{2}[ :-]?)*[0-9a-fA-F]?",
        r"\b(?:0x[0-9a-fA-F]{2}[ ,]{0,2})*(?:0x?[0-9a-fA-F]?)?",
        r"\b(?:[01]{8}[ ]?)*[01]*",
        r"\b(?:[0-9]{2,3}[ ,;]{1,3})*[0-9]{0,3}",
        r"[!-~]*",
        r"[\"'\x60][ \t]{0,4}(?:[+&~|.<>]{0,2}\s{0,40}|\\?\r?\n?[ \t]{0,40})"
        r"(?:[\"'\x60][^\n\"'\x60]{0,202}(?:[\"'\x60][ \t]*)?)?",
        r"(?:%[0-9A-Fa-f]{2})*(?:%[0-9A-Fa-f]?)?",
        r"&(?:#?[xX]?[0-9A-Fa-f]{0,7}|[A-Za-z]{0,8})",
        r"(?:\\u[0-9a-fA-F]{4})*(?:\\(?:u[0-9a-fA-F]{0,3}|u\{[0-9a-fA-F]{0,6})?)?",
        r"(?:\\x[0-9a-fA-F]{2})*(?:\\(?:x[0-9a-fA-F]?)?)?",
        r"(?:\\[0-3][0-7]{2})*(?:\\(?:[0-3][0-7]?)?)?",
        r"(?:[.-]{1,6}[ /]{1,3})*[.-]{0,6}",
        r"[\x{e0020}-\x{e007e}]*",
        r"\b(?:[A-Za-z][ .\-_*|]{1,3})*[A-Za-z]?",
    )
)
# Codes in a row that are looked back over; a text of more is left undecided for now.
_MOST: Final = 12


def undecided_in(text: str, first: Callable[[str], int]) -> int:
    """From which place of `text` on, if it goes on, what is found in any form of it may still be another. `first` says
    so of one form; each match that it tells of begins there or later."""
    stays, others = _read(text)
    place = min(len(stays), first(stays))
    for form in others:
        end = min(first(form.text), _before_codes(form.text))
        if end < len(form.text):
            place = min(place, form.span(end, end)[0])
    return place


@kept(length, most=8)
def _read(text: str) -> tuple[str, tuple[Form, ...]]:
    """What of `text` stays as it is in all its forms, and these."""
    stays = text[: _settled_before_codes(text)]
    return stays, forms(stays)


def _settled_before_codes(text: str) -> int:
    """The last place of `text` up to which its normal form stays as it is and no code may be under way. A code may
    begin within a word, and how the word reads is known at its end."""
    place = settled(text)
    for _ in range(_MOST):
        before = _before_codes(text[:place])
        place = min(before, settled(text[: before + 1]))
        if place == before:
            return place
    return 0


def _before_codes(text: str) -> int:
    """The last place of `text` up to which no code may be under way, nor one lie over it."""
    place = len(text)
    for _ in range(_MOST):
        before = _CODES.first(text[:place])
        if before == place:
            return place
        place = before
    return 0
