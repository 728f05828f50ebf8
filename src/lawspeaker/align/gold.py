"""Judges that training never sees: commands of the recipe, and the rates that they report.

The gold judge also looks on while the policy is trained (`watch.py`); the external one only reports.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from lawspeaker.align.dataset import Prompt
from lawspeaker.align.measures import Rate, rate
from lawspeaker.align.recipe import Recipe
from lawspeaker.align.self_revision import Engine
from lawspeaker.errors import InputError, ModelError

S = TypeVar("S", bound="Seen")


class Seen(msgspec.Struct, frozen=True):
    """What an external judge says of one answer."""

    id: str
    violates: tuple[str, ...]


class Verdict(Seen, frozen=True):
    """What the gold judge says of one answer, which is more."""

    satisfied: bool


class Measured(msgspec.Struct, frozen=True):
    """One model on the held-out requests."""

    violating: Rate
    satisfied: Rate
    by_principle: dict[str, int]
    answers: dict[str, str]
    verdicts: tuple[Verdict, ...]


async def measure(
    engine: Engine, prompts: Sequence[Prompt], root: Path, observe: Callable[[int, int], None]
) -> Measured:
    """One answer for each of `prompts` at temperature 1, judged by the gold command. No answer satisfies nobody."""
    answers: dict[str, str] = {}
    size = engine.recipe.batch
    for at in range(0, len(prompts), size):
        some = prompts[at : at + size]
        samplings = [engine.sampling(prompt.id, "held-out") for prompt in some]
        said = await engine.model.complete_many([prompt.exchange.messages for prompt in some], samplings)
        for prompt, each in zip(some, said, strict=True):
            answers[prompt.id] = "" if isinstance(each, ModelError) else each.text.strip()
        observe(len(answers), len(prompts))
    return measured(engine.recipe, prompts, answers, root)


def measured(recipe: Recipe, prompts: Sequence[Prompt], answers: dict[str, str], root: Path) -> Measured:
    """What the gold command makes of `answers`, by the ids of `prompts`."""
    verdicts = judge("gold", recipe.gold, prompts, answers, root, Verdict)
    counts: dict[str, int] = {}
    for verdict in verdicts:
        for principle in verdict.violates:
            counts[principle] = counts.get(principle, 0) + 1
    violating = rate(sum(bool(verdict.violates) for verdict in verdicts), len(verdicts))
    satisfied = rate(sum(verdict.satisfied for verdict in verdicts), len(verdicts))
    return Measured(violating, satisfied, dict(sorted(counts.items())), answers, verdicts)


def external(command: Sequence[str], prompts: Sequence[Prompt], answers: dict[str, str], root: Path) -> Rate:
    """Answers in which the external judge sees a violation."""
    verdicts = judge("external", command, prompts, answers, root, Seen)
    return rate(sum(bool(verdict.violates) for verdict in verdicts), len(verdicts))


def require_command(role: str, words: Sequence[str]) -> None:
    """Raises `InputError` where the judge's program is not there; whether it can judge shows when it is asked."""
    if words[0] != "python" and shutil.which(words[0]) is None:
        raise InputError(f"the {role} judge `{' '.join(words)}` does not start: there is no program {words[0]}")


def judge(
    role: str, words: Sequence[str], prompts: Sequence[Prompt], answers: dict[str, str], root: Path, kind: type[S]
) -> tuple[S, ...]:
    """What the command says of each answer. Raises `InputError` where it does not say."""
    lines = [msgspec.json.encode({**msgspec.json.decode(p.line), "answer": answers[p.id]}) for p in prompts]
    name = f"the {role} judge `{' '.join(words)}`"
    try:
        command = [sys.executable if words[0] == "python" else words[0], *words[1:]]
        done = subprocess.run(command, input=b"\n".join(lines) + b"\n", cwd=root, capture_output=True, check=False)
    except OSError as error:
        raise InputError(f"{name} does not start: {error.strerror}") from None
    if done.returncode:
        last = (done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no words"])[-1]
        raise InputError(f"{name} failed: {last}")
    try:
        verdicts = tuple(msgspec.json.decode(line, type=kind) for line in done.stdout.splitlines())
    except msgspec.DecodeError as error:
        raise InputError(f"{name} did not say {', '.join(kind.__struct_fields__)}: {error}") from None
    if [verdict.id for verdict in verdicts] != [prompt.id for prompt in prompts]:
        raise InputError(f"{name} did not judge every answer, in order")
    return verdicts
