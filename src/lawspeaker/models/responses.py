"""OpenAI's Responses: the same models as behind Chat Completions, in the form that its newest need.

Wire format: https://platform.openai.com/docs/api-reference/responses. Nothing is stored there (`store: false`), and
every turn is sent each time. Probabilities are not asked for: reasoning models tell none.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from lawspeaker.exchange import Message, ToolCall, ToolResult
from lawspeaker.models.base import Completion, Finish, Form, Sampling, Terms, Tool, Usage
from lawspeaker.models.remote import Question, Remote
from lawspeaker.models.turns import ready
from lawspeaker.models.wire import CONNECTIONS, Wire

_OPTIONAL: Final = frozenset({"temperature"})


class _Piece(msgspec.Struct):
    type: str
    text: str = ""
    refusal: str = ""


class _Item(msgspec.Struct):
    type: str
    content: list[_Piece] | None = None
    call_id: str = ""
    name: str = ""
    arguments: str = ""


class _Why(msgspec.Struct):
    reason: str = ""


class _Failure(msgspec.Struct):
    message: str = ""


class _Reply(msgspec.Struct):
    output: list[_Item]
    status: str = "completed"
    incomplete_details: _Why | None = None
    error: _Failure | None = None
    usage: Usage | None = None


class _Event(msgspec.Struct):
    """One event of a stream: which fields it has goes by its type."""

    type: str
    item_id: str = ""
    content_index: int = 0
    delta: object = ""
    message: str = ""
    response: msgspec.Raw = msgspec.Raw(b"")


_ENDS: Final = frozenset({"response.completed", "response.incomplete", "response.failed"})


class _Heard:
    """A stream's reply, which its last event holds as a whole. A refusal is told at the end: it is an answer of its
    own."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._place = ("", 0)
        self._whole = b""
        self.ended = False

    def take(self, data: bytes) -> str:
        event = self._wire.decode(data, _Event)
        if event.type == "response.output_text.delta":
            before, self._place = self._place, (event.item_id, event.content_index)
            return ("\n" if before[0] and before != self._place else "") + str(event.delta)
        if event.type == "error":
            raise self._wire.failed(event.message)
        if event.type in _ENDS:
            self._whole, self.ended = bytes(event.response), True
        return ""

    def reply(self) -> _Reply:
        return self._wire.decode(self._whole, _Reply)


class OpenAIResponses(Remote[_Reply]):
    """A model behind `POST <base>/responses`."""

    takes = frozenset({"choice", "form", "effort", "verbosity", "top_p"})

    def __init__(self, name: str, base: str, model: str, key: str | None, *, connections: int = CONNECTIONS) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        wire = Wire(
            name, base.rstrip("/") + "/responses", "Responses", key, headers, _OPTIONAL, connections=connections
        )
        super().__init__(wire, {"base": base, "model": model, "form": "responses"})

    def _reply(self, data: bytes) -> _Reply:
        return self._wire.decode(data, _Reply)

    def _hearing(self) -> _Heard:
        return _Heard(self._wire)

    def _question(self, messages: Sequence[Message], sampling: Sampling, terms: Terms) -> Question:
        fixed: dict[str, object] = {"model": self._model, "input": list(_items(messages)), "store": False}
        fixed["max_output_tokens"] = sampling.max_tokens
        if terms.tools:
            fixed["tools"] = [_tool(tool) for tool in terms.tools]
        wanted: dict[str, object] = {} if sampling.temperature == 1 else {"temperature": sampling.temperature}
        return Question(fixed, wanted, _terms(terms))

    def _completion(self, reply: _Reply, sampling: Sampling) -> Completion:
        if reply.status == "failed" or reply.error is not None:
            raise self._wire.failed(reply.error.message if reply.error else "")
        pieces = [piece for item in reply.output if item.type == "message" for piece in item.content or ()]
        text = "\n".join(piece.text or piece.refusal for piece in pieces)
        calls = tuple(ToolCall(i.name, i.arguments, i.call_id) for i in reply.output if i.type == "function_call")
        why = reply.incomplete_details.reason if reply.incomplete_details else ""
        if not text.strip() and not calls:
            raise self._wire.empty(why or reply.status, sampling.max_tokens if why == "max_output_tokens" else 0)
        finish: Finish = "tool_calls" if calls else "stop"
        if why == "max_output_tokens":
            finish = "length"
        elif why == "content_filter" or any(piece.type == "refusal" for piece in pieces):
            finish = "refused"
        return Completion(text, self.name, finish, calls, reply.usage or Usage())


def _items(messages: Sequence[Message]) -> Iterator[dict[str, object]]:
    """Every tool result and every call is an item of its own; results come before what else their turn says."""
    for message in ready(messages):
        for part in message.parts:
            if isinstance(part, ToolResult):
                yield {"type": "function_call_output", "call_id": part.id, "output": part.text}
        if message.text:
            yield {"role": message.role, "content": message.text}
        for part in message.parts:
            if isinstance(part, ToolCall):
                yield {"type": "function_call", "call_id": part.id, "name": part.name, "arguments": part.text}


def _tool(tool: Tool) -> dict[str, object]:
    about: dict[str, object] = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", **about, **({} if tool.strict is None else {"strict": tool.strict})}


def _terms(terms: Terms) -> dict[str, object]:
    """What is asked for beside the sampling, in this form; nothing where nothing is."""
    said: dict[str, object] = {} if terms.top_p is None else {"top_p": terms.top_p}
    text: dict[str, object] = {} if terms.form is None else {"format": _form(terms.form)}
    if terms.verbosity:
        text["verbosity"] = terms.verbosity
    if text:
        said["text"] = text
    if terms.effort:
        said["reasoning"] = {"effort": terms.effort}
    if not terms.tools:
        return said
    if terms.choice != "auto":
        said["tool_choice"] = {"type": "function", "name": terms.named} if terms.named else terms.choice
    if terms.parallel is not None:
        said["parallel_tool_calls"] = terms.parallel
    return said


def _form(form: Form) -> dict[str, object]:
    if form.schema is None:
        return {"type": "json_object"}
    about: dict[str, object] = {"type": "json_schema", "name": form.name or "answer", "schema": form.schema}
    if form.description:
        about["description"] = form.description
    return about if form.strict is None else {**about, "strict": form.strict}
