"""What a program declares, for comparing a draft with its revision."""

import msgspec

from lawspeaker.checks.terraform.parse import parse
from lawspeaker.checks.terraform.source import code_in
from lawspeaker.exchange import Exchange


class Outline(msgspec.Struct, frozen=True):
    """The addresses (`type.name`) of the resources that an answer declares, and whether any of its code is broken."""

    addresses: frozenset[str]
    broken: bool


def outline(exchange: Exchange) -> Outline:
    """The outline of the Terraform in the answer of `exchange`."""
    code = code_in(exchange, frozenset({"answer"}))
    programs = [parse(source.text) for program in code.programs for source in program.sources]
    blocks = [block for program in programs for block in program.blocks]
    return Outline(
        frozenset(".".join(block.labels) for block in blocks if block.type == "resource"),
        any(program.unread for program in programs) or any(block.broken for block in blocks),
    )
