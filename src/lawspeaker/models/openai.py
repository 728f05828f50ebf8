"""Any server that speaks OpenAI's Chat Completions: OpenAI itself, vLLM, Ollama, Gemini's compatible endpoint, …

Wire format: https://platform.openai.com/docs/api-reference/chat. Few fields are sent, and models differ even in those:
what a server says that a model does not take is left out from then on, as long as the answer stays bounded without it.
"""

import asyncio
import math
import re
import zlib
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Final

import aiohttp
import msgspec

from lawspeaker.digest import digest
from lawspeaker.errors import ModelError
from lawspeaker.exchange import Message, Text, ToolCall, ToolResult
from lawspeaker.models.base import Completion, Finish, Sampling, Tool, Usage

_MAX_REPLY: Final = 8 * 1024 * 1024  # bytes: far beyond any answer, and no way to fill the memory
_MAX_WORDS: Final = 200  # characters of a server's own in an error message

# the bound on the answer: the newer name counts reasoning too, and OpenAI's reasoning models know no other
_LIMITS: Final = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
_LIKELIHOODS: Final = {"logprobs": True, "top_logprobs": 20}
_OPTIONAL: Final = frozenset({"temperature", "seed", *_LIKELIHOODS})
_REFUSALS: Final = frozenset({400, 403})  # OpenAI answers 403 where a model tells no probabilities
# a value out of range is the caller's mistake, so "supported range" must not match
_NOT_TAKEN: Final = re.compile(
    r"unsupported|not support|unrecognized|not allowed|not enabled|only \S+ is allowed", re.I
)


class _Alternative(msgspec.Struct):
    token: str
    logprob: float


class _Likelihood(msgspec.Struct):
    token: str
    top_logprobs: list[_Alternative] | None = None


class _Likelihoods(msgspec.Struct):
    content: list[_Likelihood] | None = None


class _Function(msgspec.Struct):
    name: str
    arguments: str = ""


class _Call(msgspec.Struct):
    function: _Function
    id: str | None = None


