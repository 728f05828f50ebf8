"""The training of stage 2: the preference model, and the policy by DPO or GRPO under the eyes of the gold judge."""

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from shutil import copytree, rmtree
from typing import Final

import msgspec

from lawspeaker.align import gold, preference_model
from lawspeaker.align.dataset import Pair, Prompt, Row, Store, read_prompts
from lawspeaker.align.drawing import drawn_from
from lawspeaker.align.ground import Ground
from lawspeaker.align.policy import TRAINING, Course, Reinforced, step_of_last
from lawspeaker.align.preference_model import Scorer
from lawspeaker.align.recipe import Dpo, Grpo
from lawspeaker.align.reward import Asked, Rewards, Rollout
from lawspeaker.align.self_revision import Engine
from lawspeaker.align.training import Learner, Trained
from lawspeaker.align.watch import BEST, LOOK, Watch, Watched
from lawspeaker.errors import InputError
from lawspeaker.models.base import Model
from lawspeaker.models.checkpoint import digest_of

ROLLOUTS: Final = "rollouts.jsonl"


async def preference(ground: Ground) -> None:
    """The preference model, if the recipe has one, from `sl` and the pairs."""
    if ground.recipe.preference and not ground.has("preference"):
        await ground.aside(lambda: _preference(ground))


async def policy(ground: Ground, prompts: Sequence[Prompt], open_: Callable[[str], Model]) -> None:
    """The policy, from `sl` and the pairs or the preference model; whatever of it is not done yet."""
    if not ground.has("policy"):
        await _policy(ground, prompts, open_)
    if ground.first:
        for left in [*ground.folder.glob(f"{BEST}-*"), ground.folder / TRAINING, ground.folder / LOOK]:
            rmtree(left, ignore_errors=True)
    await ground.until("policy")


async def _policy(ground: Ground, prompts: Sequence[Prompt], open_: Callable[[str], Model]) -> None:
    how = ground.recipe.policy
    if how is None:
        _adopt(ground, ground.folder / "sl", copy=True)
        return
    done = "dpo.json" if isinstance(how, Dpo) else "grpo.json"
    watch = await _watch(ground, open_, over=ground.has(done))
    if not ground.has(done):
        course = (
            (lambda: _prefer(ground, watch)) if isinstance(how, Dpo) else lambda: _reinforce(ground, prompts, watch)
        )
        ground.write(done, await ground.aside(course))
    kept = watch.best if watch else ground.folder / LOOK
    _adopt(ground, kept or ground.folder / "sl", copy=not kept)


def pairs_of(ground: Ground) -> list[Pair]:
    pairs = [pair for pair in Store(ground.folder / "pairs.jsonl").read(Pair) if not pair.filtered]
    if not pairs:
        raise InputError("no pair could be labelled, so there is nothing to prefer; see pairs.jsonl")
    return pairs


def _adopt(ground: Ground, source: Path, copy: bool) -> None:
    if ground.first:
        fresh = ground.folder / "policy.new"
        rmtree(fresh, ignore_errors=True)
        (copytree(source, fresh) if copy else source).rename(ground.folder / "policy")


def _preference(ground: Ground) -> None:
    how = ground.recipe.preference
    assert how is not None
    pairs, apart = preference_model.split(pairs_of(ground), how.held_out, ground.recipe.seed)
    if not pairs:
        raise InputError("there are pairs of one prompt alone; a preference model needs others to be measured on")
    learner = Learner(ground.folder / "sl", ground.recipe.seed, ground.recipe.lora, scores=True)
    done = preference_model.train(learner, pairs, apart, how, ground.step("preference model"))
    ground.write("preference.json", done)
    learner.save(ground.folder / "preference")


