"""More than one process behind one address: one of them owns the log, and none that dies takes an answer with it."""

import asyncio
import json
import os
import re
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from lawspeaker.audit.publication import Plan, save_plan
from lawspeaker.audit.reader import LogReader
from lawspeaker.metrics import Board, Metrics
from tests.cli.conftest import PROGRAM
from tests.gateway.served import Served, serving
from tests.gateway.upstream import LAW, background


async def _late(said: str) -> web.Response:
    await asyncio.sleep(1.5)
    return _says(said)


def _says(said: str) -> web.Response:
    return web.json_response({"choices": [{"message": {"role": "assistant", "content": said}}]})


def answer(request: web.Request, body: dict) -> object:
    said = body["messages"][-1]["content"]
    return _late(said) if said.startswith("late") else _says(said)


@contextmanager
def workers(folder: Path, count: int = 2) -> Iterator[Served]:
    (folder / "house.yaml").write_text(LAW)
    with background(answer) as base:
        options = ("--upstream", f"{base}#tiny", "--constitution", "house.yaml", "--workers", str(count))
        with serving(folder, *options) as served:
            yield served


def _children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _holds(pid: int, home: Path) -> bool:
    lock = str(home / "log" / "writer.lock")
    return any(os.path.realpath(each) == lock for each in Path(f"/proc/{pid}/fd").iterdir())


