"""`lawspeaker audit`: what was recorded, and the proof of it."""

import click

from lawspeaker.cli.audit.erase import erase_command, hold_command
from lawspeaker.cli.audit.export import export_command
from lawspeaker.cli.audit.maintain import maintain_command
from lawspeaker.cli.audit.show import prove_command, show_command
from lawspeaker.cli.audit.verify import verify_command
from lawspeaker.cli.audit.witness import publish_command, witness_command


@click.group()
def command() -> None:
    """Verify the log, show, prove and export records, erase texts."""


for _each in (
    verify_command,
    show_command,
    prove_command,
    export_command,
    erase_command,
    hold_command,
    maintain_command,
    publish_command,
    witness_command,
):
    command.add_command(_each)
