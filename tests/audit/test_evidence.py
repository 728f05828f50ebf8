"""Evidence files: the second verifier, run as a program, accepts what was exported and nothing that was changed."""

import asyncio
import base64
import json
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lawspeaker.audit.erasure import erase
from lawspeaker.audit.evidence import Policy, export
from lawspeaker.audit.log import open_log
from lawspeaker.audit.reader import LogReader, read_vkeys
from lawspeaker.audit.record import Record, new_id, opened
from lawspeaker.audit.rulings import rule
from lawspeaker.audit.witness import Cosigner
from lawspeaker.checks.registry import KINDS
from lawspeaker.constitution.load import load
from lawspeaker.digest import canonical
from tests.audit.logs import TEXTS, append_some, make_log

TOOL = Path(__file__).parents[2] / "tools" / "verify_evidence.py"


def check(path: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(TOOL), str(path), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


COSIGNER = Cosigner("example.org/witness", bytes(32))


def module() -> Any:
    """The verifier as a library, for tampering by the hundred."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("verify_evidence", TOOL)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A log with one exchange of opening, decision, ruling and erasure among others; its id is in `subject`."""
    home = tmp_path_factory.mktemp("evidence") / "home"
    law = load("infrastructure", kinds=KINDS)

    async def run() -> str:
        async with await open_log(home) as log:
            await append_some(log, 20)
            first = (await log.append(opened(constitution=law.digest), {"request": "Open it."})).id
            await append_some(log, 20)
            facts = {"action": "escalate", "because": ["no-public-data"]}
            decision = Record(kind="decision", id=new_id(), subject=first, facts=facts, constitution=law.digest)
            await log.append(decision, TEXTS)
            await rule(log, first, "reject", "no need", "Ada")
            await append_some(log, 300)
            await erase(log, first, "a name in it", "Ada", only=True)
            return first

    (home.parent / "subject").write_text(asyncio.run(run()))
    return home


@pytest.fixture(scope="module")
def evidence(home, tmp_path_factory):
    law = canonical(load("infrastructure", kinds=KINDS).law())
    with LogReader(home) as reader:
        found = export(reader, (home.parent / "subject").read_text(), Policy(read_vkeys(home)), law=law)
    import msgspec

    path = tmp_path_factory.mktemp("file") / "evidence.json"
    path.write_bytes(msgspec.json.encode(found))
    return path


def test_the_second_verifier_shares_nothing_and_is_short():
    text = TOOL.read_text(encoding="utf-8")
    assert not re.search(r"^\s*(import|from) lawspeaker", text, re.MULTILINE)
    assert len(text.splitlines()) <= 400


def test_a_file_is_verified_by_a_program_that_has_only_the_key(home, evidence):
    done = check(evidence, "--key", read_vkeys(home)[0], "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert [each["kind"] for each in found["records"]] == ["opened", "decision", "ruling", "erased"]
    assert (found["decision"], found["because"], found["ruling"]) == ("escalate", ["no-public-data"], "reject by Ada")
    assert found["law"].startswith("infrastructure ")
    assert found["erased"] == ["20/request"]
    assert len(found["texts"]) == len(TEXTS) + 2
    assert "integrity only" in check(evidence).stdout


def test_another_key_and_a_quorum_that_is_not_there_are_refused(evidence, tmp_path):
    make_log(tmp_path / "other", 1)
    done = check(evidence, "--key", str(tmp_path / "other" / "keys" / "log.vkey"))
    assert (done.returncode, done.stdout) == (1, "not ok: no key of the log signed this head\n")
    assert check(evidence, "--quorum", "1", "--witness", COSIGNER.vkey).returncode == 1


def test_a_quorum_is_of_witnesses_from_the_same_hand(home, evidence, tmp_path):
    """Whoever asks for a quorum names the witnesses: the sender's may be the sender."""
    file = json.loads(evidence.read_bytes())
    note = file["checkpoint"]
    file["checkpoint"] = note + COSIGNER.cosign(note.rpartition("\n\n")[0] + "\n", 1_700_000_000)
    file["policy"] |= {"witnesses": [COSIGNER.vkey], "quorum": 1}
    path = tmp_path / "cosigned.json"
    path.write_text(json.dumps(file))
    key = ("--key", read_vkeys(home)[0])
    done = check(path, *key, "--quorum", "1")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert check(path, *key, "--quorum", "1", "--witness", COSIGNER.vkey).returncode == 0
    told = check(path, *key).stdout
    assert "the witnesses' keys came with the file" in told


@pytest.mark.parametrize("wrong", [5, True, "x", ["x"], [[]], {}, -1])
def test_values_of_another_kind_are_refused_in_one_line(evidence, wrong):
    tool, data = module(), evidence.read_bytes()
    for place in (
        ("policy", "keys"),
        ("policy", "witnesses"),
        ("policy", "quorum"),
        ("records", 0, "texts", "request"),
    ):
        file = inner = json.loads(data)
        for step in place[:-1]:
            inner = inner[step]
        inner[place[-1]] = {"state": wrong} if place[-1] == "request" else wrong
        with pytest.raises((tool.Refused, tool.Unreadable)):
            tool.verify(json.dumps(file).encode(), [], [], None)


def test_files_that_are_none_are_refused_in_one_line(tmp_path):
    for text in ("", "[]", "{}", '{"format": "lawspeaker-evidence 1"}', '{"a": 1, "a": 2}', "[" * 100_000, "\xff"):
        path = tmp_path / "file"
        path.write_bytes(text.encode("latin-1"))
        done = check(path)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), text[:20]


def changes(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The place of every value in a file."""
    if isinstance(data, dict):
        return [place for key, value in data.items() for place in changes(value, (*path, key))]
    if isinstance(data, list):
        return [place for n, value in enumerate(data) for place in changes(value, (*path, n))]
    return [path]


def test_every_bit_that_is_evidence_is_covered(home, evidence):
    """One bit of the bytes behind each base64 or hex value, at random places, and every number."""
    tool, keys, dice = module(), list(read_vkeys(home)), random.Random(5)
    data = evidence.read_bytes()
    assert tool.verify(data, keys, [], None)["ok"]
    tried = 0
    for place in changes(json.loads(data)):
        if place[0] in {"made", "policy", "format", "subject", "checkpoint"} or place[-1] == "state":
            continue
        for _ in range(4):
            file = json.loads(data)
            inner = file
            for step in place[:-1]:
                inner = inner[step]
            inner[place[-1]] = flipped(inner[place[-1]], place[-1] == "salt", dice)
            with pytest.raises((tool.Refused, tool.Unreadable)):
                tool.verify(json.dumps(file).encode(), keys, [], None)
            tried += 1
    assert tried > 150


def flipped(value: Any, is_hex: bool, dice: random.Random) -> Any:
    if isinstance(value, int):
        return value ^ 1 << dice.randrange(8)
    raw = bytearray(bytes.fromhex(value) if is_hex else base64.b64decode(value))
    raw[dice.randrange(len(raw))] ^= 1 << dice.randrange(8)
    return raw.hex() if is_hex else base64.b64encode(raw).decode()


def test_edits_that_keep_the_form_are_refused(home, evidence):
    tool, keys = module(), list(read_vkeys(home))
    data = evidence.read_bytes()

    def drop_erasure(file: Any) -> None:
        del file["records"][3]

    def swap(file: Any) -> None:
        file["records"][1], file["records"][2] = file["records"][2], file["records"][1]

    def drop_opening(file: Any) -> None:
        del file["records"][0]

    def drop_decision(file: Any) -> None:
        del file["records"][1]

    def twice(file: Any) -> None:
        file["records"].append(file["records"][3])

    def claim_erased(file: Any) -> None:
        file["records"][1]["texts"]["answer"] = {"state": "erased"}

    def trade_texts(file: Any) -> None:
        texts = file["records"][1]["texts"]
        texts["answer"], texts["request"] = texts["request"], texts["answer"]

    def other_subject(file: Any) -> None:
        file["subject"] = "0" * 32

    def long_proof(file: Any) -> None:
        file["records"][0]["proof"] *= 9

    def bigger(file: Any) -> None:
        lines = file["checkpoint"].split("\n")
        lines[1] = "0" + lines[1]
        file["checkpoint"] = "\n".join(lines)

    def two_signatures(file: Any) -> None:
        file["checkpoint"] += file["checkpoint"].split("\n\n")[1]

    edits = (drop_erasure, swap, drop_opening, drop_decision, twice, claim_erased, trade_texts, other_subject)
    for edit in (*edits, long_proof, bigger, two_signatures):
        file = json.loads(data)
        edit(file)
        with pytest.raises((tool.Refused, tool.Unreadable)):
            tool.verify(json.dumps(file).encode(), keys, [], None)


def test_without_texts_nothing_of_them_is_in_the_file(home):
    with LogReader(home) as reader:
        found = export(reader, (home.parent / "subject").read_text(), Policy(read_vkeys(home)), texts=False)
    import msgspec

    data = msgspec.json.encode(found)
    assert b'"salt"' not in data
    assert b'"data"' not in data
    told = module().verify(data, list(read_vkeys(home)), [], None)
    assert (told["texts"], told["decision"]) == ({}, "escalate")
