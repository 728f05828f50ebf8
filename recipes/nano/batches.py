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
from .tokenizer import END, PAD, render

LENGTHS: Final = (160, 224, 288, 352, 448, 576, 768, 1024)
"""Rows are padded to one of these, so that few shapes have to be compiled."""
SHORT: Final = 288
BATCH: Final = 6144
"""Tokens of one step, padding included."""
# A critique turns on one token and a comparison is one token: without more weight the long answers drown them.
_WEIGHT: Final = {"answer": 1.0, "critique": 2.0, "revision": 1.0, "comparison": 8.0, "other": 1.0}
_PROMPT: Final = 0.1


@dataclass(frozen=True)
class Row:
    tokens: NDArray[np.uint16]
    prompt: int
    weight: float


@dataclass(frozen=True)
class Batch:
    tokens: NDArray[np.int64]
    weights: NDArray[np.float32]


def rows(tokenizer: Tokenizer, seed: int, count: int, breaks: frozenset[str] = BREAKABLE) -> list[Row]:
    """The first `count` conversations of `seed`, in tokens."""
    made: list[Row] = []
    samples = corpus.stream(seed, breaks=breaks)
    while len(made) < count:
        part = list(islice(samples, min(2000, count - len(made))))
        prompts = tokenizer.encode_batch([render(one.prompt) for one in part])
        replies = tokenizer.encode_batch([one.reply + END for one in part])
        for one, prompt, reply in zip(part, prompts, replies, strict=True):
            ids = np.array([*prompt.ids, *reply.ids], dtype=np.uint16)
            made.append(Row(ids, len(prompt.ids), _WEIGHT[one.kind]))
    return made


def order(all_rows: list[Row], seed: int) -> list[tuple[int, tuple[int, ...]]]:
    """Batches as (length, row numbers) in the order of training.

    Short rows come first for a while: copying is learnt from many short examples sooner than from few long ones.
    """
    rng = Random(f"lawspeaker/nano/order/{seed}")
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for number, row in enumerate(all_rows):
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
    first = set(short[: len(short) // 3])
    return [*short[: len(short) // 3], *(batch for batch in batches if batch not in first)]


def batch(tokenizer: Tokenizer, all_rows: list[Row], length: int, numbers: tuple[int, ...]) -> Batch:
    tokens = np.full((len(numbers), length + 1), tokenizer.token_to_id(PAD), dtype=np.int64)
    weights = np.zeros(tokens.shape, dtype=np.float32)
    for place, number in enumerate(numbers):
        row = all_rows[number]
        tokens[place, : len(row.tokens)] = row.tokens
        weights[place, : row.prompt] = _PROMPT
        weights[place, row.prompt : len(row.tokens)] = row.weight
    return Batch(tokens, weights)
