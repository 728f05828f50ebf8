"""Asking witnesses for their signatures on a head of the log.

This reads the log as anybody may and needs no lock, so it can run beside the writer, every few seconds.
"""

import asyncio
from collections.abc import Sequence

import aiohttp
import msgspec

from lawspeaker.audit.reader import LogReader
from lawspeaker.audit.witness import CosignerKey, cosignatures, request_body
from lawspeaker.errors import LogError

_PATIENCE = 10.0
_LONGEST = 65_536
_TRIES = 3


class Asked(msgspec.Struct, frozen=True):
    """What one witness said: its signature line, or why there is none."""

    url: str
    line: str = ""
    why: str = ""


async def gather(
    reader: LogReader, witnesses: Sequence[tuple[str, CosignerKey]], required: int, note: str = ""
) -> tuple[str, list[Asked]]:
    """A head (the latest one) with the witnesses' signatures. Raises `LogError` where fewer than `required` signed."""
    keys = {key.public for _, key in witnesses}
    if len(keys) != len(witnesses) or required > len(keys):
        raise LogError(f"{required} of {len(keys)} different witnesses cannot be required")
    note = note or reader.checkpoint
    size = int(note.split("\n")[1])
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_PATIENCE)) as session:
        asked = await asyncio.gather(*[_ask(session, url, key, note, size, reader) for url, key in witnesses])
    signed = [each for each in asked if each.line]
    if len(signed) < required:
        whys = "; ".join(f"{each.url}: {each.why}" for each in asked if not each.line)
        raise LogError(f"{len(signed)} witnesses cosigned the head of {size} records, {required} are required ({whys})")
    return note + "".join(each.line for each in signed), asked


async def _ask(
    session: aiohttp.ClientSession, url: str, key: CosignerKey, note: str, size: int, reader: LogReader
) -> Asked:
    """One witness. Its last size is asked for with the first request, as the protocol allows."""
    old = 0
    for _ in range(_TRIES):
        try:
            proof = reader.prove_consistency(old, size) if old else []
            body = request_body(old, proof, note)
            async with session.post(url.rstrip("/") + "/add-checkpoint", data=body) as response:
                text = (await response.content.read(_LONGEST)).decode("utf-8", "replace")
            if response.status == 200:
                line = cosignatures(note.rpartition("\n\n")[0] + "\n\n" + text, [key]).get(key.public)
                return Asked(url, line or "", "" if line else "it signed with another key")
            number = text.strip()
            if response.status != 409 or not (number.isascii() and number.isdigit()) or len(number) > 19:
                return Asked(url, why=f"HTTP {response.status} {' '.join(text[:200].split())}")
            if int(number) == old or int(number) > size:
                return Asked(url, why=f"it has signed a head of {number} records that is not this log's")
            old = int(number)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return Asked(url, why=f"it did not answer: {type(error).__name__}")
        except LogError as error:
            return Asked(url, why=str(error))
    return Asked(url, why="its last size changed with every request")
