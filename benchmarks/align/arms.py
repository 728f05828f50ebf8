"""What the benchmarks do with a run of a recipe: finish or check it, train another policy from its parts, ask it."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from lawspeaker.align import gold, second_stage
from lawspeaker.align.dataset import Prompt, Row, Store
from lawspeaker.align.gold import Measured
from lawspeaker.align.ground import Ground
from lawspeaker.align.recipe import Recipe
from lawspeaker.align.run import Run, checkpoint
from lawspeaker.align.self_revision import Engine
from lawspeaker.constitution.schema import Constitution
from lawspeaker.digest import digest
from lawspeaker.models.address import open_model

Tell = Callable[[str, int, int], None]


def tell(name: str) -> Tell:
    """Says each stage that ends, on stderr."""

    def observe(stage: str, done: int, of: int) -> None:
        if done == of:
            print(f"{name}: {stage}", file=sys.stderr, flush=True)

    return observe


def claim(recipe: Recipe, law: Constitution, prompts: Sequence[Prompt]) -> str:
    """Names what answers depend on, so that those of another model, law or recipe are not taken up."""
    models = [open_model(checkpoint(address)).digest for address in (recipe.model, recipe.critic or recipe.model)]
    lines = [prompt.line.decode() for prompt in prompts]
    return digest("benchmarks/align", [recipe.digest, law.digest, models, lines]).partition(":")[2][:12]


async def finished(run: Path, recipe: Recipe, law: Constitution, root: Path, own: bool) -> None:
    """Finish a run of one's `own`; another's must be a finished one of this recipe and this model."""
    if own:
        await Run(recipe, law, run, root, tell(run.parent.name), open=open_model).run()
        return
    if not (run / "policy.json").exists():
        sys.exit(f"{run}: it is no finished run")
    theirs = msgspec.json.decode((run / "recipe.json").read_bytes(), type=Recipe)
    if msgspec.structs.replace(theirs, name=recipe.name) != recipe:
        sys.exit(f"{run}: it is of another recipe or seed")
    if Store(run / "rows.jsonl").read(Row)[0].model_digest != open_model(checkpoint(recipe.model)).digest:
        sys.exit(f"{run}: it is of another model")


def measured(run: Path, name: str) -> Measured:
    """What the run measured of `base`, `sl` or `policy`."""
    return msgspec.json.decode((run / f"{name}.json").read_bytes(), type=Measured)


async def policy(run: Path, pairs: Path, recipe: Recipe, law: Constitution, root: Path, folder: Path) -> str:
    """Address of the policy that the second stage of `recipe` makes in `folder` from the run's fine-tuned model and
    `pairs`. What is there is not made again."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in (("sl", run / "sl"), ("pairs.jsonl", pairs)):
        if not (folder / name).exists():
            (folder / name).symlink_to(path.absolute())
    await second_stage.policy(Ground(recipe, law, folder, root, tell(folder.name)), (), open_model)
    return f"local:{folder / 'policy'}"


async def answers(
    address: str, recipe: Recipe, law: Constitution, prompts: Sequence[Prompt], root: Path
) -> dict[str, str]:
    """One answer to each of `prompts`, drawn as the run draws its own."""
    model = open_model(address)
    found = await gold.measure(Engine(recipe, law, model, model), prompts, root, lambda done, of: None)
    await model.close()
    return found.answers
