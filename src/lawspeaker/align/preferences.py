"""Stage 2 of Constitutional AI: one pair for each prompt, drawn from the fine-tuned model, and its soft label.

Some principles are drawn for each label; for each the critic sees both orders and says probabilities, at once or after
thinking aloud (`deliberation/comparison`). What the checks see they decide; such a label is verified. People's
preferences are mixed in, whole and with who said so.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import msgspec

from lawspeaker.align.dataset import Pair, Prompt, Vote, read_preferences, seed_of
from lawspeaker.align.drawing import drawn_from
from lawspeaker.align.examples import Shown
from lawspeaker.align.recipe import Recipe
from lawspeaker.align.reuse import asked, asked_odds
from lawspeaker.align.rulings import read_rulings
from lawspeaker.align.self_revision import Engine, findings
from lawspeaker.constitution.schema import Constitution, Principle
from lawspeaker.deliberation import comparison
from lawspeaker.deliberation.comparison import OPTIONS, clamped, first_better
from lawspeaker.digest import digest
from lawspeaker.errors import InputError, ModelError
from lawspeaker.exchange import Exchange, Message
from lawspeaker.finding import Outcome, by_principle
from lawspeaker.models.base import Sampling

Messages = tuple[Message, ...]
Outcomes = Mapping[str, Outcome]  # by principle


@dataclass(frozen=True)
class _Question:
    """What the critic is asked for one vote: one prompt for each order, or two for each sample."""

    pair: Pair
    principle: Principle
    shown: Shown
    prompts: tuple[Messages, ...]
    samplings: tuple[Sampling, ...]


async def pairs_of(engine: Engine, prompts: Sequence[Prompt]) -> list[Pair]:
    """A pair for each of `prompts`; `engine.model` is the fine-tuned model. One that cannot be used says why."""
    pairs, labels = await _drawn(engine, prompts), engine.recipe.labels
    votes: dict[str, list[Vote]] = {pair.id: [] for pair in pairs}
    open_: list[_Question] = []
    for pair in pairs:
        if pair.filtered:
            continue
        seeing = labels.checks or labels.draw == "found"
        texts = (pair.a, pair.b) if seeing else ()
        found = [by_principle(await findings(pair.request, text, engine.law)) for text in texts]
        for principle in _principles(engine, pair, found):
            seen = _seen(principle, found) if labels.checks else None
            votes[pair.id] += [seen] if seen else []
            open_ += [] if seen else [_question(engine, pair, principle)]
    failed: dict[str, str] = {}
    for question, said in zip(open_, await _answers(engine, open_), strict=True):
        if isinstance(said, ModelError):
            failed[question.pair.id] = f"failed: {said}"
        else:
            votes[question.pair.id].append(said)
    return [
        msgspec.structs.replace(pair, filtered=failed[pair.id]) if pair.id in failed else _counted(pair, votes[pair.id])
        for pair in pairs
    ]


async def _drawn(engine: Engine, prompts: Sequence[Prompt]) -> list[Pair]:
    """The pairs without a label."""
    samplings = [engine.sampling(prompt.id, side) for prompt in prompts for side in ("a", "b")]
    messages = [prompt.exchange.messages for prompt in prompts for _ in ("a", "b")]
    said = await engine.model.complete_many(messages, samplings)
    texts = ["" if isinstance(each, ModelError) else each.text.strip() for each in said]
    names = [asked(engine.model.digest, m, s) for m, s in zip(messages, samplings, strict=True)]
    pairs = []
    for n, prompt in enumerate(prompts):
        two = slice(2 * n, 2 * n + 2)
        a, b = texts[two]
        pair = Pair(
            id=f"{prompt.id}.pair",
            prompt=prompt.id,
            request=prompt.exchange.messages,
            a=a,
            b=b,
            constitution=engine.law.digest,
            model_digest=engine.model.digest,
            seeds=tuple(each.seed or 0 for each in samplings[two]),
            asked=tuple(names[two]),
            critic_digest=engine.critic.digest,
            filtered="failed: no answer" if not (a and b) else "equal" if a == b else "",
        )
        pairs.append(pair)
    return pairs


def _principles(engine: Engine, pair: Pair, found: Sequence[Outcomes]) -> list[Principle]:
    """Those that label the pair, whose answers the checks `found` to be so: drawn for it alone, none of them twice."""
    labels = engine.recipe.labels
    among = drawn_from(engine.law, labels.principles or engine.recipe.principles)
    if labels.draw == "found":
        among = tuple(p for p in among if [each.get(p.id) for each in found].count("violated") == 1) or among
    return engine.rng(pair.prompt, "label").sample(among, min(labels.per_pair, len(among)))


def _seen(principle: Principle, found: Sequence[Outcomes]) -> Vote | None:
    """The checks' label, where they see the principle upheld in one answer and violated in the other."""
    outcomes = tuple(each.get(principle.id, "") for each in found)
    if set(outcomes) != {"upheld", "violated"}:
        return None
    label = 1.0 if outcomes[0] == "upheld" else 0.0
    return Vote(*_named(principle), label, by="checks", outcomes=outcomes)


