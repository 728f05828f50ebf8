"""`lawspeaker serve` as a new user tries it: nano, no configuration, and what it prints."""

import json
import shlex
import subprocess
import urllib.request
from pathlib import Path

from lawspeaker.audit.reader import LogReader
from tests.cli.conftest import PROGRAM
from tests.gateway.served import serving


def test_serves_nano_prints_lines_that_work_and_ends_cleanly(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        line = served.process.stdout.readline()
        curl = shlex.split(line)
        assert curl[:2] == ["curl", f"{served.base}/v1/chat/completions"]
        request = urllib.request.Request(
            curl[1], curl[3].encode(), {"content-type": "application/json", "authorization": "Bearer any"}
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            decision = response.headers["x-lawspeaker-decision"]
            answer = json.load(response)
        assert "aws_s3_bucket" in answer["choices"][0]["message"]["content"]
        code, err = served.stop()
    assert code == 0
    assert err.splitlines()[-1] == "stopped"
    assert "Traceback" not in err
    with LogReader(served.home) as reader:
        assert [leaf.record.kind for leaf in reader.history(decision)] == ["opened", "decision"]


def test_what_cannot_be_served_is_one_line(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        port = served.base.rpartition(":")[2]
        for options, words in (
            (["--port", port], "cannot listen on 127.0.0.1:"),
            (["--host", "0.0.0.0"], "there are no access keys"),
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
