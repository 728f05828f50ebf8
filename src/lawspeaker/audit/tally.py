"""What the log's decisions come to, by principle: what was done, and what a route in shadow would have done.

Read from leaves alone, so that it holds for a log whose texts were erased and shows nobody a word of them.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from lawspeaker.audit.reader import Leaf
from lawspeaker.audit.record import Record

_EXAMPLES: Final = 3
EFFECTS: Final = ("revised", "redacted", "escalated", "refused")


class OfPrinciple(msgspec.Struct):
    """`violated` and `inconclusive` count exchanges in which any finding was so; the effects, exchanges in which it was
    (or would have been) the cause; `waived`, those in which a waiver kept it from deciding. `examples` are ids of such
    exchanges, the newest first."""

    violated: int = 0
    inconclusive: int = 0
    revised: int = 0
    redacted: int = 0
    escalated: int = 0
    refused: int = 0
    waived: int = 0
    examples: list[str] = []


class Tally(msgspec.Struct):
    """`shadow` of the `decisions` changed nothing, and in `waived` of them a waiver let something pass; `effects`
    counts both what was done and what would have been."""

    decisions: int = 0
    shadow: int = 0
    failed: int = 0
    waived: int = 0
    effects: Counter[str] = msgspec.field(default_factory=Counter)
    principles: dict[str, OfPrinciple] = {}


def tally(leaves: Iterable[Leaf], since: str = "", tenant: str = "") -> Tally:
    """Over the decisions recorded at or after `since` (RFC 3339; empty is all) for `tenant` (empty is all)."""
    total = Tally()
    for leaf in leaves:
        record = leaf.record
        if record.time < since or (tenant and record.tenant != tenant):
            continue
        if record.kind == "failed":
            total.failed += 1
        elif record.kind == "decision":
            _add(total, record)
    for of in total.principles.values():
        of.examples = of.examples[: -_EXAMPLES - 1 : -1]
    return total


def _add(total: Tally, record: Record) -> None:
    facts = record.facts
    would: dict[str, Any] = facts.get("shadow") or facts
    total.decisions += 1
    total.shadow += "shadow" in facts
    told = {"violated": _principles(facts, "violated"), "inconclusive": _principles(facts, "inconclusive")}
    effects = {
        "revised": _kept(facts) if would.get("revised") else set(),
        "redacted": _acting(facts) - _kept(facts) if would.get("redacted") else set(),
        "escalated": set(would["because"]) if would["action"] == "escalate" else set(),
        "refused": set(would["because"]) if would["action"] == "refuse" else set(),
        "waived": set(facts.get("waived", ())),
    }
    total.waived += bool(facts.get("waived"))
    total.effects["revised"] += bool(would.get("revised"))
    total.effects["redacted"] += bool(would.get("redacted"))
    total.effects["escalated"] += would["action"] == "escalate"
    total.effects["refused"] += would["action"] == "refuse"
    for what, names in {**told, **effects}.items():
        for name in names:
            of = total.principles.setdefault(name, OfPrinciple())
            setattr(of, what, getattr(of, what) + 1)
            if record.subject not in of.examples:
                of.examples.append(record.subject)


def _principles(facts: dict[str, Any], outcome: str) -> set[str]:
    return {finding["principle"] for finding in facts.get("findings", ()) if finding["outcome"] == outcome}


def _acting(facts: dict[str, Any]) -> set[str]:
    """The principles of which something was violated that no waiver set aside."""
    findings = facts.get("findings", ())
    return {each["principle"] for each in findings if each["outcome"] == "violated" and not each.get("waived")}


def _kept(facts: dict[str, Any]) -> set[str]:
    """The principles for whose sake a revision was kept."""
    return {step["principle"] for step in facts.get("steps", ()) if step["kind"] == "revision" and step["kept"]}
