"""OpenAI's Chat Completions.

Wire format: https://platform.openai.com/docs/api-reference/chat. A refusal is an answer (status 200, `refusal`,
`finish_reason: content_filter`), so that no client's library asks again.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec

from lawspeaker.exchange import Exchange, Message, Part, Text, ToolCall, ToolResult
from lawspeaker.gateway.body import MOST_MESSAGES, decode
from lawspeaker.gateway.fault import KINDS, RequestError, bad
from lawspeaker.gateway.neutral import Asked, Effort, Outcome, Verbosity, pieces
from lawspeaker.models.base import Form, Terms, Tool

MOST_CHOICES = 8


class _Piece(msgspec.Struct, tag_field="type", tag="text", forbid_unknown_fields=True):
    text: str


class _RefusalPiece(msgspec.Struct, tag_field="type", tag="refusal", forbid_unknown_fields=True):
    refusal: str


Content = str | list[_Piece | _RefusalPiece]


class _Function(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    arguments: str


class _Call(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    function: _Function
    type: Literal["function"] = "function"


class _System(msgspec.Struct, tag_field="role", tag="system", forbid_unknown_fields=True):
    content: Content
    name: str | None = None


class _Developer(msgspec.Struct, tag_field="role", tag="developer", forbid_unknown_fields=True):
    content: Content
    name: str | None = None


class _User(msgspec.Struct, tag_field="role", tag="user", forbid_unknown_fields=True):
    content: Content
    name: str | None = None


class _Assistant(msgspec.Struct, tag_field="role", tag="assistant", forbid_unknown_fields=True):
    content: Content | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None
    name: str | None = None
    # what answers elsewhere hold beside, where there is nothing in it
    annotations: Annotated[list[Any], msgspec.Meta(max_length=0)] | None = None
    audio: None = None
    function_call: None = None


class _Tool(msgspec.Struct, tag_field="role", tag="tool", forbid_unknown_fields=True):
    content: Content
    tool_call_id: str


_Turn = _System | _Developer | _User | _Assistant | _Tool


class _Definition(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    description: str | None = None
    parameters: dict[str, Any] = {}
    strict: bool | None = None


class _Offer(msgspec.Struct, tag_field="type", tag="function", forbid_unknown_fields=True):
    function: _Definition


class _Called(msgspec.Struct, forbid_unknown_fields=True):
    name: str


class _Named(msgspec.Struct, tag_field="type", tag="function", forbid_unknown_fields=True):
    function: _Called


class _Plain(msgspec.Struct, tag_field="type", tag="text", forbid_unknown_fields=True):
    """Words: the only form of answer that every upstream has."""


class _AnyObject(msgspec.Struct, tag_field="type", tag="json_object", forbid_unknown_fields=True):
    pass


class _Schema(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    schema: dict[str, Any] = {}
    description: str = ""
    strict: bool | None = None


class _Fitting(msgspec.Struct, tag_field="type", tag="json_schema", forbid_unknown_fields=True):
    json_schema: _Schema


class _StreamOptions(msgspec.Struct, forbid_unknown_fields=True):
    include_usage: bool = False
    include_obfuscation: bool = False


class _Request(msgspec.Struct, forbid_unknown_fields=True):
    model: str
    messages: list[_Turn]
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    seed: int | None = None
    n: int | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    store: Literal[False] | None = None
    logprobs: Literal[False] | None = None
    tools: list[_Offer] | None = None
    tool_choice: Literal["auto", "none", "required"] | _Named | None = None
    parallel_tool_calls: bool | None = None
    response_format: _Plain | _AnyObject | _Fitting | None = None
    stop: str | list[str] | None = None
    top_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    reasoning_effort: Effort | None = None
    verbosity: Verbosity | None = None
    # what says nothing to a model
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    service_tier: Literal["auto", "default"] | None = None


class Chat:
    """See `Surface`."""

    name = "chat"
    calls: Mapping[str, str] = {"form": "response_format", "effort": "reasoning_effort", "choice": "tool_choice"}

    def read(self, body: bytes) -> Asked:
        request = decode(body, _Request)
        if len(request.messages) > MOST_MESSAGES:
            raise bad(f"there are more than {MOST_MESSAGES} messages", "messages")
        count = 1 if request.n is None else request.n
        if not 1 <= count <= MOST_CHOICES:
            raise bad(f"n is 1 to {MOST_CHOICES} here", "n")
        return Asked(
            request.model,
            Exchange(tuple(_message(turn) for turn in request.messages)),
            request.max_tokens if request.max_completion_tokens is None else request.max_completion_tokens,
            request.temperature,
            request.seed,
            count,
            bool(request.stream),
            bool(request.stream_options and request.stream_options.include_usage),
            _terms(request),
        )

    def answer(self, id: str, created: int, asked: Asked, outcomes: Sequence[Outcome]) -> bytes:
        choices = [
            {"index": index, "message": _said(outcome), "logprobs": None, "finish_reason": _finish(outcome)}
            for index, outcome in enumerate(outcomes)
        ]
        head = {"id": f"chatcmpl-{id}", "object": "chat.completion", "created": created, "model": asked.model}
        return msgspec.json.encode({**head, "choices": choices, **_usage(outcomes)})

    def writer(self, id: str, created: int, asked: Asked) -> "_Writer":
        return _Writer(id, created, asked)

    def ping(self) -> bytes:
        return b": held\n\n"

    def error(self, error: RequestError, id: str) -> bytes:
        return msgspec.json.encode(_fault(error))

    def stream_error(self, error: RequestError, id: str) -> bytes:
        return _frame(_fault(error))


class _Writer:
    """See `Writer`."""

    def __init__(self, id: str, created: int, asked: Asked) -> None:
        self._head = {"id": f"chatcmpl-{id}", "object": "chat.completion.chunk", "created": created}
        self._head["model"], self._usage = asked.model, asked.usage
        self._said: dict[int, int] = {}  # choice -> characters of it

    def text(self, index: int, text: str) -> bytes:
        begun = (
            b"" if index in self._said else self._delta(index, {"role": "assistant", "content": "", "refusal": None})
        )
        self._said[index] = self._said.get(index, 0) + len(text)
        return begun + self._delta(index, {"content": text})

    def finish(self, outcomes: Sequence[Outcome]) -> Iterator[bytes]:
        for index, outcome in enumerate(outcomes):
            for delta in _deltas(outcome, self._said.get(index)):
                yield self._delta(index, delta)
            yield self._delta(index, {}, _finish(outcome))
        if self._usage:
            yield _frame({**self._head, "choices": [], **_usage(outcomes)})
        yield b"data: [DONE]\n\n"

    def _delta(self, index: int, delta: dict[str, object], finish: str | None = None) -> bytes:
        return _frame({**self._head, "choices": [{"index": index, "delta": delta, "finish_reason": finish}]})


def _terms(request: _Request) -> Terms:
    offers = [offer.function for offer in request.tools or ()]
    choice, stop = request.tool_choice or "auto", () if request.stop is None else request.stop
    return Terms(
        tools=tuple(Tool(offer.name, offer.description or "", offer.parameters, offer.strict) for offer in offers),
        choice="required" if isinstance(choice, _Named) else choice,
        named=choice.function.name if isinstance(choice, _Named) else "",
        parallel=request.parallel_tool_calls and None,
        form=_form(request.response_format),
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
        top_p=request.top_p,
        frequency_penalty=request.frequency_penalty,
        presence_penalty=request.presence_penalty,
        effort=request.reasoning_effort or "",
        verbosity=request.verbosity or "",
    )


def _form(wanted: _Plain | _AnyObject | _Fitting | None) -> Form | None:
    if not isinstance(wanted, _Fitting):
        return Form() if isinstance(wanted, _AnyObject) else None
    about = wanted.json_schema
    return Form(about.name, about.schema, about.description, about.strict)


def _fault(error: RequestError) -> dict[str, object]:
    kind = KINDS[error.status][0]
    return {"error": {"message": str(error), "type": kind, "param": error.param, "code": error.code}}


def _frame(value: object) -> bytes:
    return b"data: " + msgspec.json.encode(value) + b"\n\n"


def _message(turn: _Turn) -> Message:
    if isinstance(turn, _Tool):
        return Message("tool", (ToolResult(_words(turn.content), turn.tool_call_id),))
    if isinstance(turn, _Assistant):
        calls = tuple(ToolCall(c.function.name, c.function.arguments, c.id) for c in turn.tool_calls or ())
        words = tuple(Text(text) for text in (_words(turn.content or ""), turn.refusal or "") if text)
        return Message("assistant", (*words, *calls), outside=True)
    if isinstance(turn, _User):
        return Message("user", _parts(turn.content))
    return Message("system", _parts(turn.content), outside=True)


def _words(content: Content) -> str:
    return content if isinstance(content, str) else "\n".join(_text(piece) for piece in content)


def _parts(content: Content) -> tuple[Part, ...]:
    return (Text(content),) if isinstance(content, str) else tuple(Text(_text(piece)) for piece in content)


def _text(piece: _Piece | _RefusalPiece) -> str:
    return piece.text if isinstance(piece, _Piece) else piece.refusal


def _said(outcome: Outcome) -> dict[str, object]:
    if outcome.refusal:
        return {"role": "assistant", "content": None, "refusal": outcome.refusal}
    words = "\n".join(part.text for part in outcome.parts if isinstance(part, Text))
    calls = [_call(part) for part in outcome.parts if isinstance(part, ToolCall)]
    said: dict[str, object] = {"role": "assistant", "content": words or None, "refusal": None}
    return {**said, "tool_calls": calls} if calls else said


def _usage(outcomes: Sequence[Outcome]) -> dict[str, object]:
    """What the upstream says that it took; nothing where it says nothing."""
    asked = max(outcome.usage.input_tokens for outcome in outcomes)
    said = sum(outcome.usage.output_tokens for outcome in outcomes)
    if not asked and not said:
        return {}
    return {"usage": {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}}


def _call(part: ToolCall) -> dict[str, object]:
    return {"id": part.id, "type": "function", "function": {"name": part.name, "arguments": part.text}}


def _finish(outcome: Outcome) -> str:
    if outcome.refusal:
        return "content_filter"
    if any(isinstance(part, ToolCall) for part in outcome.parts):
        return "tool_calls"
    return "length" if outcome.cut else "stop"


def _deltas(outcome: Outcome, begun: int | None) -> Iterator[dict[str, object]]:
    """What is to be said after the first `begun` characters; None where nothing has been."""
    said = _said(outcome)
    if begun is None:
        yield {"role": "assistant", "content": "" if said["content"] else None, "refusal": None}
    for field, after in (("content", begun or 0), ("refusal", 0)):
        text = said[field]
        if isinstance(text, str):
            for piece in pieces(text[after:]):
                yield {field: piece}
    calls = [part for part in outcome.parts if isinstance(part, ToolCall)] if not outcome.refusal else []
    for index, part in enumerate(calls):
        yield {"tool_calls": [{"index": index, **_call(part)}]}
