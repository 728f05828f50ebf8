"""Tenants of one gateway: each has its own routes, law, keys, records and counters, and nothing crosses."""

import asyncio
import json
import os
import re
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from lawspeaker.access import AccessError, Keyring, configured, new_secret
from lawspeaker.audit.reader import LogReader
from lawspeaker.errors import InputError
from tests.cli.conftest import PROGRAM
from tests.gateway.served import Served, serving
from tests.gateway.upstream import background

LAW = """\
name: {name}
version: 1.0.0
summary: For these tests.
principles:
  - id: no-{word}
    text: The word is never said.
    because: It is theirs.
    severity: critical
    on_violation: refuse
    applies_to: [request, answer]
    checks:
      - pattern: {{deny: ["{word}"], reason: The word is said.}}
"""
CONFIG = """\
listen: {{host: 127.0.0.1, port: 0}}
routes:
  - {{name: common, model: '{base}#one', constitution: bank.yaml}}
tenants:
  - name: bank
    routes: [common, {{name: assistant, model: '{base}#one', constitution: bank.yaml}}]
    keys: [{{name: web, environment: BANK_KEY}}, {{name: batch, environment: BATCH_KEY, routes: [common]}}]
  - name: shop
    routes: [{{name: assistant, model: '{base}#two', constitution: shop.yaml}}]
    keys: [{{name: web, environment: SHOP_KEY, requests_per_minute: 100000}}]
"""
KEYS = {name: new_secret() for name in ("BANK_KEY", "BATCH_KEY", "SHOP_KEY")}


def answer(request: web.Request, body: dict) -> web.Response:
    said = f"{body['model']}: {body['messages'][-1]['content']}"
    return web.json_response({"choices": [{"message": {"role": "assistant", "content": said}}]})


def _run(home: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [PROGRAM, *arguments],
        env={**os.environ, "LAWSPEAKER_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("tenants")
    for name, word in (("bank", "vault"), ("shop", "discount")):
        (folder / f"{name}.yaml").write_text(LAW.format(name=name, word=word))
    other = _run(folder / "home", "access", "add", "other", "--tenant", "nobody").stdout.strip()
    scraper = _run(folder / "home", "access", "add", "scraper", "--metrics").stdout.strip()
    with background(answer) as base:
        (folder / "lawspeaker.yaml").write_text(CONFIG.format(base=base))
        with serving(folder, "--config", "lawspeaker.yaml", **KEYS) as served:
            served.other, served.scraper = other, scraper
            yield served


def _send(up: Served, *asked: tuple[str, str, str]) -> list[tuple[int, str, str]]:
    """Status, decision's id and text of the answer to each (key, model, text), all at once."""

    async def one(session: aiohttp.ClientSession, key: str, model: str, text: str) -> tuple[int, str, str]:
        body = {"model": model, "messages": [{"role": "user", "content": text}]}
        headers = {"authorization": f"Bearer {key}"}
        async with session.post(f"{up.base}/v1/chat/completions", json=body, headers=headers) as response:
            return response.status, response.headers.get("x-lawspeaker-decision", ""), await response.text()

    async def run() -> list[tuple[int, str, str]]:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=50)) as session:
            return await asyncio.gather(*(one(session, *each) for each in asked))

    return asyncio.run(run())


def _get(up: Served, path: str, key: str = "") -> dict | str:
    request = urllib.request.Request(up.base + path, headers={"authorization": f"Bearer {key}"})
    with urllib.request.urlopen(request, timeout=10) as response:
        text = response.read().decode()
        return json.loads(text) if text.startswith("{") else text


