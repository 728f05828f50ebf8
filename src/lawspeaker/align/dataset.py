"""Rows with their ancestry, in files that only grow by whole batches.

A batch is written at once and made durable; what a kill left behind it is cut off when the run goes on. A prompt makes
a fixed number of rows, so the place of a row tells which batch it belongs to, and a seed belongs to a row: the file of
a run that was killed and resumed is, byte for byte, that of one that was not.
"""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from lawspeaker.digest import digest_bytes
from lawspeaker.errors import InputError
from lawspeaker.exchange import Exchange, Message, Text, ask
from lawspeaker.finding import Finding
from lawspeaker.models.base import Sampling

T = TypeVar("T", bound=msgspec.Struct)


class Prompt(msgspec.Struct, frozen=True):
    """A line of a prompt file: one turn, or several that end with somebody else's than the assistant's."""

    id: str
    exchange: Exchange
    line: bytes


class Row(msgspec.Struct, frozen=True, omit_defaults=True):
    """A draft (round 0) or a revision, and all that it was made from. `filtered` says why it is not trained on."""

    id: str
    prompt: str
    round: int
    request: tuple[Message, ...]
    text: str
    model: str
    model_digest: str
    sampling: Sampling
    constitution: str
    findings: tuple[Finding, ...] = ()
    parent: str = ""
    principle: str = ""
    principle_text: str = ""
    principle_digest: str = ""
    critic_digest: str = ""
    templates: dict[str, str] = {}
    critique: str = ""
    account: str = ""
    filtered: str = ""


class Pair(msgspec.Struct, frozen=True, omit_defaults=True):
    """Two answers and P(a is better), asked in both orders. `seeds` drew the answers."""

    id: str
    prompt: str
    request: tuple[Message, ...]
    a: str
    b: str
    model_digest: str
    seeds: tuple[int, int]
    constitution: str
    principle: str
    principle_digest: str
    template: str
    critic_digest: str
    a_better: float = 0.5
    bias: float = 0.5
    filtered: str = ""


class _Line(msgspec.Struct):
    id: str
    request: str = ""
    messages: tuple[dict[str, str], ...] = ()


def read_prompts(path: Path) -> tuple[Prompt, ...]:
    """Raises `InputError` with file and line for what is no prompt."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; want a JSONL file of prompts") from None
    prompts = []
    for number, line in enumerate(lines, 1):
        try:
            said = msgspec.json.decode(line, type=_Line)
            turns = [{"role": turn["role"], "parts": [{"type": "text", "text": turn["content"]}]}
                     for turn in said.messages]  # fmt: skip
            exchange = msgspec.convert({"messages": turns}, Exchange) if turns else ask(said.request)
        except (msgspec.DecodeError, KeyError) as error:
            raise InputError(f"{path}:{number}: {error}; want id and request, or id and messages") from None
        if not exchange.messages[-1].text.strip() or exchange.has_answer:
            raise InputError(f"{path}:{number}: it must end with something that is asked")
        prompts.append(Prompt(said.id, exchange, line))
    if not prompts:
        raise InputError(f"{path}: it holds no prompt")
    if len({prompt.id for prompt in prompts}) < len(prompts):
        raise InputError(f"{path}: an id is there twice")
    return tuple(prompts)


class Store:
    """Rows in one file, `per` of them a batch except for the last one."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def resume(self, batches: Sequence[int]) -> int:
        """How many batches (of these sizes, in rows) are whole; what lies behind them is cut off."""
        data = self.path.read_bytes() if self.path.exists() else b""
        lines, done, whole = data.split(b"\n")[:-1], 0, 0
        for size in batches:
            if done + size > len(lines):
                break
            done, whole = done + size, whole + 1
        keep = sum(len(line) + 1 for line in lines[:done])
        if keep < len(data):
            os.truncate(self.path, keep)
        return whole

    def append(self, rows: Sequence[msgspec.Struct]) -> None:
        with self.path.open("ab") as file:
            file.write(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
            file.flush()
            os.fsync(file.fileno())

    def read(self, kind: type[T]) -> list[T]:
        return [msgspec.json.decode(line, type=kind) for line in self.path.read_bytes().splitlines()]

    @property
    def digest(self) -> str:
        return digest_bytes("lawspeaker/dataset/v1", self.path.read_bytes())


def seed_of(*parts: object) -> int:
    """The seed of a row: of the run's and the row's names, and nothing else."""
    said = "/".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(b"lawspeaker/seed\0" + said.encode()).digest()[:4], "big") >> 1


def with_text(request: Sequence[Message], text: str) -> Exchange:
    return Exchange((*request, Message("assistant", (Text(text),))))
