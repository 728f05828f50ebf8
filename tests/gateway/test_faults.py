"""What is malformed, too much, or fails behind the gateway: a native error with the right status, nothing lost."""

import asyncio
import io
import json
import socket
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from lawspeaker.audit.reader import LogReader
from tests.gateway.served import Served
from tests.gateway.upstream import governed
from tests.models.served import cut

CHAT = "/v1/chat/completions"
_JSON = {"content-type": "application/json"}


async def _slow() -> web.Response:
    await asyncio.sleep(8)
    return web.Response()


def answer(request: web.Request, body: dict) -> object:
    said = body["messages"][-1]["content"]
    match said:
        case "cut":
            return cut(request)
        case "slow":
            return _slow()
        case "junk":
            return web.Response(text="<html>")
        case "wrong":
            return web.Response(status=418, text="teapot")
    return web.json_response({"choices": [{"message": {"role": "assistant", "content": said}}]})


def _send(up: Served, data: object, path: str = CHAT, method: str = "POST", **headers: str) -> tuple[int, dict, bytes]:
    async def run() -> tuple[int, dict, bytes]:
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, up.base + path, data=data, headers={**_JSON, **headers}) as response,
        ):
            return response.status, dict(response.headers), await response.read()

    return asyncio.run(run())


def _ask(text: str, **more: object) -> bytes:
    return json.dumps({"model": "tiny", "messages": [{"role": "user", "content": text}], **more}).encode()


BAD = {
    "empty": b"",
    "half": b'{"model": "tiny"',
    "list": b"[]",
    "not a number": b'{"model": "tiny", "messages": [], "temperature": NaN}',
    "bytes": b'{"model": "tiny\xff", "messages": []}',
    "half a character": b'{"model": "\\ud800", "messages": []}',
    "twice": b'{"model": "tiny", "model": "other", "messages": []}',
    "twice within": b'{"model": "tiny", "messages": [{"role": "user", "role": "system", "content": "x"}]}',
    "deep": b'{"model": "tiny", "messages": [], "tools": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep schema": b'{"model": "tiny", "messages": [], "tools": [{"type": "function", "function": {"name": "a",'
    b' "parameters": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}}]}",
    "role": _ask("x").replace(b'"user"', b'"root"'),
    "no messages": b'{"model": "tiny", "messages": []}',
    "many messages": json.dumps({"model": "tiny", "messages": [{"role": "user", "content": "x"}] * 10_000}).encode(),
    "many choices": _ask("x", n=100),
    "no tokens": _ask("x", max_tokens=-1),
    "wrong type": _ask("x", stream="yes"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_bodies(up: Served, name: str) -> None:
    status, headers, body = _send(up, BAD[name])
    assert (status, headers["x-should-retry"]) == (400, "false")
    error = json.loads(body)["error"]
    assert error["message"]
    assert len(body) < 1000
    assert b"Traceback" not in body


def test_too_large_or_of_another_kind(up: Served) -> None:
    assert _send(up, io.BytesIO(b" " * (8 * 1024 * 1024 + 1)))[0] == 413
    assert _send(up, _ask("x"), **{"content-type": "text/plain"})[0] == 415
    assert _send(up, _ask("x"), **{"content-encoding": "gzip"})[0] == 415
    assert _send(up, _ask("x"), host="evil.example")[0] == 403
    assert _send(up, b"", method="PUT")[0] == 405


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", ["cut", "slow", "junk", "wrong"])
def test_an_upstream_that_fails(up: Served, name: str, stream: bool) -> None:
    """The error is native, says which decision it was, and the log says that it failed. Where a held stream has
    shown a sign of life before, its status is out and the error is its last event."""
    status, headers, body = _send(up, _ask(name, stream=stream))
    told = json.loads(body.split(b"data: ")[-1])
    assert (status == 502) or (name == "slow" and stream and status == 200)
    assert told["error"]["type"] == "server_error"
    with LogReader(up.home) as reader:
        kinds = [leaf.record.kind for leaf in reader.history(headers["x-lawspeaker-decision"])]
    assert kinds == ["opened", "failed"]


def test_a_client_that_leaves_at_any_byte(up: Served) -> None:
    body = _ask("hello")
    head = f"POST {CHAT} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    whole = head.encode() + f"Content-Length: {len(body)}\r\n\r\n".encode() + body
    host, port = up.base.removeprefix("http://").split(":")
    for end in range(0, len(whole), 3):
        with socket.create_connection((host, int(port))) as peer:
            peer.sendall(whole[:end])
    assert _send(up, body)[0] == 200


def test_decisions_are_told_without_what_was_withheld(up: Served) -> None:
    for text, action, state in (
        ("hello", "release", "decided"),
        ("swordfish", "refuse", "decided"),
        ("pay now", "escalate", "waiting"),
    ):
        _, headers, _ = _send(up, _ask(text))
        id = headers["x-lawspeaker-decision"]
        status, _, body = _send(up, b"", f"/v1/decisions/{id}", "GET")
        told = json.loads(body)
        assert (status, told["id"], told["action"], told["state"]) == (200, id, action, state)
        assert told["receipt"]["checkpoint"]
        assert text.encode() not in body
    for other in ("0" * 32, id[:12], "..%2f", told["receipt"]["id"]):
        assert _send(up, b"", f"/v1/decisions/{other}", "GET")[0] == 404


def test_health_and_metrics(up: Served) -> None:
    assert _send(up, b"", "/healthz", "GET")[0] == 200
    assert _send(up, b"", "/readyz", "GET")[0] == 200
    _send(up, _ask("swordfish"))
    _, headers, body = _send(up, b"", "/metrics", "GET")
    assert headers["Content-Type"].startswith("text/plain")
    assert b'lawspeaker_answers_total{outcome="refuse",route="tiny",surface="chat",tenant="default"}' in body


def test_many_wait_for_the_upstream_at_the_same_time(tmp_path: Path) -> None:
    """No request has to wait until others are answered: the upstream answers when all have arrived."""
    count = 250
    arrived: list[str] = []
    events: list[asyncio.Event] = []

    async def together(said: str, all_here: asyncio.Event) -> web.Response:
        arrived.append(said)
        if len(arrived) == count:
            all_here.set()
        await all_here.wait()
        return web.json_response({"choices": [{"message": {"role": "assistant", "content": said}}]})

    def answer(request: web.Request, body: dict) -> object:
        events[:] = events or [asyncio.Event()]
        return together(body["messages"][-1]["content"], events[0])

    async def one(session: aiohttp.ClientSession, base: str, number: int) -> bool:
        async with session.post(base + CHAT, data=_ask(f"canary-{number}"), headers=_JSON) as response:
            return response.status == 200 and f'"canary-{number}"' in await response.text()

    async def run(base: str) -> list[bool]:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            return await asyncio.gather(*(one(session, base, number) for number in range(count)))

    with governed(tmp_path, answer, "--timeout", "20") as served:
        assert all(asyncio.run(run(served.base)))


def test_answers_never_cross(up: Served) -> None:
    """Many at once, each with a canary of its own."""

    async def one(session: aiohttp.ClientSession, number: int) -> bool:
        canary = f"canary-{number:06}"
        async with session.post(up.base + CHAT, data=_ask(canary, stream=number % 2 == 0), headers=_JSON) as response:
            text = await response.text()
        return canary in text and text.count("canary-") == 1

    async def run() -> list[bool]:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=100)) as session:
            return await asyncio.gather(*(one(session, number) for number in range(500)))

    assert all(asyncio.run(run()))
