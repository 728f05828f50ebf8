"""Any server that speaks OpenAI's Chat Completions: OpenAI itself, vLLM, Ollama, Gemini's compatible endpoint, …

Wire format: https://platform.openai.com/docs/api-reference/chat. Few fields are sent, since models differ in them.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Final

import msgspec

from lawspeaker.errors import ModelError
from lawspeaker.exchange import Message, ToolCall, ToolResult
from lawspeaker.models.base import PLAIN, Completion, Finish, Form, Sampling, Terms, Tool, Usage
from lawspeaker.models.embeddings import Embedding, Vectors
from lawspeaker.models.remote import Question, Remote
from lawspeaker.models.turns import ready
from lawspeaker.models.wire import CONNECTIONS, Fault, NotTakenError, Wire

_LIKELIHOODS: Final = {"logprobs": True, "top_logprobs": 20}
_OPTIONAL: Final = frozenset({"temperature", "seed", "stream_options", *_LIKELIHOODS})
# fields of `Terms` that the wire format calls by the same name
_SAME: Final = ("top_p", "frequency_penalty", "presence_penalty", "verbosity")


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


class _Piece(msgspec.Struct):
    """One event of a stream."""

    choices: list["_Delta"] = []
    usage: _Used | None = None
    error: Fault | str | None = None


class _Delta(msgspec.Struct):
    delta: "_Words | None" = None
    index: int = 0
    finish_reason: str | None = None


class _FunctionPiece(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _CallPiece(msgspec.Struct):
    index: int = 0
    id: str | None = None
    function: _FunctionPiece | None = None


class _Words(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[_CallPiece] | None = None


class _Heard:
    """A stream's reply, put together. A refusal is told at the end: it is an answer of its own."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._words: list[str] = []
        self._refusal = ""
        self._calls: dict[int, list[str]] = {}  # index -> id, name, arguments
        self._finish: str | None = None
        self._used: _Used | None = None
        self.ended = False

    def take(self, data: bytes) -> str:
        if data == b"[DONE]":
            self.ended = True
            return ""
        piece = self._wire.decode(data, _Piece)
        if piece.error is not None:
            raise self._wire.failed(piece.error if isinstance(piece.error, str) else piece.error.message)
        self._used = piece.usage or self._used
        words = ""
        for choice in piece.choices:
            if choice.index == 0:
                words += self._add(choice.delta or _Words())
                self._finish = choice.finish_reason or self._finish
                self.ended = self.ended or choice.finish_reason is not None
        return words

    def _add(self, said: _Words) -> str:
        self._refusal += said.refusal or ""
        for call in said.tool_calls or ():
            known = self._calls.setdefault(call.index, ["", "", ""])
            named = call.function or _FunctionPiece()
            known[0] = known[0] or call.id or ""
            known[1] = known[1] or named.name or ""
            known[2] += named.arguments or ""
        if said.content:
            self._words.append(said.content)
        return said.content or ""

    def reply(self) -> _Reply:
        calls = [_Call(_Function(name, given), id) for id, name, given in self._calls.values()]
        said = _Said("".join(self._words) or None, self._refusal or None, calls or None)
        return _Reply([_Choice(said, self._finish)], self._used)


