"""Few-shot examples from the cases of the law, in the form of what is asked (Bai et al. 2022, sections 3.1 and 4.1).

Without them a model mixes up the roles of critic and reviser. The principle of each example is drawn independently of
the one that the request is about, and of the others. Only cases that are answered in words and that nobody could see
differently are shown. A revision or a comparison needs two cases of one request: a violated and an upheld one.
"""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Literal

import msgspec

from lawspeaker.align.drawing import drawn_from
from lawspeaker.align.recipe import Recipe
from lawspeaker.checks.assess import assess
from lawspeaker.constitution.schema import Case, Constitution, Principle
from lawspeaker.deliberation import comparison, critique, revision
from lawspeaker.deliberation.revision import revisable
from lawspeaker.errors import InputError
from lawspeaker.exchange import Exchange, Message, Text
from lawspeaker.finding import Finding

Form = Literal["critique", "revision", "direct", "odds", "reasoned"]


class Shown(msgspec.Struct, frozen=True):
    """The turns of some examples, and the `principle/case` of each."""

    messages: tuple[Message, ...] = ()
    names: tuple[str, ...] = ()


class Example(msgspec.Struct, frozen=True):
    """A case as it is shown. `account`: what is wrong, empty where nothing is; `better`: an upheld answer to the same
    request, empty where the law has none."""

    name: str
    principle: Principle
    exchange: Exchange
    words: str
    account: str = ""
    better: str = ""


class Library(msgspec.Struct, frozen=True):
    """The examples of each principle that has some."""

    of: Mapping[str, tuple[Example, ...]] = {}

    def draw(self, rng: Random, count: int, form: Form) -> Shown:
        """`count` examples, each of a principle drawn anew."""
        if not count:
            return Shown()
        fit = [some for each in self.of.values() if (some := [e for e in each if form == "critique" or e.better])]
        if not fit:
            raise InputError(f"the law has no cases to show as examples of a {form}; want `examples: 0`")
        drawn = [rng.choice(rng.choice(fit)) for _ in range(count)]
        messages = [turn for each in drawn for turn in _turns(each, form, rng)]
        return Shown(tuple(messages), tuple(each.name for each in drawn))


async def library(law: Constitution, principles: Sequence[Principle]) -> Library:
    """The cases of `principles`, with what the checks of the law say of them."""
    of = {each.id: tuple([await _example(law, each, case) for case in _shown(each)]) for each in principles}
    return Library({name: examples for name, examples in of.items() if examples})


async def validate_examples(recipe: Recipe, law: Constitution) -> None:
    """Raises `InputError` where the recipe wants examples that the law has no cases for."""
    first, second = recipe.revising, recipe.labels
    forms: tuple[Form, ...] = ("critique", "revision") if first.critique else ("direct",)
    for names, count, wanted in (
        (recipe.principles, first.examples, forms),
        (second.principles or recipe.principles, second.examples, (second.method,)),
    ):
        cases = await library(law, drawn_from(law, names)) if count else Library()
        for form in wanted:
            cases.draw(Random(0), count, form)


def _shown(principle: Principle) -> list[Case]:
    return [
        case
        for case in principle.cases
        if not case.borderline and case.expect in {"violated", "upheld"} and revisable(case.exchange)
    ]


async def _example(law: Constitution, principle: Principle, case: Case) -> Example:
    found = [each for each in await assess(case.exchange, law) if each.principle == principle.id]
    reason = next((each for each in found if each.outcome == case.expect), None)
    why = " ".join((reason.reason if reason else principle.because or principle.text).split())
    exchange = _spoken(case.exchange)
    if case.expect == "upheld":
        return Example(f"{principle.id}/{case.name}", principle, exchange, f"Upheld: {why}")
    request = case.exchange.request
    better = next((c for c in _shown(principle) if c.expect == "upheld" and c.exchange.request == request), None)
    line = _line(case.exchange, reason)
    words = f"Violated: `{line}`: {why}" if line else f"Violated: {why}"
    answer = _spoken(better.exchange).answer if better else ""
    return Example(f"{principle.id}/{case.name}", principle, exchange, words, words, answer)


def _line(exchange: Exchange, finding: Finding | None) -> str:
    """The line that a finding points at."""
    if finding is None or not finding.spans:
        return ""
    span = finding.spans[0]
    part = exchange.messages[span.message].parts[span.part]
    lines = part.text.splitlines()
    return " ".join(lines[span.line - 1].split()) if span.line <= len(lines) else ""


def _spoken(exchange: Exchange) -> Exchange:
    """The exchange with its answer as a model would say it: a file stands in a fence."""
    parts = [part for message in exchange.messages[exchange.answer_start :] for part in message.parts]
    said = [
        f"```\n{part.text.rstrip()}\n```" if isinstance(part, Text) and part.name else part.text.strip()
        for part in parts
    ]
    return exchange.with_answer("\n".join(said))


def _turns(example: Example, form: Form, rng: Random) -> tuple[Message, ...]:
    """An example, asked and answered."""
    exchange, principle = example.exchange, example.principle
    if form == "critique":
        return critique.prompt_of(exchange, principle)[1], _said(example.words)
    if form == "revision":
        return revision.prompt_of(exchange, principle, example.account)[1], _said(example.better)
    if form == "direct":
        return revision.direct_prompt_of(exchange, principle)[1], _said(example.better)
    bad_first = rng.random() < 0.5
    first, second = (exchange.answer, example.better) if bad_first else (example.better, exchange.answer)
    right, wrong = comparison.OPTIONS[::-1] if bad_first else comparison.OPTIONS
    if form == "odds":
        return comparison.prompt_of(exchange, first, second, principle)[1], _said(right)
    asked = comparison.reasoned_prompt_of(exchange, first, second, principle)
    thought = f"{wrong} does not uphold it: {example.account.partition(': ')[2]} In {right} nothing does that."
    return (*comparison.verdict_prompt_of(asked, thought)[1:], _said(right))


def _said(text: str) -> Message:
    return Message("assistant", (Text(text),))
