"""Why a revision is not trained on: faults that a model would learn as readily as what is right.

Small reviewers of their own answers end in repetition, preambles and the words of the critique; each is counted apart.
"""

import re
from collections.abc import Sequence
from typing import Final

from lawspeaker.align.dataset import Row, with_text
from lawspeaker.checks.terraform.outline import outline
from lawspeaker.deliberation.better import refuses, why_not_better

_PERIOD: Final = 16  # words: a loop of more is told apart from a list of alike blocks by nobody
_TIMES: Final = 6
_QUOTE: Final = 8  # words in a row that the critique and the new answer share, and the old answer does not
_PREAMBLE: Final = re.compile(
    r"\s*(upheld:|violated:|critique:|principle:|revision:"
    r"|(sure[,!. ]+)?here('s| is| are) (the|a|my|your) (revised|new)\b)",
    re.IGNORECASE,
)
_FENCE: Final = re.compile(r"^==[a-km-np-z2-9]{13}\b", re.MULTILINE)


def why_filtered(before: Row, after: Row, removals: str, *, better: bool) -> str:
    """Why `after`, a revision of `before`, is not trained on: a word, a colon and a sentence; empty where it is.

    `better`: whether the checks must see it improve on `before`, else that it is a whole answer is enough.
    """
    was, now = before.text, after.text
    old, new = with_text(before.request, was), with_text(after.request, now)
    faults = {
        "unchanged: the revision is the answer as it was": now == was,
        "empty: the revision is empty": not now.strip(),
        "refusal: the revision refuses to answer": refuses(now) and not refuses(was),
        "repetition: the revision says the same over and over": repeats(now) and not repeats(was),
        "leak: the revision holds what belongs to the asking": leaks(was, now, after.critique),
        "syntax: the revision's code does not parse": outline(new).broken and not outline(old).broken,
    }
    if fault := next((why for why, so in faults.items() if so), ""):
        return fault
    worse = why_not_better(old, new, before.findings, after.findings, removals) if better else ""
    return f"worse: {worse}" if worse else ""


def repeats(text: str) -> bool:
    """Whether some words (up to 16) follow one another six times or more; three or fewer of them, twenty words long."""
    words = text.split()
    for period in range(1, min(_PERIOD, len(words) // _TIMES) + 1):
        run = 0
        for before, word in zip(words, words[period:], strict=False):
            run = run + 1 if word == before else 0
            if run >= max(period * (_TIMES - 1), 20 - period):
                return True
    return False


def leaks(before: str, after: str, critique: str) -> bool:
    """Whether `after` holds what belongs to the asking: a preamble, a fence, or a run of the critique's words."""
    if _PREAMBLE.match(after) and not _PREAMBLE.match(before):
        return True
    if _FENCE.search(after) and not _FENCE.search(before):
        return True
    said = _runs(critique.split()) - _runs(before.split())
    return not said.isdisjoint(_runs(after.split()))


def _runs(words: Sequence[str]) -> set[tuple[str, ...]]:
    return {tuple(words[at : at + _QUOTE]) for at in range(len(words) - _QUOTE + 1)}
