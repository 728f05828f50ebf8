"""Waivers: strict in the configuration, on record where they act, and over when they expire."""

import asyncio
import json
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lawspeaker.audit.log import MemoryLog
from lawspeaker.audit.reader import LogReader
from lawspeaker.checks.registry import KINDS
from lawspeaker.checks.waivers import Waiver
from lawspeaker.constitution.load import load_text
from lawspeaker.errors import ConstitutionError
from lawspeaker.exchange import Scope, ask
from lawspeaker.gateway.deployment import load_config
from lawspeaker.govern import Governed, Governor
from lawspeaker.models.scripted import Scripted
from tests.gateway.served import Served, program, serving

LAW = """
name: quiet
version: 1.0.0
summary: Nobody shouts.
principles:
  - {id: no-shouting, text: Nobody shouts., severity: major, because: It is loud., on_violation: refuse,
     applies_to: [request, answer], checks: [{pattern: {deny: 'SHOUT', reason: shouting}}]}
  - {id: no-cursing, text: Nobody curses., severity: critical, because: It is rude., on_violation: refuse,
     applies_to: [answer], checks: [{pattern: {deny: 'darn', reason: cursing}}]}
  - {id: no-names, text: No names., severity: major, because: They are private., on_violation: redact,
     applies_to: [answer], checks: [{pattern: {deny: 'Mallory', reason: a name}}]}
"""
TODAY = datetime.now(UTC).date()
GOOD = {"principle": "no-shouting", "scope": "[answer]", "owner": "platform", "reason": "They are being retrained."}


def _config(folder: Path, **fields: str) -> Path:
    waiver = {**GOOD, "expires": f"'{TODAY + timedelta(days=30)}'", **fields}
    said = ", ".join(f"{name}: {text}" for name, text in waiver.items() if text)
    (folder / "quiet.yaml").write_text(LAW, encoding="utf-8")
    (folder / "script.yaml").write_text(
        "- {when: curse, reply: darn, again: true}\n- {reply: I SHOUT at Mallory, again: true}\n", encoding="utf-8"
    )
    route = "routes:\n  - name: a\n    model: scripted:script.yaml\n    constitution: quiet.yaml\n"
    route += f"    waivers: [{{{said}}}]\n"
    (folder / "lawspeaker.yaml").write_text(route, encoding="utf-8")
    return folder / "lawspeaker.yaml"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"principle": "no-shoutin"}, "no principle of this route is called 'no-shoutin'; did you mean 'no-shouting'?"),
        ({"principle": "no-cursing"}, "'no-cursing' is critical and cannot be waived"),
        ({"scope": "[]"}, "the list is empty; name at least one of"),
        ({"scope": "[tool_call]"}, "'no-shouting' does not apply to tool_call; it does to request, answer"),
        ({"scope": ""}, "a waiver without 'scope'"),
        ({"owner": "''"}, "expected text, found an empty one"),
        ({"owner": "'two words'"}, "an owner is up to 100"),
        ({"reason": ""}, "a waiver without 'reason'"),
        ({"expires": ""}, "a waiver without 'expires'"),
        ({"expires": "never"}, "'never' is no day; write it as '2026-12-31'"),
        ({"expires": f"'{TODAY - timedelta(days=1)}'"}, "this waiver expired at the end of"),
        ({"expires": f"'{TODAY + timedelta(days=400)}'"}, "a waiver lasts 366 days at most"),
        ({"until": "tomorrow"}, "unknown field 'until' in a waiver"),
        ({"expires": f"'{TODAY}'}}, {{principle: no-shouting, scope: [answer], owner: b, reason: c, expires: '{TODAY}'"
         }, "'no-shouting' is waived twice in the same scope"),
    ],
)  # fmt: skip
def test_a_waiver_that_is_not_in_order_is_one_line_with_its_place(
    tmp_path: Path, fields: dict[str, str], words: str
) -> None:
    with pytest.raises(ConstitutionError) as error:
        load_config(_config(tmp_path, **fields))
    assert error.value.exit_code == 2
    assert words in str(error.value)
    assert "lawspeaker.yaml:5:" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_waiver_that_expired_is_refused_at_start(tmp_path: Path) -> None:
    _config(tmp_path, expires=f"'{TODAY - timedelta(days=1)}'")
    done = program(tmp_path, "serve", "--port", "0", "--config", "lawspeaker.yaml")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "this waiver expired" in done.stderr


