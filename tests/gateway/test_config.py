"""The configuration: read strictly, one line with its place for each mistake, and served."""

import json
import subprocess
import urllib.request
from pathlib import Path

import pytest

from lawspeaker.errors import LawspeakerError
from lawspeaker.gateway.config import load_config
from tests.cli.conftest import PROGRAM
from tests.gateway.served import serving

ROUTE = "  - {name: a, model: nano, constitution: infrastructure}\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "lawspeaker.yaml: the file is empty"),
        ("routs:\n" + ROUTE, "lawspeaker.yaml:1:1: unknown field 'routs' in a configuration; did you mean 'routes'?"),
        ("routes: []\n", "lawspeaker.yaml:1:9: the list is empty"),
        ("routes:\n" + ROUTE + ROUTE, "lawspeaker.yaml:3:12: the route 'a' is here twice"),
        ("routes:\n  - {name: a, model: nano}\n", "lawspeaker.yaml:2:5: a route without 'constitution'"),
        ("routes:\n" + ROUTE.replace("}", ", rounds: 1.5}"), "expected a whole number from 0 to 8"),
        ("routes:\n" + ROUTE.replace("}", ", rounds: true}"), "expected a whole number from 0 to 8"),
        ("routes:\n" + ROUTE.replace("}", ", timeout: 0}"), "expected a number from 0.1 to 3600"),
        ("routes:\n" + ROUTE.replace("}", ", shadow: 'yes'}"), "expected true or false"),
        ("routes:\n" + ROUTE.replace("}", ", jugde: nano}"), "did you mean 'judge'?"),
        ("routes:\n" + ROUTE.replace("infrastructure", "nowhere"), "lawspeaker.yaml:2:42: "),
        ("routes:\n" + ROUTE.replace("infrastructure", "[]"), "a route has at least one constitution"),
        ("routes:\n" + ROUTE.replace("name: a", "name: a b"), "lawspeaker.yaml:2:12: a route's name"),
        ("routes: [\n", "not valid YAML"),
    ],
)
def test_every_mistake_is_one_line_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("lawspeaker.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(LawspeakerError) as error:
        load_config(Path("lawspeaker.yaml"))
    assert error.value.exit_code == 2
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_what_cannot_be_served_is_said_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "lawspeaker.yaml").write_text("routes:\n" + ROUTE.replace("nano", "'openai:gpt-5'"), encoding="utf-8")
    for options, words in (
        (["--config", "lawspeaker.yaml"], "lawspeaker.yaml:2:22: openai:gpt-5: no key; set OPENAI_API_KEY"),
        (["--config", "lawspeaker.yaml", "--shadow"], "--shadow and --config"),
        (["--config", "nowhere.yaml"], "nowhere.yaml: No such file"),
    ):
        done = subprocess.run(
            [PROGRAM, "serve", "--port", "0", *options],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            env={"LAWSPEAKER_HOME": str(tmp_path / "home")},
        )
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert words in done.stderr


def test_two_routes_with_laws_of_their_own(tmp_path: Path) -> None:
    law = "name: quiet\nversion: 1.0.0\nsummary: Quiet.\nprinciples:\n  - {id: no-shouting, text: Nobody shouts.,"
    law += (
        " severity: critical, because: Loud., on_violation: refuse, checks: [{pattern: {deny: SHOUT, reason: loud}}]}\n"
    )
    (tmp_path / "quiet.yaml").write_text(law, encoding="utf-8")
    (tmp_path / "script.yaml").write_text("- {reply: I SHOUT, again: true}\n", encoding="utf-8")
    model = "model: 'scripted:script.yaml'"
    routes = f"routes:\n  - {{name: held, {model}, constitution: quiet.yaml}}\n"
    routes += f"  - {{name: tried, {model}, constitution: [quiet.yaml], shadow: true, rounds: 0}}\n"
    (tmp_path / "lawspeaker.yaml").write_text(routes, encoding="utf-8")
    said = {}
    with serving(tmp_path, "--config", "lawspeaker.yaml") as served:
        for name in ("held", "tried"):
            body = json.dumps({"model": name, "messages": [{"role": "user", "content": "speak"}]}).encode()
            headers = {"content-type": "application/json", "authorization": "Bearer any"}
            request = urllib.request.Request(f"{served.base}/v1/chat/completions", body, headers)
            with urllib.request.urlopen(request, timeout=30) as response:
                said[name] = response.read().decode()
        served.stop()
    assert "no-shouting" in said["held"]
    assert "SHOUT" not in said["held"]
    assert "I SHOUT" in said["tried"]
