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
_Natural = Annotated[int, msgspec.Meta(ge=0)]
_Weight = Annotated[float, msgspec.Meta(ge=0)]
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
    and `b`, `a_better` from 0 to 1, `by` whom, and `source`: `helpfulness` or `ruling`. Or `log`: the folder of an
    audit log, with rulings in it."""

    share: _Share
    data: str = ""
    log: str = ""

    @property
    def name(self) -> str:
        return self.data or self.log


class Labels(_Strict, frozen=True):
    """How pairs are labelled: by `per_pair` of `principles` (default: those of the recipe), drawn anew for each pair.
    `draw`: `uniform`, or `found`: among those that the checks see violated in one of the answers alone, all where there
    are none. `odds`: by the critic's probabilities; `reasoned`: by its probabilities after each of `samples` trains of
    thought, held within `clamp`. `examples`: how many cases of the law are shown. With `checks`, a principle that the
    checks see upheld in one answer and violated in the other has their label."""

    principles: tuple[str, ...] = ()
    per_pair: _Count = 1
    draw: Literal["uniform", "found"] = "uniform"
    method: Literal["odds", "reasoned"] = "odds"
    samples: _Count = 5
    clamp: tuple[_Probability, _Probability] = CLAMP
    examples: _Few = 0
    checks: bool = False
    people: tuple[People, ...] = ()


class Training(_Strict, frozen=True):
    """One course of gradient descent. `micro` rows go through the model at once (0: the whole batch of a process)."""

    epochs: _Count = 1
    rate: _Rate = 1e-5
    batch: _Count = 16
    micro: _Natural = 0


class PreferenceModel(Training, frozen=True):
    """The preference model. `held_out` is the share of prompts whose pairs only measure it; `centre` weighs how far
    its scores may drift from 0."""

    held_out: _Share = 0.2
    centre: _Weight = 0.01


class Dpo(Training, frozen=True, tag_field="method", tag="dpo"):
    """Towards the label of each pair; `hard` labels say 0 or 1 and are there to compare with."""

    beta: _Rate = 0.1
    labels: Literal["soft", "hard"] = "soft"


class Grpo(_Strict, frozen=True, tag_field="method", tag="grpo"):
    """Each step draws `group` answers to each of `prompts` prompts; `beta` weighs the KL to the fine-tuned model.
    `principles`, `preference` and `helpful` weigh what makes up the reward."""

    steps: _Count = 100
    rate: _Rate = 1e-6
    prompts: _Count = 4
    group: Annotated[int, msgspec.Meta(ge=2)] = 8
    micro: _Natural = 0
    beta: _Rate = 0.02
    principles: _Weight = 1.0
    preference: _Weight = 1.0
    helpful: _Weight = 1.0


class Stop(_Strict, frozen=True):
    """The gold judge looks at the policy on `prompts` (neither trained on nor held out) `every` so many steps. A look
    is no candidate where the share of satisfied requests fell by more than `satisfied`, or the mean length of answers
    by more than the share `length` (or grew by its inverse). After `patience` looks without a better one it ends."""

    prompts: str
    every: _Count = 25
    patience: _Count = 3
    satisfied: _Probability = 0.02
    length: _Share = 0.5


class Lora(_Strict, frozen=True):
    """Low-rank adapters in place of all weights; merged when a stage is saved. No `targets`: every linear layer."""

    rank: _Count = 16
    alpha: _Count = 32
    dropout: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.0
    targets: tuple[str, ...] = ()


class Recipe(_Strict, frozen=True):
    """A run. `model` drafts and revises, `critic` (default: the model) criticises and labels, `base` is fine-tuned
    (default: the model). `prompts` and `held_out` are JSONL files, or folders of them, with an `id` and a `request` or
    `messages` a line, beside the recipe. `gold` is a command: it reads {line of held_out, answer} a line and says
    {id, violates: [ids], satisfied} for each, in the recipe's folder; training never sees it. `external` is
    another that says {id, violates}, and only reports. `python` in a command is the one that runs. `preference` and
    `policy` are stage 2; without a `policy` the fine-tuned model is the last one."""

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
    preference: PreferenceModel | None = None
    policy: Dpo | Grpo | None = Dpo()
    stop: Stop | None = None
    lora: Lora | None = None
    external: tuple[str, ...] = ()

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
        recipe = msgspec.convert(node.plain(), Recipe)
    except msgspec.ValidationError as error:
        what = str(error)
        steps = _STEP.findall(at[1]) if (at := _PATH.search(what)) else []
        route = tuple(int(number) if number else name for name, number in steps)
        raise InputError(f"{_place(node, route, what)}: {_PATH.sub('', what)}") from None
    if wrong := _contradiction(recipe):
        raise InputError(f"{node.at(('policy',))}: {wrong}")
    return recipe


def _contradiction(recipe: Recipe) -> str:
    how = recipe.policy
    if recipe.stop and not how:
        return "stop watches the policy, and there is no policy to train"
    if not isinstance(how, Grpo):
        return ""
    if how.preference and not recipe.preference:
        return "its reward has a preference model, and the recipe trains none; say preference: {} or weigh it 0"
    answers = how.prompts * how.group
    return f"micro: {how.micro} does not divide the {answers} answers of a step" if answers % (how.micro or 1) else ""


def _place(node: Node, route: tuple[str | int, ...], what: str) -> object:
    unknown = re.search(r"unknown field `([^`]+)`", what)
    for step in route:
        if isinstance(node.value, dict) and step in node.value:
            node = node.value[str(step)]
    return node.keys.get(unknown[1], node.place) if unknown else node.at(route) if not route else node.place
