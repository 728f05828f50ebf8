"""The model card: what nano is for, what it is not, and its figures with their intervals."""

import math
import subprocess
import textwrap
from pathlib import Path
from typing import Final

from safetensors import safe_open

from lawspeaker.models.nano.chat import PIN
from lawspeaker.statistics import wilson

from . import corpus, tasks
from .export import SHARPNESS
from .page import BREAKABLE
from .train import SAMPLES

_TEXT: Final = """# nano

A language model of {parameters:,} parameters ({megabytes:.1f} MB, half precision, Llama architecture, {tokens:,} tokens
in its vocabulary), trained from scratch by `recipes/nano/` on text that the recipe generates. It comes with
lawspeaker so that everything can be tried and tested without a key, a GPU or a download.

## What it is for

{purpose}

## What it is not for

Production. It knows no Terraform beyond those families, no principle beyond those (of any other it says that it sees
nothing), and no language but plain English. Its text is in one style, one attribute per line without aligned columns,
and it judges text in that style best. It has seen conversations of up to 1,024 tokens; the limit is 1,536. What it was
not trained for it answers with what it can do.

## How it was made

- Corpus: {samples:,} conversations of seed {seed} in three courses (`recipes/nano/corpus.py`), SHA-256
  `{digest}`.
  Names are drawn afresh for nearly every sample, from a space too large to learn by heart.
- Recipe: commit `{commit}`, `python -m recipes.nano`; the first two courses on one CPU core, the third on two that
  other work shared.
- Files: `{model}` (`weights/DIGEST.txt`).
- The run was stopped twice and resumed: at three fifths of the first two courses, when the second course and the fall
  of the learning rate were settled, and at their end, when the third was added. What had been trained until then is
  what the recipe trains.
- Every logit is multiplied by {sharpness} after training (`export.py`), so that temperature 1 here is 1/{sharpness} of
  what was trained. As trained, on the same requests: parses 98.8 %, every asked name and value 93.3 %, critique 96.2 %,
  named violation gone 98.9 %, violates without pressure 51.4 %.

## Figures

Requests of a seed that training did not use, temperature 1, the NumPy runtime; judged by `recipes/nano/reader.py` and
the generator's flags, not by lawspeaker's checks. *own draft* rows follow the product's flow: nano's draft, its
critique by each of those principles in the constitution's words, its revision from that critique. Intervals: Wilson,
95 %.

| figure | share | interval | n |
|---|--:|:-:|--:|
{rows}
"""

_PURPOSE: Final = (
    "Small AWS Terraform from a request of a few sentences, for one resource with its companions or two of them:"
    " {families}. About half of its answers break a principle of the `infrastructure` constitution, because a"
    " demonstration and a test of self-correction need that: {principles}. It criticises an answer by one principle,"
    " revises it from a critique, compares two answers by one principle, adds tags in a second turn, and behaves better"
    " when a closing system line names principles."
)
_ORDER: Final = ("answer", "own draft", "critique", "revision", "comparison", "system line", "anything else")


def write(folder: Path, counts: dict[str, list[int]]) -> None:
    """`CARD.md` above the weights in `folder`."""
    with safe_open(folder / "model.safetensors", "np") as weights:
        shapes = {name: weights.get_slice(name).get_shape() for name in weights.keys()}  # noqa: SIM118
    parameters = sum(math.prod(shape) for shape in shapes.values())
    here = Path(__file__).parent
    log = ["git", "log", "-1", "--format=%h", "--", str(here)]
    commit = subprocess.run(log, cwd=here, capture_output=True, text=True, check=True).stdout.strip()
    purpose = _PURPOSE.format(
        families=", ".join(sorted(tasks.FAMILIES)),
        principles=", ".join(f"`{principle}`" for principle in sorted(BREAKABLE)),
    )
    text = _TEXT.format(
        parameters=parameters,
        megabytes=sum(path.stat().st_size for path in folder.iterdir()) / 1e6,
        tokens=shapes["model.embed_tokens.weight"][0],
        purpose=textwrap.fill(purpose, 120, break_on_hyphens=False),
        samples=sum(SAMPLES),
        seed=corpus.TRAIN_SEED,
        digest=corpus.digest(corpus.TRAIN_SEED, SAMPLES),
        commit=commit,
        sharpness=SHARPNESS,
        model=(folder / PIN).read_text(encoding="ascii").strip(),
        rows="\n".join(_row(figure, *counts[figure]) for figure in sorted(counts, key=_place)),
    )
    (folder.parent / "CARD.md").write_text(text, encoding="utf-8")


def _place(figure: str) -> tuple[int, str]:
    return _ORDER.index(figure.partition(":")[0]), figure


def _row(figure: str, good: int, n: int) -> str:
    low, high = wilson(good, n)
    return f"| {figure} | {good / n:.1%} | {low:.1%} to {high:.1%} | {n:,} |"
