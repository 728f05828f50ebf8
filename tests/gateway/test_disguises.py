"""A forbidden word in disguise, asked and answered: what is stopped and what escapes is as docs/gateway.md says."""

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from tests.gateway.holes import disguised
from tests.gateway.served import Served, serving
from tests.gateway.upstream import LAW, background

WORD = "swordfish"
# The law's pattern as it is, and in any case of its letters.
LAWS = {"plain": LAW, "folded": LAW.replace('"swordfish"', '"(?i)swordfish"')}
PAGE = Path(__file__).parents[2] / "docs" / "gateway.md"
_ROW = re.compile(r"^\| ([^|]+?) \| (stopped|escapes) \| (stopped|escapes) \|$", re.MULTILINE)


DISGUISES = disguised(WORD)
SEEN: set[str] = set()


def answer(request: web.Request, body: dict) -> web.Response:
    said = body["messages"][-1]["content"]
    SEEN.add(said)
    text = DISGUISES[said.removeprefix("say ")] if said.startswith("say ") else "fine"
    return web.json_response({"choices": [{"message": {"role": "assistant", "content": text}}]})


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("disguises")
    for name, law in LAWS.items():
        (folder / f"{name}.yaml").write_text(law)
    with background(answer) as base:
        routes = [f"  - {{name: {law}, model: '{base}#tiny', constitution: {law}.yaml}}\n" for law in LAWS]
        (folder / "lawspeaker.yaml").write_text("routes:\n" + "".join(routes))
        with serving(folder, "--config", "lawspeaker.yaml") as served:
            yield served


def test_what_is_stopped_and_what_escapes_is_as_the_page_says(up: Served) -> None:
    async def stopped(session: aiohttp.ClientSession, law: str, text: str) -> bool:
        body = {"model": law, "messages": [{"role": "user", "content": text}]}
        async with session.post(up.base + "/v1/chat/completions", json=body) as response:
            message = json.loads(await response.text())["choices"][0]["message"]
        assert bool(message["refusal"]) != bool(message["content"])
        return bool(message["refusal"])

    async def measured() -> dict[str, tuple[str, ...]]:
        found = {}
        async with aiohttp.ClientSession() as session:
            for name, text in DISGUISES.items():
                ends = []
                for law in LAWS:
                    SEEN.clear()
                    asked = await stopped(session, law, text)
                    assert (text in SEEN) != asked
                    assert await stopped(session, law, f"say {name}") == asked
                    ends.append("stopped" if asked else "escapes")
                found[name] = tuple(ends)
        return found

    written = {name: (plain, folded) for name, plain, folded in _ROW.findall(PAGE.read_text(encoding="utf-8"))}
    assert asyncio.run(measured()) == written
