"""Counters and gauges in Prometheus's text format. Labels are names of this deployment, never words of a request."""

import asyncio
import mmap
import struct
import zlib
from collections import defaultdict
from collections.abc import Mapping
from typing import Final

import msgspec

_HELP: Final = {
    "lawspeaker_answers_total": "Answers by what was decided: release, escalate, refuse, failed, abandoned.",
    "lawspeaker_waived_total": "Answers in which a waiver kept a principle from deciding.",
    "lawspeaker_seconds_total": "Seconds that requests took, from their body to the end of their answer.",
}
_NOW: Final = {
    "lawspeaker_log_down": "1 while the audit log takes no records, so that nothing is answered.",
    "lawspeaker_log_unpublished": "1 while the audit log's last head is not where it is to be published.",
}
_ROOM: Final = 2 * 1024 * 1024  # bytes for the counters of one process, of which two states are kept
_HEAD: Final = struct.Struct("<II")  # length and CRC-32 of a state
_EVERY: Final = 0.2  # seconds between two states that a process shows
_NOTHING: Final[Mapping[str, bool]] = {}

Labels = tuple[tuple[str, str], ...]
_Counts = dict[str, dict[Labels, float]]
_STATE: Final = msgspec.msgpack.Decoder(dict[str, list[tuple[list[tuple[str, str]], float]]])


class Board:
    """Memory in which the processes of one gateway show each other their counters; made before they are forked.

    Each has a place of its own there, which the process that follows it goes on from. A process that is killed loses
    what it counted since it showed it last.
    """

    def __init__(self, places: int) -> None:
        self.places = places
        self._memory = mmap.mmap(-1, places * (1 + 2 * _ROOM))

    def show(self, place: int, state: bytes) -> None:
        """Make `state` the one at `place`: it is written beside the one before, and a reader sees one or the other."""
        if len(state) + _HEAD.size > _ROOM:
            return
        start = place * (1 + 2 * _ROOM)
        other = 1 - self._memory[start]
        at = start + 1 + other * _ROOM
        self._memory[at : at + _HEAD.size] = _HEAD.pack(len(state), zlib.crc32(state))
        self._memory[at + _HEAD.size : at + _HEAD.size + len(state)] = state
        self._memory[start] = other

    def shown(self, place: int) -> bytes:
        """The state at `place`; empty where there is none."""
        start = place * (1 + 2 * _ROOM)
        for _ in range(5):  # both may be written anew while one is read
            at = start + 1 + self._memory[start] * _ROOM
            length, sum_ = _HEAD.unpack(self._memory[at : at + _HEAD.size])
            state = self._memory[at + _HEAD.size : at + _HEAD.size + min(length, _ROOM - _HEAD.size)]
            if zlib.crc32(state) == sum_:
                return state
        return b""


class Metrics:
    """The counters of one process, or of all that share `board`. Used from one event loop."""

    def __init__(self, board: Board | None = None, place: int = 0) -> None:
        self._counts: _Counts = {name: defaultdict(float) for name in _HELP}
        self._board, self._place, self._waits = board, place, False
        if board:
            _add(self._counts, board.shown(place))

    def add(self, name: str, amount: float, **labels: str) -> None:
        """Count `amount` more."""
        self._counts[name][tuple(sorted(labels.items()))] += amount
        if self._board and not self._waits:
            self._waits = True
            asyncio.get_running_loop().call_later(_EVERY, self.show)

    def show(self) -> None:
        """Let the other processes know."""
        self._waits = False
        if self._board:
            state = {name: list(series.items()) for name, series in self._counts.items()}
            self._board.show(self._place, msgspec.msgpack.encode(state))

    def text(self, now: Mapping[str, bool] = _NOTHING) -> bytes:
        """All of it, as it is scraped; `now` is what holds at the moment, and is no counter."""
        lines = []
        for name, series in self._sums().items():
            lines += [f"# HELP {name} {_HELP[name]}", f"# TYPE {name} counter"]
            for labels, value in sorted(series.items()):
                said = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels)
                lines.append(f"{name}{{{said}}} {_number(value)}")
        for name, holds in now.items():
            lines += [f"# HELP {name} {_NOW[name]}", f"# TYPE {name} gauge", f"{name} {holds:d}"]
        return ("\n".join(lines) + "\n").encode()

    def _sums(self) -> _Counts:
        if not self._board:
            return self._counts
        sums: _Counts = {name: defaultdict(float, series) for name, series in self._counts.items()}
        for place in range(self._board.places):
            if place != self._place:
                _add(sums, self._board.shown(place))
        return sums


def _add(counts: _Counts, state: bytes) -> None:
    for name, series in (_STATE.decode(state) if state else {}).items():
        for labels, value in series:
            counts[name][tuple(labels)] += value


def _number(value: float) -> str:
    """Every digit: a counter that is rounded stands still once it is large."""
    return str(int(value)) if value.is_integer() else repr(value)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