def _holder(served: Served) -> int:
    (found,) = [pid for pid in _children(served.process.pid) if _holds(pid, served.home)]
    return found


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _until(true: Callable[[], bool], seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


async def _ask(session: aiohttp.ClientSession, base: str, text: str) -> tuple[str, str] | None:
    """Decision and text of an answer; None where the connection broke, or there was no answer."""
    body = {"model": "tiny", "messages": [{"role": "user", "content": text}]}
    try:
        async with session.post(f"{base}/v1/chat/completions", json=body) as response:
            said = await response.json()
            if response.status == 200:
                return response.headers["x-lawspeaker-decision"], said["choices"][0]["message"]["content"]
            assert response.status == 503, said
    except aiohttp.ClientError:
        pass
    return None


def _under_load(served: Served, count: int, meanwhile: Callable[[], None]) -> list[tuple[str, str]]:
    """`count` requests by 20 clients, each on a connection of its own; `meanwhile` happens after a third of them.
    What was answered, and it is what was asked."""
    found: list[tuple[str, str]] = []

    async def client(number: int) -> None:
        for at in range(count // 20):
            if number == 0 and at == count // 60:
                await asyncio.to_thread(meanwhile)
            async with aiohttp.ClientSession() as session:
                text = f"canary-{number}-{at}"
                told = await _ask(session, served.base, text)
                if told:
                    assert told[1] == text
                    found.append(told)

    async def run() -> None:
        await asyncio.gather(*(client(number) for number in range(20)))

    asyncio.run(run())
    return found


def _released(served: Served) -> int:
    counted = re.search(r'outcome="release",.*} (\d+)', _metrics(served))
    return int(counted[1]) if counted else 0


def _check_log(home: Path, answered: list[tuple[str, str]]) -> None:
    """Whatever was answered is on record, in a log that verifies."""
    with LogReader(home) as reader:
        for id, text in answered:
            kinds = {leaf.record.kind: leaf.record for leaf in reader.history(id)}
            assert set(kinds) == {"opened", "decision"}
            assert text in reader.texts(kinds["decision"].id)["exchange"].text
    done = subprocess.run(
        [PROGRAM, "audit", "verify", "--json"],
        env={**os.environ, "LAWSPEAKER_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert json.loads(done.stdout)["ok"], done.stdout


def _metrics(served: Served) -> str:
    with urllib.request.urlopen(f"{served.base}/metrics", timeout=10) as response:
        return response.read().decode()


def test_all_serve_one_owns_the_log_and_all_end(tmp_path: Path) -> None:
    with workers(tmp_path, 3) as served:
        processes = _children(served.process.pid)
        assert len(processes) == 4
        assert _holder(served)
        answered = _under_load(served, 120, lambda: None)
        assert len(answered) == 120
        _until(lambda: 'outcome="release",route="tiny",surface="chat",tenant="default"} 120' in _metrics(served), 5)
        with urllib.request.urlopen(f"{served.base}/readyz", timeout=10) as response:
            assert response.status == 200
        late = asyncio.run(_stop_while_answering(served))
        assert late
        assert late[1] == "late"
        code, err = served.stop()
        assert (code, err.splitlines()[-1]) == (0, "stopped"), err
        assert "started again" not in err
        assert not [pid for pid in processes if _alive(pid)]
    _check_log(served.home, [*answered, late])
    assert not (served.home / "writer.sock").exists()


async def _stop_while_answering(served: Served) -> tuple[str, str] | None:
    """Everybody is told to stop, as a terminal and systemd would, while something is being answered."""
    async with aiohttp.ClientSession() as session:
        asked = asyncio.create_task(_ask(session, served.base, "late"))
        await asyncio.sleep(0.5)
        for pid in _children(served.process.pid):
            os.kill(pid, signal.SIGINT)
            os.kill(pid, signal.SIGTERM)
        served.process.send_signal(signal.SIGTERM)
        return await asked


def test_a_killed_process_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    with workers(tmp_path) as served:
        first = _children(served.process.pid)
        holder = _holder(served)
        worker = next(pid for pid in first if pid != holder)
        before = _under_load(served, 200, lambda: None)
        assert len(before) == 200
        _until(lambda: _released(served) == 200)  # counters are shared now and then
        answered = _under_load(served, 300, lambda: os.kill(worker, signal.SIGKILL))
        assert len(answered) >= 250
        _until(lambda: len(_children(served.process.pid)) == 3)
        more = _under_load(served, 300, lambda: os.kill(holder, signal.SIGKILL))
        assert len(more) == 300  # who appends waits for the next holder
        _until(lambda: len(_children(served.process.pid)) == 3)
        assert not {holder, worker} & set(_children(served.process.pid))
        assert _holder(served)
        # the counters of the worker that was killed are gone on from; what it counted in its last moment is lost
        assert _released(served) >= len(before) + len(more)
        code, err = served.stop()
        assert code == 0
        assert "worker" in err and "was ended by signal 9; it is started again" in err
    _check_log(served.home, before + answered + more)


def test_without_a_supervisor_the_rest_ends(tmp_path: Path) -> None:
    with workers(tmp_path) as served:
        processes = _children(served.process.pid)
        answered = _under_load(served, 20, lambda: None)
        served.process.kill()
        _until(lambda: not [pid for pid in processes if _alive(pid)])
    _check_log(served.home, answered)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--upstream", "scripted:nowhere.yaml"), "nowhere.yaml"),
        (("--upstream", "openai:gpt-5"), "openai:gpt-5: no key; set OPENAI_API_KEY"),
        (("--workers", "0"), "--workers"),
    ],
)
def test_a_worker_that_cannot_begin_is_said_in_one_line(tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    done = subprocess.run(
        [PROGRAM, "serve", "--port", "0", "--workers", "2", *options],
        cwd=tmp_path,
        env={**os.environ, "LAWSPEAKER_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert words in done.stderr
    assert "--workers" in words or done.stderr.count("\n") == 1, done.stderr


@pytest.mark.parametrize("count", [1, 2])
def test_a_head_that_is_not_where_it_is_to_be_is_told(tmp_path: Path, count: int) -> None:
    """By whichever process is asked: only the one that owns the log knows of itself."""
    place, home = tmp_path / "place", tmp_path / "home"
    home.mkdir(mode=0o700)
    place.mkdir()
    save_plan(home, Plan((str(place / "head"),), every=0.1))

    def ready() -> dict:
        with urllib.request.urlopen(f"{served.base}/readyz", timeout=10) as response:
            return json.load(response)

    with workers(tmp_path, count) as served:
        asyncio.run(_ask_once(served))
        _until((place / "head").is_file)
        assert ready() == {"status": "ok"}
        (place / "head").unlink()
        place.rmdir()
        place.write_text("a file where a folder is to be")
        asyncio.run(_ask_once(served))
        _until(lambda: "\nlawspeaker_log_unpublished 1\n" in _metrics(served))
        assert ready() == {"status": "ok", "published": False}
        assert "\nlawspeaker_log_down 0\n" in _metrics(served)
        place.unlink()
        place.mkdir()
        _until(lambda: "\nlawspeaker_log_unpublished 0\n" in _metrics(served))
        assert ready() == {"status": "ok"}
    assert (place / "head").is_file()


async def _ask_once(served: Served) -> None:
    body = {"model": "tiny", "messages": [{"role": "user", "content": "hello"}]}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{served.base}/v1/chat/completions", json=body) as response,
    ):
        assert response.status == 200


def test_counters_are_summed_and_gone_on_from() -> None:
    async def run() -> None:
        board = Board(3)
        first, second = Metrics(board, 0), Metrics(board, 1)
        for each in (first, second, first):
            each.add("lawspeaker_answers_total", 1_000_000, outcome="release")
        first.show()
        second.show()
        first.show()
        assert b'lawspeaker_answers_total{outcome="release"} 3000000\n' in second.text()
        third = Metrics(board, 0)  # in the place of the first, which has died
        third.add("lawspeaker_answers_total", 0.5, outcome="release")
        assert b'lawspeaker_answers_total{outcome="release"} 3000000.5\n' in third.text()
        board.show(0, b"x" * 10_000_000)  # more than there is room for changes nothing
        assert b'{outcome="release"} 3000000\n' in second.text()

    asyncio.run(run())
