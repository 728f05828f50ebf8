"""`lawspeaker check` as people call it: files, folders, standard input, formats, exit codes, bad input."""

import json
import os
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.cli.conftest import PROGRAM, Run

OPEN = """resource "aws_s3_bucket" "invoices" {
  bucket = "invoices"
}

resource "aws_s3_bucket_acl" "invoices" {
  bucket = aws_s3_bucket.invoices.id
  acl    = "public-read"
}

resource "aws_s3_bucket_public_access_block" "invoices" {
  bucket              = aws_s3_bucket.invoices.id
  block_public_policy = true
}
"""
CLOSED = OPEN.replace("public-read", "private")
ANSWER = f"Here you are:\n\n```hcl\n{OPEN}```\n\nTell me if you need more.\n"


def test_text(cli: Run, work: Path) -> None:
    (work / "main.tf").write_text(OPEN)
    done = cli("check", "main.tf")
    assert done.returncode == 1
    assert done.stdout.startswith("main.tf:7: violated no-public-data (critical) aws_s3_bucket_acl.invoices")
    assert "terraform/public-storage" in done.stdout
    assert "1 file: 1 principle violated, 0 principles inconclusive: refuse because of no-public-data" in done.stderr
    (work / "main.tf").write_text(CLOSED)
    assert cli("check", "main.tf").returncode == 0


def test_json_is_the_contract(cli: Run, work: Path) -> None:
    (work / "main.tf").write_text(OPEN)
    out = json.loads(cli("check", "main.tf", "--format", "json").stdout)
    assert set(out) == {"constitution", "files", "findings", "decision"}
    assert set(out["constitution"]) == {"name", "version", "digest"}
    assert out["files"] == 1
    assert out["decision"] == {"action": "refuse", "because": ["no-public-data"]}
    (finding,) = out["findings"]
    assert set(finding) == {
        "principle", "check", "outcome", "severity", "reason", "path", "line", "end_line", "evidence"
    }  # fmt: skip
    assert (finding["path"], finding["line"], finding["check"]) == ("main.tf", 7, "terraform/public-storage")


def test_sarif(cli: Run, work: Path) -> None:
    (work / "my infra").mkdir()
    (work / "my infra" / "main.tf").write_text(OPEN)
    done = cli("check", "my infra", "--format", "sarif")
    log = json.loads(done.stdout)
    (run,) = log["runs"]
    (result,) = run["results"]
    assert (done.returncode, log["version"]) == (1, "2.1.0")
    rule = run["tool"]["driver"]["rules"][result["ruleIndex"]]
    assert rule["id"] == result["ruleId"] == "no-public-data"
    assert result["level"] == "error"
    place = result["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "my%20infra/main.tf"}, "region": {"startLine": 7, "endLine": 7}}
    (work / "my infra" / "main.tf").write_text("# a comment above\n" + OPEN)
    moved = json.loads(cli("check", "my infra", "--format", "sarif").stdout)["runs"][0]["results"][0]
    assert moved["partialFingerprints"] == result["partialFingerprints"]


def test_junit(cli: Run, work: Path) -> None:
    (work / "main.tf").write_text(OPEN)
    done = cli("check", "main.tf", "--format", "junit")
    suite = ElementTree.fromstring(done.stdout).find("testsuite")
    assert suite is not None
    assert (suite.get("name"), suite.get("failures")) == ("main.tf", "1")
    assert [case.get("name") for case in suite if case.find("failure") is not None] == ["no-public-data"]


def test_chat_answer_on_standard_input(cli: Run) -> None:
    done = cli("check", "-", "--format", "json", stdin=ANSWER)
    (finding,) = json.loads(done.stdout)["findings"]
    assert (done.returncode, finding["path"], finding["line"]) == (1, "-", 10)


def test_the_files_of_a_folder_are_one_module(cli: Run, work: Path) -> None:
    (work / "m").mkdir()
    (work / "m" / "acl.tf").write_text(OPEN[OPEN.index('resource "aws_s3_bucket_acl"') :])
    block = (
        'resource "aws_s3_bucket_public_access_block" "b" {\n  bucket = aws_s3_bucket.invoices.id\n'
        "  block_public_acls = true\n  ignore_public_acls = true\n}\n"
    )
    (work / "m" / "bucket.tf").write_text('resource "aws_s3_bucket" "invoices" {}\n')
    assert cli("check", "m").returncode == 1
    (work / "m" / "block.tf").write_text(block)
    assert cli("check", "m").returncode == 0
    assert cli("check", "m/acl.tf").returncode == 1


def test_all_has_a_row_for_each_file(cli: Run, work: Path) -> None:
    principle = "{id: p, text: x, severity: major, checks: [{terraform: public-storage}]}"
    (work / "one.yaml").write_text(f"name: one\nversion: 1.0.0\nprinciples:\n- {principle}\n")
    (work / "m").mkdir()
    for name, text in (("a.tf", OPEN), ("b.tf", "# nothing\n"), ("notes.md", "hello\n")):
        (work / "m" / name).write_text(text)
    out = json.loads(cli("check", "m", "--all", "--format", "json", "--constitution", "one.yaml").stdout)
    assert out["files"] == 3
    assert {finding["path"] for finding in out["findings"]} == {"m/a.tf", "m/b.tf", "m/notes.md"}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\x7fELF\x00\x01\x02", "binary"),
        (b'resource "a" "\xff" {}', "not UTF-8"),
        (b"x" * (17 * 1024 * 1024), "larger than 16 MiB"),
    ],
    ids=["binary", "invalid-utf8", "huge"],
)
def test_what_cannot_be_read_is_inconclusive(cli: Run, work: Path, content: bytes, why: str) -> None:
    (work / "main.tf").write_bytes(content)
    done = cli("check", "main.tf")
    assert done.returncode == 3
    assert why in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "stdin", "words"),
    [
        (("check", "nowhere.tf"), "", "nowhere.tf: no such file or folder"),
        (("check", "x" * 5000), "", "too long"),
        (("check", "-"), "", "standard input is empty"),
        (("check", "empty"), "", "no file to judge"),
        (("check", "-", "--constitution", "nobody"), "x", "nobody"),
        (("check", "-", "--judge", "gpt-5"), "x", "is not a model address"),
        (("check",), "", "Missing argument"),
    ],
)
def test_bad_input_is_one_line(cli: Run, work: Path, arguments: tuple[str, ...], stdin: str, words: str) -> None:
    (work / "empty").mkdir()
    done = cli(*arguments, stdin=stdin)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_pictures_in_a_folder_are_left_out_and_counted(cli: Run, work: Path) -> None:
    (work / "m").mkdir()
    (work / "m" / "main.tf").write_text(CLOSED)
    (work / "m" / "logo.png").write_bytes(b"\x89PNG\0")
    done = cli("check", "m")
    assert (done.returncode, "1 file left out" in done.stderr) == (0, True)
    assert cli("check", "m/logo.png").returncode == 3
    (work / "m" / "more.tf").write_bytes(b"\0")
    assert cli("check", "m").returncode == 3


