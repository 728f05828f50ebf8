"""Stage 1 of Constitutional AI: drafts, and rounds of critique and revision, one principle drawn anew for each.

Every revision is kept as a row, whether it is trained on or not. One departure from the paper: where neither the
critic nor the checks see anything against the drawn principle, the answer goes on unrevised, counted as `unchanged`.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

import msgspec

from lawspeaker.align.dataset import Prompt, Row, seed_of, with_text
from lawspeaker.align.recipe import Recipe
from lawspeaker.checks.assess import assess
from lawspeaker.constitution.schema import Constitution, Principle
from lawspeaker.deliberation import critique as critiques
from lawspeaker.deliberation import revision as revisions
from lawspeaker.deliberation.better import why_not_better
from lawspeaker.deliberation.critique import Critique, account_of, critique
from lawspeaker.deliberation.revision import Revision, revise
from lawspeaker.digest import digest
from lawspeaker.errors import ModelError
from lawspeaker.finding import Finding, by_principle
from lawspeaker.models.base import Model, Sampling

PATIENCE: Final = 86_400.0  # seconds: a row that were given up on a slow day would change the dataset
UNCHANGED: Final = "unchanged: nothing against the drawn principle"
_TEMPLATES: Final = {"critique": critiques.TEMPLATE.digest, "revision": revisions.TEMPLATE.digest}


@dataclass(frozen=True)
class Engine:
    """Who drafts, criticises and revises, by which law."""

    recipe: Recipe
    law: Constitution
    model: Model
    critic: Model

    @property
    def principles(self) -> tuple[Principle, ...]:
        """Those that are drawn from."""
        wanted = self.recipe.principles
        return tuple(each for each in self.law.principles if not wanted or each.id in wanted)

    def sampling(self, *parts: object) -> Sampling:
        seed = seed_of(self.recipe.seed, *parts)
        return Sampling(temperature=1.0, seed=seed, max_tokens=self.recipe.max_tokens, timeout=PATIENCE)

    async def batch(self, prompts: Sequence[Prompt]) -> list[Row]:
        """The rows of `prompts`: draft and revisions of the first, then of the second, …"""
        histories = [[row] for row in await self._drafts(prompts)]
        for number in range(1, self.recipe.revising.rounds + 1):
            new = await self._round([history[-1] for history in histories], number)
            for history, row in zip(histories, new, strict=True):
                history.append(row)
        return [row for history in histories for row in history]

    async def _drafts(self, prompts: Sequence[Prompt]) -> list[Row]:
        samplings = [self.sampling(prompt.id, 0, "draft") for prompt in prompts]
        said = await self.model.complete_many([prompt.exchange.messages for prompt in prompts], samplings)
        rows = []
        for prompt, sampling, each in zip(prompts, samplings, said, strict=True):
            failed = str(each) if isinstance(each, ModelError) else ""
            text = "" if isinstance(each, ModelError) else each.text.strip()
            row = Row(
                id=f"{prompt.id}.0",
                prompt=prompt.id,
                round=0,
                request=prompt.exchange.messages,
                text=text,
                model=self.model.name,
                model_digest=self.model.digest,
                sampling=sampling,
                constitution=self.law.digest,
                filtered=f"failed: {failed}" if failed else "",
            )
            rows.append(row)
        return await self._assessed(rows)

    async def _assessed(self, rows: Sequence[Row]) -> list[Row]:
        """The rows with what the checks find in them. A row without an answer has nothing to find."""

        async def findings(row: Row) -> tuple[Finding, ...]:
            return await assess(with_text(row.request, row.text), self.law, budget=PATIENCE) if row.text else ()

        found = [await findings(row) for row in rows]
        return [msgspec.structs.replace(row, findings=each) for row, each in zip(rows, found, strict=True)]

    def draw(self, row: Row, number: int) -> Principle:
        """The principle of one round of one prompt."""
        rng = Random(seed_of(self.recipe.seed, row.prompt, number, "principle"))
        outcomes = by_principle(row.findings)
        broken = [each for each in self.principles if outcomes.get(each.id) == "violated"]
        return rng.choice(broken if broken and self.recipe.revising.draw == "found" else self.principles)

    async def _round(self, rows: Sequence[Row], number: int) -> list[Row]:
        """One revision of each row. The steps go through the batch one after another, so that those who ask a model
        together are always the same."""
        drawn = [self.draw(row, number) for row in rows]
        words = await asyncio.gather(
            *(self._critique(row, principle, number) for row, principle in zip(rows, drawn, strict=True))
        )
        made = await asyncio.gather(
            *(self._revise(row, p, w, number) for row, p, w in zip(rows, drawn, words, strict=True))
        )
        new = []
        for row, principle, word, revision in zip(rows, drawn, words, made, strict=True):
            failed = next((str(each) for each in (word, revision) if isinstance(each, ModelError)), "")
            new.append(
                msgspec.structs.replace(
                    row,
                    id=f"{row.prompt}.{number}",
                    round=number,
                    parent=row.id,
                    findings=(),
                    text=revision.text if isinstance(revision, Revision) else row.text,
                    sampling=self.sampling(row.prompt, number, "revision"),
                    principle=principle.id,
                    principle_text=principle.text,
                    principle_digest=digest("lawspeaker/principle/v1", principle.law()),
                    critic_digest=self.critic.digest,
                    templates=_TEMPLATES,
                    critique=word.text if isinstance(word, Critique) else "",
                    account=word.account if isinstance(word, Critique) else "",
                    filtered=f"failed: {failed}" if failed else "" if isinstance(revision, Revision) else UNCHANGED,
                )
            )
        return [
            row if row.filtered else self._filtered(before, row, principle)
            for before, row, principle in zip(rows, await self._assessed(new), drawn, strict=True)
        ]

    async def _critique(self, row: Row, principle: Principle, number: int) -> Critique | ModelError:
        if not row.text:
            return ModelError("there is no draft")
        exchange = with_text(row.request, row.text)
        drawn = self.sampling(row.prompt, number, "critique")
        try:
            return await critique(exchange, principle, row.findings, critic=self.critic, sampling=drawn)
        except ModelError as error:
            return error

    async def _revise(
        self, row: Row, principle: Principle, words: Critique | ModelError, number: int
    ) -> Revision | ModelError | None:
        if isinstance(words, ModelError) or (words.says == "upheld" and not words.account):
            return None
        drawn = self.sampling(row.prompt, number, "revision")
        exchange = with_text(row.request, row.text)
        try:
            return await revise(exchange, principle, words.account, model=self.model, sampling=drawn)
        except ModelError as error:
            return error

    def _filtered(self, before: Row, after: Row, principle: Principle) -> Row:
        """The revision with the reason why it is not trained on, if there is one."""
        if after.text == before.text:
            return msgspec.structs.replace(after, filtered="unchanged: the revision is the answer as it was")
        removals = f"{account_of(principle, before.findings)}\n{principle.revision}"
        worse = why_not_better(
            with_text(before.request, before.text),
            with_text(after.request, after.text),
            before.findings,
            after.findings,
            removals,
        )
        return msgspec.structs.replace(after, filtered=f"worse: {worse}" if worse else "")


def clean(row: Row, principles: Sequence[Principle]) -> bool:
    """Whether the checks see none of `principles` violated, and at least one upheld."""
    outcomes = by_principle(row.findings)
    seen = [outcomes.get(each.id) for each in principles]
    return "violated" not in seen and "upheld" in seen


def training_rows(rows: Sequence[Row], recipe: Recipe, principles: Sequence[Principle]) -> list[Row]:
    """What is trained on: the revisions that passed the filters, and drafts in which nothing was to revise."""
    chosen = [
        row
        for row in rows
        if not row.filtered
        and (clean(row, principles) if recipe.revising.keep == "clean" or not row.round else row.round > 0)
    ]
    return chosen
