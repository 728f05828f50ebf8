"""nano behind the interface that every model has.

Weights, tokenizer and configuration are files of the package, pinned by one digest: what answers is what the card
describes, or nothing does. Generation runs on one thread of its own, looks between tokens whether it is still
wanted, and draws from a generator that belongs to the call, so that a seed gives the same answer whatever else runs.
"""

import asyncio
import hashlib
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from lawspeaker.errors import ModelConfigError, ModelError
from lawspeaker.exchange import Message
from lawspeaker.models.base import PLAIN, Completion, Finish, Sampling, Terms, Usage
from lawspeaker.models.nano.forward import Cache, Config, Network

WEIGHTS: Final = Path(__file__).parent / "weights"
FILES: Final = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
PIN: Final = "DIGEST.txt"
_END: Final = "<|end|>"
_T = TypeVar("_T")


def digest_of(folder: Path) -> str:
    """One digest over the files that make the model. Raises `OSError` where one cannot be read."""
    state = hashlib.sha256(b"lawspeaker/model/nano\0")
    for name in FILES:
        state.update(hashlib.sha256((folder / name).read_bytes()).digest())
    return "sha256:" + state.hexdigest()


def render(messages: Sequence[Message]) -> str:
    """The conversation as nano reads it, up to where its reply begins.

    The same as the chat template in `tokenizer_config.json`: `<|` in what people say is parted, so that nobody but
    this function writes a special token. A tool's result is read as something that a user said.
    """
    said = []
    for message in messages:
        role = "user" if message.role == "tool" else message.role
        said.append(f"<|{role}|>{message.text.replace('<|', '< |')}{_END}")
    return "".join(said) + "<|assistant|>"


@dataclass(frozen=True)
class _Loaded:
    tokenizer: Tokenizer
    network: Network
    end: int


