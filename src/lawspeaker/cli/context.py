"""What every command shares: where state lies, which law, how to print."""

import math
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import click
import msgspec
from rich.console import Console
from rich.markup import escape

from lawspeaker.checks.registry import KINDS
from lawspeaker.cli.terminal import visible
from lawspeaker.constitution.compose import combine
from lawspeaker.constitution.load import load
from lawspeaker.constitution.schema import Constitution

DEFAULT_FILE: Final = "constitution.yaml"

constitution_option = click.option(
    "--constitution",
    "laws",
    multiple=True,
    metavar="NAME|FILE",
    help=f"Bundled name or file; may be repeated. Default: {DEFAULT_FILE} here, else infrastructure.",
)


class Finite(click.FloatRange):
    """A number between two others; `nan` is between none."""

    def convert(self, value: float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is not a number", param, ctx)
        return number


def json_option(what: str) -> Callable[[Callable[..., object]], Callable[..., object]]:
    """`--json`, for commands whose output has a machine form."""
    return click.option("--json", "as_json", is_flag=True, help=what)


def home() -> Path:
    """The folder of log, keys and caches: `LAWSPEAKER_HOME`, else `.lawspeaker` here."""
    return Path(os.environ.get("LAWSPEAKER_HOME") or ".lawspeaker").absolute()


def law_names(laws: tuple[str, ...]) -> tuple[str, ...]:
    """The constitutions that a command was given, or the default one."""
    return laws or (DEFAULT_FILE if Path(DEFAULT_FILE).is_file() else "infrastructure",)


def load_law(laws: tuple[str, ...]) -> Constitution:
    """The law of this call; several constitutions are combined. Raises `ConstitutionError`."""
    return combine([load(name, kinds=KINDS) for name in law_names(laws)])


def words() -> Console:
    """Where words about the data go. Colour only on a terminal and without `NO_COLOR` (rich sees to both)."""
    return Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)


def page() -> Console:
    """Standard output for people."""
    return Console(highlight=False, soft_wrap=True, emoji=False)


def count(n: int, thing: str, things: str = "") -> str:
    """`1 line`, `2 lines`; `things` where the plural takes more than an s."""
    return f"{n} {thing}" if n == 1 else f"{n} {things or thing + 's'}"


def inert(text: str) -> str:
    """`text` that is not ours, for rich: visible, and without markup."""
    return escape(visible(text))


def say(text: str) -> None:
    """An answer on standard output: byte for byte into a pipe or a file, visible on a terminal."""
    sys.stdout.write((visible(text) if sys.stdout.isatty() else text) + "\n")
    sys.stdout.flush()


def print_json(value: object) -> None:
    """`value` as indented JSON on standard output."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")
    sys.stdout.flush()


_UNITS = {"m": 60, "h": 3600, "d": 86_400}


class Lasting(click.ParamType[int]):
    """`30d`, `12h`, `5m` as seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"([1-9]\d{0,4})([mhd])", str(value))
        if not found:
            self.fail(f"{value!r} is no duration; write 30d, 12h or 5m", param, ctx)
        return int(found[1]) * _UNITS[found[2]]


LASTING = Lasting()
