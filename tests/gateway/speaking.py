"""An upstream that speaks every vendor's wire format and says the same in each, and clients of every surface."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import anthropic
import openai
from aiohttp import web
from openai.types.chat import ChatCompletionChunk

from tests.gateway.served import Served, serving
from tests.gateway.upstream import LAW, background

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
SURFACES = ("chat", "responses", "messages")
UPSTREAMS = ("chat", "responses", "messages", "gemini")
_KEY = "k-0123456789abcdef"


class Heard(NamedTuple):
    """What an upstream is asked, whatever the form."""

    system: str
    text: str
    result: str
    tools: bool
    form: bool


class Saying(NamedTuple):
    """What it says."""

    text: str = ""
    call: bool = False
    cut: bool = False


def saying(heard: Heard) -> Saying:
    if heard.result:
        return Saying(f"it is {heard.result}")
    if heard.tools:
        return Saying(call=True)
    if heard.form:
        return Saying('{"city": "Oslo"}')
    return Saying({"leak": "so swordfish", "half": "hal"}.get(heard.text, f"so {heard.text}"), cut=heard.text == "half")


class Upstream:
    """Speaks the form that the path asks for. `heard` is what it was asked last."""

    def __init__(self) -> None:
        self.heard: Heard | None = None

    def answer(self, request: web.Request, body: dict) -> web.Response:
        form = {"responses": responses, "messages": messages}.get(request.path.rpartition("/")[2], chat)
        self.heard = _heard(body)
        if self.heard.text in ("reject", "down"):
            status = 400 if self.heard.text == "reject" else 500
            return web.json_response({"error": {"message": "no"}}, status=status, headers={"Retry-After": "0"})
        return web.json_response(form(saying(self.heard)))


def _heard(body: dict) -> Heard:
    turns = body.get("messages") or body["input"]
    system = body.get("system") or " ".join(turn["content"] for turn in turns if turn.get("role") == "system")
    last, text, result = turns[-1], "", ""
    if last.get("role") == "tool" or last.get("type") == "function_call_output":
        result = last.get("content") or last["output"]
    elif isinstance(last["content"], str):
        text = last["content"]
    else:
        text = "".join(block.get("text", "") for block in last["content"])
        result = "".join(block["content"] for block in last["content"] if block["type"] == "tool_result")
    formed = body.get("response_format") or body.get("text") or body.get("output_config")
    return Heard(system, text, result, bool(body.get("tools")), bool(formed))


def chat(says: Saying) -> dict:
    message: dict = {"role": "assistant", "content": says.text or None}
    if says.call:
        function = {"name": "weather", "arguments": '{"city": "Oslo"}'}
        message["tool_calls"] = [{"id": "c1", "type": "function", "function": function}]
    finish = "length" if says.cut else "tool_calls" if says.call else "stop"
    usage = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
    return {"choices": [{"message": message, "finish_reason": finish}], "usage": usage}


def responses(says: Saying) -> dict:
    item: dict = {"type": "message", "content": [{"type": "output_text", "text": says.text}]}
    if says.call:
        item = {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": '{"city": "Oslo"}'}
    ended = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}} if says.cut else {}
    return {"status": "completed", "output": [item], "usage": {"input_tokens": 7, "output_tokens": 5}, **ended}


def messages(says: Saying) -> dict:
    block: dict = {"type": "text", "text": says.text}
    if says.call:
        block = {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Oslo"}}
    stop = "max_tokens" if says.cut else "tool_use" if says.call else "end_turn"
    return {"content": [block], "stop_reason": stop, "usage": {"input_tokens": 7, "output_tokens": 5}}


class Got(NamedTuple):
    """What a client was told, whatever the surface: words, a call's arguments and id, how it ended, tokens."""

    text: str = ""
    call: dict | None = None
    id: str = ""
    end: str = ""
    tokens: int = 0


