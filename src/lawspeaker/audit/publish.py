"""The public face of the log: static files that any web server can serve (C2SP tlog-tiles).

The files are derived: an acknowledgement depends on the database alone, and whatever is missing when the log is
opened is made again. Every checkpoint that was signed counts as published, since each is in somebody's receipt; so
partial tiles and bundles are kept for each of them until the full tile takes their place, as the specification asks.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from lawspeaker.audit import storage, tiles
from lawspeaker.audit.storage import Store
from lawspeaker.audit.tiles import HEIGHT, WIDTH


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
        """Make every file again that is missing for the tree of `size` leaves."""
        for level, n, width in due(store, size):
            path = self.folder / tiles.path(level, n, width)
            if path.exists() and path.stat().st_size:
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


def due(store: Store, size: int) -> Iterator[tuple[int | str, int, int]]:
    """Level, number and width of every file that a log of `size` leaves must show."""
    level, count = 0, size
    while count:
        for n in range(count // WIDTH):
            yield level, n, WIDTH
            if not level:
                yield "entries", n, WIDTH
        if level and count % WIDTH:
            yield level, count // WIDTH, count % WIDTH
        level, count = level + 1, count >> HEIGHT
    start = size - size % WIDTH
    for published, _ in store.checkpoints(start + 1):
        if published > size:
            break
        yield 0, start // WIDTH, published - start
        yield "entries", start // WIDTH, published - start
