"""The real program, in a process of its own, in an empty folder."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).with_name("lawspeaker")
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def cli(work: Path) -> Run:
    def run(
        *arguments: str, stdin: str | bytes = "", timeout: float = 60, home: str = ""
    ) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [PROGRAM, *arguments],
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True,
            timeout=timeout,
            check=False,
            env={**os.environ, "LAWSPEAKER_HOME": home},
        )
        return subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
        )

    return run
