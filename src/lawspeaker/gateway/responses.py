"""OpenAI's Responses.

Wire format: https://platform.openai.com/docs/api-reference/responses. A `previous_response_id` is looked up in the
audit log; history that lies elsewhere (`conversation`, stored prompts) would come in unread and is refused.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Literal

import msgspec

from lawspeaker.exchange import Exchange, Message, Reasoning, Text, ToolCall, ToolResult
from lawspeaker.gateway.body import MOST_MESSAGES, decode
from lawspeaker.gateway.fault import KINDS, RequestError, bad
from lawspeaker.gateway.neutral import Asked, Effort, Outcome, Verbosity, pieces
from lawspeaker.models.base import Form, Terms, Tool


class _Said(msgspec.Struct, forbid_unknown_fields=True):
    """Words: `input_text` of others, `output_text` of the model, or its refusal."""

    type: Literal["input_text", "output_text", "refusal"]
    text: str = ""
    refusal: str = ""
    annotations: list[Any] = []
    logprobs: list[Any] | None = None


class _Summary(msgspec.Struct, forbid_unknown_fields=True):
    type: Literal["summary_text"]
    text: str


class _Item(msgspec.Struct, forbid_unknown_fields=True):
    """One item of the input; which fields it has goes by its type."""

    type: Literal["message", "function_call", "function_call_output", "reasoning"] = "message"
    role: Literal["system", "developer", "user", "assistant"] | None = None
    content: str | list[_Said] | None = None
    id: str | None = None
    status: str | None = None
    phase: str | None = None
    call_id: str = ""
    name: str = ""
    arguments: str = ""
    output: str | list[_Said] = ""
    summary: list[_Summary] = []
    encrypted_content: None = None


class _Function(msgspec.Struct, tag_field="type", tag="function", forbid_unknown_fields=True):
    name: str
    parameters: dict[str, Any] | None = None
    description: str | None = None
    strict: bool | None = None


class _Named(msgspec.Struct, tag_field="type", tag="function", forbid_unknown_fields=True):
    name: str


class _Plain(msgspec.Struct, tag_field="type", tag="text", forbid_unknown_fields=True):
    pass


class _AnyObject(msgspec.Struct, tag_field="type", tag="json_object", forbid_unknown_fields=True):
    pass


class _Fitting(msgspec.Struct, tag_field="type", tag="json_schema", forbid_unknown_fields=True):
    name: str
    schema: dict[str, Any]
    description: str = ""
    strict: bool | None = None


class _TextForm(msgspec.Struct, forbid_unknown_fields=True):
    format: _Plain | _AnyObject | _Fitting | None = None
    verbosity: Verbosity | None = None


class _Thinking(msgspec.Struct, forbid_unknown_fields=True):
    """How much a model reasons. A summary of it is not had here, whoever asks for one."""

    effort: Effort | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None


class _StreamOptions(msgspec.Struct, forbid_unknown_fields=True):
    include_obfuscation: bool = False


class _Request(msgspec.Struct, forbid_unknown_fields=True):
    model: str
    input: str | list[_Item]
    instructions: str | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    stream: bool | None = None
    store: bool | None = None
    previous_response_id: str | None = None
    tools: list[_Function] = []
    tool_choice: Literal["auto", "none", "required"] | _Named | None = None
    parallel_tool_calls: bool | None = None
    text: _TextForm | None = None
    top_p: float | None = None
    reasoning: _Thinking | None = None
    stream_options: _StreamOptions | None = None
    background: Literal[False] | None = None
    truncation: Literal["disabled"] | None = None
    include: list[Literal["reasoning.encrypted_content"]] | None = None  # no reasoning is answered, so none is added
    # what says nothing to a model
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    service_tier: Literal["auto", "default"] | None = None


class Responses:
    """See `Surface`."""

    name = "responses"
    calls: Mapping[str, str] = {
        "form": "text.format",
        "effort": "reasoning.effort",
        "verbosity": "text.verbosity",
        "choice": "tool_choice",
    }

    def read(self, body: bytes) -> Asked:
        request = decode(body, _Request)
        items = [_Item(role="user", content=request.input)] if isinstance(request.input, str) else request.input
        if len(items) > MOST_MESSAGES:
            raise bad(f"there are more than {MOST_MESSAGES} items", "input")
        head = (
            (Message("system", (Text(request.instructions),), outside=True),)
            if request.instructions is not None
            else ()
        )
        return Asked(
            request.model,
            Exchange((*head, *(_message(item) for item in items))),
            request.max_output_tokens,
            request.temperature,
            stream=bool(request.stream),
            terms=_terms(request),
            previous=request.previous_response_id or "",
            own=len(head),
            kept=request.store is not False,
        )

    def answer(self, id: str, created: int, asked: Asked, outcomes: Sequence[Outcome]) -> bytes:
        return msgspec.json.encode(_response(id, created, asked, outcomes[0]))

    def writer(self, id: str, created: int, asked: Asked) -> "_Writer":
        return _Writer(id, created, asked)

    def ping(self) -> bytes:
        return b": held\n\n"

    def error(self, error: RequestError, id: str) -> bytes:
        fault = {"message": str(error), "type": KINDS[error.status][0], "param": error.param, "code": error.code}
        return msgspec.json.encode({"error": fault})

    def stream_error(self, error: RequestError, id: str) -> bytes:
        fault = {"type": "error", "code": error.code or KINDS[error.status][0], "message": str(error)}
        return _frame({**fault, "param": error.param, "sequence_number": 0})


class _Writer:
    """See `Writer`. Words that come early are the first part of the first item; a refusal after them is its second."""

    def __init__(self, id: str, created: int, asked: Asked) -> None:
        self._id, self._created, self._asked = id, created, asked
        self._said: list[str] = []
        self._number = 0

    def text(self, index: int, text: str) -> bytes:
        begun: list[dict[str, Any]] = []
        if not self._said:
            outcome = Outcome((Text(text),))
            whole = _response(self._id, self._created, self._asked, outcome)
            story = _story(_begun(whole), whole, None)
            begun = list(islice(story, 4))  # up to where the part's words begin
        self._said.append(text)
        delta = {"output_index": 0, "item_id": f"msg_{self._id}", "content_index": 0, "delta": text, "logprobs": []}
        return b"".join(map(self._frame, [*begun, {"type": "response.output_text.delta", **delta}]))

    def finish(self, outcomes: Sequence[Outcome]) -> Iterator[bytes]:
        outcome = outcomes[0]
        whole = _response(self._id, self._created, self._asked, outcome)
        said = "".join(self._said)
        if outcome.refusal and said:
            words = {"type": "output_text", "text": said, "annotations": [], "logprobs": []}
            item = whole["output"][0]
            whole["output"] = [{**item, "status": "incomplete", "content": [words, *item["content"]]}]
            whole |= {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}
        for event in _story(_begun(whole), whole, len(said) if said else None):
            yield self._frame(event)

    def _frame(self, event: dict[str, Any]) -> bytes:
        self._number += 1
        return _frame({**event, "sequence_number": self._number - 1})


def _terms(request: _Request) -> Terms:
    choice, text = request.tool_choice or "auto", request.text or _TextForm()
    return Terms(
        tools=tuple(Tool(t.name, t.description or "", t.parameters or {}, t.strict) for t in request.tools),
        choice="required" if isinstance(choice, _Named) else choice,
        named=choice.name if isinstance(choice, _Named) else "",
        parallel=request.parallel_tool_calls and None,
        form=_form(text.format),
        top_p=request.top_p,
        effort=(request.reasoning and request.reasoning.effort) or "",
        verbosity=text.verbosity or "",
    )


def _form(wanted: _Plain | _AnyObject | _Fitting | None) -> Form | None:
    if not isinstance(wanted, _Fitting):
        return Form() if isinstance(wanted, _AnyObject) else None
    return Form(wanted.name, wanted.schema, wanted.description, wanted.strict)


def _message(item: _Item) -> Message:
    if item.type == "function_call":
        return Message("assistant", (ToolCall(item.name, item.arguments, item.call_id),), outside=True)
    if item.type == "function_call_output":
        return Message("tool", (ToolResult(_words(item.output), item.call_id),))
    if item.type == "reasoning":
        said = [piece.text for piece in item.summary] + ([_words(item.content)] if item.content else [])
        return Message("assistant", tuple(Reasoning(text) for text in said), outside=True)
    if item.role is None or item.content is None:
        raise bad("a message has a role and content", "input")
    role: Literal["system", "user", "assistant"] = "system" if item.role == "developer" else item.role
    content = item.content
    parts = [content] if isinstance(content, str) else [piece.text or piece.refusal for piece in content]
    return Message(role, tuple(Text(text) for text in parts), outside=role != "user")


def _words(content: str | list[_Said]) -> str:
    return content if isinstance(content, str) else "\n".join(piece.text or piece.refusal for piece in content)


def _response(id: str, created: int, asked: Asked, outcome: Outcome) -> dict[str, Any]:
    took = outcome.usage
    usage = {
        "input_tokens": took.input_tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": took.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": took.input_tokens + took.output_tokens,
    }
    terms = asked.terms
    return {
        "id": f"resp_{id}",
        "object": "response",
        "created_at": created,
        "status": "incomplete" if outcome.cut else "completed",
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if outcome.cut else None,
        "instructions": None,
        "metadata": {},
        "model": asked.model,
        "output": _output(id, outcome),
        "previous_response_id": asked.previous or None,
        "store": asked.kept,
        "parallel_tool_calls": terms.parallel is not False,
        "temperature": asked.temperature,
        "tool_choice": {"type": "function", "name": terms.named} if terms.named else terms.choice,
        "tools": [{"type": "function", **msgspec.to_builtins(tool)} for tool in terms.tools],
        "top_p": terms.top_p,
        "usage": usage if took.input_tokens or took.output_tokens else None,
    }


def _output(id: str, outcome: Outcome) -> list[dict[str, Any]]:
    if outcome.refusal:
        return [_spoken(id, [{"type": "refusal", "refusal": outcome.refusal}])]
    said = [part.text for part in outcome.parts if isinstance(part, Text) and part.text]
    words = [{"type": "output_text", "text": text, "annotations": [], "logprobs": []} for text in said]
    calls = [
        {
            "type": "function_call",
            "id": f"fc_{id}_{number}",
            "call_id": part.id,
            "name": part.name,
            "arguments": part.text,
            "status": "completed",
        }
        for number, part in enumerate(part for part in outcome.parts if isinstance(part, ToolCall))
    ]
    return [*([_spoken(id, words)] if words else []), *calls]


def _spoken(id: str, content: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "message", "id": f"msg_{id}", "status": "completed", "role": "assistant", "content": content}


def _begun(whole: dict[str, Any]) -> dict[str, Any]:
    return {**whole, "status": "in_progress", "output": [], "usage": None, "incomplete_details": None}


def _story(begun: dict[str, Any], whole: dict[str, Any], said: int | None) -> Iterator[dict[str, Any]]:
    """The events of a response, in order, without their numbers: those that are left once `said` characters of the
    first item have been said."""
    if said is None:
        yield {"type": "response.created", "response": begun}
        yield {"type": "response.in_progress", "response": begun}
    for index, item in enumerate(whole["output"]):
        after = said if index == 0 else None
        emptied: dict[str, Any] = {"content": []} if item["type"] == "message" else {"arguments": ""}
        of = {"output_index": index}
        if after is None:
            yield {"type": "response.output_item.added", **of, "item": {**item, **emptied, "status": "in_progress"}}
        of["item_id"] = item["id"]
        if item["type"] == "message":
            for at, part in enumerate(item["content"]):
                yield from _part_story(part, {**of, "content_index": at}, after if at == 0 else None)
        else:
            for piece in pieces(item["arguments"]):
                yield {"type": "response.function_call_arguments.delta", **of, "delta": piece}
            done = {"arguments": item["arguments"], "name": item["name"]}
            yield {"type": "response.function_call_arguments.done", **of, **done}
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    yield {"type": f"response.{whole['status']}", "response": whole}


def _part_story(part: dict[str, Any], of: dict[str, Any], said: int | None) -> Iterator[dict[str, Any]]:
    field = "text" if part["type"] == "output_text" else "refusal"
    more: dict[str, Any] = {"logprobs": []} if field == "text" else {}
    if said is None:
        yield {"type": "response.content_part.added", **of, "part": {**part, field: ""}}
    kind = f"response.{part['type']}"
    for piece in pieces(part[field][said or 0 :]):
        yield {"type": f"{kind}.delta", **of, "delta": piece, **more}
    yield {"type": f"{kind}.done", **of, field: part[field], **more}
    yield {"type": "response.content_part.done", **of, "part": part}


def _frame(event: dict[str, Any]) -> bytes:
    return f"event: {event['type']}\ndata: ".encode() + msgspec.json.encode(event) + b"\n\n"
