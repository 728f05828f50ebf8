"""Keys at the running gateway: whom it serves, under whose name, and from when on not any more."""

import json
import os
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

from lawspeaker.audit.reader import LogReader
from tests.cli.conftest import PROGRAM
from tests.gateway.served import Served, serving

SCRIPT = "- {reply: There you are., again: true}\n"


def _access(home: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [PROGRAM, "access", *arguments],
        env={**os.environ, "LAWSPEAKER_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def _ask(served: Served, key: str, model: str, header: str = "authorization") -> tuple[int, dict, dict]:
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "hello there"}]}).encode()
    headers = {"content-type": "application/json"}
    if key:
        headers[header] = f"Bearer {key}" if header == "authorization" else key
    request = urllib.request.Request(f"{served.base}/v1/chat/completions", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, dict(response.headers), json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), json.loads(error.read())


def test_keys_bound_who_is_served(tmp_path: Path) -> None:
    home = tmp_path / "home"
    script = tmp_path / "script.yaml"
    script.write_text(SCRIPT, encoding="utf-8")
    model = str(script)
    web = _access(home, "add", "web", "--tenant", "shop", "--route", model, "--tokens-per-day", "12").stdout.strip()
    other = _access(home, "add", "other", "--route", "elsewhere").stdout.strip()
    slow = _access(home, "add", "slow", "--requests-per-minute", "1").stdout.strip()
    with serving(tmp_path, "--upstream", f"scripted:{script}", "--host", "127.0.0.1") as served:
        assert _ask(served, "", model)[0] == 401
        status, headers, answer = _ask(served, "lsp_" + "a" * 43, model)
        assert (status, headers["x-should-retry"]) == (401, "false")
        assert "not known here" in answer["error"]["message"]
        assert _ask(served, other, model)[0] == 404  # as if there were no such route
        assert _ask(served, slow, model, "x-api-key")[0] == 200
        assert _ask(served, slow, model)[0] == 429
        status, headers, answer = _ask(served, web, model)
        assert (status, answer["choices"][0]["message"]["content"]) == (200, "There you are.")
        decision = headers["x-lawspeaker-decision"]
        spent = [_ask(served, web, model)[0] for _ in range(3)]  # five tokens for each answer
        assert spent == [200, 200, 429]
        assert _access(home, "revoke", "web").returncode == 0
        status, _, answer = _ask(served, web, model)
        assert status == 401
        assert "revoked" in answer["error"]["message"]
        _, err = served.stop()
    with LogReader(home) as reader:
        assert {leaf.record.tenant for leaf in reader.history(decision)} == {"shop"}
        recorded = b"".join(leaf.data for leaf in reader.recent(100))
    everything = recorded.decode() + err + _access(home, "list", "--json").stdout
    assert not [key for key in (web, other, slow) if key in everything]


def test_the_commands_say_what_is_wrong(tmp_path: Path) -> None:
    for arguments, words in (
        (["add", "a b"], "the name of a key"),
        (["revoke", "nobody"], "no valid key is called 'nobody'"),
    ):
        done = _access(tmp_path, *arguments)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert words in done.stderr
    assert _access(tmp_path, "add", "web", "--expires", "soon").returncode == 2
    made = json.loads(_access(tmp_path, "add", "web", "--expires", "30d", "--json").stdout)
    listed = json.loads(_access(tmp_path, "list", "--json").stdout)
    assert made.pop("key").startswith("lsp_")
    assert listed == [made]


def test_loopback_may_ask_for_keys_too(tmp_path: Path) -> None:
    with serving(tmp_path, "--require-key") as served:
        assert _ask(served, "any", "nano")[0] == 401


def test_where_keys_are_asked_for_the_counters_need_one_too(tmp_path: Path) -> None:
    """A proxy on this machine passes on whatever path it is asked for."""
    home = tmp_path / "home"
    web, scraper = (_access(home, "add", *each).stdout.strip() for each in (("web",), ("scraper", "--metrics")))
    with serving(tmp_path) as served:
        assert [_counters(served, key) for key in ("", "any", web, scraper)] == [401, 401, 403, 200]


def _counters(served: Served, key: str) -> int:
    request = urllib.request.Request(f"{served.base}/metrics", headers={"authorization": f"Bearer {key}"})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
