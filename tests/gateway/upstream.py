"""A scripted Chat Completions server, and a gateway process in front of it."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.gateway.served import Served, serving
from tests.models.served import Answer, served

LAW = """\
name: house
version: 1.0.0
summary: For these tests.
principles:
  - id: no-codeword
    text: The codeword is never said.
    because: It opens the door.
    severity: critical
    on_violation: refuse
    applies_to: [request, answer, reasoning, tool_call, tool_result]
    checks:
      - pattern: {deny: ["swordfish"], reason: The codeword is said.}
  - id: no-number
    text: Account numbers are never shown.
    because: They are private.
    severity: major
    on_violation: redact
    applies_to: [answer]
    checks:
      - pattern: {deny: ["ACC-[0-9]{6}"], reason: An account number is shown.}
  - id: ask-first
    text: Payments are made by people.
    because: They are final.
    severity: major
    on_violation: escalate
    applies_to: [answer, tool_call]
    checks:
      - pattern: {deny: ["pay now"], reason: A payment is made.}
"""


@contextmanager
def background(answer: Answer) -> Iterator[str]:
    """`served`, for tests that are not asynchronous themselves."""
    ready = threading.Event()
    up: list[tuple[asyncio.AbstractEventLoop, asyncio.Event, str]] = []

    async def run() -> None:
        async with served(answer) as url:
            end = asyncio.Event()
            up.append((asyncio.get_running_loop(), end, url))
            ready.set()
            await end.wait()

    # The loop is opened and closed in its own thread, so it is never left open by a test that fails.
    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    assert ready.wait(10)
    loop, end, base = up[0]
    try:
        yield base
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join(10)
        assert not thread.is_alive()


@contextmanager
def governed(folder: Path, answer: Callable[..., object], *options: str) -> Iterator[Served]:
    """A gateway whose route `tiny` is answered by `answer`, under `LAW`."""
    (folder / "house.yaml").write_text(LAW)
    with (
        background(answer) as base,
        serving(folder, "--upstream", f"{base}#tiny", "--constitution", "house.yaml", "--timeout", "5", *options) as up,
    ):
        yield up
