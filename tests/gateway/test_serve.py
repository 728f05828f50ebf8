"""`lawspeaker serve` as a new user tries it: nano, no configuration, and what it prints."""

import json
import shlex
import subprocess
import urllib.request
from pathlib import Path

from lawspeaker.audit.reader import LogReader
from tests.cli.conftest import PROGRAM
from tests.gateway.served import serving


def _ask(url: str, body: str) -> tuple[str, dict]:
    """The decision's id and the one choice."""
    headers = {"content-type": "application/json", "authorization": "Bearer any"}
    with urllib.request.urlopen(urllib.request.Request(url, body.encode(), headers), timeout=60) as response:
        (choice,) = json.load(response)["choices"]
        return response.headers["x-lawspeaker-decision"], choice


def test_serves_nano_prints_lines_that_work_and_ends_cleanly(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        line = served.process.stdout.readline()
        curl = shlex.split(line)
        assert curl[:2] == ["curl", f"{served.base}/v1/chat/completions"]
        decision, choice = _ask(curl[1], curl[3])
        said, how = choice["message"], choice["finish_reason"]
        if said["refusal"]:  # nano is asked without a seed, so the law may not let through what it says this time
            assert (said["content"], how) == (None, "content_filter")
            assert said["refusal"].endswith(f"Decision {decision}.")
        else:
            assert said["content"]
            assert how in ("stop", "length")
        fixed = json.dumps({**json.loads(curl[3]), "temperature": 0, "seed": 0})
        _, first = _ask(curl[1], fixed)
        assert "aws_s3_bucket" in first["message"]["content"]
        assert _ask(curl[1], fixed)[1] == first
        code, err = served.stop()
    assert code == 0
    assert err.splitlines()[-1] == "stopped"
    assert "Traceback" not in err
    with LogReader(served.home) as reader:
        assert [leaf.record.kind for leaf in reader.history(decision)] == ["opened", "decision"]


def test_a_revoked_key_opens_no_address_to_others(tmp_path: Path) -> None:
    for command in (["access", "add", "web"], ["access", "revoke", "web"]):
        subprocess.run([PROGRAM, *command], cwd=tmp_path, capture_output=True, timeout=30, check=True)
    command = [PROGRAM, "serve", "--port", "0", "--host", "0.0.0.0"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2, done.stdout
    assert "there are no valid access keys" in done.stderr


def test_what_cannot_be_served_is_one_line(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        port = served.base.rpartition(":")[2]
        for options, words in (
            (["--port", port], "cannot listen on 127.0.0.1:"),
            (["--host", "0.0.0.0"], "there are no valid access keys"),
            (["--upstream", "nobody"], "is not a model address"),
        ):
            done = subprocess.run(
                [PROGRAM, "serve", "--port", "0", *options],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                timeout=30,
                check=False,
            )
            assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
            assert words in done.stderr
