"""Shadow mode: nothing is changed for the client, and the log says what would have been."""

import json
import os
import subprocess
import urllib.request
from pathlib import Path

from aiohttp import web

from lawspeaker.audit.reader import LogReader
from lawspeaker.audit.rulings import pending
from tests.cli.conftest import PROGRAM
from tests.gateway.served import Served, serving
from tests.gateway.upstream import background

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
    for none in ("soon", "0001-01-01T00:00+14:00"):
        assert _report(home, "--since", none).returncode == 2
    with serving(tmp_path, *options) as served:
        assert "no-shouting" in _said_or_refused(served, model)
        served.stop()


def _said_or_refused(served: Served, model: str) -> str:
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "be loud"}]}).encode()
    headers = {"content-type": "application/json", "authorization": "Bearer any"}
    request = urllib.request.Request(f"{served.base}/v1/chat/completions", body, headers)
    with urllib.request.urlopen(request, timeout=30) as response:
        return response.read().decode()


CHANGING = """
name: changing
version: 1.0.0
summary: What would be changed.
principles:
  - {id: be-kind, text: Nobody is called a fool., severity: major, because: It helps nobody., on_violation: revise,
     applies_to: [answer], checks: [{pattern: {deny: 'fool', reason: Somebody is called a fool.}}]}
  - {id: no-number, text: Account numbers are never shown., severity: major, because: They are private.,
     on_violation: redact, applies_to: [answer], checks: [{pattern: {deny: 'ACC-[0-9]{6}', reason: It is shown.}}]}
"""
SAID = {
    "revise": "You fool, look again.",
    "redact": "It is ACC-123456.",
    "both": "You fool, it is ACC-123456.",
    "keep": "Of course, my friend.",
}


def _answer(request: web.Request, body: dict) -> web.Response:
    asked = body["messages"][-1]["content"]
    if asked in SAID:
        said = SAID[asked]
    elif "Does the answer uphold" in asked:
        said = "Violated: `You fool`: it insults."
    else:  # the reviser
        said = "My friend, it is ACC-123456." if "ACC-" in asked else "My friend, look again."
    return web.json_response({"choices": [{"message": {"role": "assistant", "content": said}}]})


def _say(served: Served, surface: str, text: str, stream: bool) -> tuple[str, str]:
    """The decision's id, and the words that the client was given."""
    turn = [{"role": "user", "content": text}]
    path, body = {
        "chat": ("chat/completions", {"messages": turn}),
        "responses": ("responses", {"input": text}),
        "messages": ("messages", {"messages": turn, "max_tokens": 99}),
    }[surface]
    data = json.dumps({"model": "tiny", "stream": stream, **body}).encode()
    request = urllib.request.Request(f"{served.base}/v1/{path}", data, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return response.headers["x-lawspeaker-decision"], response.read().decode()


def test_what_would_be_revised_or_redacted_is_given_out_as_it_came(tmp_path: Path) -> None:
    """On every surface, streamed and not; the log has both versions, and the report and the counters tell."""
    (tmp_path / "changing.yaml").write_text(CHANGING, encoding="utf-8")
    would = {"revise": (True, False), "redact": (False, True), "both": (True, True), "keep": (False, False)}
    with background(_answer) as base:
        options = ("--upstream", f"{base}#tiny", "--constitution", "changing.yaml")
        ids: dict[str, str] = {}
        with serving(tmp_path, *options, "--shadow") as served:
            for surface in ("chat", "responses", "messages"):
                for stream in (False, True):
                    for text, said in SAID.items():
                        ids[text], got = _say(served, surface, text, stream)
                        assert said in got, (surface, stream, text)
            served.stop()
        with LogReader(served.home) as reader:
            for text, id in ids.items():
                (decided,) = (leaf.record for leaf in reader.history(id) if leaf.record.kind == "decision")
                done = [decided.facts[each] for each in ("action", "revised", "redacted")]
                assert done == ["release", False, False]
                revised, redacted = would[text]
                shadow = {"action": "release", "because": [], "revised": revised, "redacted": redacted}
                assert decided.facts["shadow"] == shadow
                texts = reader.texts(decided.id)
                assert SAID[text] in texts["exchange"].text
                assert ("My friend" in texts["steps"].text) == revised
        lines = _report(served.home).stdout.splitlines()
        assert lines[:2] == [
            "24 decisions, 24 of them in shadow",
            "would have been: 12 revised, 12 redacted, 0 escalated, 0 refused",
        ]
        assert "be-kind  12 violated, 12 revised" in lines
        assert "no-number  12 violated, 12 redacted" in lines
        with serving(tmp_path, *options) as served:  # and outside of shadow it is done
            for text in ("revise", "redact", "both"):
                _, got = _say(served, "chat", text, stream=False)
                assert SAID[text] not in got
                assert ("My friend" in got, "ACC-123456" in got) == (would[text][0], False)
            served.stop()
