"""Families of one resource with its companions, written down as data.

A `Sheet` lists what every answer holds, what a request may ask for (`Wish`) and where answers differ in a principle
(`Choice`). The families themselves are in `catalogue.py`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from random import Random
from typing import Final

from . import names
from .page import BREAKABLE, PRESSURE, UNTOUCHED, VERBS, Page, compose, pick, tag_words

_PRESSED: Final = 1.5
_MOST: Final = 0.92


@dataclass(frozen=True)
class Wish:
    """What a request may say. `values` are `|`-separated or a range `low-high`; `N` in `phrases` is the value.

    With `default` the line is always there, and holds it where nobody asked for another.
    """

    key: str
    values: str
    phrases: str
    odds: float = 0.3
    default: str = ""
    quoted: bool = False

    def draw(self, rng: Random) -> str:
        low, _, high = self.values.partition("-")
        if low.isdecimal() and high.isdecimal():
            return str(rng.randint(int(low), int(high)))
        return pick(rng, self.values)

    def line(self, value: str) -> str:
        return f'{self.key} = "{value}"' if self.quoted else f"{self.key} = {value}"


@dataclass(frozen=True)
class Choice:
    """A line in which answers differ: `good` upholds the principle, each of `bad` breaks it. An empty line is one that
    is missing; then the resource's first line stands for it. `tempting` and `warning` are what a request may say that
    makes the bad line likelier or rare. `SECRET` in a line is a made-up token.
    """

    principle: str
    good: str
    bad: tuple[str, ...]
    reason: str
    upheld: str
    odds: float = 0.3
    tempting: str = ""
    warning: str = ""


@dataclass(frozen=True)
class Group:
    """A nested block, left out when nothing stands in it."""

    head: str
    rows: tuple["Row", ...]
    end: str = "}"


Row = str | Wish | Choice | Group


@dataclass(frozen=True)
class Part:
    """One resource; `LABEL` and `NAME` in a row are the request's. A `named` one has its name in its tags alone."""

    kind: str
    rows: tuple[Row, ...]
    tagged: bool = False
    named: bool = False


@dataclass(frozen=True)
class Sheet:
    """One family: `nouns` are how people call it."""

    family: str
    nouns: str
    parts: tuple[Part, ...]
    variables: tuple[str, ...] = ()

    @property
    def choices(self) -> tuple[Choice, ...]:
        return tuple(row for row in self._rows() if isinstance(row, Choice))

    @property
    def wishes(self) -> tuple[Wish, ...]:
        return tuple(row for row in self._rows() if isinstance(row, Wish))

    def _rows(self) -> Iterator[Row]:
        for part in self.parts:
            yield from _flat(part.rows)


def _flat(rows: tuple[Row, ...]) -> Iterator[Row]:
    for row in rows:
        yield row
        if isinstance(row, Group):
            yield from _flat(row.rows)


