"""The configuration: read strictly, one line with its place for each mistake, and served."""

import json
import subprocess
import urllib.request
from pathlib import Path

import pytest

from lawspeaker.errors import LawspeakerError
from lawspeaker.gateway.deployment import load_config
from tests.cli.conftest import PROGRAM
from tests.gateway.served import serving

ROUTE = "  - {name: a, model: nano, constitution: infrastructure}\n"
LISTEN = f"routes:\n{ROUTE}listen: "
KEY = "lsp_" + "k" * 43


def tenants(of_shop: str, routes: str = ROUTE) -> str:
    return f"routes:\n{routes}tenants:\n  - {{name: shop, {of_shop}}}\n"


def keyed(key: str) -> str:
    return tenants(f"keys: [{{name: web, {key}}}]")


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
        ("routes:\n" + ROUTE.replace("}", ", stream: flow}"), "'flow' is not one of hold, window"),
        ("routes:\n" + ROUTE.replace("}", ", retain: 9}"), "lawspeaker.yaml:2:66: goes with `stream: window`"),
        ("routes:\n" + ROUTE.replace("}", ", retain: -1}"), "expected a whole number from 0 to 1000000"),
        (
            "routes:\n" + ROUTE.replace("}", ", stream: window}"),
            "stream 'window' cannot be enforced: 'no-public-data' is revised, which takes all of the answer; ",
        ),
        (
            "routes:\n" + ROUTE.replace("infrastructure}", "data-protection, stream: window, retain: 99}"),
            "'no-signed-links' has no longest match, so what leaves with 99 characters retained has no bound; ",
        ),
        ("routes: [\n", "not valid YAML"),
        ("listen: {port: 1}\n", "lawspeaker.yaml:1:1: a configuration without 'routes'"),
        (LISTEN + "{prot: 1}\n", "lawspeaker.yaml:3:10: unknown field 'prot' in listen; did you mean 'port'?"),
        (LISTEN + "{port: 70000}\n", "lawspeaker.yaml:3:16: expected a whole number from 0 to 65535"),
        (LISTEN + "{tls: {certificate: a}}\n", "lawspeaker.yaml:3:15: tls without 'key'"),
        (LISTEN + "{tls: cert.pem}\n", "expected tls, found text"),
        (LISTEN + "{plain_text: 1}\n", "expected true or false"),
        (f"routes:\n{ROUTE}workers: 0\n", "lawspeaker.yaml:3:10: expected a whole number from 1 to 64"),
        (f"routes:\n{ROUTE}ping_seconds: 0\n", "lawspeaker.yaml:3:15: expected a number from 0.1 to 600"),
        (f"routes:\n{ROUTE}ping_seconds: often\n", "expected a number from 0.1 to 600"),
        ("routes:\n" + ROUTE.replace("}", ", betas: files-api-2025-04-14}"), "expected a list"),
        ("routes:\n" + ROUTE.replace("}", ", betas: [1]}"), "expected text"),
        ("routes:\n" + ROUTE.replace("}", ", betas: ['a,b']}"), "the name of a beta is of letters, digits and dashes"),
        (f"routes:\n{ROUTE}checks: [house-rules]\n", "lawspeaker.yaml:3:10: check kind 'house-rules': no installed"),
        ("routes:\n" + ROUTE.replace("}", ", budget: 0}"), "expected a number from 0.1 to 600"),
        (tenants("kyes: []"), "lawspeaker.yaml:4:18: unknown field 'kyes' in a tenant; did you mean 'keys'?"),
        (tenants("routes: [b]"), "lawspeaker.yaml:4:27: no route is called 'b'"),
        (tenants("routes: [a, a]"), "the route 'a' is here twice"),
        (tenants("routes: [a, {name: a, model: nano, constitution: infrastructure}]"), "the route 'a' is here twice"),
        (tenants("routes: []"), "the tenant 'shop' has no route"),
        (tenants("routes: [a]").replace("shop", "a/b"), "the name of a tenant is up to 64"),
        (tenants("routes: [a]") + "  - {name: shop}\n", "lawspeaker.yaml:5:12: the tenant 'shop' is here twice"),
        (f"routes:\n{ROUTE}tenants: []\n", "the list is empty; name at least one tenant"),
        ("tenants: [{name: shop}]\n", "the tenant 'shop' has no route"),
        (keyed("secret: x"), "unknown field 'secret' in a key"),
        (keyed("environment: NOT_THERE"), "4:50: the environment has no NOT_THERE; set it to a key that"),
        (keyed("environment: EMPTY"), "the environment has no EMPTY"),
        (keyed("environment: SHORT"), "SHORT holds no key; set it to one that `lawspeaker access new` made"),
        (keyed(f"environment: {KEY}-"), "the name of the variable that holds the key, never the key"),
        (keyed("environment: GOOD, routes: [b]"), "this tenant has no route 'b'"),
        (keyed("environment: GOOD, routes: []"), "a key without a route is good for nothing"),
        (keyed("environment: GOOD, expires: soon"), "'soon' is no day"),
        (keyed("environment: GOOD, requests_per_minute: 0"), "expected a whole number from 1 to"),
        (tenants("keys: [{name: a, environment: GOOD}, {name: b, environment: GOOD}]"), "this key is here twice"),
        (tenants("keys: [{name: a b, environment: GOOD}]"), "the name of a key is up to 64"),
    ],
)
def test_every_mistake_is_one_line_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("lawspeaker.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(LawspeakerError) as error:
        load_config(Path("lawspeaker.yaml"), {"EMPTY": " ", "SHORT": "sk-secret-of-ours", "GOOD": KEY})
    assert "secret-of-ours" not in str(error.value)
    assert KEY not in str(error.value)
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
