"""What the critic's labels are worth: position bias, and agreement with the checks where these tell a pair apart.

By a principle the checks tell a pair apart where exactly one of its answers violates it. There a vote should name the
other one; how often it does, and how far its probabilities are from that, is reported by principle. Votes that the
checks gave themselves are counted and say nothing of the critic.
"""

from collections.abc import Sequence

import msgspec

from lawspeaker.align.dataset import Pair, Vote
from lawspeaker.align.measures import Bin, Rate, bins_of, gap, rate
from lawspeaker.align.self_revision import findings
from lawspeaker.constitution.schema import Constitution
from lawspeaker.finding import by_principle


class Votes(msgspec.Struct, frozen=True):
    """Votes by one principle: how many, and of those that the checks tell apart how many name the same side."""

    votes: int
    agrees: Rate


class Agreement(msgspec.Struct, frozen=True):
    """`first` is the mean of P(the answer shown first is better), 0.5 without bias; `position` are votes in which the
    side that is favoured changed with the order; `verified` votes are the checks' own. `ece` and `bins` are over the
    votes on pairs that the checks tell apart."""

    pairs: int
    verified: int
    first: float
    position: Rate
    by_principle: dict[str, Votes]
    ece: float
    bins: tuple[Bin, ...]


async def agreement(pairs: Sequence[Pair], law: Constitution) -> Agreement:
    """Of pairs that could be labelled."""
    agrees: dict[str, list[bool]] = {}
    counts: dict[str, int] = {}
    votes: list[Vote] = []
    said, was = [], []
    for pair in pairs:
        outcomes = [by_principle(await findings(pair.request, text, law)) for text in (pair.a, pair.b)]
        for vote in pair.votes:
            if vote.by != "critic":
                continue
            votes.append(vote)
            counts[vote.principle] = counts.get(vote.principle, 0) + 1
            sides = [each.get(vote.principle) == "violated" for each in outcomes]
            if sum(sides) == 1:
                same = vote.a_better != 0.5 and (vote.a_better > 0.5) == sides[1]
                agrees.setdefault(vote.principle, []).append(same)
                said.append(vote.a_better)
                was.append(float(sides[1]))
    found = bins_of(said, was)
    return Agreement(
        len(pairs),
        sum(len(pair.votes) for pair in pairs) - len(votes),
        sum(vote.bias for vote in votes) / len(votes) if votes else 0.5,
        rate(sum(map(changes, votes)), len(votes)),
        {name: Votes(n, _share(agrees.get(name, []))) for name, n in sorted(counts.items())},
        gap(found),
        found,
    )


def changes(vote: Vote) -> bool:
    """Whether the same place was favoured in both orders, whatever stood in it."""
    first = [sum(odds) / len(odds) for odds in (vote.odds[::2], vote.odds[1::2])]
    return (first[0] > 0.5) == (first[1] > 0.5)


def _share(of: Sequence[bool]) -> Rate:
    return rate(sum(of), len(of))
