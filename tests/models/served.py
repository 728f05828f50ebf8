"""A real Chat Completions server on loopback that answers what a test tells it to."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from aiohttp import web

from lawspeaker.exchange import Message, Text
from lawspeaker.models.address import open_model
from lawspeaker.models.base import Completion, Sampling

PROMPT = (Message("system", (Text("be brief"),)), Message("user", (Text("hello"),)))
Answer = Callable[[web.Request, dict], object]


@asynccontextmanager
async def served(answer: Answer) -> AsyncIterator[str]:
    """The base URL of a server that gives each request and its decoded body to `answer`."""

    async def handle(request: web.Request) -> web.StreamResponse:
        reply = answer(request, await request.json())
        return await reply if asyncio.iscoroutine(reply) else reply

    app = web.Application()
    for path in (
        "/v1/chat/completions",
        "/v1/responses",
        "/v1/messages",
        "/v1beta/openai/chat/completions",
        "/v1/embeddings",
    ):
        app.router.add_post(path, handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        await runner.cleanup()


def says(content: object, finish: str = "stop", **more: object) -> web.Response:
    choice = {"message": {"role": "assistant", "content": content, **more}, "finish_reason": finish}
    return web.json_response({"choices": [choice]})


async def cut(request: web.Request) -> web.StreamResponse:
    """A reply that breaks off."""
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"choices":')
    request.transport.close()
    return response


async def complete(
    address: str,
    timeout: float = 5.0,
    environment: Mapping[str, str] | None = None,
    prompt: tuple[Message, ...] = PROMPT,
) -> Completion:
    model = open_model(address, environment or {})
    try:
        return await model.complete(prompt, Sampling(temperature=0.5, seed=7, max_tokens=9, timeout=timeout))
    finally:
        await model.close()


def ask(answer: Answer, timeout: float = 5.0, key: str = "", prompt: tuple[Message, ...] = PROMPT) -> Completion:
    """What the model `tiny` of such a server says to `prompt`."""

    async def run() -> Completion:
        async with served(answer) as base:
            return await complete(f"{base}#tiny", timeout, {"LAWSPEAKER_MODEL_KEY": key}, prompt)

    return asyncio.run(run())
