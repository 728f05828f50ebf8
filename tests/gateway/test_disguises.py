"""A forbidden word in disguise, asked and answered: what is stopped and what escapes is as docs/gateway.md says."""

import asyncio
import base64
import codecs
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from tests.gateway.served import Served, serving
from tests.gateway.upstream import LAW, background

WORD = "swordfish"
# The law's pattern as it is, and in any case of its letters.
LAWS = {"plain": LAW, "folded": LAW.replace('"swordfish"', '"(?i)swordfish"')}
PAGE = Path(__file__).parents[2] / "docs" / "gateway.md"
_ROW = re.compile(r"^\| ([^|]+?) \| (stopped|escapes) \| (stopped|escapes) \|$", re.MULTILINE)


def _within(character: str) -> str:
    return f"{WORD[:5]}{character}{WORD[5:]}"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


_SAID = f"the word is {WORD}, and no other".encode()
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
    "letters struck out": "".join(f"{each}\u0336" for each in WORD),
    "full-width letters": "".join(chr(ord(each) + 0xFEE0) for each in WORD),
    "mathematical letters": "".join(chr(0x1D41A + ord(each) - ord("a")) for each in WORD),
    "circled letters": "".join(chr(0x24D0 + ord(each) - ord("a")) for each in WORD),
    "accents": WORD.replace("o", "\u00f6").replace("i", "\u00ec"),
    "tag characters alone": "".join(chr(0xE0000 + ord(each)) for each in WORD),
    "capitals": WORD.upper(),
    "spaces between letters": " ".join(WORD),
    "dots between letters": ".".join(WORD),
    "a line break": _within("\n"),
    "a hyphen and a line break": _within("-\n"),
    "Markdown marks": _within("**"),
    "an HTML tag": _within("<b>"),
    "digits for letters": "sw0rdf1sh",
    "backwards": WORD[::-1],
    "rot13": codecs.encode(WORD, "rot13"),
    "base64": _base64(WORD.encode()),
    "base64 in a path": f"files/{_base64(WORD.encode())}",
    "base64 over lines": base64.encodebytes(b"hear " * 11 + _SAID).decode(),
    "base64 of base64": _base64(_base64(_SAID).encode()),
    "base64 of UTF-16": _base64(WORD.encode("utf-16-le")),
    "base32": base64.b32encode(WORD.encode()).decode(),
    "percent escapes": "".join(f"%{ord(each):02x}" for each in WORD),
    "one percent escape": WORD.replace("o", "%6F"),
    "HTML escapes": "".join(f"&#{ord(each)};" for each in WORD),
    "Unicode escapes": "".join(f"\\u{ord(each):04x}" for each in WORD),
    "hexadecimal": WORD.encode().hex(),
    "octal escapes": "".join(f"\\{ord(each):03o}" for each in WORD),
    "small capitals": "\ua731\u1d21\u1d0f\u0280\u1d05\ua730\u026a\ua731\u029c",
    "binary": " ".join(f"{ord(each):08b}" for each in WORD),
    "Morse code": "... .-- --- .-. -.. ..-. .. ... ....",
    "decimal codes": " ".join(str(ord(each)) for each in WORD),
    "pieces in quotes": f'"{WORD[:5]}" + "{WORD[5:]}"',
    "base85": base64.b85encode(WORD.encode()).decode(),
    "the first letters of lines": "\n".join(f"{each} is for" for each in WORD),
    "letters upside down": "\u0265s\u1d09\u025fp\u0279o\u028ds",
    "compression": _base64(zlib.compress(WORD.encode())),
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
