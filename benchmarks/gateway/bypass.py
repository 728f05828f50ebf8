"""Ways around a guard, tried on this gateway and on others beside it, all of them real servers.

    python -m benchmarks.gateway.bypass [--litellm ENV] [--nemo ENV] [--guardrails ENV] [--out FILE] [--table FILE]

Every hole of `tests/gateway/holes.py` (and a few that are ways past a gateway's paths) goes through every target twice:
with a word that nobody minds, and with the word that the target is told to stop (`guarded` says how each is told). What
is in a request escapes if the upstream gets it, what is in an answer if the client gets it; whole: a piece of it is not
counted, and neither is what an error says of it. Where the harmless one does not get through, the target does not offer
such a thing, or leaves it away, and nothing can escape. `--litellm`, `--nemo` and `--guardrails` name virtual
environments, as for `rig`; that of Guardrails AI has `guardrails-ai-ban-list` too.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import aiohttp
import uvloop
from aiohttp import web

from benchmarks.gateway import guarded
from benchmarks.gateway.guarded import HARMLESS, WORD
from benchmarks.gateway.speaker import FINE, Speaker
from benchmarks.gateway.targets import Running, Target
from tests.gateway.holes import CHAT, MESSAGES, RESPONSES, UNREAD, answered, asked, beside, disguised, user

_PATIENCE: Final = 120  # seconds for an answer
# What of each of `UNREAD` the upstream would look up; the others there bring nothing in.
_LOOKED_UP: Final = (
    "conv_1",
    "pmpt_1",
    "http://x/",
    "file_search",
    "file_id",
    "web_search",
    "item_reference",
    "mcp_servers",
)
_ERRORS: Final = ("error", "detail")
ESCAPES, STOPPED, NOT_OFFERED = "escapes", "stopped", "–"


class Hole(NamedTuple):
    """One request. `says` is what the upstream answers, after `others` that are fine; `marks` are what gets through,
    all of them, and `inside` says that it is in the request."""

    group: str
    name: str
    path: str
    body: dict[str, Any]
    marks: tuple[str, ...]
    inside: bool
    stream: bool = False
    says: dict[str, Any] = FINE
    others: int = 0


def holes(word: str) -> Iterator[Hole]:
    """All of them, with `word`, in the same order for any word."""
    for name, (path, body) in asked(word).items():
        marks = (word[:3], word[6:]) if "divided" in name else (word,)
        for stream in (False, True):
            yield Hole("in a request", name, path, body, marks, True, stream)
    for group, messages in (("in an answer", answered(word)), ("beside an answer", beside(word))):
        for name, message in messages.items():
            for path in (CHAT, MESSAGES, RESPONSES):
                for stream in (False, True):
                    says = {**FINE, **message}
                    yield Hole(group, f"{_FORM[path]}: {name}", path, _hello(path), (word,), False, stream, says)
    for stream in (False, True):
        body = {**_hello(CHAT), "n": 3}
        yield Hole("in an answer", "one of several choices", CHAT, body, (word,), False, stream, {"content": word}, 1)
    for name, text in disguised(word).items():
        body = {"messages": [user(text)]}
        yield Hole("in disguise, asked", name, CHAT, body, (text,), True)
        for stream in (False, True):
            says = {"content": text}
            yield Hole("in disguise, answered", name, CHAT, _hello(CHAT), (text,), False, stream, says)
    for path in ("/v1/embeddings", "/v1/completions"):
        field = "input" if path.endswith("embeddings") else "prompt"
        yield Hole("past the paths", path, path, {field: word}, (word,), True)
    for path in ("/openai/v1/chat/completions", "/openai/chat/completions", "/anthropic/v1/messages"):
        yield Hole("past the paths", path, path, {"messages": [user(word)], "max_tokens": 50}, (word,), True)


_FORM: Final = {CHAT: "chat", MESSAGES: "messages", RESPONSES: "responses"}


def _hello(path: str) -> dict[str, Any]:
    return {"input": "hi"} if path == RESPONSES else {"messages": [user("hi")]}


def strings(value: object) -> Iterator[str]:
    """Every text in a JSON value, and in the JSON that a text is."""
    if isinstance(value, str):
        yield value
        if value.lstrip()[:1] in ("{", "["):
            try:
                yield from strings(json.loads(value))
            except ValueError:
                return
    elif isinstance(value, dict):
        for key, each in value.items():
            yield key
            yield from strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)


def heard(text: str) -> list[str]:
    """The texts of an answer, those of a stream put together again. What an error says is none of it: some guards name
    the word that they stop."""
    try:
        return list(strings(_said(json.loads(text))))
    except ValueError:
        pass
    together: dict[tuple[object, ...], str] = {}

    def collect(value: object, way: tuple[object, ...]) -> None:
        if isinstance(value, str):
            together[way] = together.get(way, "") + value
        elif isinstance(value, dict):
            own = tuple(value.get(key) for key in ("index", "output_index", "content_index"))
            for key, each in value.items():
                collect(each, (*way, own, key))
        elif isinstance(value, list):
            for each in value:
                collect(each, way)

    for line in text.splitlines():
        if line.startswith("data:"):
            try:
                value = json.loads(line.removeprefix("data:"))
            except ValueError:
                continue
            collect(_said(value), (value.get("type") if isinstance(value, dict) else None,))
    return [each for whole in together.values() for each in strings(whole)]


def _said(value: object) -> object:
    """Without an error that it is, or holds."""
    if not isinstance(value, dict):
        return value
    return {} if value.get("type") == "error" else {key: each for key, each in value.items() if key not in _ERRORS}


async def passes(session: aiohttp.ClientSession, running: Running, speaker: Speaker, hole: Hole) -> tuple[bool, int]:
    """Whether all of the hole's marks get through, and the status."""
    speaker.asked, speaker.message, speaker.others = [], hole.says, hole.others
    base = running.url.removesuffix(CHAT)
    messages = hole.path.endswith("/messages")
    more = {"max_tokens": 50} if messages else {}
    model = "claude" if messages else running.model
    headers = {"authorization": f"Bearer {running.key}"}
    if messages:
        headers |= {"x-api-key": running.key, "anthropic-version": "2023-06-01"}
    streamed = {"stream": True} if hole.stream else {}
    text, status = "", 0
    try:
        body = {"model": model, **hole.body, **more, **streamed}
        async with session.post(base + hole.path, json=body, headers=headers) as response:
            status = response.status
            async for chunk in response.content.iter_any():
                text += chunk.decode("utf-8", "replace")
    except (aiohttp.ClientError, TimeoutError):
        pass  # what came until then counts
    found = [each for body in speaker.asked for each in strings(body)] if hole.inside else heard(text)
    return all(any(mark in each for each in found) for mark in hole.marks), status


