"""A refusal while the model thinks, or writes a tool's arguments: every surface ends in its own way, and nothing of
what is forbidden has left, whether streams are held or flow. Vendors' own clients, over an upstream that streams."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import anthropic
import openai
import pytest
from aiohttp import web

from lawspeaker.audit.reader import LogReader
from tests.gateway.served import Served, serving
from tests.gateway.test_no_leak import PATHS, said_of
from tests.gateway.upstream import LAW, background

WORD = "swordfish"
LONG = "All is well with the invoices of this year, and nothing is to be done. "
BEGUN = LONG[:40]  # what is decided when nothing follows it
_FINE, _BAD = {"thinking": "A simple question."}, {"thinking": f"The word is {WORD}, which I must not say."}
_WORDS, _MORE = {"text": LONG}, {"text": "Good bye."}
# what the model says, block by block; in those that begin with words these flow in a window, and nothing else does
SAID = {
    "thought": [_BAD, _WORDS],
    "thought after words": [_WORDS, _BAD, _MORE],
    "second thought": [_FINE, _WORDS, _BAD, _MORE],
    "call": [_WORDS, {"call": {"path": f"/tmp/{WORD}"}}],
    "call alone": [{"call": {"path": WORD}}],
    "call after a thought": [_FINE, {"call": {"path": "a.txt", "word": WORD}}],
    "second call": [_WORDS, {"call": {"path": "a.txt"}}, {"call": {"path": WORD}}],
    "thought between calls": [_WORDS, {"call": {"path": "a.txt"}}, _BAD, {"call": {"path": "b.txt"}}],
    "name of a key in a call": [_WORDS, {"call": {WORD: 1}}],
}
FLOW = {which for which, blocks in SAID.items() if blocks[0] is _WORDS}
MODES, PIECES = ("hold", "window"), (1, 4, 60)
TOOL = {"name": "read", "input_schema": {"type": "object"}}


def _events(blocks: list[dict], size: int) -> Iterator[str]:
    """Messages events, `size` characters in each."""

    def event(kind: str, **fields: object) -> str:
        return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n"

    yield event("message_start", message={"role": "assistant", "usage": {"input_tokens": 3, "output_tokens": 1}})
    for index, block in enumerate(blocks):
        ((kind, value),) = block.items()
        if kind == "call":
            begun = {"type": "tool_use", "id": f"t{index}", "name": "read", "input": {}}
            text, delta = json.dumps(value), ("input_json_delta", "partial_json")
        else:
            begun = {"type": kind, kind: "", **({"signature": ""} if kind == "thinking" else {})}
            text, delta = value, (f"{kind}_delta", kind)
        yield event("content_block_start", index=index, content_block=begun)
        for at in range(0, len(text), size):
            told = {"type": delta[0], delta[1]: text[at : at + size]}
            yield event("content_block_delta", index=index, delta=told)
        if kind == "thinking":
            yield event("content_block_delta", index=index, delta={"type": "signature_delta", "signature": "c2ln"})
        yield event("content_block_stop", index=index)
    stop = "tool_use" if any("call" in block for block in blocks) else "end_turn"
    yield event("message_delta", delta={"stop_reason": stop}, usage={"output_tokens": 5})
    yield event("message_stop")


async def _answer(request: web.Request, body: dict) -> web.StreamResponse:
    which, _, size = body["messages"][-1]["content"][-1]["text"].partition(" / ")
    if not body.get("stream"):
        blocks = []
        for index, block in enumerate(SAID[which]):
            ((kind, value),) = block.items()
            call = {"type": "tool_use", "id": f"t{index}", "name": "read", "input": value}
            blocks.append(call if kind == "call" else {"type": kind, kind: value, "signature": "c2ln"})
        return web.json_response({"content": blocks, "stop_reason": "end_turn"})
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    for event in _events(SAID[which], int(size)):
        await response.write(event.encode())
        await asyncio.sleep(0)
    return response


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A route that holds its streams, and one whose streams flow."""
    folder: Path = tmp_path_factory.mktemp("midstream")
    (folder / "house.yaml").write_text(LAW)
    with background(_answer) as base:
        routes = [
            f"  - {{name: {mode}, model: 'anthropic:m', constitution: house.yaml, stream: {mode}}}\n"
            for mode in ("hold", "window")
        ]
        (folder / "lawspeaker.yaml").write_text("routes:\n" + "".join(routes))
        key = {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": base.removesuffix("/v1")}
        with serving(folder, "--config", "lawspeaker.yaml", **key) as served:
            yield served


def _nothing_of_it(text: str) -> None:
    assert not any(WORD[at : at + 5] in text for at in range(len(WORD) - 4)), text


def _said_first(mode: str, which: str, words: str) -> None:
    """What came before the refusal: in a window the words that the model began with, held nothing."""
    assert words.startswith(BEGUN) if mode == "window" and which in FLOW else not words
    assert LONG.startswith(words)


@pytest.mark.parametrize("which", SAID)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.client("openai-python, Chat Completions", feature="refused while it thinks or calls a tool")
def test_chat(up: Served, mode: str, which: str) -> None:
    with openai.OpenAI(base_url=up.base + "/v1", api_key="any", max_retries=0) as client:
        tools = [{"type": "function", "function": {"name": "read", "parameters": {"type": "object"}}}]
        turns = [{"role": "user", "content": f"{which} / 4"}]
        chunks = list(client.chat.completions.create(model=mode, messages=turns, tools=tools, stream=True))
    deltas = [chunk.choices[0].delta for chunk in chunks]
    _said_first(mode, which, "".join(delta.content or "" for delta in deltas))
    assert "no-codeword" in "".join(delta.refusal or "" for delta in deltas)
    assert not any(delta.tool_calls for delta in deltas)
    assert chunks[-1].choices[0].finish_reason == "content_filter"
    _nothing_of_it("".join(chunk.model_dump_json(warnings=False) for chunk in chunks))


@pytest.mark.parametrize("which", SAID)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.client("openai-python, Responses", feature="refused while it thinks or calls a tool")
def test_responses(up: Served, mode: str, which: str) -> None:
    tools = [{"type": "function", "name": "read", "parameters": {"type": "object"}, "strict": False}]
    with (
        openai.OpenAI(base_url=up.base + "/v1", api_key="any", max_retries=0) as client,
        client.responses.stream(model=mode, input=f"{which} / 4", tools=tools) as stream,
    ):
        events = list(stream)
    response = events[-1].response
    _said_first(mode, which, response.output_text)
    ((message,), refusal) = response.output, response.output[0].content[-1]
    assert (message.type, refusal.type) == ("message", "refusal")
    assert "no-codeword" in refusal.refusal
    if mode == "window" and which in FLOW:
        assert (response.status, response.incomplete_details.reason) == ("incomplete", "content_filter")
    _nothing_of_it("".join(event.model_dump_json(warnings=False) for event in events))


@pytest.mark.parametrize("which", SAID)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.client("anthropic-python, Messages", feature="refused while it thinks or calls a tool")
def test_messages(up: Served, mode: str, which: str) -> None:
    turns = [{"role": "user", "content": f"{which} / 4"}]
    how = {"model": mode, "max_tokens": 2000, "messages": turns, "tools": [TOOL]}
    how["thinking"] = {"type": "enabled", "budget_tokens": 1024}
    with (
        anthropic.Anthropic(base_url=up.base, api_key="any", max_retries=0) as client,
        client.messages.stream(**how) as stream,
    ):
        events = list(stream)
        message = stream.get_final_message()
    assert message.stop_reason == "refusal"
    assert {block.type for block in message.content} == {"text"}  # neither a thought nor a call
    *first, refusal = (block.text for block in message.content)
    _said_first(mode, which, "".join(first))
    assert "no-codeword" in refusal
    _nothing_of_it("".join(event.model_dump_json(warnings=False) for event in events))


def test_wherever_the_upstream_cuts(up: Served) -> None:
    """On the wire, over every surface, in pieces of every size; what had left is on record."""

    async def one(session: aiohttp.ClientSession, path: str, mode: str, text: str) -> tuple[str, str]:
        ask = {"input": text} if path.endswith("responses") else {"messages": [{"role": "user", "content": text}]}
        more = {"max_tokens": 50} if path.endswith("messages") else {}
        async with session.post(up.base + path, json={"model": mode, "stream": True, **ask, **more}) as response:
            return response.headers["x-lawspeaker-decision"], await response.text()

    async def every() -> list[tuple[str, str]]:
        asked = [
            (path, mode, f"{which} / {size}") for path in PATHS for mode in MODES for which in SAID for size in PIECES
        ]
        async with aiohttp.ClientSession() as session:
            return [await one(session, *each) for each in asked]

    with LogReader(up.home) as reader:
        for id, text in asyncio.run(every()):
            _nothing_of_it(said_of(text, stream=True))
            decided = reader.history(id)[-1].record
            assert decided.facts["action"] == "refuse"
            assert "stream" not in decided.facts or decided.facts["stream"]["released"] <= len(LONG)
