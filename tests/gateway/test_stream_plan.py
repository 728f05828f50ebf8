"""The plan for streams: what each principle needs, what cannot be enforced, and how that is said."""

import os
import subprocess
from pathlib import Path

import pytest

from lawspeaker.checks.registry import KINDS
from lawspeaker.checks.streams import plan_stream
from lawspeaker.constitution.load import load, load_text
from lawspeaker.gateway.streams import stream_plan, told
from tests.cli.conftest import PROGRAM

RULE = """
  - id: {id}
    text: It is never said.
    because: It is so.
    severity: {severity}
    on_violation: {action}
    on_inconclusive: {inconclusive}
    applies_to: [{scopes}]
    checks: [{checks}]
"""


def _rule(action: str, scopes: str, checks: str, inconclusive: str = "escalate", severity: str = "major") -> str:
    head = "name: house\nversion: 1.0.0\nsummary: One rule.\nprinciples:"
    return head + RULE.format(
        id="one", severity=severity, action=action, scopes=scopes, checks=checks, inconclusive=inconclusive
    )


WORD = "{pattern: {deny: abc, reason: No.}}"
ENDLESS = "{pattern: {deny: 'ab+c', reason: No.}}"


@pytest.mark.parametrize(
    ("action", "scopes", "checks", "mode", "longest"),
    [
        ("refuse", "answer", WORD, "window", 5),
        ("escalate", "request, answer, tool_call", ENDLESS, "window", None),
        ("redact", "answer", "{secrets: {}}", "window", 4096),
        ("refuse", "answer", "{secrets: {}}, " + WORD, "window", 4096),
        ("refuse", "answer", "{shape: {invisible: deny}}", "window", 0),
        ("refuse", "request, tool_result", "{judge: {ask: Is it bad?}}", "before", 0),
        ("refuse", "tool_call", "{pattern: {deny: abc, reason: No., code: true}}", "end", 0),
        ("note", "answer", "{terraform: public-storage}", "hold", 0),
        ("revise", "answer", WORD, "hold", 0),
        ("revise", "tool_call", WORD, "hold", 0),
        ("refuse", "answer", "{judge: {ask: Is it bad?}}", "hold", 0),
        ("refuse", "answer", "{shape: {max_bytes: 100}}", "hold", 0),
        ("refuse", "answer", "{shape: {homoglyphs: deny}}", "hold", 0),
        ("refuse", "answer", "{pattern: {deny: abc, reason: No., code: true}}", "hold", 0),
        ("refuse", "answer", "{pattern: {deny: 'a(?i)b|c', reason: No.}}", "hold", 0),
        ("refuse", "answer", WORD + ", {terraform: public-storage}", "hold", 0),
    ],
)
def test_each_principle_is_planned(action: str, scopes: str, checks: str, mode: str, longest: int | None) -> None:
    (planned,) = plan_stream(load_text(_rule(action, scopes, checks), kinds=KINDS)).principles
    assert (planned.mode, planned.longest, planned.leak) == (mode, longest, 0)


def test_what_is_only_noted_holds_nothing() -> None:
    law = load_text(_rule("note", "answer", "{terraform: public-storage}", "note", "minor"), kinds=KINDS)
    assert plan_stream(law).principles[0].mode == "end"


def test_the_leak_is_what_is_undecided_and_not_retained() -> None:
    law = load_text(_rule("refuse", "answer", WORD), kinds=KINDS)
    assert [plan_stream(law, retain).principles[0].leak for retain in (None, 0, 2, 5, 9)] == [0, 5, 3, 0, 0]
    endless = load_text(_rule("refuse", "answer", ENDLESS), kinds=KINDS)
    assert plan_stream(endless, 100).principles[0].mode == "hold"


def test_data_protection_can_flow_and_infrastructure_cannot() -> None:
    assert not plan_stream(load("data-protection", kinds=KINDS)).held
    assert "no-public-data" in [each.principle for each in plan_stream(load("infrastructure", kinds=KINDS)).held]


def _serve(folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [PROGRAM, "serve", "--port", "0", *options],
        cwd=folder,
        env={**os.environ, "LAWSPEAKER_HOME": str(folder / "home")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_check_says_how_each_principle_is_enforced(tmp_path: Path) -> None:
    (tmp_path / "house.yaml").write_text(_rule("refuse", "answer", WORD))
    said = _serve(tmp_path, "--check", "--constitution", "house.yaml", "--stream", "window", "--retain", "2")
    assert said.returncode == 0
    assert said.stdout.splitlines() == [
        "nano under house 1.0.0",
        "  streams flow in a window that retains 2 characters",
        "  one  window  undecided at most 5, retained 2, leak at most 3 characters",
    ]
    said = _serve(tmp_path, "--check", "--constitution", "house.yaml")
    assert said.stdout.splitlines()[1:] == [
        "  streams are held: nothing leaves before the verdict on all of the answer",
        "  one  hold    all of the answer is retained; it could flow in a window",
    ]
    law = load("infrastructure", kinds=KINDS)
    in_shadow = list(told(law, stream_plan(law, None, shadow=True), shadow=True))
    assert in_shadow[0] == "streams flow as they come, since nothing is enforced in shadow"


def test_what_cannot_be_enforced_is_one_line_and_serves_nothing(tmp_path: Path) -> None:
    said = _serve(tmp_path, "--retain", "5")
    assert (said.returncode, len(said.stderr.splitlines())) == (2, 1)
    said = _serve(tmp_path, "--stream", "window")
    (line,) = said.stderr.splitlines()
    assert said.returncode == 2
    assert line.startswith("lawspeaker: stream 'window' cannot be enforced: 'no-public-data' is revised")
