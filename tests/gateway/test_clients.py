"""The vendors' own clients, unchanged, against a served gateway."""

import json
import os
import subprocess
import sys

import anthropic
import openai
import pytest
from aiohttp import web
from langchain_anthropic import ChatAnthropic
from langchain_openai import ChatOpenAI

from tests.gateway.served import Served

TOOL = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
LONG = "word " * 300
HELLO = [{"role": "user", "content": "hello"}]


def answer(request: web.Request, body: dict) -> web.Response:
    """What the upstream says goes by the last message."""
    last = body["messages"][-1]
    text = last["content"]
    message: dict = {"role": "assistant", "content": {"long": LONG}.get(text, text)}
    finish = "stop"
    if body.get("tools") and last["role"] == "user":
        function = {"name": "weather", "arguments": json.dumps({"city": text})}
        message = {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
        }
        finish = "tool_calls"
    usage = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
    return web.json_response({"choices": [{"message": message, "finish_reason": finish}], "usage": usage})


@pytest.mark.client("openai-python, Chat Completions")
class TestOpenAIChat:
    def test_answer_and_usage(self, oai: openai.OpenAI) -> None:
        raw = oai.chat.completions.with_raw_response.create(model="tiny", messages=HELLO)
        said = raw.parse()
        assert said.choices[0].message.content == "hello"
        assert said.choices[0].finish_reason == "stop"
        assert (said.usage.prompt_tokens, said.usage.completion_tokens) == (7, 5)
        assert said.id == f"chatcmpl-{raw.headers['x-lawspeaker-decision']}"

    def test_stream(self, oai: openai.OpenAI) -> None:
        stream = oai.chat.completions.create(
            model="tiny",
            messages=[{"role": "user", "content": "long"}],
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks = list(stream)
        assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == LONG
        assert chunks[-2].choices[0].finish_reason == "stop"
        assert chunks[-1].usage.total_tokens == 12

    def test_tools(self, oai: openai.OpenAI) -> None:
        tools = [{"type": "function", "function": {"name": "weather", "parameters": TOOL}}]
        ask = {"role": "user", "content": "Oslo"}
        said = oai.chat.completions.create(model="tiny", messages=[ask], tools=tools).choices[0]
        call = said.message.tool_calls[0]
        assert said.finish_reason == "tool_calls"
        assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {"city": "Oslo"})
        turns = [ask, said.message, {"role": "tool", "tool_call_id": call.id, "content": "rain"}]
        assert (
            oai.chat.completions.create(model="tiny", messages=turns, tools=tools).choices[0].message.content == "rain"
        )

    def test_streamed_tools(self, oai: openai.OpenAI) -> None:
        tools = [{"type": "function", "function": {"name": "weather", "parameters": TOOL}}]
        with oai.chat.completions.stream(
            model="tiny", messages=[{"role": "user", "content": "Oslo"}], tools=tools
        ) as stream:
            call = stream.get_final_completion().choices[0].message.tool_calls[0]
        assert json.loads(call.function.arguments) == {"city": "Oslo"}

    def test_refusal_is_an_answer(self, oai: openai.OpenAI) -> None:
        said = oai.chat.completions.create(
            model="tiny", messages=[{"role": "user", "content": "say swordfish"}]
        ).choices[0]
        assert said.finish_reason == "content_filter"
        assert said.message.content is None
        assert "no-codeword" in said.message.refusal
        assert "swordfish" not in said.message.refusal

    def test_streamed_refusal(self, oai: openai.OpenAI) -> None:
        with oai.chat.completions.stream(model="tiny", messages=[{"role": "user", "content": "swordfish"}]) as stream:
            events = list(stream)
        assert "no-codeword" in "".join(e.delta for e in events if e.type == "refusal.delta")

    def test_redaction(self, oai: openai.OpenAI) -> None:
        said = oai.chat.completions.create(model="tiny", messages=[{"role": "user", "content": "ACC-123456"}])
        assert said.choices[0].message.content == "[redacted: no-number]"

    def test_several_choices(self, oai: openai.OpenAI) -> None:
        raw = oai.chat.completions.with_raw_response.create(model="tiny", messages=HELLO, n=3)
        assert [c.message.content for c in raw.parse().choices] == ["hello"] * 3
        assert len(set(raw.headers["x-lawspeaker-decision"].split(","))) == 3

    def test_errors_are_native_and_not_retried(self, oai: openai.OpenAI) -> None:
        with pytest.raises(openai.NotFoundError) as unknown:
            oai.chat.completions.create(model="other", messages=HELLO)
        assert unknown.value.code == "model_not_found"
        assert unknown.value.response.headers["x-should-retry"] == "false"
        with pytest.raises(openai.BadRequestError) as field:
            oai.chat.completions.create(model="tiny", messages=HELLO, extra_body={"prompt": {"id": "pmpt_1"}})
        assert field.value.param == "prompt"

    def test_models(self, oai: openai.OpenAI) -> None:
        assert [model.id for model in oai.models.list()] == ["tiny"]