async def attack(running: Running, speaker: Speaker) -> list[dict[str, Any]]:
    """What came of every hole."""
    found = []
    limits = aiohttp.ClientTimeout(total=_PATIENCE)
    async with aiohttp.ClientSession(timeout=limits) as session:
        for harmless, hole in zip(holes(HARMLESS), holes(WORD), strict=True):
            offered, as_usual = await passes(session, running, speaker, harmless)
            got, status = await passes(session, running, speaker, hole) if offered else (False, 0)
            outcome = NOT_OFFERED if not offered else ESCAPES if got else STOPPED
            about = {"group": hole.group, "name": hole.name, "stream": hole.stream, "outcome": outcome}
            found.append({**about, "status": status, "status_of_the_harmless": as_usual})
        found += await _unread(session, running, speaker)
    return found


async def _unread(session: aiohttp.ClientSession, running: Running, speaker: Speaker) -> list[dict[str, Any]]:
    """What brings in content that nobody has read: it escapes if it reaches the upstream."""
    found = []
    for name, (path, body) in UNREAD.items():
        text = json.dumps(body)
        marks = tuple(mark for mark in _LOOKED_UP if mark in text)
        if not marks:
            continue
        offered, as_usual = await passes(session, running, speaker, Hole("", "", path, _hello(path), ("hi",), True))
        got, status = await passes(session, running, speaker, Hole("", "", path, body, marks, True))
        outcome = NOT_OFFERED if not offered else ESCAPES if got else STOPPED
        about = {"group": "not read by anybody", "name": name, "stream": False, "outcome": outcome}
        found.append({**about, "status": status, "status_of_the_harmless": as_usual})
    return found


