"""Answers that come in events, in each wire format, from a real server: the words as they come, and in the end what a
whole answer would have been."""

import asyncio
import json
from collections.abc import Sequence

import pytest
from aiohttp import web

from lawspeaker.errors import ModelError
from lawspeaker.exchange import Reasoning, Text, ToolCall
from lawspeaker.models.address import open_model
from lawspeaker.models.base import Completion, Sampling, Streaming, Usage, streamed
from lawspeaker.models.sse import Events
from tests.models.served import PROMPT, served

CHAT, MESSAGES, RESPONSES = "", "anthropic", "openai-responses"


def _stream(form: str, events: Sequence[object], *, kind: str = "text/event-stream") -> tuple[list[str], Completion]:
    """What a model says whose server answers in these events, written byte by byte where they are few."""

    async def answer(request: web.Request, body: dict) -> web.StreamResponse:
        assert body["stream"] is True
        response = web.StreamResponse(headers={"content-type": kind})
        await response.prepare(request)
        for event in events:
            data = event if isinstance(event, bytes) else b"data: " + json.dumps(event).encode() + b"\n\n"
            for at in range(0, len(data), 37):
                await response.write(data[at : at + 37])
            await asyncio.sleep(0.005)
        return response

    async def run() -> tuple[list[str], Completion]:
        async with served(answer) as base:
            server = base.removesuffix("/v1")
            environment = {
                "ANTHROPIC_BASE_URL": server, "ANTHROPIC_API_KEY": "k", "OPENAI_BASE_URL": base, "OPENAI_API_KEY": "k",
            }  # fmt: skip
            model = open_model(f"{form}:tiny" if form else f"{base}#tiny", environment)
            assert isinstance(model, Streaming)
            try:
                pieces = [piece async for piece in streamed(model, PROMPT, Sampling(max_tokens=9, timeout=5))]
            finally:
                await model.close()
        *words, completion = pieces
        assert isinstance(completion, Completion)
        return words, completion

    return asyncio.run(run())


def _chunk(finish: str | None = None, **delta: object) -> dict:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


DONE = b"data: [DONE]\n\n"


def test_chat_completions() -> None:
    call = {"index": 0, "id": "c1", "function": {"name": "read", "arguments": '{"a'}}
    words, said = _stream(
        CHAT,
        [
            b": a comment\r\n\r\n",
            _chunk(role="assistant", content=""),
            _chunk(content="Hé"),
            b'data: {"choices":\r\ndata:  []}\r\n\r\n',
            _chunk(content="llo."),
            _chunk(tool_calls=[call]),
            _chunk(tool_calls=[{"index": 0, "function": {"arguments": '": 1}'}}]),
            _chunk("tool_calls"),
            {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}},
            DONE,
        ],
    )
    assert "".join(words) == said.text == "Héllo."
    assert said.tool_calls == (ToolCall("read", '{"a": 1}', "c1"),)
    assert (said.finish, said.usage) == ("tool_calls", Usage(3, 4))


def test_a_refusal_is_told_at_the_end() -> None:
    words, said = _stream(CHAT, [_chunk(refusal="I will "), _chunk(refusal="not."), _chunk("stop"), DONE])
    assert (words, said.text, said.finish) == ([], "I will not.", "refused")
    words, said = _stream(CHAT, [_chunk(content="So far"), _chunk("length"), DONE])
    assert (words, said.finish) == (["So far"], "length")


def _messages(*events: dict, stop: str = "end_turn") -> list[object]:
    return [
        {"type": "message_start", "message": {"usage": {"input_tokens": 3, "cache_read_input_tokens": 2}}},
        *events,
        {"type": "ping"},
        {"type": "message_delta", "delta": {"stop_reason": stop}, "usage": {"output_tokens": 4}},
        {"type": "message_stop"},
    ]


