"""`lawspeaker serve`: the gateway."""

import asyncio
import socket

import click
import uvloop

from lawspeaker.access import Keyring
from lawspeaker.audit.log import open_log
from lawspeaker.cli.context import Finite, constitution_option, home, inert, load_law, page, words
from lawspeaker.constitution.schema import Constitution
from lawspeaker.errors import InputError
from lawspeaker.gateway.app import Gateway
from lawspeaker.gateway.keys import by_key
from lawspeaker.gateway.routes import Route, Routes, anybody, route_name
from lawspeaker.gateway.server import is_loopback, listen, loopback_names, serve
from lawspeaker.govern import Governor
from lawspeaker.models.address import open_model
from lawspeaker.models.base import Sampling

_EXAMPLE = "Write Terraform for an S3 bucket that holds our invoices."


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0 is any free one.")
@click.option("--upstream", default="nano", show_default=True, metavar="MODEL", help="Who answers and revises.")
@click.option("--critic", metavar="MODEL", help="Who criticises. Default: the upstream.")
@click.option("--judge", metavar="MODEL", help="Who decides what no check can. Default: nobody; that is inconclusive.")
@constitution_option
@click.option("--rounds", type=click.IntRange(0, 8), default=2, show_default=True, help="Rounds of revision.")
@click.option("--shadow", is_flag=True, help="Judge and record, change nothing: see `lawspeaker report`.")
@click.option("--timeout", type=Finite(0.1, 3600), default=60.0, show_default=True, help="Seconds per model call.")
def command(
    host: str,
    port: int,
    upstream: str,
    critic: str | None,
    judge: str | None,
    laws: tuple[str, ...],
    rounds: int,
    shadow: bool,
    timeout: float,
) -> int:
    """Serve a model under a constitution, in the protocols of OpenAI and Anthropic.

    A client changes its base URL and nothing else. Every request and every answer is judged; what may not be said is
    revised, redacted, held for a person or refused, and each decision is on record.
    """
    law = load_law(laws)
    with Keyring(home()) as keyring:
        keys = keyring if keyring.keys() else None
        if keys is None and not is_loopback(host):
            raise InputError(
                f"--host {host} can be reached by others and there are no access keys; use 127.0.0.1, or make a key"
                " with `lawspeaker access add NAME`"
            )
        with listen(host, port) as sock, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(host, sock, keys, law, (upstream, critic or upstream, judge), rounds, timeout, shadow))
    words().print("stopped")
    return 0


async def _serve(
    host: str,
    sock: socket.socket,
    keys: Keyring | None,
    law: Constitution,
    cast: tuple[str, str, str | None],
    rounds: int,
    timeout: float,
    shadow: bool,
) -> None:
    model, critic, judge = cast
    opened = {address: open_model(address) for address in cast if address}
    try:
        async with await open_log(home()) as log:
            governor = Governor(
                law,
                opened[model],
                opened[critic],
                log,
                judge=opened[judge] if judge else None,
                sampling=Sampling(timeout=timeout),
                rounds=rounds,
                shadow=shadow,
            )
            name = route_name(model)
            hosts = loopback_names(host) if is_loopback(host) else None
            authenticate = by_key(keys) if keys else anybody
            routes = Routes({name: Route(name, governor)})
            gateway = Gateway(routes, authenticate, log, hosts=hosts)
            base = f"http://{f'[{host}]' if ':' in host else host}:{sock.getsockname()[1]}"
            await serve(gateway, sock, lambda: _tell(base, name, law, keys is not None, shadow))
    finally:
        for each in opened.values():
            await each.close()


def _tell(base: str, name: str, law: Constitution, needs_key: bool, shadow: bool) -> None:
    """Say that it runs, and three lines that try it."""
    console, out = words(), page()
    console.print(f"[bold]{inert(name)}[/] under {inert(law.name)} {inert(law.version)} at {base}")
    who = "Access keys are asked for" if needs_key else "No access keys: whoever reaches this address is served"
    console.print(f"[dim]{who}{'' if needs_key else ', with any key'}. Ctrl-C stops.[/]")
    if shadow:
        console.print("[yellow]Shadow: everything is judged and recorded, and nothing is changed.[/]")
    ask = f'[{{"role": "user", "content": "{_EXAMPLE}"}}]'
    for line in (
        f'curl {base}/v1/chat/completions --json \'{{"model": "{name}", "messages": {ask}}}\'',
        f'python -c \'import openai; print(openai.OpenAI(base_url="{base}/v1", api_key="any")'
        f'.chat.completions.create(model="{name}", messages={ask}).choices[0].message)\'',
        f'python -c \'import anthropic; print(anthropic.Anthropic(base_url="{base}", api_key="any")'
        f'.messages.create(model="{name}", max_tokens=1024, messages={ask}).content)\'',
    ):
        out.print(inert(line))
