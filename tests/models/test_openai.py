"""The OpenAI-compatible client against a real server that the test starts and that misbehaves on demand."""

import asyncio
import math
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from lawspeaker.errors import ModelConfigError, ModelError
from lawspeaker.exchange import Message, Text
from lawspeaker.models.address import open_model
from lawspeaker.models.base import Completion, Sampling
from lawspeaker.models.openai import option_odds

PROMPT = (Message("system", (Text("be brief"),)), Message("user", (Text("hello"),)))
Handler = Callable[[web.Request], "web.StreamResponse | asyncio.Future[web.StreamResponse]"]


@asynccontextmanager
async def _served(answer: Callable[[web.Request, dict], object]) -> AsyncIterator[str]:
    async def handle(request: web.Request) -> web.StreamResponse:
        reply = answer(request, await request.json())
        return await reply if asyncio.iscoroutine(reply) else reply

    app = web.Application()
    app.router.add_post("/v1/chat/completions", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/v1#tiny"
    finally:
        await runner.cleanup()


async def _complete(address: str, timeout: float = 5.0, environment: dict[str, str] | None = None) -> Completion:
    model = open_model(address, environment or {})
    try:
        return await model.complete(PROMPT, Sampling(temperature=0.5, seed=7, max_tokens=9, timeout=timeout))
    finally:
        await model.close()


def _says(content: object, finish: str = "stop") -> web.Response:
    choice = {"message": {"role": "assistant", "content": content}, "finish_reason": finish}
    return web.json_response({"choices": [choice]})


def test_sends_what_was_asked_and_returns_the_answer() -> None:
    seen = {}

    def answer(request: web.Request, body: dict) -> web.Response:
        seen.update(body, authorization=request.headers.get("Authorization"))
        return _says("hi", "length")

    async def run() -> Completion:
        async with _served(answer) as address:
            return await _complete(address, environment={"LAWSPEAKER_MODEL_KEY": "k1", "OPENAI_API_KEY": "k2"})

    completion = asyncio.run(run())
    assert (completion.text, completion.finish) == ("hi", "length")
    assert seen["messages"] == [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hello"}]
    assert (seen["model"], seen["temperature"], seen["seed"], seen["max_tokens"]) == ("tiny", 0.5, 7, 9)
    assert seen["authorization"] == "Bearer k1"  # never a vendor's key to a server of one's own


async def _cut(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"choices":')
    request.transport.close()
    return response


async def _never(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(30)
    return web.Response()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda r, b: _says(""), "the answer is empty"),
        (lambda r, b: _says(None), "the answer is empty"),
        (lambda r, b: web.Response(text="<html>hello</html>"), "did not answer in Chat Completions JSON"),
        (lambda r, b: web.Response(body=b"\xff\xfe"), "did not answer in Chat Completions JSON"),
        (lambda r, b: web.json_response({"choices": []}), "without a choice"),
        (lambda r, b: web.json_response({"error": {"message": "no such\nmodel"}}, status=404), "HTTP 404"),
        (lambda r, b: web.Response(status=500, text="oh\x1b[31m no"), "oh[31m no"),
        (lambda r, b: _cut(r), "is a model served at"),
        (lambda r, b: _never(r), "within 0.5 s"),
    ],
)
def test_every_bad_answer_is_one_clear_line(answer: Callable[[web.Request, dict], object], words: str) -> None:
    async def run() -> None:
        async with _served(answer) as address:
            await _complete(address, timeout=0.5)

    with pytest.raises(ModelError, match=r"http://127\.0\.0\.1") as error:
        asyncio.run(run())
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_refused_connection() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(ModelError, match="is a model served at"):
        asyncio.run(_complete(f"http://127.0.0.1:{port}/v1#m"))


def test_choose_reads_probabilities() -> None:
    def answer(request: web.Request, body: dict) -> web.Response:
        assert body["logprobs"] is True
        top = [{"token": "A", "logprob": math.log(0.6)}, {"token": "B", "logprob": math.log(0.2)}]
        content = [
            {"token": "(", "logprob": 0.0, "top_logprobs": [{"token": "(", "logprob": 0.0}]},
            {"token": "A", "logprob": math.log(0.6), "top_logprobs": top},
        ]
        choice = {"message": {"content": "(A)"}, "logprobs": {"content": content}}
        return web.json_response({"choices": [choice]})

    async def run() -> tuple[float, ...] | None:
        async with _served(answer) as address:
            model = open_model(address, {})
            odds = await model.choose(PROMPT, ("(A)", "(B)"))
            await model.close()
            return odds

    assert asyncio.run(run()) == pytest.approx((0.75, 0.25))


def test_odds_are_none_when_the_reply_leaves_the_options() -> None:
    assert option_odds([[("I", -0.1)], [("think", -0.1)]], ["I", "think"], ("(A)", "(B)")) is None
    assert option_odds([[("(A", -0.1), ("(B", -2.0)]], ["(A"], ("(A)", "(B)")) is not None


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("gpt-5", "is not a model address"),
        ("openai:", "is not a model address"),
        ("openai:gpt-5", "set OPENAI_API_KEY"),
        ("gemini:gemini-2.5-pro", "set GEMINI_API_KEY or GOOGLE_API_KEY"),
        ("http://host:1/v1", "want http://HOST:PORT/v1#MODEL"),
        ("http://user:pass@host/v1#m", "without user name"),
        ("scripted:/does/not/exist", "No such file"),
    ],
)
def test_bad_addresses_say_what_would_be_right(address: str, words: str) -> None:
    with pytest.raises(ModelConfigError, match=words):
        open_model(address, {})
