"""What is malformed, on every surface: an error in its own form with the right status, and nothing goes further."""

import contextlib
import json
import select
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable

import pytest
from aiohttp import web

from lawspeaker.gateway.body import LARGEST, TOGETHER
from tests.gateway.served import Served
from tests.models.served import says

SEEN: list[dict] = []


def answer(request: web.Request, body: dict) -> web.Response:
    SEEN.append(body)
    if "input" in body:
        data = [{"index": at, "embedding": [1.0]} for at in range(len(body["input"]))]
        return web.json_response({"data": data})
    return says("hello")


def _post(up: Served, path: str, data: bytes) -> tuple[int, dict, bytes]:
    request = urllib.request.Request(up.base + path, data, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, dict(response.headers), response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


GOOD: dict[str, dict] = {
    "/v1/chat/completions": {"model": "tiny", "messages": [{"role": "user", "content": "x"}]},
    "/v1/messages": {"model": "tiny", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]},
    "/v1/messages/count_tokens": {"model": "tiny", "messages": [{"role": "user", "content": "x"}]},
    "/v1/responses": {"model": "tiny", "input": [{"role": "user", "content": "x"}]},
    "/v1/embeddings": {"model": "tiny", "input": ["x"]},
}
ASKING = list(GOOD)
TURNS = {path: "input" if "input" in body else "messages" for path, body in GOOD.items()}


def _with(path: str, **fields: object) -> bytes:
    return json.dumps({**GOOD[path], **fields}).encode()


def _turns(path: str, *turns: object) -> bytes:
    return _with(path, **{TURNS[path]: list(turns)})


def _nested(depth: int) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth


def _schema(path: str, inner: bytes) -> bytes:
    """A body with `inner` as the schema of a tool; embeddings have none, so there it is the input."""
    if path.endswith("embeddings"):
        return _with(path, input="HERE").replace(b'"HERE"', inner)
    forms = {
        "/v1/chat/completions": {"type": "function", "function": {"name": "a", "parameters": "HERE"}},
        "/v1/responses": {"type": "function", "name": "a", "parameters": "HERE"},
    }
    tool = forms.get(path, {"name": "a", "input_schema": "HERE"})
    return _with(path, tools=[tool]).replace(b'"HERE"', inner)


BODIES: dict[str, Callable[[str], bytes]] = {
    "nothing": lambda path: b"",
    "half": lambda path: _with(path)[:-1],
    "more behind it": lambda path: _with(path) + b"{}",
    "a byte order mark": lambda path: b"\xef\xbb\xbf" + _with(path),
    "a list": lambda path: b"[]",
    "a number": lambda path: b"1",
    "null": lambda path: b"null",
    "a comment": lambda path: b"/* x */" + _with(path),
    "single quotes": lambda path: _with(path).replace(b'"', b"'"),
    "no number": lambda path: _with(path, temperature=float("nan")),
    "endless": lambda path: _with(path, temperature="HERE").replace(b'"HERE"', b"1e999"),
    "a very long number": lambda path: _with(path, temperature="HERE").replace(b'"HERE"', b"1" * 5000),
    "bytes that are no text": lambda path: _with(path).replace(b"tiny", b"ti\xff"),
    "an overlong form": lambda path: _with(path).replace(b"tiny", b"ti\xc0\xaf"),
    "half a character": lambda path: _with(path).replace(b"tiny", b"\\ud800"),
    "another encoding": lambda path: _with(path).decode().encode("utf-16"),
    "a name twice": lambda path: _with(path).replace(b'"model"', b'"model": "other", "model"', 1),
    "a name twice, escaped": lambda path: _with(path).replace(b'"model"', b'"mod\\u0065l": "other", "model"', 1),
    "a name twice within": lambda path: _schema(path, b'{"a": 1, "a": 2}'),
    "deep": lambda path: _with(path, **{TURNS[path]: "HERE"}).replace(b'"HERE"', b"[" * 100_000 + b"]" * 100_000),
    "deep in a schema": lambda path: _schema(path, _nested(100_000)),
    "no model": lambda path: json.dumps({TURNS[path]: GOOD[path][TURNS[path]]}).encode(),
    "a model that is none": lambda path: _with(path, model=1),
    "nothing asked": lambda path: _with(path, **{TURNS[path]: []}),
    "turns that are none": lambda path: _turns(path, 1),
    "turns in an object": lambda path: _with(path, **{TURNS[path]: {"role": "user", "content": "x"}}),
    "10,000 turns": lambda path: _turns(path, *[{"role": "user", "content": "x"}] * 10_000),
    "an unknown role": lambda path: _turns(path, {"role": "root", "content": "x"}),
    "no role": lambda path: _turns(path, {"content": "x"}),
    "no content": lambda path: _turns(path, {"role": "user"}),
    "content that is a number": lambda path: _turns(path, {"role": "user", "content": 1}),
    "an unknown kind of content": lambda path: _turns(path, {"role": "user", "content": [{"type": "video"}]}),
    "an unknown field": lambda path: _with(path, file="f"),
    "an unknown field of a turn": lambda path: _turns(path, {"role": "user", "content": "x", "file": "f"}),
}


@pytest.mark.parametrize("path", ASKING)
@pytest.mark.parametrize("name", BODIES)
def test_a_body_is_refused_in_the_form_of_its_surface(up: Served, name: str, path: str) -> None:
    SEEN.clear()
    status, headers, body = _post(up, path, BODIES[name](path))
    assert (status, headers["x-should-retry"]) == (400, "false"), body
    told = json.loads(body)
    assert told["error"]["message"]
    assert told["error"]["type"] == "invalid_request_error"
    assert ("param" in told["error"]) != path.startswith("/v1/messages")
    assert (told.get("type") == "error") == path.startswith("/v1/messages")
    assert len(body) < 1000
    assert b"Traceback" not in body
    assert not SEEN


