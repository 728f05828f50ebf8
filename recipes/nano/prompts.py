"""Requests as JSONL for `lawspeaker align`.

Run as `python -m recipes.nano.prompts SEED COUNT`.

A line has an id, the request, and `wanted`: the names and values that a satisfying answer holds.
"""

import json
import sys
from random import Random

from . import tasks


def lines(seed: str, count: int) -> list[str]:
    rng = Random(f"lawspeaker/nano/align/{seed}")
    plans = [tasks.draw_plan(rng) for _ in range(count)]
    return [
        json.dumps({"id": f"{seed}-{number}", "request": plan.request, "wanted": sorted(plan.wanted)})
        for number, plan in enumerate(plans)
    ]


if __name__ == "__main__":
    print("\n".join(lines(sys.argv[1], int(sys.argv[2]))))
