"""An answer that a person approved: to the key that asked, once, and not for ever."""

import asyncio
import json
import os
import subprocess
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from lawspeaker.audit.log import open_log
from lawspeaker.audit.reader import LogReader
from lawspeaker.gateway.decisions import decision
from lawspeaker.gateway.routes import Client
from tests.cli.conftest import PROGRAM
from tests.gateway.served import Served, serving
from tests.gateway.upstream import LAW

ANSWER = "I pay now."


def _run(home: Path, *arguments: str) -> str:
    done = subprocess.run(
        [PROGRAM, *arguments],
        env={**os.environ, "LAWSPEAKER_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def _options(folder: Path) -> tuple[str, ...]:
    (folder / "house.yaml").write_text(LAW, encoding="utf-8")
    (folder / "script.yaml").write_text(f"- {{reply: {ANSWER}, again: true}}\n", encoding="utf-8")
    return ("--upstream", "scripted:script.yaml", "--constitution", "house.yaml", "--require-key")


def _escalated(served: Served, key: str) -> str:
    body = json.dumps({"model": "script.yaml", "messages": [{"role": "user", "content": "settle it"}]}).encode()
    headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
    request = urllib.request.Request(f"{served.base}/v1/chat/completions", body, headers)
    with urllib.request.urlopen(request, timeout=30) as response:
        assert ANSWER not in response.read().decode()
        return response.headers["x-lawspeaker-decision"]


def _look(served: Served, key: str, id: str) -> tuple[int, dict[str, Any]]:
    request = urllib.request.Request(f"{served.base}/v1/decisions/{id}", headers={"x-api-key": key})
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def test_an_approved_answer_goes_to_its_key_once(tmp_path: Path) -> None:
    home = tmp_path / "home"
    web, other = (_run(home, "access", "add", name, "--tenant", "shop") for name in ("web", "other"))
    with serving(tmp_path, *_options(tmp_path)) as served:
        id, rejected = _escalated(served, web), _escalated(served, web)
        told = _look(served, web, id)[1]
        assert (told["action"], told["state"], "answer" in told) == ("escalate", "waiting", False)
        _run(home, "review", "approve", id, "--by", "mara")
        _run(home, "review", "reject", rejected, "--by", "mara", "--reason", "no")
        assert _look(served, other, id)[0] == 404  # the same tenant, another key: it takes nothing away
        with ThreadPoolExecutor(8) as pool:
            every = list(pool.map(lambda _: _look(served, web, id), range(8)))
        assert [status for status, _ in every] == [200] * 8
        assert {told["state"] for _, told in every} == {"delivered"}
        (given,) = (told for _, told in every if "answer" in told)
        assert given["answer"] == ANSWER
        assert given["parts"] == [{"type": "text", "text": ANSWER}]
        told = _look(served, web, rejected)[1]
        assert (told["state"], told["ruling"], ANSWER in str(told)) == ("decided", "reject", False)
        served.stop()
    with serving(tmp_path, *_options(tmp_path)) as served:  # another process knows that it was given out
        assert "answer" not in _look(served, web, id)[1]
        served.stop()
    with LogReader(home) as reader:
        assert [leaf.record.kind for leaf in reader.history(id)] == ["opened", "decision", "ruling", "delivered"]
    _run(home, "audit", "verify")


def test_what_nobody_fetched_in_time_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "home"
    web = _run(home, "access", "add", "web")
    client = Client(json.loads(_run(home, "access", "list", "--json"))[0]["id"])
    with serving(tmp_path, *_options(tmp_path)) as served:
        waiting, approved, erased = (_escalated(served, web) for _ in range(3))
        served.stop()
    _run(home, "review", "approve", approved)
    _run(home, "review", "approve", erased)
    with LogReader(home) as reader:
        decided = next(leaf.record.id for leaf in reader.history(erased) if leaf.record.kind == "decision")
    _run(home, "audit", "erase", decided, "--why", "asked for")

    async def look(id: str, lasts: float) -> dict[str, Any]:
        async with await open_log(home) as log:
            return json.loads(await decision(log, id, client, lasts))

    for id in (waiting, approved):
        told = asyncio.run(look(id, 0))
        assert (told["action"], told["state"], "answer" in told) == ("refuse", "expired", False)
    told = asyncio.run(look(erased, 3600))
    assert (told["action"], told["state"], "answer" in told) == ("refuse", "erased", False)
    assert asyncio.run(look(waiting, 3600))["state"] == "waiting"
    assert asyncio.run(look(approved, 3600))["answer"] == ANSWER
