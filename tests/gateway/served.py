"""The real program, serving, in a process of its own."""

import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cli.conftest import PROGRAM

_AT = re.compile(r" at (https?://\S+)")


class Served:
    """A gateway at `base`; `home` is where its log is."""

    def __init__(self, process: "subprocess.Popen[str]", base: str, home: Path) -> None:
        self.process, self.base, self.home = process, base, home

    def stop(self) -> tuple[int, str]:
        """Exit code and the rest of what it said."""
        self.process.send_signal(signal.SIGTERM)
        late = threading.Timer(30, self.process.kill)
        late.start()
        err = self.process.stderr.read()  # communicate() would lose what came in with the first line
        self.process.wait()
        late.cancel()
        return self.process.returncode, err


@contextmanager
def serving(folder: Path, *options: str, **environment: str) -> Iterator[Served]:
    home = folder / "home"
    process = subprocess.Popen(
        [PROGRAM, "serve", "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**os.environ, "LAWSPEAKER_HOME": str(home), **environment},
    )
    try:
        line = process.stderr.readline()
        at = _AT.search(line)
        if not at:
            process.kill()  # else what it says has no end
        assert at, line + process.stderr.read()
        yield Served(process, at[1], home)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def program(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """What it says to `arguments`, on the same log."""
    return subprocess.run(
        [PROGRAM, *arguments],
        cwd=folder,
        env={**os.environ, "LAWSPEAKER_HOME": str(folder / "home")},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