WRONG = ("1", [], {}, -1, 1.5, 10**30, True)
FIELDS = {
    "/v1/chat/completions": (
        "max_tokens", "max_completion_tokens", "temperature", "seed", "n", "stream", "stream_options", "logprobs",
        "tools", "tool_choice", "parallel_tool_calls", "response_format", "stop", "top_p", "presence_penalty",
        "reasoning_effort",
    ),
    "/v1/messages": (
        "max_tokens", "temperature", "stream", "system", "tools", "tool_choice", "thinking", "output_config",
        "metadata", "stop_sequences", "top_p", "top_k",
    ),
    "/v1/responses": (
        "max_output_tokens", "temperature", "stream", "instructions", "store", "tools", "tool_choice", "text", "top_p",
        "parallel_tool_calls", "reasoning", "previous_response_id",
    ),
    "/v1/embeddings": ("encoding_format", "dimensions", "user"),
}  # fmt: skip


@pytest.mark.parametrize(("path", "field"), [(path, field) for path, fields in FIELDS.items() for field in fields])
def test_a_field_of_another_type_is_a_mistake_and_no_fault_of_ours(up: Served, path: str, field: str) -> None:
    """Some of these values are right for some fields; none is answered by a status that says that we failed."""
    for value in WRONG:
        status, headers, body = _post(up, path, _with(path, **{field: value}))
        assert status in (200, 400), (value, body)
        if status == 400:
            assert headers["x-should-retry"] == "false"
            assert json.loads(body)["error"]["message"]


@pytest.mark.parametrize("depth", [100, 400, 900])
@pytest.mark.parametrize("path", ASKING)
def test_nesting_that_is_borne_is_borne_throughout(up: Served, path: str, depth: int) -> None:
    """Where the parser takes it, nothing after it breaks: an answer, or a refusal of the client's making."""
    status, headers, body = _post(up, path, _schema(path, _nested(depth)))
    assert status in (200, 400), body
    assert (status == 400) == ("x-should-retry" in headers)


@pytest.mark.parametrize("path", ASKING)
def test_a_model_cannot_write_headers(up: Served, path: str) -> None:
    for model in ("tiny\r\nx-evil: 1", "tiny\n", "\x00", "a" * 100_000):
        status, headers, body = _post(up, path, _with(path, model=model))
        assert status == 404
        assert "x-evil" not in headers
        assert len(body) < 1000


def test_a_path_cannot_write_headers(up: Served) -> None:
    for path in ("/v1/decisions/%0d%0ax-evil:1", "/v1/%0d%0ax-evil:%201", "/v1/chat/completions%00"):
        status, headers, _ = _post(up, path, b"{}")
        assert status in (404, 405)
        assert "x-evil" not in headers


LINES = {
    "a line end in a value": b"x-a: 1\r\n x-evil: 1\r\n",
    "a bare line feed": b"x-a: 1\nx-evil: 1\r\n",
    "a zero byte": b"x-a: \x00\r\n",
    "a space before the colon": b"content-length : 2\r\n",
    "two lengths": b"content-length: 2\r\ncontent-length: 50\r\n",
    "a length and chunks": b"content-length: 2\r\ntransfer-encoding: chunked\r\n",
    "a length that is none": b"content-length: -2\r\n",
    "two keys": b"authorization: Bearer a\r\nauthorization: Bearer b\r\n",
    "no colon": b"x-evil\r\n",
}


@pytest.mark.parametrize("name", LINES)
def test_heads_that_two_readers_could_read_in_two_ways(up: Served, name: str) -> None:
    """Refused, or read as nothing more than one head: never a second answer on the same connection."""
    SEEN.clear()
    host, port = up.base.removeprefix("http://").split(":")
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n"
    head += b"content-type: application/json\r\n"
    with socket.create_connection((host, int(port)), timeout=30) as peer:
        peer.sendall(head + LINES[name] + b"\r\n{}GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
        peer.shutdown(socket.SHUT_WR)
        said = b""
        while more := peer.recv(65536):
            said += more
    assert said.count(b"HTTP/1.1 ") <= 1
    assert not said or said.split()[1] in (b"400", b"415")
    assert b"x-evil" not in said
    assert not SEEN


def test_what_is_in_hand_is_bounded_together(up: Served) -> None:
    """Bodies that nobody ends take the room of others until they are hung up on, and no more memory than that."""
    host, port = up.base.removeprefix("http://").split(":")
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    piece, peers = b" " * (LARGEST - 1), []
    with contextlib.ExitStack() as stack:
        for _ in range(TOGETHER // LARGEST + 3):
            peer = stack.enter_context(socket.create_connection((host, int(port)), timeout=30))
            peer.sendall(head + b"content-length: %d\r\n\r\n" % LARGEST)
            with contextlib.suppress(ConnectionError):  # who is refused is not heard to the end
                peer.sendall(piece)
            peers.append(peer)
        ready, _, _ = select.select(peers, [], [], 20)
        said = ready[0].recv(65536)
        assert said.startswith(b"HTTP/1.1 429 ")
        assert b"x-should-retry" not in said
        assert b"no_room" in said
    for _ in range(100):
        status, _, _ = _post(up, "/v1/chat/completions", _with("/v1/chat/completions", user="x" * 1_000_000))
        if status == 200:
            return
        time.sleep(0.1)
    raise AssertionError("the room was not given back")
