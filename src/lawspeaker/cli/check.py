"""`lawspeaker check`: judges what already exists."""

import asyncio
import sys
from collections.abc import Sequence

import click

from lawspeaker.checks.assess import assess
from lawspeaker.cli.context import Finite, constitution_option, count, inert, load_law, page, print_json, words
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

    Of one folder, the Terraform files that were given are judged together: give the folder rather than one file of
    it, so that variables are known. Leaves with 1 for a violation, 3 where a principle could not be decided, else 0.
    """
    law = load_law(laws)
    given = read(paths)
    if given.left_out:
        words().print(f"{count(given.left_out, 'file')} left out (binary, or a link); name one to have it judged")
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
    """By place, the principles that the same is said of in one line."""
    out = page()
    told: dict[tuple[str, int, str, str, str], list[str]] = {}
    for row in sorted(found, key=lambda row: (row.path, row.line)):
        principles = told.setdefault((row.path, row.line, row.outcome, row.reason, row.check), [])
        if f"{row.principle} ({row.severity})" not in principles:
            principles.append(f"{row.principle} ({row.severity})")
    for (path, line, outcome, reason, check), principles in told.items():
        place = f"{path}:{line}" if line else path
        out.print(
            f"{inert(place)}: [{_COLOUR.get(outcome, 'green')}]{outcome}[/] [bold]{inert(', '.join(principles))}[/] "
            f"{inert(reason)} [dim]{inert(check)}[/]"
        )
    decision = decide_all(judged, law)
    because = f" because of {', '.join(decision.because)}" if decision.because else ""
    files = count(sum(len(each.paths) for each in judged), "file")
    words().print(
        f"{files}: {_sum(found, 'violated')}, {_sum(found, 'inconclusive')}: {decision.action}{inert(because)}"
    )


def _sum(found: Sequence[Row], outcome: str) -> str:
    principles = {row.principle for row in found if row.outcome == outcome}
    return f"{count(len(principles), 'principle')} {outcome}"