def _named(principle: Principle) -> tuple[str, str, str]:
    """Its id, digest and text."""
    return principle.id, digest("lawspeaker/principle/v1", principle.law()), principle.text


def _question(engine: Engine, pair: Pair, principle: Principle) -> _Question:
    labels, exchange = engine.recipe.labels, Exchange(pair.request)
    shown = engine.shown(labels.examples, labels.method, pair.prompt, principle.id, "label")
    orders = ((pair.a, pair.b), (pair.b, pair.a))
    if labels.method == "odds":
        prompts = [comparison.prompt_of(exchange, *order, principle, shown.messages) for order in orders]
        return _Question(pair, principle, shown, tuple(prompts), ())
    each = [comparison.reasoned_prompt_of(exchange, *order, principle, shown.messages) for order in orders]
    samplings = [
        engine.sampling(pair.prompt, principle.id, n, order, "thought") for n in range(labels.samples) for order in "ab"
    ]
    return _Question(pair, principle, shown, tuple(each * labels.samples), tuple(samplings))


async def _answers(engine: Engine, questions: Sequence[_Question]) -> list[Vote | ModelError]:
    """A vote for each question. All thoughts are asked for together, then all odds: those who ask a model together are
    always the same."""
    thinking = [(p, s) for q in questions for p, s in zip(q.prompts, q.samplings, strict=False)]
    asking = engine.critic.complete_many([p for p, _ in thinking], [s for _, s in thinking])
    said = iter(await asking)
    thoughts = [[next(said) for _ in question.samplings] for question in questions]
    jobs = [_vote(engine, question, some) for question, some in zip(questions, thoughts, strict=True)]
    return list(await asyncio.gather(*jobs))


async def _vote(engine: Engine, question: _Question, thoughts: Sequence[object]) -> Vote | ModelError:
    failed = next((each for each in thoughts if isinstance(each, ModelError)), None)
    if failed:
        return failed
    critic, labels = engine.critic, engine.recipe.labels
    words = tuple(str(getattr(each, "text", "")).strip() for each in thoughts)
    prompts = question.prompts
    if words:
        prompts = tuple(comparison.verdict_prompt_of(p, word) for p, word in zip(prompts, words, strict=True))
    try:
        odds = [await first_better(prompt, critic) for prompt in prompts]
    except ModelError as error:
        return error
    held = [clamped(each, labels.clamp) for each in odds] if words else odds
    a_better = [(first + 1 - second) / 2 for first, second in zip(held[::2], held[1::2], strict=True)]
    return Vote(
        *_named(question.principle),
        sum(a_better) / len(a_better),
        sum(odds) / len(odds),
        template=(comparison.REASONED if words else comparison.TEMPLATE).digest,
        examples=question.shown.names,
        asked=tuple(asked_odds(critic.digest, prompt, OPTIONS) for prompt in prompts),
        odds=tuple(odds),
        reasoned=tuple(
            asked(critic.digest, p, s) for p, s in zip(question.prompts, question.samplings, strict=False)
        ),
        thoughts=words,
    )  # fmt: skip


def _counted(pair: Pair, votes: Sequence[Vote]) -> Pair:
    if not votes:
        return pair
    order = sorted(votes, key=lambda vote: vote.principle)
    label = sum(vote.a_better for vote in order) / len(order)
    bias = [vote.bias for vote in order if vote.by == "critic"]
    return msgspec.structs.replace(
        pair, votes=tuple(order), a_better=label, bias=sum(bias) / len(bias) if bias else 0.5
    )


def preferences(recipe: Recipe, law: Constitution, root: Path) -> list[Pair]:
    """What people prefer by all the files of the recipe. Raises `InputError`, also where the shares leave nothing to
    the AI's own pairs."""
    people = recipe.labels.people
    if sum(each.share for each in people) >= 1:
        raise InputError("labels.people: the shares leave nothing to the AI's own pairs")
    if any(bool(each.data) == bool(each.log) for each in people):
        raise InputError("labels.people: each has either `data` or a `log`")
    if len({each.name for each in people}) < len(people):
        raise InputError("labels.people: a file or log is there twice")
    return [
        pair
        for each in people
        for pair in (
            read_rulings(root / each.log, each.log)
            if each.log
            else read_preferences(root / each.data, law.digest, each.data)
        )
    ]


def mixed(recipe: Recipe, preferred: Sequence[Pair], usable: int) -> list[Pair]:
    """Those that are mixed with `usable` pairs of the AI's: of each file as many, drawn by the seed, as give it its
    share of all, or as it holds."""
    left = 1 - sum(each.share for each in recipe.labels.people)
    chosen: list[Pair] = []
    for each in recipe.labels.people:
        pairs = [pair for pair in preferred if pair.data == each.name]
        wanted = round(usable * each.share / left)
        chosen += Random(seed_of(recipe.seed, each.name, "people")).sample(pairs, min(wanted, len(pairs)))
    return chosen