def test_what_a_waiver_lets_pass_is_recorded_and_counted(tmp_path: Path) -> None:
    _config(tmp_path)
    with serving(tmp_path, "--config", "lawspeaker.yaml") as served:
        said, decision = _ask(served, "speak")
        assert said["content"] == "I SHOUT at [redacted: no-names]"  # the others act as ever
        refused, _ = _ask(served, "SHOUT back")  # another scope than the waived one
        assert "no-shouting" in refused["refusal"]
        assert "no-cursing" in _ask(served, "curse")[0]["refusal"]
        with urllib.request.urlopen(f"{served.base}/metrics", timeout=10) as response:
            counted = [line for line in response.read().decode().splitlines() if "waived_total{" in line]
        assert counted == [
            'lawspeaker_waived_total{principle="no-shouting",route="a",surface="chat",tenant="default"} 1'
        ]
        _, err = served.stop()
    assert f"no-shouting is waived until {TODAY + timedelta(days=30)} (platform)" in err
    with LogReader(served.home) as reader:
        opened, decided = (leaf.record for leaf in reader.history(decision))
        kept = json.loads(reader.texts(opened.id)["waivers"].text)
        every = [leaf.record for leaf in reader.leaves()]
    assert decided.facts["waived"] == ["no-shouting"]
    assert {(each["principle"], each.get("waived", False)) for each in decided.facts["findings"]} == {
        ("no-shouting", True),
        ("no-names", False),
    }
    assert (opened.facts["waivers"][0]["owner"], "reason" in opened.facts["waivers"][0]) == ("platform", False)
    assert kept[0]["reason"] == GOOD["reason"]
    assert sum("waived" in record.facts for record in every) == 1
    report = program(tmp_path, "report").stdout.splitlines()
    assert report[0] == "3 decisions, 1 with something waived"
    assert "no-shouting  2 violated, 1 refused, 1 waived" in report
    assert "no-names  1 violated, 1 redacted" in report


def test_it_stops_acting_when_it_expires(tmp_path: Path) -> None:
    until = int(time.time()) + 3
    first, second = _governed(tmp_path, "speak", ("answer",), until, wait=True)
    assert (first.decision.action, first.waived) == ("release", ("no-shouting",))
    assert (second.decision.action, second.decision.because, second.waived) == ("refuse", ("no-shouting",), ())
    assert first.behaviour != second.behaviour
    assert first.law == second.law


def test_many_findings_in_the_waived_scope_hide_none_outside_it(tmp_path: Path) -> None:
    until = int(time.time()) + 3600
    (governed,) = _governed(tmp_path, "SHOUT " * 5000, ("request",), until)
    assert (governed.decision.action, governed.waived) == ("refuse", ("no-shouting",))
    (whole,) = _governed(tmp_path, "SHOUT " * 5000, ("request", "answer"), until)
    assert whole.decision.action == "release"


def _governed(
    folder: Path, request: str, scope: tuple[Scope, ...], until: int, *, wait: bool = False
) -> list[Governed]:
    _config(folder)
    model = Scripted.open(folder / "script.yaml")
    waiver = Waiver("no-shouting", scope, "platform", "Until then.", until)

    async def run() -> list[Governed]:
        async with MemoryLog() as log:
            governor = Governor(load_text(LAW, kinds=KINDS), model, model, log, waivers=(waiver,))
            governed = [await governor.govern(ask(request))]
            if wait:
                await asyncio.sleep(until - time.time() + 0.05)
                governed.append(await governor.govern(ask(request)))
            return governed

    return asyncio.run(run())


def _ask(served: Served, text: str) -> tuple[dict[str, str], str]:
    body = json.dumps({"model": "a", "messages": [{"role": "user", "content": text}]}).encode()
    headers = {"content-type": "application/json", "authorization": "Bearer any"}
    request = urllib.request.Request(f"{served.base}/v1/chat/completions", body, headers)
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)["choices"][0]["message"], response.headers["x-lawspeaker-decision"]
