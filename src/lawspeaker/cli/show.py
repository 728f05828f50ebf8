"""`lawspeaker show`: a constitution for people."""

import json
import sys
from pathlib import Path

import click
from rich.console import Console

from lawspeaker.checks.registry import KINDS
from lawspeaker.cli.context import constitution_option, inert, json_option, load_law, page, print_json
from lawspeaker.constitution.crosswalk import title
from lawspeaker.constitution.json_schema import json_schema
from lawspeaker.constitution.schema import Constitution, Principle
from lawspeaker.errors import InputError
from lawspeaker.report.page import action, html

_COLOUR = {"critical": "red", "major": "yellow", "minor": "cyan"}


@click.command()
@click.argument("files", metavar="[NAME|FILE]...", nargs=-1)
@constitution_option
@json_option("The composed law as JSON.")
@click.option("--schema", is_flag=True, help="The JSON Schema of constitution files instead, for editors.")
@click.option(
    "--html", "page_file", metavar="FILE", help="Write the same as an HTML page for a committee (`-`: stdout)."
)
def command(files: tuple[str, ...], laws: tuple[str, ...], as_json: bool, schema: bool, page_file: str | None) -> int:
    """Print a constitution as it stands after composition, with its digest."""
    if schema:
        print_json(json_schema(KINDS))
        return 0
    law = load_law((*files, *laws))
    if page_file is not None:
        _write(page_file, html(law))
    elif as_json:
        head = {"name": law.name, "version": law.version, "summary": law.summary, "digest": law.digest}
        print_json({**head, "principles": [principle.law() for principle in law.principles]})
    else:
        _print(law)
    return 0


def _write(file: str, text: str) -> None:
    if file == "-":
        sys.stdout.write(text)
        return
    try:
        Path(file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{file}: cannot be written: {error.strerror}") from None


def _print(law: Constitution) -> None:
    out = page()
    out.print(f"[bold]{inert(law.name)} {law.version}[/]  {inert(law.summary)}\n[dim]{law.digest}[/]")
    for number, principle in enumerate(law.principles, 1):
        _principle(number, principle, out)


def _principle(number: int, principle: Principle, out: Console) -> None:
    colour = _COLOUR[principle.severity]
    out.print(f"\n{number}. [bold]{principle.id}[/] [{colour}]{principle.severity}[/]\n   {inert(principle.text)}")
    if principle.because:
        out.print(f"   [dim]because[/] {inert(principle.because)}")
    out.print(f"   [dim]when violated[/] {action(principle)}  [dim]when undecided[/] {principle.on_inconclusive}")
    out.print(f"   [dim]applies to[/] {', '.join(principle.applies_to)}")
    for spec in principle.checks:
        out.print(f"   [dim]check[/] {spec.kind} {inert(json.dumps(spec.settings, ensure_ascii=False))}")
    out.print(f"   [dim]cases[/] {len(principle.cases)}")
    for id in principle.maps_to:
        out.print(f"   [dim]maps to[/] {inert(id)} [dim]{inert(title(id))}[/]")