def test_each_has_its_own_routes_models_and_law(up: Served) -> None:
    bank, shop = KEYS["BANK_KEY"], KEYS["SHOP_KEY"]
    found = _send(up, (bank, "assistant", "discount"), (shop, "assistant", "vault"), (bank, "assistant", "vault"))
    said = [json.loads(text)["choices"][0]["message"] for _, _, text in found]
    assert [each["content"] for each in said] == ["one: discount", "two: vault", None]
    assert "no-vault" in said[2]["refusal"]
    for key, model, status in (
        (bank, "common", 200),
        (shop, "common", 404),
        (KEYS["BATCH_KEY"], "common", 200),
        (KEYS["BATCH_KEY"], "assistant", 404),
        (up.other, "common", 404),  # made by `access add` for a tenant that the configuration does not have
        ("any", "common", 401),
        ("", "common", 401),
    ):
        assert _send(up, (key, model, "hello"))[0][0] == status, (key, model)
    listed = {key: [each["id"] for each in _get(up, "/v1/models", key)["data"]] for key in (bank, shop, up.other)}
    assert listed == {bank: ["common", "assistant"], shop: ["assistant"], up.other: []}


def test_canaries_never_cross(up: Served) -> None:
    """Many requests of two tenants at the same time: in each answer, in each record and in the counters there is
    nothing of the other."""
    keys = {"bank": KEYS["BANK_KEY"], "shop": KEYS["SHOP_KEY"]}
    asked = [(name, f"canary-{name}-{number:04}") for number in range(150) for name in keys]
    found = _send(up, *((keys[name], "assistant", text) for name, text in asked))
    for (_, canary), (status, _, text) in zip(asked, found, strict=True):
        assert status == 200
        assert re.findall(r"canary-\w+-\d+", text) == [canary]
    with LogReader(up.home) as reader:
        for (name, canary), (_, id, _) in zip(asked, found, strict=True):
            for leaf in reader.history(id):
                assert leaf.record.tenant == name
                assert b"canary-" not in leaf.data
                texts = [text.text for text in reader.texts(leaf.record.id).values()]
                assert set(re.findall(r"canary-\w+-\d+", "".join(texts))) <= {canary}
    ids = {
        name: next(id for (whose, _), (_, id, _) in zip(asked, found, strict=True) if whose == name) for name in keys
    }
    for name, key in keys.items():
        for whose, id in ids.items():
            path = f"/v1/decisions/{id}"
            if whose == name:
                assert _get(up, path, key)["action"] == "release"
            else:
                with pytest.raises(urllib.error.HTTPError, match="404"):
                    _get(up, path, key)
    counters = _get(up, "/metrics", up.scraper)
    counted = dict(re.findall(r'outcome="release",route="assistant".*tenant="(\w+)"} (\d+)', counters))
    assert int(counted["bank"]) >= 150
    assert int(counted["shop"]) >= 150
    assert "canary" not in counters
    for name in keys:
        done = json.loads(_run(up.home, "report", "--json", "--tenant", name).stdout)
        assert done["decisions"] >= 150
    shop = json.loads(_run(up.home, "report", "--json", "--tenant", "shop").stdout)
    assert "no-vault" not in shop["principles"]


def test_no_key_is_kept_and_a_revoked_one_stays_so(tmp_path: Path) -> None:
    first, second = new_secret(), new_secret()
    keys = [
        configured(secret, name=name, tenant="shop", routes=None, expires=0)
        for name, secret in (("web", first), ("old", second))
    ]
    with Keyring(tmp_path) as keyring:
        keyring.settle(keys)
        assert keyring.admit(first).id == keys[0][0].id
        keyring.revoke("old")
        keyring.settle(keys[1:])  # `web` is gone from the configuration, and `old` is still there
        left = keyring.keys()
        assert [(key.name, key.revoked > 0) for key in left] == [("old", True)]
        for secret in (first, second):
            with pytest.raises(AccessError, match=r"not known here|revoked"):
                keyring.admit(secret)
        _, made = keyring.add("made")
        taken = configured(made, name="web", tenant="shop", routes=None, expires=0)
        with pytest.raises(InputError, match="which `lawspeaker access add` made"):
            keyring.settle([keys[0], taken])
        left = keyring.keys()
        assert [key.name for key in left] == ["old", "made"]  # nothing of it was done
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert not [secret for secret in (first, second, made) if secret.encode() in stored]
