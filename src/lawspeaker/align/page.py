"""The report of a run: one HTML page with its figures, curves and examples."""

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from lawspeaker.align.agreement import Agreement
from lawspeaker.align.card import MODELS, UNMEASURED, external, measured, share, silent
from lawspeaker.align.chart import chart
from lawspeaker.align.measures import Bin
from lawspeaker.align.policy import Reinforced
from lawspeaker.align.preference_model import Preferring
from lawspeaker.align.recipe import Recipe
from lawspeaker.align.training import Trained
from lawspeaker.align.watch import Watched
from lawspeaker.constitution.schema import Constitution

T = TypeVar("T")
_STYLE: Final = "body{font:16px sans-serif;max-width:60em;margin:2em auto}td,th{padding:.3em .8em;text-align:left}"
_EXAMPLES: Final = 5


def page(folder: Path, recipe: Recipe, law: Constitution) -> str:
    found = measured(folder)
    rows = [
        (words, share(found[name].violating), share(found[name].satisfied), external(folder, name))
        for name, words in MODELS
    ]
    principles = sorted({each for one in found.values() for each in one.by_principle})
    rates = [(each, *(str(found[name].by_principle.get(each, 0)) for name, _ in MODELS)) for each in principles]
    judge = html.escape(" ".join(recipe.external)) or UNMEASURED
    return (
        f"<!doctype html><meta charset=utf-8><title>{html.escape(recipe.name)}</title><style>{_STYLE}</style>"
        f"<h1>{html.escape(recipe.name)}</h1><p>Constitution {html.escape(law.name)} {html.escape(law.version)},"
        f" {law.digest}. Intervals: Wilson, 95 %. External judge: {judge}.</p>"
        + _table(("model", "answers that violate", "requests satisfied", "violate, says the external judge"), rows)
        + f"<p>{html.escape(silent(found))}</p><h2>Violating answers by principle</h2>"
        + _table(("principle", *(words for _, words in MODELS)), rates)
        + f"<h2>Training</h2>{_training(folder)}{_labels(folder)}{_preference(folder)}{_policy(folder)}{_watch(folder)}"
        + f"<h2>First violations before, and the same requests after</h2>{_examples(folder)}\n"
    )


def _training(folder: Path) -> str:
    return "".join(
        chart(f"Loss of {words}", {"loss": _read(folder, name, Trained).curve})
        for name, words in (("sft", "fine-tuning"), ("dpo", "DPO"))
        if (folder / f"{name}.json").exists()
    )


def _labels(folder: Path) -> str:
    if not (folder / "agreement.json").exists():
        return ""
    found = _read(folder, "agreement", Agreement)
    rows = [(name, str(one.votes), share(one.agrees)) for name, one in found.by_principle.items()]
    return (
        f"<h2>The labeller</h2><p>{found.pairs} pairs, {found.verified} votes of the checks. Votes of the critic: P(the"
        f" answer shown first) is {found.first:.3f} on average, 0.5 without bias; {share(found.position)} favour the"
        f" same position in both orders.</p>"
        + _table(("principle", "votes of the critic", "name the side that the checks name"), rows)
        + _calibration(found.ece, found.bins, "the side that the checks name")
    )


def _preference(folder: Path) -> str:
    if not (folder / "preference.json").exists():
        return ""
    found = _read(folder, "preference", Preferring)
    return (
        f"<h2>The preference model</h2>{chart('Loss', {'loss': found.trained.curve})}<p>On pairs of prompts that were"
        f" set aside it names the side that the label names in {share(found.agrees)} of {found.agrees.n}.</p>"
        + _calibration(found.ece, found.bins, "the label")
    )


def _calibration(ece: float, bins: Sequence[Bin], truth: str) -> str:
    rows = [(str(each.n), f"{each.said:.3f}", f"{each.was:.3f}") for each in bins]
    return f"<p>Calibration error (ECE) {ece:.3f}.</p>" + _table(("pairs", "says on average", f"{truth}"), rows)


def _policy(folder: Path) -> str:
    if not (folder / "grpo.json").exists():
        return ""
    curves = _read(folder, "grpo", Reinforced).curves
    return "<h2>Reward, by what it is paid for</h2>" + "".join(
        chart(name, {name: curve}) for name, curve in curves.items()
    )


def _watch(folder: Path) -> str:
    if not (folder / "watch.json").exists():
        return ""
    found = _read(folder, "watch", Watched)
    shares = {
        name: [(look.step, rate.successes / max(rate.n, 1)) for look in found.looks for rate in [getattr(look, name)]]
        for name in ("violating", "satisfied", "good")
    }
    rows = [
        (str(look.step), share(look.violating), share(look.satisfied), share(look.good), f"{look.length:.0f}",
         "kept" if look.step == found.best else look.barred)
        for look in found.looks
    ]  # fmt: skip
    heads = ("step", "violate", "satisfied", "satisfied without violation", "characters", "")
    return (
        f"<h2>The stop rule</h2><p>{html.escape(found.stopped) or 'It ran to its last step.'}</p>"
        + chart("What the gold judge saw", shares)
        + chart("Mean length", {"characters": [(look.step, look.length) for look in found.looks]})
        + _table(heads, rows)
    )


def _examples(folder: Path) -> str:
    found = measured(folder)
    changed = [v.id for v in found["base"].verdicts if v.violates and found["policy"].answers[v.id]][:_EXAMPLES]
    return "".join(
        f"<h3>{html.escape(each)}</h3><h4>before</h4><pre>{html.escape(found['base'].answers[each])}</pre>"
        f"<h4>after</h4><pre>{html.escape(found['policy'].answers[each])}</pre>"
        for each in changed
    )


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{html.escape(each)}" for each in heads)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(each)}" for each in row) for row in rows)
    return f"<table><tr>{head}{body}</table>"


def _read(folder: Path, name: str, kind: type[T]) -> T:
    return msgspec.json.decode((folder / f"{name}.json").read_bytes(), type=kind)
