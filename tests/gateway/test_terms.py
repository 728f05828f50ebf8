"""What a request asks for beside its words: carried to the upstream in its form, or refused by name; never dropped."""

import json
from collections.abc import Iterator

import anthropic
import openai
import pytest
from aiohttp import web
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

from lawspeaker.audit.reader import LogReader
from tests.gateway.served import Served, serving

ASK = [{"role": "user", "content": "Which city?"}]
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": SCHEMA, "strict": True}}
SEEN: list[dict] = []
# what the upstream answers in JSON to these words
SAYS = {"number": {"city": "ACC-123456"}, "key": {"city": "Oslo", "ACC-123456": 1}}


class City(BaseModel):
    city: str


def answer(request: web.Request, body: dict) -> web.Response:
    """JSON where JSON is asked for, a call where one is required, else words."""
    SEEN.append(body)
    said = body["messages"][-1]["content"]
    message: dict = {"role": "assistant", "content": "Oslo"}
    if "response_format" in body:
        message["content"] = json.dumps(SAYS.get(said, {"city": "Oslo"}))
    choice = body.get("tool_choice", "auto")
    if choice not in ("auto", "none"):
        function = {"name": body["tools"][0]["function"]["name"], "arguments": '{"city": "Oslo"}'}
        message = {"role": "assistant", "tool_calls": [{"id": "c1", "type": "function", "function": function}]}
    return web.json_response({"choices": [{"message": message, "finish_reason": "stop"}]})


def _sent(*names: str) -> list[object]:
    return [SEEN[-1].get(name) for name in names]


@pytest.mark.client("openai-python, Chat Completions", feature="sampling fields")
def test_chat_terms_reach_the_upstream(oai: openai.OpenAI) -> None:
    terms = {"top_p": 0.5, "frequency_penalty": 0.1, "presence_penalty": -0.1, "seed": 7, "stop": ["END"]}
    more = {"reasoning_effort": "low", "verbosity": "low", "service_tier": "auto", "prompt_cache_key": "k"}
    oai.chat.completions.create(model="tiny", messages=ASK, tools=[TOOL], parallel_tool_calls=False, **terms, **more)
    assert _sent(*terms) == list(terms.values())
    assert _sent("reasoning_effort", "verbosity", "parallel_tool_calls") == ["low", "low", False]
    assert SEEN[-1]["tools"][0]["function"]["strict"] is True
    assert _sent("service_tier", "prompt_cache_key") == [None, None]  # these say nothing to a model
    oai.chat.completions.create(model="tiny", messages=ASK)
    assert not {*terms, *more, "tools", "tool_choice", "response_format"} & set(SEEN[-1])


@pytest.mark.client("anthropic-python, Messages", feature="sampling fields")
def test_messages_terms_reach_the_upstream(claude: anthropic.Anthropic) -> None:
    tools = [{"name": "weather", "input_schema": SCHEMA}]
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    more = {"top_p": 0.5, "stop_sequences": ["END"], "output_config": {"effort": "low"}, "service_tier": "auto"}
    claude.messages.create(model="tiny", max_tokens=9, messages=ASK, tools=tools, tool_choice=choice, **more)
    sent = _sent("top_p", "stop", "reasoning_effort", "parallel_tool_calls")
    assert sent == [0.5, ["END"], "low", False]


@pytest.mark.client("openai-python, Responses", feature="sampling fields")
def test_responses_terms_reach_the_upstream(oai: openai.OpenAI) -> None:
    more = {"text": {"verbosity": "high"}, "reasoning": {"effort": "high", "summary": "auto"}, "top_p": 0.5}
    said = oai.responses.create(model="tiny", input="Which city?", **more, include=["reasoning.encrypted_content"])
    assert _sent("verbosity", "reasoning_effort", "top_p") == ["high", "high", 0.5]
    assert said.top_p == 0.5


@pytest.mark.client("openai-python, Chat Completions", feature="structured output")
@pytest.mark.client("openai-python, Responses", feature="structured output")
@pytest.mark.client("anthropic-python, Messages", feature="structured output")
@pytest.mark.client("langchain-openai", feature="structured output")
def test_structured_output_is_parsed_by_the_clients_themselves(
    up: Served, oai: openai.OpenAI, claude: anthropic.Anthropic
) -> None:
    said = oai.chat.completions.parse(model="tiny", messages=ASK, response_format=City)
    assert said.choices[0].message.parsed == City(city="Oslo")
    form = SEEN[-1]["response_format"]["json_schema"]
    assert (form["name"], form["strict"], form["schema"]["required"]) == ("City", True, ["city"])
    with oai.chat.completions.stream(model="tiny", messages=ASK, response_format=City) as stream:
        assert stream.get_final_completion().choices[0].message.parsed == City(city="Oslo")
    assert oai.responses.parse(model="tiny", input="Which city?", text_format=City).output_parsed == City(city="Oslo")
    form = {"format": {"type": "json_schema", "schema": SCHEMA}}
    words = claude.messages.create(model="tiny", max_tokens=9, messages=ASK, output_config=form).content[0].text
    assert json.loads(words) == {"city": "Oslo"}
    assert SEEN[-1]["response_format"]["json_schema"]["schema"] == SCHEMA
    oai.chat.completions.create(model="tiny", messages=ASK, response_format={"type": "json_object"})
    assert SEEN[-1]["response_format"] == {"type": "json_object"}
    model = ChatOpenAI(model="tiny", base_url=f"{up.base}/v1", api_key="any")
    for method in ("json_schema", "function_calling"):
        assert model.with_structured_output(City, method=method).invoke("Which city?") == City(city="Oslo")


