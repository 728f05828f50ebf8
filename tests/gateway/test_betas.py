"""`anthropic-beta`: what changes nothing that is judged reaches the vendor, and the rest is refused by its name."""

from collections.abc import Iterator
from pathlib import Path

import anthropic
import pytest
from aiohttp import web

from lawspeaker.audit.reader import LogReader
from tests.gateway.served import Served, serving
from tests.gateway.speaking import Saying, chat, messages
from tests.gateway.upstream import LAW, background

FILES, THINKING, LONG = "files-api-2025-04-14", "interleaved-thinking-2025-05-14", "output-128k-2025-02-19"
# what Claude Code sends
CODE = ["claude-code-20250219", THINKING, "fine-grained-tool-streaming-2025-05-14"]
HEADERS: list[str | None] = []


def answer(request: web.Request, body: dict) -> web.Response:
    HEADERS.append(request.headers.get("anthropic-beta"))
    assert request.headers.getall("anthropic-version", []) in ([], ["2023-06-01"])
    return web.json_response((messages if request.path.endswith("/messages") else chat)(Saying("fine")))


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("betas")
    (folder / "house.yaml").write_text(LAW)
    with background(answer) as base:
        routes = [
            "{name: claude, model: 'anthropic:m', constitution: house.yaml}",
            f"{{name: files, model: 'anthropic:m', constitution: house.yaml, betas: [{FILES}]}}",
            f"{{name: other, model: '{base}#m', constitution: house.yaml}}",
        ]
        (folder / "lawspeaker.yaml").write_text("routes:\n" + "".join(f"  - {route}\n" for route in routes))
        key = {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": base.removesuffix("/v1")}
        with serving(folder, "--config", "lawspeaker.yaml", **key) as served:
            yield served


@pytest.fixture(scope="module")
def claude(up: Served) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=up.base, api_key="any", timeout=20, max_retries=0) as client:
        yield client


def _ask(claude: anthropic.Anthropic, route: str, betas: list[str]) -> str:
    HEADERS.clear()
    turns = [{"role": "user", "content": "hi"}]
    said = claude.beta.messages.create(model=route, max_tokens=9, messages=turns, betas=betas)
    assert said.content[0].text == "fine"
    return said.id.removeprefix("msg_")


@pytest.mark.client("anthropic-python, Messages", feature="betas reach the vendor")
def test_what_changes_nothing_that_is_judged_reaches_the_vendor(up: Served, claude: anthropic.Anthropic) -> None:
    id = _ask(claude, "claude", [THINKING, LONG, THINKING])
    assert HEADERS.pop() == f"{THINKING},{LONG}"
    with LogReader(up.home) as reader:
        assert THINKING in reader.texts(reader.history(id)[0].record.id)["terms"].text
    _ask(claude, "claude", CODE)
    assert HEADERS.pop() == ",".join(CODE)
    claude.messages.create(model="claude", max_tokens=9, messages=[{"role": "user", "content": "hi"}])
    assert HEADERS.pop() is None  # of one request alone
    with claude.beta.messages.stream(
        model="claude", max_tokens=9, messages=[{"role": "user", "content": "hi"}], betas=[LONG]
    ) as events:
        assert events.get_final_message().content[0].text == "fine"
    assert HEADERS.pop() == LONG
    assert claude.beta.messages.count_tokens(model="claude", messages=[{"role": "user", "content": "hi"}]).input_tokens


@pytest.mark.client("anthropic-python, Messages", feature="a beta that brings something in is refused by name")
def test_any_other_is_refused_by_its_name_unless_the_route_allows_it(claude: anthropic.Anthropic) -> None:
    for route, names in (("claude", [THINKING, FILES]), ("other", [FILES]), ("files", ["mcp-client-2025-04-04"])):
        HEADERS.clear()
        with pytest.raises(anthropic.BadRequestError) as told:
            claude.beta.messages.create(
                model=route, max_tokens=9, messages=[{"role": "user", "content": "hi"}], betas=names
            )
        assert not HEADERS
        assert repr(names[-1]) in told.value.message
        assert told.value.response.headers["x-should-retry"] == "false"
    _ask(claude, "files", [FILES])
    assert HEADERS.pop() == FILES
    with pytest.raises(anthropic.BadRequestError, match="files-api"):
        claude.beta.messages.count_tokens(model="claude", messages=[{"role": "user", "content": "hi"}], betas=[FILES])


def test_another_vendor_is_told_nothing_of_it(claude: anthropic.Anthropic) -> None:
    _ask(claude, "other", CODE)
    assert HEADERS.pop() is None
