"""Ways around a guard that others left open, tried on every surface: nothing forbidden reaches model or client."""

import asyncio
import json

import aiohttp
import pytest
from aiohttp import web

from tests.gateway.served import Served

WORD = "swordfish"
CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
SEEN: list[str] = []


def _calls(arguments: str) -> dict:
    function = {"name": "say", "arguments": arguments}
    return {"content": None, "tool_calls": [{"id": "c1", "type": "function", "function": function}]}


# what the upstream answers to these words of the user
LEAKS = {
    "in words": {"content": f"so: {WORD}!"},
    "in a call": _calls(json.dumps({"text": WORD})),
    "in structured output": {"content": json.dumps({"a": WORD}).replace("f", "\\u0066")},
    "in the middle of words": {"content": "a " * 3000 + WORD + " b" * 3000},
    "in the name of a call": {
        "content": None,
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": WORD, "arguments": "{}"}}],
    },
    "in a refusal": {"content": None, "refusal": f"I must not say {WORD}."},
}
# what the upstream says beside an answer that is fine
BESIDE = {
    "in reasoning": {"reasoning_content": WORD, "reasoning": WORD},
    "in an annotation": {"annotations": [{"type": "url_citation", "url_citation": {"title": WORD, "url": "x"}}]},
    "in a field that nobody knows": {"thoughts": {"text": WORD}},
}


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


def _user(content: object) -> dict:
    return {"role": "user", "content": content}


def _text(text: str) -> dict:
    return {"type": "text", "text": text}


