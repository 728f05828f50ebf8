"""The gold judge of `recipes/quickstart.yaml`: reads answers back by `reader.py`, which shares no code with the checks.

A line in is a line of `prompts.py` with an `answer`; a line out says which principles it violates and whether it is
one fenced block that parses and holds all that was asked for.
"""

import json
import sys

from .reader import read

if __name__ == "__main__":
    for line in sys.stdin:
        one = json.loads(line)
        found = read(one["answer"])
        satisfied = found.whole and all(text in found.text for text in one["wanted"])
        print(json.dumps({"id": one["id"], "violates": sorted(found.principles), "satisfied": satisfied}))
