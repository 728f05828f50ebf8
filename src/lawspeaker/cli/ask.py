"""`lawspeaker ask`: one governed answer."""

import asyncio
import base64
import secrets
import sys

import click
import msgspec

from lawspeaker.audit.log import open_log
from lawspeaker.cli.context import (
    Finite,
    constitution_option,
    count,
    home,
    inert,
    json_option,
    load_law,
    print_json,
    say,
    words,
)
from lawspeaker.cli.narrative import tell
from lawspeaker.constitution.schema import Constitution
from lawspeaker.errors import InputError, ModelConfigError
from lawspeaker.exchange import ask
from lawspeaker.govern import Governed, Governor, record_attempt
from lawspeaker.models.address import open_model
from lawspeaker.models.base import Sampling

_LONGEST = 256 * 1024  # bytes: far beyond what any of these models reads
_EXIT = {"release": 0, "refuse": 1, "escalate": 3}


@click.command()
@click.argument("request_text", metavar="REQUEST")
@click.option("--model", default="nano", show_default=True, help="Who answers and revises.")
@click.option("--critic", metavar="MODEL", help="Who criticises. Default: the model.")
@click.option("--judge", metavar="MODEL", help="Who decides what no check can. Default: nobody; that is inconclusive.")
@constitution_option
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), help="Makes a draft reproducible. Default: drawn.")
@click.option("--temperature", type=Finite(0, 2), default=1.0, show_default=True)
@click.option("--rounds", type=click.IntRange(0, 8), default=2, show_default=True, help="Rounds of revision.")
@click.option("--timeout", type=Finite(0.1, 3600), default=60.0, show_default=True, help="Seconds per model call.")
@json_option("Everything as one JSON object on standard output.")
def command(
    request_text: str,
    model: str,
    critic: str | None,
    judge: str | None,
    laws: tuple[str, ...],
    seed: int | None,
    temperature: float,
    rounds: int,
    timeout: float,
    as_json: bool,
) -> int:
    """Ask the model, judge its answer by the constitution, revise it, decide, and keep the proof.

    The answer goes to standard output, the reasoning about it to standard error. `-` reads the request from standard
    input. Leaves with 0 when the answer was released, 1 when it was refused, 3 when a person has to decide.
    """
    law = load_law(laws)
    drawn = secrets.randbelow(2**31) if seed is None else seed
    sampling = Sampling(temperature=temperature, seed=drawn, timeout=timeout)
    governed = asyncio.run(_govern(_request(request_text), law, (model, critic or model, judge), sampling, rounds))
    if as_json:
        print_json(_as_json(governed, law))
    else:
        _print(governed)
    return _EXIT[governed.decision.action]


def _request(text: str) -> str:
    """The request, from standard input for `-`."""
    try:
        data = sys.stdin.buffer.read(_LONGEST + 1) if text == "-" else text.encode()
        text = data.decode()
    except UnicodeError:
        raise InputError("the request is not UTF-8") from None
    if not text.strip():
        raise InputError("the request is empty; say what you want")
    if len(data) > _LONGEST:
        raise InputError(f"the request is longer than {_LONGEST // 1024} KiB")
    return text


async def _govern(
    request: str, law: Constitution, cast: tuple[str, str, str | None], sampling: Sampling, rounds: int
) -> Governed:
    console, exchange = words(), ask(request)
    async with await open_log(home()) as log:
        try:
            opened = {address: open_model(address) for address in cast if address}
        except ModelConfigError as error:
            await record_attempt(exchange, law, log, error)
            raise
        model, critic, judge = cast
        with console.status("") as status:
            governor = Governor(
                law,
                opened[model],
                opened[critic],
                log,
                judge=opened[judge] if judge else None,
                sampling=sampling,
                rounds=rounds,
                observe=status.update,
            )
            try:
                return await governor.govern(exchange)
            finally:
                for each in opened.values():
                    await each.close()


def _print(governed: Governed) -> None:
    console, receipt = words(), governed.receipt
    tell(governed.steps, governed.decision, console)
    console.print("[bold cyan]receipt[/]")
    console.print(f"  id      {receipt.id}\n  record  {receipt.index}, {receipt.digest}")
    hashes = count(len(receipt.proof), "hash", "hashes")
    console.print(f"  proof   {hashes} to the checkpoint of {inert(_head_of(receipt.checkpoint))}")
    console.print(f"  [dim]lawspeaker audit show {receipt.id[:12]}[/]\n  [dim]lawspeaker audit verify[/]")
    if governed.answer is None:
        console.print(f"[yellow]No answer was released.[/]{_next(governed)}")
        return
    say(governed.answer)


def _head_of(checkpoint: str) -> str:
    origin, size, root = checkpoint.split("\n")[:3]
    return f"{origin}: {size} records, root {base64.b64decode(root).hex()}"


def _next(governed: Governed) -> str:
    if governed.decision.action != "escalate":
        return ""
    return f" It waits for a person: lawspeaker review show {governed.receipt.id[:12]}"


def _as_json(governed: Governed, law: Constitution) -> dict[str, object]:
    return {
        "answer": governed.answer,
        "decision": governed.decision,
        "revised": governed.revised,
        "redacted": governed.redacted,
        "steps": msgspec.to_builtins(governed.steps),
        "constitution": {"name": law.name, "version": law.version, "digest": law.digest},
        "behaviour": governed.behaviour,
        "models": governed.models,
        "receipt": governed.receipt,
    }
