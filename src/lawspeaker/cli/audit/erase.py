"""`audit erase` and `audit hold`: destroy the texts of an exchange, or keep anybody from it."""

import asyncio

import click

from lawspeaker.audit.erasure import OUT_OF_REACH, Erased, erase, hold
from lawspeaker.audit.log import open_log
from lawspeaker.audit.receipt import Receipt
from lawspeaker.cli.audit.person import by_option, person
from lawspeaker.cli.context import count, home, json_option, page, print_json, words


@click.command("erase")
@click.argument("id")
@click.option("--why", required=True, help="The reason; kept encrypted beside the record of the erasure.")
@click.option("--only", is_flag=True, help="The texts of this one record, not of the whole exchange.")
@click.option("--early", is_flag=True, help="Although the retention rules would keep them; the record says so.")
@by_option
@json_option("The receipt and the ids as JSON.")
def erase_command(id: str, why: str, only: bool, early: bool, by: str | None, as_json: bool) -> int:
    """Destroy texts and salts. Every proof still verifies."""

    async def run() -> Erased:
        async with await open_log(home()) as log:
            return await erase(log, id, why, person(by), only=only, early=early)

    done = asyncio.run(run())
    if as_json:
        print_json({"erased": done.records, "texts": done.texts, "receipt": done.receipt, "not_reached": OUT_OF_REACH})
        return 0
    texts, records = count(done.texts, "text"), count(len(done.records), "record")
    page().print(f"erased {texts} of {records}; record {done.receipt.index} says so, {done.receipt.digest}")
    words().print("not reached by this:")
    for place in OUT_OF_REACH:
        words().print(f"  - {place}")
    return 0


@click.command("hold")
@click.argument("id")
@click.option("--why", required=True, help="The reason; kept encrypted beside the record of the hold.")
@click.option("--release", is_flag=True, help="Take the hold away again.")
@by_option
@json_option("The receipt as JSON.")
def hold_command(id: str, why: str, release: bool, by: str | None, as_json: bool) -> int:
    """Put a legal hold on an exchange: nothing of it can be erased."""

    async def run() -> Receipt:
        async with await open_log(home()) as log:
            return await hold(log, id, why, person(by), release=release)

    receipt = asyncio.run(run())
    if as_json:
        print_json({"hold": not release, "receipt": receipt})
    else:
        page().print(f"{'hold released' if release else 'on hold'}: record {receipt.index}, {receipt.digest}")
    return 0
