"""Conversations as batches of tokens: rows of about the same length, each row one conversation."""

from collections import defaultdict
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import Final

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from . import corpus
from .page import BREAKABLE
from .tokenizer import END, PAD, loosened, render

LENGTHS: Final = tuple(range(32, 1025, 32))
"""Rows are padded to one of these."""
SHORT: Final = 288
REHEARSALS: Final = 250
"""Batches of rehearsal (see `corpus.rehearsal`), mixed into the first steps."""
BATCH: Final = 4096
"""Tokens of one step, padding included."""
# A critique turns on one token and a comparison is one token: without more weight the long answers drown them.
_WEIGHT: Final = {"critique": (2.0, 4.0), "comparison": (8.0, 8.0)}
_REHEARSAL: Final = 96
_LOOSE: Final = 16  # of so many conversations, one is read in pieces (see `tokenizer.loosened`)
_DECISION: Final = (1.0, 3.0)  # more for the first token of a reply: there critiques and comparisons are decided
# Prompts repeat names and hold whole answers, so that they teach copying; once it is learnt they only distract.
_PROMPT: Final = (0.3, 0.03)


@dataclass(frozen=True)
class Row:
    tokens: NDArray[np.uint16]
    prompt: int
    kind: str


@dataclass(frozen=True)
class Batch:
    tokens: NDArray[np.int64]
    weights: NDArray[np.float32]


def rows(
    tokenizer: Tokenizer, seed: int, count: int, start: int = 0, course: int = 0, breaks: frozenset[str] = BREAKABLE
) -> list[Row]:
    """`count` conversations of `seed` and a course, in tokens."""
    made: list[Row] = []
    samples = corpus.stream(seed, start, breaks, course)
    loose = loosened(tokenizer)
    while len(made) < count:
        part = list(islice(samples, min(2000, count - len(made))))
        for number, one in enumerate(part, start + len(made)):
            reader = loose if number % _LOOSE == 0 else tokenizer
            prompt, reply = reader.encode_batch([render(one.prompt), one.reply + END])
            ids = np.array([*prompt.ids, *reply.ids], dtype=np.uint16)
            made.append(Row(ids, len(prompt.ids), one.kind))
    return made


def rehearsals(tokenizer: Tokenizer, seed: int) -> list[Row]:
    """Rows of names and nothing else, all of one length."""
    size = REHEARSALS * (BATCH // _REHEARSAL)
    texts = [corpus.rehearsal(seed, index) for index in range(size)]
    return [
        Row(np.array(one.ids[:_REHEARSAL], dtype=np.uint16), 0, "rehearsal") for one in tokenizer.encode_batch(texts)
    ]


def order(all_rows: list[Row], seed: int) -> list[tuple[int, tuple[int, ...]]]:
    """Batches as (length, row numbers) in the order of training.

    Rehearsals and short rows come first for a while: copying is learnt from many short examples sooner than from few
    long ones, and until it is learnt the rest of the corpus teaches little.
    """
    rng = Random(f"lawspeaker/nano/order/{seed}")
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for number, row in enumerate(all_rows):
        if not row.prompt:
            continue
        length = next((length for length in LENGTHS if len(row.tokens) <= length), 0)
        if length:  # what is longer than the longest is so rare that it is left out
            groups[length].append(number)
    batches: list[tuple[int, tuple[int, ...]]] = []
    for length, numbers in sorted(groups.items()):
        rng.shuffle(numbers)
        size = BATCH // length
        batches += [(length, tuple(numbers[at : at + size])) for at in range(0, len(numbers) - size + 1, size)]
    rng.shuffle(batches)
    short = [batch for batch in batches if batch[0] <= SHORT]
    early, late = short[: len(short) // 3], short[len(short) // 3 :]
    late += [batch for batch in batches if batch[0] > SHORT]
    rng.shuffle(late)
    names = [number for number, row in enumerate(all_rows) if not row.prompt]
    size = BATCH // _REHEARSAL
    early += [(_REHEARSAL, tuple(names[at : at + size])) for at in range(0, len(names) - size + 1, size)]
    rng.shuffle(early)
    return early + late


def batch(tokenizer: Tokenizer, all_rows: list[Row], length: int, numbers: tuple[int, ...], late: bool) -> Batch:
    """One step; `late` when copying is learnt."""
    tokens = np.full((len(numbers), length + 1), tokenizer.token_to_id(PAD), dtype=np.int64)
    weights = np.zeros(tokens.shape, dtype=np.float32)
    for place, number in enumerate(numbers):
        row = all_rows[number]
        tokens[place, : len(row.tokens)] = row.tokens
        weights[place, : row.prompt] = _PROMPT[late]
        weights[place, row.prompt : len(row.tokens)] = _WEIGHT.get(row.kind, (1.0, 1.0))[late]
        weights[place, row.prompt] *= _DECISION[late]
    return Batch(tokens, weights)
