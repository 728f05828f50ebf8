"""`lawspeaker lint`: faults in a constitution that loads."""

import click

from lawspeaker.checks.registry import KINDS
from lawspeaker.cli.context import constitution_option, count, inert, json_option, law_names, page, print_json, words
from lawspeaker.constitution.lint import lint
from lawspeaker.constitution.load import load


@click.command()
@click.argument("files", metavar="[NAME|FILE]...", nargs=-1)
@constitution_option
@json_option("As JSON.")
def command(files: tuple[str, ...], laws: tuple[str, ...], as_json: bool) -> int:
    """Find faults in a constitution, with the line of each. Leaves with 1 where there are any."""
    names = (*files, *laws)
    found = [message for name in law_names(names) for message in lint(load(name, kinds=KINDS))]
    if as_json:
        print_json({"messages": found})
    else:
        out = page()
        for message in found:
            place = f"{message.path}:{message.line}:{message.column}"
            out.print(f"{inert(place)}: {inert(message.message)} [dim]{inert(message.rule)}[/]")
        words().print(f"{count(len(found), 'fault')} in {', '.join(law_names(names))}")
    return int(bool(found))
