"""Ways around a guard that others left open, tried on every surface: nothing forbidden reaches model or client."""

import asyncio
import json

import aiohttp
import pytest
from aiohttp import web

from tests.gateway.holes import CHAT, MESSAGES, RESPONSES, UNREAD, answered, asked, beside, user
from tests.gateway.served import Served

WORD = "swordfish"
SEEN: list[str] = []
LEAKS, BESIDE, INPUTS = answered(WORD), beside(WORD), asked(WORD)


def answer(request: web.Request, body: dict) -> web.Response:
    SEEN.append(json.dumps(body))
    said = body["messages"][-1]["content"]
    if said == "one of three":
        message = {"content": WORD if len(SEEN) == 2 else "fine"}
    elif said in BESIDE:
        message = {"content": "fine", **BESIDE[said]}
    else:
        message = LEAKS.get(said, {"content": said})
    return web.json_response({"choices": [{"message": {"role": "assistant", **message}, "finish_reason": "stop"}]})


def _post(up: Served, path: str, body: dict) -> tuple[int, str]:
    async def run() -> tuple[int, str]:
        async with (
            aiohttp.ClientSession() as session,
            session.post(up.base + path, json={"model": "tiny", **body}) as response,
        ):
            return response.status, await response.text()

    return asyncio.run(run())


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", INPUTS)
def test_what_is_forbidden_does_not_reach_the_model(up: Served, name: str, stream: bool) -> None:
    path, body = INPUTS[name]
    more = {"max_tokens": 50} if path == MESSAGES else {}
    SEEN.clear()
    status, text = _post(up, path, {**body, **more, "stream": stream})
    assert status == 200
    assert "no-codeword" in text
    assert WORD not in text
    assert not SEEN


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", [CHAT, MESSAGES, RESPONSES])
@pytest.mark.parametrize("leak", LEAKS)
def test_what_is_forbidden_does_not_reach_the_client(up: Served, leak: str, path: str, stream: bool) -> None:
    more = {"max_tokens": 50} if path == MESSAGES else {}
    ask = {"input": leak} if path == RESPONSES else {"messages": [user(leak)]}
    status, text = _post(up, path, {**ask, **more, "stream": stream})
    assert status == 200
    assert "no-codeword" in text
    assert not any(WORD[at : at + 5] in text for at in range(len(WORD) - 4))


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", [CHAT, MESSAGES, RESPONSES])
@pytest.mark.parametrize("beside", BESIDE)
def test_what_nobody_judged_is_not_passed_on(up: Served, beside: str, path: str, stream: bool) -> None:
    more = {"max_tokens": 50} if path == MESSAGES else {}
    ask = {"input": beside} if path == RESPONSES else {"messages": [user(beside)]}
    status, text = _post(up, path, {**ask, **more, "stream": stream})
    assert status == 200
    assert "fine" in text
    assert WORD not in text


@pytest.mark.parametrize("stream", [False, True])
def test_one_of_several_choices_is_refused_alone(up: Served, stream: bool) -> None:
    SEEN.clear()
    status, text = _post(up, CHAT, {"messages": [user("one of three")], "n": 3, "stream": stream})
    assert status == 200
    assert len(SEEN) == 3
    assert WORD not in text
    assert "no-codeword" in text
    assert text.count("fine") == 2


@pytest.mark.parametrize("name", UNREAD)
def test_what_would_come_in_unread_is_refused(up: Served, name: str) -> None:
    path, body = UNREAD[name]
    SEEN.clear()
    more = {"max_tokens": 50} if path == MESSAGES else {}
    status, text = _post(up, path, {**body, **more})
    assert status == 400
    assert "error" in json.loads(text)
    assert not SEEN


@pytest.mark.parametrize(
    "path", ["/", "/v1/completions", "/v1/files", "/v1/responses/resp_1", "/v1/chat/completions/", "/v1//models"]
)
def test_other_paths_are_denied(up: Served, path: str) -> None:
    status, text = _post(up, path, {"messages": [user("hi")]})
    assert status == 404
    assert json.loads(text)["error"]["code"] == "unknown_path"
