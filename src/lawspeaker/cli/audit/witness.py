"""`audit witness`: watch other people's logs. `audit publish`: have the own head witnessed and copied elsewhere."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import click
import uvicorn

from lawspeaker.audit.cosign import gather, put
from lawspeaker.audit.reader import LogReader
from lawspeaker.audit.witness import LARGEST_REQUEST, Answer, CosignerKey, Witness, open_witness
from lawspeaker.cli.audit.verify import public_key
from lawspeaker.cli.context import count, home, inert, page, words
from lawspeaker.errors import InputError

_Message = MutableMapping[str, Any]


@click.command("witness")
@click.option("--log", "logs", multiple=True, required=True, metavar="VKEY|FILE", help="A log to watch; repeatable.")
@click.option("--folder", default="witness", show_default=True, help="Where key and state lie. Never lose or copy it.")
@click.option("--name", default="", help="The witness's name, a URL without scheme; chosen once.")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8787, show_default=True)
def witness_command(logs: tuple[str, ...], folder: str, name: str, host: str, port: int) -> int:
    """Cosign the heads of logs that only grow (C2SP tlog-witness over HTTP)."""
    keys = [line for text in logs for line in (public_key(text) or "").split()]
    witness, vkey = open_witness(Path(folder), name, keys)
    page().print(vkey)
    words().print(f"POST http://{host}:{port}/add-checkpoint")
    uvicorn.run(_app(witness), host=host, port=port, log_level="warning", access_log=False)
    witness.close()
    return 0


def _app(
    witness: Witness,
) -> Callable[[_Message, Callable[[], Awaitable[_Message]], Callable[[_Message], Awaitable[None]]], Awaitable[None]]:
    """One path, and one request after the other: the loop's one thread is what orders them."""

    async def app(
        scope: _Message, receive: Callable[[], Awaitable[_Message]], send: Callable[[_Message], Awaitable[None]]
    ) -> None:
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more and len(body) <= LARGEST_REQUEST:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        if scope["path"] != "/add-checkpoint" or scope["method"] != "POST":
            answer = Answer(
                404 if scope["path"] != "/add-checkpoint" else 405, "POST /add-checkpoint is what there is\n"
            )
        else:
            answer = witness.add_checkpoint(body)
        headers = [(b"content-type", answer.content.encode())]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body.encode()})

    return app


@click.command("publish")
@click.option("--witness", "witnesses", multiple=True, metavar="URL=VKEY", help="A witness to ask; repeatable.")
@click.option("--require-witness", "required", default=0, metavar="N", help="Copy nothing that fewer cosigned.")
@click.option("--to", "places", multiple=True, required=True, metavar="FILE|URL", help="Where to; repeatable.")
def publish_command(witnesses: tuple[str, ...], required: int, places: tuple[str, ...]) -> int:
    """Copy the log's head to other places, with the cosignatures of witnesses."""

    async def run() -> int:
        with LogReader(home()) as reader:
            note, asked = await gather(reader, [_witness(text) for text in witnesses], required)
        for each in asked:
            if not each.line:
                words().print(f"{inert(each.url)}: {inert(each.why)}")
        for place in places:
            await put(note, place)
        return sum(bool(each.line) for each in asked)

    signed = asyncio.run(run())
    page().print(f"published with {count(signed, 'cosignature')} to {count(len(places), 'place')}")
    return 0


def _witness(text: str) -> tuple[str, CosignerKey]:
    url, found, vkey = text.partition("=")
    if not found or not url.startswith(("http://", "https://")):
        raise InputError(f"--witness wants URL=VKEY, not {text[:200]}")
    return url, CosignerKey(vkey)
