"""Shadow mode: nothing is changed for the client, and the log says what would have been."""

import json
import os
import subprocess
import urllib.request
from pathlib import Path

from lawspeaker.audit.reader import LogReader
from lawspeaker.audit.rulings import pending
from tests.cli.conftest import PROGRAM
from tests.gateway.served import Served, serving

LAW = """
name: quiet
version: 1.0.0
summary: Nobody shouts.
principles:
  - {id: no-shouting, text: Nobody shouts., severity: critical, because: It is loud., on_violation: refuse,
     checks: [{pattern: {deny: 'SHOUT', reason: shouting}}]}
  - {id: no-whisper, text: Nobody whispers., severity: minor, because: It is quiet., on_violation: escalate,
     applies_to: [request], checks: [{pattern: {deny: 'whisper', reason: whispering}}]}
"""


def _ask(served: Served, model: str, text: str) -> tuple[str, str]:
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": text}]}).encode()
    headers = {"content-type": "application/json", "authorization": "Bearer any"}
    request = urllib.request.Request(f"{served.base}/v1/chat/completions", body, headers)
    with urllib.request.urlopen(request, timeout=30) as response:
        said = json.load(response)["choices"][0]["message"]["content"]
        return response.headers["x-lawspeaker-decision"], said


def _report(home: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [PROGRAM, "report", *options],
        env={**os.environ, "LAWSPEAKER_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_nothing_is_changed_and_the_report_says_what_would_have_been(tmp_path: Path) -> None:
    law, script = tmp_path / "quiet.yaml", tmp_path / "script.yaml"
    law.write_text(LAW, encoding="utf-8")
    script.write_text("- {when: loud, reply: I SHOUT, again: true}\n- {reply: hush, again: true}\n", encoding="utf-8")
    model = str(script)
    options = ("--upstream", f"scripted:{script}", "--constitution", str(law))
    with serving(tmp_path, *options, "--shadow") as served:
        loud, said = _ask(served, model, "be loud")
        assert said == "I SHOUT"
        whispered, said = _ask(served, model, "whisper please")
        assert said == "hush"
        assert _ask(served, model, "hello")[1] == "hush"
        served.stop()
    home = tmp_path / "home"
    with LogReader(home) as reader:
        assert pending(reader) == ()  # nobody waits for what was given out
        facts = [leaf.record.facts for leaf in reader.of_kind("decision")]
    assert [each["action"] for each in facts] == ["release"] * 3
    assert [each["shadow"]["action"] for each in facts] == ["refuse", "escalate", "release"]
    done = _report(home, "--since", "1h")
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "3 decisions, 3 of them in shadow",
        "would have been: 0 revised, 0 redacted, 1 escalated, 1 refused",
        "no-shouting  1 violated, 1 refused",
        f"  e.g. {loud[:12]}",
        "no-whisper  1 violated, 1 escalated",
        f"  e.g. {whispered[:12]}",
    ]
    assert json.loads(_report(home, "--json").stdout)["principles"]["no-shouting"]["examples"] == [loud]
    assert json.loads(_report(home, "--json", "--since", "2999-01-01").stdout)["decisions"] == 0
    assert json.loads(_report(home, "--json", "--tenant", "other").stdout)["decisions"] == 0
    assert _report(home, "--since", "soon").returncode == 2
    with serving(tmp_path, *options) as served:
        assert "no-shouting" in _said_or_refused(served, model)
        served.stop()


def _said_or_refused(served: Served, model: str) -> str:
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "be loud"}]}).encode()
    headers = {"content-type": "application/json", "authorization": "Bearer any"}
    request = urllib.request.Request(f"{served.base}/v1/chat/completions", body, headers)
    with urllib.request.urlopen(request, timeout=30) as response:
        return response.read().decode()
