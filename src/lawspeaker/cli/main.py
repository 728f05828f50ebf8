"""The command line: finds a command, runs it, turns errors into one line and an exit code.

A command's module is imported when it is called, so that `--version` and `--help` do not pay for NumPy.
"""

import contextlib
import os
import sys
from importlib import import_module
from typing import Final, TextIO, cast

import click

from lawspeaker import __version__
from lawspeaker.cli.terminal import Patient, visible
from lawspeaker.errors import LawspeakerError

_COMMANDS: Final = {
    "ask": "One governed answer: draft, findings, critique, revision, decision, receipt.",
    "check": "Judge existing text or code.",
    "lint": "Find faults in a constitution.",
    "show": "Print a constitution for people.",
    "explain": "A principle, a lint rule or a catalogue id in plain words.",
    "adopt": "Principles from elsewhere as a constitution.",
    "diff": "What changed in the law, and whether it tightens or loosens.",
    "test": "Run a constitution's cases against its checks.",
    "audit": "Verify the log, show, prove and export records, erase texts.",
    "keys": "Make the log's keys.",
    "review": "Rule on what was escalated.",
    "access": "Keys for the gateway's clients: add, list, revoke.",
    "report": "What was done, or would have been done, by principle.",
    "align": "Train a model on the constitution; trace a row of its training data.",
    "serve": "Put the constitution in front of a model: the gateway.",
}


class _Commands(click.Group):
    """Commands, known by name and one line; `cli/<name>.py` holds each as `command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command = import_module(f"lawspeaker.cli.{cmd_name}").command
        if not isinstance(command, click.Command):
            raise TypeError(f"lawspeaker.cli.{cmd_name}.command is no command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="lawspeaker")
def lawspeaker() -> None:
    """Constitution as code for AI systems.

    Exit codes: 0 upheld or done, 1 violated or refused, 2 bad input or configuration, 3 could not decide.
    """


def main() -> None:
    """Entry point of the `lawspeaker` command."""
    sys.stdout = cast("TextIO", Patient(sys.stdout))
    try:
        code = _run()
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except LawspeakerError as error:
        click.echo(f"lawspeaker: {visible(' '.join(str(error).splitlines()))}", err=True)
        sys.exit(error.exit_code)
    except OSError as error:
        # What is left is output that cannot be written; files are read where their errors are named.
        with contextlib.suppress(OSError):
            click.echo(f"lawspeaker: cannot write the output: {error.strerror}", err=True)
        code = 2
    # What Python would still flush at exit has nowhere to go where writing failed or the reader left.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(code)


def _run() -> int:
    """The command's exit code, after everything that it printed has left this process."""
    code = lawspeaker.main(standalone_mode=False) or 0
    sys.stdout.flush()
    return int(code)
