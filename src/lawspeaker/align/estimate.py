"""How long a run would take: a short trial of its models on this machine, times what the recipe counts.

One batch is drafted and revised once, some of its answers are compared, and a few steps are trained on a copy that
nobody keeps. Under `accelerate launch` every process trains in the trial as it would in the run, and the first does the
rest. Models over the network are sent nothing, so that a stage that needs one has no time. Not in it: the start, the
judges' commands, and the checks of a policy's answers.
"""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from lawspeaker.align.bulk import Job, Open, close, engine_of
from lawspeaker.align.dataset import Row
from lawspeaker.align.drawing import drawn_from
from lawspeaker.align.examples import Form, Library, library
from lawspeaker.align.ground import is_first
from lawspeaker.align.recipe import Dpo, Grpo, Recipe
from lawspeaker.align.run import Inputs, checkpoint
from lawspeaker.align.self_revision import Engine, training_rows
from lawspeaker.align.training import Learner
from lawspeaker.constitution.schema import Constitution
from lawspeaker.deliberation import comparison
from lawspeaker.errors import ModelError
from lawspeaker.exchange import Exchange, Message

Times = dict[str, float | None]
_CHOICES: Final = 4
_STEPS: Final = 4  # the first one warms up
_FORWARD: Final = 1 / 3  # of a training step: what is only read goes through the model once and not back


@dataclass(frozen=True)
class Trial:
    """Seconds for an answer as one of a batch, for a prompt's round of critique and revision, for a choice between two
    answers, for training on a request with its answer; and the shares of drafts and of revisions that are trained on.
    None: not tried."""

    answer: float
    round: float | None
    choice: float | None
    row: float
    drafts: float
    revisions: float


async def trial(recipe: Recipe, law: Constitution, inputs: Inputs, open_: Open) -> Trial | None:
    """What a batch takes here. None in a process that is not the first, and where the model is not on this machine:
    how long its answers are is not known before it is asked."""
    model, critic = checkpoint(recipe.model), checkpoint(recipe.critic or recipe.model)
    if not model.startswith("local:"):
        return None
    prompts = inputs.prompts[: recipe.batch]
    here = critic.startswith("local:")
    answer = round_ = choice = None
    kept, rows = (0.0, 1.0), []
    if is_first():
        engine = await engine_of(Job("rows", recipe, model, critic if here else model), law, open_)
        try:
            await engine.drafts(prompts[:1])  # loads it
            begin = time.monotonic()
            rows = await engine.drafts(prompts)
            answer = (time.monotonic() - begin) / len(prompts)
            if here:
                begin = time.monotonic()
                new = await engine.revised(rows, 1)
                round_ = (time.monotonic() - begin) / len(prompts)
                good = Counter(row.round for row in training_rows([*rows, *new], recipe, engine.principles))
                kept = good[0] / len(prompts), good[1] / len(prompts)
                choice = await _choice(engine, rows)
        finally:
            await close(engine)
    row = _row(inputs.base, recipe, [(each.request, each.text or each.request[-1].text) for each in rows])
    return None if answer is None else Trial(answer, round_, choice, row, *kept)


async def _choice(engine: Engine, rows: Sequence[Row]) -> float:
    """Seconds for a choice by the critic between two answers."""
    labels, some = engine.recipe.labels, [row for row in rows if row.text][:_CHOICES] or rows[:1]
    principles = drawn_from(engine.law, labels.principles or engine.recipe.principles)
    form: Form = labels.method
    cases = await library(engine.law, principles) if labels.examples else Library()
    begin = time.monotonic()
    for row in some:
        shown = cases.draw(engine.rng(row.prompt, "trial"), labels.examples, form).messages
        prompt = comparison.prompt_of(Exchange(row.request), row.text, some[0].text, principles[0], shown)
        try:
            await engine.critic.choose(prompt, comparison.OPTIONS)
        except ModelError:  # a prompt too long for it: the run leaves such a pair out
            continue
    return (time.monotonic() - begin) / len(some)


