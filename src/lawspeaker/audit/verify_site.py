"""The part of verification that looks at the static files: each must say what the leaves say, none may be missing,
and there may be no others."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from lawspeaker.audit import tiles
from lawspeaker.audit.problems import Problems
from lawspeaker.audit.publish import due
from lawspeaker.audit.tiles import WIDTH, Tree, Written

_HEAD_SIZE = re.compile(r"[^\n]*\n(0|[1-9]\d{0,18})\n")


class SiteCheck:
    """Compares the files under `folder` with leaves that it is shown."""

    def __init__(self, folder: Path, problems: Problems) -> None:
        self._folder, self._problems = folder, problems
        self._listed: dict[str, list[str]] = {}
        self._seen: set[str] = set()
        self.tiles: dict[tuple[int, int], bytes] = {}

    def look(self) -> str:
        """The published head. It is read first: what comes while the log is verified must not look like damage."""
        note = (self._read("checkpoint") or b"").decode("utf-8", "replace")
        try:
            for path in sorted((self._folder / "tile").rglob("*")):
                if path.suffix != ".tmp" and not path.is_dir():
                    name = path.relative_to(self._folder).as_posix()
                    base = name.rpartition(".p/")[0] or name
                    self._listed.setdefault(base, []).append(name)
        except OSError as error:
            self._problems.add(None, f"log/tile cannot be read: {error}")
        return note

    def grew(self, written: Sequence[Written]) -> None:
        """Take note of what the tiles of the leaves must be."""
        for tile in written:
            self.tiles[tile.level, tile.n] = tile.data

    def level_zero(self, n: int, leaves: Sequence[bytes | None], grown: Sequence[bytes]) -> None:
        """Compare the tile and the bundle of up to 256 leaves with them and the hashes that the tree grew by; what
        cannot be read is None."""
        hashes = [hash_ if leaf is not None else bytes(32) for leaf, hash_ in zip(leaves, grown, strict=True)]
        for name, width, data in self._files(0, n, len(leaves)):
            if data == b"".join(hashes[:width]):
                continue
            for place in range(width):
                if data[32 * place : 32 * place + 32] != hashes[place]:
                    self._problems.add(n * WIDTH + place, f"log/{name}: its hash is not that of the stored record")
            if len(data) > 32 * width:
                self._problems.add(None, f"log/{name} is longer than {width} hashes")
        for name, width, data in self._files("entries", n, len(leaves)):
            readable = [leaf for leaf in leaves[:width] if leaf is not None]
            if len(readable) == width and data == tiles.bundle(readable):
                continue
            start = 0
            for place, leaf in enumerate(leaves[:width]):
                entry = tiles.bundle([leaf]) if leaf is not None else b""
                if data[start : start + len(entry)] != entry or not entry:
                    self._problems.add(n * WIDTH + place, f"log/{name}: it holds another record than the log")
                    break
                start += len(entry)
            else:
                if len(data) > start:
                    self._problems.add(None, f"log/{name} is longer than its {width} records")

    def finish(self, tree: Tree, note: str) -> None:
        """Compare the levels above, then look for what is missing and what should not be there."""
        for (level, n), hashes in sorted(self.tiles.items()):
            for name, width, data in self._files(level, n, len(hashes) // 32) if level else ():
                if data != hashes[: 32 * width] and not self.explained(level, n):
                    self._problems.add(None, f"log/{name} does not match the records beneath it")
        present = {name for names in self._listed.values() for name in names}
        head = _HEAD_SIZE.match(note)
        for wanted in due(min(int(head[1]), tree.size) if head else tree.size):
            name = tiles.path(*wanted)
            if present.isdisjoint({name, tiles.path(*wanted[:2])}):
                self._problems.add(None, f"log/{name} is missing")
        for name in sorted(present - self._seen):
            self._problems.add(None, f"log/{name} belongs to no tile of this log")

    def explained(self, level: int, n: int) -> bool:
        """Whether a record under the tile was found wrong, so that the tile must differ."""
        span = WIDTH ** (level + 1)
        return self._problems.among(n * span, (n + 1) * span)

    def _files(self, level: int | str, n: int, most: int) -> Iterator[tuple[str, int, bytes]]:
        """Name, width and bytes of each file of a tile that has up to `most` entries."""
        base = tiles.path(level, n)
        for name in self._listed.get(base, []):
            digits = name.rpartition(".p/")[2] if name != base else str(WIDTH)
            if not digits.isdecimal() or digits != str(int(digits)) or not 0 < int(digits) <= most:
                continue
            data = self._read(name)
            if data is not None:
                self._seen.add(name)
                yield name, int(digits), data
            elif not (self._folder / base).exists():
                self._seen.add(name)
                self._problems.add(None, f"log/{name} cannot be read")
            else:
                self._seen.add(name)

    def _read(self, name: str) -> bytes | None:
        try:
            return (self._folder / name).read_bytes()
        except OSError:
            return None
