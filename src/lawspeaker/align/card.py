"""What a run leaves for people: a table, a page (`page.py`), and the card of the model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from lawspeaker.align.agreement import Agreement
from lawspeaker.align.dataset import Store
from lawspeaker.align.gold import Measured
from lawspeaker.align.measures import Rate
from lawspeaker.align.preference_model import Preferring
from lawspeaker.align.recipe import Recipe
from lawspeaker.align.reuse import Reuse
from lawspeaker.align.watch import Watched
from lawspeaker.constitution.schema import Constitution
from lawspeaker.models.checkpoint import digest_of

MODELS: Final = (("base", "as it was"), ("sl", "after self-revision (SL-CAI)"), ("policy", "after preferences"))
UNMEASURED: Final = "not measured"


def measured(folder: Path) -> dict[str, Measured]:
    return {name: msgspec.json.decode((folder / f"{name}.json").read_bytes(), type=Measured) for name, _ in MODELS}


def external(folder: Path, name: str) -> str:
    path = folder / f"{name}.external.json"
    return share(msgspec.json.decode(path.read_bytes(), type=Rate)) if path.exists() else UNMEASURED


def table(folder: Path) -> str:
    """The figures as a Markdown table."""
    found = measured(folder)
    lines = [
        "| model | answers that violate | requests satisfied | n | violate, says the external judge |",
        "|---|--:|--:|--:|--:|",
    ]
    for name, words in MODELS:
        one = found[name]
        lines.append(
            f"| {words} | {share(one.violating)} | {share(one.satisfied)} | {one.violating.n} |"
            f" {external(folder, name)} |"
        )
    return "\n".join([*lines, *(["", words] if (words := silent(found)) else [])])


def silent(found: Mapping[str, Measured]) -> str:
    """How many requests had no answer, which the rates count as violating nothing; empty where all had one."""
    counts = {words: sum(not text for text in found[name].answers.values()) for name, words in MODELS}
    some = ", ".join(f"{count} {words}" for words, count in counts.items() if count)
    return f"Requests without an answer, which violates nothing and satisfies nobody: {some}." if some else ""


def share(rate: Rate) -> str:
    return f"{rate.successes / rate.n:.1%} ({rate.low:.1%} to {rate.high:.1%})" if rate.n else "none"


def card(folder: Path, recipe: Recipe, law: Constitution) -> str:
    filters = (folder / "filters.json").read_text(encoding="utf-8")
    stages = msgspec.json.format(msgspec.json.encode(recipe), indent=2).decode()
    return f"""# {recipe.name}

Trained by `lawspeaker align` from {recipe.base or recipe.model} on the constitution {law.name} {law.version}.

- Constitution: `{law.digest}`
- Rows: `{Store(folder / "rows.jsonl").digest}`
{_digests(folder)}{_reused(folder)}- Recipe: `{recipe.digest}`

{table(folder)}

One answer to each held-out request at temperature 1, judged by `{" ".join(recipe.gold)}`, which training did not see.
Intervals: Wilson, 95 %. External judge: {f"`{' '.join(recipe.external)}`" if recipe.external else UNMEASURED}.

{labels(folder)}{preference(folder)}{watched(folder)}Rows by filter:

```json
{filters.strip()}
```

Every setting:

```json
{stages}
```
"""


def _digests(folder: Path) -> str:
    lines = [f"- Fine-tuned model: `{digest_of(folder / 'sl')}`"]
    for path in (folder / "helpful.jsonl", folder / "pairs.jsonl", *sorted(folder.glob("rollouts*.jsonl"))):
        if path.exists():
            lines.append(f"- {path.stem.capitalize()}: `{Store(path).digest}`")
    if (folder / "preference").exists():
        lines.append(f"- Preference model: `{digest_of(folder / 'preference')}`")
    return "".join(f"{line}\n" for line in lines)


def _reused(folder: Path) -> str:
    mark = folder / "reuse.json"
    if not mark.exists():
        return ""
    found = msgspec.json.decode(mark.read_bytes(), type=Reuse)
    return f"- Reused: {found.reused} of {found.answers} answers, of the rows `{found.rows}`\n"


def labels(folder: Path) -> str:
    """The labeller's figures in Markdown; empty where nothing was labelled."""
    if not (folder / "agreement.json").exists():
        return ""
    found = msgspec.json.decode((folder / "agreement.json").read_bytes(), type=Agreement)
    rows = "\n".join(f"| {name} | {one.votes} | {share(one.agrees)} |" for name, one in found.by_principle.items())
    known = sum(one.agrees.n for one in found.by_principle.values())
    return f"""Labels: {found.pairs} pairs, {found.verified} votes of the checks, the rest of the critic.
For those P(the answer shown first) is {found.first:.3f} on average (0.5: no bias for a position).
{share(found.position)} favour the same position in both orders.
The checks tell pairs apart in {known}; there the calibration error (ECE) is {found.ece:.3f}.

| principle | votes of the critic | name the side that the checks name |
|---|--:|--:|
{rows}

"""


def preference(folder: Path) -> str:
    """The preference model's figures in Markdown; empty where there is none."""
    if not (folder / "preference.json").exists():
        return ""
    found = msgspec.json.decode((folder / "preference.json").read_bytes(), type=Preferring)
    return f"""Preference model, on pairs of prompts that were set aside: it names the side that the label names in
{share(found.agrees)} of {found.agrees.n}; calibration error (ECE) {found.ece:.3f}.

"""


def watched(folder: Path) -> str:
    """What the stop rule saw, in Markdown; empty where nobody watched."""
    if not (folder / "watch.json").exists():
        return ""
    found = msgspec.json.decode((folder / "watch.json").read_bytes(), type=Watched)
    kept = f"step {found.best}" if found.best else "the fine-tuned model: no look was better"
    n = found.looks[0].good.n
    return f"""Stop rule: {len(found.looks)} looks of the gold judge at {n} answers each; kept is {kept}.
{f"Ended early: {found.stopped}." if found.stopped else "It ran to its last step."}

"""