class _Said(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(msgspec.Struct):
    message: _Said
    finish_reason: str | None = None
    logprobs: _Likelihoods | None = None


class _Used(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Reply(msgspec.Struct):
    choices: list[_Choice]
    usage: _Used | None = None


class _Fault(msgspec.Struct):
    message: str
    param: str | None = None
    code: str | int | None = None


class _Refusal(msgspec.Struct):
    error: _Fault | str


class _UntoldError(ModelError):
    """The model does not tell probabilities."""


class OpenAICompatible:
    """A model behind `POST <base>/chat/completions`.

    `reasons`: the server's own default temperature is 1 and it knows `max_completion_tokens`, as OpenAI's does.
    """

    def __init__(self, name: str, base: str, model: str, key: str | None, *, reasons: bool = False) -> None:
        self.name = name
        self.digest = digest("lawspeaker/model/address", {"base": base, "model": model})
        self._url = base.rstrip("/") + "/chat/completions"
        self._model = model
        self._key = key
        self._reasons = reasons
        self._limit = "max_completion_tokens" if reasons else "max_tokens"
        self._left_out: set[str] = set()  # parameters that the server said the model does not take
        self._session: aiohttp.ClientSession | None = None

    async def complete(self, messages: Sequence[Message], sampling: Sampling, tools: Sequence[Tool] = ()) -> Completion:
        reply = await self._ask(messages, sampling, {"tools": [_tool(tool) for tool in tools]} if tools else {})
        choice, used = reply.choices[0], reply.usage or _Used()
        said, finish = choice.message, choice.finish_reason
        text = said.content or said.refusal or ""
        calls = tuple(ToolCall(c.function.name, c.function.arguments, c.id or "") for c in said.tool_calls or ())
        if not text.strip() and not calls:
            why = f"finish reason {self._clean(finish or 'none')}"
            if finish == "length":  # a reasoning model's reasoning counts
                why = f"its {sampling.max_tokens} tokens were spent before it said anything; allow it more"
            raise ModelError(f"{self.name}: the answer is empty ({why})")
        usage = Usage(used.prompt_tokens, used.completion_tokens)
        return Completion(text, self.name, _finish(finish, said, calls), calls, usage)

    async def complete_many(
        self, prompts: Sequence[Sequence[Message]], samplings: Sequence[Sampling]
    ) -> list[Completion | ModelError]:
        return await asyncio.gather(*(self._try(p, s) for p, s in list(zip(prompts, samplings, strict=True))))

    async def choose(self, messages: Sequence[Message], options: Sequence[str]) -> tuple[float, ...] | None:
        if not self._left_out.isdisjoint(_LIKELIHOODS):
            return None
        sampling = Sampling(temperature=0, max_tokens=max(map(len, options)))
        try:
            choice = (await self._ask(messages, sampling, _LIKELIHOODS)).choices[0]
        except _UntoldError:
            return None
        if choice.logprobs is None or not choice.logprobs.content:
            return None
        return option_odds(
            [[(t.token, t.logprob) for t in step.top_logprobs or ()] for step in choice.logprobs.content],
            [step.token for step in choice.logprobs.content],
            options,
        )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _try(self, messages: Sequence[Message], sampling: Sampling) -> Completion | ModelError:
        try:
            return await self.complete(messages, sampling)
        except ModelError as error:
            return error

    async def _ask(self, messages: Sequence[Message], sampling: Sampling, more: Mapping[str, object]) -> _Reply:
        """The reply, which has a choice. Where the model does not take a parameter, the request is sent again without
        it: once for each parameter, and all within one time-out."""
        wire = list(_wire(messages))
        tried: set[str] = set()
        try:
            async with asyncio.timeout(sampling.timeout):
                while True:
                    body = self._parameters(sampling, more)
                    status, data = await self._post({"model": self._model, "messages": wire, **body})
                    refused = _not_taken(_fault(data), body) if status in _REFUSALS else None
                    if refused is None or refused in tried or not self._leave_out(refused, tried):
                        return self._reply(status, data)
                    if refused in more:
                        raise _UntoldError(f"{self.name} does not tell probabilities")
        except TimeoutError:
            raise ModelError(f"{self.name}: no answer from {self._url} within {sampling.timeout:g} s") from None
        except (aiohttp.ClientError, OSError, UnicodeError) as error:  # UnicodeError: a host that no DNS can carry
            what = self._clean(str(error)) or type(error).__name__
            raise ModelError(f"{self.name}: {what}; is a model served at {self._url}?") from None

    def _parameters(self, sampling: Sampling, more: Mapping[str, object]) -> dict[str, object]:
        wanted: dict[str, object] = {self._limit: sampling.max_tokens, **more}
        # elsewhere the default may be another (vLLM takes it from the model's files), so 1 has to be said
        if sampling.temperature != 1 or not self._reasons:
            wanted["temperature"] = sampling.temperature
        if sampling.seed is not None:
            wanted["seed"] = sampling.seed
        return {name: value for name, value in wanted.items() if name not in self._left_out}

    def _leave_out(self, name: str, tried: set[str]) -> bool:
        """Remember that the model does not take `name`. False where nothing could stand in for it."""
        tried.add(name)
        if name not in _LIMITS:
            self._left_out.add(name)
        elif _LIMITS[name] in tried:
            return False
        else:
            self._limit = _LIMITS[name]
        return True

    async def _post(self, body: Mapping[str, object]) -> tuple[int, bytes]:
        """Status and body of the reply. A redirect is not followed: prompt and key are for this address only."""
        if self._session is None:
            headers = {"Content-Type": "application/json", "Accept-Encoding": "gzip"}
            if self._key:
                headers["Authorization"] = f"Bearer {self._key}"
            self._session = aiohttp.ClientSession(
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=None),  # `_ask` holds the time-out, over all tries
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,  # so that the limit on a reply is on what it decompresses to
            )
        data = msgspec.json.encode(body)
        async with self._session.post(self._url, data=data, allow_redirects=False) as response:
            if 300 <= response.status < 400:
                where = self._clean(response.headers.get("Location", "")) or "nowhere"
                raise ModelError(
                    f"{self.name}: {self._url} redirects (HTTP {response.status}) to {where}; a prompt does not follow,"
                    " give the address that answers"
                )
            return response.status, await self._read(response)

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        """The reply's bytes, decompressed; bounded on the wire and in memory."""
        encoding = response.headers.get("Content-Encoding", "").strip().lower()
        if encoding not in {"", "identity", "gzip", "x-gzip"}:
            raise ModelError(
                f"{self.name}: {self._url} replied in the encoding {self._clean(encoding)!r}, which was not asked for"
            )
        unzip = zlib.decompressobj(zlib.MAX_WBITS | 16) if "gzip" in encoding else None
        data, received = bytearray(), 0
        async for chunk in response.content.iter_chunked(65536):
            received += len(chunk)
            try:
                data += unzip.decompress(chunk, _MAX_REPLY + 1 - len(data)) if unzip else chunk
            except zlib.error:
                raise ModelError(f"{self.name}: the reply of {self._url} cannot be decompressed") from None
            if max(len(data), received) > _MAX_REPLY:
                raise ModelError(f"{self.name}: the reply of {self._url} is larger than {_MAX_REPLY} bytes")
        return bytes(data)

    def _reply(self, status: int, data: bytes) -> _Reply:
        if status != 200:
            words = self._clean(_fault(data).message) or "no body"
            raise ModelError(f"{self.name}: HTTP {status} from {self._url}: {words}")
        try:
            reply = msgspec.json.decode(data, type=_Reply)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise ModelError(f"{self.name}: {self._url} did not answer in Chat Completions JSON") from None
        if not reply.choices:
            raise ModelError(f"{self.name}: {self._url} answered without a choice")
        return reply

    def _clean(self, text: str) -> str:
        """A server's words for an error message: one line, nothing that controls a terminal or turns the direction of
        writing, no key, and not many of them."""
        if self._key:
            text = text.replace(self._key, "[key]")
        return "".join(c for c in " ".join(text.split()) if c.isprintable())[:_MAX_WORDS]


def _wire(messages: Sequence[Message]) -> Iterator[dict[str, object]]:
    """The conversation in Chat Completions form; reasoning stays here.

    Every tool result is a message of its own, before what else its turn says. The form wants ids: calls without one
    get one, and results without one answer the calls that are still open, in order.
    """
    unanswered: list[str] = []
    for number, message in enumerate(messages):
        calls = []
        for at, part in enumerate(message.parts):
            if isinstance(part, ToolCall):
                unanswered.append(part.id or f"call_{number}_{at}")
                calls.append(_call(part, unanswered[-1]))
            elif isinstance(part, ToolResult) or (message.role == "tool" and isinstance(part, Text)):
                given = part.id if isinstance(part, ToolResult) else ""
                answers = given or next(iter(unanswered), "")
                if answers in unanswered:
                    unanswered.remove(answers)
                yield {"role": "tool", "tool_call_id": _sendable(answers), "content": _sendable(part.text)}
        text = "" if message.role == "tool" else _sendable(message.text)
        if calls:
            yield {"role": message.role, "content": text or None, "tool_calls": calls}
        elif text or not any(isinstance(part, ToolResult) or message.role == "tool" for part in message.parts):
            yield {"role": message.role, "content": text}


def _call(call: ToolCall, of: str) -> dict[str, object]:
    function = {"name": _sendable(call.name), "arguments": _sendable(call.text)}
    return {"id": _sendable(of), "type": "function", "function": function}


def _tool(tool: Tool) -> dict[str, object]:
    about = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": about}


def _finish(reason: str | None, said: _Said, calls: Sequence[ToolCall]) -> Finish:
    if reason == "length":
        return "length"
    if reason == "content_filter" or (said.refusal and not said.content):
        return "refused"
    return "tool_calls" if calls else "stop"


def _sendable(text: str) -> str:
    """Half of a surrogate pair, which a command line can carry, is no character; it becomes a question mark."""
    return text.encode("utf-8", "replace").decode()


def _fault(data: bytes) -> _Fault:
    """What a server says is wrong: in OpenAI's form, alone or (Gemini) in a list, else in its first words."""
    try:
        reply = msgspec.json.decode(data, type=_Refusal | list[_Refusal])
        error = reply.error if isinstance(reply, _Refusal) else reply[0].error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, IndexError):
        error = data[:2000].decode("utf-8", "replace")
    return _Fault(error) if isinstance(error, str) else error


