"""Any causal model of the Hugging Face libraries, run in this process: `local:PATH` or `local:ORG/NAME`.

Weights are safetensors only and code from a model repository is never run. Calls from many coroutines are batched
inside: what is asked in one turn of the event loop runs together, in the order in which it was asked. So whoever asks
for the same rows at once gets the same batches, and with them the same rounding; the seed belongs to the call, and
one uniform number for each token is all that is drawn from it, so that an answer does not depend on the device's
generator.

`torch` and `transformers` are imported with the first call: the rest of the product does without them.
"""

import asyncio
import importlib.util
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from inspect import signature
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final

from lawspeaker.errors import LawspeakerError, ModelConfigError, ModelError, boundary
from lawspeaker.exchange import Message
from lawspeaker.models.base import PLAIN, Completion, Finish, Sampling, Terms, Usage
from lawspeaker.models.checkpoint import digest_of, find, inspect
from lawspeaker.models.transcript import Transcript

if TYPE_CHECKING:
    import torch

BATCH: Final = 32
"""Conversations that run together."""
_SEEDLESS: Final = Random()
_SMALL: Final = 50_000_000  # parameters: fewer lose more to waking a second thread than they gain from it
_TURN: Final = 600.0  # seconds: a choice may wait for many others


@dataclass
class _Call:
    """One conversation that waits for its answer; `options` where a choice among them is wanted."""

    messages: tuple[Message, ...]
    sampling: Sampling
    options: tuple[str, ...] = ()
    deadline: float = 0.0
    dropped: threading.Event = field(default_factory=threading.Event)
    done: "asyncio.Future[Any] | None" = None

    @property
    def over(self) -> bool:
        return self.dropped.is_set() or time.monotonic() > self.deadline


@dataclass(frozen=True)
class _Loaded:
    network: Any
    transcript: Transcript
    context: int
    device: "torch.device"
    cache: str  # what this release of transformers calls the keys and values of a conversation


