"""The corpus: an endless stream of conversations, given by a seed.

Sample `i` of seed `s` depends on nothing but (s, i, switches), so that any part can be made again anywhere: by a
second process, by a resumed run, by the digest on the card. Evaluation uses a seed that training does not.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain, islice
from random import Random
from typing import Final

from . import names, tasks
from .page import ADMIN, BREAKABLE, CIPHER, SECRET
from .principles import Law
from .tasks import Course, Sample

TRAIN_SEED: Final = 1
TEST_SEED: Final = 2
_BETWEEN: Final = ('"\n  bucket = "', " ", "\n", '", "', ".", '" {\n  ', " for ", '" "', "`: ")
# The first course teaches to write and to copy; the second, more of what is decided by one token; the third, more of
# what the figures of the first two called weak, and that two good answers are a tie.
_COURSES: Final = (
    Course({"answer": 32, "critique": 33, "revision": 24, "comparison": 7, "other": 4}),
    Course({"answer": 30, "critique": 34, "revision": 18, "comparison": 16, "other": 2}),
    Course({"answer": 41, "critique": 28, "revision": 22, "comparison": 8, "other": 1}, (CIPHER, ADMIN, SECRET), 0.25),
)


def sample(seed: int, index: int, law: Law, breaks: frozenset[str] = BREAKABLE, course: int = 0) -> Sample:
    """One conversation of a course. `breaks` are the switched-on principles: the others are never broken."""
    rng = Random(f"lawspeaker/nano/{seed}/{index}")
    plan = _COURSES[course]
    kind = rng.choices(tuple(plan.shares), tuple(plan.shares.values()))[0]
    if kind == "answer":
        return tasks.answering(rng, law, breaks)
    if kind == "critique":
        return tasks.critique(rng, law, breaks, plan)
    if kind == "revision":
        return tasks.revision(rng, law, breaks, plan)
    return tasks.comparison(rng, law, breaks, plan) if kind == "comparison" else tasks.other(rng)


def stream(seed: int, start: int = 0, breaks: frozenset[str] = BREAKABLE, course: int = 0) -> Iterator[Sample]:
    law = Law()
    index = start
    while True:
        yield sample(seed, index, law, breaks, course)
        index += 1


def rehearsal(seed: int, index: int) -> str:
    """A few names over and over, as Terraform would part them: nothing to learn here but to copy."""
    rng = Random(f"lawspeaker/nano/rehearsal/{seed}/{index}")
    several = [names.name(rng) for _ in range(rng.randint(2, 4))]
    said = ""
    for _ in range(32):
        name = rng.choice(several)
        said += (name if rng.random() < 0.5 else names.label(name)) + rng.choice(_BETWEEN)
    return said


def digest(seed: int, counts: Sequence[int]) -> str:
    """SHA-256 over the samples of all courses: what the card calls the corpus."""
    state = hashlib.sha256()
    starts = accumulate(counts, initial=0)
    courses = [
        islice(stream(seed, start, course=course), count)
        for course, (start, count) in enumerate(zip(starts, counts, strict=False))
    ]
    for one in chain(*courses):
        state.update(json.dumps([one.kind, one.prompt, one.reply], ensure_ascii=False).encode("utf-8", "replace"))
    return state.hexdigest()
