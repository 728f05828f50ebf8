"""What was asked, named by its content, so that what an earlier run was told is not asked again.

A row names by digest each thing that was asked of a model for it: model, messages, temperature, seed and length. Under
another constitution the same things come out for every row that the change does not touch; a run that is given an
earlier one takes those answers from it. No other rule says what is stale.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from lawspeaker.align.dataset import Pair, Row, Store
from lawspeaker.digest import digest
from lawspeaker.errors import InputError, ModelError
from lawspeaker.exchange import Message
from lawspeaker.models.base import PLAIN, Completion, Model, Sampling, Terms

T = TypeVar("T", bound=msgspec.Struct)


def asked(model: str, messages: Sequence[Message], sampling: Sampling) -> str:
    """The digest of a completion that is asked of the model with the digest `model`."""
    how = {"temperature": sampling.temperature, "seed": sampling.seed, "max_tokens": sampling.max_tokens}
    return digest("lawspeaker/asked/v1", {"model": model, "messages": list(messages), **how})


def asked_odds(model: str, messages: Sequence[Message], options: Sequence[str]) -> str:
    """The digest of a choice that is asked of it."""
    return digest("lawspeaker/asked/v1", {"model": model, "messages": list(messages), "options": list(options)})


class Known(msgspec.Struct, frozen=True):
    """What earlier rows were told: texts, and probabilities of the first option."""

    texts: Mapping[str, str] = {}
    odds: Mapping[str, float] = {}


def known(run: Path | None) -> Known:
    """What the rows and pairs of an earlier run were told. Raises `InputError` for a folder that is no run."""
    if run is None:
        return Known()
    texts: dict[str, str] = {}
    odds: dict[str, float] = {}
    try:
        rows = [row for name in ("rows", "helpful") for row in _read(run / f"{name}.jsonl", Row)]
        pairs = _read(run / "pairs.jsonl", Pair)
    except (OSError, msgspec.DecodeError) as error:
        raise InputError(f"{run}: its rows cannot be read ({error}); want the folder of a run") from None
    for row in rows:
        for step, name in row.asked.items():
            said = row.critique if step == "critique" else "" if row.filtered.startswith("failed") else row.text
            if said:
                texts[name] = said
    for pair in pairs:
        texts.update({name: said for name, said in zip(pair.asked, (pair.a, pair.b), strict=False) if said})
        for vote in pair.votes:
            odds.update(zip(vote.asked, vote.odds, strict=True))
            texts.update(zip(vote.reasoned, vote.thoughts, strict=True))
    return Known(texts, odds)


class Reuse(msgspec.Struct, frozen=True):
    """What a run was given of an earlier one: its folder, the digests of its rows and pairs, and of all the answers of
    this run how many are the earlier one's."""

    run: str
    rows: str
    pairs: str
    answers: int = 0
    reused: int = 0


def found(run: Path) -> Reuse:
    """The earlier run as it is now. Raises `InputError` for a folder that is no run."""
    if not (run / "rows.jsonl").exists():
        raise InputError(f"{run}: it has no rows to reuse; want the folder of a run")
    pairs = Store(run / "pairs.jsonl")
    return Reuse(str(run.absolute()), Store(run / "rows.jsonl").digest, pairs.digest if pairs.path.exists() else "")


def counted(folder: Path, reuse: Reuse) -> Reuse:
    """`reuse` with what of it came into the run in `folder`."""
    mine, earlier = known(folder), known(Path(reuse.run))
    names = [*mine.texts, *mine.odds]
    reused = sum(name in earlier.texts or name in earlier.odds for name in names)
    return msgspec.structs.replace(reuse, answers=len(names), reused=reused)


def _read(path: Path, kind: type[T]) -> list[T]:
    return Store(path).read(kind) if path.exists() else []


class Reusing:
    """A model that is asked only what is not known."""

    def __init__(self, model: Model, known: Known) -> None:
        self.name, self.digest, self.takes = model.name, model.digest, model.takes
        self.model, self.known = model, known

    async def complete(self, messages: Sequence[Message], sampling: Sampling, terms: Terms = PLAIN) -> Completion:
        said = self._recall(messages, sampling) if terms == PLAIN else None
        return said or await self.model.complete(messages, sampling, terms)

    async def complete_many(
        self, prompts: Sequence[Sequence[Message]], samplings: Sequence[Sampling]
    ) -> list[Completion | ModelError]:
        results: list[Completion | ModelError | None] = [
            self._recall(messages, sampling) for messages, sampling in zip(prompts, samplings, strict=True)
        ]
        open_ = [n for n, said in enumerate(results) if said is None]
        if open_:
            fresh = await self.model.complete_many([prompts[n] for n in open_], [samplings[n] for n in open_])
            for n, said in zip(open_, fresh, strict=True):
                results[n] = said
        return [said for said in results if said is not None]

    async def choose(self, messages: Sequence[Message], options: Sequence[str]) -> tuple[float, ...] | None:
        first = self.known.odds.get(asked_odds(self.digest, messages, options)) if self.known.odds else None
        if first is not None and len(options) == 2:
            return (first, 1 - first)
        return await self.model.choose(messages, options)

    async def close(self) -> None:
        await self.model.close()

    def _recall(self, messages: Sequence[Message], sampling: Sampling) -> Completion | None:
        said = self.known.texts.get(asked(self.digest, messages, sampling)) if self.known.texts else None
        return None if said is None else Completion(said, self.name)
