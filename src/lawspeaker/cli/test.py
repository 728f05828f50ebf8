"""`lawspeaker test`: the constitution's cases."""

import asyncio
from collections import Counter

import click

from lawspeaker.cli.context import constitution_option, inert, load_law, page, print_json, words
from lawspeaker.constitution.schema import Constitution
from lawspeaker.models.address import open_model
from lawspeaker.suite.cases import CaseResult, coverage, run_cases

_COLOUR = {"passed": "green", "failed": "red", "skipped": "yellow"}


@click.command()
@click.argument("files", metavar="[NAME|FILE]...", nargs=-1)
@constitution_option
@click.option("--judge", metavar="MODEL", help="Who decides what no check can. Default: nobody; such are skipped.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
@click.option("-v", "--verbose", is_flag=True, help="Passed cases too.")
def command(files: tuple[str, ...], laws: tuple[str, ...], judge: str | None, form: str, verbose: bool) -> int:
    """Run the constitution's cases against its checks. Leaves with 1 for an unexpected outcome."""
    law = load_law((*files, *laws))
    results = asyncio.run(_run(law, judge))
    if form == "json":
        print_json({"cases": results, "coverage": coverage(law)})
    else:
        _print(results, law, verbose)
    return int(any(result.verdict == "failed" for result in results))


async def _run(law: Constitution, judge: str | None) -> list[CaseResult]:
    model = open_model(judge) if judge else None
    try:
        return await run_cases(law, judge=model)
    finally:
        if model is not None:
            await model.close()


def _print(results: list[CaseResult], law: Constitution, verbose: bool) -> None:
    out = page()
    for result in results:
        if result.verdict == "passed" and not verbose:
            continue
        out.print(f"[{_COLOUR[result.verdict]}]{result.verdict}[/] [bold]{result.principle}[/] {inert(result.case)}")
        if result.verdict == "failed":
            wanted = f"{result.expected}{f', {result.expected_decision}' if result.expected_decision else ''}"
            out.print(f"  expected {wanted}; came out {result.outcome}, {result.decision}: {inert(result.reason)}")
    counts = Counter(result.verdict for result in results)
    covered = coverage(law)
    if not results:
        words().print("[yellow]no cases: nothing was tested[/]")
    untested = f"; without a case: {', '.join(covered.untested)}" if covered.untested else ""
    words().print(
        f"{law.name} {law.version}: {counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped; "
        f"{covered.principles} principles, {covered.with_violating} with a violating and {covered.with_complying} with "
        f"a complying case{inert(untested)}"
    )
