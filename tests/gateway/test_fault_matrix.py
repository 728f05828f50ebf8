"""Each fault, on each surface, streamed and not: the outcome that docs/gateway.md declares, every time.

The faults are real: servers that are down, slow, cut off or talk nonsense, a check of another package that crashes or
hangs, a file system that takes no more bytes, a client that hangs up.
"""

import asyncio
import json
import os
import re
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import aiohttp
import pytest
from aiohttp import web

from lawspeaker.audit.reader import LogReader
from lawspeaker.audit.verify import verify
from tests.gateway.served import Served, serving
from tests.gateway.test_workers import _holder
from tests.gateway.upstream import background
from tests.models.served import cut

PAGE = Path(__file__).parents[2] / "docs" / "gateway.md"
_ROW = re.compile(r"^\| ([^|]+?) \| ([^|]+?) \| `([^|`]+)` \|$", re.MULTILINE)
WAYS = [(surface, stream) for surface in ("chat", "responses", "messages") for stream in (False, True)]
SAID = "the-answer-that-was-drafted"


class Fault(NamedTuple):
    """What goes wrong: which route is asked for what, the status, and the records that there are then."""

    route: str
    text: str
    outcome: str
    records: str


FAILED = ("502", "opened, failed")
ESCALATED = ("a refusal: escalated", "opened, decision")
REFUSED = ("a refusal", "opened, decision")
# as the page has them, but for those that need a server of their own
FAULTS = {
    "the upstream is down": Fault("down", "hello", *FAILED),
    "the upstream is slow": Fault("plain", "slow", *FAILED),
    "the upstream's answer is cut off": Fault("plain", "cut", *FAILED),
    "the upstream hangs up without a word": Fault("plain", "hang up", *FAILED),
    "the upstream's answer is not JSON": Fault("plain", "html", *FAILED),
    "the upstream's answer is JSON of another form": Fault("plain", "form", *FAILED),
    "the upstream's answer is empty": Fault("plain", "empty", *FAILED),
    "the upstream rejects the gateway's key (401)": Fault("plain", "401", *FAILED),
    "the upstream answers an odd status (418)": Fault("plain", "418", *FAILED),
    "the upstream rejects the request (422)": Fault("plain", "422", "400", "opened, failed"),
    "the upstream answers 429 or 500 each time": Fault("plain", "500", *FAILED),
    "the judge is down": Fault("judge-down", "hello", *ESCALATED),
    "the judge is slow": Fault("judge-slow", "hello", *ESCALATED),
    "the judge talks nonsense": Fault("judge-html", "hello", *ESCALATED),
    "the judge gives no verdict": Fault("judge-words", "hello", *ESCALATED),
    "the critic is down": Fault("critic-down", "hello", *REFUSED),
    "the model fails when it is to revise": Fault("revises", "hello", *REFUSED),
    "a check crashes": Fault("crashes", "hello", *ESCALATED),
    "a check hangs": Fault("hangs", "hello", *ESCALATED),
    "a check ends its process": Fault("exits", "hello", *ESCALATED),
    "a check talks nonsense": Fault("babbles", "hello", *ESCALATED),
}
ELSEWHERE = {
    "the disk of the log is full, until a restart": ("503", "none"),
    "the process that owns the log is killed": ("the answer", "opened, decision"),
    "the client leaves": ("nothing: it is abandoned", "opened"),
}
KINDS = ("crashes", "hangs", "exits", "babbles", "peeks")  # of a package that is installed
LAW = """\
name: {name}
version: 1.0.0
summary: For these tests.
principles:
  - id: one
    text: The thing is upheld.
    because: It matters.
    severity: major
    on_violation: {action}
    {more}
    applies_to: [answer]
    checks: [{check}]
"""
_DENY = f"{{pattern: {{deny: ['{SAID}'], reason: It is said.}}}}"
LAWS = {
    "plain": ("refuse", "", "{pattern: {deny: [swordfish], reason: It is said.}}"),
    "judged": ("refuse", "", "{judge: {ask: Is it said?, when: always}}"),
    "revised": ("revise", "otherwise: refuse", _DENY),
    **{name: ("refuse", "", f"{{{name}: true}}") for name in KINDS},
}
PACKAGE = """
import os, time

from lawspeaker.finding import Finding

class Check:
    def __init__(self, name, principle): self.name, self.principle = name, principle
    def examine(self, exchange, scopes):
        if self.name == "crashes": raise RuntimeError("the-answer-that-was-drafted")
        if self.name == "hangs": time.sleep(60)
        if self.name == "exits": os._exit(0)
        if self.name == "peeks":
            seen = [value for value in os.environ.values() if "key-of-this-test" in value]
            return [Finding(self.principle, "peeks", "violated" if seen else "upheld", "It looked around.")]
        return ["nonsense"]

class Kind:
    version, schema = "1", {}
    def prepare(self, settings, principle): return Check(self.name, principle)
    def overrules(self, settings): return False
    def loosened(self, base, extended): return None

""" + "".join(f"class {name.title()}(Kind): name = '{name}'\n" for name in KINDS)