def _block(index: int, block: dict, *deltas: dict) -> list[dict]:
    return [
        {"type": "content_block_start", "index": index, "content_block": block},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def test_messages() -> None:
    text = _block(
        0, {"type": "text", "text": ""}, {"type": "text_delta", "text": "He"}, {"type": "text_delta", "text": "y"}
    )
    pieces = ({"type": "input_json_delta", "partial_json": part} for part in ("", '{"a"', ": 1}"))
    call = _block(1, {"type": "tool_use", "id": "t1", "name": "read", "input": {}}, *pieces)
    bare = _block(2, {"type": "tool_use", "id": "t2", "name": "list", "input": {}})
    words, said = _stream(MESSAGES, _messages(*text, *call, *bare, stop="tool_use"))
    assert "".join(words) == said.text == "Hey"
    assert said.tool_calls == (ToolCall("read", '{"a": 1}', "t1"), ToolCall("list", "{}", "t2"))
    assert (said.finish, said.usage) == ("tool_calls", Usage(5, 4))


def test_what_comes_after_a_thought_is_told_at_the_end() -> None:
    signed = [{"type": "thinking_delta", "thinking": "Hm."}, {"type": "signature_delta", "signature": "c2ln"}]
    thought = _block(0, {"type": "thinking", "thinking": "", "signature": ""}, *signed)
    sealed = _block(1, {"type": "redacted_thinking", "data": "eHg="})
    text = _block(2, {"type": "text", "text": ""}, {"type": "text_delta", "text": "Hey"})
    words, said = _stream(MESSAGES, _messages(*thought, *sealed, *text))
    assert (words, said.text) == ([], "Hey")
    assert said.parts == (Reasoning("Hm.", "c2ln"), Reasoning("", sealed="eHg="), Text("Hey"))


def _output(*texts: str, **more: object) -> dict:
    content = [{"type": "output_text", "text": text} for text in texts]
    call = {"type": "function_call", "call_id": "c1", "name": "read", "arguments": "{}"}
    item = {"type": "message", "content": content}
    return {"status": "completed", "output": [item, call], "usage": {"input_tokens": 3, "output_tokens": 4}, **more}


def _delta(text: str, part: int = 0) -> dict:
    return {"type": "response.output_text.delta", "item_id": "m1", "content_index": part, "delta": text}


def test_responses() -> None:
    begun = {"type": "response.created", "response": {"status": "in_progress", "output": []}}
    words, said = _stream(
        RESPONSES,
        [
            begun,
            _delta("He"),
            _delta("y"),
            _delta("you", 1),
            {"type": "response.completed", "response": _output("Hey", "you")},
        ],
    )
    assert "".join(words) == said.text == "Hey\nyou"
    assert said.tool_calls == (ToolCall("read", "{}", "c1"),)
    assert said.usage == Usage(3, 4)
    cut = _output("Hey", status="incomplete", incomplete_details={"reason": "max_output_tokens"})
    assert _stream(RESPONSES, [_delta("Hey"), {"type": "response.incomplete", "response": cut}])[1].finish == "length"


@pytest.mark.parametrize(
    ("form", "events", "words"),
    [
        (CHAT, [_chunk(content="He")], "broke off"),
        (CHAT, [_chunk(content="He"), {"error": {"message": "overloaded"}}], "failed: overloaded"),
        (CHAT, [_chunk(content="He"), b"data: {no json\n\n"], "did not answer in Chat Completions JSON"),
        (CHAT, [_chunk("stop"), DONE], "the answer is empty"),
        (MESSAGES, _messages(*_block(0, {"type": "text", "text": "Hey"}))[:-1], "broke off"),
        (MESSAGES, [{"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}], "failed: busy"),
        (RESPONSES, [_delta("Hey")], "broke off"),
        (RESPONSES, [{"type": "error", "message": "busy"}], "failed: busy"),
        (RESPONSES, [{"type": "response.failed", "response": _output("x", error={"message": "no"})}], "failed: no"),
    ],
)
def test_what_goes_wrong_in_mid_stream_is_said(form: str, events: list, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        _stream(form, events)


def test_an_answer_that_is_no_stream_is_said() -> None:
    with pytest.raises(ModelError, match="does not answer in events"):
        _stream(CHAT, [b"{}"], kind="application/json")


def test_a_server_that_refuses_a_parameter_or_the_request() -> None:
    asked: list[dict] = []

    async def answer(request: web.Request, body: dict) -> web.StreamResponse:
        asked.append(body)
        if "stream_options" in body:
            fault = {"message": "Unsupported parameter: stream_options", "param": "stream_options"}
            return web.json_response({"error": fault}, status=400)
        if len(asked) == 3:
            return web.json_response({"error": {"message": "no such key"}}, status=401)
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"data: " + json.dumps(_chunk("stop", content="Hey")).encode() + b"\n\n")
        return response

    async def run() -> None:
        async with served(answer) as base:
            model = open_model(f"{base}#tiny", {})
            try:
                pieces = [piece async for piece in streamed(model, PROMPT, Sampling(timeout=5))]
                assert pieces[0] == "Hey"
                with pytest.raises(ModelError, match=r"HTTP 401 .*no such key; check the key"):
                    [piece async for piece in streamed(model, PROMPT, Sampling(timeout=5))]
            finally:
                await model.close()

    asyncio.run(run())
    assert "stream_options" in asked[0]
    assert "stream_options" not in asked[2]


def test_a_model_that_does_not_stream_says_all_at_the_end() -> None:
    async def run() -> list[object]:
        model = open_model("nano")
        try:
            return [piece async for piece in streamed(model, PROMPT, Sampling(temperature=0, max_tokens=5))]
        finally:
            await model.close()

    (said,) = asyncio.run(run())
    assert isinstance(said, Completion)


def test_events_are_the_same_wherever_they_are_cut() -> None:
    data = b"data: one\r\n\r\nevent: x\ndata:two\ndata:  three\n\n: hm\n\nid: 1\n\ndata: four\r\rdata: five"
    whole = [b"one", b"two\n three", b"four"]
    for first in range(len(data)):
        for second in range(first, len(data), 5):
            events = Events()
            cuts = (data[:first], data[first:second], data[second:])
            assert [ready for cut in cuts for ready in events.take(cut)] == whole
            assert events.waiting > 0
