"""A recipe: one YAML file that says all there is to say about a run. An unknown key is an error with its place."""

import re
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from lawspeaker.constitution.source import Node, parse
from lawspeaker.digest import digest
from lawspeaker.errors import InputError

_PATH: Final = re.compile(r" - at `(?:key in )?\$([^`]*)`$")
_STEP: Final = re.compile(r"\.([\w-]+)|\[(\d+)\]")
_Count = Annotated[int, msgspec.Meta(ge=1)]
_Rate = Annotated[float, msgspec.Meta(gt=0)]


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Revising(_Strict, frozen=True):
    """Stage 1. `draw` is `uniform` over the principles of the recipe, or `found`: among those that the checks see
    violated, uniform where they see none. `keep`: which revisions are trained on, all `better` ones or `clean` ones."""

    rounds: Annotated[int, msgspec.Meta(ge=1, le=8)] = 4
    draw: Literal["uniform", "found"] = "uniform"
    keep: Literal["better", "clean"] = "better"


class Training(_Strict, frozen=True):
    """One course of gradient descent. `beta` is of DPO alone."""

    epochs: _Count = 1
    rate: _Rate = 1e-5
    batch: _Count = 16
    beta: _Rate = 0.1


class Recipe(_Strict, frozen=True):
    """A run. `model` drafts and revises, `critic` (default: the model) criticises and labels, `base` is fine-tuned
    (default: the model). `prompts` and `held_out` are JSONL files with an `id` and a `request` or `messages` a line,
    beside the recipe. `gold` is a command: it reads {line of held_out, answer} a line and says {id, violates: [ids],
    satisfied} for each, in the recipe's folder; training never sees it. `python` in it is the one that runs."""

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
