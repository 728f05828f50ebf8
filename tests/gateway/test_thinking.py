"""Thinking that a vendor signed or sealed: both ways as it is, or not at all, and judged where it can be read."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anthropic
import openai
import pytest
from aiohttp import web

from tests.gateway.served import Served, serving
from tests.gateway.upstream import LAW, background

# characters that a careless writer changes: spaces at the ends, escapes, marks, other planes, line ends
THOUGHT = '  \tÅ e\u0301 \U0001f600 \u2028 "\\u0041" \x00\x7f \r\n 0.10 </thinking>\n '
SEALED = "EmwKAhgBEgy3va3pzix/LafPsn4aDFIT2Xlxh0L5L8rLVyIwxtE3rAFBa8cr3qpPkNRj2YfWXGmKDxH4mPnZ5sQ7vB9jLe+RN=="
TOOL = {"name": "weather", "input_schema": {"type": "object"}}
THINK = {"type": "enabled", "budget_tokens": 1024}
# what is thought, and not said, at these words
THOUGHTS = {"one": "it is swordfish", "two": "what a fool", "three": "fine"}
FEW = 8  # tokens that are too few for any answer
SEEN: list[dict] = []
REVISING = """\
  - id: be-kind
    text: Nobody is called a fool.
    because: It helps nobody.
    severity: major
    on_violation: revise
    applies_to: [answer, reasoning]
    checks:
      - pattern: {deny: ["fool"], reason: Somebody is called a fool.}
