"""A run: its folder, and its stages one after another.

Each stage leaves a file or a folder that is there as a whole or not at all; a run that goes on takes up the first
stage that has none. Drafting and labelling go on from their last whole batch; a trainer begins its course again.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec

from lawspeaker.align import card, gold
from lawspeaker.align.bulk import Here, Job, Open, Work, fill
from lawspeaker.align.dataset import Pair, Prompt, Row, Store, read_prompts
from lawspeaker.align.drawing import drawn_from, validate
from lawspeaker.align.examples import validate_examples
from lawspeaker.align.preferences import mixed, preferences
from lawspeaker.align.recipe import Recipe
from lawspeaker.align.reuse import Reuse, counted, found
from lawspeaker.align.self_revision import Engine, helpful_rows, training_rows
from lawspeaker.align.training import Learner, Trained
from lawspeaker.constitution.schema import Constitution
from lawspeaker.digest import digest, digest_bytes
from lawspeaker.errors import InputError
from lawspeaker.models.checkpoint import find
from lawspeaker.models.nano.chat import WEIGHTS

Observe = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Run:
    """One recipe in one folder. `root` is where the recipe's commands run and its files lie, `work` who works on the
    bulk stages (default: this process), `reuse` the folder of an earlier run whose answers are taken where they are to
    the same questions."""

    recipe: Recipe
    law: Constitution
    folder: Path
    root: Path
    open: Open
    observe: Observe
    work: Work | None = None
    reuse: Path | None = None

    async def run(self) -> None:
        """Every stage that is not done yet. Raises `LawspeakerError` before any work where that can be known."""
        prompts, held_out = (read_prompts(self.root / name) for name in (self.recipe.prompts, self.recipe.held_out))
        helpful = read_prompts(self.root / self.recipe.helpful.prompts) if self.recipe.helpful else ()
        preferred = preferences(self.recipe, self.law, self.root)
        model, critic = self._local(self.recipe.model), self._local(self.recipe.critic or self.recipe.model)
        base = self._base()
        self._validate(prompts, held_out)
        await validate_examples(self.recipe, self.law)
        lines = [prompt.line for prompt in (*prompts, *held_out, *helpful)] + [pair.line.encode() for pair in preferred]
        earlier = self._claim(lines, {name: await self._digest(name) for name in {model, critic}}, model, critic)
        job = Job("rows", self.recipe, model, critic, earlier.run if earlier else "")
        await self._fill("draft, critique, revise", job, prompts)
        if helpful:
            await self._fill("helpful", msgspec.structs.replace(job, stage="helpful"), helpful)
        self._fine_tune(base)
        tuned = f"local:{self.folder / 'sl'}"
        if self.recipe.dpo:
            await self._fill("pair and label", msgspec.structs.replace(job, stage="pairs", model=tuned), prompts)
            self._people(preferred)
            self._prefer()
        else:
            self._whole("policy", lambda to: shutil.copytree(self.folder / "sl", to))
        for name, address in (("base", model), ("sl", tuned), ("policy", f"local:{self.folder / 'policy'}")):
            await self._measure(name, address, held_out)
        if earlier:
            self._write("reuse.json", counted(self.folder, earlier))
        card.write(self.folder, self.recipe, self.law)

    @staticmethod
    def _local(address: str) -> str:
        """nano drafts through its checkpoint: batches of it take fewer passes than its own runtime."""
        return f"local:{WEIGHTS}" if address == "nano" else address

    def _base(self) -> Path:
        address = self._local(self.recipe.base or self.recipe.model)
        if not address.startswith("local:"):
            raise InputError(f"{address}: its weights are not here, so it cannot be trained; name base: local:…")
        return find(address, address.removeprefix("local:"))

    async def _digest(self, address: str) -> str:
        """Of a model that is opened to see that it is there; nothing is asked of it."""
        model = self.open(address)
        await model.close()
        return model.digest

    def _validate(self, prompts: tuple[Prompt, ...], held_out: tuple[Prompt, ...]) -> None:
        validate(self.recipe, self.law)
        texts = {prompt.exchange.messages for prompt in prompts}
        for prompt in held_out:
            if prompt.exchange.messages in texts:
                raise InputError(f"{self.recipe.held_out}: {prompt.id} is also trained on")

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
        }  # fmt: skip
        mine = digest("lawspeaker/run/v1", claim) + "\n"
        if not name.exists():
            if self.folder.exists() and any(self.folder.iterdir()):
                raise InputError(f"{self.folder}: it is not empty and no run; name another with --run")
            self.folder.mkdir(parents=True, exist_ok=True)
            self._write("recipe.json", self.recipe)
            if reuse:
                self._write("reuse.json", reuse)
            name.write_text(mine, encoding="ascii")
        elif name.read_text(encoding="ascii") != mine:
            what = "recipe, law, model, prompts or reused run"
            raise InputError(f"{self.folder}: it belongs to another recipe: {what} differ; name another with --run")
        return reuse

    async def _fill(self, stage: str, job: Job, prompts: tuple[Prompt, ...]) -> None:
        work = self.work or Here(self.law, self.open)
        store = Store(self.folder / f"{job.stage}.jsonl")
        await fill(store, job, prompts, work, lambda done, of: self.observe(stage, done, of))

    def _people(self, preferred: Sequence[Pair]) -> None:
        """What people prefer goes behind the AI's pairs, as one batch."""
        store = Store(self.folder / "pairs.jsonl")
        usable = sum(not pair.filtered for pair in store.read(Pair))
        chosen = mixed(self.recipe, preferred, usable)
        if chosen:
            store.append([msgspec.json.encode(pair) for pair in chosen])

    async def _measure(self, name: str, address: str, held_out: tuple[Prompt, ...]) -> None:
        if (self.folder / f"{name}.json").exists():
            return
        self.observe(f"measure {name}", 0, len(held_out))
        model = self.open(address)
        seen = partial(self.observe, f"measure {name}")
        measured = await gold.measure(Engine(self.recipe, self.law, model, model), held_out, self.root, seen)
        self._write(f"{name}.json", measured)
        await model.close()

    def _fine_tune(self, base: Path) -> None:
        rows = Store(self.folder / "rows.jsonl").read(Row)
        revised = training_rows(rows, self.recipe, drawn_from(self.law, self.recipe.principles))
        if not revised:
            raise InputError("no row passed the filters, so there is nothing to train on; see rows.jsonl")
        extra = Store(self.folder / "helpful.jsonl").read(Row) if self.recipe.helpful else []
        helpful = helpful_rows(extra, self.recipe, len(revised))
        chosen = [*revised, *helpful]
        reasons = Counter(row.filtered.partition(":")[0] for row in rows if row.filtered)
        counts = {"rows": len(rows), "trained": len(revised), "helpful": len(helpful), **dict(sorted(reasons.items()))}
        self._write("filters.json", counts)

        def train(to: Path) -> None:
            learner = Learner(base, self.recipe.seed)
            done = learner.supervised([(r.request, r.text) for r in chosen], self.recipe.sft, self._step("fine-tune"))
            self._write("sft.json", done)
            learner.save(to)

        self._whole("sl", train)

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

    def _write(self, name: str, value: Recipe | Trained | Reuse | gold.Measured | dict[str, int]) -> None:
        fresh = self.folder / f"{name}.new"
        fresh.write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
        fresh.replace(self.folder / name)
