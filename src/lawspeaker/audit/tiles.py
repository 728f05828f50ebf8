"""The tree in tiles of 256 hashes (C2SP tlog-tiles), so that appending and proving never rehash the whole log.

Tile `n` of level `l` holds the hashes of the complete subtrees over 256**l leaves each; a level above starts from the
roots of full tiles only. `Tree` keeps the last, growing tile of each level with its inner nodes, and fetches older
ones through a function that its owner gives it.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import pairwise

import msgspec

from lawspeaker.audit import merkle
from lawspeaker.errors import LogError

WIDTH = 256
HEIGHT = 8
_CACHED_TILES = 64

Fetch = Callable[[int, int], bytes]


class Tile:
    """A tile and the inner nodes beneath its root: `rows[h][i]` is the hash of 2**h of its hashes."""

    def __init__(self, hashes: Sequence[bytes] = ()) -> None:
        self.rows: list[list[bytes]] = [[] for _ in range(HEIGHT + 1)]
        self.extend(hashes)

    @classmethod
    def parse(cls, data: bytes) -> "Tile":
        if len(data) % 32 or not 0 < len(data) <= 32 * WIDTH:
            raise LogError(f"a tile has {len(data)} bytes, not a multiple of 32 up to {32 * WIDTH}")
        return cls([data[i : i + 32] for i in range(0, len(data), 32)])

    def extend(self, hashes: Sequence[bytes]) -> None:
        self.rows[0] += hashes
        for row, above in pairwise(self.rows):
            low, high = 2 * len(above), len(row) // 2 * 2
            if low == high:
                break
            above.extend(merkle.hash_nodes(row[low:high]))

    def __len__(self) -> int:
        return len(self.rows[0])

    @property
    def data(self) -> bytes:
        return b"".join(self.rows[0])


class Written(msgspec.Struct, frozen=True):
    """A tile that appending completed or changed. At most 255 hashes make it a partial one."""

    level: int
    n: int
    data: bytes


class Growing(msgspec.Struct, frozen=True):
    """A tile or a bundle as it was when it had `count` entries. It holds the list that grows on, since what is in it
    stays there; `data` is made when it is asked for."""

    level: int | str
    n: int
    entries: list[bytes]
    count: int

    @property
    def data(self) -> bytes:
        return b"".join(self.entries[: self.count])


class Tree:
    """The right edge of a tree. `fetch(level, n)` gives the bytes of an older, full tile."""

    def __init__(self, fetch: Fetch) -> None:
        self.size = 0
        self._edge: list[Tile] = [Tile()]
        self._fetch = fetch
        self._older: OrderedDict[tuple[int, int], Tile] = OrderedDict()

    @classmethod
    def load(cls, size: int, fetch: Fetch) -> "Tree":
        """The tree of `size` leaves, with `fetch` giving the partial tiles of the right edge too."""
        tree = cls(fetch)
        tree.size = size
        tree._edge = []
        count = size
        while count or not tree._edge:
            width, n = count % WIDTH, count // WIDTH
            tile = Tile.parse(fetch(len(tree._edge), n)[: 32 * width]) if width else Tile()
            if len(tile) != width:
                raise LogError(f"tile {n} of level {len(tree._edge)} has {len(tile)} hashes where {width} are due")
            tree._edge.append(tile)
            count = n
        return tree

    def append(self, leaf: bytes) -> list[Written]:
        """Add a leaf's hash; returns the tiles that it completed, and each tile above that grew by one of them."""
        return self.extend((leaf,))

    def extend(self, leaves: Sequence[bytes]) -> list[Written]:
        """What `append` does for each of `leaves`."""
        written: list[Written] = []
        done = 0
        while done < len(leaves):
            tile = self._edge[0]
            some = leaves[done : done + WIDTH - len(tile)]
            tile.extend(some)
            done += len(some)
            self.size += len(some)
            if len(tile) == WIDTH:
                written += self._rise()
        return written

    def _rise(self) -> list[Written]:
        """Take the full tile at level 0 out of the edge and give its root to the level above, and so on."""
        written: list[Written] = []
        level, count = 0, self.size
        while len(tile := self._edge[level]) == WIDTH:
            n = count // WIDTH - 1
            self._keep(level, n, tile)
            written.append(Written(level, n, tile.data))
            self._edge[level] = Tile()
            level, count = level + 1, n + 1
            if level == len(self._edge):
                self._edge.append(Tile())
            self._edge[level].extend(tile.rows[HEIGHT])
        written.append(Written(level, count // WIDTH, self._edge[level].data))
        return written

    def partials(self) -> list[Growing]:
        """The partial tiles of the tree at this size."""
        return [
            Growing(level, (self.size >> HEIGHT * level) // WIDTH, tile.rows[0], len(tile))
            for level, tile in enumerate(self._edge)
            if len(tile)
        ]

    @property
    def root(self) -> bytes:
        return merkle.root(self.size, self.node)

    def node(self, level: int, index: int) -> bytes:
        """The hash of a complete subtree, see `merkle`."""
        tile_level, height = divmod(level, HEIGHT)
        n, place = divmod(index << height, WIDTH)
        edge = self._edge[tile_level] if tile_level < len(self._edge) else Tile()
        if n == (self.size >> HEIGHT * tile_level) // WIDTH:
            return edge.rows[height][place >> height]
        return self._full(tile_level, n).rows[height][place >> height]

    def _full(self, level: int, n: int) -> Tile:
        tile = self._older.get((level, n))
        if tile is None:
            tile = Tile.parse(self._fetch(level, n))
            if len(tile) != WIDTH:
                raise LogError(f"tile {n} of level {level} has {len(tile)} hashes where {WIDTH} are due")
            self._keep(level, n, tile)
        return tile

    def _keep(self, level: int, n: int, tile: Tile) -> None:
        self._older[level, n] = tile
        if len(self._older) > _CACHED_TILES:
            self._older.popitem(last=False)


def path(level: int | str, n: int, width: int = WIDTH) -> str:
    """The place of a tile (`level` a number) or of an entry bundle (`level` is "entries") beneath the log's
    prefix."""
    digits = f"{n % 1000:03}"
    while n >= 1000:
        n //= 1000
        digits = f"x{n % 1000:03}/{digits}"
    return f"tile/{level}/{digits}" + (f".p/{width}" if width < WIDTH else "")


def bundle(entries: Sequence[bytes]) -> bytes:
    """Log entries as tlog-tiles wants them: each after its length in two bytes, big-endian."""
    return b"".join([part for entry in entries for part in (len(entry).to_bytes(2, "big"), entry)])