class Local:
    """The model behind `local:…`. Safe to use from many coroutines of one event loop."""

    takes = frozenset({"seed"})

    def __init__(self, name: str, folder: Path, batch: int = BATCH) -> None:
        self.name, self.digest = name, digest_of(folder)
        self._folder, self._batch = folder, batch
        self._loaded: _Loaded | None = None
        self._waiting: list[_Call] = []
        self._worker = ThreadPoolExecutor(1, "local")

    @classmethod
    def open(cls, address: str, batch: int = BATCH) -> "Local":
        """`address` is `local:` and a folder or a name on the hub; a hub's files are fetched unless they are cached.

        Raises `ModelConfigError` where there is no model that this can run.
        """
        for package in ("torch", "transformers"):
            if importlib.util.find_spec(package) is None:
                raise ModelConfigError(f"{address}: {package} is not installed; pip install 'lawspeaker[local]'")
        folder = find(address, address.removeprefix("local:"))
        inspect(address, folder)
        return cls(address, folder, batch)

    async def complete(self, messages: Sequence[Message], sampling: Sampling, terms: Terms = PLAIN) -> Completion:
        """The next turn, in words: tools are not offered to a local model."""
        said = await self._ask(_Call(tuple(messages), sampling))
        if not isinstance(said, Completion):
            raise ModelError(f"{self.name}: no completion")
        return said

    async def complete_many(
        self, prompts: Sequence[Sequence[Message]], samplings: Sequence[Sampling]
    ) -> list[Completion | ModelError]:
        calls = [self.complete(prompt, sampling) for prompt, sampling in zip(prompts, samplings, strict=True)]
        results: list[Completion | ModelError] = []
        for said in await asyncio.gather(*calls, return_exceptions=True):
            if isinstance(said, BaseException) and not isinstance(said, ModelError):
                raise said
            results.append(said)
        return results

    async def choose(self, messages: Sequence[Message], options: Sequence[str]) -> tuple[float, ...] | None:
        odds = await self._ask(_Call(tuple(messages), Sampling(timeout=_TURN), tuple(options)))
        return tuple(odds)

    async def close(self) -> None:
        self._worker.shutdown(wait=False, cancel_futures=True)

    async def _ask(self, call: _Call) -> Any:
        loop = asyncio.get_running_loop()
        call.done = loop.create_future()
        call.deadline = time.monotonic() + call.sampling.timeout
        if not self._waiting:
            loop.call_soon(self._send, loop)  # after all who ask in this turn of the loop
        self._waiting.append(call)
        try:
            return await asyncio.wait_for(call.done, call.sampling.timeout)
        except TimeoutError:
            raise ModelError(f"{self.name}: no answer within {call.sampling.timeout:g} s") from None
        finally:
            call.dropped.set()

    def _send(self, loop: asyncio.AbstractEventLoop) -> None:
        """What has been asked goes to the worker, in batches: completions and choices apart."""
        calls, self._waiting = self._waiting, []
        for kind in ([call for call in calls if not call.options], [call for call in calls if call.options]):
            for at in range(0, len(kind), self._batch):
                self._worker.submit(self._run, kind[at : at + self._batch], loop)

    def _run(self, calls: Sequence[_Call], loop: asyncio.AbstractEventLoop) -> None:
        results: Sequence[Any]
        try:
            with boundary(self.name):
                loaded = self._ready()
                results = self._choose(loaded, calls) if calls[0].options else self._complete(loaded, calls)
        except LawspeakerError as error:
            what = f"{error} ({error.__cause__})" if error.__cause__ else str(error)
            results = [error if isinstance(error, ModelConfigError) else ModelError(what)] * len(calls)
        if not loop.is_closed():
            loop.call_soon_threadsafe(_deliver, calls, results)  # all at once, so that they ask again together

    def _ready(self) -> _Loaded:
        """Only the worker comes here, so that nothing is set up twice."""
        if self._loaded is None:
            self._loaded = _load(self.name, self._folder)
        return self._loaded

    def _complete(self, loaded: _Loaded, calls: Sequence[_Call]) -> list[Completion | ModelError]:
        prompts = [loaded.transcript.prompt(call.messages) for call in calls]
        results: list[Completion | ModelError] = [
            ModelError(f"{self.name}: the prompt has {len(ids)} tokens; the limit is {loaded.context - 1}")
            for ids in prompts
        ]
        fit = [n for n, ids in enumerate(prompts) if len(ids) < loaded.context]
        if not fit:
            return results
        for n, said in zip(fit, _generate(loaded, [prompts[n] for n in fit], [calls[n] for n in fit]), strict=True):
            ends = bool(said) and said[-1] in loaded.transcript.ends
            text = loaded.transcript.text(said[:-1] if ends else said)
            if not ends and calls[n].over:
                results[n] = ModelError(f"{self.name}: no answer within {calls[n].sampling.timeout:g} s")
            elif text.strip():
                finish: Finish = "stop" if ends else "length"
                results[n] = Completion(text, self.name, finish, usage=Usage(len(prompts[n]), len(said)))
            else:
                results[n] = ModelError(f"{self.name}: the answer is empty")
        return results

    def _choose(self, loaded: _Loaded, calls: Sequence[_Call]) -> list[tuple[float, ...] | ModelError]:
        results: list[tuple[float, ...] | ModelError] = []
        for call in calls:  # options of one call share a batch; their prompts are long and their answers one token
            prompt = loaded.transcript.prompt(call.messages)
            replies = [loaded.transcript.reply(option) for option in call.options]
            if len(prompt) + max(map(len, replies)) > loaded.context:
                results.append(ModelError(f"{self.name}: prompt and options have more than {loaded.context} tokens"))
            else:
                results.append(_odds(loaded, prompt, replies))
        return results


def _deliver(calls: Sequence[_Call], results: Sequence[Any]) -> None:
    for call, result in zip(calls, results, strict=True):
        if call.done is None or call.done.done():
            continue
        if isinstance(result, Exception):
            call.done.set_exception(result)
        else:
            call.done.set_result(result)


