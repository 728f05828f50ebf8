"""What a log's home says about its publication, and the writer's task that does it.

`publication.json` names places that get a copy of each published head, and witnesses; with a number of them required,
`log/checkpoint` and the copies only ever show what so many cosigned. It lies in the home so that every process which
writes to the log keeps to it. Decisions do not wait for it: a receipt has its own head, and a witness that is down must
not stop the log. What could not be published is tried again; `trouble` says why, and so does a warning (`logging`).
"""

import asyncio
import logging
import os
from pathlib import Path

import msgspec

from lawspeaker.audit import storage
from lawspeaker.audit.cosign import gather
from lawspeaker.audit.places import check_place, put
from lawspeaker.audit.publish import Head, Site
from lawspeaker.audit.reader import LogReader
from lawspeaker.audit.witness import CosignerKey
from lawspeaker.audit.writer import Writer
from lawspeaker.errors import LawspeakerError, LogError, boundary

NAME = "publication.json"
SLOWEST = 3600.0
_LOGGER = logging.getLogger("lawspeaker.audit")


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Places and witnesses (`URL=VKEY`), how many must cosign, and the least time between two publications."""

    places: tuple[str, ...] = ()
    witnesses: tuple[str, ...] = ()
    required: int = 0
    every: float = 1.0

    def check(self) -> list[tuple[str, CosignerKey]]:
        """The witnesses; raises `LogError` where the plan cannot be carried out."""
        for place in self.places:
            check_place(place)
        parsed = [_witness(text) for text in self.witnesses]
        different = len({key.public for _, key in parsed})
        if different != len(parsed) or not 0 <= self.required <= different:
            raise LogError(f"{self.required} of {different} different witnesses cannot be required")
        if not 0.1 <= self.every <= SLOWEST:
            raise LogError(f"the log's head is published every 0.1 to {SLOWEST:.0f} seconds, not {self.every}")
        return parsed


def load_plan(home: Path) -> Plan | None:
    """The plan of a home, if it has one; raises `LogError` for one that cannot be read or carried out: a log that was
    to be witnessed must not go on without."""
    path = home / NAME
    with storage.errors(path):
        if not path.exists():
            return None
        data = path.read_bytes()
    try:
        plan = msgspec.json.decode(data, type=Plan)
        plan.check()
    except (msgspec.DecodeError, UnicodeDecodeError, LogError) as error:
        raise LogError(f"{path}: {error}") from error
    return plan


def save_plan(home: Path, plan: Plan | None) -> None:
    """Put the plan where every writer finds it; None takes it away. The caller holds the writer's lock."""
    path = home / NAME
    with storage.errors(path):
        if plan is None:
            path.unlink(missing_ok=True)
            return
        temporary = path.with_name(NAME + ".tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(plan), indent=2) + b"\n")
            file.flush()
            os.fsync(descriptor)
        temporary.rename(path)


class Publication:
    """Publishes the heads of one writer, until it is closed. `trouble` says why the last head is not out, or not
    everywhere; it is empty where it is."""

    def __init__(self, home: Path, plan: Plan, writer: Writer) -> None:
        self.trouble = ""
        self._home, self._plan, self._writer = home, plan, writer
        self._witnesses = plan.check()
        self._cosigned, self._done = "", dict.fromkeys(plan.places, "")
        self._head: Head | None = None
        self._silent: dict[str, str] = {}
        self._stopping = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Publish the last head, once, and stop. To be called when the writer has written all files."""
        self._stopping.set()
        await self._task
        await self._publish()

    async def _run(self) -> None:
        while not self._stopping.is_set():
            await self._publish()
            try:
                async with asyncio.timeout(self._plan.every):
                    await self._stopping.wait()
            except TimeoutError:
                continue

    async def _publish(self) -> None:
        """Take the newest head that is ready as far as it gets."""
        before, trouble = self.trouble, ""
        try:
            with boundary("publishing the log's head"):
                await self._take_out()
        except LawspeakerError as error:
            trouble = str(error)
        self.trouble = trouble
        if bool(before) != bool(trouble):
            _LOGGER.warning(
                "the head of the audit log is %s", f"not out: {self.trouble}" if self.trouble else "out again"
            )

    async def _take_out(self) -> None:
        head = self._writer.ready
        if head is not None and (self._head is None or head.size != self._head.size or not self._cosigned):
            with LogReader(self._home) as reader:
                note, asked = await gather(reader, self._witnesses, self._plan.required, head.note)
            self._tell({each.url: each.why for each in asked if not each.line})
            if self._plan.required:
                await asyncio.to_thread(Site(self._home / "log").put_checkpoint, note)
            self._head, self._cosigned = head, note
        late = [place for place, seen in self._done.items() if seen != self._cosigned] if self._cosigned else []
        refusals = []
        for place, outcome in zip(
            late,
            await asyncio.gather(*[put(self._cosigned, each) for each in late], return_exceptions=True),
            strict=True,
        ):
            if isinstance(outcome, LogError):
                refusals.append(str(outcome))
            elif isinstance(outcome, BaseException):
                raise outcome
            else:
                self._done[place] = self._cosigned
        if refusals:
            raise LogError("; ".join(refusals))

    def _tell(self, silent: dict[str, str]) -> None:
        """Warn of witnesses that did not sign although enough did: one may have seen another log under this key."""
        for url, why in silent.items():
            if self._silent.get(url) != why:
                _LOGGER.warning("the witness %s did not cosign the head of the audit log: %s", url, why)
        self._silent = silent


def _witness(text: str) -> tuple[str, CosignerKey]:
    url, found, vkey = text.partition("=")
    if not found or not url.startswith(("http://", "https://")):
        raise LogError(f"a witness is given as URL=VKEY, not {text[:200]}")
    return url, CosignerKey(vkey)
