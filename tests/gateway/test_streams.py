"""Window mode: what is decided flows, what is not to be said never does, and a refusal ends a stream in the protocol's
own way. Real clients, over a real upstream that streams."""

import asyncio
import json
import time
from collections.abc import Iterator

import aiohttp
import anthropic
import openai
import pytest
from aiohttp import web

from lawspeaker.audit.reader import LogReader
from tests.gateway.served import Served
from tests.gateway.upstream import governed

PATHS = ("/v1/chat/completions", "/v1/messages", "/v1/responses")
LONG = "All is well with the invoices of this year, and nothing is to be done. "
BEGUN = LONG[:40]  # what is not undecided when nothing follows it
SAID = {
    "plain": [LONG, LONG, "Good bye."],
    "redact": [LONG, "The account is ACC-12", "34", "56, as you know. ", LONG],
    "refuse": [LONG, "The word is sword", "fi", "sh. ", LONG * 3],
    "escalate": [LONG, "I will pay", " now", ". ", LONG],
    "call": [LONG, "Let me look. "],
    "bad call": [LONG],
    "cut": [LONG, "and so"],
    "endless": [LONG] * 100,
    "slow": ["", LONG, "Good bye."],
}
CALLS = {"call": '{"path": "a.txt"}', "bad call": '{"path": "swordfish"}'}
TOOLS = [{"type": "function", "function": {"name": "read", "parameters": {"type": "object"}}}]


async def _answer(request: web.Request, body: dict) -> web.StreamResponse:
    which = body["messages"][-1]["content"]
    assert body["stream"]
    assert body["stream_options"] == {"include_usage": True}
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)

    async def send(**fields: object) -> None:
        await response.write(b"data: " + json.dumps({"object": "chat.completion.chunk", **fields}).encode() + b"\n\n")

    async def choice(delta: dict, finish: str | None = None) -> None:
        await send(choices=[{"index": 0, "delta": delta, "finish_reason": finish}])

    await choice({"role": "assistant", "content": ""})
    for piece in SAID[which]:
        await choice({"content": piece})
        await asyncio.sleep(5.3 if which == "slow" and not piece else 0.02)
    if which == "cut":
        return response
    if which in CALLS:
        given = CALLS[which]
        await choice({"tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": {"name": "read"}}]})
        for at in range(0, len(given), 5):
            await choice({"tool_calls": [{"index": 0, "function": {"arguments": given[at : at + 5]}}]})
    await choice({}, "tool_calls" if which in CALLS else "stop")
    await send(choices=[], usage={"prompt_tokens": 7, "completion_tokens": 5})
    await response.write(b"data: [DONE]\n\n")
    return response


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with governed(tmp_path_factory.mktemp("streams"), _answer, "--stream", "window", "--timeout", "20") as served:
        yield served


def _chat(up: Served, which: str, **more: object) -> list[openai.types.chat.ChatCompletionChunk]:
    with openai.OpenAI(base_url=up.base + "/v1", api_key="any", max_retries=0) as client:
        messages = [{"role": "user", "content": which}]
        return list(client.chat.completions.create(model="tiny", messages=messages, stream=True, **more))


def _words(chunks: list[openai.types.chat.ChatCompletionChunk], field: str = "content") -> str:
    return "".join(getattr(chunk.choices[0].delta, field) or "" for chunk in chunks if chunk.choices)


def test_chat_flows_and_ends_as_it_would_have(up: Served) -> None:
    chunks = _chat(up, "plain", stream_options={"include_usage": True})
    assert _words(chunks) == "".join(SAID["plain"])
    assert len([chunk for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]) > 2
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage.completion_tokens == 5
    said = _words(_chat(up, "redact"))
    assert said == "".join(SAID["redact"]).replace("ACC-123456", "[redacted: no-number]")


@pytest.mark.parametrize("which", ["refuse", "escalate", "bad call"])
def test_chat_is_refused_in_mid_stream(up: Served, which: str) -> None:
    chunks = _chat(up, which, tools=TOOLS)
    assert _words(chunks).startswith(BEGUN)
    assert "sword" not in _words(chunks)
    assert "pay" not in _words(chunks)
    assert "No answer" in _words(chunks, "refusal")
    assert chunks[-1].choices[0].finish_reason == "content_filter"
    assert not any(chunk.choices[0].delta.tool_calls for chunk in chunks)


def test_chat_gives_a_tool_call_at_the_end(up: Served) -> None:
    chunks = _chat(up, "call", tools=TOOLS)
    assert _words(chunks) == "".join(SAID["call"])
    calls = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or ()]
    assert [call.function.arguments for call in calls] == ['{"path": "a.txt"}']
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


def test_chat_serves_several_choices_at_once(up: Served) -> None:
    chunks = _chat(up, "plain", n=3)
    for index in range(3):
        mine = [chunk for chunk in chunks if chunk.choices and chunk.choices[0].index == index]
        assert _words(mine) == "".join(SAID["plain"])
        assert mine[-1].choices[0].finish_reason == "stop"


def test_an_upstream_that_breaks_off_is_an_error_after_what_has_left(up: Served) -> None:
    said = ""
    with openai.OpenAI(base_url=up.base + "/v1", api_key="any", max_retries=0) as client:
        messages = [{"role": "user", "content": "cut"}]
        stream = client.chat.completions.create(model="tiny", messages=messages, stream=True)
        with pytest.raises(openai.APIError, match="did not answer"):
            for chunk in stream:
                said += chunk.choices[0].delta.content or ""
    assert said.startswith(BEGUN)


