"""`lawspeaker adopt`: principles from elsewhere as a constitution."""

import re
import sys
from pathlib import Path

import click

from lawspeaker.checks.registry import KINDS
from lawspeaker.cli.context import count, words
from lawspeaker.constitution.files import decoded
from lawspeaker.constitution.importer import constitution_text, imported
from lawspeaker.constitution.load import load_text
from lawspeaker.constitution.source import MAX_BYTES
from lawspeaker.errors import InputError


@click.command()
@click.argument("file", metavar="FILE")
@click.option("--name", default="", help="What the constitution is called. Default: after the file.")
def command(file: str, name: str) -> int:
    """Write a constitution made of FILE to standard output.

    FILE holds pairs of critique and revision instructions (CritiqueRevisionInstructions.json) or numbered principles.
    Imported principles are minor, only noted, and decided by a judge; `lint` names what is left to write.
    """
    path = Path(file)
    try:
        with path.open("rb") as stream:
            source = decoded(stream.read(MAX_BYTES + 1), file)
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}") from None
    principles = imported(source, file)
    called = name or "-".join(re.findall(r"[a-z0-9]+", path.stem.lower())) or "imported"
    text = constitution_text(principles, called, path.name)
    load_text(text, "(imported)", kinds=KINDS)
    sys.stdout.write(text)
    words().print(f"{count(len(principles), 'principle')} imported; `lawspeaker lint` names what is left to write")
    return 0
