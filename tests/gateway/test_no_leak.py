"""No leak: what the bundled constitutions say is a violation, as an upstream's answer cut in two anywhere. Whole or
as a held stream, none of it is given away; where the law cuts out, none of what it cuts."""

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from lawspeaker.checks.assess import assess
from lawspeaker.checks.registry import KINDS
from lawspeaker.constitution.load import load
from lawspeaker.decision import decide
from lawspeaker.deliberation.redaction import redact
from lawspeaker.exchange import Exchange, Message, Part, Text, ToolCall, ask
from lawspeaker.finding import by_principle
from tests.gateway.served import Served, serving
from tests.gateway.upstream import background

LAWS = ("agents", "assistant", "data-protection", "infrastructure")
PATHS = ("/v1/chat/completions", "/v1/messages", "/v1/responses")
WINDOW = 12  # characters of a violation in a row that count as leaked, or all of a shorter one
_SAID = ("content", "refusal", "text", "delta", "arguments", "partial_json", "thinking")
_REFUSAL = re.compile(
    r"No answer( yet)?: the principles? ([a-z0-9, -]+) (would not|could not) [a-z ]+\. Decision \w+\."
)


class Violation:
    """One case: the parts that an upstream answers, the principle that they violate, and what is left of them where the
    law cuts out and lets go (None where it does not)."""

    def __init__(self, law: str, principle: str, parts: tuple[Part, ...], left: tuple[Part, ...] | None) -> None:
        self.law, self.principle, self.parts, self.left = law, principle, parts, left
        self.words = "\n".join(part.text for part in parts if isinstance(part, Text))
        self.calls = [part for part in parts if isinstance(part, ToolCall)]

    def message(self) -> dict:
        calls = [
            {"id": f"c{at}", "type": "function", "function": {"name": call.name, "arguments": call.text}}
            for at, call in enumerate(self.calls)
        ]
        return {"role": "assistant", "content": self.words or None, **({"tool_calls": calls} if calls else {})}


def _violations() -> list[Violation]:
    """The cases that the deterministic checks decide by the answer alone, and that the law does not let out whole."""
    found = []
    for name in LAWS:
        law = load(name, kinds=KINDS)
        for principle in law.principles:
            for case in principle.cases:
                answer = case.exchange.messages[case.exchange.answer_start :]
                parts = tuple(
                    Text(part.text) if isinstance(part, Text) else part  # an upstream names no file
                    for message in answer
                    for part in message.parts
                    if isinstance(part, Text | ToolCall)
                )
                exchange = Exchange((*ask("case").messages, Message("assistant", parts)))
                findings = asyncio.run(assess(exchange, law))
                if not parts or by_principle(findings).get(principle.id) != "violated":
                    continue
                left = redact(exchange, findings, law)
                if decide(asyncio.run(assess(left, law)), law).action != "release":
                    found.append(Violation(name, principle.id, parts, None))
                elif left != exchange:
                    found.append(Violation(name, principle.id, parts, left.messages[-1].parts))
    return found


VIOLATIONS = _violations()


async def _cut(request: web.Request, body: dict) -> web.StreamResponse:
    """The answer in two writes, cut at the byte that the request names (wherever that falls in a character)."""
    which, at = map(int, body["messages"][-1]["content"].split()[1:])
    reply = {"choices": [{"message": VIOLATIONS[which].message(), "finish_reason": "stop"}]}
    data = json.dumps(reply, ensure_ascii=False).encode()
    at %= len(data)
    response = web.StreamResponse(headers={"content-type": "application/json"})
    await response.prepare(request)
    for piece in (data[:at], data[at:]):
        if piece:
            await response.write(piece)
    return response


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("leak")
    with background(_cut) as base:
        routes = [f"  - {{name: {law}, model: '{base}#tiny', constitution: {law}, rounds: 0}}\n" for law in LAWS]
        (folder / "lawspeaker.yaml").write_text("routes:\n" + "".join(routes))
        with serving(folder, "--config", "lawspeaker.yaml") as served:
            yield served


def _strings(value: object, *, wanted: bool) -> Iterator[str]:
    """The strings in `value` that hold what was said; all of them where everything is wanted."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _strings(each, wanted=wanted or (name in _SAID and isinstance(each, str)) or name == "input")
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each, wanted=wanted)
    elif isinstance(value, str) and wanted:
        yield value


def said_of(text: str, *, stream: bool) -> str:
    """What a client reads, with the pieces of a stream joined; and after it every string there is."""
    lines = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: {")]
    bodies = [json.loads(line) for line in (lines if stream else [text])]
    both = ["".join(word for body in bodies for word in _strings(body, wanted=all)) for all in (False, True)]
    return "\n".join(both)


def _windows(text: str) -> set[str]:
    return {text[at : at + WINDOW] for at in range(max(1, len(text) - WINDOW + 1))}


def test_there_is_something_to_leak() -> None:
    assert {violation.law for violation in VIOLATIONS} >= {"agents", "data-protection", "infrastructure"}
    assert any(violation.calls for violation in VIOLATIONS)
    assert len(VIOLATIONS) >= 80


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", PATHS)
def test_nothing_of_a_violation_leaves(up: Served, path: str, stream: bool) -> None:
    async def one(session: aiohttp.ClientSession, which: int, few: asyncio.Semaphore) -> str:
        violation = VIOLATIONS[which]
        text = f"case {which} {which * 7919 + 31 * PATHS.index(path) + 13 * stream}"
        ask = {"input": text} if path.endswith("responses") else {"messages": [{"role": "user", "content": text}]}
        more = {"max_tokens": 50} if path.endswith("messages") else {}
        body = {"model": violation.law, "stream": stream, **ask, **more}
        async with few, session.post(up.base + path, json=body) as response:
            assert response.status == 200
            return await response.text()

    async def every() -> list[str]:
        few = asyncio.Semaphore(8)
        async with aiohttp.ClientSession() as session:
            return await asyncio.gather(*(one(session, which, few) for which in range(len(VIOLATIONS))))

    for violation, text in zip(VIOLATIONS, asyncio.run(every()), strict=True):
        kept = said_of(text, stream=stream)
        if violation.left is None:
            refusal = _REFUSAL.search(kept)
            assert refusal, text
            kept = kept.replace(refusal[0], "")
        forbidden = {window for part in violation.parts for window in _windows(part.text)}
        for part in violation.left or ():
            forbidden -= _windows(part.text)
        leaked = {window for window in forbidden if window in kept}
        assert not leaked, (violation.principle, leaked, text)