def _load(name: str, folder: Path) -> _Loaded:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dtype = torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported() else torch.float32
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        network: Any = AutoModelForCausalLM.from_pretrained(
            folder, dtype=dtype, trust_remote_code=False, use_safetensors=True, local_files_only=True
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelConfigError(f"{name}: {' '.join(str(error).split())[:200]}") from None
    if network.num_parameters() < _SMALL:
        torch.set_num_threads(1)
    context = getattr(network.config, "max_position_embeddings", None) or 4096
    cache = "cache" if "cache" in signature(network.forward).parameters else "past_key_values"
    return _Loaded(network.to(device).eval(), Transcript(name, tokenizer), int(context), device, cache)


def _generate(loaded: _Loaded, prompts: Sequence[Sequence[int]], calls: Sequence[_Call]) -> list[list[int]]:
    """What is said after each prompt, with the token that ended it. Rows that are done leave the batch."""
    import torch

    draws = [_SEEDLESS.random if c.sampling.seed is None else Random(c.sampling.seed).random for c in calls]
    said: list[list[int]] = [[] for _ in calls]
    rows = list(range(len(calls)))
    tokens, mask = _padded(loaded, prompts)
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    cache: Any = None
    with torch.inference_mode():
        while rows:
            seen = loaded.network(
                input_ids=tokens, attention_mask=mask, position_ids=positions, use_cache=True, logits_to_keep=1,
                **{loaded.cache: cache},
            )  # fmt: skip
            cache = seen[loaded.cache]
            new = _draw(seen.logits[:, -1], [calls[n].sampling.temperature for n in rows], [draws[n] for n in rows])
            keep = []
            for place, (n, token) in enumerate(zip(rows, new, strict=True)):
                said[n].append(token)
                full = len(said[n]) >= min(calls[n].sampling.max_tokens, loaded.context - len(prompts[n]))
                if not (token in loaded.transcript.ends or full or calls[n].over):
                    keep.append(place)
            if len(keep) < len(rows):
                rows, new = [rows[place] for place in keep], [new[place] for place in keep]
                if not rows:
                    break
                index = torch.tensor(keep, device=loaded.device)
                cache.batch_select_indices(index)
                mask, positions = mask[index], positions[index]
            tokens = torch.tensor(new, device=loaded.device)[:, None]
            mask = torch.cat((mask, mask.new_ones(len(rows), 1)), dim=1)
            positions = positions[:, -1:] + 1
    return said


def _draw(logits: "torch.Tensor", temperatures: Sequence[float], draws: Sequence[Callable[[], float]]) -> list[int]:
    """A token for each row: the likeliest at temperature 0, else by one uniform number of the row's own."""
    import torch

    greedy = logits.argmax(dim=-1)
    warm = torch.tensor([max(each, 1e-6) for each in temperatures], device=logits.device, dtype=torch.float64)
    shares = torch.softmax(logits.double() / warm[:, None], dim=-1).cumsum(dim=-1)
    uniform = torch.tensor([draw() for draw in draws], device=logits.device, dtype=torch.float64)
    drawn = torch.searchsorted(shares, (uniform * shares[:, -1])[:, None], right=True)[:, 0]
    drawn = drawn.clamp(max=logits.shape[-1] - 1)
    cold = torch.tensor([each <= 0 for each in temperatures], device=logits.device)
    return [int(token) for token in torch.where(cold, greedy, drawn)]


def _odds(loaded: _Loaded, prompt: Sequence[int], replies: Sequence[Sequence[int]]) -> tuple[float, ...]:
    """Probability of each reply after `prompt`, normalised over them."""
    import torch

    tokens, mask = _padded(loaded, [[*prompt, *reply] for reply in replies])
    wide = max(map(len, replies)) + 1
    with torch.inference_mode():
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        seen = loaded.network(input_ids=tokens, attention_mask=mask, position_ids=positions, logits_to_keep=wide)
        rates = torch.log_softmax(seen.logits[:, -wide:].double(), dim=-1)
        sums = []
        for row, reply in enumerate(replies):
            places = rates[row, -len(reply) - 1 : -1]
            sums.append(places[range(len(reply)), list(reply)].sum())
        return tuple(torch.softmax(torch.stack(sums), dim=0).tolist())


def _padded(loaded: _Loaded, rows: Sequence[Sequence[int]]) -> tuple["torch.Tensor", "torch.Tensor"]:
    """Rows of tokens and their mask, padded on the left."""
    import torch

    wide = max(map(len, rows))
    tokens = [[loaded.transcript.pad] * (wide - len(row)) + list(row) for row in rows]
    mask = [[0] * (wide - len(row)) + [1] * len(row) for row in rows]
    return torch.tensor(tokens, device=loaded.device), torch.tensor(mask, device=loaded.device)
