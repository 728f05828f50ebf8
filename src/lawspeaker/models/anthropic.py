"""Anthropic's Messages.

Wire format: https://docs.anthropic.com/en/api/messages. It has no seed and tells no probabilities; its turns
alternate, so that what one side says in a row becomes one turn. Thinking that it signed or sealed goes back to it as it
came, and only to it.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from lawspeaker.exchange import Message, Part, Reasoning, Text, ToolCall, ToolResult
from lawspeaker.models.base import Completion, Finish, Sampling, Terms, Tool, Usage
from lawspeaker.models.remote import Question, Remote
from lawspeaker.models.turns import ready
from lawspeaker.models.wire import CONNECTIONS, Fault, NotTakenError, Wire

_VERSION: Final = "2023-06-01"
_OPTIONAL: Final = frozenset({"temperature", "cache_control"})
_THOUGHT: Final = frozenset({"thinking", "redacted_thinking"})
# fields of `Terms` -> what the wire format calls them
_SAME: Final = {"stop": "stop_sequences", "top_p": "top_p", "top_k": "top_k"}
_FINISHES: Final[dict[str, Finish]] = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "refused",
}


class _Block(msgspec.Struct):
    type: str
    text: str = ""
    thinking: str = ""
    signature: str = ""
    data: str = ""
    id: str = ""
    name: str = ""
    input: msgspec.Raw = msgspec.Raw(b"{}")


class _Used(msgspec.Struct):
    input_tokens: int = 0
    output_tokens: int = 0
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None


class _Reply(msgspec.Struct):
    content: list[_Block]
    stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: _Used | None = None


class _Delta(msgspec.Struct):
    text: str = ""
    partial_json: str = ""
    thinking: str = ""
    signature: str = ""
    stop_reason: str | None = None
    stop_sequence: str | None = None


class _Event(msgspec.Struct):
    """One event of a stream: which fields it has goes by its type."""

    type: str
    index: int = 0
    delta: _Delta | None = None
    content_block: _Block | None = None
    message: "_Begun | None" = None
    usage: _Used | None = None
    error: Fault | None = None


class _Begun(msgspec.Struct):
    usage: _Used | None = None


class _Heard:
    """A stream's reply, put together. Words that come after a thought are told at the end: it goes before them."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._blocks: dict[int, tuple[_Block, list[str]]] = {}  # index -> as it is, and what came since
        self._stop: str | None = None
        self._sequence: str | None = None
        self._thought = False
        self._used = _Used()
        self.ended = False

    def take(self, data: bytes) -> str:
        event = self._wire.decode(data, _Event)
        match event:
            case _Event(error=Fault() as error):
                raise self._wire.failed(error.message)
            case _Event(type="message_start", message=_Begun(usage=_Used() as used)):
                self._used = used
            case _Event(type="content_block_start", content_block=_Block() as block):
                self._blocks[event.index] = (block, [block.text + block.thinking])
                self._thought = self._thought or block.type in _THOUGHT
                return block.text if block.type == "text" and not self._thought else ""
            case _Event(type="content_block_delta", delta=_Delta() as delta) if event.index in self._blocks:
                block, pieces = self._blocks[event.index]
                pieces.append(delta.text + delta.partial_json + delta.thinking)
                if delta.signature:
                    block = msgspec.structs.replace(block, signature=block.signature + delta.signature)
                    self._blocks[event.index] = (block, pieces)
                return delta.text if block.type == "text" and not self._thought else ""
            case _Event(type="message_delta", delta=_Delta() as delta):
                self._stop, self._sequence = delta.stop_reason, delta.stop_sequence
                self._used = msgspec.structs.replace(self._used, output_tokens=(event.usage or _Used()).output_tokens)
            case _Event(type="message_stop"):
                self.ended = True
        return ""

    def reply(self) -> _Reply:
        content = []
        for block, pieces in self._blocks.values():
            said = "".join(pieces)
            given = msgspec.Raw(said.encode()) if block.type == "tool_use" and said else block.input
            content.append(msgspec.structs.replace(block, text=said, thinking=said, input=given))
        return _Reply(content, self._stop, self._sequence, self._used)


