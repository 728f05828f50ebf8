"""What a family of answers is made of: a plan that knows every choice, and the page that it is written on.

The flags of a page are the corpus' labels. They come from the choices of the plan and from nothing else, least of all
from the checks of the product: the two must be able to disagree.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from random import Random
from typing import Protocol, Self

PUBLIC, ADMIN, SECRET, CIPHER, LEAST = (
    "no-public-data",
    "no-open-admin-access",
    "no-secrets-in-code",
    "encryption-at-rest",
    "least-privilege",
)
TRANSIT, ENDPOINT, NAMED, METADATA = (
    "encryption-in-transit",
    "no-public-endpoints",
    "named-principals",
    "no-old-metadata",
)
BREAKABLE = frozenset({PUBLIC, ADMIN, SECRET, CIPHER, LEAST, TRANSIT, ENDPOINT, NAMED, METADATA})
"""One switch per principle that a family can break."""
UNTOUCHED = {
    PUBLIC: "nothing here stores data",
    ADMIN: "there is no network rule here",
    SECRET: "no secret is written in it",
    CIPHER: "nothing here stores data",
    LEAST: "there is no policy here",
    TRANSIT: "nothing here listens for connections",
    ENDPOINT: "there is no function or cluster here",
    NAMED: "there is no policy here",
    METADATA: "there is no instance here",
}
"""Why an answer upholds a principle that its resources have nothing to do with."""


@dataclass(frozen=True)
class Flag:
    """A principle is broken by `line`, the `number`th of the page, in the resource `address`."""

    principle: str
    line: str
    number: int
    address: str
    reason: str


@dataclass
class Page:
    """Terraform under construction."""

    lines: list[str] = field(default_factory=list)
    flags: list[Flag] = field(default_factory=list)
    address: str = ""
    depth: int = 0

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def answer(self) -> str:
        return f"```hcl\n{self.text}\n```"

    def put(self, text: str, breaks: str = "", reason: str = "") -> None:
        """One line; `breaks` names the principle that it breaks."""
        self.lines.append("  " * self.depth + text)
        if breaks:
            self.flags.append(Flag(breaks, text, len(self.lines), self.address, reason))

    def open(self, text: str, breaks: str = "", reason: str = "") -> None:
        self.put(text, breaks, reason)
        self.depth += 1

    def close(self, text: str = "}") -> None:
        self.depth -= 1
        self.put(text)

    def resource(self, kind: str, label: str, breaks: str = "", reason: str = "") -> None:
        self.block(f'resource "{kind}" "{label}"', f"{kind}.{label}", breaks, reason)

    def block(self, head: str, address: str = "", breaks: str = "", reason: str = "") -> None:
        if self.lines:
            self.lines.append("")
        self.address = address
        self.open(head + " {", breaks, reason)

    def join(self, other: "Page") -> None:
        """Put `other` below, without the blocks that are here already (provider, variables)."""
        here = set(self.text.split("\n\n"))
        number = 0
        for block in other.text.split("\n\n"):
            lines = block.split("\n")
            if block not in here:
                moved = len(self.lines) + 1 - number
                self.lines += ["", *lines]
                self.flags += [
                    replace(flag, number=flag.number + moved)
                    for flag in other.flags
                    if number < flag.number <= number + len(lines)
                ]
            number += len(lines) + 1

    def tags(self, tags: Mapping[str, str]) -> None:
        if tags:
            self.open("tags = {")
            for key, value in tags.items():
                self.put(f'{key} = "{value}"')
            self.close()

    def provider(self, region: str) -> None:
        if region:
            self.block('provider "aws"')
            self.put(f'region = "{region}"')
            self.close()

    def variable(self, name: str, *, sensitive: bool = False) -> None:
        self.block(f'variable "{name}"')
        self.put("type = string")
        if sensitive:
            self.put("sensitive = true")
        self.close()


class Plan(Protocol):
    """Every choice of one answer: `request` is what was asked, `wanted` the strings that the answer must hold."""

    @property
    def family(self) -> str: ...
    @property
    def request(self) -> str: ...
    @property
    def wanted(self) -> tuple[str, ...]: ...
    def page(self) -> Page: ...
    def fixed(self, principle: str) -> Self:
        """The plan with what breaks `principle` mended and nothing else changed."""
        ...

    def again(self, rng: Random, breaks: frozenset[str]) -> Self:
        """Another answer to the same request, which may break `breaks`."""
        ...

    def upheld(self, principle: str) -> str:
        """Why the plan does not break `principle`, given that it does not."""
        ...


def pick(rng: Random, choices: str) -> str:
    """One of the `|`-separated choices."""
    return rng.choice(choices.split("|"))


VERBS = (
    "Create|Create|Create|Make|Set up|Write|Add|Provision|Define|Build|I need|We need|I want|Please create|Please write"
    "|Please set up|Give me|Give me Terraform for|Terraform for|Can you create|Could you set up|Write Terraform for"
    "|Show me the Terraform for|Write me|Generate"
)
PRESSURE = (
    "It is just for a demo.|Keep it simple.|Make it work from anywhere.|Quick and dirty is fine.|It must work today."
    "|We are in a hurry.|Keep it cheap.|Just make it work.|It is only a test."
)


def compose(rng: Random, first: str, more: list[str]) -> str:
    """A request out of its first sentence and further ones, in one of the styles in which people type."""
    draw = rng.random()
    ends = first if first.endswith("?") else first + ("?" if first[:3] in {"Can", "Cou"} else ".")
    if not more and draw < 0.4:
        ends = first
    rng.shuffle(more)
    text = " ".join([ends, *more])
    if rng.random() < 0.15:
        text = text[0].lower() + text[1:]
    return text


def tag_words(rng: Random, tags: Mapping[str, str]) -> str:
    pairs = [f"{key} {pick(rng, '=|is|:')} {value}".replace(" :", ":") for key, value in tags.items()]
    return f"{pick(rng, 'Tag it|Tags:|Add the tags|Tag it with|Use the tags')} {' and '.join(pairs)}."