"""


def _signed(thought: str) -> dict:
    return {"type": "thinking", "thinking": thought, "signature": hashlib.sha256(thought.encode()).hexdigest()}


def answer(request: web.Request, body: dict) -> web.Response:
    """Thinks as it is asked to, and rejects thinking that is not what it signed, as the vendor does."""
    SEEN.append(body)
    for turn in body["messages"]:
        for block in turn["content"] if turn["role"] == "assistant" else []:
            if block["type"] == "thinking" and block != _signed(block["thinking"]):
                return web.json_response({"error": {"message": "Invalid `signature`"}}, status=400)
            if block["type"] == "redacted_thinking" and block["data"] != SEALED:
                return web.json_response({"error": {"message": "Invalid `data`"}}, status=400)
    last = body["messages"][-1]["content"][-1]
    said = last.get("text", "")
    blocks = [_signed(THOUGHT), {"type": "redacted_thinking", "data": SEALED}]
    if said == "weather?":
        blocks += [{"type": "text", "text": "I look."}, _signed("again"), {"type": "tool_use", "id": "t1", **USE}]
    elif said in THOUGHTS:
        blocks = [_signed(THOUGHTS[said]), {"type": "text", "text": "Hello."}]
    elif "fool" in json.dumps(body):  # the critic's and the reviser's prompts hold the answer
        blocks += [{"type": "text", "text": "You fool." if said == "fool?" else "violated: Dear friend."}]
    else:
        blocks += [{"type": "text", "text": said or "rain"}]
    stop = "tool_use" if any(block["type"] == "tool_use" for block in blocks) else "end_turn"
    stop = "max_tokens" if body["max_tokens"] < FEW else stop
    usage = {"input_tokens": 3, "output_tokens": 5}
    if body.get("stream"):
        return web.Response(text="".join(_events(blocks, stop)), content_type="text/event-stream")
    return web.json_response({"content": blocks, "stop_reason": stop, "usage": usage})


def _events(blocks: list[dict], stop: str) -> Iterator[str]:
    """The same as a stream, in pieces of a few characters."""

    def event(kind: str, **fields: object) -> str:
        return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n"

    yield event("message_start", message={"role": "assistant", "usage": {"input_tokens": 3, "output_tokens": 1}})
    for index, block in enumerate(blocks):
        said = {"thinking": "", "signature": "", "text": "", "input": {}}
        empty = {name: said.get(name, value) for name, value in block.items()}
        yield event("content_block_start", index=index, content_block=empty)
        for name in ("thinking", "text"):
            for at in range(0, len(block.get(name, "")), 7):
                delta = {"type": f"{name}_delta", name: block[name][at : at + 7]}
                yield event("content_block_delta", index=index, delta=delta)
        if "signature" in block:
            delta = {"type": "signature_delta", "signature": block["signature"]}
            yield event("content_block_delta", index=index, delta=delta)
        yield event("content_block_stop", index=index)
    yield event("message_delta", delta={"stop_reason": stop}, usage={"output_tokens": 5})
    yield event("message_stop")


USE = {"name": "weather", "input": {}}


@contextmanager
def _served(folder: Path, law: str, *options: str) -> Iterator[Served]:
    (folder / "house.yaml").write_text(law)
    with background(answer) as base:
        key = {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": base.removesuffix("/v1")}
        with serving(folder, "--upstream", "anthropic:m", "--constitution", "house.yaml", *options, **key) as served:
            yield served


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with _served(tmp_path_factory.mktemp("thinking"), LAW + REVISING) as served:
        yield served


@pytest.fixture(scope="module")
def claude(up: Served) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=up.base, api_key="any", timeout=20, max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def flowing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[anthropic.Anthropic]:
    """A client of a gateway that lets text leave while it is made; a law that revises would hold it."""
    with (
        _served(tmp_path_factory.mktemp("flowing"), LAW, "--stream", "window") as served,
        anthropic.Anthropic(base_url=served.base, api_key="any", timeout=20, max_retries=0) as client,
    ):
        yield client


def _ask(claude: anthropic.Anthropic, turns: list, *, stream: bool, **more: object) -> anthropic.types.Message:
    how = {"model": "m", "max_tokens": 2000, "messages": turns, "thinking": THINK, **more}
    if not stream:
        return claude.messages.create(**how)
    with claude.messages.stream(**how) as events:
        return events.get_final_message()


def _user(text: str) -> dict:
    return {"role": "user", "content": text}


@pytest.mark.parametrize(("how", "stream"), [("claude", False), ("claude", True), ("flowing", True)])
@pytest.mark.client("anthropic-python, Messages", feature="signed thinking through three turns")
def test_a_conversation_with_tools_keeps_what_was_signed(
    how: str, stream: bool, request: pytest.FixtureRequest
) -> None:
    """The upstream takes its thinking back, in its place between the other blocks, through two more turns."""
    claude = request.getfixturevalue(how)
    turns: list = [_user("weather?")]
    said = _ask(claude, turns, stream=stream, tools=[TOOL])
    assert [block.type for block in said.content] == ["thinking", "redacted_thinking", "text", "thinking", "tool_use"]
    assert (said.content[0].thinking, said.content[1].data) == (THOUGHT, SEALED)
    assert said.content[0].signature == _signed(THOUGHT)["signature"]
    assert SEEN[-1]["thinking"] == THINK
    result = {"type": "tool_result", "tool_use_id": said.content[-1].id, "content": "rain"}
    turns += [{"role": "assistant", "content": said.content}, {"role": "user", "content": [result]}]
    more = _ask(claude, turns, stream=stream, tools=[TOOL])
    assert more.content[-1].text == "rain"
    kept = SEEN[-1]["messages"][1]["content"]
    assert kept[:2] == [_signed(THOUGHT), {"type": "redacted_thinking", "data": SEALED}]
    assert [block["type"] for block in kept] == [block.type for block in said.content]
    turns += [{"role": "assistant", "content": more.content}, _user("thanks")]
    assert _ask(claude, turns, stream=stream, tools=[TOOL]).content[-1].text == "thanks"


def test_what_was_changed_on_the_way_is_rejected_upstream(claude: anthropic.Anthropic) -> None:
    forged = {**_signed("one"), "thinking": "two"}
    turns = [_user("hi"), {"role": "assistant", "content": [forged, {"type": "text", "text": "a"}]}, _user("b")]
    with pytest.raises(anthropic.BadRequestError):
        _ask(claude, turns, stream=False)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.client("anthropic-python, Messages", feature="thinking is judged")
def test_thinking_is_judged_as_reasoning(claude: anthropic.Anthropic, stream: bool) -> None:
    """What may not be thought is refused; what the law would have changed is hidden, and the answer stands."""
    said = _ask(claude, [_user("one")], stream=stream)
    assert said.stop_reason == "refusal"
    assert "swordfish" not in said.to_json()
    said = _ask(claude, [_user("two")], stream=stream)
    assert ([block.type for block in said.content], said.content[0].text) == (["text"], "Hello.")
    said = _ask(claude, [_user("three")], stream=stream)
    assert [block.type for block in said.content] == ["thinking", "text"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.client("anthropic-python, Messages", feature="no thinking beside a changed answer")
def test_an_answer_that_was_changed_has_no_thinking(claude: anthropic.Anthropic, stream: bool) -> None:
    said = _ask(claude, [_user("ACC-123456")], stream=stream)
    assert [block.type for block in said.content] == ["text"]
    assert said.content[0].text == "[redacted: no-number]"
    said = _ask(claude, [_user("fool?")], stream=stream)
    assert [block.type for block in said.content] == ["text"]
    assert "fool" not in said.content[0].text


@pytest.mark.parametrize("stream", [False, True])
def test_a_clients_bound_holds_for_the_revision_and_not_for_the_critique(
    claude: anthropic.Anthropic, stream: bool
) -> None:
    """A revision that was cut off is said to be, as a draft is."""
    said = _ask(claude, [_user("fool?")], stream=stream, max_tokens=FEW - 1)
    assert [body["max_tokens"] for body in SEEN[-3:]] == [FEW - 1, 1024, FEW - 1]
    assert (said.stop_reason, said.content[0].text) == ("max_tokens", "violated: Dear friend.")
    said = _ask(claude, [_user("fool?")], stream=stream)
    assert said.stop_reason == "end_turn"


def test_thinking_is_judged_where_text_flows(flowing: anthropic.Anthropic) -> None:
    """The words that come after a thought wait for it, and it for the verdict."""
    said = _ask(flowing, [_user("one")], stream=True)
    assert said.stop_reason == "refusal"
    assert "swordfish" not in said.to_json()
    assert "Hello" not in said.to_json()
    said = _ask(flowing, [_user("ACC-123456")], stream=True)
    assert ([block.type for block in said.content], said.content[0].text) == (["text"], "[redacted: no-number]")


@pytest.mark.client("anthropic-python, Messages", feature="prompt caching and failed tools reach the vendor")
def test_what_a_vendor_is_to_keep_and_what_failed_is_passed_on(claude: anthropic.Anthropic) -> None:
    mark = {"type": "ephemeral", "ttl": "1h"}
    turns = [
        {"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", **USE}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "no", "is_error": True}]},
    ]
    how = {"model": "m", "max_tokens": 9, "messages": turns, "tools": [TOOL]}
    claude.messages.create(**how, system=[{"type": "text", "text": "be brief", "cache_control": mark}])
    assert SEEN[-1]["cache_control"] == mark
    assert SEEN[-1]["messages"][2]["content"][0]["is_error"] is True
    claude.messages.create(**how)
    assert SEEN[-1]["cache_control"] == {"type": "ephemeral"}
    claude.messages.create(model="m", max_tokens=9, messages=[_user("hi")])
    assert "cache_control" not in SEEN[-1]


def test_other_surfaces_show_no_thinking(up: Served) -> None:
    with openai.OpenAI(base_url=f"{up.base}/v1", api_key="any") as client:
        said = client.chat.completions.create(model="m", messages=[_user("hello")]).choices[0].message
        assert said.content == "hello"
        assert client.responses.create(model="m", input="hello").output_text == "hello"


def test_thinking_is_refused_where_the_model_has_none(tmp_path: Path) -> None:
    with (
        serving(tmp_path) as served,
        anthropic.Anthropic(base_url=served.base, api_key="any") as client,
    ):
        with pytest.raises(anthropic.BadRequestError, match="takes no thinking"):
            client.messages.create(model="nano", max_tokens=2000, messages=[_user("hi")], thinking=THINK)
        off = {"type": "disabled"}
        client.messages.create(model="nano", max_tokens=20, messages=[_user("Hello.")], thinking=off)
