"""`previous_response_id`: a conversation goes on for the key that began it, and for nobody else."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from aiohttp import web

from lawspeaker.access import Keyring
from lawspeaker.audit.log import MemoryLog
from lawspeaker.audit.record import new_id
from lawspeaker.checks.registry import KINDS
from lawspeaker.constitution.load import load
from lawspeaker.exchange import ask
from lawspeaker.gateway.body import LARGEST
from lawspeaker.gateway.fault import RequestError
from lawspeaker.gateway.history import continued, facts
from lawspeaker.gateway.neutral import Asked
from lawspeaker.gateway.routes import Client
from lawspeaker.govern import Governor
from lawspeaker.models.scripted import Entry, Scripted
from tests.cli.conftest import PROGRAM
from tests.gateway.served import Served, serving
from tests.gateway.upstream import LAW, background

SEEN: list[dict] = []
TOOLS = [{"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": False}]


def answer(request: web.Request, body: dict) -> web.Response:
    SEEN.append(body)
    said = body["messages"][-1]["content"]
    message: dict = {"role": "assistant", "content": f"so {said}"}
    if body.get("tools") and body["messages"][-1]["role"] == "user":
        function = {"name": "weather", "arguments": "{}"}
        message = {"role": "assistant", "tool_calls": [{"id": "c1", "type": "function", "function": function}]}
    return web.json_response({"choices": [{"message": message, "finish_reason": "stop"}]})


class Place:
    """A gateway that asks for keys; `keys` are of two tenants, and a second one of the first."""

    def __init__(self, served: Served, keys: dict[str, str]) -> None:
        self.served, self.keys = served, keys

    def client(self, key: str = "ann") -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{self.served.base}/v1", api_key=self.keys[key], timeout=20, max_retries=0)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder: Path = tmp_path_factory.mktemp("history")
    (folder / "house.yaml").write_text(LAW)
    (folder / "other.yaml").write_text(LAW.replace("name: house", "name: other").replace("swordfish", "so one"))
    with Keyring(folder / "home") as ring:
        keys = {name: ring.add(name, tenant=tenant)[1] for name, tenant in (("ann", "a"), ("bob", "b"), ("amy", "a"))}
    with background(answer) as base:
        routes = [
            f"  - {{name: tiny, model: '{base}#tiny', constitution: house.yaml}}\n",
            f"  - {{name: other, model: '{base}#tiny', constitution: other.yaml}}\n",
            f"  - {{name: shade, model: '{base}#tiny', constitution: house.yaml, shadow: true}}\n",
        ]
        (folder / "lawspeaker.yaml").write_text("routes:\n" + "".join(routes))
        with serving(folder, "--config", "lawspeaker.yaml", "--require-key") as served:
            yield Place(served, keys)


def _said() -> list[tuple[str, object]]:
    """What the upstream read last."""
    return [(turn["role"], turn.get("content")) for turn in SEEN[-1]["messages"]]


def _not_found(client: openai.OpenAI, id: str, model: str = "tiny") -> openai.BadRequestError:
    SEEN.clear()
    with pytest.raises(openai.BadRequestError) as told:
        client.responses.create(model=model, input="more", previous_response_id=id)
    assert not SEEN
    assert (told.value.code, told.value.param) == ("previous_response_not_found", "previous_response_id")
    assert told.value.response.headers["x-should-retry"] == "false"
    return told.value


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.client("openai-python, Responses", feature="previous response")
def test_a_conversation_goes_on(place: Place, stream: bool) -> None:
    """Instructions are of one request; the turns before are not sent again."""
    with place.client() as client:
        one = client.responses.create(model="tiny", input="one", instructions="be brief")
        assert one.store is True
        two = client.responses.create(model="tiny", input="two", previous_response_id=one.id)
        assert two.previous_response_id == one.id
        if stream:
            with client.responses.stream(
                model="tiny", input="three", previous_response_id=two.id, instructions="be long"
            ) as events:
                assert events.get_final_response().output_text == "so three"
        else:
            client.responses.create(model="tiny", input="three", previous_response_id=two.id, instructions="be long")
    turns = [("user", "one"), ("assistant", "so one"), ("user", "two"), ("assistant", "so two"), ("user", "three")]
    assert _said() == [("system", "be long"), *turns]


@pytest.mark.client("openai-python, Responses", feature="previous response with tools")
def test_a_tool_is_answered(place: Place) -> None:
    with place.client() as client:
        one = client.responses.create(model="tiny", input="Oslo?", tools=TOOLS)
        result = {"type": "function_call_output", "call_id": one.output[0].call_id, "output": "rain"}
        two = client.responses.create(model="tiny", input=[result], tools=TOOLS, previous_response_id=one.id)
    assert two.output_text == "so rain"
    assert [turn["role"] for turn in SEEN[-1]["messages"]] == ["user", "assistant", "tool"]
    assert SEEN[-1]["messages"][2]["tool_call_id"] == SEEN[-1]["messages"][1]["tool_calls"][0]["id"]


@pytest.mark.client("openai-python, Responses", feature="previous response of another key")
def test_nobody_else_can_go_on(place: Place) -> None:
    """Another tenant's key and another key of the same tenant are told the same as of an id that never was."""
    with place.client() as ann, place.client("bob") as bob, place.client("amy") as amy:
        id = ann.responses.create(model="tiny", input="one").id
        words = {str(_not_found(client, id)) for client in (bob, amy)}
        words |= {str(_not_found(ann, other)) for other in ("resp_" + "0" * 32, id[5:], id + "0", id[:-1], "resp_x")}
        chat = ann.chat.completions.create(model="tiny", messages=[{"role": "user", "content": "one"}])
        words.add(str(_not_found(ann, chat.id.replace("chatcmpl-", "resp_"))))
        assert len(words) == 1


