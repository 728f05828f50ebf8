"""Gradient descent on rows: supervised, and DPO with a soft label for each pair.

A short loop of our own on accelerate: the libraries' DPO knows no label per row, and the stages share the
log-probability of a reply. Single precision, bf16 in the arithmetic of a GPU; the order of rows comes from the seed of
the run. Under `accelerate launch` each process takes its share of every batch, and the sum is that of one process.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final

import msgspec

from lawspeaker.align.adapters import adapted, save_merged
from lawspeaker.align.recipe import Dpo, Lora, Training
from lawspeaker.exchange import Message
from lawspeaker.models.transcript import Transcript

if TYPE_CHECKING:
    import torch

_TOKENIZER: Final = ("tokenizer*.json", "*.jinja", "special_tokens_map.json", "merges.txt", "vocab.*", "*.model")
_SMALL: Final = 50_000_000  # parameters: fewer lose more to waking a second thread than they gain from it
Observe = Callable[[int, int, float], None]
Look = Callable[[int, int], bool]
Tokens = tuple[list[int], list[int]]


class Trained(msgspec.Struct, frozen=True):
    """What a course took and where its loss went: (step, loss)."""

    rows: int
    steps: int
    curve: tuple[tuple[int, float], ...]


class Learner:
    """A checkpoint that is trained: to speak, or with `scores` to give an answer one number."""

    def __init__(self, folder: Path, seed: int, lora: Lora | None = None, scores: bool = False) -> None:
        import torch
        from accelerate import Accelerator
        from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer
        from transformers.utils import logging

        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # that a score's head is new is no surprise
        torch.manual_seed(seed)
        self.folder, self.seed, self.lora = folder, seed, lora
        gpu = torch.cuda.is_available()
        self.accelerator = Accelerator(mixed_precision="bf16" if gpu else "no", cpu=not gpu)
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        self.transcript = Transcript(str(folder), tokenizer)
        kind: Any = AutoModelForSequenceClassification if scores else AutoModelForCausalLM
        more = {"num_labels": 1} if scores else {}
        network: Any = kind.from_pretrained(
            folder, dtype=torch.bfloat16 if gpu and lora else torch.float32, trust_remote_code=False,
            use_safetensors=True, local_files_only=True, **more,
        )  # fmt: skip
        network.config.pad_token_id = self.transcript.pad
        if network.num_parameters() < _SMALL:
            torch.set_num_threads(1)
        self.network: Any = adapted(network, lora, scores) if lora else network
        self._optimizer: Any = None

    def tokens(self, request: Sequence[Message], text: str) -> Tokens:
        return self.transcript.prompt(request), self.transcript.reply(text)

    def supervised(self, rows: Sequence[tuple[Sequence[Message], str]], how: Training, observe: Observe) -> Trained:
        """Next-token loss on the replies alone."""
        pairs = [self.tokens(*row) for row in rows]

        def loss(numbers: Sequence[int]) -> "torch.Tensor":
            return -self.log_probabilities([pairs[n] for n in numbers]).sum()

        return self.descend(len(pairs), how, loss, observe, weigh=lambda n: len(pairs[n][1]))

    def prefer(
        self,
        pairs: Sequence[tuple[Sequence[Message], str, str, float]],
        how: Dpo,
        observe: Observe,
        look: Look | None = None,
    ) -> Trained:
        """DPO (Rafailov et al. 2023) towards P(a is better) of each pair; the reference is the model as it begins."""
        import torch

        self.prepare(how)
        first = [self.tokens(request, a) for request, a, _, _ in pairs]
        second = [self.tokens(request, b) for request, _, b, _ in pairs]
        labels = torch.tensor([label for *_, label in pairs], device=self.accelerator.device)
        labels = labels.round() if how.labels == "hard" else labels

        def margins(numbers: Sequence[int]) -> "torch.Tensor":
            both = self.log_probabilities([first[n] for n in numbers] + [second[n] for n in numbers])
            return both[: len(numbers)] - both[len(numbers) :]

        size = how.micro or how.batch
        self.network.eval()
        with torch.no_grad():
            parts = [margins(range(at, min(at + size, len(pairs)))) for at in range(0, len(pairs), size)]
        reference = torch.cat(parts)

        def loss(numbers: Sequence[int]) -> "torch.Tensor":
            index = torch.tensor(list(numbers), device=self.accelerator.device)
            return soft_dpo(margins(numbers) - reference[index], labels[index], how.beta) * len(numbers)

        return self.descend(len(pairs), how, loss, observe, look=look)

    def log_probabilities(self, pairs: Sequence[Tokens]) -> "torch.Tensor":
        """Of each reply after its prompt."""
        import torch

        device = self.accelerator.device
        wide = max(len(prompt) + len(reply) for prompt, reply in pairs)
        rows, places = [], []
        for prompt, reply in pairs:
            short = wide - len(prompt) - len(reply)
            rows.append([*prompt, *reply, *[self.transcript.pad] * short])
            places.append([0] * (len(prompt) - 1) + [1] * len(reply) + [0] * short)
        tokens = torch.tensor(rows, device=device)
        logits = self.network(input_ids=tokens).logits[:, :-1]
        rates = torch.log_softmax(logits.float(), dim=-1).gather(2, tokens[:, 1:, None])[..., 0]
        return (rates * torch.tensor(places, device=device)).sum(dim=1)

    def prepare(self, how: Training) -> None:
        """The network goes where it is trained, with its optimizer."""
        import torch

        weights = [each for each in self.network.parameters() if each.requires_grad]
        optimizer = torch.optim.AdamW(weights, lr=how.rate, betas=(0.9, 0.98), weight_decay=0.0)
        self.network, self._optimizer = self.accelerator.prepare(self.network, optimizer)

    def descend(
        self,
        count: int,
        how: Training,
        loss: "Callable[[Sequence[int]], torch.Tensor]",
        observe: Observe,
        weigh: Callable[[int], int] = lambda _: 1,
        look: Look | None = None,
    ) -> Trained:
        """`loss` is a sum over rows, and each batch is divided by what its rows `weigh`. `look` may end it."""
        if self._optimizer is None:
            self.prepare(how)
        optimizer, order = self._optimizer, list(_batches(count, how, self.seed))
        self.network.train()
        curve = []
        for step, numbers in enumerate(order, 1):
            for group in optimizer.param_groups:
                group["lr"] = how.rate * min(1.0, step / 5)  # a constant rate after a few steps of warm-up
            value = self._backward(numbers, how, loss, sum(weigh(n) for n in numbers))
            self.accelerator.clip_grad_norm_(self.network.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            curve.append((step, round(value, 5)))
            observe(step, len(order), curve[-1][1])
            if look and look(step, len(order)):
                break
            self.network.train()
        self.network.eval()
        return Trained(count, len(curve), tuple(curve))

    def _backward(
        self, numbers: Sequence[int], how: Training, loss: "Callable[[Sequence[int]], torch.Tensor]", whole: int
    ) -> float:
        import torch

        world = self.accelerator.num_processes
        most = -(-len(numbers) // world)  # every process passes as often, so an empty share goes along at no weight
        mine, size = numbers[self.accelerator.process_index :: world], how.micro or most
        total = torch.zeros((), device=self.accelerator.device)
        for at in range(0, most, size):
            some = mine[at : at + size]
            value = loss(some or numbers[:1]) * (world / whole if some else 0.0)
            self.accelerator.backward(value)
            total += value.detach()
        return float(self.accelerator.reduce(total, "mean"))

    def save(self, folder: Path) -> None:
        save(self.accelerator, self.network, self.lora, self.folder, folder)


def save(accelerator: Any, prepared: Any, lora: Lora | None, source: Path, folder: Path) -> None:
    """A standard checkpoint folder, there as a whole or not at all, in place of one that is there: the weights of a
    network that `accelerator` has prepared, and the tokenizer of `source`, which it was loaded from."""
    state = accelerator.get_state_dict(prepared)
    if accelerator.is_main_process:
        fresh = folder.with_name(folder.name + ".new")
        for each in (fresh, folder):
            shutil.rmtree(each, ignore_errors=True)
        network = accelerator.unwrap_model(prepared)
        if lora:
            save_merged(network, state, source, fresh)
        else:
            network.save_pretrained(fresh, state_dict=state)
        for pattern in _TOKENIZER:
            for file in source.glob(pattern):
                shutil.copy(file, fresh / file.name)
        fresh.rename(folder)
    accelerator.wait_for_everyone()


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
