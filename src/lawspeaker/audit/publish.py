"""The public face of the log: static files that any web server can serve (C2SP tlog-tiles).

The files are derived: an acknowledgement depends on the database alone, and whatever is missing when the log is
opened is made again. So a thread of their own writes them, behind the writer: full tiles and bundles as they come; a
head, with the partial tiles and bundles that it needs, a few times a second. A head that is only in somebody's receipt
needs no files: its hashes are the first ones of those that a later, published head has.
"""

import os
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from lawspeaker.audit import storage, tiles
from lawspeaker.audit.storage import Store
from lawspeaker.audit.tiles import HEIGHT, WIDTH, Growing, Written
from lawspeaker.errors import LawspeakerError, boundary

PUBLISH_EVERY = 0.2  # seconds


class Site:
    """The folder `log/` of a home."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, level: int | str, n: int, data: bytes, width: int) -> None:
        """Write a tile or a bundle of `width` entries. They never change, so what lies there stays."""
        path = self.folder / tiles.path(level, n, width)
        if not path.exists():
            with storage.errors(path):
                self._write(path, data, durable=width == WIDTH)
                if width == WIDTH:
                    shutil.rmtree(path.with_name(path.name + ".p"), ignore_errors=True)

    def put_checkpoint(self, note: str) -> None:
        path = self.folder / "checkpoint"
        with storage.errors(path):
            self._write(path, note.encode(), durable=False)

    def checkpoint(self) -> str:
        """The published checkpoint, empty where there is none (a power cut can leave an empty file)."""
        path = self.folder / "checkpoint"
        with storage.errors(path):
            return path.read_bytes().decode("utf-8", "replace") if path.exists() else ""

    def restore(self, store: Store, size: int) -> None:
        """Make every file again that is missing for a head of `size` leaves."""
        for level, n, width in due(size):
            path = self.folder / tiles.path(level, n, width)
            if any(each.exists() and each.stat().st_size for each in {path, self.folder / tiles.path(level, n)}):
                continue
            path.unlink(missing_ok=True)
            if level == "entries":
                data = tiles.bundle([leaf[4] for leaf in store.leaves(n * WIDTH, n * WIDTH + width)])
            else:
                data = store.tile(int(level), n)[: 32 * width]
            self.put(level, n, data, width)

    def _write(self, path: Path, data: bytes, *, durable: bool) -> None:
        """Temporary file, then rename: a reader sees all of a file or none of it."""
        temporary = path.with_name(path.name + ".tmp")
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        except FileNotFoundError:
            _make_private(path.parent)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(descriptor)
        temporary.rename(path)


def _make_private(folder: Path) -> None:
    """Make a folder and those above it for the owner alone (`parents=True` would leave those to the umask)."""
    if not folder.is_dir():
        _make_private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


class Head(msgspec.Struct, frozen=True):
    """A signed head, and the partial tiles and the partial bundle of a log of its size."""

    size: int
    note: str
    partials: Sequence[Growing]
    bundle: Growing

    def write(self, site: Site) -> None:
        """Write the files that a reader of this head needs besides the full tiles."""
        for tile in self.partials:
            site.put(tile.level, tile.n, tile.data, tile.count)
        if self.size % WIDTH:
            site.put(self.bundle.level, self.bundle.n, self.bundle.data, self.size % WIDTH)


class Publisher:
    """Writes the files, in a thread of its own. `failed` says why it stopped, and is empty while it works; nothing may
    be appended after that, or the log would grow where nobody sees it.

    `ready` is the last head of which all files are written. Unless it `announces`, somebody else puts that head in its
    place: who waits for witnesses first."""

    def __init__(self, site: Site, head: Head, *, announces: bool = True) -> None:
        self.failed = ""
        self.ready: Head | None = None
        self._site, self._announces = site, announces
        self._head, self._written, self._full = head, -1, list[tuple[int | str, Written]]()
        self._stopping = False
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="audit-publisher", daemon=True)
        self._thread.start()

    def offer(self, full: Sequence[tuple[int | str, Written]], head: Head) -> None:
        """Take note of what a commit calls for. A thread that is to write a head soon is not woken for the next."""
        with self._news:
            waits = self._written != self._head.size
            self._full += full
            self._head = head
            if full or not waits:
                self._news.notify()

    def close(self) -> None:
        """Write what is missing, and stop."""
        with self._news:
            self._stopping = True
            self._news.notify()
        self._thread.join()

    def _run(self) -> None:
        last = 0.0
        while not self.failed:
            with self._news:
                behind = self._written != self._head.size
                if not self._full and not self._stopping:
                    wait = max(0.0, last + PUBLISH_EVERY - time.monotonic()) if behind else None
                    self._news.wait(wait)
                full, self._full, head, stopping = self._full, [], self._head, self._stopping
            announce = head.size != self._written and (stopping or time.monotonic() >= last + PUBLISH_EVERY)
            try:
                with boundary("publishing the log"):
                    for level, tile in full:
                        self._site.put(level, tile.n, tile.data, WIDTH)
                    if announce:
                        self._announce(head)
            except LawspeakerError as error:
                self.failed = str(error)
            if announce:
                last, self._written = time.monotonic(), head.size
            if stopping and not self._full:
                return

    def _announce(self, head: Head) -> None:
        head.write(self._site)
        if self._announces:
            self._site.put_checkpoint(head.note)
        self.ready = head


def due(size: int) -> Iterator[tuple[int | str, int, int]]:
    """Level, number and width of every file that a log must show whose published head is of `size` leaves."""
    level, count = 0, size
    while count:
        for n, width in [*((n, WIDTH) for n in range(count // WIDTH)), (count // WIDTH, count % WIDTH)]:
            if width:
                yield level, n, width
            if width and not level:
                yield "entries", n, width
        level, count = level + 1, count >> HEIGHT
