"""Any server that speaks OpenAI's Chat Completions: OpenAI itself, vLLM, Ollama, Gemini's compatible endpoint, …

Wire format: https://platform.openai.com/docs/api-reference/chat. Only the fields that every such server has are sent.
"""

import asyncio
import math
from collections.abc import Sequence
from typing import Final

import aiohttp
import msgspec

from lawspeaker.digest import digest
from lawspeaker.errors import ModelError
from lawspeaker.exchange import Message
from lawspeaker.models.base import Completion, Sampling

_MAX_REPLY: Final = 8 * 1024 * 1024  # bytes: far beyond any answer, and no way to fill the memory


class _Likelihood(msgspec.Struct):
    token: str
    logprob: float
    top_logprobs: list["_Likelihood"] = []


class _Likelihoods(msgspec.Struct):
    content: list[_Likelihood] | None = None


class _Said(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None


class _Choice(msgspec.Struct):
    message: _Said
    finish_reason: str | None = None
    logprobs: _Likelihoods | None = None


class _Reply(msgspec.Struct):
    choices: list[_Choice]


class OpenAICompatible:
    """A model behind `POST <base>/chat/completions`."""

    def __init__(self, name: str, base: str, model: str, key: str | None) -> None:
        self.name = name
        self.digest = digest("lawspeaker/model/address", {"base": base, "model": model})
        self._url = base.rstrip("/") + "/chat/completions"
        self._model = model
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._session: aiohttp.ClientSession | None = None

    async def complete(self, messages: Sequence[Message], sampling: Sampling) -> Completion:
        choice = await self._post(messages, sampling, {})
        text = choice.message.content or choice.message.refusal or ""
        if not text.strip():
            raise ModelError(f"{self.name}: the answer is empty (finish reason {choice.finish_reason or 'none'})")
        return Completion(text, self.name, "length" if choice.finish_reason == "length" else "stop")

    async def complete_many(
        self, prompts: Sequence[Sequence[Message]], samplings: Sequence[Sampling]
    ) -> list[Completion]:
        return await asyncio.gather(*map(self.complete, prompts, samplings))

    async def choose(self, messages: Sequence[Message], options: Sequence[str]) -> tuple[float, ...] | None:
        sampling = Sampling(temperature=0, max_tokens=max(map(len, options)))
        choice = await self._post(messages, sampling, {"logprobs": True, "top_logprobs": 20})
        if choice.logprobs is None or not choice.logprobs.content:
            return None
        return option_odds(
            [[(t.token, t.logprob) for t in step.top_logprobs or [step]] for step in choice.logprobs.content],
            [step.token for step in choice.logprobs.content],
            options,
        )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _post(self, messages: Sequence[Message], sampling: Sampling, more: dict[str, object]) -> _Choice:
        if self._session is None:
            self._session = aiohttp.ClientSession(headers=self._headers)
        body: dict[str, object] = {
            "model": self._model,
            "messages": [{"role": message.role, "content": message.text} for message in messages],
            "temperature": sampling.temperature,
            "max_tokens": sampling.max_tokens,
            **more,
        }
        if sampling.seed is not None:
            body["seed"] = sampling.seed
        try:
            timeout = aiohttp.ClientTimeout(total=sampling.timeout)
            async with self._session.post(
                self._url, data=msgspec.json.encode(body), timeout=timeout, headers={"Content-Type": "application/json"}
            ) as response:
                data = await _read(response, self.name)
        except TimeoutError:
            raise ModelError(f"{self.name}: no answer from {self._url} within {sampling.timeout:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            what = " ".join(str(error).split()) or type(error).__name__
            raise ModelError(f"{self.name}: {what}; is a model served at {self._url}?") from None
        return self._choice(response.status, data)

    def _choice(self, status: int, data: bytes) -> _Choice:
        if status != 200:
            raise ModelError(f"{self.name}: HTTP {status} from {self._url}: {_first_words(data)}")
        try:
            choices = msgspec.json.decode(data, type=_Reply).choices
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise ModelError(f"{self.name}: {self._url} did not answer in Chat Completions JSON") from None
        if not choices:
            raise ModelError(f"{self.name}: {self._url} answered without a choice")
        return choices[0]


def option_odds(
    steps: Sequence[Sequence[tuple[str, float]]], said: Sequence[str], options: Sequence[str]
) -> tuple[float, ...] | None:
    """Probability of each option, normalised, at the first token that tells the options apart.

    `steps[i]` are the likeliest (token, log-probability) at token i, `said[i]` is the token that was drawn. None when
    the reply leaves the options before they part.
    """
    before = ""
    for likely, token in zip(steps, said, strict=True):
        odds = [0.0] * len(options)
        for text, logprob in likely:
            fits = [i for i, option in enumerate(options) if _agree(option, (before + text).lstrip())]
            if len(fits) == 1:
                odds[fits[0]] += math.exp(logprob)
        if sum(odds) > 0:
            return tuple(value / sum(odds) for value in odds)
        before += token
        if not any(_agree(option, before.lstrip()) for option in options):
            return None
    return None


def _agree(option: str, text: str) -> bool:
    return option.startswith(text) or text.startswith(option)


async def _read(response: aiohttp.ClientResponse, name: str) -> bytes:
    data = bytearray()
    async for chunk in response.content.iter_chunked(65536):
        data += chunk
        if len(data) > _MAX_REPLY:
            raise ModelError(f"{name}: the reply is larger than {_MAX_REPLY} bytes")
    return bytes(data)


def _first_words(data: bytes) -> str:
    """The start of an error body on one printable line."""
    text = " ".join(data[:2000].decode("utf-8", "replace").split())
    return "".join(c for c in text if c.isprintable())[:200] or "no body"
