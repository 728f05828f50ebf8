"""Where lawspeaker's checks, Checkov and the labels of nano's corpus agree: on violations that nano's answers hold.

    python -m benchmarks.nano.agreement [--checkov PATH] [--answers 400] [--from generator|nano]

Answers come out of the generator, whose own flags are then the labels, or from nano at temperature 1, where the reader
of `recipes/nano/` judges. `--checkov` is its command, best in an environment of its own. Each pair of an answer and a
principle that its resources can break counts once; Checkov is held against the pairs that one of its checks asks about
(`benchmarks/align/checkov.json` says which, `Answer.asked` what it has no like of). Prints one JSON object, the
disagreements among it.
"""

import argparse
import asyncio
import json
import re
from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import Final

from benchmarks.align.external import CHECKS, failed
from lawspeaker.checks.assess import assess
from lawspeaker.checks.registry import KINDS
from lawspeaker.constitution.load import load
from lawspeaker.exchange import Message, Text, ask
from lawspeaker.finding import by_principle
from lawspeaker.models.base import Sampling
from lawspeaker.models.nano import Nano
from lawspeaker.statistics import wilson
from recipes.nano import corpus, reader, tasks
from recipes.nano.page import ADMIN, LEAST, Plan

PORTS: Final = re.compile(r'from_port += (?:0|22|3389)\b|protocol += "-1"')
"""What Checkov asks of an open rule: SSH, RDP, or everything."""
OPENING: Final = re.compile(r"\n\n|\n(?= *ingress \{)|\n(?= *egress \{)")
ANYONE: Final = re.compile(r'"(?:0\.0\.0\.0/0|::/0)"')
SERVICE: Final = re.compile(r'"\w+:\*"')


@dataclass(frozen=True)
class Answer:
    """An answer, the principles that its resources can break, and those that it breaks by its label."""

    text: str
    can: frozenset[str]
    breaks: frozenset[str]

    def asked(self, principle: str) -> bool:
        """Whether Checkov has a check that asks what the principle asks of this answer."""
        if principle == ADMIN:
            rules = [part for part in OPENING.split(self.text) if ANYONE.search(part) and "egress" not in part]
            return all(PORTS.search(part) for part in rules)
        if principle == LEAST:
            return not SERVICE.search(self.text)
        return principle in CHECKS.values()


def generated(plan: Plan) -> Answer:
    page = plan.page()
    return Answer(page.text, tasks.breakable(plan), frozenset(flag.principle for flag in page.flags))


async def answered(plan: Plan, nano: Nano, seed: int) -> Answer | None:
    """nano's answer to the request of `plan`; None where it does not parse."""
    said = await nano.complete((Message("user", (Text(plan.request),)),), Sampling(seed=seed))
    read = reader.read(said.text)
    return Answer(read.text, tasks.breakable(plan), read.principles) if read.whole else None


async def checked(answers: list[Answer]) -> list[frozenset[str]]:
    """The principles that each answer breaks by lawspeaker's checks."""
    law = load("infrastructure", kinds=KINDS)
    found = []
    for answer in answers:
        exchange = ask("Terraform, please.").with_answer(f"```hcl\n{answer.text}\n```")
        outcomes = by_principle(await assess(exchange, law))
        found.append(frozenset(id for id, outcome in outcomes.items() if outcome == "violated"))
    return found


class Agreement:
    """Agreement of two judges over pairs of an answer and a principle, with the pairs on which they differ."""

    def __init__(self) -> None:
        self.same: Counter[str] = Counter()
        self.pairs: Counter[str] = Counter()
        self.differ: Counter[str] = Counter()
        self.violated = 0

    def add(self, principle: str, one: bool, other: bool, names: tuple[str, str]) -> None:
        self.pairs[principle] += 1
        self.same[principle] += one == other
        self.violated += one and other
        if one != other:
            self.differ[f"{principle}: only {names[0] if one else names[1]}"] += 1

    def shown(self) -> dict[str, object]:
        same, pairs = sum(self.same.values()), sum(self.pairs.values())
        low, high = wilson(same, pairs)
        return {
            "pairs": pairs,
            "violated by both": self.violated,
            "agree": round(same / pairs, 4),
            "interval": [round(low, 4), round(high, 4)],
            "by principle": {id: f"{self.same[id]} of {n}" for id, n in sorted(self.pairs.items())},
            "differ": dict(self.differ.most_common()),
        }


async def drawn(count: int, source: str) -> list[Answer]:
    rng = Random(f"lawspeaker/benchmark/agreement/{corpus.TEST_SEED}")
    plans = [tasks.draw_plan(rng) for _ in range(count)]
    if source == "generator":
        return [generated(plan) for plan in plans]
    nano = Nano.load()
    said = [await answered(plan, nano, number) for number, plan in enumerate(plans)]
    return [answer for answer in said if answer]


async def compared(count: int, source: str, checkov: str | None) -> dict[str, object]:
    answers = await drawn(count, source)
    ours = await checked(answers)
    theirs = failed([answer.text for answer in answers], checkov) if checkov else [set() for _ in answers]
    labels, peers = Agreement(), Agreement()
    for answer, own, found in zip(answers, ours, theirs, strict=True):
        for principle in sorted(answer.can):
            labels.add(principle, principle in own, principle in answer.breaks, ("checks", "label"))
            if checkov and answer.asked(principle):
                peers.add(principle, principle in own, principle in found, ("lawspeaker", "checkov"))
    shown = {"answers": len(answers), "from": source, "checks and labels": labels.shown()}
    return shown | ({"lawspeaker and checkov": peers.shown()} if checkov else {})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkov", help="its command; left out, Checkov is not run")
    parser.add_argument("--answers", type=int, default=400)
    parser.add_argument("--from", dest="source", choices=("generator", "nano"), default="nano")
    options = parser.parse_args()
    print(json.dumps(asyncio.run(compared(options.answers, options.source, options.checkov)), indent=2))


if __name__ == "__main__":
    main()