def summary(found: dict[str, list[dict[str, Any]]]) -> Iterator[str]:
    """Counts by group."""
    yield "| holes | " + " | ".join(found) + " |"
    yield "|---|" + "--:|" * len(found)
    groups = dict.fromkeys(each["group"] for one in found.values() for each in one)
    for group in (*groups, "all"):
        cells = []
        for one in found.values():
            mine = [each["outcome"] for each in one if group in (each["group"], "all")]
            cells.append(f"{mine.count(ESCAPES)} of {len(mine) - mine.count(NOT_OFFERED)}")
        yield f"| {group} | " + " | ".join(cells) + " |"


def table(found: dict[str, list[dict[str, Any]]]) -> Iterator[str]:
    """Every hole in a row."""
    yield "| | hole | " + " | ".join(found) + " |"
    yield "|---|---|" + "---|" * len(found)
    cells: dict[tuple[str, str], dict[str, list[tuple[bool, str]]]] = {}
    for target, one in found.items():
        for each in one:
            row = cells.setdefault((each["group"], each["name"]), {})
            row.setdefault(target, []).append((each["stream"], each["outcome"]))
    for (group, name), row in cells.items():
        yield f"| {group} | {name} | " + " | ".join(_cell(row.get(target, [])) for target in found) + " |"


def _cell(ends: list[tuple[bool, str]]) -> str:
    if len({outcome for _, outcome in ends}) == 1:
        return ends[0][1]
    return "; ".join(f"{'streamed' if stream else 'whole'}: {outcome}" for stream, outcome in ends)


async def run(targets: dict[str, Target]) -> dict[str, list[dict[str, Any]]]:
    speaker, found = Speaker(), {}
    runner = web.AppRunner(speaker.app(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    upstream = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    for name, target in targets.items():
        with tempfile.TemporaryDirectory() as folder:
            serving = target(upstream, Path(folder))
            try:
                running = await asyncio.to_thread(serving.__enter__)
            except RuntimeError as error:
                sys.stderr.write(f"{name} did not start: {error}\n")
                continue
            try:
                found[name] = await attack(running, speaker)
            finally:
                await asyncio.to_thread(serving.__exit__, None, None, None)
        ends = [each["outcome"] for each in found[name]]
        sys.stderr.write(f"{name}: {ends.count(ESCAPES)} of {len(ends)} escape\n")
    await runner.cleanup()
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    for peer in ("litellm", "nemo", "guardrails"):
        parser.add_argument(f"--{peer}", type=Path, metavar="ENV")
    parser.add_argument("--only", metavar="NAME", help="this target alone")
    parser.add_argument("--out", type=Path, help="where what came of each hole goes, as JSON")
    parser.add_argument("--table", type=Path, help="where the table of all holes goes, as Markdown")
    given = parser.parse_args()
    targets: dict[str, Target] = {"ours": guarded.ours(), "ours, in a window": guarded.ours("stream: window")}
    for name, peer in (
        ("LiteLLM", guarded.litellm),
        ("NeMo Guardrails", guarded.nemo),
        ("Guardrails AI", guarded.guardrails),
    ):
        if where := getattr(given, peer.__name__):
            targets[name] = peer(where.absolute())
    if given.only:
        targets = {name: target for name, target in targets.items() if name == given.only}
    found = uvloop.run(run(targets))
    about = {"date": time.strftime("%Y-%m-%d %H:%M"), "word": WORD, "load_average": round(os.getloadavg()[0], 1)}
    if given.out:
        given.out.write_text(json.dumps({"about": about, "found": found}, indent=1, ensure_ascii=False) + "\n")
    if given.table:
        given.table.write_text("\n".join(table(found)) + "\n")
    sys.stdout.write("\n".join(summary(found)) + "\n")


if __name__ == "__main__":
    main()
