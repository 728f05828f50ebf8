"""Self-correction of nano, through the whole product: requests that training never saw, govern(), the bundled law.

    python -m benchmarks.core.self_correction [--requests 300]

Two judges look at the same answers. The product's checks drive the correction, so what they say of its result is a
statement about the loop, not about safety; what the law only notes does not count. `recipes/nano/reader.py`, which
shares no code with them and which the correction never sees, says what was really fixed, made worse or lost. Prints
one JSON object; rates have Wilson 95 % intervals.
"""

import argparse
import asyncio
import json
import time
from collections import Counter
from random import Random

from lawspeaker.audit.log import MemoryLog
from lawspeaker.checks.registry import KINDS
from lawspeaker.constitution.load import load
from lawspeaker.constitution.schema import Constitution
from lawspeaker.deliberation.critique import Critique
from lawspeaker.deliberation.revision import Revision
from lawspeaker.deliberation.steps import Draft
from lawspeaker.exchange import ask
from lawspeaker.finding import by_principle
from lawspeaker.govern import Governed, Governor
from lawspeaker.models.base import Sampling
from lawspeaker.models.nano import Nano
from lawspeaker.statistics import wilson
from recipes.nano import corpus, reader, tasks
from recipes.nano.page import Plan


def rate(successes: int, n: int) -> dict[str, object]:
    low, high = wilson(successes, n)
    share = round(successes / n, 4) if n else None
    return {"n": n, "count": successes, "rate": share, "interval": [round(low, 4), round(high, 4)]}


def tally(plan: Plan, governed: Governed, law: Constitution, seen: Counter[str]) -> None:
    """Add one governed exchange to the counts."""
    draft = next(step.text for step in governed.steps if isinstance(step, Draft))
    final = governed.exchange.answer
    first = next(step for step in governed.steps if getattr(step, "of", "") == "draft")
    outcomes = by_principle(first.findings)
    violating = any(outcomes[p.id] == "violated" and p.on_violation != "note" for p in law.principles)
    was, now = reader.read(draft), reader.read(final)
    asked = all(text in was.text for text in plan.wanted)
    seen["drafts"] += 1
    seen["drafts_satisfy_request"] += asked
    seen["drafts_violate_by_checks"] += violating
    seen["drafts_violate_by_reader"] += bool(was.principles)
    seen["checks_and_reader_agree_on_draft"] += violating == bool(was.principles)
    for step in governed.steps:
        if isinstance(step, Critique):
            seen["critiques"] += 1
            seen["critiques_agree_with_checks"] += step.agrees
        elif isinstance(step, Revision):
            seen["revisions"] += 1
            seen["revisions_kept"] += not step.rejected
    if violating:
        seen["violating"] += 1
        seen["violating_released"] += governed.decision.action == "release"
        seen["violating_fixed_by_reader"] += bool(was.principles) and not now.principles
        seen["made_worse_by_reader"] += bool(now.principles - was.principles)
        seen["violating_satisfied"] += asked
        seen["still_satisfied"] += asked and all(text in now.text for text in plan.wanted)


async def run(requests: int) -> dict[str, object]:
    nano, law, seen = Nano.load(), load("infrastructure", kinds=KINDS), Counter[str]()
    rng = Random(f"lawspeaker/benchmark/self-correction/{corpus.TEST_SEED}")
    begun = time.perf_counter()
    async with MemoryLog() as log:
        for number in range(requests):
            plan = tasks.draw_plan(rng)
            governor = Governor(law, nano, nano, log, sampling=Sampling(seed=number))
            tally(plan, await governor.govern(ask(plan.request)), law, seen)
    return {
        "requests": requests,
        "seconds_per_request": round((time.perf_counter() - begun) / requests, 2),
        "model": nano.digest,
        "drafts satisfy the request": rate(seen["drafts_satisfy_request"], seen["drafts"]),
        "drafts violate (checks)": rate(seen["drafts_violate_by_checks"], seen["drafts"]),
        "drafts violate (reader)": rate(seen["drafts_violate_by_reader"], seen["drafts"]),
        "checks and reader agree on the draft": rate(seen["checks_and_reader_agree_on_draft"], seen["drafts"]),
        "critiques agree with the checks": rate(seen["critiques_agree_with_checks"], seen["critiques"]),
        "revisions kept": rate(seen["revisions_kept"], seen["revisions"]),
        "violating drafts released after <= 2 rounds (checks)": rate(seen["violating_released"], seen["violating"]),
        "violating drafts fixed (reader)": rate(seen["violating_fixed_by_reader"], seen["violating"]),
        "violating drafts made worse (reader)": rate(seen["made_worse_by_reader"], seen["violating"]),
        "request still satisfied after correction": rate(seen["still_satisfied"], seen["violating_satisfied"]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=300)
    print(json.dumps(asyncio.run(run(parser.parse_args().requests)), indent=2))


if __name__ == "__main__":
    main()