def _says(content: object) -> web.Response:
    return web.json_response({"choices": [{"message": {"role": "assistant", "content": content}}]})


async def _slow() -> web.Response:
    await asyncio.sleep(30)
    return _says(SAID)


async def _hang_up(request: web.Request) -> web.Response:
    request.transport.close()
    return web.Response()


FAILURES: dict[str, Callable[[web.Request], object]] = {
    "slow": lambda request: _slow(),
    "cut": cut,
    "hang up": _hang_up,
    "html": lambda request: web.Response(text="<html>"),
    "form": lambda request: web.json_response({"answer": SAID}),
    "empty": lambda request: _says(""),
    "words": lambda request: _says("Well, that depends."),
    **{str(code): lambda request, code=code: web.Response(status=code, text=SAID) for code in (401, 418, 422, 500)},
}


def answer(request: web.Request, body: dict) -> object:
    """The model, the judge or the critic: the name that it is asked by, or what is said, tells how it fails."""
    said = body["messages"][-1]["content"]
    how = body["model"] if body["model"] != "model" else said
    if how in FAILURES:
        return FAILURES[how](request)
    # whoever revises is asked in other words than a client
    return _says(SAID) if said in ("hello", "canary") else web.Response(status=418)


def _install(folder: Path) -> str:
    (folder / "faulty.py").write_text(PACKAGE)
    about = folder / "faulty-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: faulty\nVersion: 1.0\n")
    points = "".join(f"{name} = faulty:{name.title()}\n" for name in KINDS)
    (about / "entry_points.txt").write_text("[lawspeaker.checks]\n" + points)
    return os.pathsep.join([str(folder), os.environ["PYTHONPATH"]])


def _config(base: str) -> str:
    model, down = f"'{base}#model'", "'http://127.0.0.1:9/v1#down'"
    routes = {
        "plain": f"model: {model}, constitution: plain.yaml",
        "down": f"model: {down}, constitution: plain.yaml",
        "revises": f"model: {model}, constitution: revised.yaml",
        "critic-down": f"model: {model}, critic: {down}, constitution: revised.yaml",
        "judge-down": f"model: {model}, judge: {down}, constitution: judged.yaml",
    }
    for how in ("slow", "html", "words"):
        routes[f"judge-{how}"] = f"model: {model}, judge: '{base}#{how}', constitution: judged.yaml"
    for how in KINDS:
        routes[how] = f"model: {model}, constitution: {how}.yaml"
    budgets = {"peeks": 60}
    lines = [
        f"  - {{name: {name}, timeout: 2.5, budget: {budgets.get(name, 2.5)}, {rest}}}\n"
        for name, rest in routes.items()
    ]
    return f"checks: [{', '.join(KINDS)}]\nroutes:\n" + "".join(lines)