class Anthropic(Remote[_Reply]):
    """A model behind `POST <base>/messages`."""

    takes = frozenset({"choice", "form", "effort", "thinking", *_SAME})

    def __init__(self, name: str, base: str, model: str, key: str | None, *, connections: int = CONNECTIONS) -> None:
        headers = {"anthropic-version": _VERSION, **({"x-api-key": key} if key else {})}
        wire = Wire(name, base.rstrip("/") + "/messages", "Messages", key, headers, _OPTIONAL, connections=connections)
        super().__init__(wire, {"base": base, "model": model})

    def _reply(self, data: bytes) -> _Reply:
        return self._wire.decode(data, _Reply)

    def _hearing(self) -> _Heard:
        return _Heard(self._wire)

    def _question(self, messages: Sequence[Message], sampling: Sampling, terms: Terms) -> Question:
        system = "\n\n".join(m.text for m in ready(messages) if m.role == "system" and m.text)
        fixed: dict[str, object] = {"model": self._model, "messages": _turns(messages)}
        fixed["max_tokens"] = sampling.max_tokens
        if system:
            fixed["system"] = system
        if terms.tools:
            fixed["tools"] = [_tool(tool) for tool in terms.tools]
        wanted: dict[str, object] = {} if sampling.temperature == 1 else {"temperature": sampling.temperature}
        if terms.keep:  # up to where is the vendor's to say: the blocks that a client marked are not ours to find again
            wanted["cache_control"] = {"type": "ephemeral", **({"ttl": "1h"} if terms.keep == "1h" else {})}
        headers = {"anthropic-beta": ",".join(terms.betas)} if terms.betas else {}
        return Question(fixed, wanted, _terms(terms), headers)

    def _completion(self, reply: _Reply, sampling: Sampling) -> Completion:
        text = "".join(block.text for block in reply.content if block.type == "text")
        calls = tuple(_call(block) for block in reply.content if block.type == "tool_use")
        thought = any(block.type in _THOUGHT for block in reply.content)
        ordered = tuple(part for block in reply.content for part in _parts(block)) if thought else ()
        finish = _FINISHES.get(reply.stop_reason or "", "stop")
        if not text.strip() and not calls:
            raise self._wire.empty(reply.stop_reason, sampling.max_tokens if finish == "length" else 0)
        used = reply.usage or _Used()
        heard = used.input_tokens + (used.cache_creation_input_tokens or 0) + (used.cache_read_input_tokens or 0)
        ended = (reply.stop_sequence or "") if reply.stop_reason == "stop_sequence" else ""
        return Completion(text, self.name, finish, calls, Usage(heard, used.output_tokens), ended, ordered)


def _call(block: _Block) -> ToolCall:
    return ToolCall(block.name, bytes(block.input).decode("utf-8", "replace"), block.id)


def _parts(block: _Block) -> Iterator[Part]:
    match block.type:
        case "thinking":
            yield Reasoning(block.thinking, block.signature)
        case "redacted_thinking":
            yield Reasoning("", sealed=block.data)
        case "text" if block.text:
            yield Text(block.text)
        case "tool_use":
            yield _call(block)


def _turns(messages: Sequence[Message]) -> list[dict[str, object]]:
    turns: list[tuple[str, list[dict[str, object]]]] = []
    for message in ready(messages, signed=True):
        if message.role == "system":
            continue
        role = "assistant" if message.role == "assistant" else "user"
        if not turns or turns[-1][0] != role:
            turns.append((role, []))
        # a turn's results have to come first
        ordered = sorted(message.parts, key=lambda part: not isinstance(part, ToolResult))
        turns[-1][1].extend(_block(part) for part in ordered if not isinstance(part, Text) or part.text.strip())
    return [{"role": role, "content": blocks} for role, blocks in turns if blocks]


def _block(part: Part) -> dict[str, object]:
    match part:
        case ToolCall(name=name, text=text, id=of):
            return {"type": "tool_use", "id": of, "name": name, "input": _arguments(text)}
        case ToolResult(text=text, id=of, failed=failed):
            result: dict[str, object] = {"type": "tool_result", "tool_use_id": of, "content": text}
            return {**result, "is_error": True} if failed else result
        case Reasoning(sealed=sealed) if sealed:
            return {"type": "redacted_thinking", "data": sealed}
        case Reasoning(text=text, signature=signature):
            return {"type": "thinking", "thinking": text, "signature": signature}
        case _:
            return {"type": "text", "text": part.text}


def _arguments(text: str) -> dict[str, object]:
    """A call's arguments as the object that the form wants; what is none travels as the one text that it is."""
    try:
        return msgspec.json.decode(text, type=dict[str, object])
    except (msgspec.DecodeError, RecursionError):
        return {"text": text}


def _tool(tool: Tool) -> dict[str, object]:
    schema = tool.parameters or {"type": "object"}
    about: dict[str, object] = {"name": tool.name, "description": tool.description, "input_schema": schema}
    return about if tool.strict is None else {**about, "strict": tool.strict}


def _terms(terms: Terms) -> dict[str, object]:
    """What is asked for beside the sampling, in this form; nothing where nothing is. Raises `RejectedError` for what
    it has no words for."""
    said: dict[str, object] = {
        theirs: getattr(terms, ours) for ours, theirs in _SAME.items() if getattr(terms, ours) not in (None, ())
    }
    output: dict[str, object] = {"effort": terms.effort} if terms.effort else {}
    if terms.form is not None:
        if terms.form.schema is None:
            raise NotTakenError("Messages has no form of answer that is JSON of any kind", "json_object")
        output["format"] = {"type": "json_schema", "schema": terms.form.schema}
    if output:
        said["output_config"] = output
    if terms.thinking is not None:
        given = {"budget_tokens": terms.thinking.budget, "display": terms.thinking.display}
        set_ = {name: value for name, value in given.items() if value is not None}
        said["thinking"] = {"type": terms.thinking.kind, **set_}
    if not terms.tools or (terms.choice == "auto" and terms.parallel is None):
        return said
    choice: dict[str, object] = {"type": {"required": "any"}.get(terms.choice, terms.choice)}
    if terms.named:
        choice = {"type": "tool", "name": terms.named}
    if terms.parallel is not None and terms.choice != "none":
        choice["disable_parallel_tool_use"] = not terms.parallel
    return {**said, "tool_choice": choice}
