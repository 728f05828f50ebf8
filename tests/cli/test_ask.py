"""`lawspeaker ask` and what it leaves behind, with a scripted model: the streams, the exit codes, the record."""

import json
import os
import stat
from pathlib import Path

import msgspec
import pytest

from lawspeaker.audit.reader import LogReader
from tests.cli.conftest import Run

OPEN = """```hcl
resource "aws_s3_bucket" "invoices" {}

resource "aws_s3_bucket_acl" "invoices" {
  bucket = aws_s3_bucket.invoices.id
  acl    = "public-read"
}
```"""
CLOSED = OPEN.replace("public-read", "private")
CRITIC = {"when": "Does the answer uphold", "reply": 'Violated: `acl = "public-read"`: all can read.', "again": True}
REVISER = {"when": "Reply with the whole revised", "reply": CLOSED}
STUBBORN = {"when": "Reply with the whole revised", "reply": OPEN, "again": True}
WAITS = "name: w\nversion: 1.0.0\nprinciples:\n- id: ask-first\n  text: Ask first.\n  severity: major\n"
WAITS += "  on_violation: escalate\n  checks: [{pattern: {deny: 'destroy', reason: It destroys something.}}]\n"


@pytest.fixture
def script(work: Path) -> str:
    """A model that drafts a public bucket and revises it well."""
    return _write(work, CRITIC, REVISER, {"reply": OPEN})


def _write(work: Path, *entries: dict[str, object]) -> str:
    (work / "script.json").write_bytes(msgspec.json.encode(entries))
    return "scripted:script.json"


def test_streams_and_story(cli: Run, script: str) -> None:
    done = cli("ask", "--model", script, "a bucket")
    assert (done.returncode, done.stdout) == (0, CLOSED + "\n")
    story = done.stderr
    assert "violated no-public-data line 6: aws_s3_bucket_acl.invoices" in story
    assert 'Violated: `acl = "public-read"`' in story
    assert '-  acl    = "public-read"\n' in story
    assert '+  acl    = "private"\n' in story
    stages = ("draft", "violated no-public", "critique", "revision", "decision", "receipt")
    order = [story.index(stage) for stage in stages]
    assert order == sorted(order)
    assert "\x1b" not in story


def test_json_is_the_contract(cli: Run, script: str) -> None:
    done = cli("ask", "--model", script, "--json", "a bucket")
    out = json.loads(done.stdout)
    assert set(out) == {
        "answer", "decision", "revised", "redacted", "steps", "constitution", "behaviour", "models", "receipt"
    }  # fmt: skip
    assert (out["answer"], out["decision"], out["revised"]) == (CLOSED, {"action": "release", "because": []}, True)
    assert [step["kind"] for step in out["steps"]] == ["assess", "draft", "assess", "critique", "revision", "assess"]
    assert set(out["receipt"]) == {"id", "index", "digest", "checkpoint", "proof"}


def test_refusal_prints_no_answer(cli: Run, work: Path) -> None:
    done = cli("ask", "--model", _write(work, CRITIC, STUBBORN, {"reply": OPEN}), "a bucket")
    assert (done.returncode, done.stdout) == (1, "")
    assert "refuse because of no-public-data" in done.stderr


def test_what_ask_leaves_behind(cli: Run, script: str, work: Path) -> None:
    receipt = json.loads(cli("ask", "--model", script, "--json", "a bucket").stdout)["receipt"]
    verified = cli("audit", "verify", "--json")
    report = json.loads(verified.stdout)
    assert (verified.returncode, report["ok"], report["size"], report["problems"]) == (0, True, 2, [])
    assert "Integrity only" in cli("audit", "verify").stderr
    assert receipt["id"] in cli("audit", "show").stdout
    not_held = cli("review", "show", receipt["id"])
    assert (not_held.returncode, "was not escalated" in not_held.stderr) == (2, True)
    shown = cli("audit", "show", receipt["id"][:12])
    assert shown.returncode == 0
    assert "a bucket" in shown.stdout
    proved = json.loads(cli("audit", "prove", receipt["id"]).stdout)
    assert proved["receipt"]["digest"] == receipt["digest"]
    assert stat.S_IMODE((work / ".lawspeaker").stat().st_mode) == 0o700
    stored = b"".join(path.read_bytes() for path in (work / ".lawspeaker").rglob("*") if path.is_file())
    assert b"public-read" not in stored  # texts lie encrypted


