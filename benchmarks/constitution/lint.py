"""Lint: 200 principles timed, and 10,000 broken files without a crash.

    python -m benchmarks.constitution.lint [--files 10000] [--seed 1]

The fuzzed files are bundled constitutions with pieces cut, doubled, swapped and replaced. Each must load or be refused
as a `ConstitutionError` of one line, and one that loads must be linted; anything else is a crash. Prints one JSON
object.
"""

import argparse
import json
import random
import time
from collections import Counter

from lawspeaker.checks.registry import KINDS
from lawspeaker.constitution.files import LIBRARY
from lawspeaker.constitution.lint import RULES, lint
from lawspeaker.constitution.load import load_text
from lawspeaker.errors import ConstitutionError

_SCRAPS = (
    "",
    ":",
    "- ",
    "  ",
    "[",
    "]",
    "{",
    "}",
    "'",
    '"',
    "\n",
    "null",
    "critical",
    "note",
    "judge",
    "\u202e",
    "9" * 40,
)


def many(principles: int) -> str:
    """A law of so many principles, made from those of the bundled ones."""
    own = [load_text((LIBRARY / f"{name}.yaml").read_text(), kinds=KINDS) for name in ("agents", "data-protection")]
    pool = [principle for law in own for principle in law.principles]
    rows = [pool[number % len(pool)] for number in range(principles)]
    entries = [
        {
            **{key: value for key, value in row.law().items() if key != "overridable"},
            "id": f"{row.id}-{number}",
            "text": f"{row.text[:-1]}, by rule {number}.",
            "cases": [
                {"name": f"{case.name}", "answer": f"{case.name} {number}", "expect": case.expect} for case in row.cases
            ],
        }
        for number, row in enumerate(rows)
    ]
    return json.dumps({"name": "many", "version": "1.0.0", "summary": "Many.", "principles": entries})


def broken(text: str, dice: random.Random) -> str:
    """`text` after one or two edits."""
    for _ in range(dice.randint(1, 2)):
        at, size = dice.randrange(len(text) + 1), dice.choice((0, 0, 1, 1, 3, 20))
        other = dice.randrange(len(text) + 1)
        piece = dice.choice((dice.choice(_SCRAPS), text[other : other + size], chr(dice.randrange(0x3000))))
        text = text[:at] + piece + text[at + size :]
    return text


def fuzz(files: int, seed: int) -> Counter[str]:
    dice, seen = random.Random(seed), Counter[str]()
    sources = [
        "\n".join((LIBRARY / f"{name}.yaml").read_text(encoding="utf-8").splitlines()[:lines]) + "\n"
        for name, lines in (("agents", 40), ("assistant", 40), ("data-protection", 60), ("data-protection", 28))
    ]
    for _ in range(files):
        try:
            law = load_text(broken(dice.choice(sources), dice), "law.yaml", kinds=KINDS)
        except ConstitutionError as error:
            seen["refused" if len(str(error).splitlines()) == 1 else "more than one line"] += 1
            continue
        seen["linted" if isinstance(lint(law), list) else "no list"] += 1
    return seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    text = many(200)
    law = load_text(text, kinds=KINDS)
    began = time.process_time()
    found = len(lint(law))
    linted = time.process_time() - began
    began = time.process_time()
    seen = fuzz(given.files, given.seed)
    print(
        json.dumps(
            {
                "rules": len(RULES),
                "principles": len(law.principles),
                "lint_cpu_s": round(linted, 3),
                "faults": found,
                "fuzzed": sum(seen.values()),
                **seen,
                "fuzz_cpu_s": round(time.process_time() - began, 1),
            }
        )
    )


if __name__ == "__main__":
    main()
