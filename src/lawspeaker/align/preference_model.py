"""The preference model: one number for an answer, taught from the soft label of each pair (Bai et al. 2022, 4.1).

The loss of a pair is the cross-entropy of its label P(a is better) under sigmoid(score a - score b); a small term keeps
the scores near 0. Some prompts' pairs are set aside and measure it: whether it names the answer that the label names,
and its calibration, the gap between what it says and what the labels say.
"""

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final

import msgspec

from lawspeaker.align.dataset import Pair
from lawspeaker.align.measures import Bin, Rate, bins_of, gap, rate
from lawspeaker.align.recipe import PreferenceModel
from lawspeaker.align.training import Learner, Observe, Tokens, Trained
from lawspeaker.exchange import Message

if TYPE_CHECKING:
    import torch

_AT_ONCE: Final = 32


class Preferring(msgspec.Struct, frozen=True):
    """The course, and what it is worth on the pairs that were set aside: `agrees` with the side of the label, of those
    labels that have one; `ece` is the expected calibration error, over `bins`."""

    trained: Trained
    agrees: Rate
    ece: float
    bins: tuple[Bin, ...]


class Scorer:
    """Gives answers their scores."""

    def __init__(self, learner: Learner) -> None:
        self._learner = learner
        learner.network.eval()

    @classmethod
    def load(cls, folder: Path) -> "Scorer":
        learner = Learner(folder, 0, scores=True)
        learner.network.to(learner.accelerator.device)
        return cls(learner)

    def score(self, answers: Sequence[tuple[Sequence[Message], str]]) -> list[float]:
        import torch

        found: list[float] = []
        with torch.no_grad():
            for at in range(0, len(answers), _AT_ONCE):
                some = [self._learner.tokens(*each) for each in answers[at : at + _AT_ONCE]]
                found += scores(self._learner, some).tolist()
        return found


def split(pairs: Sequence[Pair], held_out: float, seed: int) -> tuple[list[Pair], list[Pair]]:
    """Pairs to train on, and pairs of other prompts to measure on; one of each at least, where there are two."""
    prompts = sorted({pair.prompt for pair in pairs})
    Random(f"{seed}/preference").shuffle(prompts)
    apart = set(prompts[: min(max(1, round(len(prompts) * held_out)), len(prompts) - 1)])
    return [pair for pair in pairs if pair.prompt not in apart], [pair for pair in pairs if pair.prompt in apart]


def train(
    learner: Learner, pairs: Sequence[Pair], apart: Sequence[Pair], how: PreferenceModel, observe: Observe
) -> Preferring:
    import torch

    first, second = ([learner.tokens(pair.request, text(pair)) for pair in pairs] for text in (_a, _b))
    labels = torch.tensor([pair.a_better for pair in pairs], device=learner.accelerator.device)

    def loss(numbers: Sequence[int]) -> "torch.Tensor":
        both = scores(learner, [first[n] for n in numbers] + [second[n] for n in numbers])
        index = torch.tensor(list(numbers), device=both.device)
        return soft_bce(both[: len(numbers)], both[len(numbers) :], labels[index], how.centre) * len(numbers)

    trained = learner.descend(len(pairs), how, loss, observe)
    scorer = Scorer(learner)
    a, b = (scorer.score([(pair.request, text(pair)) for pair in apart]) for text in (_a, _b))
    said = torch.sigmoid(torch.tensor(a) - torch.tensor(b)).tolist()
    sided = [(p, pair.a_better) for p, pair in zip(said, apart, strict=True) if pair.a_better != 0.5]
    found = bins_of(said, [pair.a_better for pair in apart])
    agreed = sum((p > 0.5) == (label > 0.5) for p, label in sided)
    return Preferring(trained, rate(agreed, len(sided)), gap(found), found)


def scores(learner: Learner, answers: Sequence[Tokens]) -> "torch.Tensor":
    """The score of each reply after its prompt, read at its last token."""
    import torch

    rows = [[*prompt, *reply] for prompt, reply in answers]
    wide = max(map(len, rows))
    device = learner.accelerator.device
    tokens = torch.tensor([row + [learner.transcript.pad] * (wide - len(row)) for row in rows], device=device)
    mask = torch.tensor([[1] * len(row) + [0] * (wide - len(row)) for row in rows], device=device)
    seen: Any = learner.network(input_ids=tokens, attention_mask=mask)
    result: torch.Tensor = seen.logits[:, 0].float()
    return result


def soft_bce(a: "torch.Tensor", b: "torch.Tensor", labels: "torch.Tensor", centre: float) -> "torch.Tensor":
    """Mean cross-entropy of the labels P(a is better) under sigmoid(a - b), and `centre` times the mean square of the
    pair's sum. The gradient of the first by `a` is (sigmoid(a - b) - label) / rows."""
    from torch.nn.functional import binary_cross_entropy_with_logits

    return binary_cross_entropy_with_logits(a - b, labels.to(a.dtype)) + centre * ((a + b) ** 2).mean()


def _a(pair: Pair) -> str:
    return pair.a


def _b(pair: Pair) -> str:
    return pair.b
