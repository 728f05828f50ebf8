"""Each vendor's wire format against a real server that the test starts: what is sent, what is read, what goes wrong."""

import asyncio
import time
from collections.abc import Mapping

import pytest
from aiohttp import web

from lawspeaker.errors import ModelError, RejectedError
from lawspeaker.exchange import Message, Reasoning, Text, ToolCall, ToolResult
from lawspeaker.models.address import open_model
from lawspeaker.models.base import PLAIN, Completion, Form, Sampling, Terms, Tool, Usage
from lawspeaker.models.wire import NotTakenError
from tests.models.served import Answer, cut, says, served

KEY = "k-0123456789abcdef"
TALK = (
    Message("system", (Text("be brief"),)),
    Message("user", (Text("look"),)),
    Message("assistant", (Reasoning("not for others"), Text("I look."), ToolCall("list", '{"all": true}', "c1"))),
    Message("tool", (ToolResult("a b", "c1"),)),
    Message("user", (Text("and now?"),)),
)
TOOL = Tool("list", "what is there", {"type": "object"})
WIRES = ("BASE#m", "openai:m", "openai-responses:m", "anthropic:m", "gemini:m")


def _environment(base: str) -> dict[str, str]:
    root = base.removesuffix("/v1")
    return {
        "LAWSPEAKER_MODEL_KEY": KEY,
        **{f"{vendor}_API_KEY": KEY for vendor in ("OPENAI", "ANTHROPIC", "GEMINI")},
        **{"OPENAI_BASE_URL": base, "ANTHROPIC_BASE_URL": root, "GOOGLE_GEMINI_BASE_URL": root},
    }


def _ask(
    address: str,
    answer: Answer,
    terms: Terms = PLAIN,
    timeout: float = 5.0,
    talk: tuple[Message, ...] = TALK,
) -> Completion:
    async def run() -> Completion:
        async with served(answer) as base:
            model = open_model(address.replace("BASE", base), _environment(base))
            try:
                sampling = Sampling(temperature=0.5, max_tokens=9, timeout=timeout)
                return await model.complete(talk, sampling, terms)
            finally:
                await model.close()

    return asyncio.run(run())


def _good(request: web.Request, body: dict) -> web.Response:
    """An answer in the form that the path asks for."""
    if request.path.endswith("/responses"):
        item = {"type": "message", "content": [{"type": "output_text", "text": "hi"}]}
        return web.json_response({"status": "completed", "output": [item]})
    if request.path.endswith("/messages"):
        return web.json_response({"content": [{"type": "text", "text": "hi"}], "stop_reason": "end_turn"})
    return says("hi")


def test_messages_are_spoken_to_anthropic() -> None:
    seen = {}

    def answer(request: web.Request, body: dict) -> web.Response:
        headers = {name: request.headers.get(name) for name in ("x-api-key", "anthropic-version", "authorization")}
        seen.update(body, path=request.path, **headers)
        blocks = [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "text", "text": "I look again."},
            {"type": "tool_use", "id": "t1", "name": "list", "input": {"all": False}},
        ]
        usage = {"input_tokens": 7, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 1, "output_tokens": 4}
        return web.json_response({"content": blocks, "stop_reason": "tool_use", "usage": usage})

    said = _ask("anthropic:m", answer, Terms(tools=(TOOL,)))
    assert (seen["path"], seen["x-api-key"], seen["authorization"]) == ("/v1/messages", KEY, None)
    assert seen["anthropic-version"] == "2023-06-01"
    assert (seen["system"], seen["max_tokens"], seen["temperature"]) == ("be brief", 9, 0.5)
    assert seen["tools"] == [{"name": "list", "description": "what is there", "input_schema": {"type": "object"}}]
    use = {"type": "tool_use", "id": "c1", "name": "list", "input": {"all": True}}
    result = {"type": "tool_result", "tool_use_id": "c1", "content": "a b"}
    assert seen["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "look"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "I look."}, use]},
        {"role": "user", "content": [result, {"type": "text", "text": "and now?"}]},
    ]
    assert (said.text, said.finish, said.usage) == ("I look again.", "tool_calls", Usage(13, 4))
    (call,) = said.tool_calls
    assert (call.name, call.id, call.text.replace(" ", "")) == ("list", "t1", '{"all":false}')


