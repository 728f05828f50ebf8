"""When a revision is kept. The same rule filters training data.

A reviser that deletes what was asked for, breaks the code or refuses has upheld the principle and helped nobody.
"""

import re
from collections.abc import Sequence
from typing import Final

from lawspeaker.checks.terraform.outline import Outline, outline
from lawspeaker.exchange import Exchange
from lawspeaker.finding import Finding, by_principle

# Openings of a refusal. A revision that begins so where the draft did not has stopped answering.
_REFUSAL: Final = re.compile(
    r"\s*(i'?m sorry|sorry,|i apologi[sz]e|i can('?t|not| not)|i won'?t|i will not|i'?m (unable|not able)|as an ai\b"
    r"|i am (unable|not able))",
    re.IGNORECASE,
)


def refuses(text: str) -> bool:
    """Whether an answer begins as a refusal does."""
    return _REFUSAL.match(text) is not None


def why_not_better(
    before: Exchange,
    after: Exchange,
    found_before: Sequence[Finding],
    found_after: Sequence[Finding],
    removals: str,
) -> str:
    """Why `after` may not replace `before`, in one sentence; empty where it is better.

    Better: strictly fewer violated principles and no new one; nothing upheld became violated or inconclusive; code
    still parses; the draft's resources are still there unless `removals` asks for their removal; no refusal, not empty.
    What was violated must be seen to be upheld: an answer in which nothing can be judged any more is no better.
    """
    if not after.answer.strip():
        return "the revision is empty"
    if refuses(after.answer) and not refuses(before.answer):
        return "the revision refuses to answer"
    return _outcomes_worse(found_before, found_after) or _code_worse(outline(before), outline(after), removals)


def _outcomes_worse(found_before: Sequence[Finding], found_after: Sequence[Finding]) -> str:
    was, now = by_principle(found_before), by_principle(found_after)
    for principle, outcome in now.items():
        if outcome == "violated" and was.get(principle) != "violated":
            return f"the revision newly violates {principle}"
        if outcome == "inconclusive" and was.get(principle) == "upheld":
            return f"the revision leaves {principle} undecided, which was upheld"
        if outcome == "not_applicable" and was.get(principle) == "violated":
            return f"the revision leaves nothing in which {principle} could be judged"
    still = {principle for principle, outcome in now.items() if outcome == "violated"}
    if still >= {principle for principle, outcome in was.items() if outcome == "violated"}:
        return "the revision violates the same principles"
    return ""


def _code_worse(was: Outline, now: Outline, removals: str) -> str:
    if now.broken and not was.broken:
        return "the revision's code does not parse"
    for address in sorted(was.addresses - now.addresses):
        if not _asks_removal(removals, address):
            return f"the revision lost {address}"
    return ""


def _asks_removal(removals: str, address: str) -> bool:
    """Whether just that is asked for: an account may speak of deleting for other reasons."""
    asked = rf"\b(remove|delete|drop) (the )?(resource )?`?{re.escape(address)}(?![\w.-])"
    return re.search(asked, removals, re.IGNORECASE) is not None
