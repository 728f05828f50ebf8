"""An upstream that speaks every form, whole and streamed, says what it is told to and keeps what it was asked.

A stream is written seven bytes at a time, so that events are split anywhere.
"""

import asyncio
import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from aiohttp import web

Body = dict[str, Any]
_PIECE, _WRITTEN = 4, 7  # characters of an event, bytes of a write
FINE: Body = {"content": "fine"}


class Speaker:
    """`message` is its next answer, in the form of Chat Completions; `others` are how many choices before it are
    fine, one request each where they are asked for one by one. `asked` are the bodies that have come."""

    def __init__(self) -> None:
        self.asked: list[Body] = []
        self.message, self.others = FINE, 0

    def app(self) -> web.Application:
        app = web.Application(client_max_size=1 << 26)
        # with and without the version, since a gateway may be given either as its base
        for version in ("", "/v1"):
            for path in ("chat/completions", "completions", "responses", "messages", "embeddings"):
                app.router.add_post(f"{version}/{path}", self._answer)
        return app

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.asked.append(body)
        form = request.path.removeprefix("/v1/").strip("/")
        whole, events = _FORMS[form]
        said = self._choices(int(body.get("n") or 1))
        if not body.get("stream"):
            return web.json_response(whole(said))
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        data = "".join(events(said)).encode()
        with suppress(ConnectionError):  # whoever asked has heard enough
            for at in range(0, len(data), _WRITTEN):
                await response.write(data[at : at + _WRITTEN])
                await asyncio.sleep(0)
        return response

    def _choices(self, count: int) -> list[Body]:
        if count > 1:
            return [FINE] * (count - 1) + [self.message]
        return [self.message if len(self.asked) > self.others else FINE]


def _pieces(text: str) -> Iterator[str]:
    return (text[at : at + _PIECE] for at in range(0, len(text), _PIECE))


def _calls(message: Body) -> list[tuple[int, str, Body]]:
    return [(at, call["id"], call["function"]) for at, call in enumerate(message.get("tool_calls") or ())]


def _frame(value: object, kind: str = "") -> str:
    return (f"event: {kind}\n" if kind else "") + f"data: {json.dumps(value)}\n\n"


def _chat(said: list[Body]) -> Body:
    choices = [
        {"index": at, "message": {"role": "assistant", **each}, "finish_reason": _finish(each)}
        for at, each in enumerate(said)
    ]
    usage = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1_700_000_000, "model": "tiny"}
    return {**head, "choices": choices, "usage": usage}


def _finish(message: Body) -> str:
    return "tool_calls" if message.get("tool_calls") else "stop"


def _chat_events(said: list[Body]) -> Iterator[str]:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "tiny"}

    def delta(at: int, what: Body, finish: str | None = None) -> str:
        return _frame({**head, "choices": [{"index": at, "delta": what, "finish_reason": finish}]})

    for at, message in enumerate(said):
        yield delta(at, {"role": "assistant", "content": ""})
        for field in ("reasoning_content", "content", "refusal"):
            for piece in _pieces(message.get(field) or ""):
                yield delta(at, {field: piece})
        for number, id, function in _calls(message):
            named = {"name": function["name"], "arguments": ""}
            yield delta(at, {"tool_calls": [{"index": number, "id": id, "type": "function", "function": named}]})
            for piece in _pieces(function["arguments"]):
                yield delta(at, {"tool_calls": [{"index": number, "function": {"arguments": piece}}]})
        yield delta(at, {}, _finish(message))
    yield "data: [DONE]\n\n"


def _items(message: Body) -> list[Body]:
    """What a message is in Responses."""
    items: list[Body] = []
    if thought := message.get("reasoning_content"):
        items.append({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": thought}]})
    if words := message.get("content"):
        part = {"type": "output_text", "text": words, "annotations": message.get("annotations") or []}
        items.append({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]})
    elif words := message.get("refusal"):
        part = {"type": "refusal", "refusal": words}
        items.append({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]})
    for _, id, function in _calls(message):
        items.append({"type": "function_call", "id": f"fc_{id}", "call_id": id, "status": "completed", **function})
    return items


