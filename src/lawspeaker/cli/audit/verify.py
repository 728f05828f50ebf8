"""`audit verify`: the whole log from its stored bytes, and that it only grew since a checkpoint kept elsewhere."""

from pathlib import Path

import click

from lawspeaker.audit.verify import verify
from lawspeaker.cli.context import home, inert, json_option, page, print_json, words
from lawspeaker.errors import InputError

_LARGEST = 65_536


@click.command("verify")
@click.option("--key", metavar="VKEY|FILE", help="The log's public key, from where its keeper cannot write.")
@click.option("--since", metavar="FILE", help="An earlier checkpoint, kept elsewhere: the log must only have grown.")
@json_option("Size, root and problems as JSON.")
def verify_command(key: str | None, since: str | None, as_json: bool) -> int:
    """Recompute everything from the stored bytes. Leaves with 1 where something does not hold."""
    report = verify(home(), public_key(key), _checkpoint(since))
    if as_json:
        print_json({"size": report.size, "root": report.root, "ok": report.ok, "problems": report.problems})
        return int(not report.ok)
    out = page()
    for problem in report.problems:
        place = "log" if problem.index is None else f"record {problem.index}"
        out.print(f"[red]{place}[/]: {inert(problem.what)}")
    state = "[green]ok[/]" if report.ok else "[red]not ok[/]"
    out.print(f"{state}: {report.size} records, root {report.root}")
    words().print(inert(report.scope))
    return int(not report.ok)


def public_key(key: str | None) -> str | None:
    """A key as it was given, or from the file that was. A key has `+` in it twice, a path seldom."""
    if not key or key.count("+") >= 2:
        return key
    try:
        return Path(key).read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:
        raise InputError(f"{key}: no public key in this file; want one line like NAME+HASH+KEY") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(f"--key {key[:200]}: {why}; want a key or a file that holds one") from None


def _checkpoint(path: str | None) -> str | None:
    if path is None:
        return None
    try:
        with Path(path).open("rb") as file:
            data = file.read(_LARGEST + 1)
        return data.decode()
    except UnicodeDecodeError:
        raise InputError(f"--since {path}: no checkpoint; want a signed note such as log/checkpoint") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(f"--since {path[:200]}: {why}") from None