def _write_laws(folder: Path) -> None:
    for name, (action, more, check) in LAWS.items():
        (folder / f"{name}.yaml").write_text(LAW.format(name=name, action=action, more=more, check=check))


class Told(NamedTuple):
    status: int
    headers: dict[str, str]
    text: str


async def _ask(session: aiohttp.ClientSession, base: str, way: tuple[str, bool], route: str, text: str) -> Told:
    surface, stream = way
    turn = [{"role": "user", "content": text}]
    path, body = {
        "chat": ("/v1/chat/completions", {"messages": turn}),
        "responses": ("/v1/responses", {"input": text}),
        "messages": ("/v1/messages", {"messages": turn, "max_tokens": 100}),
    }[surface]
    async with session.post(base + path, json={"model": route, "stream": stream, **body}) as response:
        return Told(response.status, {k.lower(): v for k, v in response.headers.items()}, await response.text())


def _kinds(home: Path, told: Told) -> str:
    with LogReader(home) as reader:
        return ", ".join(leaf.record.kind for leaf in reader.history(told.headers["x-lawspeaker-decision"]))


def _error(told: Told) -> dict:
    """The error in native form, as a whole answer or as the last event of a stream."""
    events = [line[6:] for line in told.text.splitlines() if line.startswith("data: {")]
    data = json.loads(events[-1] if events else told.text)
    return data.get("error") or data.get("response", {}).get("error") or data


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict]]:
    """Every fault on every surface, all at once: who waits for one fault must not hold up another."""
    folder = tmp_path_factory.mktemp("matrix")
    paths = _install(folder)
    _write_laws(folder)

    async def run(base: str) -> dict:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(60)) as session:
            asked = [(name, way) for name in FAULTS for way in WAYS]
            each = (_ask(session, base, way, FAULTS[name].route, FAULTS[name].text) for name, way in asked)
            told = dict(zip(asked, await asyncio.gather(*each), strict=True))
            told["peeks"] = await _ask(session, base, WAYS[0], "peeks", "hello")
            return told

    with background(answer) as base:
        (folder / "lawspeaker.yaml").write_text(_config(base))
        key = "key-of-this-test-which-no-check-sees"
        with serving(folder, "--config", "lawspeaker.yaml", PYTHONPATH=paths, LAWSPEAKER_MODEL_KEY=key) as served:
            told = asyncio.run(run(served.base))
            code, err = served.stop()
    assert (code, "Traceback" in err, SAID in err) == (0, False, False), err
    yield served.home, told


@pytest.mark.parametrize("way", WAYS, ids=lambda way: f"{way[0]}{'-stream' if way[1] else ''}")
@pytest.mark.parametrize("name", FAULTS)
def test_each_ends_as_declared(found: tuple[Path, dict], name: str, way: tuple[str, bool]) -> None:
    home, fault, told = found[0], FAULTS[name], found[1][name, way]
    id = told.headers["x-lawspeaker-decision"]
    assert _kinds(home, told) == fault.records
    assert SAID not in told.text
    if fault.outcome.isdecimal():
        error = _error(told)
        kinds = {"502": ("server_error", "api_error"), "400": ("invalid_request_error",)}
        assert error.get("type", error.get("code")) in kinds[fault.outcome]
        assert id in error["message"]
        assert ("x-should-retry" in told.headers) == (fault.outcome == "400")
        assert told.status == int(fault.outcome) or (way[1] and told.status == 200)  # it has shown a sign of life
        return
    assert told.status == 200
    assert f"Decision {id}." in told.text
    with LogReader(home) as reader:
        decided = reader.history(id)[-1].record.facts
    assert decided["action"] == ("escalate" if "escalated" in fault.outcome else "refuse")
    assert decided["because"] == ["one"]


def test_a_check_of_another_package_sees_no_key(found: tuple[Path, dict]) -> None:
    assert SAID in found[1]["peeks"].text


