"""`lawspeaker align`: train a model on the constitution; trace any row of the training data."""

import asyncio
import importlib.util
from pathlib import Path
from typing import get_args

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from lawspeaker.align import estimate
from lawspeaker.align.card import table
from lawspeaker.align.dataset import Pair, Row, Store, read_prompts
from lawspeaker.align.ground import is_first
from lawspeaker.align.recipe import Dpo, Recipe, read_recipe
from lawspeaker.align.reward import Rollout
from lawspeaker.align.run import Inputs, Run, Stage
from lawspeaker.align.scale import Workers
from lawspeaker.cli.context import home, inert, load_law, page, print_json, words
from lawspeaker.errors import InputError, ModelConfigError
from lawspeaker.models.address import open_model

_PACKAGES = tuple((name, "align") for name in ("torch", "transformers", "accelerate", "peft", "trl"))


@click.command()
@click.argument("arguments", metavar="RECIPE | trace RUN ROW", nargs=-1, required=True)
@click.option("--run", "folder", metavar="FOLDER", help="Where the run lies. Default: runs/NAME below the state.")
@click.option("--dry-run", is_flag=True, help="Say what would be done and how long it takes.")
@click.option("--resume", is_flag=True, help="Go on with a run that was interrupted.")
@click.option("--reuse", metavar="RUN", help="Take answers to the same questions from an earlier run.")
@click.option("--until", type=click.Choice(get_args(Stage)), default="measure", help="End after this stage.")
@click.option("--workers", type=click.IntRange(1), default=1, help="Work on drafts and labels by so many, on Ray.")
def command(
    arguments: tuple[str, ...], folder: str | None, dry_run: bool, resume: bool, reuse: str | None, until: Stage,
    workers: int,
) -> int:  # fmt: skip
    """Train a model on the constitution by a RECIPE, or walk a row of a run back to what it was made from.

    Drafts, rounds of critique and revision, fine-tuning, AI preferences, a preference model, DPO or GRPO, and a table
    of what a judge that training did not see says of the model before and after.
    """
    if arguments[0] == "trace":
        if len(arguments) != 3:
            raise InputError("want: lawspeaker align trace RUN ROW")
        print_json(trace(Path(arguments[1]), arguments[2]))
        return 0
    if len(arguments) != 1:
        raise InputError("want one recipe: lawspeaker align RECIPE")
    path = Path(arguments[0])
    recipe = read_recipe(path)
    where = Path(folder) if folder else home() / "runs" / recipe.name
    if dry_run:
        _tell(recipe, path.parent, where, workers)
        return 0
    for package, extra in (*_PACKAGES, *([("ray", "scale")] if workers > 1 else [])):
        if importlib.util.find_spec(package) is None:
            raise ModelConfigError(f"{package} is not installed; pip install 'lawspeaker[{extra}]'")
    if is_first() and (where / "RUN").exists() and not resume:
        raise InputError(f"{where}: a run is there; go on with --resume, or name another folder with --run")
    _train(recipe, path, where, Path(reuse) if reuse else None, until, workers)
    if not is_first():
        return 0
    if until != "measure":
        words().print(inert(f"{where}: done up to {until}; go on with --resume"))
        return 0
    page().print(inert(table(where)))
    words().print(inert(f"policy: local:{where / 'policy'}\nreport: {where / 'report.html'}"))
    return 0


def _tell(recipe: Recipe, root: Path, where: Path, workers: int) -> None:
    """The plan, with what can be known to be wrong with it, and an estimate of its time."""
    if is_first():
        page().print(inert(_plan(recipe, root, where)))
    if missing := next((name for name, _ in _PACKAGES if importlib.util.find_spec(name) is None), ""):
        page().print(inert(f"time: not told, {missing} is not installed; pip install 'lawspeaker[align]'"))
        return
    law = load_law((recipe.constitution,))
    run = Run(recipe, law, where, root.absolute(), lambda *_: None, open=open_model)
    took, inputs = asyncio.run(_tried(run))
    if took:
        page().print(inert("\n".join(estimate.lines(estimate.times(recipe, inputs, took, workers)))))
    elif is_first():
        page().print(inert(f"time: not told, a dry run asks nothing of {recipe.model}"))


async def _tried(run: Run) -> tuple[estimate.Trial | None, Inputs]:
    inputs = await run.check()
    return await estimate.trial(run.recipe, run.law, inputs, run.open), inputs


