"""Anthropic's Messages.

Wire format: https://docs.anthropic.com/en/api/messages. A refusal is an answer (status 200, `stop_reason: refusal`).
Thinking is judged as reasoning. What was signed or sealed goes both ways as it is or not at all: an answer that the law
changed has none. What is sealed nobody here can read, and nobody but the vendor.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec

from lawspeaker.exchange import Exchange, Message, Part, Reasoning, Text, ToolCall, ToolResult
from lawspeaker.gateway.body import MOST_MESSAGES, decode
from lawspeaker.gateway.fault import KINDS, RequestError, bad
from lawspeaker.gateway.neutral import PIECE, Asked, Effort, Outcome, pieces
from lawspeaker.models.base import Form, Terms, Thinking, Tool

Cache = dict[str, Any]  # up to where a vendor is to keep the prompt, and for how long; says nothing to a model


class _Text(msgspec.Struct, tag_field="type", tag="text", forbid_unknown_fields=True):
    text: str
    cache_control: Cache | None = None
    citations: None = None


class _Thinking(msgspec.Struct, tag_field="type", tag="thinking", forbid_unknown_fields=True):
    thinking: str
    signature: str = ""


class _Sealed(msgspec.Struct, tag_field="type", tag="redacted_thinking", forbid_unknown_fields=True):
    data: str


class _ToolUse(msgspec.Struct, tag_field="type", tag="tool_use", forbid_unknown_fields=True):
    id: str
    name: str
    input: dict[str, Any]
    cache_control: Cache | None = None
    caller: None = None


class _ToolResult(msgspec.Struct, tag_field="type", tag="tool_result", forbid_unknown_fields=True):
    tool_use_id: str
    content: str | list[_Text] = ""
    is_error: bool = False
    cache_control: Cache | None = None


_Block = _Text | _Thinking | _Sealed | _ToolUse | _ToolResult


class _Turn(msgspec.Struct, forbid_unknown_fields=True):
    role: Literal["user", "assistant"]
    content: str | list[_Block]


class _Tool(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    input_schema: dict[str, Any]
    description: str = ""
    type: Literal["custom"] | None = None
    strict: bool | None = None
    cache_control: Cache | None = None
    eager_input_streaming: bool | None = None


class _Choice(msgspec.Struct, forbid_unknown_fields=True):
    type: Literal["auto", "none", "any", "tool"]
    name: str = ""
    disable_parallel_tool_use: bool = False


class _Format(msgspec.Struct, tag_field="type", tag="json_schema", forbid_unknown_fields=True):
    schema: dict[str, Any]


class _Output(msgspec.Struct, forbid_unknown_fields=True):
    effort: Effort | None = None
    format: _Format | None = None


class _Metadata(msgspec.Struct, forbid_unknown_fields=True):
    user_id: str | None = None


Display = Literal["summarized", "omitted"]


class _Disabled(msgspec.Struct, tag_field="type", tag="disabled", forbid_unknown_fields=True):
    pass


class _Enabled(msgspec.Struct, tag_field="type", tag="enabled", forbid_unknown_fields=True):
    budget_tokens: int
    display: Display | None = None


class _Adaptive(msgspec.Struct, tag_field="type", tag="adaptive", forbid_unknown_fields=True):
    display: Display | None = None


class _Counted(msgspec.Struct, forbid_unknown_fields=True):
    """What a request to answer and a request to count have in common."""

    model: str
    messages: list[_Turn]
    system: str | list[_Text] = ""
    tools: list[_Tool] = []
    tool_choice: _Choice | None = None
    thinking: _Enabled | _Adaptive | _Disabled | None = None
    output_config: _Output | None = None
    cache_control: Cache | None = None


class _Request(_Counted, kw_only=True, forbid_unknown_fields=True):
    max_tokens: int
    temperature: float | None = None
    stream: bool = False
    stop_sequences: list[str] = []
    top_p: float | None = None
    top_k: int | None = None
    metadata: _Metadata | None = None
    service_tier: Literal["auto", "standard_only"] | None = None


class Messages:
    """See `Surface`."""

    name = "messages"
    calls: Mapping[str, str] = {
        "form": "output_config.format",
        "effort": "output_config.effort",
        "stop": "stop_sequences",
        "choice": "tool_choice",
    }

    def read(self, body: bytes) -> Asked:
        request = decode(body, _Request)
        asked = _asked(request)
        stop = tuple(request.stop_sequences)
        return msgspec.structs.replace(
            asked,
            max_tokens=request.max_tokens,
            temperature=request.temperature,
            stream=request.stream,
            terms=msgspec.structs.replace(asked.terms, stop=stop, top_p=request.top_p, top_k=request.top_k),
        )

    def answer(self, id: str, created: int, asked: Asked, outcomes: Sequence[Outcome]) -> bytes:
        outcome = outcomes[0]
        message = _message(id, asked, outcome, _blocks(outcome))
        return msgspec.json.encode({**message, **_ended(outcome)})

    def writer(self, id: str, created: int, asked: Asked) -> "_Writer":
        return _Writer(id, asked)

    def ping(self) -> bytes:
        return _event("ping")

    def error(self, error: RequestError, id: str) -> bytes:
        return msgspec.json.encode(_fault(error, id))

    def stream_error(self, error: RequestError, id: str) -> bytes:
        return b"event: error\ndata: " + msgspec.json.encode(_fault(error, id)) + b"\n\n"


class _Writer:
    """See `Writer`. Words that come early are the first block; a refusal after them is one of its own."""

    def __init__(self, id: str, asked: Asked) -> None:
        self._id, self._asked = id, asked
        self._said = 0

    def text(self, index: int, text: str) -> bytes:
        begun = b"" if self._said else self._start(Outcome()) + _block_start(0, {"type": "text", "text": ""})
        self._said += len(text)
        return begun + _text_delta(0, text)

    def finish(self, outcomes: Sequence[Outcome]) -> Iterator[bytes]:
        outcome = outcomes[0]
        blocks = _blocks(outcome)  # before the first event: what cannot be said in this form begins no stream
        at = 0
        if not self._said:
            yield self._start(outcome)
        else:
            if not outcome.refusal:
                yield from (_text_delta(0, piece) for piece in pieces(blocks.pop(0)["text"][self._said :]))
            yield _event("content_block_stop", index=0)
            at = 1
        for index, block in enumerate(blocks, at):
            yield from _block_events(index, block)
        usage = {"input_tokens": outcome.usage.input_tokens, "output_tokens": outcome.usage.output_tokens}
        yield _event("message_delta", delta=_ended(outcome), usage=usage)
        yield _event("message_stop")

    def _start(self, outcome: Outcome) -> bytes:
        return _event("message_start", message=_message(self._id, self._asked, outcome, []))


def count(body: bytes) -> tuple[Asked, bytes]:
    """An estimate of a request's tokens, and what it was of: a token for every three bytes that a model would read.
    Which model answers, and how it counts, is not known before it is asked."""
    request = decode(body, _Counted)
    if not request.messages:
        raise bad("there are no messages", "messages")
    asked = _asked(request)
    said = [part.text for message in asked.exchange.messages for part in message.parts]
    size = sum(len(text.encode("utf-8", "replace")) for text in said) + len(msgspec.json.encode(asked.terms.tools))
    return asked, msgspec.json.encode({"input_tokens": -(-size // 3)})


def _asked(request: _Counted) -> Asked:
    if len(request.messages) > MOST_MESSAGES:
        raise bad(f"there are more than {MOST_MESSAGES} messages", "messages")
    system = request.system if isinstance(request.system, list) else [_Text(request.system)] if request.system else []
    head = [Message("system", tuple(Text(block.text) for block in system), outside=True)] if system else []
    turns = (
        Message(turn.role, tuple(_parts(turn.content)), outside=turn.role == "assistant") for turn in request.messages
    )
    return Asked(request.model, Exchange((*head, *turns)), terms=_terms(request))


def _terms(request: _Counted) -> Terms:
    choice, output = request.tool_choice or _Choice("auto"), request.output_config or _Output()
    if bool(choice.name) != (choice.type == "tool"):
        raise bad("tool_choice has a name where its type is 'tool', and only there", "tool_choice")
    return Terms(
        tools=tuple(Tool(t.name, t.description, t.input_schema, t.strict) for t in request.tools),
        choice=choice.type if choice.type in ("auto", "none") else "required",
        named=choice.name,
        parallel=False if choice.disable_parallel_tool_use else None,
        form=Form(schema=output.format.schema, strict=True) if output.format else None,
        effort=output.effort or "",
        thinking=_thinking(request.thinking),
        keep=_keep(request),
    )


def _keep(request: _Counted) -> Literal["", "5m", "1h"]:
    """How long the prompt is to be kept, the longest of what is asked for anywhere in it."""
    blocks = [block for turn in request.messages if not isinstance(turn.content, str) for block in turn.content]
    system = () if isinstance(request.system, str) else request.system
    marks = [
        request.cache_control,
        *(getattr(each, "cache_control", None) for each in (*system, *request.tools, *blocks)),
    ]
    asked = [mark.get("ttl") for mark in marks if mark]
    return ("1h" if "1h" in asked else "5m") if asked else ""


def _thinking(wanted: _Enabled | _Adaptive | _Disabled | None) -> Thinking | None:
    match wanted:
        case _Enabled(budget_tokens=budget, display=display):
            return Thinking("enabled", budget, display)
        case _Adaptive(display=display):
            return Thinking("adaptive", display=display)
        case _Disabled():
            return Thinking("disabled")
    return None


def _parts(content: str | list[_Block]) -> Iterator[Part]:
    for block in [_Text(content)] if isinstance(content, str) else content:
        match block:
            case _Text(text=text):
                yield Text(text)
            case _Thinking(thinking=text, signature=signature):
                yield Reasoning(text, signature)
            case _Sealed(data=data):
                yield Reasoning("", sealed=data)
            case _ToolUse(id=id, name=name, input=given):
                yield ToolCall(name, msgspec.json.encode(given).decode(), id)
            case _ToolResult(tool_use_id=id, content=text, is_error=failed):
                words = text if isinstance(text, str) else "\n".join(each.text for each in text)
                yield ToolResult(words, id, failed)


def _blocks(outcome: Outcome) -> list[dict[str, Any]]:
    if outcome.refusal:
        return [{"type": "text", "text": outcome.refusal}]
    said = [_block(part) for part in outcome.parts if isinstance(part, Text | ToolCall | Reasoning)]
    return [block for block in said if block.get("text") != ""]


def _block(part: Text | ToolCall | Reasoning) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    if isinstance(part, Reasoning):
        if part.sealed:
            return {"type": "redacted_thinking", "data": part.sealed}
        return {"type": "thinking", "thinking": part.text, "signature": part.signature}
    try:
        given = msgspec.json.decode(part.text or "{}", type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        raise RequestError(502, "the model asks for a tool with arguments that are no JSON object") from None
    return {"type": "tool_use", "id": part.id, "name": part.name, "input": given}


def _block_events(index: int, block: Mapping[str, Any]) -> Iterator[bytes]:
    if block["type"] == "text":
        yield _block_start(index, {"type": "text", "text": ""})
        yield from (_text_delta(index, piece) for piece in pieces(block["text"]))
    elif block["type"] == "thinking":
        yield _block_start(index, {**block, "thinking": "", "signature": ""})
        for piece in pieces(block["thinking"]):
            yield _event("content_block_delta", index=index, delta={"type": "thinking_delta", "thinking": piece})
        delta = {"type": "signature_delta", "signature": block["signature"]}
        yield _event("content_block_delta", index=index, delta=delta)
    elif block["type"] == "redacted_thinking":
        yield _block_start(index, block)
    else:
        yield _block_start(index, {**block, "input": {}})
        given = msgspec.json.encode(block["input"]).decode()
        for at in range(0, len(given), PIECE):
            delta = {"type": "input_json_delta", "partial_json": given[at : at + PIECE]}
            yield _event("content_block_delta", index=index, delta=delta)
    yield _event("content_block_stop", index=index)


def _block_start(index: int, block: Mapping[str, Any]) -> bytes:
    return _event("content_block_start", index=index, content_block=block)


def _text_delta(index: int, text: str) -> bytes:
    return _event("content_block_delta", index=index, delta={"type": "text_delta", "text": text})


def _message(id: str, asked: Asked, outcome: Outcome, content: list[dict[str, Any]]) -> dict[str, Any]:
    usage = {"input_tokens": outcome.usage.input_tokens, "output_tokens": outcome.usage.output_tokens}
    head = {"id": f"msg_{id}", "type": "message", "role": "assistant", "model": asked.model}
    return {**head, "content": content, "stop_reason": None, "stop_sequence": None, "usage": usage}


def _ended(outcome: Outcome) -> dict[str, object]:
    """Why the answer ends where it does."""
    if outcome.refusal:
        reason = "refusal"
    elif any(isinstance(part, ToolCall) for part in outcome.parts):
        reason = "tool_use"
    elif outcome.stopped_by:
        return {"stop_reason": "stop_sequence", "stop_sequence": outcome.stopped_by}
    else:
        reason = "max_tokens" if outcome.cut else "end_turn"
    return {"stop_reason": reason, "stop_sequence": None}


def _event(kind: str, **fields: object) -> bytes:
    return f"event: {kind}\ndata: ".encode() + msgspec.json.encode({"type": kind, **fields}) + b"\n\n"


def _fault(error: RequestError, id: str) -> dict[str, object]:
    return {"type": "error", "error": {"type": KINDS[error.status][1], "message": str(error)}, "request_id": id or None}