def test_the_page_declares_what_is_tested() -> None:
    page = PAGE.read_text(encoding="utf-8").partition("## When something fails\n")[2]
    declared = {name: (outcome, records) for name, outcome, records in _ROW.findall(page)}
    tested = {name: (fault.outcome, fault.records) for name, fault in FAULTS.items()}
    assert declared == {**tested, **ELSEWHERE}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk(tmp_path: Path, workers: int) -> None:
    _write_laws(tmp_path)

    async def run(served: Served) -> list[Told]:
        async with aiohttp.ClientSession() as session:
            before = await _ask(session, served.base, WAYS[0], "model", "hello")
            assert before.status == 200
            owner = _holder(served) if workers > 1 else served.process.pid
            resource.prlimit(owner, resource.RLIMIT_FSIZE, (served.home.joinpath("log.db-wal").stat().st_size, -1))
            told = [await _ask(session, served.base, way, "model", "hello") for way in WAYS]
            resource.prlimit(owner, resource.RLIMIT_FSIZE, (-1, -1))  # room again changes nothing for this process
            told += [await _ask(session, served.base, way, "model", "hello") for way in WAYS]
            async with session.get(served.base + "/readyz") as ready, session.get(served.base + "/healthz") as alive:
                assert (ready.status, alive.status) == (503, 200)
            async with session.get(served.base + "/metrics") as counters:
                assert "\nlawspeaker_log_down 1\n" in await counters.text()
            return [before, *told]

    with background(answer) as base:
        options = ("--upstream", f"{base}#model", "--constitution", "plain.yaml", "--workers", str(workers))
        with serving(tmp_path, *options) as served:
            before, *told = asyncio.run(run(served))
            code, err = served.stop()
    assert (code, "Traceback" in err) == (0, False), err
    for each in told:
        assert each.status == 503
        assert each.headers["x-should-retry"] == "false"
        assert SAID not in each.text
    assert _kinds(served.home, before) == "opened, decision"
    report = verify(served.home)
    assert (report.ok, report.size) == (True, 2), report.problems


def test_the_owner_of_the_log_is_killed(tmp_path: Path) -> None:
    _write_laws(tmp_path)

    async def run(served: Served) -> list[Told]:
        async with aiohttp.ClientSession() as session:
            os.kill(_holder(served), 9)
            return await asyncio.gather(*(_ask(session, served.base, way, "model", "hello") for way in WAYS))

    with background(answer) as base:
        options = ("--upstream", f"{base}#model", "--constitution", "plain.yaml", "--workers", "2")
        with serving(tmp_path, *options) as served:
            told = asyncio.run(run(served))
            served.stop()
    assert [(each.status, SAID in each.text, _kinds(served.home, each)) for each in told] == [
        (200, True, "opened, decision")
    ] * len(WAYS)


def test_a_client_that_leaves(tmp_path: Path) -> None:
    """What it asked for is abandoned: nothing goes on, and what was opened stays."""
    _write_laws(tmp_path)

    async def run(served: Served) -> str:
        async with aiohttp.ClientSession() as session:
            for way in WAYS:
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(_ask(session, served.base, way, "model", "slow"), 0.7)
            end = time.monotonic() + 5
            while True:
                async with session.get(served.base + "/metrics") as response:
                    counted = re.findall(r'outcome="abandoned",.*?} (\d+)', await response.text())
                if sum(map(int, counted)) == len(WAYS) or time.monotonic() > end:
                    return counted

    with (
        background(answer) as base,
        serving(tmp_path, "--upstream", f"{base}#model", "--constitution", "plain.yaml") as served,
    ):
        counted = asyncio.run(run(served))
        begun = time.monotonic()
        code, _ = served.stop()
        assert (code, time.monotonic() - begun < 10) == (0, True)
    assert counted == ["2", "2", "2"]
    with LogReader(served.home) as reader:
        assert [leaf.record.kind for leaf in reader.recent(100)] == ["opened"] * len(WAYS)
