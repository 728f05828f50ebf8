"""Which principle is drawn: independently for each round of each prompt and for each label."""

from collections.abc import Mapping, Sequence
from random import Random

from lawspeaker.align.recipe import Recipe, Revising
from lawspeaker.checks.judge import Judge
from lawspeaker.constitution.schema import Constitution, Principle
from lawspeaker.errors import InputError
from lawspeaker.finding import Outcome


def draw(rng: Random, principles: Sequence[Principle], how: Revising, outcomes: Mapping[str, Outcome]) -> Principle:
    """One of `principles`; `outcomes` are what the checks found in the answer that is to be revised."""
    among = list(principles)
    if how.draw == "found":
        among = [each for each in principles if outcomes.get(each.id) == "violated"]
    elif how.draw == "scoped":
        among = [each for each in principles if outcomes.get(each.id) != "not_applicable"]
    among = among or list(principles)
    if not how.weights:
        return rng.choice(among)
    return rng.choices(among, [how.weights.get(each.id, 1.0) for each in among])[0]


def drawn_from(law: Constitution, names: Sequence[str]) -> tuple[Principle, ...]:
    """The principles of those names, in the order of the law; all where there are none."""
    return tuple(each for each in law.principles if not names or each.id in names)


def validate(recipe: Recipe, law: Constitution) -> None:
    """Raises `InputError` where the recipe draws what cannot be drawn."""
    known = {each.id for each in law.principles}
    for name in (*recipe.principles, *recipe.labels.principles, *recipe.revising.weights):
        if name not in known:
            raise InputError(f"the constitution {law.name} has no principle {name}")
    drawn = drawn_from(law, recipe.principles)
    for name in recipe.revising.weights:
        if name not in {each.id for each in drawn}:
            raise InputError(f"revising.weights: {name} is not among the principles of the recipe")
    if (recipe.revising.draw == "weighted") != bool(recipe.revising.weights) and recipe.revising.draw in {
        "uniform",
        "weighted",
    }:
        raise InputError("revising: `draw: weighted` and `weights` go together")
    labelling = drawn_from(law, recipe.labels.principles or recipe.principles)
    if recipe.labels.per_pair > len(labelling):
        raise InputError(f"labels.per_pair: {recipe.labels.per_pair} of {len(labelling)} principles cannot be drawn")
    if recipe.labels.clamp[0] > recipe.labels.clamp[1]:
        raise InputError("labels.clamp: the lower bound is above the upper one")
    if all(isinstance(spec.check, Judge) for each in drawn for spec in each.checks):
        raise InputError("none of the principles has a check but a judge, and none is set: nothing could be filtered")
