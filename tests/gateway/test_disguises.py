"""A forbidden word in disguise, asked and answered: what is stopped and what escapes is as docs/gateway.md says."""

import asyncio
import base64
import codecs
import json
import re
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from tests.gateway.served import Served, serving
from tests.gateway.upstream import LAW, background

WORD = "swordfish"
LAWS = ("plain", "shaped")
PAGE = Path(__file__).parents[2] / "docs" / "gateway.md"
_ROW = re.compile(r"^\| ([^|]+?) \| (stopped|escapes) \| (stopped|escapes) \|$", re.MULTILINE)
SHAPE = """\
  - id: no-disguise
    text: Nothing is written in characters that hide what it says.
    because: A check reads characters.
    severity: major
    on_violation: refuse
    applies_to: [request, answer, tool_call]
    checks:
      - shape: {invisible: deny, control: deny, homoglyphs: deny}
"""


def _within(character: str) -> str:
    return f"{WORD[:5]}{character}{WORD[5:]}"


_BASE64 = base64.b64encode(WORD.encode()).decode()
DISGUISES = {
    "as it is": WORD,
    "a Cyrillic letter": WORD.replace("o", "\u043e"),
    "a zero-width space": _within("\u200b"),
    "a soft hyphen": _within("\u00ad"),
    "a word joiner": _within("\u2060"),
    "tag characters": _within("\U000e0020"),
    "a mark of direction": _within("\u202e"),
    "a variation selector": _within("\ufe0f"),
    "a combining grapheme joiner": _within("\u034f"),
    "full-width letters": "".join(chr(ord(each) + 0xFEE0) for each in WORD),
    "mathematical letters": "".join(chr(0x1D41A + ord(each) - ord("a")) for each in WORD),
    "capitals": WORD.upper(),
    "spaces between letters": " ".join(WORD),
    "a line break": _within("\n"),
    "Markdown marks": _within("**"),
    "digits for letters": "sw0rdf1sh",
    "backwards": WORD[::-1],
    "rot13": codecs.encode(WORD, "rot13"),
    "base64": _BASE64,
    "percent escapes": "".join(f"%{ord(each):02x}" for each in WORD),
    "HTML escapes": "".join(f"&#{ord(each)};" for each in WORD),
    "hexadecimal": WORD.encode().hex(),
}
SEEN: set[str] = set()


def answer(request: web.Request, body: dict) -> web.Response:
    said = body["messages"][-1]["content"]
    SEEN.add(said)
    text = DISGUISES[said.removeprefix("say ")] if said.startswith("say ") else "fine"
    return web.json_response({"choices": [{"message": {"role": "assistant", "content": text}}]})


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("disguises")
    (folder / "plain.yaml").write_text(LAW)
    (folder / "shaped.yaml").write_text(LAW + SHAPE)
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

    written = {name: (alone, shaped) for name, alone, shaped in _ROW.findall(PAGE.read_text(encoding="utf-8"))}
    assert asyncio.run(measured()) == written
