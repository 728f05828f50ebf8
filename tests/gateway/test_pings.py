"""Signs of life while an answer is held, as often as the deployment says, and none that a client takes for words."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import anthropic
import openai
import pytest
from aiohttp import web

from tests.gateway.served import Served, serving
from tests.gateway.test_no_leak import PATHS, said_of
from tests.gateway.upstream import LAW, background

SLOW = 1.5  # seconds until the upstream answers
USER = [{"role": "user", "content": "hi"}]


async def _answer(request: web.Request, body: dict) -> web.StreamResponse:
    await asyncio.sleep(SLOW)
    if not body.get("stream"):
        return web.json_response({"choices": [{"message": {"role": "assistant", "content": "All is well."}}]})
    data = '{"choices": [{"index": 0, "delta": {"content": "All is well."}, "finish_reason": "stop"}]}'
    return web.Response(text=f"data: {data}\n\ndata: [DONE]\n\n", content_type="text/event-stream")


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("pings")
    (folder / "house.yaml").write_text(LAW)
    with background(_answer) as base:
        routes = [
            f"  - {{name: {mode}, model: '{base}#m', constitution: house.yaml, stream: {mode}}}\n"
            for mode in ("hold", "window")
        ]
        (folder / "lawspeaker.yaml").write_text("ping_seconds: 0.25\nroutes:\n" + "".join(routes))
        with serving(folder, "--config", "lawspeaker.yaml") as served:
            yield served


@pytest.mark.parametrize("mode", ["hold", "window"])
@pytest.mark.parametrize("path", PATHS)
def test_as_often_as_is_said(up: Served, path: str, mode: str) -> None:
    async def run() -> tuple[str, float]:
        ask = {"input": "hi"} if path.endswith("responses") else {"messages": USER}
        more = {"max_tokens": 50} if path.endswith("messages") else {}
        body, begun = {"model": mode, "stream": True, **ask, **more}, time.perf_counter()
        async with aiohttp.ClientSession() as session, session.post(up.base + path, json=body) as response:
            return await response.text(), time.perf_counter() - begun

    text, seconds = asyncio.run(run())
    pings = text.count("event: ping\n" if path.endswith("messages") else ": held\n\n")
    assert 2 <= pings <= seconds / 0.25
    assert "All is well." in said_of(text, stream=True)


@pytest.mark.parametrize("mode", ["hold", "window"])
def test_clients_do_not_see_them(up: Served, mode: str) -> None:
    with openai.OpenAI(base_url=up.base + "/v1", api_key="any", max_retries=0) as oai:
        chunks = list(oai.chat.completions.create(model=mode, messages=USER, stream=True))
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "All is well."
        with oai.responses.stream(model=mode, input="hi") as events:
            assert events.get_final_response().output_text == "All is well."
    with (
        anthropic.Anthropic(base_url=up.base, api_key="any", max_retries=0) as claude,
        claude.messages.stream(model=mode, max_tokens=50, messages=USER) as stream,
    ):
        assert "".join(stream.text_stream) == "All is well."
