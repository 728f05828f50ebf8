"""`audit show` and `audit prove`: what was recorded, and the receipt for it."""

import click
import msgspec
from rich.console import Console

from lawspeaker.audit.reader import Leaf, LogReader, read_vkeys
from lawspeaker.audit.receipt import verify_receipt
from lawspeaker.audit.vault import StoredText
from lawspeaker.cli.context import count, home, inert, json_option, page, print_json, words
from lawspeaker.cli.narrative import tell_steps
from lawspeaker.deliberation.render import request_text
from lawspeaker.deliberation.steps import Step
from lawspeaker.exchange import Exchange


@click.command("show")
@click.argument("id", required=False)
@json_option("Records and texts as JSON.")
def show_command(id: str | None, as_json: bool) -> int:
    """Show one exchange: its records and texts. Without an ID: the latest records."""
    if id is None:
        return _recent(as_json)
    with LogReader(home()) as reader:
        history = [(leaf, reader.texts(leaf.record.id)) for leaf in reader.history(id)]
    if as_json:
        print_json([_leaf_json(leaf, list(texts.values())) for leaf, texts in history])
        return 0
    out = page()
    for leaf, texts in history:
        _print_leaf(leaf, out)
        for text in texts.values():
            _print_text(text, out)
    return 0


@click.command("prove")
@click.argument("id")
def prove_command(id: str) -> int:
    """Print a fresh receipt as JSON, checked first."""
    with LogReader(home()) as reader:
        leaf, receipt = reader.leaf(id), reader.prove(id)
    verify_receipt(receipt, leaf.data, *read_vkeys(home()))
    print_json({"receipt": receipt, "leaf": leaf.data.decode()})
    hashes = count(len(receipt.proof), "hash", "hashes")
    words().print(f"record {receipt.index} is in the log of the checkpoint, by a proof of {hashes}")
    return 0


def _recent(as_json: bool) -> int:
    with LogReader(home()) as reader:
        latest = reader.recent(20)
    if as_json:
        print_json([_leaf_json(leaf, []) for leaf in latest])
        return 0
    for leaf in latest:
        record = leaf.record
        page().print(f"{leaf.index:>6}  {record.time}  {record.kind:<8}  {record.id}  {record.facts.get('action', '')}")
    return 0


def _leaf_json(leaf: Leaf, texts: list[StoredText]) -> dict[str, object]:
    return {
        "index": leaf.index,
        "digest": leaf.digest,
        "record": msgspec.to_builtins(leaf.record),
        "texts": {text.name: {"state": text.state, "text": _plain(text.text)} for text in texts},
    }


def _plain(text: str) -> object:
    """A stored text as data where it is JSON, as it mostly is."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def _print_leaf(leaf: Leaf, out: Console) -> None:
    record = leaf.record
    out.print(f"[bold cyan]{record.kind}[/] {record.id}  [dim]record {leaf.index}, {record.time}[/]")
    for name, value in record.facts.items():
        shown = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        out.print(f"  {name}: {inert(shown)}")
    out.print(f"  [dim]constitution {record.constitution}\n  behaviour    {record.behaviour}[/]")
    out.print(f"  [dim]leaf         {leaf.digest}[/]")


def _print_text(text: StoredText, out: Console) -> None:
    if text.state != "present":
        out.print(f"  [yellow]{text.name}: {text.state}[/]")
        return
    if text.name == "steps":
        tell_steps(msgspec.json.decode(text.text, type=tuple[Step, ...]), out)
        return
    if text.name in {"request", "exchange"}:
        exchange = msgspec.json.decode(text.text, type=Exchange)
        out.print(f"  [bold]{text.name}[/]\n{inert(request_text(exchange))}")
        if exchange.has_answer:
            out.print(f"  [bold]answer[/]\n{inert(exchange.answer)}")
        return
    plain = _plain(text.text)
    shown = plain if isinstance(plain, str) else msgspec.json.format(msgspec.json.encode(plain), indent=2).decode()
    out.print(f"  [bold]{text.name}[/]")
    out.print("\n".join("    " + inert(line) for line in shown.splitlines()))