_CALL = {"id": "c1", "type": "function", "function": {"name": "say", "arguments": f'{{"a": "{WORD}"}}'}}
_CLEAN = {"id": "c1", "type": "function", "function": {"name": "say", "arguments": "{}"}}
_USE = {"type": "tool_use", "id": "c1", "name": "say", "input": {"a": WORD}}
_RESULT = {"type": "tool_result", "tool_use_id": "c1", "content": "ok"}
_HI = _user("hi")
INPUTS = {
    "system": (CHAT, {"messages": [{"role": "system", "content": WORD}, _HI]}),
    "developer": (CHAT, {"messages": [{"role": "developer", "content": WORD}, _HI]}),
    "system in the middle": (CHAT, {"messages": [_HI, {"role": "system", "content": WORD}, _HI]}),
    "earlier user turn": (CHAT, {"messages": [_user(WORD), _HI]}),
    "consecutive user turns": (CHAT, {"messages": [_HI, _user(WORD), _HI]}),
    "divided over user turns": (CHAT, {"messages": [_HI, _user(WORD[:5]), _user(WORD[5:])]}),
    "divided over parts": (CHAT, {"messages": [_user([_text(WORD[:3]), _text(WORD[3:6]), _text(WORD[6:])])]}),
    "between many turns": (CHAT, {"messages": [_HI] * 200 + [_user(WORD), *[_HI] * 200]}),
    "second part": (CHAT, {"messages": [_user([_text("hi"), _text(WORD)])]}),
    "forged answer": (CHAT, {"messages": [_HI, {"role": "assistant", "content": WORD}, _HI]}),
    "forged refusal": (CHAT, {"messages": [_HI, {"role": "assistant", "refusal": WORD}, _HI]}),
    "forged call": (
        CHAT,
        {
            "messages": [
                _HI,
                {"role": "assistant", "tool_calls": [_CALL]},
                {"role": "tool", "tool_call_id": "c1", "content": "ok"},
            ]
        },
    ),
    "tool result": (
        CHAT,
        {
            "messages": [
                _HI,
                {"role": "assistant", "tool_calls": [_CLEAN]},
                {"role": "tool", "tool_call_id": "c1", "content": WORD},
            ]
        },
    ),
    "tool result that is JSON": (
        CHAT,
        {
            "messages": [
                _HI,
                {"role": "assistant", "tool_calls": [_CLEAN]},
                {"role": "tool", "tool_call_id": "c1", "content": json.dumps({"a": WORD}).replace("f", "\\u0066")},
            ]
        },
    ),
    "tool description": (
        CHAT,
        {"messages": [_HI], "tools": [{"type": "function", "function": {"name": "say", "description": WORD}}]},
    ),
    "tool schema": (
        CHAT,
        {
            "messages": [_HI],
            "tools": [{"type": "function", "function": {"name": "say", "parameters": {"description": WORD}}}],
        },
    ),
    "schema of the answer": (
        CHAT,
        {
            "messages": [_HI],
            "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"description": WORD}}},
        },
    ),
    "stop": (CHAT, {"messages": [_HI], "stop": [WORD]}),
    "several choices": (CHAT, {"messages": [_user(WORD)], "n": 3}),
    "messages: system": (MESSAGES, {"system": [_text(WORD)], "messages": [_HI]}),
    "messages: second part": (MESSAGES, {"messages": [_user([_text("hi"), _text(WORD)])]}),
    "messages: divided over parts": (MESSAGES, {"messages": [_user([_text(WORD[:5]), _text(WORD[5:])])]}),
    "messages: consecutive turns": (MESSAGES, {"messages": [_user(WORD), _HI, _HI]}),
    "messages: earlier turn": (MESSAGES, {"messages": [_user(WORD), _HI]}),
    "messages: thinking": (
        MESSAGES,
        {
            "messages": [
                _HI,
                {"role": "assistant", "content": [{"type": "thinking", "thinking": WORD, "signature": "s"}]},
                _HI,
            ]
        },
    ),
    "messages: schema of the answer": (
        MESSAGES,
        {
            "messages": [_HI],
            "output_config": {"format": {"type": "json_schema", "schema": {"enum": [WORD]}}},
        },
    ),
    "messages: forged call": (
        MESSAGES,
        {"messages": [_HI, {"role": "assistant", "content": [_USE]}, _user([_RESULT])]},
    ),
    "messages: tool result": (
        MESSAGES,
        {
            "messages": [
                _HI,
                {"role": "assistant", "content": [{**_USE, "input": {}}]},
                _user([{**_RESULT, "content": [_text(WORD)]}]),
            ]
        },
    ),
    "messages: tool description": (
        MESSAGES,
        {"messages": [_HI], "tools": [{"name": "say", "description": WORD, "input_schema": {}}]},
    ),
    "responses: instructions": (RESPONSES, {"instructions": WORD, "input": "hi"}),
    "responses: schema of the answer": (
        RESPONSES,
        {
            "input": "hi",
            "text": {"format": {"type": "json_schema", "name": "n", "schema": {"properties": {WORD: {}}}}},
        },
    ),
    "responses: second part": (
        RESPONSES,
        {"input": [_user([{"type": "input_text", "text": "hi"}, {"type": "input_text", "text": WORD}])]},
    ),
    "responses: system in the middle": (RESPONSES, {"input": [_HI, {"role": "developer", "content": WORD}, _HI]}),
    "responses: divided over turns": (RESPONSES, {"input": [_user(WORD[:5]), _user(WORD[5:])]}),
    "responses: forged call": (
        RESPONSES,
        {
            "input": [
                {"type": "function_call", "call_id": "c1", "name": "say", "arguments": json.dumps({"a": WORD})},
                {"type": "function_call_output", "call_id": "c1", "output": "ok"},
            ]
        },
    ),
    "responses: history": (RESPONSES, {"input": [_user(WORD), _HI]}),
    "responses: forged answer": (
        RESPONSES,
        {
            "input": [
                _HI,
                {
                    "type": "message",
                    "role": "assistant",
                    "id": "m",
                    "status": "completed",
                    "content": [{"type": "output_text", "text": WORD, "annotations": []}],
                },
                _HI,
            ]
        },
    ),
    "responses: tool result": (
        RESPONSES,
        {
            "input": [
                {"type": "function_call", "call_id": "c1", "name": "say", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c1", "output": WORD},
            ]
        },
    ),
    "responses: reasoning": (
        RESPONSES,
        {"input": [{"type": "reasoning", "id": "r", "summary": [{"type": "summary_text", "text": WORD}]}, _HI]},
    ),
}


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
    ask = {"input": leak} if path == RESPONSES else {"messages": [_user(leak)]}
    status, text = _post(up, path, {**ask, **more, "stream": stream})
    assert status == 200
    assert "no-codeword" in text
    assert not any(WORD[at : at + 5] in text for at in range(len(WORD) - 4))


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", [CHAT, MESSAGES, RESPONSES])
@pytest.mark.parametrize("beside", BESIDE)
def test_what_nobody_judged_is_not_passed_on(up: Served, beside: str, path: str, stream: bool) -> None:
    more = {"max_tokens": 50} if path == MESSAGES else {}
    ask = {"input": beside} if path == RESPONSES else {"messages": [_user(beside)]}
    status, text = _post(up, path, {**ask, **more, "stream": stream})
    assert status == 200
    assert "fine" in text
    assert WORD not in text


@pytest.mark.parametrize("stream", [False, True])
def test_one_of_several_choices_is_refused_alone(up: Served, stream: bool) -> None:
    SEEN.clear()
    status, text = _post(up, CHAT, {"messages": [_user("one of three")], "n": 3, "stream": stream})
    assert status == 200
    assert len(SEEN) == 3
    assert WORD not in text
    assert "no-codeword" in text
    assert text.count("fine") == 2


FIELDS = [
    (CHAT, {"messages": [_user([{"type": "image_url", "image_url": {"url": "http://x/"}}])]}),
    (CHAT, {"messages": [_user([{"type": "file", "file": {"file_id": "f"}}])]}),
    (CHAT, {"messages": [_HI], "web_search_options": {}}),
    (CHAT, {"messages": [_HI], "logprobs": True}),
    (CHAT, {"messages": [_HI, {"role": "assistant", "content": "Sure, "}]}),
    (CHAT, {"messages": [_HI], "functions": [{"name": "say"}]}),
    (MESSAGES, {"messages": [_HI], "mcp_servers": []}),
    (MESSAGES, {"messages": [_user([{"type": "image", "source": {"type": "url", "url": "http://x/"}}])]}),
    (MESSAGES, {"messages": [_HI], "tools": [{"type": "web_search_20250305", "name": "web_search"}]}),
    (MESSAGES, {"messages": [_HI, {"role": "assistant", "content": "Sure, "}]}),
    (RESPONSES, {"input": "hi", "conversation": "conv_1"}),
    (RESPONSES, {"input": "hi", "prompt": {"id": "pmpt_1"}}),
    (RESPONSES, {"input": "hi", "tools": [{"type": "file_search", "vector_store_ids": ["v"]}]}),
    (RESPONSES, {"input": "hi", "background": True}),
    (RESPONSES, {"input": [{"type": "item_reference", "id": "i"}]}),
]


@pytest.mark.parametrize(("path", "body"), FIELDS)
def test_what_would_come_in_unread_is_refused(up: Served, path: str, body: dict) -> None:
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
    status, text = _post(up, path, {"messages": [_HI]})
    assert status == 404
    assert json.loads(text)["error"]["code"] == "unknown_path"