def _responses(said: list[Body]) -> Body:
    usage = {"input_tokens": 7, "output_tokens": 5, "total_tokens": 12}
    usage |= {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    head = {"id": "resp_1", "object": "response", "created_at": 1_700_000_000, "model": "tiny", "status": "completed"}
    more = {"parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "error": None}
    return {**head, **more, "output": _items(said[-1]), "usage": usage}


def _responses_events(said: list[Body]) -> Iterator[str]:
    whole, number = _responses(said), iter(range(10_000))

    def event(kind: str, **fields: object) -> str:
        return _frame({"type": kind, "sequence_number": next(number), **fields}, kind)

    yield event("response.created", response={**whole, "output": [], "status": "in_progress", "usage": None})
    for at, item in enumerate(whole["output"]):
        yield event("response.output_item.added", output_index=at, item={**item, **_emptied(item)})
        yield from _item_events(event, at, item)
        yield event("response.output_item.done", output_index=at, item=item)
    yield event("response.completed", response=whole)


def _emptied(item: Body) -> Body:
    return {"message": {"content": []}, "function_call": {"arguments": ""}, "reasoning": {"summary": []}}[item["type"]]


def _item_events(event: Any, at: int, item: Body) -> Iterator[str]:
    where = {"output_index": at, "item_id": item["id"]}
    if item["type"] == "function_call":
        for piece in _pieces(item["arguments"]):
            yield event("response.function_call_arguments.delta", **where, delta=piece)
        yield event("response.function_call_arguments.done", **where, arguments=item["arguments"])
        return
    if item["type"] == "reasoning":
        (part,), field, kind, index = item["summary"], "text", "reasoning_summary_text", "summary_index"
    else:
        (part,), index = item["content"], "content_index"
        field = "refusal" if part["type"] == "refusal" else "text"
        kind = "refusal" if field == "refusal" else "output_text"
        yield event("response.content_part.added", **where, content_index=0, part={**part, field: ""})
    for piece in _pieces(part[field]):
        yield event(f"response.{kind}.delta", **where, **{index: 0}, delta=piece)
    yield event(f"response.{kind}.done", **where, **{index: 0, field: part[field]})
    if index == "content_index":
        yield event("response.content_part.done", **where, content_index=0, part=part)


def _blocks(message: Body) -> list[Body]:
    """What a message is in Messages."""
    blocks: list[Body] = []
    if thought := message.get("reasoning_content"):
        blocks.append({"type": "thinking", "thinking": thought, "signature": "c2ln"})
    if words := message.get("content") or message.get("refusal"):
        blocks.append({"type": "text", "text": words})
    for _, id, function in _calls(message):
        given = json.loads(function["arguments"])
        blocks.append({"type": "tool_use", "id": id, "name": function["name"], "input": given})
    return blocks


def _messages(said: list[Body]) -> Body:
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "stop_sequence": None}
    stop = "tool_use" if said[-1].get("tool_calls") else "end_turn"
    return {**head, "content": _blocks(said[-1]), "stop_reason": stop, "usage": {"input_tokens": 7, "output_tokens": 5}}


def _messages_events(said: list[Body]) -> Iterator[str]:
    def event(kind: str, **fields: object) -> str:
        return _frame({"type": kind, **fields}, kind)

    whole = _messages(said)
    yield event("message_start", message={**whole, "content": [], "stop_reason": None})
    for at, block in enumerate(whole["content"]):
        field = {"text": "text", "thinking": "thinking", "tool_use": "input"}[block["type"]]
        empty: Body = {"input": {}} if field == "input" else {field: ""}
        yield event("content_block_start", index=at, content_block={**block, **empty})
        text = json.dumps(block["input"]) if field == "input" else block[field]
        kind, name = {"text": ("text_delta", "text"), "thinking": ("thinking_delta", "thinking")}.get(
            field, ("input_json_delta", "partial_json")
        )
        for piece in _pieces(text):
            yield event("content_block_delta", index=at, delta={"type": kind, name: piece})
        yield event("content_block_stop", index=at)
    yield event("message_delta", delta={"stop_reason": whole["stop_reason"]}, usage={"output_tokens": 5})
    yield event("message_stop")


def _completions(said: list[Body]) -> Body:
    choices = [{"index": 0, "text": said[-1].get("content") or "", "finish_reason": "stop", "logprobs": None}]
    head = {"id": "cmpl-1", "object": "text_completion", "created": 1_700_000_000, "model": "tiny"}
    return {**head, "choices": choices, "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}}


def _embeddings(said: list[Body]) -> Body:
    data = [{"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}]
    return {"object": "list", "model": "tiny", "data": data, "usage": {"prompt_tokens": 2, "total_tokens": 2}}


def _none(said: list[Body]) -> Iterator[str]:
    return iter(())


_FORMS = {
    "chat/completions": (_chat, _chat_events),
    "responses": (_responses, _responses_events),
    "messages": (_messages, _messages_events),
    "completions": (_completions, _none),
    "embeddings": (_embeddings, _none),
}
