"""`lawspeaker lint`: faults in a constitution that loads."""

import os
from pathlib import Path

import click

from lawspeaker.checks.registry import KINDS
from lawspeaker.cli.context import constitution_option, count, inert, json_option, law_names, page, print_json, words
from lawspeaker.constitution.fix import fixed
from lawspeaker.constitution.lint import LintMessage, lint
from lawspeaker.constitution.load import load
from lawspeaker.errors import InputError, LawspeakerError
from lawspeaker.report.lint_sarif import lint_sarif


@click.command()
@click.argument("files", metavar="[NAME|FILE]...", nargs=-1)
@constitution_option
@json_option("As JSON.")
@click.option("--format", "form", type=click.Choice(["text", "json", "sarif"]), default="text")
@click.option("--fix", is_flag=True, help="Make the edits that are safe; every other character of a file stays.")
def command(files: tuple[str, ...], laws: tuple[str, ...], as_json: bool, form: str, fix: bool) -> int:
    """Find faults in a constitution, with the line of each. Leaves with 1 where there are any."""
    names = law_names((*files, *laws))
    if fix:
        _fix(names)
    found = [message for name in names for message in lint(load(name, kinds=KINDS))]
    if form == "sarif":
        print_json(lint_sarif(found))
    elif as_json or form == "json":
        print_json({"messages": [_plain(message) for message in found]})
    else:
        out = page()
        for message in found:
            place = f"{message.path}:{message.line}:{message.column}"
            out.print(f"{inert(place)}: {inert(message.message)} [dim]{inert(message.rule)}[/]")
        words().print(f"{count(len(found), 'fault')} in {', '.join(names)}")
    return int(bool(found))


def _plain(message: LintMessage) -> dict[str, object]:
    return {name: getattr(message, name) for name in ("rule", "path", "line", "column", "message")}


def _fix(names: tuple[str, ...]) -> None:
    """Edit the files that were named; what they extend has owners of its own."""
    for name in names:
        path = Path(name)
        found = [message for message in lint(load(name, kinds=KINDS)) if message.path == name and message.fix]
        if not found or not path.is_file():
            continue
        try:
            before = path.read_bytes()
            after, made = fixed(before.decode("utf-8"), found)
            if made:
                _replace(path, after.encode("utf-8"))
                _check(name, before, path, len(found))
        except OSError as error:
            raise InputError(f"{name}: cannot be written: {error.strerror}") from None
        words().print(f"{count(made, 'fault')} fixed in {inert(name)}")


def _check(name: str, before: bytes, path: Path, had: int) -> None:
    """The file as it was, if the fixed one does not load."""
    try:
        load(name, kinds=KINDS)
    except LawspeakerError:
        _replace(path, before)
        raise InputError(f"{name}: {count(had, 'fix', 'fixes')} would break the file; nothing was changed") from None


def _replace(path: Path, data: bytes) -> None:
    """All or nothing, at the place a link leads to."""
    target = path.resolve()
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    beside.write_bytes(data)
    beside.chmod(target.stat().st_mode & 0o777)
    beside.replace(target)