def _train(recipe: Recipe, path: Path, where: Path, reuse: Path | None, until: Stage, workers: int) -> None:
    law = load_law((recipe.constitution,))
    work = Workers(law, workers, str(Path.cwd())) if workers > 1 else None
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = words()
    with Progress(*columns, console=console, disable=not (console.is_terminal and is_first())) as progress:
        bars: dict[str, TaskID] = {}

        def observe(stage: str, done: int, total: int) -> None:
            name = stage.partition(",")[0]
            if name not in bars:
                bars[name] = progress.add_task(stage)
            progress.update(bars[name], description=stage, completed=done, total=total)

        root = path.parent.absolute()
        run = Run(recipe, law, where, root, observe, open=open_model, work=work, reuse=reuse, last=until)
        asyncio.run(run.run())


def _plan(recipe: Recipe, root: Path, where: Path) -> str:
    prompts, held_out = (len(read_prompts(root / name)) for name in (recipe.prompts, recipe.held_out))
    law = load_law((recipe.constitution,))
    rounds, drawn = recipe.revising.rounds, len(recipe.principles) or len(law.principles)
    wants_pairs = recipe.preference is not None or isinstance(recipe.policy, Dpo)
    how, trained = recipe.preference, "low-rank adapters of " if recipe.lora else ""
    lines = [
        f"run: {where}",
        f"constitution: {law.name} {law.version}, {drawn} principles drawn from",
        f"drafts: {prompts} by {recipe.model}",
        f"critiques: at most {prompts * rounds} by {recipe.critic or recipe.model}; revisions: as many",
        f"fine-tuning: {trained}{recipe.base or recipe.model}, {recipe.sft.epochs} epochs of what passes the filters",
    ]
    if recipe.helpful:
        lines.append(f"helpfulness: {recipe.helpful.share:.0%} of the rows, from {recipe.helpful.prompts}")
    if wants_pairs:
        lines.append(f"pairs: at most {prompts}, each compared in both orders{_labels(recipe)}")
    if how:
        apart = max(1, round(prompts * how.held_out))
        lines.append(f"preference model: {how.epochs} epochs of at most {prompts - apart} pairs, {apart} set aside")
    lines.append(_policy(recipe, prompts))
    if recipe.stop:
        watched = len(read_prompts(root / recipe.stop.prompts))
        lines.append(f"stop rule: `{' '.join(recipe.gold)}` on {watched} answers every {recipe.stop.every} steps")
    lines.append(f"measuring: 3 models on {held_out} held-out requests by `{' '.join(recipe.gold)}`")
    lines.append(f"external judge: {' '.join(recipe.external) or 'none'}")
    return "\n".join(lines)


def _labels(recipe: Recipe) -> str:
    labels = recipe.labels
    parts = [f" by {labels.per_pair} principles"] if labels.per_pair > 1 else []
    parts += [" that tell it apart, where there are"] if labels.draw == "found" else []
    parts += [f" after {labels.samples} trains of thought"] if labels.method == "reasoned" else []
    parts += [" where the checks do not tell"] if labels.checks else []
    parts += [f"; {each.share:.0%} from {each.name}" for each in labels.people]
    return "".join(parts)


def _policy(recipe: Recipe, prompts: int) -> str:
    how = recipe.policy
    if how is None:
        return "policy: the fine-tuned model"
    if isinstance(how, Dpo):
        steps = how.epochs * -(-prompts // how.batch)
        return f"policy: DPO with {how.labels} labels, at most {steps} steps of {how.batch} pairs"
    answers = how.steps * how.prompts * how.group
    parts = [name for name in ("principles", "preference", "helpful") if getattr(how, name)]
    return (
        f"policy: GRPO, {how.steps} steps of {how.prompts} prompts with {how.group} answers: {answers} answers of at"
        f" most {recipe.max_tokens} tokens; paid for {', '.join(parts)}"
    )


def trace(run: Path, row: str) -> list[Row | Pair | Rollout]:
    """The row and its ancestors, the row first. Raises `InputError`."""
    try:
        files = [name for name in ("rows.jsonl", "helpful.jsonl") if name == "rows.jsonl" or (run / name).exists()]
        rows = {each.id: each for name in files for each in Store(run / name).read(Row)}
        found = rows.get(row) or _later(run, row)
    except OSError as error:
        raise InputError(f"{run}: {error.strerror}; want the folder of a run") from None
    if found is None:
        raise InputError(f"{run}: it has no row {row}")
    line: list[Row | Pair | Rollout] = [found]
    while isinstance(found, Row) and found.parent:
        found = rows[found.parent]
        line.append(found)
    if isinstance(found, Rollout):  # what its helpful term was read from
        line.append(rows[f"{found.prompt}.0"])
    return line


def _later(run: Path, row: str) -> Pair | Rollout | None:
    """A pair, or an answer that the policy was paid for."""
    pairs = run / "pairs.jsonl"
    if pairs.exists():
        for pair in Store(pairs).read(Pair):
            if pair.id == row:
                return pair
    for path in sorted(run.glob("rollouts*.jsonl")):
        for rollout in Store(path).read(Rollout):
            if rollout.id == row:
                return rollout
    return None
