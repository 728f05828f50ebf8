"""Correction: critique and revision, principle by principle, until all are upheld or the rounds are spent."""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from lawspeaker.checks.waivers import Waiver, assess_waived
from lawspeaker.constitution.schema import Constitution, Principle, by_severity
from lawspeaker.deliberation.better import why_not_better
from lawspeaker.deliberation.critique import account_of, critique
from lawspeaker.deliberation.form import fits
from lawspeaker.deliberation.revision import revisable, revise
from lawspeaker.deliberation.steps import Assessment, Fault, Step
from lawspeaker.errors import LawspeakerError, boundary
from lawspeaker.exchange import Exchange
from lawspeaker.finding import Finding, by_principle
from lawspeaker.models.base import Form, Model, Sampling

_CRITIQUE: Final = Sampling().max_tokens  # tokens that a critique may have at least, however short the answer is to be


class Corrected(msgspec.Struct, frozen=True):
    """The exchange as far as it could be corrected, what is still found in it, and how it got there."""

    exchange: Exchange
    findings: tuple[Finding, ...]
    steps: tuple[Step, ...]
    revised: bool


class Corrector(msgspec.Struct, frozen=True):
    """Who corrects, by which law, and within which bounds.

    A round takes every violated principle whose `on_violation` is `revise`, most severe first, through one critique
    and one revision. The first round is greedy; later ones draw at temperature 0.7 and follow the checks' account,
    so that a reviser that failed does not fail the same way again. `sampling` bounds answers: a critique has room of
    its own.
    """

    constitution: Constitution
    model: Model
    critic: Model
    judge: Model | None
    sampling: Sampling
    rounds: int
    budget: float
    observe: Callable[[str], None]
    waivers: tuple[Waiver, ...] = ()
    form: Form | None = None

    async def correct(self, exchange: Exchange, findings: Sequence[Finding]) -> Corrected:
        """`exchange` (with its answer) revised for as long as that helps. Never raises: a model that
        fails ends the correction, and the decision is made on what is there."""
        now = Corrected(exchange, tuple(findings), (), revised=False)
        for number in range(self.rounds):
            for principle in self._to_revise(now.findings):
                if by_principle(now.findings).get(principle.id) != "violated":
                    continue  # an earlier revision of this round has mended it
                now = await self._once(now, principle, number)
                if now.steps and isinstance(now.steps[-1], Fault):
                    return now
            if not self._to_revise(now.findings):
                break
        return now

    def _to_revise(self, findings: Sequence[Finding]) -> list[Principle]:
        outcomes = by_principle(findings)
        return [
            principle
            for principle in by_severity(self.constitution.principles)
            if principle.on_violation == "revise" and outcomes.get(principle.id) == "violated"
        ]

    async def _once(self, now: Corrected, principle: Principle, number: int) -> Corrected:
        """One critique and one revision for one principle."""
        if not revisable(now.exchange):
            what = "the answer holds a tool call, which a revision would lose"
            return _add(now, Fault("revision", principle.id, what))
        steps: list[Step] = []
        most = max(self.sampling.max_tokens, _CRITIQUE)
        greedy = msgspec.structs.replace(self.sampling, temperature=0.0, max_tokens=most)
        try:
            with boundary("the model"):
                self.observe(f"critique: {principle.id}")
                words = await critique(now.exchange, principle, now.findings, critic=self.critic, sampling=greedy)
                steps.append(words)
                self.observe(f"revision: {principle.id}")
                account = account_of(principle, now.findings) if number else words.account
                drawn = self._draw(number)
                revision = await revise(
                    now.exchange, principle, account, model=self.model, sampling=drawn, form=self.form
                )
        except LawspeakerError as error:
            during = "revision" if steps else "critique"
            return _add(now, *steps, Fault(during, principle.id, str(error)))
        candidate = now.exchange.with_answer(revision.text)
        found = await assess_waived(candidate, self.constitution, self.waivers, judge=self.judge, budget=self.budget)
        # Only the law and its checks may ask for a removal: a critic's words are a model's.
        removals = f"{account_of(principle, now.findings)}\n{principle.revision}"
        worse = why_not_better(now.exchange, candidate, now.findings, found, removals)
        if not worse and not await fits(candidate.answer, self.form):
            worse = "the revision is not in the form that was asked for"
        steps += [msgspec.structs.replace(revision, rejected=worse), Assessment("revision", found)]
        if worse:
            return _add(now, *steps)
        return Corrected(candidate, found, (*now.steps, *steps), revised=True)

    def _draw(self, number: int) -> Sampling:
        seed = None if self.sampling.seed is None else self.sampling.seed + number
        return msgspec.structs.replace(self.sampling, temperature=0.7 if number else 0.0, seed=seed)


def _add(now: Corrected, *steps: Step) -> Corrected:
    return Corrected(now.exchange, now.findings, (*now.steps, *steps), now.revised)
