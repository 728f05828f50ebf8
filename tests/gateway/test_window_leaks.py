"""No leak through a window: every violation that the bundled constitutions describe and a window can enforce, cut at
every character. Never more than the printed bound leaves; and through the real gateway, on every surface, nothing."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import msgspec
import pytest
from aiohttp import web

from lawspeaker.checks.assess import assess
from lawspeaker.checks.registry import KINDS
from lawspeaker.checks.streams import plan_stream
from lawspeaker.constitution.load import load
from lawspeaker.constitution.schema import Constitution
from lawspeaker.deliberation.redaction import redact
from lawspeaker.deliberation.window import Window
from lawspeaker.exchange import Exchange, Message, Text, ask
from tests.gateway.holes import disguised
from tests.gateway.served import Served, serving
from tests.gateway.test_no_leak import LAWS, PATHS, VIOLATIONS, said_of
from tests.gateway.upstream import background

FLOWING = ("agents", "data-protection")
RETAINED = (None, 0, 16, 200)


class Words:
    """The words of one case, under a law of its principle alone: what of them is a violation, and what is left."""

    def __init__(self, name: str, law: Constitution, text: str) -> None:
        self.name, self.law, self.text = name, law, text
        exchange = Exchange((Message("assistant", (Text(text),)),))
        findings = asyncio.run(assess(exchange, law))
        spans = [span for each in findings if each.outcome == "violated" for span in each.spans]
        self.spans = sorted((span.start, span.end) for span in spans)
        self.left = redact(exchange, findings, law).answer


def _words() -> list[Words]:
    """A principle that is revised cannot flow; here it refuses instead, so that its checks are tried too."""
    found = []
    seen = set()  # laws extend one another
    for name in LAWS:
        law = load(name, kinds=KINDS)
        for principle in law.principles:
            if principle.id in seen:
                continue
            seen.add(principle.id)
            done = "refuse" if principle.on_violation in {"revise", "note"} else principle.on_violation
            alone = msgspec.structs.replace(principle, on_violation=done, applies_to=("answer",), otherwise="refuse")
            only = Constitution(law.name, law.version, (alone,))
            if plan_stream(only).held:
                continue
            for case in principle.cases:
                parts = [p for m in case.exchange.messages[case.exchange.answer_start :] for p in m.parts]
                text = "\n".join(part.text for part in parts)
                words = Words(f"{name}/{principle.id}/{case.name}", only, text)
                if words.spans:
                    found.append(words)
    return found


WORDS = _words()


def _leaked(words: Words, released: str, stopped: bool) -> int:
    """How many characters of a violation are in what was released."""
    if not stopped and words.left.startswith(released):
        return 0
    same = next((at for at, (a, b) in enumerate(zip(words.text, released, strict=False)) if a != b), len(released))
    return max((min(end, same) - start for start, end in words.spans if start < same), default=0)


def _flow(words: Words, retain: int | None, pieces: list[str]) -> int:
    window = Window(plan_stream(words.law, retain))
    for piece in pieces:
        window.take(piece)
    return _leaked(words, window.released, bool(window.stopped))


def test_the_cases_are_many() -> None:
    assert len(WORDS) >= 40
    assert len({words.name.split("/")[1] for words in WORDS}) >= 14


@pytest.mark.parametrize("words", WORDS, ids=lambda words: words.name.replace("/", "_").replace(" ", "_"))
def test_never_more_than_the_bound_leaves(words: Words) -> None:
    for retain in RETAINED:
        plan = plan_stream(words.law, retain)
        if plan.held:  # a pattern without a longest match: refused, as it has no bound
            assert retain is not None
            continue
        bound = plan.principles[0].leak
        assert _flow(words, retain, list(words.text)) <= bound
        for cut in range(len(words.text)) if retain in (None, 16) else ():
            assert _flow(words, retain, [words.text[:cut], words.text[cut:]]) <= bound


def _house() -> Constitution:
    """A law of one pattern, for one word."""
    settings = {"deny": "(?i)swordfish", "reason": "It is said."}
    principle = load("data-protection", kinds=KINDS).principles[0]
    check = msgspec.structs.replace(
        principle.checks[0], kind="pattern", settings=settings, check=KINDS["pattern"].prepare(settings, principle.id)
    )
    alone = msgspec.structs.replace(principle, on_violation="refuse", applies_to=("answer",), checks=(check,), cases=())
    return Constitution("house", "1.0.0", (alone,))


HOUSE = _house()


@pytest.mark.parametrize("name", disguised("swordfish"))
def test_what_is_in_disguise_does_not_leave_either(name: str) -> None:
    text = disguised("swordfish")[name]
    window = Window(plan_stream(HOUSE))
    for sign in f"Well, that is:\n{text}\nand no more of it, as it was said.\n":
        window.take(sign)
    assert window.stopped
    assert window.released.removesuffix("files") in "Well, that is:\n"  # the name of a folder before a code is none


async def _answer(request: web.Request, body: dict) -> web.StreamResponse:
    """The case as a stream of small events, written in pieces that are cut at any byte."""
    which, size = map(int, body["messages"][-1]["content"].split()[1:])
    violation = VIOLATIONS[which]
    message = violation.message()
    deltas = [{"content": violation.words[at : at + 7]} for at in range(0, len(violation.words), 7)]
    for index, call in enumerate(message.get("tool_calls", ())):
        name, given = call["function"]["name"], call["function"]["arguments"]
        deltas.append({"tool_calls": [{"index": index, "id": call["id"], "function": {"name": name}}]})
        for at in range(0, len(given), 5):
            deltas.append({"tool_calls": [{"index": index, "function": {"arguments": given[at : at + 5]}}]})
    events = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    events.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    data = "".join(f"data: {json.dumps(event, ensure_ascii=False)}\n\n" for event in events).encode()
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    for at in range(0, len(data), size):
        await response.write(data[at : at + size])
        await asyncio.sleep(0)
    await response.write(b"data: [DONE]\n\n")
    return response


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("windows")
    with background(_answer) as base:
        route = "  - {{name: {law}, model: '{base}#tiny', constitution: {law}, stream: window}}\n"
        routes = "".join(route.format(law=law, base=base) for law in FLOWING)
        (folder / "lawspeaker.yaml").write_text("routes:\n" + routes)
        with serving(folder, "--config", "lawspeaker.yaml") as served:
            yield served


@pytest.mark.parametrize("path", PATHS)
def test_through_the_gateway_nothing_leaves(up: Served, path: str) -> None:
    mine = [(at, violation) for at, violation in enumerate(VIOLATIONS) if violation.law in FLOWING]

    async def one(session: aiohttp.ClientSession, which: int, few: asyncio.Semaphore) -> str:
        text = f"case {which} {97 + which * 13 % 211}"
        ask = {"input": text} if path.endswith("responses") else {"messages": [{"role": "user", "content": text}]}
        more = {"max_tokens": 50} if path.endswith("messages") else {}
        body = {"model": VIOLATIONS[which].law, "stream": True, **ask, **more}
        async with few, session.post(up.base + path, json=body) as response:
            assert response.status == 200
            return await response.text()

    async def every() -> list[str]:
        few = asyncio.Semaphore(8)
        async with aiohttp.ClientSession() as session:
            return await asyncio.gather(*(one(session, which, few) for which, _ in mine))

    for (_, violation), text in zip(mine, asyncio.run(every()), strict=True):
        kept = said_of(text, stream=True)
        exchange = Exchange((*ask("case").messages, Message("assistant", violation.parts)))
        findings = asyncio.run(assess(exchange, load(violation.law, kinds=KINDS)))
        spans = [span for each in findings if each.outcome == "violated" for span in each.spans]
        assert spans
        for span in spans:
            said = exchange.messages[span.message].parts[span.part].text[span.start : span.end]
            assert said not in kept, violation.principle
            assert len(said) < 16 or said[:16] not in kept, violation.principle
        if violation.left is None:
            assert "No answer" in kept
        else:
            assert violation.left[0].text in kept
