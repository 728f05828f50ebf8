"""What the fault suites ask of a log after a fault: that it opens again, takes a record, and holds what it promised."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

from lawspeaker.audit.log import open_log
from lawspeaker.audit.reader import LogReader
from lawspeaker.audit.record import opened
from lawspeaker.audit.verify import verify
from lawspeaker.errors import LogError


def reopened(home: Path, acknowledged: Iterable[str]) -> list[str]:
    """What is wrong once the log is opened and gone on with; nothing if all is as it should be."""
    wrong = []
    try:
        asyncio.run(append(home))
        with LogReader(home) as reader:
            for id_ in acknowledged:
                reader.leaf(id_)
    except LogError as error:
        wrong.append(str(error))
    if not verify(home).ok:
        wrong.append("unsound after it was opened again")
    return wrong


async def append(home: Path) -> None:
    async with await open_log(home) as log:
        await log.append(opened(), {"answer": "c"})