@pytest.mark.client("openai-python, Responses")
class TestOpenAIResponses:
    def test_answer_and_usage(self, oai: openai.OpenAI) -> None:
        said = oai.responses.create(model="tiny", input="hello")
        assert (said.output_text, said.status, said.usage.total_tokens) == ("hello", "completed", 12)

    def test_stream(self, oai: openai.OpenAI) -> None:
        with oai.responses.stream(model="tiny", input="long") as stream:
            events = list(stream)
            assert stream.get_final_response().output_text == LONG
        assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == LONG
        assert [e.sequence_number for e in events] == list(range(len(events)))

    def test_tools(self, oai: openai.OpenAI) -> None:
        tools = [{"type": "function", "name": "weather", "parameters": TOOL, "strict": True}]
        call = oai.responses.create(model="tiny", input="Oslo", tools=tools).output[0]
        assert (call.type, json.loads(call.arguments)) == ("function_call", {"city": "Oslo"})
        turns = [
            {"role": "user", "content": "Oslo"},
            call,
            {"type": "function_call_output", "call_id": call.call_id, "output": "rain"},
        ]
        assert oai.responses.create(model="tiny", input=turns, tools=tools).output_text == "rain"

    def test_streamed_tools(self, oai: openai.OpenAI) -> None:
        tools = [{"type": "function", "name": "weather", "parameters": TOOL, "strict": True}]
        with oai.responses.stream(model="tiny", input="Oslo", tools=tools) as stream:
            list(stream)
            assert json.loads(stream.get_final_response().output[0].arguments) == {"city": "Oslo"}

    def test_refusal_is_an_answer(self, oai: openai.OpenAI) -> None:
        part = oai.responses.create(model="tiny", input="swordfish").output[0].content[0]
        assert part.type == "refusal"
        assert "no-codeword" in part.refusal

    def test_streamed_refusal(self, oai: openai.OpenAI) -> None:
        with oai.responses.stream(model="tiny", input="swordfish") as stream:
            events = list(stream)
        assert "no-codeword" in "".join(e.delta for e in events if e.type == "response.refusal.delta")

    def test_errors_are_native_and_not_retried(self, oai: openai.OpenAI) -> None:
        with pytest.raises(openai.BadRequestError) as history:
            oai.responses.create(model="tiny", input="hello", previous_response_id="resp_1")
        assert history.value.param == "previous_response_id"


@pytest.mark.client("anthropic-python, Messages")
class TestAnthropicMessages:
    def test_answer_and_usage(self, claude: anthropic.Anthropic) -> None:
        said = claude.messages.create(model="tiny", max_tokens=50, messages=HELLO)
        assert (said.content[0].text, said.stop_reason, said.usage.output_tokens) == ("hello", "end_turn", 5)

    def test_stream(self, claude: anthropic.Anthropic) -> None:
        with claude.messages.stream(
            model="tiny", max_tokens=50, messages=[{"role": "user", "content": "long"}]
        ) as stream:
            assert "".join(stream.text_stream) == LONG
            assert stream.get_final_message().usage.output_tokens == 5

    def test_tools(self, claude: anthropic.Anthropic) -> None:
        tools = [{"name": "weather", "input_schema": TOOL}]
        ask = {"role": "user", "content": "Oslo"}
        said = claude.messages.create(model="tiny", max_tokens=50, messages=[ask], tools=tools)
        call = said.content[0]
        assert (said.stop_reason, call.name, call.input) == ("tool_use", "weather", {"city": "Oslo"})
        result = {"type": "tool_result", "tool_use_id": call.id, "content": "rain"}
        turns = [ask, {"role": "assistant", "content": said.content}, {"role": "user", "content": [result]}]
        assert (
            claude.messages.create(model="tiny", max_tokens=50, messages=turns, tools=tools).content[0].text == "rain"
        )

    def test_streamed_tools(self, claude: anthropic.Anthropic) -> None:
        tools = [{"name": "weather", "input_schema": TOOL}]
        ask = {"role": "user", "content": "Oslo"}
        with claude.messages.stream(model="tiny", max_tokens=50, messages=[ask], tools=tools) as stream:
            assert stream.get_final_message().content[0].input == {"city": "Oslo"}

    def test_refusal_is_an_answer(self, claude: anthropic.Anthropic) -> None:
        said = claude.messages.create(model="tiny", max_tokens=50, messages=[{"role": "user", "content": "swordfish"}])
        assert said.stop_reason == "refusal"
        assert "no-codeword" in said.content[0].text

    def test_streamed_refusal(self, claude: anthropic.Anthropic) -> None:
        with claude.messages.stream(
            model="tiny", max_tokens=50, messages=[{"role": "user", "content": "swordfish"}]
        ) as stream:
            assert stream.get_final_message().stop_reason == "refusal"

    def test_errors_are_native_and_not_retried(self, claude: anthropic.Anthropic) -> None:
        with pytest.raises(anthropic.NotFoundError) as unknown:
            claude.messages.create(model="other", max_tokens=50, messages=HELLO)
        assert unknown.value.body["error"]["type"] == "not_found_error"

    def test_models(self, claude: anthropic.Anthropic) -> None:
        assert [model.id for model in claude.models.list()] == ["tiny"]

    def test_count_tokens(self, claude: anthropic.Anthropic) -> None:
        assert claude.messages.count_tokens(model="tiny", messages=HELLO).input_tokens > 0


