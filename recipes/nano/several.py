"""Two resources in one request: two plans of different families on one page."""

from dataclasses import dataclass, replace
from random import Random

from .page import Page, Plan


@dataclass(frozen=True)
class Several:
    """`plans` share one provider block, so that only the first may name a region."""

    request: str
    plans: tuple[Plan, ...]
    family: str = "several"

    @property
    def wanted(self) -> tuple[str, ...]:
        return tuple(text for plan in self.plans for text in plan.wanted)

    def again(self, rng: Random, breaks: frozenset[str]) -> "Several":
        return replace(self, plans=tuple(plan.again(rng, breaks) for plan in self.plans))

    def fixed(self, principle: str) -> "Several":
        return replace(self, plans=tuple(plan.fixed(principle) for plan in self.plans))

    def upheld(self, principle: str) -> str:
        # the reason that speaks of a line is the longer one; the other says that there is nothing to speak of
        return max((plan.upheld(principle) for plan in self.plans), key=len)

    def page(self) -> Page:
        page = self.plans[0].page()
        for plan in self.plans[1:]:
            page.join(plan.page())
        return page


def pair(first: Plan, second: Plan) -> Several:
    """Both in one request, in the order of asking."""
    opening = first.request if first.request[-1] in ".?!" else first.request + "."
    return Several(f"{opening} {second.request[0].upper()}{second.request[1:]}", (first, second))
