"""A recipe: one YAML file that says all there is to say about a run. An unknown key is an error with its place."""

import re
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from lawspeaker.constitution.source import Node, parse
from lawspeaker.deliberation.comparison import CLAMP
from lawspeaker.digest import digest
from lawspeaker.errors import InputError

_PATH: Final = re.compile(r" - at `(?:key in )?\$([^`]*)`$")
_STEP: Final = re.compile(r"\.([\w-]+)|\[(\d+)\]")
_Count = Annotated[int, msgspec.Meta(ge=1)]
_Few = Annotated[int, msgspec.Meta(ge=0, le=16)]
_Rate = Annotated[float, msgspec.Meta(gt=0)]
_Share = Annotated[float, msgspec.Meta(gt=0, lt=1)]
_Probability = Annotated[float, msgspec.Meta(ge=0, le=1)]


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Revising(_Strict, frozen=True):
    """Stage 1. `draw`, over the principles of the recipe: `uniform`; `weighted` by `weights` (1 for one that has none);
    `found`: among those that the checks see violated, all where they see none; `scoped`: among those that the answer
    has something of. `weights` count there too. `keep`: which revisions are trained on: `all` that are whole answers,
    those that are `better`, or those that are `clean`. Without `critique` the model revises directly. `examples`: how
    many cases of the law are shown with each request for a critique or a revision."""

    rounds: Annotated[int, msgspec.Meta(ge=1, le=8)] = 4
    draw: Literal["uniform", "weighted", "found", "scoped"] = "uniform"
    weights: dict[str, _Rate] = {}
    keep: Literal["all", "better", "clean"] = "better"
    critique: bool = True
    examples: _Few = 0


class Helpful(_Strict, frozen=True):
    """Helpfulness samples for the fine-tuning: `share` of its rows. `prompts` as those of the recipe; a line with an
    `answer` is a sample as it is, to any other the model gives `responses`."""

    prompts: str
    share: _Share
    responses: _Count = 2


class People(_Strict, frozen=True):
    """What people prefer: `share` of the pairs. `data`: JSONL with an `id`, a `request` (or `messages`), answers `a`
    and `b`, `a_better` from 0 to 1, `by` whom, and `source`: `helpfulness` or `ruling`."""

    data: str
    share: _Share


class Labels(_Strict, frozen=True):
    """How pairs are labelled: by `per_pair` of `principles` (default: those of the recipe), drawn anew for each pair.
    `odds`: by the critic's probabilities; `reasoned`: by its probabilities after each of `samples` trains of thought,
    held within `clamp`. `examples`: how many cases of the law are shown. With `checks`, a principle that the checks
    see upheld in one answer and violated in the other has their label."""

    principles: tuple[str, ...] = ()
    per_pair: _Count = 1
    method: Literal["odds", "reasoned"] = "odds"
    samples: _Count = 5
    clamp: tuple[_Probability, _Probability] = CLAMP
    examples: _Few = 0
    checks: bool = False
    people: tuple[People, ...] = ()


class Training(_Strict, frozen=True):
    """One course of gradient descent. `beta` is of DPO alone."""

    epochs: _Count = 1
    rate: _Rate = 1e-5
    batch: _Count = 16
    beta: _Rate = 0.1


class Recipe(_Strict, frozen=True):
    """A run. `model` drafts and revises, `critic` (default: the model) criticises and labels, `base` is fine-tuned
    (default: the model). `prompts` and `held_out` are JSONL files, or folders of them, with an `id` and a `request` or
    `messages` a line, beside the recipe. `gold` is a command: it reads {line of held_out, answer} a line and says
    {id, violates: [ids], satisfied} for each, in the recipe's folder; training never sees it. `python` in it is the
    one that runs."""

    name: str
    prompts: str
    held_out: str
    gold: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    model: str = "nano"
    critic: str = ""
    base: str = ""
    constitution: str = "infrastructure"
    principles: tuple[str, ...] = ()
    seed: int = 0
    batch: _Count = 32
    max_tokens: _Count = 512
    revising: Revising = Revising()
    helpful: Helpful | None = None
    labels: Labels = Labels()
    sft: Training = Training()
    dpo: Training | None = Training()

    @property
    def digest(self) -> str:
        return digest("lawspeaker/recipe/v1", self)


def read_recipe(path: Path) -> Recipe:
    """Raises `InputError` with file and line for what is no recipe."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {getattr(error, 'strerror', None) or 'not UTF-8'}; want a recipe") from None
    node = parse(text, str(path))
    try:
        return msgspec.convert(node.plain(), Recipe)
    except msgspec.ValidationError as error:
        what = str(error)
        steps = _STEP.findall(at[1]) if (at := _PATH.search(what)) else []
        route = tuple(int(number) if number else name for name, number in steps)
        raise InputError(f"{_place(node, route, what)}: {_PATH.sub('', what)}") from None


def _place(node: Node, route: tuple[str | int, ...], what: str) -> object:
    unknown = re.search(r"unknown field `([^`]+)`", what)
    for step in route:
        if isinstance(node.value, dict) and step in node.value:
            node = node.value[str(step)]
    return node.keys.get(unknown[1], node.place) if unknown else node.at(route) if not route else node.place