@pytest.mark.client("openai-python, Chat Completions", feature="a required tool")
@pytest.mark.client("openai-python, Responses", feature="a required tool")
@pytest.mark.client("anthropic-python, Messages", feature="a required tool")
def test_a_tool_can_be_required(oai: openai.OpenAI, claude: anthropic.Anthropic) -> None:
    named = {"type": "function", "function": {"name": "weather"}}
    said = oai.chat.completions.create(model="tiny", messages=ASK, tools=[TOOL], tool_choice=named).choices[0]
    assert said.message.tool_calls[0].function.name == "weather"
    assert SEEN[-1]["tool_choice"] == named
    tools = [{"name": "weather", "input_schema": SCHEMA}]
    claude.messages.create(model="tiny", max_tokens=9, messages=ASK, tools=tools, tool_choice={"type": "any"})
    assert SEEN[-1]["tool_choice"] == "required"
    flat = [{"type": "function", "name": "weather", "parameters": SCHEMA, "strict": True}]
    choice = {"type": "function", "name": "weather"}
    call = oai.responses.create(model="tiny", input="x", tools=flat, tool_choice=choice).output[0]
    assert call.name == "weather"
    oai.chat.completions.create(model="tiny", messages=ASK, tools=[TOOL], tool_choice="none")
    assert SEEN[-1]["tool_choice"] == "none"


def test_what_is_cut_out_of_structured_output_leaves_it_whole(oai: openai.OpenAI) -> None:
    """A cut inside a string is a string; where it would break the form, there is no answer."""
    form = {"type": "json_schema", "json_schema": {"name": "City", "schema": SCHEMA}}
    ask = {"model": "tiny", "response_format": form}
    said = oai.chat.completions.create(messages=[{"role": "user", "content": "number"}], **ask).choices[0]
    assert json.loads(said.message.content) == {"city": "[redacted: no-number]"}
    said = oai.chat.completions.create(messages=[{"role": "user", "content": "key"}], **ask).choices[0]
    assert said.finish_reason == "content_filter"
    assert "no-number" in said.message.refusal


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"top_p": 2}, "top_p"),
        ({"presence_penalty": -3}, "presence_penalty"),
        ({"stop": ["x"] * 17}, "stop"),
        ({"stop": ""}, "stop"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "other"}}}, "tool_choice"),
        ({"response_format": {"type": "json_schema"}}, "response_format"),
        ({"response_format": {"type": "grammar"}}, "response_format.type"),
        ({"reasoning_effort": "endless"}, "reasoning_effort"),
        ({"logit_bias": {"1": 1}}, "logit_bias"),
        ({"top_k": 5}, "top_k"),
    ],
)
@pytest.mark.client("openai-python, Chat Completions", feature="what makes no sense is refused by name")
def test_terms_that_make_no_sense(oai: openai.OpenAI, body: dict, param: str) -> None:
    with pytest.raises(openai.BadRequestError) as told:
        oai.chat.completions.create(model="tiny", messages=ASK, extra_body=body)
    assert told.value.param == param
    assert told.value.response.headers["x-should-retry"] == "false"


def test_the_leaf_shows_no_terms(up: Served, oai: openai.OpenAI) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "n", "description": "pearl", "schema": SCHEMA}}
    raw = oai.chat.completions.with_raw_response.create(
        model="tiny", messages=ASK, stop=["oyster"], response_format=form
    )
    with LogReader(up.home) as reader:
        leaves = [leaf.record for leaf in reader.history(raw.headers["x-lawspeaker-decision"])]
        vault = reader.texts(leaves[0].id)["terms"].text
    assert "pearl" in vault
    assert "oyster" in vault
    shown = json.dumps([record.facts for record in leaves])
    assert "pearl" not in shown
    assert "oyster" not in shown


@pytest.fixture(scope="module")
def nano(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("nano"), "--constitution", "infrastructure") as served:
        yield served


FORM = {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}
NANO = [
    ({"response_format": FORM}, "response_format"),
    ({"stop": "END"}, "stop"),
    ({"top_p": 0.5}, "top_p"),
    ({"frequency_penalty": 1}, "frequency_penalty"),
    ({"reasoning_effort": "low"}, "reasoning_effort"),
    ({"tools": [TOOL], "tool_choice": "required"}, "tool_choice"),
]


@pytest.mark.parametrize(("body", "param"), NANO)
def test_nano_says_what_it_cannot_do(nano: Served, body: dict, param: str) -> None:
    with (
        openai.OpenAI(base_url=f"{nano.base}/v1", api_key="any") as client,
        pytest.raises(openai.BadRequestError) as told,
    ):
        client.chat.completions.create(model="nano", messages=ASK, extra_body=body)
    assert (told.value.param, told.value.code) == (param, "unsupported_parameter")
    assert "takes no" in told.value.message


def test_nano_says_it_on_the_other_surfaces(nano: Served) -> None:
    with (
        anthropic.Anthropic(base_url=nano.base, api_key="any") as client,
        pytest.raises(anthropic.BadRequestError, match="stop_sequences"),
    ):
        client.messages.create(model="nano", max_tokens=9, messages=ASK, stop_sequences=["END"])
    with (
        openai.OpenAI(base_url=f"{nano.base}/v1", api_key="any") as client,
        pytest.raises(openai.BadRequestError) as told,
    ):
        client.responses.create(model="nano", input="x", text={"format": {"type": "json_object"}})
    assert told.value.param == "text.format"
