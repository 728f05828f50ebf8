"""`audit witness`: watch other people's logs. `audit publish`: have the own head witnessed and copied elsewhere."""

import asyncio
import os
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import click
import uvicorn

from lawspeaker.audit.cosign import gather
from lawspeaker.audit.log import lock_writer
from lawspeaker.audit.places import put
from lawspeaker.audit.publication import NAME, Plan, save_plan
from lawspeaker.audit.reader import LogReader
from lawspeaker.audit.witness import LARGEST_REQUEST, Answer, Witness, open_witness
from lawspeaker.cli.audit.verify import public_key
from lawspeaker.cli.context import count, home, inert, page, words
from lawspeaker.errors import InputError, LogError

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
@click.option("--require-witness", "required", default=0, metavar="N", help="Publish nothing that fewer cosigned.")
@click.option("--to", "places", multiple=True, metavar="FILE|URL|s3://BUCKET/KEY", help="Where to; repeatable.")
@click.option("--from-now-on", is_flag=True, help="The log's writer does it from now on; --require-witness binds it.")
@click.option(
    "--every", type=float, default=1.0, show_default=True, help="The writer's least time between two, seconds."
)
@click.option("--stop", is_flag=True, help="The writer does it no more.")
def publish_command(
    witnesses: tuple[str, ...], required: int, places: tuple[str, ...], from_now_on: bool, every: float, stop: bool
) -> int:
    """Copy the log's head to other places, with the cosignatures of witnesses."""
    if stop:
        if witnesses or places or required or from_now_on:
            raise InputError("--stop stands alone")
        _bind(None)
        page().print("the log's writer publishes to log/checkpoint only")
        return 0
    if not places and not (from_now_on and witnesses):
        raise InputError("--to FILE, URL or s3://BUCKET/KEY says where the head is to go")
    plan = Plan(tuple(_absolute(place) for place in places), witnesses, required, every)
    parsed = plan.check()

    async def run() -> int:
        with LogReader(home()) as reader:
            note, asked = await gather(reader, parsed, required)
        for each in asked:
            if not each.line:
                words().print(f"{inert(each.url)}: {inert(each.why)}")
        for place in plan.places:
            await put(note, place)
        return sum(bool(each.line) for each in asked)

    signed = asyncio.run(run())
    page().print(f"published with {count(signed, 'cosignature')} to {count(len(places), 'place')}")
    if from_now_on:
        _bind(plan)
        page().print(f"the log's writer does so from now on: {home() / NAME}")
    return 0


def _absolute(place: str) -> str:
    """A file as every process finds it, wherever it was started."""
    return place if place.startswith(("http://", "https://", "s3://")) else str(Path(place).absolute())


def _bind(plan: Plan | None) -> None:
    """Make it the writer's plan, while nobody is the writer."""
    lock = lock_writer(home())
    if lock is None:
        raise LogError(f"{home()}: another process holds the audit log; stop it, try again, and start it again")
    try:
        save_plan(home(), plan)
    finally:
        os.close(lock)