def test_escalated_answers_wait_for_a_ruling(cli: Run, work: Path) -> None:
    (work / "constitution.yaml").write_text(WAITS)
    model = _write(work, {"reply": "Run terraform destroy.", "again": True})
    for _ in range(2):
        done = cli("ask", "--model", model, "clean up")
        assert (done.returncode, done.stdout) == (3, "")
    first, second = (entry["id"] for entry in json.loads(cli("review", "list", "--json").stdout))
    assert "Run terraform destroy." in cli("review", "show", first[:10]).stdout
    approved = cli("review", "approve", first, "--by", "jo", "--reason", "asked for")
    assert (approved.returncode, approved.stdout) == (0, "Run terraform destroy.\n")
    assert cli("review", "reject", second, "--reason", "no").returncode == 0
    assert json.loads(cli("review", "list", "--json").stdout) == []
    assert "approve by jo" in cli("review", "show", first).stdout
    again = cli("review", "reject", first, "--reason", "changed my mind")
    assert (again.returncode, "has a ruling already" in again.stderr) == (2, True)
    assert json.loads(cli("audit", "verify", "--json").stdout)["ok"]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"fail": "connection refused"}, "connection refused"),
        ({"reply": ""}, "the answer is empty"),
        ({"reply": "late", "wait": 30}, "no answer within 0.2 s"),
    ],
)
def test_a_model_that_fails_is_said_and_recorded(cli: Run, work: Path, entry: dict[str, object], words: str) -> None:
    done = cli("ask", "--model", _write(work, entry), "--timeout", "0.2", "a bucket")
    assert (done.returncode, done.stdout) == (3, "")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    report = json.loads(cli("audit", "verify", "--json").stdout)
    assert (report["ok"], report["size"]) == (True, 2)


@pytest.mark.parametrize(
    ("model", "words"), [("gpt-5", "is not a model address"), ("openai:gpt-5", "set OPENAI_API_KEY")]
)
def test_a_model_that_cannot_be_opened_is_said_and_recorded(cli: Run, model: str, words: str) -> None:
    done = cli("ask", "x", "--model", model)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    report = json.loads(cli("audit", "verify", "--json").stdout)
    assert (report["ok"], report["size"]) == (True, 2)


def test_what_a_model_writes_cannot_steer_the_terminal(cli: Run, work: Path) -> None:
    hostile = OPEN.replace("{}", '{ bucket = "[yellow]\x1b[2J\u202e[/bold]" }')
    done = cli("ask", "--model", _write(work, CRITIC, {**STUBBORN, "reply": hostile}, {"reply": hostile}), "a bucket")
    assert done.returncode == 1
    shown = cli("audit", "show", _last_id())
    for text in (done.stderr, shown.stdout):
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "Traceback" not in text


def test_an_approval_needs_an_answer(cli: Run, work: Path) -> None:
    (work / "constitution.yaml").write_text(WAITS.replace("  checks", "  applies_to: [request]\n  checks"))
    assert cli("ask", "--model", _write(work), "destroy it").returncode == 3
    (waiting,) = json.loads(cli("review", "list", "--json").stdout)
    done = cli("review", "approve", waiting["id"])
    assert (done.returncode, done.stdout) == (2, "")
    assert "no answer to approve" in done.stderr
    assert len(json.loads(cli("review", "list", "--json").stdout)) == 1


def _last_id() -> str:
    """The id of the newest decision: the one that a refused `ask` has named on standard error only."""
    with LogReader(Path(".lawspeaker")) as reader:
        return reader.recent(1)[0].record.id


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("ask", " "), "the request is empty"),
        (("ask", "x", "--constitution", "nobody.yaml"), "nobody.yaml"),
        (("ask", "x", "--temperature", "9"), "--temperature"),
        (("ask", "x", "--temperature", "nan"), "--temperature"),
        (("ask", "x", "--timeout", "inf"), "--timeout"),
        (("ask", "x", "--model", "http://[::1/v1#m"), "http://HOST:PORT/v1#MODEL"),
        (("audit", "verify"), "there is no audit log here"),
        (("audit", "verify", "--key", "x" * 5000), "too long"),
        (("audit", "show", "00000000"), "log.db"),
        (("review", "approve", "zz"), "log.db"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(cli: Run, arguments: tuple[str, ...], words: str) -> None:
    done = cli(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_log_that_cannot_be_written_gives_no_answer(cli: Run, script: str, work: Path) -> None:
    (work / ".lawspeaker").write_text("not a folder")
    done = cli("ask", "--model", script, "a bucket")
    assert (done.returncode, done.stdout) == (2, "")
    assert ".lawspeaker" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_tampered_log_is_refused(cli: Run, script: str, work: Path) -> None:
    cli("ask", "--model", script, "a bucket")
    database = work / ".lawspeaker" / "log.db"
    database.write_bytes(database.read_bytes().replace(b'"action":"release"', b'"action":"refused"'))
    verified = cli("audit", "verify", "--json")
    assert verified.returncode == 1
    assert 1 in [problem["index"] for problem in json.loads(verified.stdout)["problems"]]
    _write(work, CRITIC, REVISER, {"reply": OPEN})
    done = cli("ask", "--model", script, "a bucket")
    assert (done.returncode, done.stdout) == (2, "")


def test_a_request_that_is_no_text(cli: Run, script: str) -> None:
    done = cli("ask", "--model", script, os.fsdecode(b"\xff"))
    assert (done.returncode, "not UTF-8" in done.stderr) == (2, True)