def _row(base: Path, recipe: Recipe, rows: Sequence[tuple[Sequence[Message], str]]) -> float:
    """Seconds for training on one of `rows`, which the first process tells the others."""
    from accelerate.utils import broadcast_object_list

    learner = Learner(base, recipe.seed, recipe.lora)
    said = [msgspec.json.encode(rows)]
    if learner.accelerator.num_processes > 1:
        broadcast_object_list(said)
    rows = msgspec.json.decode(said[0], type=list[tuple[tuple[Message, ...], str]])
    size = min(recipe.sft.batch, len(rows))
    how = msgspec.structs.replace(recipe.sft, epochs=-(-_STEPS * size // len(rows)), batch=size)
    marks: list[float] = []
    learner.supervised(rows, how, lambda step, steps, loss: marks.append(time.monotonic()))
    return (marks[-1] - marks[0]) / (len(marks) - 1) / size


def times(recipe: Recipe, inputs: Inputs, took: Trial, workers: int = 1) -> Times:
    """Seconds for each stage; `workers` share the bulk ones. None where a model was not tried."""
    found: Times = {}
    n, labels = len(inputs.prompts), recipe.labels
    rounds = recipe.revising.rounds
    found["draft, critique, revise"] = None if took.round is None else n * (took.answer + rounds * took.round) / workers
    found_first = recipe.revising.draw == "found"  # what is found is mended in the first round, for the most part
    rows = n * (took.drafts + took.revisions * (1 if found_first else rounds))
    if recipe.helpful:
        drawn = sum(not each.answer for each in inputs.helpful) * recipe.helpful.responses
        found["helpful"] = drawn * took.answer / workers
        brought = sum(bool(each.answer) for each in inputs.helpful)
        rows += min(drawn + brought, rows * recipe.helpful.share / (1 - recipe.helpful.share))
    found["fine-tune"] = recipe.sft.epochs * rows * took.row
    if recipe.preference or isinstance(recipe.policy, Dpo):
        each = 2 * (labels.samples if labels.method == "reasoned" else 1)
        thought = took.answer if labels.method == "reasoned" else 0.0
        vote = None if took.choice is None else each * (took.choice + thought)
        found["pair and label"] = None if vote is None else n * (2 * took.answer + labels.per_pair * vote) / workers
    if recipe.preference:
        found["preference model"] = recipe.preference.epochs * 2 * n * (1 - recipe.preference.held_out) * took.row
    steps = _steps(recipe, n)
    if isinstance(recipe.policy, Dpo):
        found["DPO"] = 2 * n * (recipe.policy.epochs + _FORWARD) * took.row
    elif isinstance(recipe.policy, Grpo):
        read = bool(recipe.policy.beta) + bool(recipe.policy.preference and recipe.preference)
        answers = steps * recipe.policy.prompts * recipe.policy.group
        found["GRPO"] = answers * (took.answer + took.row * (1 + _FORWARD * read))
    if recipe.stop:
        looks = 1 + -(-steps // recipe.stop.every)
        found["stop rule"] = looks * len(inputs.watched) * took.answer
    found["measure"] = 3 * len(inputs.held_out) * took.answer
    return found


def _steps(recipe: Recipe, pairs: int) -> int:
    match recipe.policy:
        case Grpo(steps=steps):
            return steps
        case Dpo(epochs=epochs, batch=batch):
            return epochs * -(-pairs // batch)
    return 0


def lines(found: Times) -> list[str]:
    """The times in words, the whole first."""
    known = [each for each in found.values() if each is not None]
    whole = f"{'about' if len(known) == len(found) else 'at least'} {_said(sum(known))}"
    each = [f"  {name}: {'not told' if seconds is None else _said(seconds)}" for name, seconds in found.items()]
    return [f"time, by a trial on this machine: {whole}", *each]


def _said(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
