"""`audit maintain`: the retention rules, set and carried out."""

import asyncio

import click

from lawspeaker.audit.log import open_log
from lawspeaker.audit.retention import Rules, Run, maintain, rules_of, set_rules
from lawspeaker.cli.audit.person import by_option, person
from lawspeaker.cli.context import count, home, json_option, page, print_json


@click.command("maintain")
@click.option("--keep", type=int, metavar="MONTHS", help="New rule: texts younger than this are not erased. 0: none.")
@click.option("--erase-after", type=int, metavar="MONTHS", help="New rule: texts older than this are erased. 0: none.")
@click.option("--dry-run", is_flag=True, help="Say what would be erased; change nothing, the rules included.")
@click.option(
    "--clock-is-right",
    is_flag=True,
    help="Although the last record is more than a month old, or some are out of order.",
)
@by_option
@json_option("What was done as JSON.")
def maintain_command(
    keep: int | None, erase_after: int | None, dry_run: bool, clock_is_right: bool, by: str | None, as_json: bool
) -> int:
    """Erase the texts that the retention rules no longer keep. A legal hold overrides the rules."""

    async def run() -> Run | Rules:
        async with await open_log(home()) as log:
            with log.reader() as reader:
                rules = rules_of(reader)
            wanted = Rules(
                rules.keep if keep is None else keep, rules.erase_after if erase_after is None else erase_after
            )
            if wanted != rules and not dry_run:
                await set_rules(log, wanted, person(by))
            if (keep, erase_after) != (None, None) and not wanted.erase_after and not dry_run:
                return wanted
            return await maintain(log, person(by), rules=wanted, dry=dry_run, sure=clock_is_right)

    done = asyncio.run(run())
    if as_json:
        print_json(done)
        return 0
    if isinstance(done, Rules):
        page().print(f"texts are kept for {count(done.keep, 'month')}; nothing erases them by age")
        return 0
    verb = "would be erased" if dry_run else "erased"
    exchanges = count(done.exchanges, "exchange")
    page().print(f"{verb}: the texts of {exchanges} from before {done.before}, {count(done.records, 'record')}")
    if done.held:
        page().print(f"kept by a legal hold: {count(done.held, 'exchange')}")
    if done.doubtful:
        exchanges = count(done.doubtful, "exchange")
        page().print(f"kept because a clock had jumped: {exchanges}; --clock-is-right goes by the recorded times")
    return 0