def _prefer(ground: Ground, watch: Watch | None) -> Trained:
    how = ground.recipe.policy
    assert isinstance(how, Dpo)
    pairs = pairs_of(ground)
    learner = Learner(ground.folder / "sl", ground.recipe.seed, ground.recipe.lora)

    def look(step: int, steps: int) -> bool:
        if watch is None or not watch.due(step, steps):
            return False
        learner.save(ground.folder / LOOK)
        return watch.agreed(learner.accelerator, step, ground.folder / LOOK, step == steps)

    rows = [(p.request, p.a, p.b, p.a_better) for p in pairs]
    trained = learner.prefer(rows, how, ground.step("soft DPO"), look)
    if watch is None:
        learner.save(ground.folder / LOOK)
    return trained


def _reinforce(ground: Ground, prompts: Sequence[Prompt], watch: Watch | None) -> Reinforced:
    how, recipe = ground.recipe.policy, ground.recipe
    assert isinstance(how, Grpo)
    drafts = [row for row in Store(ground.folder / "rows.jsonl").read(Row) if not row.round and row.text]
    asked = {row.prompt: Asked.of(row) for row in drafts}
    course = Course(
        how, ground.folder / "sl", ground.folder, recipe.seed, recipe.max_tokens, recipe.lora,
        ground.step("GRPO", "reward"), watch,
    )  # fmt: skip
    scorer = Scorer.load(ground.folder / "preference") if recipe.preference and how.preference else None
    keep = _keeper(ground, step_of_last(ground.folder))
    principles = drawn_from(ground.law, recipe.principles)
    rewards = Rewards(how, ground.law, principles, asked, scorer, keep)
    return course.run([prompt for prompt in prompts if prompt.id in asked], rewards)


def _keeper(ground: Ground, step: int) -> Callable[[int, Sequence[tuple[str, str, dict[str, float]]]], None]:
    """Keeps every answer that was paid for, with its ancestry. What came after `step` is drawn again."""
    rank = int(os.environ.get("RANK", "0"))
    path = ground.folder / (f"rollouts.{rank}.jsonl" if rank else ROLLOUTS)
    store = Store(path)
    store.resume([sum(row.step < step for row in _whole_lines(path))])  # they are in the order of their steps
    start = digest_of(ground.folder / "sl")
    preference = digest_of(ground.folder / "preference") if ground.has("preference") else ""
    at = f"{rank}." if rank else ""

    def keep(step: int, found: Sequence[tuple[str, str, dict[str, float]]]) -> None:
        count: Counter[str] = Counter()
        lines = []
        for prompt, text, rewards in found:
            name = f"{prompt}.rollout.{step}.{at}{count[prompt]}"
            row = Rollout(name, prompt, step, text, rewards, start, preference, ground.law.digest)
            lines.append(msgspec.json.encode(row))
            count[prompt] += 1
        store.append(lines)

    return keep


def _whole_lines(path: Path) -> list[Rollout]:
    data = path.read_bytes().rpartition(b"\n")[0] if path.exists() else b""
    return [msgspec.json.decode(line, type=Rollout) for line in data.splitlines()]


async def _watch(ground: Ground, open_: Callable[[str], Model], over: bool) -> Watch | None:
    """The watch with its first look, at the fine-tuned model, or with those of a course that is `over` or goes on."""
    stop = ground.recipe.stop
    if stop is None:
        return None
    prompts, loop = read_prompts(ground.root / stop.prompts), asyncio.get_running_loop()

    async def measured(checkpoint: Path) -> gold.Measured:
        model = open_(f"local:{checkpoint}")
        try:
            engine = Engine(ground.recipe, ground.law, model, model)
            return await gold.measure(engine, prompts, ground.root, lambda _, __: None)
        finally:
            await model.close()

    def measure(checkpoint: Path) -> gold.Measured:
        return asyncio.run_coroutine_threadsafe(measured(checkpoint), loop).result()

    watch = Watch(stop, ground.folder, measure, lambda watched: ground.write("watch.json", watched))
    if ground.first:
        if ground.has("watch.json"):
            watched = ground.read("watch.json", Watched)
            watch.resume(watched, watched.looks[-1].step if over else step_of_last(ground.folder))
        else:
            await ground.aside(lambda: watch.look(0, ground.folder / "sl"))
    return watch