class Nano:
    """The model behind `nano`. Safe to use from many coroutines; they take turns."""

    name = "nano"
    takes = frozenset({"seed"})

    def __init__(self, folder: Path, digest: str) -> None:
        self.digest = digest
        self._folder = folder
        self._loaded: _Loaded | None = None
        self._worker = ThreadPoolExecutor(1, "nano")

    @classmethod
    def load(cls, folder: Path = WEIGHTS) -> "Nano":
        """The bundled model. Its arithmetic is set up with the first call.

        Raises `ModelConfigError` where its files are missing or are not the ones that `DIGEST.txt` names.
        """
        try:
            pinned = (folder / PIN).read_text(encoding="ascii").strip()
            found = digest_of(folder)
        except (OSError, UnicodeDecodeError) as error:
            raise ModelConfigError(
                f"nano: its files in {folder} cannot be read ({error}); install lawspeaker again"
            ) from None
        if found != pinned:
            raise ModelConfigError(
                f"nano: the files in {folder} are not the model that was released (digest {found[:19]}…, want"
                f" {pinned[:19]}…); install lawspeaker again"
            )
        return cls(folder, found)

    async def complete(self, messages: Sequence[Message], sampling: Sampling, terms: Terms = PLAIN) -> Completion:
        """The next turn, in words: nano was taught no tools."""
        return await self._run(lambda stop: self._complete(messages, sampling, stop), sampling.timeout)

    async def complete_many(
        self, prompts: Sequence[Sequence[Message]], samplings: Sequence[Sampling]
    ) -> list[Completion]:
        return [await self.complete(prompt, sampling) for prompt, sampling in zip(prompts, samplings, strict=True)]

    async def choose(self, messages: Sequence[Message], options: Sequence[str]) -> tuple[float, ...] | None:
        return await self._run(lambda stop: self._choose(messages, options, stop), Sampling().timeout)

    async def close(self) -> None:
        self._worker.shutdown(wait=False, cancel_futures=True)

    async def _run(self, job: Callable[[threading.Event], _T], timeout: float) -> _T:
        stop = threading.Event()
        work = asyncio.get_running_loop().run_in_executor(self._worker, job, stop)
        try:
            return await asyncio.wait_for(work, timeout)
        except TimeoutError:
            raise ModelError(f"{self.name}: no answer within {timeout:g} s") from None
        finally:
            stop.set()

    def _ready(self) -> _Loaded:
        """Only the worker comes here, so that nothing is set up twice."""
        if self._loaded is None:
            config = Config.read((self._folder / "config.json").read_bytes())
            network = Network(config, (self._folder / "model.safetensors").read_bytes())
            tokenizer = Tokenizer.from_file(str(self._folder / "tokenizer.json"))
            end = tokenizer.token_to_id(_END)
            if end is None:
                raise ModelConfigError(f"nano: tokenizer.json has no {_END}")
            self._loaded = _Loaded(tokenizer, network, end)
        return self._loaded

    def _prompt(self, loaded: _Loaded, messages: Sequence[Message]) -> list[int]:
        # half of a surrogate pair, which JSON can carry, is no character
        text = render(messages).encode("utf-8", "replace").decode()
        ids: list[int] = loaded.tokenizer.encode(text).ids
        limit = loaded.network.config.context
        if len(ids) >= limit:
            raise ModelError(f"{self.name}: the prompt has {len(ids)} tokens; the limit is {limit - 1}")
        return ids

    def _complete(self, messages: Sequence[Message], sampling: Sampling, stop: threading.Event) -> Completion:
        loaded = self._ready()
        ids = self._prompt(loaded, messages)
        cache = loaded.network.cache(len(ids) + sampling.max_tokens)
        draws = np.random.default_rng(sampling.seed)
        said: list[int] = []
        finish: Finish = "length"
        step = ids
        while len(said) < sampling.max_tokens and cache.length + len(step) <= cache.room and not stop.is_set():
            token = _draw(loaded.network.logits(step, cache)[-1], sampling.temperature, draws)
            if token == loaded.end:
                finish = "stop"
                break
            said.append(token)
            step = [token]
        text: str = loaded.tokenizer.decode(said)
        if not text.strip():
            raise ModelError(f"{self.name}: the answer is empty")
        return Completion(text, self.name, finish, usage=Usage(len(ids), len(said)))

    def _choose(self, messages: Sequence[Message], options: Sequence[str], stop: threading.Event) -> tuple[float, ...]:
        loaded = self._ready()
        ids = self._prompt(loaded, messages)
        replies = [[*loaded.tokenizer.encode(option.replace("<|", "< |")).ids, loaded.end] for option in options]
        room = len(ids) + max(map(len, replies))
        if room > loaded.network.config.context:
            raise ModelError(
                f"{self.name}: prompt and options have {room} tokens; the limit is {loaded.network.config.context}"
            )
        cache = loaded.network.cache(room)
        first = loaded.network.logits(ids, cache)
        weights = np.array([_log_probability(loaded.network, reply, first, cache, len(ids)) for reply in replies])
        odds = np.exp(weights - weights.max())
        return tuple(float(share) for share in odds / odds.sum())


def _log_probability(
    network: Network, reply: Sequence[int], first: NDArray[np.float32], cache: Cache, at: int
) -> float:
    """Of `reply` after the `at` tokens that `cache` begins with; `first` are the logits there."""
    cache.length = at  # what an earlier option left behind is overwritten
    rows = first if len(reply) == 1 else np.concatenate((first, network.logits(list(reply[:-1]), cache, every=True)))
    wide = rows.astype(np.float64)
    wide -= wide.max(axis=1, keepdims=True)
    chosen = wide[np.arange(len(reply)), list(reply)]
    return float((chosen - np.log(np.exp(wide).sum(axis=1))).sum())


def _draw(logits: NDArray[np.float32], temperature: float, draws: np.random.Generator) -> int:
    if temperature <= 0:
        return int(logits.argmax())
    wide = logits.astype(np.float64) / temperature
    shares = np.exp(wide - wide.max()).cumsum()
    return int(np.searchsorted(shares, draws.random() * shares[-1], side="right"))
