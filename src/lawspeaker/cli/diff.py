"""`lawspeaker diff`: what changed in the law."""

import click

from lawspeaker.checks.registry import KINDS
from lawspeaker.cli.context import count, inert, json_option, page, print_json, words
from lawspeaker.constitution.diff import LawDiff, diff
from lawspeaker.constitution.load import load
from lawspeaker.constitution.schema import Constitution

_MARK = {"tightens": "[green]+ tightens[/]", "loosens": "[red]- loosens[/] ", "unclear": "[yellow]? unclear[/] "}


@click.command()
@click.argument("old", metavar="A")
@click.argument("new", metavar="B")
@json_option("As JSON.")
@click.option(
    "--fail-on",
    type=click.Choice(["loosens", "version"]),
    multiple=True,
    help="Leave with 1 where B loosens (or could), or where its version is lower than what follows. May be repeated.",
)
def command(old: str, new: str, as_json: bool, fail_on: tuple[str, ...]) -> int:
    """Show what changed in the law from A to B (bundled names or files), after composition.

    Formatting, comments, the order of fields and the split into files are no change. Each change tightens, loosens, is
    unclear (counted as loosening) or neutral; the semantic version of B follows from them.
    """
    one, other = load(old, kinds=KINDS), load(new, kinds=KINDS)
    found = diff(one, other, kinds=KINDS)
    if as_json:
        laws = {
            key: {"name": law.name, "version": law.version, "digest": law.digest}
            for key, law in (("old", one), ("new", other))
        }
        print_json({**laws, "changes": found.changes, "effect": found.effect, "bump": found.bump, **_version(found)})
    else:
        _print(one, other, found)
    failed = ("loosens" in fail_on and found.effect in {"loosens", "unclear"}) or (
        "version" in fail_on and not found.follows
    )
    return int(failed)


def _version(found: LawDiff) -> dict[str, object]:
    return {"version": found.version, "version_follows": found.follows}


def _print(old: Constitution, new: Constitution, found: LawDiff) -> None:
    out = page()
    for change in found.changes:
        where = f"[bold]{inert(change.principle)}[/] " if change.principle else ""
        out.print(f"{_MARK.get(change.effect, '[dim]  neutral[/] ')} {where}{inert(change.what)}")
    if not found.changes:
        words().print(f"{old.name} {old.version}, {new.name} {new.version}: the same law")
        return
    ends = "" if found.follows else f"; [yellow]{new.version} is too low[/]"
    words().print(
        f"{count(len(found.changes), 'change')}; together: {found.effect}. After {old.version} follows at least "
        f"{found.version} ({found.bump}){ends}"
    )
