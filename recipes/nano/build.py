"""Builds nano from nothing, with one command: `python -m recipes.nano`.

Tokenizer, training (about two hours on two cores; the same call goes on where an earlier one stopped), export into the
package, evaluation on requests that training never saw, card. Everything on the way lies in `recipes/nano/out/`.
"""

import argparse
from itertools import islice
from pathlib import Path
from typing import Final

from tokenizers import Tokenizer

from lawspeaker.models.nano.chat import WEIGHTS

from . import card, corpus, tokenizer
from .evaluate import evaluate
from .export import export
from .train import SAMPLES, train

OUT: Final = Path(__file__).parent / "out"
_TOKENIZER_SAMPLES: Final = 20_000


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m recipes.nano", description=__doc__)
    parser.add_argument("--samples", type=int, nargs=3, default=SAMPLES, help="conversations of the three courses")
    parser.add_argument(
        "--stop-after", type=float, default=0.0, metavar="SECONDS", help="train no longer than this now"
    )
    parser.add_argument("--requests", type=int, default=1000, help="unseen requests for the figures")
    parser.add_argument("--only-evaluate", action="store_true", help="figures and card of the weights that are there")
    options = parser.parse_args()
    OUT.mkdir(exist_ok=True)
    if not options.only_evaluate:
        train(vocabulary(OUT), OUT, tuple(options.samples), options.stop_after)
        print(export(OUT), flush=True)
    card.write(WEIGHTS, evaluate(WEIGHTS, OUT, options.requests))


def vocabulary(out: Path) -> Tokenizer:
    """The tokenizer in `out`, made where it is not there yet."""
    path = out / "tokenizer.json"
    if not path.exists():
        made = tokenizer.train(list(islice(corpus.stream(corpus.TRAIN_SEED), _TOKENIZER_SAMPLES)))
        made.save(str(path))
    return Tokenizer.from_file(str(path))