def test_what_is_not_stored_or_was_withheld_cannot_be_gone_on_from(place: Place) -> None:
    with place.client() as client:
        one = client.responses.create(model="tiny", input="one", store=False)
        assert one.store is False
        _not_found(client, one.id)
        refused = client.responses.create(model="tiny", input="swordfish")
        assert refused.output[0].content[0].type == "refusal"
        _not_found(client, refused.id)


def test_an_earlier_turn_is_judged_again_under_another_law(place: Place) -> None:
    """What the first law let pass, and what passed in shadow, does not pass by being history."""
    with place.client() as client:
        one = client.responses.create(model="tiny", input="one")
        said = client.responses.create(model="other", input="more", previous_response_id=one.id)
        assert "no-codeword" in said.output[0].content[0].refusal
        shade = client.responses.create(model="shade", input="swordfish")
        assert shade.output_text == "so swordfish"
        said = client.responses.create(model="tiny", input="more", previous_response_id=shade.id)
        assert "no-codeword" in said.output[0].content[0].refusal


def test_what_is_erased_is_gone(place: Place) -> None:
    with place.client() as client:
        one = client.responses.create(model="tiny", input="one")
        done = subprocess.run(
            [PROGRAM, "audit", "erase", one.id.removeprefix("resp_"), "--why", "asked for", "--early"],
            env={**os.environ, "LAWSPEAKER_HOME": str(place.served.home)},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        _not_found(client, one.id)


def test_a_conversation_does_not_grow_without_end(tmp_path: Path) -> None:
    head, _, _ = LAW.partition("    checks:\n")
    (tmp_path / "law.yaml").write_text(head + "    checks:\n      - shape: {max_lines: 9}\n")

    async def run() -> None:
        async with MemoryLog() as log:
            model = Scripted("scripted:x", "digest", [Entry(reply="yes", again=True)])
            governor = Governor(load(str(tmp_path / "law.yaml"), kinds=KINDS), model, model, log, client="c")
            first = Asked("m", ask("a" * (LARGEST - 100)), kept=True)
            id = new_id()
            await governor.govern(first.exchange, subject=id, noted=facts(first))
            for text, fits in (("b" * 50, True), ("b" * 100, False)):
                more = Asked("m", ask(text), previous=f"resp_{id}")
                if fits:
                    went = await continued(more, Client("c"), governor, log)
                    assert [m.role for m in went.exchange.messages] == ["user", "assistant", "user"]
                else:
                    with pytest.raises(RequestError, match="characters"):
                        await continued(more, Client("c"), governor, log)

    asyncio.run(run())