def _not_taken(fault: _Fault, sent: Container[str]) -> str | None:
    """The parameter, among those that were sent and need not be, that the model does not take."""
    if not _NOT_TAKEN.search(f"{fault.code} {fault.message}"):
        return None
    named = [fault.param] if fault.param else re.findall(r"\w+", fault.message.lower())
    return next((name for name in named if name in sent and (name in _OPTIONAL or name in _LIMITS)), None)


def option_odds(
    steps: Sequence[Sequence[tuple[str, float]]], said: Sequence[str], options: Sequence[str]
) -> tuple[float, ...] | None:
    """Probability of each option, normalised, at the first token that tells the options apart.

    `steps[i]` are the likeliest (token, log-probability) at token i, `said[i]` is the token that was drawn. None when
    the reply leaves the options before they part, or nothing is told where they do.
    """
    before = ""
    for likely, token in zip(steps, said, strict=True):
        odds = [0.0] * len(options)
        for text, logprob in likely:
            fits = [i for i, option in enumerate(options) if _agree(option, (before + text).lstrip())]
            if len(fits) == 1:
                odds[fits[0]] += math.exp(min(logprob, 0.0))
        if sum(odds) > 0:
            return tuple(value / sum(odds) for value in odds)
        before += token
        if not any(_agree(option, before.lstrip()) for option in options):
            return None
    return None


def _agree(option: str, text: str) -> bool:
    return option.startswith(text) or text.startswith(option)
