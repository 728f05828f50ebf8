"""The OpenAI-compatible client against a real server that the test starts and that misbehaves on demand."""

import asyncio
import gzip
import math
import socket
import tracemalloc

import pytest
from aiohttp import web

from lawspeaker.errors import ModelError
from lawspeaker.exchange import Message, Reasoning, Text, ToolCall, ToolResult
from lawspeaker.models.address import open_model
from lawspeaker.models.base import Completion, Sampling, Terms, Tool, Usage
from lawspeaker.models.openai import option_odds
from tests.models.served import PROMPT, Answer, ask, complete, cut, says, served

KEY = "k-0123456789abcdef"


def test_sends_what_was_asked_and_returns_the_answer() -> None:
    seen = {}

    def answer(request: web.Request, body: dict) -> web.Response:
        seen.update(body, authorization=request.headers.get("Authorization"))
        return says("hi", "length")

    async def run() -> Completion:
        async with served(answer) as base:
            return await complete(f"{base}#tiny", environment={"LAWSPEAKER_MODEL_KEY": KEY, "OPENAI_API_KEY": "k2"})

    completion = asyncio.run(run())
    assert (completion.text, completion.finish, completion.tool_calls) == ("hi", "length", ())
    assert completion.parts == (Text("hi"),)
    assert seen["messages"] == [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hello"}]
    assert (seen["model"], seen["temperature"], seen["seed"], seen["max_tokens"]) == ("tiny", 0.5, 7, 9)
    assert seen["authorization"] == f"Bearer {KEY}"  # never a vendor's key to a server of one's own


def _sent(*messages: Message) -> list[dict]:
    seen = []

    def answer(request: web.Request, body: dict) -> web.Response:
        seen.extend(body["messages"])
        return says("hi")

    ask(answer, prompt=messages)
    return seen


def _call(name: str, arguments: str, of: str) -> dict:
    return {"id": of, "type": "function", "function": {"name": name, "arguments": arguments}}


def test_tool_traffic_is_sent() -> None:
    calls = (ToolCall("list", '{"all": true}', "c1"), ToolCall("read", "{}", "c2"))
    assert _sent(
        Message("user", (Text("look"),)),
        Message("assistant", (Reasoning("not for others"), Text("I look."), *calls)),
        Message("tool", (ToolResult("a b", "c1"), ToolResult("", "c2"))),
        Message("assistant", (ToolCall("read", '{"n": 2}', "c3"),)),
        Message("user", (ToolResult("late", "c3"), Text("and now?"))),
    ) == [
        {"role": "user", "content": "look"},
        {
            "role": "assistant",
            "content": "I look.",
            "tool_calls": [_call("list", '{"all": true}', "c1"), _call("read", "{}", "c2")],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "a b"},
        {"role": "tool", "tool_call_id": "c2", "content": ""},
        {"role": "assistant", "content": None, "tool_calls": [_call("read", '{"n": 2}', "c3")]},
        {"role": "tool", "tool_call_id": "c3", "content": "late"},
        {"role": "user", "content": "and now?"},
    ]


def test_tool_traffic_without_ids_gets_some() -> None:
    sent = _sent(
        Message("user", (Text("look"),)),
        Message("assistant", (ToolCall("list", "{}"), ToolCall("read", "{}"))),
        Message("tool", (ToolResult("a"),)),
        Message("tool", (Text("b"),)),
    )
    ids = [call["id"] for call in sent[1]["tool_calls"]]
    assert len(set(ids)) == 2
    assert sent[2:] == [
        {"role": "tool", "tool_call_id": ids[0], "content": "a"},
        {"role": "tool", "tool_call_id": ids[1], "content": "b"},
    ]


def test_half_of_a_surrogate_pair_is_sent_as_a_question_mark() -> None:
    assert _sent(Message("user", (Text("a\ud800b"),))) == [{"role": "user", "content": "a?b"}]


@pytest.mark.parametrize("content", [None, "", "I look."])
def test_an_answer_may_be_tool_calls(content: str | None) -> None:
    completion = ask(lambda r, b: says(content, "tool_calls", tool_calls=[_call("list", '{"a":1}', "c1")]))
    assert completion.text == (content or "")
    assert completion.tool_calls == (ToolCall("list", '{"a":1}', "c1"),)
    assert completion.parts == (*([Text(content)] if content else []), ToolCall("list", '{"a":1}', "c1"))
    assert completion.finish == "tool_calls"


async def _never(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(30)
    return web.Response()


async def _drip(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(600):
        if request.transport is None or request.transport.is_closing():
            break
        await response.write(b" ")
        await asyncio.sleep(0.05)
    return response


async def _flood(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(20):
        await response.write(b" " * 1024 * 1024)
    return response


def _coded(data: bytes, encoding: str) -> web.Response:
    return web.Response(body=data, headers={"Content-Encoding": encoding})


def _redirects(status: int, to: str = "http://127.0.0.1:9/other") -> web.Response:
    return web.Response(status=status, headers={"Location": to})


_BAD: list[tuple[Answer, str]] = [
    (lambda r, b: says(""), "the answer is empty"),
    (lambda r, b: says(None), "the answer is empty"),
    (lambda r, b: says("", tool_calls=[]), "the answer is empty"),
    (lambda r, b: says("", "length"), "its 9 tokens were spent before it said anything"),
    (lambda r, b: says("", "odd\n\u202ereason"), "(finish reason odd reason)"),
    (lambda r, b: web.Response(text="<html>hello</html>"), "did not answer in Chat Completions JSON"),
    (lambda r, b: web.Response(body=b"\xff\xfe"), "did not answer in Chat Completions JSON"),
    (lambda r, b: web.Response(body=b'{"x":' + b"[" * 200000), "did not answer in Chat Completions JSON"),
    (lambda r, b: web.json_response({"choices": []}), "without a choice"),
    (lambda r, b: says(None, tool_calls=[{"id": "x"}]), "did not answer in Chat Completions JSON"),
    (lambda r, b: web.json_response({"error": {"message": "no such\nmodel"}}, status=404), "HTTP 404"),
    (lambda r, b: web.json_response([{"error": {"message": "no such\nmodel"}}], status=404), "no such model"),
    (lambda r, b: web.json_response({"error": "no such\nmodel"}, status=404), "no such model"),
    (lambda r, b: web.Response(status=500, text="oh\x1b[31m no"), "oh[31m no"),
    (lambda r, b: web.Response(status=500, text="a\u202eb\u2066c\u200bd\u2028e\x00f\x85g"), "abcd ef g"),
    (lambda r, b: web.Response(status=500, reason="no", text=""), "no body"),
    (lambda r, b: web.Response(status=401, text=f"wrong key {KEY}"), "wrong key [key]"),
    (lambda r, b: cut(r), "is a model served at"),
    (lambda r, b: _never(r), "within 0.5 s"),
    (lambda r, b: _drip(r), "within 0.5 s"),
    (lambda r, b: _redirects(307), "redirects (HTTP 307) to http://127.0.0.1:9/other"),
    (lambda r, b: _redirects(302, "/else\u202e"), "redirects (HTTP 302)"),
    (lambda r, b: web.Response(status=304), "redirects (HTTP 304)"),
    (lambda r, b: web.Response(headers={"X-Long": "\u202e" + "x" * 9000}), "is a model served at"),
    (lambda r, b: _coded(b"no gzip", "gzip"), "cannot be decompressed"),
    (lambda r, b: _coded(b"?", "br"), "encoding 'br', which was not asked for"),
]


@pytest.mark.parametrize(("answer", "words"), _BAD)
def test_every_bad_answer_is_one_clear_line(answer: Answer, words: str) -> None:
    with pytest.raises(ModelError, match=r"http://127\.0\.0\.1") as error:
        ask(answer, timeout=0.5, key=KEY)
    assert words in str(error.value)
    assert str(error.value).isprintable()
    assert KEY not in str(error.value)
    assert len(str(error.value)) <= 400  # 200 of the server's, the rest is name, address and what to do


def test_a_server_may_not_fill_the_terminal() -> None:
    with pytest.raises(ModelError) as error:
        ask(lambda r, b: web.Response(status=500, text="x" * 5000))
    assert "x" * 200 in str(error.value)
    assert "x" * 201 not in str(error.value)


def test_a_compressed_answer_is_read() -> None:
    body = b'{"choices": [{"message": {"content": "hi"}}]}'
    assert ask(lambda r, b: _coded(gzip.compress(body), "gzip")).text == "hi"


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip"])
def test_a_reply_is_bounded_as_decompressed(encoding: str) -> None:
    bomb = gzip.compress(gzip.compress(b"", 0) + b"\0" * 200_000_000, 1)
    tracemalloc.start()
    try:
        with pytest.raises(ModelError, match="larger than 8388608 bytes"):
            ask(lambda r, b: _coded(bomb, encoding))
        assert tracemalloc.get_traced_memory()[1] < 60_000_000
    finally:
        tracemalloc.stop()


def test_a_reply_is_bounded_on_the_wire() -> None:
    with pytest.raises(ModelError, match="larger than 8388608 bytes"):
        ask(lambda r, b: _flood(r), timeout=10)


def test_prompt_and_key_do_not_follow_a_redirect() -> None:
    followed = []

    async def run() -> None:
        async with served(lambda r, b: followed.append(b) or says("hi")) as elsewhere:
            away = f"{elsewhere}/chat/completions".replace("127.0.0.1", "localhost")
            async with served(lambda r, b: _redirects(308, away)) as base:
                await complete(f"{base}#tiny", environment={"LAWSPEAKER_MODEL_KEY": KEY})

    with pytest.raises(ModelError, match=r"redirects \(HTTP 308\) to http://localhost"):
        asyncio.run(run())
    assert followed == []


def test_refused_connection() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(ModelError, match="is a model served at"):
        asyncio.run(complete(f"http://127.0.0.1:{port}/v1#m"))


def test_one_failure_does_not_lose_the_batch() -> None:
    def answer(request: web.Request, body: dict) -> web.Response:
        word = body["messages"][0]["content"]
        return web.Response(status=500, text="no") if word == "b" else says(word.upper())

    async def run() -> list[str]:
        async with served(answer) as base:
            model = open_model(f"{base}#tiny", {})
            said = await model.complete_many([(Message("user", (Text(c),)),) for c in "abc"], [Sampling()] * 3)
            with pytest.raises(ValueError, match="shorter"):
                await model.complete_many([PROMPT, PROMPT], [Sampling()])
            await model.close()
            return [c.text if isinstance(c, Completion) else type(c).__name__ for c in said]

    assert asyncio.run(run()) == ["A", "ModelError", "C"]


def _odds(*steps: tuple[str, dict[str, float] | None]) -> tuple[float, ...] | None:
    """What `choose` says where the server tells these odds at each token."""

    def answer(request: web.Request, body: dict) -> web.Response:
        assert (body["logprobs"], body["top_logprobs"]) == (True, 20)
        content = [
            {"token": t, "logprob": 0.0, "top_logprobs": top and [{"token": k, "logprob": v} for k, v in top.items()]}
            for t, top in steps
        ]
        return web.json_response({"choices": [{"message": {"content": "(A)"}, "logprobs": {"content": content}}]})

    async def run() -> tuple[float, ...] | None:
        async with served(answer) as base:
            model = open_model(f"{base}#tiny", {})
            odds = await model.choose(PROMPT, ("(A)", "(B)"))
            await model.close()
            return odds

    return asyncio.run(run())


def test_choose_reads_probabilities() -> None:
    odds = _odds(("(", {"(": 0.0}), ("A", {"A": math.log(0.6), "B": math.log(0.2)}))
    assert odds == pytest.approx((0.75, 0.25))


def test_choose_does_not_take_the_drawn_token_for_a_certainty() -> None:
    assert _odds(("(", None), ("A", None)) is None


def test_choose_survives_a_probability_above_one() -> None:
    assert _odds(("(A", {"(A": 1e300, "(B": 0.0})) == (0.5, 0.5)


def test_odds_are_none_when_the_reply_leaves_the_options() -> None:
    assert option_odds([[("I", -0.1)], [("think", -0.1)]], ["I", "think"], ("(A)", "(B)")) is None
    assert option_odds([[("(A", -0.1), ("(B", -2.0)]], ["(A"], ("(A)", "(B)")) is not None


def test_tools_are_offered_and_usage_is_told() -> None:
    seen = {}

    def answer(request: web.Request, body: dict) -> web.Response:
        seen.update(body)
        call = {"id": "c1", "type": "function", "function": {"name": "list", "arguments": "{}"}}
        choice = {"message": {"content": None, "tool_calls": [call]}, "finish_reason": "tool_calls"}
        usage = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}
        return web.json_response({"choices": [choice], "usage": usage})

    async def run() -> Completion:
        async with served(answer) as base:
            model = open_model(f"{base}#tiny", {})
            tool = Tool("list", "what is there", {"type": "object", "properties": {}})
            said = await model.complete(PROMPT, Sampling(), Terms(tools=(tool,)))
            await model.close()
            return said

    completion = asyncio.run(run())
    about = {"name": "list", "description": "what is there", "parameters": {"type": "object", "properties": {}}}
    assert seen["tools"] == [{"type": "function", "function": about}]
    assert (completion.finish, completion.usage) == ("tool_calls", Usage(12, 3))


def test_an_answer_that_was_withheld_says_so() -> None:
    assert ask(lambda r, b: says(None, "stop", refusal="I cannot help with that.")).finish == "refused"
    assert ask(lambda r, b: says("half of", "content_filter")).finish == "refused"