def test_messages_flow_and_are_refused(up: Served) -> None:
    with anthropic.Anthropic(base_url=up.base, api_key="any", max_retries=0) as client:

        def ask(which: str, **more: object) -> tuple[list[str], anthropic.types.Message]:
            turns = [{"role": "user", "content": which}]
            with client.messages.stream(model="tiny", max_tokens=50, messages=turns, **more) as stream:
                return list(stream.text_stream), stream.get_final_message()

        texts, message = ask("plain")
        assert "".join(texts) == message.content[0].text == "".join(SAID["plain"])
        assert len(texts) > 2
        assert (message.stop_reason, message.usage.input_tokens) == ("end_turn", 7)
        message = ask("redact")[1]
        assert message.content[0].text == "".join(SAID["redact"]).replace("ACC-123456", "[redacted: no-number]")
        for which in ("refuse", "escalate", "bad call"):
            message = ask(which, tools=[{"name": "read", "input_schema": {"type": "object"}}])[1]
            assert message.stop_reason == "refusal"
            first, refusal = (block.text for block in message.content)
            assert first.startswith(BEGUN)
            assert "sword" not in first
            assert "No answer" in refusal
        message = ask("call", tools=[{"name": "read", "input_schema": {"type": "object"}}])[1]
        assert message.content[0].text == "".join(SAID["call"])
        assert (message.content[1].input, message.stop_reason) == ({"path": "a.txt"}, "tool_use")


def test_responses_flow_and_are_refused(up: Served) -> None:
    with openai.OpenAI(base_url=up.base + "/v1", api_key="any", max_retries=0) as client:

        def ask(which: str) -> tuple[list[str], openai.types.responses.Response]:
            said: list[str] = []
            with client.responses.stream(model="tiny", input=which) as stream:
                numbers = []
                for event in stream:
                    numbers.append(event.sequence_number)
                    if event.type == "response.output_text.delta":
                        said.append(event.delta)
                        assert event.snapshot == "".join(said)
                    last = event
                assert numbers == list(range(len(numbers)))
                return said, last.response

        said, response = ask("plain")
        assert "".join(said) == response.output_text == "".join(SAID["plain"])
        assert (response.status, len(said) > 2) == ("completed", True)
        assert ask("redact")[1].output_text == "".join(SAID["redact"]).replace("ACC-123456", "[redacted: no-number]")
        for which in ("refuse", "escalate", "bad call"):
            said, response = ask(which)
            assert (response.status, response.incomplete_details.reason) == ("incomplete", "content_filter")
            assert "sword" not in response.output_text
            assert response.output_text.startswith(BEGUN)
            assert "No answer" in response.output[0].content[1].refusal
        response = ask("call")[1]
        assert [item.type for item in response.output] == ["message", "function_call"]
        assert response.output[1].arguments == '{"path": "a.txt"}'


def _log(up: Served, id: str) -> list[tuple[str, dict, dict]]:
    with LogReader(up.home) as reader:
        leaves = reader.history(id)
        return [
            (leaf.record.kind, leaf.record.facts, {n: t.text for n, t in reader.texts(leaf.record.id).items()})
            for leaf in leaves
        ]


async def _raw(up: Served, path: str, which: str) -> tuple[str, list[bytes]]:
    ask = {"input": which} if path.endswith("responses") else {"messages": [{"role": "user", "content": which}]}
    body = {"model": "tiny", "stream": True, **ask, **({"max_tokens": 50} if path.endswith("messages") else {})}
    async with aiohttp.ClientSession() as session, session.post(up.base + path, json=body) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        return response.headers["x-lawspeaker-decision"], [chunk async for chunk in response.content.iter_any()]


def test_what_left_is_on_record(up: Served) -> None:
    for which, action in (("plain", "release"), ("redact", "release"), ("refuse", "refuse"), ("escalate", "escalate")):
        id, _ = asyncio.run(_raw(up, PATHS[0], which))
        (opened, _, _), (kind, facts, texts) = _log(up, id)
        assert (opened, kind, facts["action"]) == ("opened", "decision", action)
        assert facts["stream"]["stopped"] == (action != "release")
        assert facts["stream"]["released"] == len(texts["released"])
        assert texts["released"].startswith(BEGUN)
        assert "sword" not in texts["released"]
        if which == "escalate":  # a person sees all of it
            assert "".join(SAID[which]) in json.loads(texts["exchange"])["messages"][-1]["parts"][0]["text"]


def test_an_answer_that_breaks_off_and_a_client_that_leaves_are_on_record(up: Served) -> None:
    id, _ = asyncio.run(_raw(up, PATHS[0], "cut"))
    (_, (kind, facts, texts)) = _log(up, id)
    assert (kind, facts["during"]) == ("failed", "stream")
    assert texts["released"].startswith(BEGUN)

    async def leave() -> str:
        body = {"model": "tiny", "stream": True, "messages": [{"role": "user", "content": "endless"}]}
        async with aiohttp.ClientSession() as session, session.post(up.base + PATHS[0], json=body) as response:
            await response.content.readany()
            return response.headers["x-lawspeaker-decision"]

    id = asyncio.run(leave())
    for _ in range(100):
        history = _log(up, id)
        if len(history) == 2:
            break
        time.sleep(0.05)
    kind, facts, texts = history[1]
    assert (kind, texts["error"]) == ("failed", "the client left")
    assert 0 < facts["released"] == len(texts["released"]) < len("".join(SAID["endless"]))


def test_a_stream_without_words_is_kept_alive(up: Served) -> None:
    async def run() -> list[tuple[str, list[bytes]]]:
        return await asyncio.gather(*(_raw(up, path, "slow") for path in PATHS))

    for path, (_, chunks) in zip(PATHS, asyncio.run(run()), strict=True):
        assert chunks[0] == (b'event: ping\ndata: {"type":"ping"}\n\n' if path.endswith("messages") else b": held\n\n")
        assert b"bye." in b"".join(chunks)