def test_hidden_files_are_judged_and_hidden_folders_are_not(cli: Run, work: Path) -> None:
    for folder in ("m", "m/.git"):
        (work / folder).mkdir()
        (work / folder / ".env").write_text("AWS_ACCESS_KEY_ID=" + "AKIA" + "QX7RZP2MWK4TLB9D\n")
    out = json.loads(cli("check", "m", "--format", "json").stdout)
    assert {finding["path"] for finding in out["findings"]} == {"m/.env"}


def test_names_that_are_not_utf8(cli: Run, work: Path) -> None:
    (work / "m").mkdir()
    (work / "m" / os.fsdecode(b"\xff.tf")).write_text(OPEN)
    for form in ("text", "json", "sarif", "junit"):
        done = cli("check", "m", "--format", form)
        assert (done.returncode, "Traceback" not in done.stderr) == (1, True)


def test_terminal_escapes_are_written_out(cli: Run, work: Path) -> None:
    (work / "a\x1b[2J.tf").write_text(OPEN)
    assert "\x1b" not in cli("check", "a\x1b[2J.tf").stdout


def test_output_that_cannot_be_written(cli: Run, work: Path) -> None:
    (work / "main.tf").write_text(CLOSED)
    command = f"{PROGRAM} check main.tf --all --format json"
    full = subprocess.run(f"{command} > /dev/full", shell=True, capture_output=True, text=True, check=False)
    assert (full.returncode, "cannot write the output" in full.stderr) == (2, True)
    gone = subprocess.run(["bash", "-o", "pipefail", "-c", f"{command} | true"], capture_output=True, check=False)
    assert (gone.returncode, gone.stderr.count(b"Traceback")) == (0, 0)


def test_empty_file_has_nothing_to_judge(cli: Run, work: Path) -> None:
    (work / "empty.tf").touch()
    assert cli("check", "empty.tf").returncode == 0


def test_links_out_of_a_folder_are_not_followed(cli: Run, work: Path) -> None:
    (work / "m").mkdir()
    (work / "m" / "main.tf").write_text(CLOSED)
    (work / "secret.tf").write_text(OPEN)
    (work / "m" / "link.tf").symlink_to(work / "secret.tf")
    assert cli("check", "m").returncode == 0


MODULE = """variable "acl" {}
resource "aws_s3_bucket_acl" "store" {
  bucket = "invoices"
  acl    = var.acl
}
"""


def test_a_module_in_a_folder_that_was_given_is_judged_by_its_calls(cli: Run, work: Path) -> None:
    (work / "modules" / "store").mkdir(parents=True)
    (work / "modules" / "store" / "main.tf").write_text(MODULE)
    (work / "main.tf").write_text('module "invoices" {\n  source = "./modules/store"\n  acl    = "public-read"\n}\n')
    done = cli("check", ".", "--format", "json")
    (finding,) = json.loads(done.stdout)["findings"]
    assert (done.returncode, finding["outcome"], finding["path"]) == (1, "violated", "./modules/store/main.tf")
    assert "aws_s3_bucket_acl.invoices/store" in finding["reason"]
    # Without the folder nobody knows what the call sets up, and without the call not what the variable is.
    assert cli("check", "main.tf").returncode == 0
    assert cli("check", "modules").returncode == 3
