"""Rows with their ancestry, in files that only grow by whole batches.

A batch is written at once and made durable; what a kill left behind it is cut off when the run goes on. A prompt makes
a fixed number of rows, so the place of a row tells which batch it belongs to, and a seed belongs to a row: the file of
a run that was killed and resumed is, byte for byte, that of one that was not.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import msgspec

from lawspeaker.digest import digest_bytes
from lawspeaker.errors import InputError
from lawspeaker.exchange import Exchange, Message, Text, ask
from lawspeaker.finding import Finding
from lawspeaker.models.base import Sampling

T = TypeVar("T", bound=msgspec.Struct)
L = TypeVar("L", bound="_Line")


class Prompt(msgspec.Struct, frozen=True):
    """A line of a prompt file: one turn, or several that end with somebody else's than the assistant's. `answer`: the
    line's own, which only samples of helpfulness have."""

    id: str
    exchange: Exchange
    line: bytes
    answer: str = ""


class Row(msgspec.Struct, frozen=True, omit_defaults=True):
    """A draft (round 0), a revision, or a sample of helpfulness, and all that it was made from. `asked` names by digest
    what models were asked for it, `examples` the cases that they were shown (see `reuse`, `examples`). `filtered` says
    why it is not trained on."""

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
    examples: dict[str, tuple[str, ...]] = {}
    asked: dict[str, str] = {}
    critique: str = ""
    account: str = ""
    source: Literal["prompts", "helpful"] = "prompts"
    filtered: str = ""


class Vote(msgspec.Struct, frozen=True, omit_defaults=True):
    """One principle's label of a pair: P(a is better). `by`: the `critic`, or the `checks`, which saw `outcomes` in a
    and b; that label is verified. `odds` are P(first shown is better), with a and with b shown first, as the critic
    told them; after `thoughts`, two for each sample, in the same order. `asked`, `reasoned`: the digests of what was
    asked for odds and thoughts."""

    principle: str
    principle_digest: str
    principle_text: str
    a_better: float = 0.5
    bias: float = 0.5
    by: Literal["critic", "checks"] = "critic"
    outcomes: tuple[str, ...] = ()
    template: str = ""
    examples: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    odds: tuple[float, ...] = ()
    reasoned: tuple[str, ...] = ()
    thoughts: tuple[str, ...] = ()


class Pair(msgspec.Struct, frozen=True, omit_defaults=True):
    """Two answers and P(a is better): the mean of the `votes`, or what a person said (`source`, `by`; `data` is the
    file and `line` the digest of the line that says so). `seeds` drew the answers, `asked` names what was asked for
    them."""

    id: str
    prompt: str
    request: tuple[Message, ...]
    a: str
    b: str
    constitution: str
    model_digest: str = ""
    seeds: tuple[int, ...] = ()
    asked: tuple[str, ...] = ()
    critic_digest: str = ""
    votes: tuple[Vote, ...] = ()
    a_better: float = 0.5
    bias: float = 0.5
    source: Literal["ai", "helpfulness", "ruling"] = "ai"
    by: str = ""
    data: str = ""
    line: str = ""
    filtered: str = ""

    @property
    def verified(self) -> bool:
        """Whether the checks alone gave the label."""
        return bool(self.votes) and all(vote.by == "checks" for vote in self.votes)


class _Line(msgspec.Struct):
    id: str
    request: str = ""
    messages: tuple[dict[str, str], ...] = ()
    answer: str = ""

    @property
    def exchange(self) -> Exchange:
        turns = [{"role": turn["role"], "parts": [{"type": "text", "text": turn["content"]}]} for turn in self.messages]
        return msgspec.convert({"messages": turns}, Exchange) if turns else ask(self.request)


class _Preferred(_Line):
    a: str = ""
    b: str = ""
    a_better: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.5
    by: str = ""
    source: Literal["helpfulness", "ruling"] = "helpfulness"


def read_prompts(path: Path) -> tuple[Prompt, ...]:
    """The prompts of a file, or of all the `.jsonl` files of a folder, by name. Raises `InputError` with file and line
    for what is no prompt."""
    return tuple(Prompt(said.id, exchange, line, said.answer) for said, exchange, line in _lines(path, _Line))


def read_preferences(path: Path, law: str, data: str) -> tuple[Pair, ...]:
    """What people prefer by the file that the recipe calls `data`, as pairs under the law of that digest. Raises
    `InputError` with file and line."""
    pairs = []
    for number, (said, exchange, line) in enumerate(_lines(path, _Preferred), 1):
        if not (said.a.strip() and said.b.strip() and said.by) or said.a == said.b:
            raise InputError(f"{path}: preference {number} ({said.id}): want an a and another b, and by whom")
        pairs.append(
            Pair(
                f"{data}/{said.id}", said.id, exchange.messages, said.a, said.b, law, a_better=said.a_better,
                source=said.source, by=said.by, data=data, line=digest_bytes("lawspeaker/preference/v1", line),
            )
        )  # fmt: skip
    return tuple(pairs)


def _lines(path: Path, kind: type[L]) -> list[tuple[L, Exchange, bytes]]:
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    found: list[tuple[L, Exchange, bytes]] = []
    for file in files:
        try:
            lines = file.read_bytes().splitlines()
        except OSError as error:
            raise InputError(f"{file}: {error.strerror}; want a JSONL file, or a folder of them") from None
        found += [_line(file, number, line, kind) for number, line in enumerate(lines, 1)]
    if not found:
        raise InputError(f"{path}: it holds no line; want a JSONL file, or a folder of them")
    counts = Counter(said.id for said, _, _ in found)
    if twice := [name for name, times in counts.items() if times > 1]:
        raise InputError(f"{path}: an id is there twice: {twice[0]}")
    return found


def _line(file: Path, number: int, line: bytes, kind: type[L]) -> tuple[L, Exchange, bytes]:
    try:
        said = msgspec.json.decode(line, type=kind)
        exchange = said.exchange
    except (msgspec.DecodeError, KeyError) as error:
        raise InputError(f"{file}:{number}: {error}; want id and request, or id and messages") from None
    last = exchange.messages[-1]
    if not said.id.strip() or not last.text.strip() or last.role not in {"user", "tool"}:
        raise InputError(f"{file}:{number}: it must end with something that is asked, and have an id")
    return said, exchange, line


def require_apart(sets: Sequence[tuple[str, Sequence[Prompt]]]) -> None:
    """Raises `InputError` where a request is in two of these files: a model is not measured on what it learnt."""
    seen: dict[tuple[Message, ...], tuple[int, str]] = {}
    for number, (name, prompts) in enumerate(sets):
        for prompt in prompts:
            other = seen.setdefault(prompt.exchange.messages, (number, name))
            if other[0] != number:
                raise InputError(f"{name}: {prompt.id} is also in {other[1]}; the sets of a recipe are apart")


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

    def append(self, lines: Sequence[bytes]) -> None:
        with self.path.open("ab") as file:
            file.write(b"".join(line + b"\n" for line in lines))
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
