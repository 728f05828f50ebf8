"""Gradient descent on rows: supervised, and DPO with a soft label for each pair.

Short loops of our own: the libraries' DPO knows no label per row, and both stages share the log-probability of a
reply. In single precision on one device; the order of rows comes from the seed of the run.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final

import msgspec

from lawspeaker.align.recipe import Training
from lawspeaker.exchange import Message
from lawspeaker.models.transcript import Transcript

if TYPE_CHECKING:
    import torch

_TOKENIZER: Final = ("tokenizer*.json", "*.jinja", "special_tokens_map.json", "merges.txt", "vocab.*", "*.model")
_SMALL: Final = 50_000_000  # parameters: fewer lose more to waking a second thread than they gain from it
Observe = Callable[[int, int, float], None]


class Trained(msgspec.Struct, frozen=True):
    """What a course took and where its loss went: (step, loss)."""

    rows: int
    steps: int
    curve: tuple[tuple[int, float], ...]


class Learner:
    """A checkpoint that is trained."""

    def __init__(self, folder: Path, seed: int) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from transformers.utils import logging

        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        torch.manual_seed(seed)
        self.folder, self.seed = folder, seed
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        self.transcript = Transcript(str(folder), tokenizer)
        network: Any = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, trust_remote_code=False, use_safetensors=True, local_files_only=True
        )
        if network.num_parameters() < _SMALL:
            torch.set_num_threads(1)
        self.network = network.to(self.device)

    def tokens(self, request: Sequence[Message], text: str) -> tuple[list[int], list[int]]:
        return self.transcript.prompt(request), self.transcript.reply(text)

    def supervised(self, rows: Sequence[tuple[Sequence[Message], str]], how: Training, observe: Observe) -> Trained:
        """Next-token loss on the replies alone."""
        pairs = [self.tokens(*row) for row in rows]

        def loss(numbers: Sequence[int]) -> "torch.Tensor":
            sums = self.log_probabilities([pairs[n] for n in numbers])
            return -sums.sum() / sum(len(pairs[n][1]) for n in numbers)

        return self._descend(len(pairs), how, loss, observe)

    def prefer(
        self, pairs: Sequence[tuple[Sequence[Message], str, str, float]], how: Training, observe: Observe
    ) -> Trained:
        """DPO (Rafailov et al. 2023) towards P(a is better) of each pair; the reference is the model as it begins."""
        import torch

        first = [self.tokens(request, a) for request, a, _, _ in pairs]
        second = [self.tokens(request, b) for request, _, b, _ in pairs]
        labels = torch.tensor([label for *_, label in pairs], device=self.device)
        with torch.no_grad():
            parts = [
                self.log_probabilities(first[at : at + how.batch]) - self.log_probabilities(second[at : at + how.batch])
                for at in range(0, len(pairs), how.batch)
            ]
        reference = torch.cat(parts)

        def loss(numbers: Sequence[int]) -> "torch.Tensor":
            margin = self.log_probabilities([first[n] for n in numbers])
            margin = margin - self.log_probabilities([second[n] for n in numbers])
            index = torch.tensor(list(numbers), device=self.device)
            return soft_dpo(margin - reference[index], labels[index], how.beta)

        return self._descend(len(pairs), how, loss, observe)

    def log_probabilities(self, pairs: Sequence[tuple[list[int], list[int]]]) -> "torch.Tensor":
        """Of each reply after its prompt."""
        import torch

        wide = max(len(prompt) + len(reply) for prompt, reply in pairs)
        rows, places = [], []
        for prompt, reply in pairs:
            short = wide - len(prompt) - len(reply)
            rows.append([*prompt, *reply, *[self.transcript.pad] * short])
            places.append([0] * (len(prompt) - 1) + [1] * len(reply) + [0] * short)
        tokens = torch.tensor(rows, device=self.device)
        logits = self.network(input_ids=tokens).logits[:, :-1]
        rates = torch.log_softmax(logits.float(), dim=-1).gather(2, tokens[:, 1:, None])[..., 0]
        return (rates * torch.tensor(places, device=self.device)).sum(dim=1)

    def save(self, folder: Path) -> None:
        """A standard checkpoint folder, there as a whole or not at all."""
        fresh = folder.with_name(folder.name + ".new")
        shutil.rmtree(fresh, ignore_errors=True)
        self.network.save_pretrained(fresh)
        for pattern in _TOKENIZER:
            for file in self.folder.glob(pattern):
                shutil.copy(file, fresh / file.name)
        fresh.rename(folder)

    def _descend(
        self, count: int, how: Training, loss: "Callable[[Sequence[int]], torch.Tensor]", observe: Observe
    ) -> Trained:
        import torch

        self.network.train()
        optimizer = torch.optim.AdamW(self.network.parameters(), lr=how.rate, betas=(0.9, 0.98), weight_decay=0.0)
        order = list(_batches(count, how, self.seed))
        curve = []
        for step, numbers in enumerate(order, 1):
            for group in optimizer.param_groups:
                group["lr"] = how.rate * min(1.0, step / 5)  # a constant rate after a few steps of warm-up
            value = loss(numbers)
            value.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            curve.append((step, round(float(value.detach()), 5)))
            observe(step, len(order), curve[-1][1])
        self.network.eval()
        return Trained(count, len(order), tuple(curve))


def soft_dpo(margins: "torch.Tensor", labels: "torch.Tensor", beta: float) -> "torch.Tensor":
    """Mean cross-entropy of the labels P(a is better) under sigmoid(beta * margin).

    A margin is how much more the policy prefers a to b than the reference does, in log-probability; the gradient by
    it is beta * (sigmoid(beta * margin) - label) / rows.
    """
    from torch.nn.functional import binary_cross_entropy_with_logits

    return binary_cross_entropy_with_logits(beta * margins, labels.to(margins.dtype))


def _batches(count: int, how: Training, seed: int) -> Iterator[list[int]]:
    for epoch in range(how.epochs):
        numbers = list(range(count))
        Random(f"{seed}/{epoch}").shuffle(numbers)
        yield from (numbers[at : at + how.batch] for at in range(0, count, how.batch))