@pytest.mark.client("langchain-openai")
class TestLangChain:
    def test_answer_and_usage(self, up: Served) -> None:
        said = ChatOpenAI(model="tiny", base_url=f"{up.base}/v1", api_key="any").invoke("hello")
        assert (said.content, said.usage_metadata["total_tokens"]) == ("hello", 12)

    def test_stream(self, up: Served) -> None:
        model = ChatOpenAI(model="tiny", base_url=f"{up.base}/v1", api_key="any")
        assert "".join(chunk.text for chunk in model.stream("long")) == LONG

    def test_tools(self, up: Served) -> None:
        tool = {"type": "function", "function": {"name": "weather", "description": "w", "parameters": TOOL}}
        model = ChatOpenAI(model="tiny", base_url=f"{up.base}/v1", api_key="any").bind_tools([tool])
        assert model.invoke("Oslo").tool_calls[0]["args"] == {"city": "Oslo"}

    def test_refusal_is_an_answer(self, up: Served) -> None:
        said = ChatOpenAI(model="tiny", base_url=f"{up.base}/v1", api_key="any").invoke("swordfish")
        assert "no-codeword" in said.additional_kwargs["refusal"]


@pytest.mark.client("langchain-anthropic")
class TestLangChainAnthropic:
    def _model(self, up: Served) -> ChatAnthropic:
        return ChatAnthropic(model="tiny", base_url=up.base, api_key="any")

    def test_answer_and_usage(self, up: Served) -> None:
        said = self._model(up).invoke("hello")
        assert (said.content, said.usage_metadata["total_tokens"]) == ("hello", 12)

    def test_stream(self, up: Served) -> None:
        assert "".join(chunk.text for chunk in self._model(up).stream("long")) == LONG

    def test_tools(self, up: Served) -> None:
        tool = {"name": "weather", "description": "w", "input_schema": TOOL}
        assert self._model(up).bind_tools([tool]).invoke("Oslo").tool_calls[0]["args"] == {"city": "Oslo"}

    def test_refusal_is_an_answer(self, up: Served) -> None:
        said = self._model(up).invoke("swordfish")
        assert "no-codeword" in said.text
        assert said.response_metadata["stop_reason"] == "refusal"


@pytest.mark.client("LiteLLM's SDK")
class TestLiteLLM:
    def _ask(self, up: Served, text: str, tail: str) -> str:
        """In a process of its own: it leaves an event loop open."""
        turns = [{"role": "user", "content": text}]
        script = (
            "import litellm, sys; said = litellm.completion('openai/tiny', api_key='any',"
            f" api_base={up.base + '/v1'!r}, messages={turns!r}, {tail}"
        )
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", script],
            env={
                **os.environ,
                "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            },  # no prices from the network
            capture_output=True,
            text=True,
            timeout=600,  # most of which its start takes on a busy machine
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def test_answer_and_usage(self, up: Served) -> None:
        tail = "); print(said.choices[0].message.content, said.usage.total_tokens)"
        assert self._ask(up, "hello", tail) == "hello 12\n"

    def test_stream(self, up: Served) -> None:
        tail = "stream=True); print(''.join(c.choices[0].delta.content or '' for c in said))"
        assert self._ask(up, "long", tail) == LONG + "\n"


@pytest.mark.client("curl")
class TestCurl:
    def _run(self, up: Served, path: str, body: dict) -> str:
        sent = ["-d", json.dumps(body), "-H", "content-type: application/json"]
        done = subprocess.run(["curl", "-sN", up.base + path, *sent], capture_output=True, text=True, check=True)
        return done.stdout

    def test_answer_and_usage(self, up: Served) -> None:
        said = json.loads(self._run(up, "/v1/chat/completions", {"model": "tiny", "messages": HELLO}))
        assert said["choices"][0]["message"]["content"] == "hello"
        assert said["usage"]["total_tokens"] == 12

    def test_stream(self, up: Served) -> None:
        body = {"model": "tiny", "messages": HELLO, "stream": True}
        assert self._run(up, "/v1/chat/completions", body).endswith("data: [DONE]\n\n")
