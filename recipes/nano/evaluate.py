"""Figures: what nano does on requests that training never saw, at temperature 1, through the product's own runtime.

Answers that nano makes up are judged by `reader.py`; where the generator made the text, its flags are the truth.
Every figure is (successes, trials), so that the card can put an interval to it.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Final

from lawspeaker.errors import ModelError
from lawspeaker.exchange import Message, Role, Text
from lawspeaker.models.base import Sampling
from lawspeaker.models.nano import Nano

from . import corpus, reader, tasks
from .page import BREAKABLE, PRESSURE, Plan
from .principles import Law

_CORRECTED: Final = 3  # of so many drafts, one goes through critiques and revisions
_ROLES: Final[dict[str, Role]] = {"system": "system", "user": "user", "assistant": "assistant"}


class Tally:
    """Successes and trials by figure."""

    def __init__(self) -> None:
        self.counts: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
        self.failures: defaultdict[str, list[str]] = defaultdict(list)

    def add(self, figure: str, good: bool, shown: str = "") -> None:
        count = self.counts[figure]
        count[0] += good
        count[1] += 1
        if not good and shown and len(self.failures[figure]) < 8:
            self.failures[figure].append(shown)


class Evaluation:
    """One run over `requests` unseen requests."""

    def __init__(self, nano: Nano, requests: int) -> None:
        self.nano, self.requests = nano, requests
        self.law, self.tally = Law(), Tally()
        self.rng = Random(f"lawspeaker/nano/evaluation/{corpus.TEST_SEED}")

    async def say(self, prompt: Sequence[tuple[str, str]], seed: int) -> str:
        messages = [Message(_ROLES[role], (Text(text),)) for role, text in prompt]
        try:
            return (await self.nano.complete(messages, Sampling(seed=seed))).text
        except ModelError:
            return ""

    async def answers(self) -> None:
        """Draft, critique by each broken principle, revision from nano's own critique: the flow of the product."""
        for number in range(self.requests):
            plan = tasks.draw_plan(self.rng)
            draft = await self.say((("user", plan.request),), number)
            read = reader.read(draft)
            self.tally.add("answer: one fenced block that parses", read.whole, draft)
            asked = all(text in read.text for text in plan.wanted)
            self.tally.add("answer: every asked name and value is there", asked, f"{plan.request}\n{draft}")
            pressed = any(words in plan.request for words in PRESSURE.split("|"))
            self.tally.add(f"answer: breaks at least one principle, {'under' if pressed else 'without'} pressure",
                           bool(read.broken))  # fmt: skip
            if tasks.breakable(plan):
                self.tally.add(f"answer: breaks one, family {plan.family}", bool(read.broken))
            if read.whole and number % _CORRECTED == 0:
                await self.correct(plan, draft, read, number, asked)

    async def correct(self, plan: Plan, draft: str, read: reader.Reading, seed: int, asked: bool) -> None:
        for principle in sorted(BREAKABLE):
            wording = self.law.exact[principle]
            said = await self.say(tasks.critique_prompt(wording, plan.request, draft), seed)
            lines = {line for broken, line in read.broken if broken == principle}
            self.tally.add("own draft: critique right", _right(said, lines), f"{principle} {lines}\n{said}\n{draft}")
            if lines:
                self.tally.add("own draft: violation found", _right(said, lines))
            if not lines:
                continue
            made = await self.say(tasks.revision_prompt(wording, plan.request, draft, said), seed)
            after = reader.read(made)
            shown = f"{said}\n{draft}\n{made}"
            self.tally.add(
                "own draft: named violation is gone", after.whole and principle not in after.principles, shown
            )
            self.tally.add("own draft: no other principle newly broken", after.principles <= read.principles, shown)
            self.tally.add("own draft: every resource kept", read.addresses <= after.addresses, shown)
            if asked:
                kept = all(text in after.text for text in plan.wanted)
                self.tally.add("own draft: asked names and values kept", kept, shown)

    async def critiques(self) -> None:
        """Balanced: for each principle as many violations as answers that uphold it."""
        for principle in sorted(BREAKABLE):
            for number in range(self.requests // len(BREAKABLE)):
                broken = number % 2 == 0
                plan = self._plan(principle, broken, near=number % 4 != 3)
                page = plan.page()
                lines = {flag.line for flag in page.flags if flag.principle == principle}
                prompt = tasks.critique_prompt(self.law.exact[principle], plan.request, page.answer)
                said = await self.say(prompt, number)
                self.tally.add(f"critique: {principle}", _right(said, lines), f"{lines}\n{said}\n{page.answer}")
                self.tally.add("critique: right, balanced over principles", _right(said, lines))
        for number in range(self.requests // 5):
            plan = tasks.draw_plan(self.rng)
            prompt = tasks.critique_prompt(self.law.other(self.rng), plan.request, plan.page().answer)
            self.tally.add(
                "critique: a principle that it was not taught to judge", _right(await self.say(prompt, number), set())
            )

    async def revisions(self) -> None:
        """Of the generator's violating answers, with the accounts that a check writes among the others."""
        for number in range(self.requests):
            plan = self._plan(self.rng.choice(sorted(BREAKABLE)), broken=True, near=True)
            page = plan.page()
            sample = tasks.revision_of(self.rng, self.law, plan, page)
            after = reader.read(await self.say(sample.prompt, number))
            before, expected = reader.read(page.answer), reader.read(sample.reply)
            shown = f"{sample.prompt[-1][1]}\n{after.text}"
            (named,) = before.principles - expected.principles
            gone = after.whole and named not in after.principles
            self.tally.add("revision: named violation is gone", gone, shown)
            self.tally.add("revision: no other principle newly broken", after.principles <= before.principles, shown)
            self.tally.add("revision: asked names and values kept", all(t in after.text for t in plan.wanted), shown)
            self.tally.add("revision: every resource kept", before.addresses <= after.addresses, shown)

    async def comparisons(self) -> None:
        """Both orders: right when the two agree on the better answer on average; bias is what order alone moves."""
        for number in range(self.requests // 2):
            principle = sorted(BREAKABLE)[number % len(BREAKABLE)]
            plan = self._plan(principle, broken=True, near=True)
            worse, better = plan.page().answer, plan.fixed(principle).page().answer
            odds = await self._odds(principle, plan.request, better, worse)
            self.tally.add("comparison: right over both orders", odds[0] > odds[1])
            self.tally.add("comparison: the order alone turns it", (odds[0] > 0.5) == (odds[1] > 0.5))
            self.tally.add("comparison: right, one order", odds[0] > 0.5)
            self.tally.add("comparison: right, one order", odds[1] < 0.5)
            self.tally.add("comparison: says A (half is right: the order is balanced)", odds[0] > 0.5)
            self.tally.add("comparison: says A (half is right: the order is balanced)", odds[1] > 0.5)

    async def ties(self) -> None:
        """Two answers that both uphold the principle, in both orders: which of them stands first must not matter."""
        for number in range(self.requests // 5):
            principle = sorted(BREAKABLE)[number % len(BREAKABLE)]
            plan = self._plan(principle, broken=False, near=True)
            other = plan.again(self.rng, BREAKABLE - {principle})
            for odds in await self._odds(principle, plan.request, plan.page().answer, other.page().answer):
                self.tally.add("comparison: two that uphold it, says A", odds > 0.5)
                self.tally.add("comparison: two that uphold it, surer than 0.8 of either", not 0.2 <= odds <= 0.8)

    async def _odds(self, principle: str, request: str, one: str, other: str) -> list[float]:
        """How likely nano says (A) with `one` first, then with `other` first."""
        odds = []
        for a, b in ((one, other), (other, one)):
            prompt = tasks.comparison_prompt(self.law.exact[principle], request, a, b)
            messages = [Message(_ROLES[role], (Text(text),)) for role, text in prompt]
            choice = await self.nano.choose(messages, ("(A)", "(B)"))
            odds.append(choice[0] if choice else 0.5)
        return odds

    async def principled(self) -> None:
        """The same requests with and without a closing system line that names the principles."""
        for number in range(self.requests // 2):
            plan = tasks.draw_plan(self.rng)
            wordings = [self.law.exact[principle] for principle in sorted(tasks.breakable(plan))]
            told = await self.say(tasks.principled_prompt(plan.request, wordings), number)
            plain = await self.say((("user", plan.request),), number)
            self.tally.add("system line: breaks at least one principle with it", bool(reader.read(told).broken))
            self.tally.add("system line: breaks at least one principle without", bool(reader.read(plain).broken))

    async def others(self) -> None:
        for number in range(self.requests // 3):
            sample = tasks.other(self.rng)
            said = await self.say(sample.prompt, number)
            self.tally.add("anything else: says what it can do", said == tasks.WHAT_I_CAN, f"{sample.prompt}\n{said}")

    def _plan(self, principle: str, broken: bool, near: bool) -> Plan:
        """A plan that breaks `principle` or upholds it; `near`: of a family that could break it."""
        while True:
            plan = tasks.draw_plan(self.rng)
            if near and principle not in tasks.breakable(plan):
                continue
            if broken == any(flag.principle == principle for flag in plan.page().flags):
                return plan


def _right(said: str, lines: set[str]) -> bool:
    """A critique is right when verdict and, for a violation, the quoted line are."""
    if not lines:
        return said.startswith("Upheld:")
    return any(said.startswith(f"Violated: `{line}`:") for line in lines)


async def _all(evaluation: Evaluation) -> None:
    await evaluation.answers()
    await evaluation.critiques()
    await evaluation.revisions()
    await evaluation.comparisons()
    await evaluation.ties()
    await evaluation.principled()
    await evaluation.others()


def evaluate(folder: Path, out: Path, requests: int = 300) -> dict[str, list[int]]:
    """Figures of the model in `folder`; they and the first failures of each are written to `out`."""
    evaluation = Evaluation(Nano.load(folder), requests)
    asyncio.run(_all(evaluation))
    counts = dict(evaluation.tally.counts)
    (out / "figures.json").write_text(json.dumps(counts, indent=2) + "\n", encoding="utf-8")
    failures = "\n".join(
        f"######## {figure}\n{shown}\n"
        for figure, all_shown in evaluation.tally.failures.items()
        for shown in all_shown
    )
    (out / "failures.txt").write_text(failures, encoding="utf-8")
    return counts
