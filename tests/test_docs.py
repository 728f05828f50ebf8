"""The documentation is run: files are written, commands are typed, and what is printed must be what the page says.

In a page, a fenced block that begins with a comment `# <name>` is a file of that name; a block marked `console` holds
commands (`$ …`) and their output, standard error included. Ids, digests and times differ from run to run and are
masked.
"""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from lawspeaker.checks.registry import KINDS
from lawspeaker.constitution.load import load_text
from tests.cli.conftest import PROGRAM

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"^(`{3,})(\w+)\n(.*?)^\1$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"\A# ([\w.-]+)\n")
_VOLATILE = re.compile(r"[0-9a-f]{8,}|[A-Za-z0-9+/]{43}=|\d{4}-\d\d-\d\dT[\d:.]+Z")


def _blocks(page: Path) -> list[tuple[str, str]]:
    return [(match[2], match[3]) for match in _BLOCK.finditer(page.read_text(encoding="utf-8"))]


def _masked(text: str) -> list[str]:
    return [line.rstrip() for line in _VOLATILE.sub("#", text).strip().splitlines()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_print_what_the_page_says(page: Path, work: Path) -> None:
    for language, block in _blocks(page):
        if name := _FILE.match(block):
            (work / name[1]).write_text(block, encoding="utf-8")
        elif language == "console":
            for command, expected in _commands(block):
                assert command[0] == "lawspeaker", command
                done = subprocess.run(
                    [PROGRAM, *command[1:]],
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    timeout=60,
                    check=False,
                    env=_environment(),
                )
                assert _masked(done.stdout) == _masked(expected), shlex.join(command)


def _environment() -> dict[str, str]:
    """One stream for both, in the order of writing."""
    return {**os.environ, "PYTHONUNBUFFERED": "1"}


def _commands(block: str) -> list[tuple[list[str], str]]:
    """Commands (a `\\` at the end of a line goes on) and the output that is shown below each."""
    joined = block.replace("\\\n", " ")
    pieces = re.split(r"^\$ ", joined, flags=re.MULTILINE)[1:]
    split = [piece.partition("\n") for piece in pieces]
    return [(shlex.split(command), output) for command, _, output in split]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_constitutions_on_the_page_load(page: Path) -> None:
    for language, block in _blocks(page):
        if language == "yaml" and re.match(r"(# .*\n)?name:", block) and "principles:" in block:
            load_text(block, kinds=KINDS, path=str(ROOT / "constitution.yaml"))
