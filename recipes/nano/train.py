"""Training: seeded, resumable, on two cores.

`out/checkpoint.pt` is written every two minutes and at the end; the same call goes on from it. `out/loss.jsonl` has
the loss. The number of samples is the budget. The learning rate rises for a moment, stays, falls from 55 % of the first
course on, and from about the end of that course more slowly, to nothing at the end of the second. For the third course
it rises again, less, and falls evenly: what one fall has settled is a better start than new weights.
"""

import json
import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from tokenizers import Tokenizer
from torch import nn

from . import batches, corpus
from .batches import Row
from .model import Network, Shape, loss
from .muon import Muon

SAMPLES: Final = (108_000, 40_000, 180_000)
"""Conversations of the three courses; see `corpus.py`."""
_SAVE_SECONDS: Final = 120.0
_WARMUP: Final = 60
_FALL: Final = 0.45
_SLOW: Final = 0.29  # of the highest rate: where the slow fall stands at the end of the first course
_AGAIN: Final = 0.5  # of the highest rate: where the third course begins
_LEARNT: Final = 0.5  # of the first course: from here on copying is learnt
_MATRIX_RATE: Final = 0.012
_OTHER_RATE: Final = 3e-3


def train(tokenizer: Tokenizer, out: Path, samples: tuple[int, int, int] = SAMPLES, stop_after: float = 0.0) -> Network:
    """Train to the end of the budget, or for `stop_after` seconds where that is not 0."""
    torch.manual_seed(corpus.TRAIN_SEED)
    torch.set_num_threads(int(os.environ.get("NANO_THREADS", "2")))
    network = Network(Shape(tokenizer.get_vocab_size()))
    print(f"{sum(weight.numel() for weight in network.parameters()):,} parameters", flush=True)
    seed = corpus.TRAIN_SEED
    all_rows = batches.rows(tokenizer, seed, samples[0]) + batches.rehearsals(tokenizer, seed)
    plan = batches.order(all_rows, seed)
    ends = [len(plan)]
    for course in (1, 2):
        known = len(all_rows)
        all_rows += batches.rows(tokenizer, seed, samples[course], start=sum(samples[:course]), course=course)
        later = batches.order(all_rows[known:], seed + course)
        plan += [(length, tuple(number + known for number in numbers)) for length, numbers in later]
        ends.append(len(plan))
    optimizers = _optimizers(network)
    start = _resume(out, network, optimizers, len(plan))
    print(f"{sum(samples):,} conversations, {len(plan):,} steps, from step {start:,}", flush=True)
    _run(network, optimizers, (tokenizer, all_rows, plan, start, ends), out, stop_after)
    return network


def _run(
    network: Network,
    optimizers: list[torch.optim.Optimizer],
    work: tuple[Tokenizer, list[Row], list[tuple[int, tuple[int, ...]]], int, list[int]],
    out: Path,
    stop_after: float,
) -> None:
    tokenizer, all_rows, plan, start, ends = work
    compiled = torch.compile(lambda tokens, weights: loss(network, tokens, weights), dynamic=True)
    began = saved = time.monotonic()
    recent, step = 0.0, start
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress, (out / "loss.jsonl").open("a", encoding="utf-8") as log:
        task = progress.add_task("training", total=len(plan), completed=start)
        for step in range(start, len(plan)):
            length, numbers = plan[step]
            one = batches.batch(tokenizer, all_rows, length, numbers, step > _LEARNT * ends[0])
            _rates(optimizers, step, ends)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                value = compiled(torch.from_numpy(one.tokens), torch.from_numpy(one.weights))
            value.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            number = float(value.detach())
            recent = number if step == start else 0.98 * recent + 0.02 * number
            progress.update(task, advance=1, description=f"loss {recent:.3f}")
            if step % 25 == 0:
                line = {"step": step, "loss": round(number, 4), "recent": round(recent, 4), "length": length,
                        "seconds": round(time.monotonic() - began, 1)}  # fmt: skip
                log.write(json.dumps(line) + "\n")
                log.flush()
            if time.monotonic() - saved > _SAVE_SECONDS:
                _save(out, network, optimizers, step + 1, len(plan))
                saved = time.monotonic()
            if stop_after and time.monotonic() - began > stop_after:
                break
    _save(out, network, optimizers, step + 1, len(plan))


def _optimizers(network: Network) -> list[torch.optim.Optimizer]:
    matrices = [w for name, w in network.named_parameters() if w.ndim == 2 and not name.startswith("embed")]
    others = [w for name, w in network.named_parameters() if w.ndim != 2 or name.startswith("embed")]
    return [
        Muon(list(matrices), lr=_MATRIX_RATE),
        torch.optim.AdamW(others, lr=_OTHER_RATE, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def _rates(optimizers: list[torch.optim.Optimizer], step: int, ends: list[int]) -> None:
    first, second, third = ends
    if step < second:
        fall = max((first - step) / (first * _FALL), _SLOW * (second - step) / (second - first))
        share = min(1.0, (step + 1) / _WARMUP, fall)
    else:
        share = _AGAIN * min((step + 1 - second) / _WARMUP, (third - step) / (third - second))
    for optimizer, rate in zip(optimizers, (_MATRIX_RATE, _OTHER_RATE), strict=True):
        for group in optimizer.param_groups:
            group["lr"] = rate * share


def _save(out: Path, network: Network, optimizers: list[torch.optim.Optimizer], step: int, steps: int) -> None:
    state = {
        "network": network.state_dict(),
        "optimizers": [optimizer.state_dict() for optimizer in optimizers],
        "step": step,
        "steps": steps,
        "shape": asdict(network.shape),
    }
    fresh = out / "checkpoint.new"
    torch.save(state, fresh)
    fresh.replace(out / "checkpoint.pt")


def _resume(out: Path, network: Network, optimizers: list[torch.optim.Optimizer], steps: int) -> int:
    """The step to go on from: 0 where there is no checkpoint of this budget."""
    path = out / "checkpoint.pt"
    if not path.exists():
        return 0
    state: dict[str, Any] = torch.load(path, weights_only=True)
    if state["steps"] != steps or state["shape"] != asdict(network.shape):
        raise ValueError(f"{path} is of another budget or shape; move it away to start afresh")
    network.load_state_dict(state["network"])
    for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
        optimizer.load_state_dict(saved)
    return int(state["step"])
