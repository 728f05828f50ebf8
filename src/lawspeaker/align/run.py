"""A run: its folder, and its stages one after another.

Each stage leaves a file or a folder that is there as a whole or not at all; a run that goes on takes up the first
stage that has none. Drafting and labelling go on from their last whole batch; a trainer begins its course again.
"""

import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec

from lawspeaker.align import card, gold
from lawspeaker.align.dataset import Pair, Prompt, Row, Store, read_prompts
from lawspeaker.align.preferences import pairs_of
from lawspeaker.align.recipe import Recipe
from lawspeaker.align.self_revision import Engine, training_rows
from lawspeaker.align.training import Learner, Trained
from lawspeaker.constitution.schema import Constitution
from lawspeaker.digest import digest, digest_bytes
from lawspeaker.errors import InputError
from lawspeaker.models.base import Model
from lawspeaker.models.checkpoint import find
from lawspeaker.models.nano.chat import WEIGHTS

Observe = Callable[[str, int, int], None]
Open = Callable[[str], Model]


@dataclass(frozen=True)
class Run:
    """One recipe in one folder. `root` is where the recipe's commands run and its files lie."""

    recipe: Recipe
    law: Constitution
    folder: Path
    root: Path
    open: Open
    observe: Observe

    async def run(self) -> None:
        """Every stage that is not done yet. Raises `LawspeakerError` before any work where that can be known."""
        prompts, held_out = (read_prompts(self.root / name) for name in (self.recipe.prompts, self.recipe.held_out))
        model, critic = self._local(self.recipe.model), self._local(self.recipe.critic or self.recipe.model)
        base = self._base()
        drafts = self.open(model)
        engine = Engine(self.recipe, self.law, drafts, drafts if critic == model else self.open(critic))
        self._claim(prompts, held_out, engine)
        await self._rows(engine, prompts)
        self._fine_tune(base, engine)
        tuned = Engine(self.recipe, self.law, self.open(f"local:{self.folder / 'sl'}"), engine.critic)
        if self.recipe.dpo:
            await self._pairs(tuned, prompts)
            self._prefer()
        else:
            self._whole("policy", lambda to: shutil.copytree(self.folder / "sl", to))
        policy = Engine(self.recipe, self.law, self.open(f"local:{self.folder / 'policy'}"), engine.critic)
        for name, each in (("base", engine), ("sl", tuned), ("policy", policy)):
            if not (self.folder / f"{name}.json").exists():
                self.observe(f"measure {name}", 0, len(held_out))
                seen = partial(self.observe, f"measure {name}")
                self._write(f"{name}.json", await gold.measure(each, held_out, self.root, seen))
        card.write(self.folder, self.recipe, self.law)
        for model_ in (engine.model, engine.critic, tuned.model, policy.model):
            await model_.close()

    @staticmethod
    def _local(address: str) -> str:
        """nano drafts through its checkpoint: batches of it take fewer passes than its own runtime."""
        return f"local:{WEIGHTS}" if address == "nano" else address

    def _base(self) -> Path:
        address = self._local(self.recipe.base or self.recipe.model)
        if not address.startswith("local:"):
            raise InputError(f"{address}: its weights are not here, so it cannot be trained; name base: local:…")
        return find(address, address.removeprefix("local:"))

    def _claim(self, prompts: tuple[Prompt, ...], held_out: tuple[Prompt, ...], engine: Engine) -> None:
        """The folder is this recipe's, on these prompts, this law and these models, or it is refused."""
        names = {each.id for each in self.law.principles}
        for unknown in [each for each in self.recipe.principles if each not in names]:
            raise InputError(f"the constitution {self.law.name} has no principle {unknown}")
        if not any(each.checks for each in engine.principles):
            raise InputError("none of the principles has a check, so nothing could be filtered or found")
        texts = {prompt.exchange.messages for prompt in prompts}
        for prompt in held_out:
            if prompt.exchange.messages in texts:
                raise InputError(f"{self.recipe.held_out}: {prompt.id} is also trained on")
        data = b"\0".join(prompt.line for prompt in (*prompts, *held_out))
        claim = {
            "recipe": self.recipe.digest, "law": self.law.digest, "prompts": digest_bytes("lawspeaker/prompts", data),
            "model": engine.model.digest, "critic": engine.critic.digest,
        }  # fmt: skip
        mine = digest("lawspeaker/run/v1", claim) + "\n"
        name = self.folder / "RUN"
        if not name.exists():
            if self.folder.exists() and any(self.folder.iterdir()):
                raise InputError(f"{self.folder}: it is not empty and no run; name another with --run")
            self.folder.mkdir(parents=True, exist_ok=True)
            self._write("recipe.json", self.recipe)
            name.write_text(mine, encoding="ascii")
        elif name.read_text(encoding="ascii") != mine:
            raise InputError(f"{self.folder}: it belongs to another recipe, law, model or prompts; name another")

    async def _rows(self, engine: Engine, prompts: tuple[Prompt, ...]) -> None:
        size, per = self.recipe.batch, self.recipe.revising.rounds + 1
        batches = [prompts[at : at + size] for at in range(0, len(prompts), size)]
        store = Store(self.folder / "rows.jsonl")
        done = store.resume([len(batch) * per for batch in batches])
        for number, batch in enumerate(batches):
            self.observe("draft, critique, revise", number, len(batches))
            if number >= done:
                store.append(await engine.batch(batch))
        self.observe("draft, critique, revise", len(batches), len(batches))

    def _fine_tune(self, base: Path, engine: Engine) -> None:
        rows = Store(self.folder / "rows.jsonl").read(Row)
        chosen = training_rows(rows, self.recipe, engine.principles)
        if not chosen:
            raise InputError("no row passed the filters, so there is nothing to train on; see rows.jsonl")
        reasons = Counter(row.filtered.partition(":")[0] for row in rows if row.filtered)
        self._write("filters.json", {"rows": len(rows), "trained": len(chosen), **dict(sorted(reasons.items()))})

        def train(to: Path) -> None:
            learner = Learner(base, self.recipe.seed)
            done = learner.supervised([(r.request, r.text) for r in chosen], self.recipe.sft, self._step("fine-tune"))
            self._write("sft.json", done)
            learner.save(to)

        self._whole("sl", train)

    async def _pairs(self, engine: Engine, prompts: tuple[Prompt, ...]) -> None:
        size = self.recipe.batch
        batches = [prompts[at : at + size] for at in range(0, len(prompts), size)]
        store = Store(self.folder / "pairs.jsonl")
        done = store.resume([len(batch) for batch in batches])
        for number, batch in enumerate(batches):
            self.observe("pair and label", number, len(batches))
            if number >= done:
                store.append(await pairs_of(engine, batch))
        self.observe("pair and label", len(batches), len(batches))

    def _prefer(self) -> None:
        pairs = [pair for pair in Store(self.folder / "pairs.jsonl").read(Pair) if not pair.filtered]
        if not pairs:
            raise InputError("no pair could be labelled, so there is nothing to prefer; see pairs.jsonl")

        def train(to: Path) -> None:
            learner = Learner(self.folder / "sl", self.recipe.seed)
            how = self.recipe.dpo
            assert how is not None
            done = learner.prefer([(p.request, p.a, p.b, p.a_better) for p in pairs], how, self._step("soft DPO"))
            self._write("dpo.json", done)
            learner.save(to)

        self._whole("policy", train)

    def _whole(self, name: str, make: Callable[[Path], object]) -> None:
        if not (self.folder / name).exists():
            make(self.folder / name)

    def _step(self, stage: str) -> Callable[[int, int, float], None]:
        return lambda step, steps, loss: self.observe(f"{stage}, loss {loss:.3f}", step, steps)

    def _write(self, name: str, value: Recipe | Trained | gold.Measured | dict[str, int]) -> None:
        fresh = self.folder / f"{name}.new"
        fresh.write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
        fresh.replace(self.folder / name)
