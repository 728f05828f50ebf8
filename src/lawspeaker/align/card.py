"""What a run leaves for people: a table, a page, and the card of the model."""

import html
from pathlib import Path
from typing import Final

import msgspec

from lawspeaker.align.dataset import Store
from lawspeaker.align.gold import Measured, Rate
from lawspeaker.align.recipe import Recipe
from lawspeaker.align.reuse import Reuse
from lawspeaker.align.training import Trained
from lawspeaker.constitution.schema import Constitution

MODELS: Final = (("base", "as it was"), ("sl", "after self-revision (SL-CAI)"), ("policy", "after preferences"))
_STYLE: Final = "body{font:16px sans-serif;max-width:60em;margin:2em auto}td,th{padding:.3em .8em;text-align:left}"


def measured(folder: Path) -> dict[str, Measured]:
    return {name: msgspec.json.decode((folder / f"{name}.json").read_bytes(), type=Measured) for name, _ in MODELS}


def table(folder: Path) -> str:
    """The figures as a Markdown table."""
    found = measured(folder)
    lines = ["| model | answers that violate | requests satisfied | n |", "|---|--:|--:|--:|"]
    for name, words in MODELS:
        one = found[name]
        lines.append(f"| {words} | {share(one.violating)} | {share(one.satisfied)} | {one.violating.n} |")
    return "\n".join(lines)


def share(rate: Rate) -> str:
    return f"{rate.successes / max(rate.n, 1):.1%} ({rate.low:.1%} to {rate.high:.1%})"


def write(folder: Path, recipe: Recipe, law: Constitution) -> None:
    """`report.html`, and `README.md` beside the weights."""
    (folder / "report.html").write_text(page(folder, recipe, law), encoding="utf-8")
    (folder / "policy" / "README.md").write_text(card(folder, recipe, law), encoding="utf-8")


def card(folder: Path, recipe: Recipe, law: Constitution) -> str:
    filters = (folder / "filters.json").read_text(encoding="utf-8")
    stages = msgspec.json.format(msgspec.json.encode(recipe), indent=2).decode()
    pairs = f"- Pairs: `{Store(folder / 'pairs.jsonl').digest}`\n" if recipe.dpo else ""
    mark = folder / "reuse.json"
    reuse = msgspec.json.decode(mark.read_bytes(), type=Reuse) if mark.exists() else None
    reused = f"- Reused: {reuse.reused} of {reuse.answers} answers, of the rows `{reuse.rows}`\n" if reuse else ""
    return f"""# {recipe.name}

Trained by `lawspeaker align` from {recipe.base or recipe.model} on the constitution {law.name} {law.version}.

- Constitution: `{law.digest}`
- Rows: `{Store(folder / "rows.jsonl").digest}`
{pairs}{reused}- Recipe: `{recipe.digest}`

{table(folder)}

One answer to each held-out request at temperature 1, judged by `{" ".join(recipe.gold)}`, which training did not see.
Intervals: Wilson, 95 %. External judge: not measured.

Rows by filter:

```json
{filters.strip()}
```

Every setting:

```json
{stages}
```
"""


def page(folder: Path, recipe: Recipe, law: Constitution) -> str:
    found = measured(folder)
    rows = [
        f"<tr><td>{words}<td>{share(found[name].violating)}<td>{share(found[name].satisfied)}" for name, words in MODELS
    ]
    principles = sorted({each for one in found.values() for each in one.by_principle})
    rates = [
        f"<tr><td>{html.escape(each)}" + "".join(f"<td>{found[name].by_principle.get(each, 0)}" for name, _ in MODELS)
        for each in principles
    ]
    heads = "".join(f"<th>{words}" for _, words in MODELS)
    curves = "".join(
        f"<h3>{name}</h3>{_curve(msgspec.json.decode((folder / f'{name}.json').read_bytes(), type=Trained))}"
        for name in ("sft", "dpo")
        if (folder / f"{name}.json").exists()
    )
    changed = [v.id for v in found["base"].verdicts if v.violates and found["policy"].answers[v.id]][:5]
    examples = "".join(
        f"<h3>{html.escape(each)}</h3><h4>before</h4><pre>{html.escape(found['base'].answers[each])}</pre>"
        f"<h4>after</h4><pre>{html.escape(found['policy'].answers[each])}</pre>"
        for each in changed
    )
    return (
        f"<!doctype html><meta charset=utf-8><title>{html.escape(recipe.name)}</title><style>{_STYLE}</style>"
        f"<h1>{html.escape(recipe.name)}</h1><p>Constitution {html.escape(law.name)} {html.escape(law.version)},"
        f" {law.digest}. Intervals: Wilson, 95 %. External judge: not measured.</p>"
        f"<table><tr><th>model<th>answers that violate<th>requests satisfied{''.join(rows)}</table>"
        f"<h2>Violating answers by principle</h2><table><tr><th>principle{heads}{''.join(rates)}</table>"
        f"<h2>Loss</h2>{curves}<h2>First violations before, and the same requests after</h2>{examples}\n"
    )


def _curve(trained: Trained) -> str:
    top = max((loss for _, loss in trained.curve), default=1.0) or 1.0
    points = " ".join(
        f"{600 * step / max(trained.steps, 1):.1f},{160 - 150 * loss / top:.1f}" for step, loss in trained.curve
    )
    return (
        f"<svg width=620 height=170><polyline fill=none stroke=black points='{points}'/></svg>"
        f"<p>{trained.rows} rows, {trained.steps} steps, highest {top:.3f}</p>"
    )
