"""Any surface is served by any upstream: the same is asked by each vendor's client and said in each vendor's form."""

import json
from collections.abc import Iterator

import anthropic
import openai
import pytest

from tests.gateway.speaking import SURFACES, UPSTREAMS, Clients, Upstream, every_pair

pytestmark = [
    pytest.mark.pair,
    pytest.mark.parametrize("upstream", UPSTREAMS),
    pytest.mark.parametrize("surface", SURFACES),
]
WHOLE_OR_STREAMED = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
ENDS = {
    "stop": {"chat": "stop", "responses": "completed", "messages": "end_turn"},
    "call": {"chat": "tool_calls", "responses": "completed", "messages": "tool_use"},
    "cut": {"chat": "length", "responses": "incomplete", "messages": "max_tokens"},
    "refusal": {"chat": "content_filter", "responses": "refusal", "messages": "refusal"},
}
_ERRORS = (openai.APIStatusError, anthropic.APIStatusError)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Upstream, Clients]]:
    with every_pair(tmp_path_factory.mktemp("pairs")) as both:
        yield both


@WHOLE_OR_STREAMED
def test_answer_and_usage(pair: tuple[Upstream, Clients], surface: str, upstream: str, stream: bool) -> None:
    got = pair[1].ask(surface, upstream, "hello", stream=stream)
    assert (got.text, got.end, got.tokens) == ("so hello", ENDS["stop"][surface], 12)
    assert (pair[0].heard.system, pair[0].heard.text) == ("be brief", "hello")


@WHOLE_OR_STREAMED
def test_tools(pair: tuple[Upstream, Clients], surface: str, upstream: str, stream: bool) -> None:
    got = pair[1].ask(surface, upstream, "Oslo?", stream=stream, tools=True)
    assert (got.call, got.end, got.id) == ({"city": "Oslo"}, ENDS["call"][surface], "c1")
    got = pair[1].ask(surface, upstream, "Oslo?", stream=stream, tools=True, answered=got.id)
    assert got.text == "it is rain"


@WHOLE_OR_STREAMED
def test_structured_output(pair: tuple[Upstream, Clients], surface: str, upstream: str, stream: bool) -> None:
    got = pair[1].ask(surface, upstream, "where?", stream=stream, form=True)
    assert json.loads(got.text) == {"city": "Oslo"}
    assert pair[0].heard.form


@WHOLE_OR_STREAMED
def test_an_answer_cut_off(pair: tuple[Upstream, Clients], surface: str, upstream: str, stream: bool) -> None:
    got = pair[1].ask(surface, upstream, "half", stream=stream)
    assert (got.text, got.end) == ("hal", ENDS["cut"][surface])


@WHOLE_OR_STREAMED
def test_refusal(pair: tuple[Upstream, Clients], surface: str, upstream: str, stream: bool) -> None:
    got = pair[1].ask(surface, upstream, "leak", stream=stream)
    assert got.end == ENDS["refusal"][surface]
    assert "no-codeword" in got.text
    assert "swordfish" not in got.text


@WHOLE_OR_STREAMED
def test_errors(pair: tuple[Upstream, Clients], surface: str, upstream: str, stream: bool) -> None:
    for text, status, again in (("reject", 400, "false"), ("down", 502, None)):
        with pytest.raises(_ERRORS) as told:
            pair[1].ask(surface, upstream, text, stream=stream)
        assert (told.value.status_code, told.value.response.headers.get("x-should-retry")) == (status, again)
