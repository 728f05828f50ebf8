"""Who acts: a name that stays in the log."""

import getpass
from collections.abc import Callable

import click

from lawspeaker.errors import InputError


def by_option(command: Callable[..., object]) -> Callable[..., object]:
    """`--by`, for commands that a person answers for."""
    return click.option("--by", help="Who does it. Default: the name of the account.")(command)


def person(by: str | None) -> str:
    """The name to record; raises `InputError` for one that is none."""
    who = (by or getpass.getuser()).strip()
    if not who.isprintable() or not 0 < len(who) <= 200:
        raise InputError("--by wants the name of a person, at most 200 printable characters")
    return who