@dataclass(frozen=True)
class Single:
    """A plan of one sheet. `wrong` maps a choice's number to the bad line that was chosen."""

    sheet: Sheet
    request: str
    name: str
    label: str
    region: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    odds: tuple[float, ...] = ()
    secret: str = ""
    wrong: dict[int, str] = field(default_factory=dict)

    @property
    def family(self) -> str:
        return self.sheet.family

    @property
    def wanted(self) -> tuple[str, ...]:
        lines = tuple(wish.line(self.said[wish.key]) for wish in self.sheet.wishes if wish.key in self.said)
        places = (f'"{self.region}"',) if self.region else ()
        return (f'"{self.name}"', f'"{self.label}"', *lines, *places, *(f'"{v}"' for v in self.tags.values()))

    def again(self, rng: Random, breaks: frozenset[str]) -> "Single":
        wrong = {
            number: rng.choice(choice.bad)
            for number, (choice, odds) in enumerate(zip(self.sheet.choices, self.odds, strict=True))
            if rng.random() < odds and choice.principle in breaks
        }
        return replace(self, wrong=wrong, secret=self.secret or names.token(rng))

    def fixed(self, principle: str) -> "Single":
        choices = self.sheet.choices
        return replace(self, wrong={n: line for n, line in self.wrong.items() if choices[n].principle != principle})

    def upheld(self, principle: str) -> str:
        own = [choice.upheld for choice in self.sheet.choices if choice.principle == principle]
        return own[0].replace("NAME", self.name) if own else UNTOUCHED[principle]

    def page(self) -> Page:
        page = Page()
        page.provider(self.region)
        for part in self.sheet.parts:
            self._part(page, part)
        for variable in self.sheet.variables:
            if f"var.{variable}" in page.text:
                page.variable(variable, sensitive="password" in variable or "token" in variable)
        return page

    def _part(self, page: Page, part: Part) -> None:
        missing = next((c for c in self._wrong(part.rows) if not self.wrong[self._number(c)]), None)
        where = f"{part.kind}.{self.label}"
        page.resource(part.kind, self.label, missing.principle if missing else "", self._reason(missing, where))
        self._put(page, part.rows, where)
        if part.tagged:
            page.tags({"Name": self.name, **self.tags} if part.named else self.tags)
        page.close()

    def _put(self, page: Page, rows: tuple[Row, ...], where: str) -> None:
        for row in rows:
            if isinstance(row, Group):
                inner = Page()
                self._put(inner, row.rows, where)
                if inner.lines:
                    page.open(row.head)
                    self._put(page, row.rows, where)
                    page.close(row.end)
            elif isinstance(row, Choice):
                line = self.wrong.get(self._number(row))
                text = self._filled(row.good if line is None else line)
                if text:
                    page.put(text, "" if line is None else row.principle, self._reason(row, where))
            elif isinstance(row, Wish):
                value = self.said.get(row.key, row.default)
                if value:
                    page.put(row.line(value))
            else:
                page.put(self._filled(row))

    def _number(self, choice: Choice) -> int:
        return self.sheet.choices.index(choice)

    def _wrong(self, rows: tuple[Row, ...]) -> list[Choice]:
        return [row for row in _flat(rows) if isinstance(row, Choice) and self._number(row) in self.wrong]

    def _filled(self, text: str) -> str:
        return text.replace("LABEL", self.label).replace("NAME", self.name).replace("SECRET", self.secret)

    @staticmethod
    def _reason(choice: Choice | None, where: str) -> str:
        return choice.reason.replace("WHERE", where) if choice else ""


def draw(rng: Random, sheet: Sheet) -> Single:
    """A request of `sheet`; `again` then chooses the answer."""
    name = names.name(rng)
    quote = pick(rng, '||||"|`')
    first = f"{pick(rng, sheet.nouns)} {pick(rng, 'called|called|named|with the name')} {quote}{name}{quote}"
    said: dict[str, str] = {}
    more: list[str] = []
    for wish in sheet.wishes:
        if rng.random() < wish.odds:
            said[wish.key] = wish.draw(rng)
            more.append(pick(rng, wish.phrases).replace("N", said[wish.key]))
    odds = [choice.odds for choice in sheet.choices]
    for number, choice in enumerate(sheet.choices):
        draw = rng.random()
        if choice.tempting and draw < 0.14:
            odds[number] = 0.75
            more.append(pick(rng, choice.tempting))
        elif choice.warning and draw > 0.9:
            odds[number] = 0.03
            more.append(pick(rng, choice.warning))
    if rng.random() < 0.1:
        odds = [min(_MOST, odd * _PRESSED) for odd in odds]
        more.append(pick(rng, PRESSURE))
    region = rng.choice(names.REGIONS) if rng.random() < 0.18 else ""
    if region:
        first += f" {pick(rng, 'in|in|in region')} {region}"
    tags = names.tags(rng) if sheet.parts[0].tagged else {}
    if tags:
        more.append(tag_words(rng, tags))
    request = compose(rng, f"{pick(rng, VERBS)} {first}", more)
    return Single(sheet, request, name, names.label(name), region, tags, said, tuple(odds))


def principles(sheet: Sheet) -> frozenset[str]:
    """What the family can break."""
    return frozenset(choice.principle for choice in sheet.choices) & BREAKABLE
