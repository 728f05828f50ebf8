"""`lawspeaker review`: a person rules on what was escalated."""

import asyncio
import getpass
from collections.abc import Mapping
from typing import cast

import click
import msgspec

from lawspeaker.audit.log import open_log
from lawspeaker.audit.reader import Leaf, LogReader
from lawspeaker.audit.receipt import Receipt
from lawspeaker.audit.rulings import Verdict, pending, rule
from lawspeaker.audit.vault import StoredText
from lawspeaker.cli.context import home, inert, json_option, page, print_json, say, words
from lawspeaker.cli.narrative import tell_steps
from lawspeaker.deliberation.render import request_text
from lawspeaker.deliberation.steps import Step
from lawspeaker.errors import InputError, LogError
from lawspeaker.exchange import Exchange


@click.group()
def command() -> None:
    """What was escalated waits here; a ruling is a record."""


@command.command("list")
@json_option("As JSON.")
def list_command(as_json: bool) -> int:
    """Exchanges that wait for a ruling, the oldest first."""
    with LogReader(home()) as reader:
        waiting = pending(reader)
    if as_json:
        print_json([{**_head(leaf), "time": leaf.record.time} for leaf in waiting])
        return 0
    for leaf in waiting:
        page().print(f"{leaf.record.id}  {leaf.record.time}  {', '.join(leaf.record.facts['because'])}")
    words().print(f"{len(waiting)} waiting")
    return 0


@command.command("show")
@click.argument("id")
@json_option("As JSON.")
def show_command(id: str, as_json: bool) -> int:
    """What was asked, what happened, and the answer that is held back."""
    with LogReader(home()) as reader:
        leaf = _decision(reader, id)
        texts = reader.texts(leaf.record.id)
        rulings = [each.record for each in reader.history(id) if each.record.kind == "ruling"]
    exchange = msgspec.json.decode(_present(texts, "exchange"), type=Exchange)
    steps = msgspec.json.decode(_present(texts, "steps"), type=tuple[Step, ...])
    if as_json:
        print_json({**_head(leaf), "exchange": exchange, "steps": steps, "digest": leaf.digest})
        return 0
    out = page()
    out.print(f"[bold cyan]request[/]\n{inert(request_text(exchange))}")
    tell_steps(steps, out)
    facts = leaf.record.facts
    out.print(f"[bold cyan]decision[/]\n  {facts['action']} because of {', '.join(facts['because'])}")
    out.print(f"[bold cyan]answer held back[/]\n{inert(exchange.answer)}")
    for ruling in rulings:
        out.print(f"[bold cyan]ruling[/]\n  {ruling.facts['verdict']} by {inert(ruling.facts['by'])}, {ruling.time}")
    if not rulings:
        words().print(f"lawspeaker review approve {leaf.record.id[:12]}")
        words().print(f'lawspeaker review reject {leaf.record.id[:12]} --reason "…"')
    return 0


@command.command("approve")
@click.argument("id")
@click.option("--reason", default="", help="Why; kept encrypted beside the record.")
@click.option("--by", help="Who rules. Default: the name of the account.")
@json_option("The ruling's receipt as JSON.")
def approve_command(id: str, reason: str, by: str | None, as_json: bool) -> int:
    """Release the answer that was held back: it goes to standard output."""
    with LogReader(home()) as reader:
        texts = reader.texts(_decision(reader, id).record.id)
    exchange = msgspec.json.decode(_present(texts, "exchange"), type=Exchange)
    if not exchange.has_answer:
        raise InputError(f"{id} was held before anything was drafted: there is no answer to approve; ask again")
    receipt = asyncio.run(_rule(id, "approve", reason, by))
    _tell(receipt, "approve", as_json)
    if not as_json:
        say(exchange.answer)
    return 0


@command.command("reject")
@click.argument("id")
@click.option("--reason", required=True, help="Why; kept encrypted beside the record.")
@click.option("--by", help="Who rules. Default: the name of the account.")
@json_option("The ruling's receipt as JSON.")
def reject_command(id: str, reason: str, by: str | None, as_json: bool) -> int:
    """Refuse the answer for good."""
    _tell(asyncio.run(_rule(id, "reject", reason, by)), "reject", as_json)
    return 0


async def _rule(id: str, verdict: Verdict, reason: str, by: str | None) -> Receipt:
    who = (by or getpass.getuser()).strip()
    if not who.isprintable() or not 0 < len(who) <= 200:
        raise InputError("--by wants the name of the person who rules, at most 200 printable characters")
    async with await open_log(home()) as log:
        return await rule(log, id, verdict, reason, who)


def _decision(reader: LogReader, id: str) -> Leaf:
    for leaf in reversed(reader.history(id)):
        if leaf.record.kind == "decision" and leaf.record.facts["action"] != "escalate":
            what = f"{id} was not escalated: its decision is {leaf.record.facts['action']}"
            raise InputError(f"{what}; see lawspeaker audit show {id}")
        if leaf.record.kind == "decision":
            return leaf
    raise LogError(f"{id} has no decision to review")


def _present(texts: Mapping[str, StoredText], name: str) -> str:
    text = texts.get(name)
    if text is None or text.state != "present":
        raise LogError(f"the {name} of this record is {text.state if text else 'not there'}; it cannot be reviewed")
    return text.text


def _head(leaf: Leaf) -> dict[str, object]:
    because = cast("list[str]", leaf.record.facts["because"])
    return {"id": leaf.record.id, "subject": leaf.record.subject, "because": because}


def _tell(receipt: Receipt, verdict: Verdict, as_json: bool) -> None:
    if as_json:
        print_json({"verdict": verdict, "receipt": receipt})
    else:
        words().print(f"{verdict} is record {receipt.index}, {receipt.digest}")
