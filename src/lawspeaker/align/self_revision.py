"""Stage 1 of Constitutional AI: drafts, and rounds of critique and revision, one principle drawn anew for each.

Every revision is kept as a row, whether it is trained on or not. One departure from the paper: where neither the
critic nor the checks see anything against the drawn principle, the answer goes on unrevised, counted as `unchanged`.
The variant without critiques (section 3.5) revises each time.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

import msgspec

from lawspeaker.align.dataset import Prompt, Row, seed_of, with_text
from lawspeaker.align.drawing import draw, drawn_from
from lawspeaker.align.examples import Form, Library, Shown
from lawspeaker.align.hygiene import why_filtered
from lawspeaker.align.recipe import Recipe
from lawspeaker.align.reuse import asked
from lawspeaker.checks.assess import assess
from lawspeaker.checks.processes.task import UNFINISHED
from lawspeaker.constitution.schema import Constitution, Principle
from lawspeaker.deliberation import critique as critiques
from lawspeaker.deliberation import revision as revisions
from lawspeaker.deliberation.critique import Critique, account_of, critique
from lawspeaker.deliberation.revision import Revision, revise, revise_directly
from lawspeaker.digest import digest
from lawspeaker.errors import ModelError
from lawspeaker.exchange import Exchange, Message
from lawspeaker.finding import Finding, by_principle
from lawspeaker.models.base import Model, Sampling

PATIENCE: Final = 86_400.0  # seconds: a row that were given up on a slow day would change the dataset
UNCHANGED: Final = "unchanged: nothing against the drawn principle"
_TRIES: Final = 5
_TEMPLATES: Final = {"critique": critiques.TEMPLATE.digest, "revision": revisions.TEMPLATE.digest}
_DIRECT: Final = {"revision": revisions.DIRECT.digest}


@dataclass(frozen=True)
class _Step:
    """One round of one row: what is revised, by which principle, and what the models are shown before."""

    row: Row
    number: int
    principle: Principle
    critique: Shown
    revision: Shown

    @property
    def exchange(self) -> Exchange:
        return with_text(self.row.request, self.row.text)


@dataclass(frozen=True)
class Engine:
    """Who drafts, criticises and revises, by which law, shown which examples."""

    recipe: Recipe
    law: Constitution
    model: Model
    critic: Model
    library: Library = field(default_factory=Library)

    @property
    def principles(self) -> tuple[Principle, ...]:
        """Those that are drawn from."""
        return drawn_from(self.law, self.recipe.principles)

    def sampling(self, *parts: object) -> Sampling:
        seed = seed_of(self.recipe.seed, *parts)
        return Sampling(temperature=1.0, seed=seed, max_tokens=self.recipe.max_tokens, timeout=PATIENCE)

    def rng(self, *parts: object) -> Random:
        return Random(seed_of(self.recipe.seed, *parts))

    def shown(self, count: int, form: Form, *parts: object) -> Shown:
        """The examples for one request; each has a principle of its own."""
        return self.library.draw(self.rng(*parts, form, "examples"), count, form)

    async def batch(self, prompts: Sequence[Prompt]) -> list[Row]:
        """The rows of `prompts`: draft and revisions of the first, then of the second, …"""
        histories = [[row] for row in await self.drafts(prompts)]
        for number in range(1, self.recipe.revising.rounds + 1):
            new = await self.revised([history[-1] for history in histories], number)
            for history, row in zip(histories, new, strict=True):
                history.append(row)
        return [row for history in histories for row in history]

    async def helpful(self, prompts: Sequence[Prompt]) -> list[Row]:
        """Samples of helpfulness: the answer that a prompt's line holds, else the model's. One that the checks see
        violate a principle is not trained on, unless the recipe keeps `all`."""
        assert self.recipe.helpful is not None
        rows = [
            self._answer(prompt, f"{prompt.id}.helpful-{n}", self.sampling(prompt.id, n, "helpful"))
            for prompt in prompts
            for n in range(1 if prompt.answer else self.recipe.helpful.responses)
        ]
        rows = [msgspec.structs.replace(row, source="helpful") for row in await self._said(rows)]
        if self.recipe.revising.keep == "all":
            return rows
        return [
            row if row.filtered or not violated(row, self.principles)
            else msgspec.structs.replace(row, filtered="violates: the checks see a principle violated")
            for row in rows
        ]  # fmt: skip

    async def drafts(self, prompts: Sequence[Prompt]) -> list[Row]:
        """Round 0."""
        rows = [self._answer(prompt, f"{prompt.id}.0", self.sampling(prompt.id, 0, "draft")) for prompt in prompts]
        return await self._said([msgspec.structs.replace(row, text="") for row in rows])

    def _answer(self, prompt: Prompt, name: str, sampling: Sampling) -> Row:
        """A row of round 0; without text where the prompt brings no answer of its own."""
        return Row(
            id=name,
            prompt=prompt.id,
            round=0,
            request=prompt.exchange.messages,
            text=prompt.answer.strip(),
            model=self.model.name,
            model_digest=self.model.digest,
            sampling=sampling,
            constitution=self.law.digest,
        )

    async def _said(self, rows: Sequence[Row]) -> list[Row]:
        """The rows; the model answers those that have no text."""
        bare = [row for row in rows if not row.text]
        said = await self.model.complete_many([row.request for row in bare], [row.sampling for row in bare])
        answers = {
            row.id: msgspec.structs.replace(
                row,
                text="" if isinstance(each, ModelError) else each.text.strip(),
                asked={"answer": asked(self.model.digest, row.request, row.sampling)},
                filtered=f"failed: {each}" if isinstance(each, ModelError) else "",
            )
            for row, each in zip(bare, said, strict=True)
        }
        brought = {row.id: msgspec.structs.replace(row, model="", model_digest="") for row in rows if row.text}
        return await self._assessed([{**answers, **brought}[row.id] for row in rows])

    async def _assessed(self, rows: Sequence[Row]) -> list[Row]:
        """The rows with what the checks find in them. A row without an answer has nothing to find."""
        return [
            msgspec.structs.replace(row, findings=await findings(row.request, row.text, self.law)) if row.text else row
            for row in rows
        ]

    def step(self, row: Row, number: int) -> _Step:
        """What is drawn for one round of one prompt."""
        how, name = self.recipe.revising, row.prompt
        principle = draw(self.rng(name, number, "principle"), self.principles, how, by_principle(row.findings))
        form: Form = "revision" if how.critique else "direct"
        words = self.shown(how.examples, "critique", name, number) if how.critique else Shown()
        return _Step(row, number, principle, words, self.shown(how.examples, form, name, number))

    async def revised(self, rows: Sequence[Row], number: int) -> list[Row]:
        """One revision of each row. The steps go through the batch one after another, so that those who ask a model
        together are always the same."""
        steps = [self.step(row, number) for row in rows]
        words = await asyncio.gather(*(self._critique(step) for step in steps))
        made = await asyncio.gather(*(self._revise(step, word) for step, word in zip(steps, words, strict=True)))
        new = [self._row(*each) for each in zip(steps, words, made, strict=True)]
        return [
            row if row.filtered else self._filtered(step, row)
            for step, row in zip(steps, await self._assessed(new), strict=True)
        ]

    def _row(self, step: _Step, words: Critique | ModelError | None, made: Revision | ModelError | None) -> Row:
        row, principle = step.row, step.principle
        failed = next((str(each) for each in (words, made) if isinstance(each, ModelError)), "")
        word = words if isinstance(words, Critique) else None
        sampling = self.sampling(row.prompt, step.number, "revision")
        names = {"critique": step.critique.names, "revision": step.revision.names}
        return msgspec.structs.replace(
            row,
            id=f"{row.prompt}.{step.number}",
            round=step.number,
            parent=row.id,
            findings=(),
            text=made.text if isinstance(made, Revision) else row.text,
            sampling=sampling,
            principle=principle.id,
            principle_text=principle.text,
            principle_digest=digest("lawspeaker/principle/v1", principle.law()),
            critic_digest=self.critic.digest if self.recipe.revising.critique else "",
            templates=_TEMPLATES if self.recipe.revising.critique else _DIRECT,
            examples={name: shown for name, shown in names.items() if shown},
            asked=self._asked(step, word, sampling if isinstance(made, Revision) else None),
            critique=word.text if word else "",
            account=word.account if word else "",
            filtered=f"failed: {failed}" if failed else "" if isinstance(made, Revision) else UNCHANGED,
        )

    def _asked(self, step: _Step, word: Critique | None, revised: Sampling | None) -> dict[str, str]:
        """The digests of what was asked and answered."""
        names = {}
        if word:
            prompt = critiques.prompt_of(step.exchange, step.principle, step.critique.messages)
            names["critique"] = asked(self.critic.digest, prompt, word.sampling)
        if revised:
            shown = step.revision.messages
            prompt = (
                revisions.prompt_of(step.exchange, step.principle, word.account, shown)
                if word
                else revisions.direct_prompt_of(step.exchange, step.principle, shown)
            )
            names["revision"] = asked(self.model.digest, prompt, revised)
        return names

    async def _critique(self, step: _Step) -> Critique | ModelError | None:
        row = step.row
        if not row.text:
            return ModelError("there is no draft")
        if not self.recipe.revising.critique:
            return None
        drawn = self.sampling(row.prompt, step.number, "critique")
        examples = step.critique.messages
        try:
            return await critique(
                step.exchange, step.principle, row.findings, critic=self.critic, sampling=drawn, examples=examples
            )
        except ModelError as error:
            return error

    async def _revise(self, step: _Step, words: Critique | ModelError | None) -> Revision | ModelError | None:
        if isinstance(words, ModelError) or (words and words.says == "upheld" and not words.account):
            return None
        drawn = self.sampling(step.row.prompt, step.number, "revision")
        model, shown = self.model, step.revision.messages
        try:
            if words is None:
                return await revise_directly(step.exchange, step.principle, model=model, sampling=drawn, examples=shown)
            return await revise(
                step.exchange, step.principle, words.account, model=model, sampling=drawn, examples=shown
            )
        except ModelError as error:
            return error

    def _filtered(self, step: _Step, after: Row) -> Row:
        """The revision with the reason why it is not trained on, if there is one."""
        removals = f"{account_of(step.principle, step.row.findings)}\n{step.principle.revision}"
        better = self.recipe.revising.keep != "all"
        return msgspec.structs.replace(after, filtered=why_filtered(step.row, after, removals, better=better))


async def findings(request: Sequence[Message], text: str, law: Constitution) -> tuple[Finding, ...]:
    """What the checks find in an answer. One that a busy machine kept from its end is asked again."""
    found: tuple[Finding, ...] = ()
    for _ in range(_TRIES):
        found = await assess(with_text(request, text), law, budget=PATIENCE)
        if not any(finding.check.endswith(UNFINISHED) for finding in found):
            break
    return found


def clean(row: Row, principles: Sequence[Principle]) -> bool:
    """Whether the checks see none of `principles` violated, and at least one upheld."""
    outcomes = by_principle(row.findings)
    return not violated(row, principles) and "upheld" in [outcomes.get(each.id) for each in principles]


def violated(row: Row, principles: Sequence[Principle]) -> bool:
    """Whether the checks see one of `principles` violated."""
    outcomes = by_principle(row.findings)
    return "violated" in [outcomes.get(each.id) for each in principles]


def training_rows(rows: Sequence[Row], recipe: Recipe, principles: Sequence[Principle]) -> list[Row]:
    """What is trained on: the revisions that passed the filters, and drafts in which nothing was to revise; where the
    recipe keeps `all`, the revisions alone, as published."""
    good = [row for row in rows if not row.filtered]
    match recipe.revising.keep:
        case "all":
            return [row for row in good if row.round]
        case "better":
            return [row for row in good if row.round or clean(row, principles)]
        case "clean":
            return [row for row in good if clean(row, principles)]


def helpful_rows(rows: Sequence[Row], recipe: Recipe, revised: int) -> list[Row]:
    """The samples of helpfulness beside `revised` rows: as many, drawn by the seed, as give them their share of all,
    or as there are."""
    if recipe.helpful is None:
        return []
    good = [row for row in rows if not row.filtered]
    wanted = round(revised * recipe.helpful.share / (1 - recipe.helpful.share))
    return Random(seed_of(recipe.seed, "helpful")).sample(good, min(wanted, len(good)))
