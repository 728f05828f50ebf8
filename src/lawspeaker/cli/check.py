"""`lawspeaker check`: judges what already exists."""

import asyncio
import sys
from collections.abc import Sequence

import click

from lawspeaker.checks.assess import assess
from lawspeaker.cli.context import Finite, constitution_option, inert, load_law, page, print_json, words
from lawspeaker.cli.inputs import Subject, read
from lawspeaker.constitution.schema import Constitution
from lawspeaker.finding import Finding
from lawspeaker.models.address import open_model
from lawspeaker.report.junit import junit
from lawspeaker.report.rows import Judged, Row, decide_all, exit_code, rows
from lawspeaker.report.sarif import sarif

_COLOUR = {"violated": "red", "inconclusive": "yellow"}


@click.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@constitution_option
@click.option("--judge", metavar="MODEL", help="Who decides what no check can. Default: nobody; that is inconclusive.")
@click.option("--format", "form", type=click.Choice(["text", "json", "sarif", "junit"]), default="text")
@click.option("--all", "everything", is_flag=True, help="Upheld and not applicable principles too.")
@click.option("--budget", type=Finite(0.01, 3600), default=30.0, show_default=True, help="Seconds a file or module.")
def command(
    paths: tuple[str, ...], laws: tuple[str, ...], judge: str | None, form: str, everything: bool, budget: float
) -> int:
    """Judge files, folders or standard input (`-`) by a constitution.

    The Terraform files of one folder are judged together. Leaves with 1 for a violation, 3 where a principle could
    not be decided, else 0.
    """
    law = load_law(laws)
    given = read(paths)
    if given.left_out:
        words().print(f"{given.left_out} binary files or links were left out; name them to have them judged")
    judged = asyncio.run(_judge(given.subjects, law, judge, budget))
    found = [row for each in judged for row in rows(each, law, all_outcomes=everything or form == "junit")]
    if form == "sarif":
        print_json(sarif(found, law))
    elif form == "junit":
        sys.stdout.write(junit(found, law))
    elif form == "json":
        print_json(_as_json(found, judged, law))
    else:
        _print(found, judged, law)
    return exit_code(judged, law)


async def _judge(given: Sequence[Subject], law: Constitution, judge: str | None, budget: float) -> list[Judged]:
    model = open_model(judge) if judge else None
    console, judged = words(), []
    try:
        with console.status("") as status:
            for number, subject in enumerate(given):
                status.update(f"{number + 1} of {len(given)}")
                found = (
                    _undecided(subject.unreadable, law)
                    if subject.unreadable
                    else await assess(subject.exchange, law, judge=model, budget=budget)
                )
                judged.append(Judged(subject.exchange, found))
    finally:
        if model is not None:
            await model.close()
    return judged


def _undecided(why: str, law: Constitution) -> tuple[Finding, ...]:
    """Every principle is inconclusive about a file that nobody can read."""
    return tuple(Finding(each.id, "input/text", "inconclusive", f"the file is {why}") for each in law.principles)


def _as_json(found: Sequence[Row], judged: Sequence[Judged], law: Constitution) -> dict[str, object]:
    return {
        "constitution": {"name": law.name, "version": law.version, "digest": law.digest},
        "files": sum(len(each.paths) for each in judged),
        "findings": found,
        "decision": decide_all(judged, law),
    }


def _print(found: Sequence[Row], judged: Sequence[Judged], law: Constitution) -> None:
    out = page()
    for row in found:
        place = f"{row.path}:{row.line}" if row.line else row.path
        colour = _COLOUR.get(row.outcome, "green")
        out.print(
            f"{inert(place)}: [{colour}]{row.outcome}[/] [bold]{inert(row.principle)}[/] ({row.severity}) "
            f"{inert(row.reason)} [dim]{inert(row.check)}[/]"
        )
    decision = decide_all(judged, law)
    because = f" because of {', '.join(decision.because)}" if decision.because else ""
    files = sum(len(each.paths) for each in judged)
    words().print(
        f"{files} file{'s' if files != 1 else ''}, {sum(row.outcome == 'violated' for row in found)} violated, "
        f"{sum(row.outcome == 'inconclusive' for row in found)} inconclusive: {decision.action}{inert(because)}"
    )