class Clients:
    """The vendors' own clients, which ask each surface the same."""

    def __init__(self, served: Served) -> None:
        self.oai = openai.OpenAI(base_url=f"{served.base}/v1", api_key="any", timeout=30, max_retries=0)
        self.claude = anthropic.Anthropic(base_url=served.base, api_key="any", timeout=30, max_retries=0)

    def close(self) -> None:
        self.oai.close()
        self.claude.close()

    def ask(self, surface: str, route: str, text: str, *, stream: bool, **more: object) -> Got:
        """`more`: `tools`, `form`, and `answered`, the id of a call whose result is sent."""
        return getattr(self, f"_{surface}")(route, text, stream=stream, **more)

    def _chat(self, route: str, text: str, *, stream: bool, tools=False, form=False, answered="") -> Got:
        turns: list = [{"role": "system", "content": "be brief"}, {"role": "user", "content": text}]
        if answered:
            function = {"name": "weather", "arguments": '{"city": "Oslo"}'}
            call = {"id": answered, "type": "function", "function": function}
            turns += [{"role": "assistant", "tool_calls": [call]}]
            turns += [{"role": "tool", "tool_call_id": answered, "content": "rain"}]
        how: dict = {"model": route, "messages": turns}
        if tools:
            how["tools"] = [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA, "strict": True}}]
        if form:
            how["response_format"] = {"type": "json_schema", "json_schema": {"name": "city", "schema": SCHEMA}}
        if stream:
            return _gathered(
                self.oai.chat.completions.create(**how, stream=True, stream_options={"include_usage": True})
            )
        said = self.oai.chat.completions.create(**how)
        choice, tokens = said.choices[0], said.usage.total_tokens if said.usage else 0
        words = choice.message.content or choice.message.refusal or ""
        for call in choice.message.tool_calls or ():
            return Got(words, json.loads(call.function.arguments), call.id, choice.finish_reason, tokens)
        return Got(words, None, "", choice.finish_reason, tokens)

    def _responses(self, route: str, text: str, *, stream: bool, tools=False, form=False, answered="") -> Got:
        turns: list = [{"role": "user", "content": text}]
        if answered:
            turns += [
                {"type": "function_call", "call_id": answered, "name": "weather", "arguments": '{"city": "Oslo"}'}
            ]
            turns += [{"type": "function_call_output", "call_id": answered, "output": "rain"}]
        how: dict = {"model": route, "input": turns, "instructions": "be brief"}
        if tools:
            how["tools"] = [{"type": "function", "name": "weather", "parameters": SCHEMA, "strict": True}]
        if form:
            how["text"] = {"format": {"type": "json_schema", "name": "city", "schema": SCHEMA}}
        if stream:
            with self.oai.responses.create(**how, stream=True) as events:
                said = list(events)[-1].response
        else:
            said = self.oai.responses.create(**how)
        item, tokens = said.output[0], said.usage.total_tokens if said.usage else 0
        if item.type == "function_call":
            return Got("", json.loads(item.arguments), item.call_id, said.status, tokens)
        part = item.content[0]
        end = "refusal" if part.type == "refusal" else said.status
        return Got(part.refusal if part.type == "refusal" else part.text, None, "", end, tokens)

    def _messages(self, route: str, text: str, *, stream: bool, tools=False, form=False, answered="") -> Got:
        turns: list = [{"role": "user", "content": text}]
        if answered:
            use = {"type": "tool_use", "id": answered, "name": "weather", "input": {"city": "Oslo"}}
            turns += [{"role": "assistant", "content": [use]}]
            turns += [
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": answered, "content": "rain"}]}
            ]
        how: dict = {"model": route, "max_tokens": 99, "messages": turns, "system": "be brief"}
        if tools:
            how["tools"] = [{"name": "weather", "input_schema": SCHEMA}]
        if form:
            how["output_config"] = {"format": {"type": "json_schema", "schema": SCHEMA}}
        if stream:
            with self.claude.messages.stream(**how) as events:
                said = events.get_final_message()
        else:
            said = self.claude.messages.create(**how)
        block, tokens = said.content[0], said.usage.input_tokens + said.usage.output_tokens
        if block.type == "tool_use":
            return Got("", block.input, block.id, said.stop_reason, tokens)
        return Got(block.text, None, "", said.stop_reason, tokens)


def _gathered(stream: Iterable[ChatCompletionChunk]) -> Got:
    """The one answer that a stream of Chat Completions tells."""
    words, arguments, id, end, tokens = "", "", "", "", 0
    for chunk in stream:
        tokens = chunk.usage.total_tokens if chunk.usage else tokens
        for choice in chunk.choices:
            words += choice.delta.content or choice.delta.refusal or ""
            end = choice.finish_reason or end
            for call in choice.delta.tool_calls or ():
                arguments, id = arguments + call.function.arguments, call.id or id
    return Got(words, json.loads(arguments) if arguments else None, id, end, tokens)


@contextmanager
def every_pair(folder: Path) -> Iterator[tuple[Upstream, Clients]]:
    """A gateway with a route to each upstream form, named by it."""
    (folder / "house.yaml").write_text(LAW)
    upstream = Upstream()
    with background(upstream.answer) as base:
        root = base.removesuffix("/v1")
        models = {
            "chat": f"{base}#m",
            "responses": "openai-responses:m",
            "messages": "anthropic:m",
            "gemini": "gemini:m",
        }
        routes = [
            f"  - {{name: {name}, model: '{model}', constitution: house.yaml}}\n" for name, model in models.items()
        ]
        (folder / "lawspeaker.yaml").write_text("routes:\n" + "".join(routes))
        keys = dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"), _KEY)
        bases = {"OPENAI_BASE_URL": base, "ANTHROPIC_BASE_URL": root, "GOOGLE_GEMINI_BASE_URL": root}
        with serving(folder, "--config", "lawspeaker.yaml", **keys, **bases) as served:
            clients = Clients(served)
            try:
                yield upstream, clients
            finally:
                clients.close()