class OpenAICompatible(Remote[_Reply]):
    """A model behind `POST <base>/chat/completions`.

    `reasons`: the server's own default temperature is 1 and it knows `max_completion_tokens`, as OpenAI's does.
    """

    takes = frozenset({"seed", "choice", "form", "stop", "effort", *_SAME})
    of_streams: ClassVar = {"stream_options": {"include_usage": True}}

    def __init__(
        self,
        name: str,
        base: str,
        model: str,
        key: str | None,
        *,
        reasons: bool = False,
        connections: int = CONNECTIONS,
    ) -> None:
        url = base.rstrip("/") + "/chat/completions"
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        wire = Wire(name, url, "Chat Completions", key, headers, _OPTIONAL, connections=connections)
        super().__init__(wire, {"base": base, "model": model})
        self._embedding = Embedding(name, base, model, key, headers, connections)
        self._reasons = reasons
        self._limit = "max_completion_tokens" if reasons else "max_tokens"

    def _reply(self, data: bytes) -> _Reply:
        """The reply, which has a choice."""
        reply = self._wire.decode(data, _Reply)
        if not reply.choices:
            raise ModelError(f"{self.name}: {self._wire.url} answered without a choice; try again")
        return reply

    def _hearing(self) -> _Heard:
        return _Heard(self._wire)

    def _completion(self, reply: _Reply, sampling: Sampling) -> Completion:
        choice, used = reply.choices[0], reply.usage or _Used()
        said, finish = choice.message, choice.finish_reason
        text = said.content or said.refusal or ""
        calls = tuple(ToolCall(c.function.name, c.function.arguments, c.id or "") for c in said.tool_calls or ())
        if not text.strip() and not calls:
            raise self._wire.empty(finish, sampling.max_tokens if finish == "length" else 0)
        usage = Usage(used.prompt_tokens, used.completion_tokens)
        return Completion(text, self.name, _finish(finish, said, calls), calls, usage)

    async def choose(self, messages: Sequence[Message], options: Sequence[str]) -> tuple[float, ...] | None:
        sampling = Sampling(temperature=0, max_tokens=max(map(len, options)))
        try:
            question = self._question(messages, sampling, PLAIN)._replace(needed=_LIKELIHOODS)
            choice = (await self._ask(question, sampling.timeout)).choices[0]
        except NotTakenError:
            return None
        if choice.logprobs is None or not choice.logprobs.content:
            return None
        return option_odds(
            [[(t.token, t.logprob) for t in step.top_logprobs or ()] for step in choice.logprobs.content],
            [step.token for step in choice.logprobs.content],
            options,
        )

    async def embed(self, texts: Sequence[str], timeout: float, how: Mapping[str, object]) -> Vectors:
        """See `Embedder`."""
        return await self._embedding.embed(texts, timeout, how)

    async def close(self) -> None:
        await self._embedding.close()
        await super().close()

    def _question(self, messages: Sequence[Message], sampling: Sampling, terms: Terms) -> Question:
        fixed: dict[str, object] = {"model": self._model, "messages": list(_turns(messages))}
        if terms.tools:
            fixed["tools"] = [_tool(tool) for tool in terms.tools]
        wanted: dict[str, object] = {self._limit: sampling.max_tokens}
        # elsewhere the default may be another (vLLM takes it from the model's files), so 1 has to be said
        if sampling.temperature != 1 or not self._reasons:
            wanted["temperature"] = sampling.temperature
        if sampling.seed is not None:
            wanted["seed"] = sampling.seed
        return Question(fixed, wanted, _terms(terms))


def _turns(messages: Sequence[Message]) -> Iterator[dict[str, object]]:
    """Every tool result is a message of its own, before what else its turn says."""
    for message in ready(messages):
        results = [part for part in message.parts if isinstance(part, ToolResult)]
        calls = [_call(part) for part in message.parts if isinstance(part, ToolCall)]
        for result in results:
            yield {"role": "tool", "tool_call_id": result.id, "content": result.text}
        if calls:
            yield {"role": message.role, "content": message.text or None, "tool_calls": calls}
        elif message.text or not (results or message.role == "tool"):
            yield {"role": message.role, "content": message.text}


def _call(call: ToolCall) -> dict[str, object]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.text}}


def _tool(tool: Tool) -> dict[str, object]:
    about: dict[str, object] = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": about if tool.strict is None else {**about, "strict": tool.strict}}


def _terms(terms: Terms) -> dict[str, object]:
    """What is asked for beside the sampling, in this form; nothing where nothing is."""
    said: dict[str, object] = {name: getattr(terms, name) for name in _SAME if getattr(terms, name) not in (None, "")}
    if terms.stop:
        said["stop"] = terms.stop
    if terms.effort:
        said["reasoning_effort"] = terms.effort
    if terms.form is not None:
        said["response_format"] = _form(terms.form)
    if not terms.tools:
        return said
    if terms.choice != "auto":
        named = {"type": "function", "function": {"name": terms.named}}
        said["tool_choice"] = named if terms.named else terms.choice
    if terms.parallel is not None:
        said["parallel_tool_calls"] = terms.parallel
    return said


def _form(form: Form) -> dict[str, object]:
    if form.schema is None:
        return {"type": "json_object"}
    about: dict[str, object] = {"name": form.name or "answer", "schema": form.schema}
    if form.description:
        about["description"] = form.description
    return {"type": "json_schema", "json_schema": about if form.strict is None else {**about, "strict": form.strict}}


def _finish(reason: str | None, said: _Said, calls: Sequence[ToolCall]) -> Finish:
    if reason == "length":
        return "length"
    if reason == "content_filter" or (said.refusal and not said.content):
        return "refused"
    return "tool_calls" if calls else "stop"


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