def test_responses_are_spoken_to_openai() -> None:
    seen = {}

    def answer(request: web.Request, body: dict) -> web.Response:
        seen.update(body, path=request.path, authorization=request.headers["Authorization"])
        output = [
            {"type": "reasoning", "summary": []},
            {"type": "message", "content": [{"type": "output_text", "text": "I look again."}]},
            {"type": "function_call", "call_id": "t1", "name": "list", "arguments": '{"all":  false}'},
        ]
        usage = {"input_tokens": 7, "output_tokens": 4, "output_tokens_details": {"reasoning_tokens": 2}}
        return web.json_response({"status": "completed", "error": None, "output": output, "usage": usage})

    said = _ask("openai-responses:m", answer, Terms(tools=(TOOL,)))
    assert (seen["path"], seen["authorization"], seen["store"]) == ("/v1/responses", f"Bearer {KEY}", False)
    assert (seen["max_output_tokens"], seen["temperature"]) == (9, 0.5)
    assert seen["tools"][0] | {"parameters": None} == {
        "type": "function", "name": "list", "description": "what is there", "parameters": None,
    }  # fmt: skip
    assert seen["input"] == [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "look"},
        {"role": "assistant", "content": "I look."},
        {"type": "function_call", "call_id": "c1", "name": "list", "arguments": '{"all": true}'},
        {"type": "function_call_output", "call_id": "c1", "output": "a b"},
        {"role": "user", "content": "and now?"},
    ]
    assert (said.text, said.finish, said.usage) == ("I look again.", "tool_calls", Usage(7, 4))
    assert said.tool_calls == (ToolCall("list", '{"all":  false}', "t1"),)


SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}}
_NAMED = {"type": "function", "function": {"name": "list"}}
_WORDS = {
    "chat": {
        "choice": {"tool_choice": "required"},
        "named": {"tool_choice": _NAMED},
        "none": {"tool_choice": "none"},
        "parallel": {"parallel_tool_calls": False},
        "form": {
            "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA, "strict": True}}
        },
        "object": {"response_format": {"type": "json_object"}},
        "stop": {"stop": ["END"]},
        "top_p": {"top_p": 0.5},
        "presence_penalty": {"presence_penalty": 0.5},
        "frequency_penalty": {"frequency_penalty": 0.5},
        "effort": {"reasoning_effort": "low"},
        "verbosity": {"verbosity": "low"},
    },
    "responses": {
        "choice": {"tool_choice": "required"},
        "named": {"tool_choice": {"type": "function", "name": "list"}},
        "none": {"tool_choice": "none"},
        "parallel": {"parallel_tool_calls": False},
        "form": {"text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True}}},
        "object": {"text": {"format": {"type": "json_object"}}},
        "top_p": {"top_p": 0.5},
        "effort": {"reasoning": {"effort": "low"}},
        "verbosity": {"text": {"verbosity": "low"}},
    },
    "messages": {
        "choice": {"tool_choice": {"type": "any"}},
        "named": {"tool_choice": {"type": "tool", "name": "list"}},
        "none": {"tool_choice": {"type": "none"}},
        "parallel": {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        "form": {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
        "stop": {"stop_sequences": ["END"]},
        "top_p": {"top_p": 0.5},
        "top_k": {"top_k": 5},
        "effort": {"output_config": {"effort": "low"}},
    },
}
TERMS = {
    "choice": Terms(choice="required", tools=(TOOL,)),
    "named": Terms(choice="required", named="list", tools=(TOOL,)),
    "none": Terms(choice="none", tools=(TOOL,)),
    "parallel": Terms(parallel=False, tools=(TOOL,)),
    "form": Terms(form=Form("n", SCHEMA, strict=True)),
    "object": Terms(form=Form()),
    "stop": Terms(stop=("END",)),
    "top_p": Terms(top_p=0.5),
    "top_k": Terms(top_k=5),
    "presence_penalty": Terms(presence_penalty=0.5),
    "frequency_penalty": Terms(frequency_penalty=0.5),
    "effort": Terms(effort="low"),
    "verbosity": Terms(verbosity="low"),
}
FORMS = [("BASE#m", "chat"), ("gemini:m", "chat"), ("openai-responses:m", "responses"), ("anthropic:m", "messages")]


@pytest.mark.parametrize(("address", "form"), FORMS)
def test_terms_are_said_in_the_words_of_each_form(address: str, form: str) -> None:
    seen: list[dict] = []
    for name, wanted in _WORDS[form].items():
        _ask(address, lambda r, b: seen.append(b) or _good(r, b), TERMS[name])
        assert {field: seen[-1].get(field) for field in wanted} == wanted
    names = {field for said in _WORDS[form].values() for field in said}
    _ask(address, lambda r, b: seen.append(b) or _good(r, b))
    assert not names & set(seen[-1])


@pytest.mark.parametrize(("address", "form"), FORMS)
def test_a_model_takes_what_its_form_has_words_for(address: str, form: str) -> None:
    takes = open_model(address.replace("BASE", "http://127.0.0.1:1/v1"), _environment("http://127.0.0.1:1/v1")).takes
    for name, terms in TERMS.items():
        if name != "object":  # JSON of any kind: Messages says so when it is asked
            assert (terms.asked <= takes) == (name in _WORDS[form])


@pytest.mark.parametrize(
    ("status", "error", "parameter"),
    [
        (400, {"message": "Unsupported parameter: 'stop'", "param": "stop", "code": "unsupported_parameter"}, "stop"),
        (400, {"message": "stop is not supported with this model"}, "stop"),
        (400, {"message": "too long", "code": "context_length_exceeded"}, None),
        (422, {"message": "no"}, None),
    ],
)
def test_what_a_server_rejects_is_told_apart(status: int, error: Mapping[str, object], parameter: str | None) -> None:
    tries = []
    with pytest.raises(RejectedError) as told:
        _ask(
            "BASE#m", lambda r, b: tries.append(b) or web.json_response({"error": error}, status=status), TERMS["stop"]
        )
    assert getattr(told.value, "parameter", None) == parameter
    assert len(tries) == 1


def test_messages_has_no_word_for_json_of_any_kind() -> None:
    with pytest.raises(NotTakenError):
        _ask("anthropic:m", _good, TERMS["object"])


def test_gemini_is_asked_at_its_compatible_endpoint() -> None:
    seen = {}

    def answer(request: web.Request, body: dict) -> web.Response:
        seen.update(path=request.path, authorization=request.headers["Authorization"])
        return says("hi")

    assert _ask("gemini:m", answer).text == "hi"
    assert seen == {"path": "/v1beta/openai/chat/completions", "authorization": f"Bearer {KEY}"}


def _incomplete(reason: str, text: str) -> web.Response:
    content = [{"type": "output_text", "text": text}] if text else []
    output = [{"type": "message", "content": content}]
    return web.json_response({"status": "incomplete", "incomplete_details": {"reason": reason}, "output": output})


def _stopped(reason: str, text: str) -> web.Response:
    return web.json_response({"content": [{"type": "text", "text": text}] if text else [], "stop_reason": reason})


@pytest.mark.parametrize(
    ("address", "answer", "finish"),
    [
        ("openai-responses:m", lambda r, b: _incomplete("max_output_tokens", "half"), "length"),
        ("openai-responses:m", lambda r, b: _incomplete("content_filter", "half"), "refused"),
        ("anthropic:m", lambda r, b: _stopped("max_tokens", "half"), "length"),
        ("anthropic:m", lambda r, b: _stopped("refusal", "half"), "refused"),
        ("anthropic:m", lambda r, b: _stopped("stop_sequence", "half"), "stop"),
    ],
)
def test_how_an_answer_ended(address: str, answer: Answer, finish: str) -> None:
    assert _ask(address, answer).finish == finish


@pytest.mark.parametrize(
    ("address", "answer", "words"),
    [
        ("openai-responses:m", lambda r, b: _incomplete("max_output_tokens", ""), "its 9 tokens were spent"),
        ("openai-responses:m", lambda r, b: web.json_response({"choices": []}), "did not answer in Responses JSON"),
        (
            "openai-responses:m",
            lambda r, b: web.json_response({"status": "failed", "error": {"message": "no\nluck"}, "output": []}),
            "failed: no luck",
        ),
        ("anthropic:m", lambda r, b: _stopped("max_tokens", ""), "its 9 tokens were spent"),
        ("anthropic:m", lambda r, b: _stopped("end_turn", ""), "the answer is empty (finish reason end_turn)"),
        ("anthropic:m", lambda r, b: says("hi"), "did not answer in Messages JSON"),
    ],
)
def test_bad_answers(address: str, answer: Answer, words: str) -> None:
    with pytest.raises(ModelError) as error:
        _ask(address, answer)
    assert str(error.value).startswith(f"{address}: ")
    assert words in str(error.value)


@pytest.mark.parametrize("address", WIRES)
def test_a_cut_connection_is_no_answer_and_is_not_asked_again(address: str) -> None:
    tries = []
    with pytest.raises(ModelError, match="is a model served at"):
        _ask(address, lambda r, b: tries.append(b) or cut(r))
    assert len(tries) == 1


@pytest.mark.parametrize("address", WIRES)
@pytest.mark.parametrize(
    ("status", "tries", "words"),
    [
        (400, 1, "no"),
        (401, 1, "check the key"),
        (404, 1, "check the model's name"),
        (408, 3, "try again later"),
        (409, 1, "no"),
        (429, 3, "have the limit raised"),
        (500, 3, "try again later"),
        (529, 3, "try again later"),
    ],
)
def test_what_is_asked_for_again(address: str, status: int, tries: int, words: str) -> None:
    seen = []

    def answer(request: web.Request, body: dict) -> web.Response:
        seen.append(body)
        error = {"type": "error", "error": {"type": "some_error", "message": f"no, {KEY}"}}
        return web.json_response(error, status=status, headers={"Retry-After": "0"})

    with pytest.raises(ModelError, match=f"HTTP {status}") as error:
        _ask(address, answer)
    assert len(seen) == tries
    assert words in str(error.value)
    assert KEY not in str(error.value)


@pytest.mark.parametrize("address", WIRES)
def test_an_answer_after_a_failure(address: str) -> None:
    seen = []

    def answer(request: web.Request, body: dict) -> web.Response:
        seen.append(body)
        return web.Response(status=503) if len(seen) == 1 else _good(request, body)

    assert _ask(address, answer).text == "hi"
    assert seen[0] == seen[1]


def test_retry_after_is_honoured_within_the_deadline() -> None:
    times = []

    def answer(request: web.Request, body: dict) -> web.Response:
        times.append(time.monotonic())
        return web.Response(status=429, headers={"Retry-After": "0.8"}) if len(times) == 1 else _good(request, body)

    assert _ask("anthropic:m", answer).text == "hi"
    assert times[1] - times[0] >= 0.8


def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    begun = time.monotonic()
    with pytest.raises(ModelError, match="HTTP 429"):
        _ask("anthropic:m", lambda r, b: web.Response(status=429, headers={"Retry-After": "3600"}), timeout=20)
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize("address", ["openai-responses:m", "anthropic:m"])
def test_a_model_that_takes_no_temperature(address: str) -> None:
    seen = []

    def answer(request: web.Request, body: dict) -> web.Response:
        seen.append(body)
        if "temperature" in body:
            return web.json_response({"error": {"message": "temperature is not supported"}}, status=400)
        return _good(request, body)

    assert _ask(address, answer).text == "hi"
    assert ["temperature" in body for body in seen] == [True, False]


def test_arguments_that_are_no_object_still_travel_to_anthropic() -> None:
    seen = {}

    def answer(request: web.Request, body: dict) -> web.Response:
        seen.update(body)
        return _good(request, body)

    _ask("anthropic:m", answer, talk=(Message("user", (Text("a"),)), Message("assistant", (ToolCall("f", "[1"),))))
    assert seen["messages"][1]["content"][0]["input"] == {"text": "[1"}
