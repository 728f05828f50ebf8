"""A run: its folder, and its stages one after another.

Each stage leaves a file or a folder that is there as a whole or not at all; a run that goes on takes up the first
stage that has none. Drafting and labelling go on from their last whole batch; a trainer begins its course again.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, Literal

import msgspec

from lawspeaker.align import gold
from lawspeaker.align.adapters import require_targets
from lawspeaker.align.agreement import agreement
from lawspeaker.align.bulk import Here, Job, Open, Work, fill
from lawspeaker.align.card import card
from lawspeaker.align.dataset import Pair, Prompt, Row, Store, read_prompts, require_apart
from lawspeaker.align.drawing import drawn_from, validate
from lawspeaker.align.examples import validate_examples
from lawspeaker.align.ground import Ground
from lawspeaker.align.page import page
from lawspeaker.align.policy import require_share
from lawspeaker.align.preferences import mixed, preferences
from lawspeaker.align.recipe import Dpo, Grpo, Recipe
from lawspeaker.align.reuse import Reuse, counted, found
from lawspeaker.align.room import require_room
from lawspeaker.align.second_stage import policy, preference
from lawspeaker.align.self_revision import Engine, helpful_rows, training_rows
from lawspeaker.align.training import Learner
from lawspeaker.digest import digest, digest_bytes
from lawspeaker.errors import InputError
from lawspeaker.exchange import Message, Text
from lawspeaker.models.checkpoint import digest_of, find, inspect
from lawspeaker.models.nano.chat import WEIGHTS

Stage = Literal["draft", "fine-tune", "label", "preference", "policy", "measure"]
_CLAIM: Final = frozenset({"RUN", "recipe.json", "reuse.json"})


def checkpoint(address: str) -> str:
    """nano drafts through its checkpoint: batches of it take fewer passes than its own runtime."""
    return f"local:{WEIGHTS}" if address == "nano" else address


def base_of(recipe: Recipe) -> Path:
    """The folder of what is fine-tuned. Raises `InputError` where its weights are not here, or would need code."""
    address = checkpoint(recipe.base or recipe.model)
    if not address.startswith("local:"):
        raise InputError(f"{address}: its weights are not here, so it cannot be trained; name base: local:…")
    folder = find(address, address.removeprefix("local:"))
    inspect(address, folder)
    return folder


@dataclass(frozen=True)
class Inputs:
    """What a recipe names, read."""

    prompts: tuple[Prompt, ...]
    held_out: tuple[Prompt, ...]
    helpful: tuple[Prompt, ...]
    watched: tuple[Prompt, ...]
    preferred: Sequence[Pair]
    base: Path


@dataclass(frozen=True)
class Run(Ground):
    """All stages, or those up to the `last`. `open` opens models, `work` works on the bulk stages (default: this
    process), `reuse` is the folder of an earlier run whose answers are taken where they are to the same questions."""

    open: Open = field(kw_only=True)
    work: Work | None = None
    reuse: Path | None = None
    last: Stage = "measure"

    async def check(self) -> Inputs:
        """What the recipe names, read. Raises `LawspeakerError` for what can be known to be wrong before any work,
        with no model asked."""
        prompts, held_out = (read_prompts(self.root / name) for name in (self.recipe.prompts, self.recipe.held_out))
        helpful = read_prompts(self.root / self.recipe.helpful.prompts) if self.recipe.helpful else ()
        watched = read_prompts(self.root / self.recipe.stop.prompts) if self.recipe.stop else ()
        preferred = preferences(self.recipe, self.law, self.root)
        base = base_of(self.recipe)
        self._validate((*prompts, *helpful), held_out, watched)
        await validate_examples(self.recipe, self.law)
        gold.require_command("gold", self.recipe.gold)
        if self.recipe.external:
            gold.require_command("external", self.recipe.external)
        if isinstance(self.recipe.policy, Grpo):
            require_share(self.recipe.policy)
        require_room(base, self.recipe, self.folder)
        if self.recipe.lora:
            require_targets(base, self.recipe.lora)
        return Inputs(prompts, held_out, helpful, watched, preferred, base)

    async def run(self) -> None:
        """Every stage that is not done yet. Raises `LawspeakerError` before any work where that can be known."""
        inputs = await self.check()
        model, critic = checkpoint(self.recipe.model), checkpoint(self.recipe.critic or self.recipe.model)
        lines = [prompt.line for prompt in (*inputs.prompts, *inputs.held_out, *inputs.helpful, *inputs.watched)]
        lines += [pair.line.encode() for pair in inputs.preferred]
        digests = {name: await self._digest(name) for name in {model, critic}}
        await self._odds_are_told(critic)
        if self.recipe.base:
            digests["base"] = digest_of(inputs.base)
        earlier = self._claim(lines, digests, model, critic)
        job = Job("rows", self.recipe, model, critic, earlier.run if earlier else "")
        stages: dict[Stage, Callable[[], Awaitable[None]]] = {
            "draft": lambda: self._draft(job, inputs),
            "fine-tune": lambda: self._fine_tune(inputs.base),
            "label": lambda: self._label(job, inputs),
            "preference": lambda: preference(self),
            "policy": lambda: policy(self, inputs.prompts, self.open),
            "measure": lambda: self._measure(model, inputs.held_out, earlier),
        }
        for stage, work in stages.items():
            await work()
            if stage == self.last:
                return

    async def _draft(self, job: Job, inputs: Inputs) -> None:
        if self.first and not self.has("filters.json"):
            await self._fill("draft, critique, revise", job, inputs.prompts)
            if inputs.helpful:
                await self._fill("helpful", msgspec.structs.replace(job, stage="helpful"), inputs.helpful)
            self._count()
        await self.until("filters.json")

    async def _fine_tune(self, base: Path) -> None:
        if not self.has("sl"):
            await self.aside(lambda: self._supervised(base))

    async def _label(self, job: Job, inputs: Inputs) -> None:
        if not self._wants_pairs:
            return
        if self.first and not self.has("agreement.json"):
            job = msgspec.structs.replace(job, stage="pairs", model=self._address("sl"))
            await self._fill("pair and label", job, inputs.prompts)
            await self._people(inputs.preferred)
        await self.until("agreement.json")

    async def _measure(self, model: str, held_out: tuple[Prompt, ...], earlier: Reuse | None) -> None:
        if not self.first:
            return
        for name, address in (("base", model), ("sl", self._address("sl")), ("policy", self._address("policy"))):
            await self._judged(name, address, held_out)
        if earlier:
            self.write("reuse.json", counted(self.folder, earlier))
        self._report()

    def _address(self, name: str) -> str:
        return f"local:{self.folder / name}"

    def _report(self) -> None:
        (self.folder / "report.html").write_text(page(self.folder, self.recipe, self.law), encoding="utf-8")
        (self.folder / "policy" / "README.md").write_text(card(self.folder, self.recipe, self.law), encoding="utf-8")

    @property
    def _wants_pairs(self) -> bool:
        return self.recipe.preference is not None or isinstance(self.recipe.policy, Dpo)

    async def _odds_are_told(self, critic: str) -> None:
        """A critic that tells no probabilities cannot label, and is found out before there is anything to label."""
        known = critic.startswith("local:") or self.reuse or self.has("rows.jsonl")
        if known or not (self.first and self._wants_pairs):
            return
        model = self.open(critic)
        try:
            odds = await model.choose((Message("user", (Text("Reply with (A) or (B)."),)),), ("(A)", "(B)"))
        finally:
            await model.close()
        if odds is None:
            raise InputError(f"{critic} tells no probabilities, so it cannot label pairs; name another critic")

    async def _digest(self, address: str) -> str:
        """Of a model that is opened to see that it is there; nothing is asked of it."""
        model = self.open(address)
        await model.close()
        return model.digest

    def _validate(self, trained: tuple[Prompt, ...], held_out: tuple[Prompt, ...], watched: tuple[Prompt, ...]) -> None:
        validate(self.recipe, self.law)
        none = {"label": not self._wants_pairs, "preference": self.recipe.preference is None}
        if none.get(self.last):
            raise InputError(f"the recipe {self.recipe.name} has no stage {self.last}")
        stop = self.recipe.stop.prompts if self.recipe.stop else ""
        require_apart([(self.recipe.prompts, trained), (self.recipe.held_out, held_out), (stop, watched)])

    def _claim(self, lines: Sequence[bytes], digests: dict[str, str], model: str, critic: str) -> Reuse | None:
        """The folder is this recipe's, on these prompts, this law and these models, or it is refused. What it reuses of
        an earlier run: the one that it was begun with, unless another is named."""
        name, mark = self.folder / "RUN", self.folder / "reuse.json"
        begun = msgspec.json.decode(mark.read_bytes(), type=Reuse) if mark.exists() else None
        source = self.reuse or (Path(begun.run) if begun else None)
        reuse = found(source) if source else None
        claim = {
            "recipe": self.recipe.digest, "law": self.law.digest,
            "prompts": digest_bytes("lawspeaker/prompts", b"\0".join(lines)),
            "model": digests[model], "critic": digests[critic],
            "reuse": [reuse.rows, reuse.pairs] if reuse else [],
            **({"base": digests["base"]} if "base" in digests else {}),
        }  # fmt: skip
        mine = digest("lawspeaker/run/v1", claim) + "\n"
        if not self.first:
            return reuse
        if not name.exists():
            held = {each.name.removesuffix(".new") for each in self.folder.glob("*")}
            if held - _CLAIM:  # what a kill left before the claim is no run's
                raise InputError(f"{self.folder}: it is not empty and no run; name another with --run")
            self.folder.mkdir(parents=True, exist_ok=True)
            self.write("recipe.json", self.recipe)
            if reuse:
                self.write("reuse.json", reuse)
            fresh = name.with_name("RUN.new")
            fresh.write_text(mine, encoding="ascii")
            fresh.replace(name)
        elif name.read_text(encoding="ascii") != mine:
            what = "recipe, law, models, prompts or reused run"
            raise InputError(f"{self.folder}: it belongs to another recipe: {what} differ; name another with --run")
        return reuse

    async def _fill(self, stage: str, job: Job, prompts: tuple[Prompt, ...]) -> None:
        work = self.work or Here(self.law, self.open)
        store = Store(self.folder / f"{job.stage}.jsonl")
        await fill(store, job, prompts, work, lambda done, of: self.observe(stage, done, of))

    async def _people(self, preferred: Sequence[Pair]) -> None:
        """What people prefer goes behind the AI's pairs, as one batch."""
        store = Store(self.folder / "pairs.jsonl")
        pairs = store.read(Pair)
        chosen = mixed(self.recipe, preferred, sum(not pair.filtered for pair in pairs))
        if chosen:
            store.append([msgspec.json.encode(pair) for pair in chosen])
        self.write("agreement.json", await agreement([pair for pair in pairs if not pair.filtered], self.law))

    async def _judged(self, name: str, address: str, held_out: tuple[Prompt, ...]) -> None:
        if not self.has(f"{name}.json"):
            self.observe(f"measure {name}", 0, len(held_out))
            model = self.open(address)
            seen = partial(self.observe, f"measure {name}")
            engine = Engine(self.recipe, self.law, model, model)
            self.write(f"{name}.json", await gold.measure(engine, held_out, self.root, seen))
            await model.close()
        if self.recipe.external and not self.has(f"{name}.external.json"):
            answers = self.read(f"{name}.json", gold.Measured).answers
            self.write(f"{name}.external.json", gold.external(self.recipe.external, held_out, answers, self.root))

    def _chosen(self) -> tuple[list[Row], list[Row], list[Row]]:
        """All rows, the revisions that are trained on, and the samples of helpfulness that are."""
        rows = Store(self.folder / "rows.jsonl").read(Row)
        revised = training_rows(rows, self.recipe, drawn_from(self.law, self.recipe.principles))
        extra = Store(self.folder / "helpful.jsonl").read(Row) if self.recipe.helpful else []
        return rows, revised, helpful_rows(extra, self.recipe, len(revised))

    def _count(self) -> None:
        rows, revised, helpful = self._chosen()
        if not revised:
            raise InputError("no row passed the filters, so there is nothing to train on; see rows.jsonl")
        reasons = Counter(row.filtered.partition(":")[0] for row in rows if row.filtered)
        counts = {"rows": len(rows), "trained": len(revised), "helpful": len(helpful), **dict(sorted(reasons.items()))}
        self.write("filters.json", counts)

    def _supervised(self, base: Path) -> None:
        _, revised, helpful = self._chosen()
        learner = Learner(base, self.recipe.seed, self.recipe.lora)
        rows = [(row.request, row.text) for row in [*revised, *helpful]]
        self.write("sft.json", learner.supervised(rows, self.recipe.sft, self.step("fine-tune")))
        learner.save(self.folder / "sl")
