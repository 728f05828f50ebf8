"""What of an answer may leave while it is being made: as much as no check can object to any more.

The text is read again around its undecided end whenever a piece of it comes, with so much of what went before that a
check sees what it would see in the whole. What is to be cut out is cut out as `redact` would do it.

What is not covered: a check whose match depends on more than `_BEFORE` characters before it. The whole answer is
judged at its end, and what differs then ends the stream as a refusal.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Final, Literal

import msgspec

from lawspeaker.checks.sieve import Sieve
from lawspeaker.checks.streams import StreamPlan
from lawspeaker.checks.text.prefixes import before_matches
from lawspeaker.checks.text.readings import forms
from lawspeaker.constitution.schema import Principle
from lawspeaker.deliberation.redaction import cut
from lawspeaker.errors import ModelError
from lawspeaker.exchange import Exchange, Message, Text
from lawspeaker.models.base import Completion

# Characters before the undecided ones that are read with them: by checks, and by what tells what is undecided.
_BEFORE: Final = 1024
_JUST_BEFORE: Final = 256
# Of much undecided text, it takes a part of so many before all of it is read again, so that reading stays linear.
_PART: Final = 8
# Characters beyond which a piece, or what is undecided, is left to the end: there it is judged beside the loop.
_MUCH: Final = 65_536
_BLANK: Final = " \t\r\n\ufeff"

Release = Callable[[str], Awaitable[None]]


class Flowed(msgspec.Struct, frozen=True):
    """A draft, what of it left while it was made, and the principles that stopped it."""

    completion: Completion
    released: str
    stopped: tuple[str, ...] = ()


class _Match(msgspec.Struct, frozen=True):
    principle: Principle
    start: int
    end: int


class Window:
    """The text of one answer under `plan`; principles in `aside` do not decide. In `shadow`, everything may leave."""

    def __init__(self, plan: StreamPlan, aside: frozenset[str] = frozenset(), *, shadow: bool = False) -> None:
        self._watches = [] if shadow else [watch for watch in plan.watches if watch.principle.id not in aside]
        all_watched = len(self._watches) == len(plan.watches)
        self._sieve = plan.sieve if all_watched else Sieve([watch.task.check for watch in self._watches])
        self._retain = plan.retain
        self._pieces: list[str] = []
        self._text, self._done = "", 0  # what may still be read, and how much of it has left
        self._read = 0  # how long `_text` was when it was read
        self._stalled = False
        self._json: bool | None = None  # whether the text begins as JSON does; None where it has not begun
        self._held: int | None = None  # from here on nothing leaves before the end
        self._released: list[str] = []
        self.stopped: tuple[Principle, ...] = ()

    @property
    def text(self) -> str:
        """All that came."""
        return "".join(self._pieces)

    @property
    def released(self) -> str:
        """All that has left."""
        return "".join(self._released)

    @property
    def ends(self) -> Literal["", "escalate", "refuse"]:
        """How the principles that stopped the stream end it."""
        if any(each.last_resort == "refuse" for each in self.stopped):
            return "refuse"
        return "escalate" if self.stopped else ""

    def take(self, piece: str) -> str:
        """What may leave now that `piece` has come."""
        self._pieces.append(piece)
        self._text += piece
        if self._json is None and (begun := self._text.lstrip(_BLANK)):
            self._json = begun[0] in '{["'
        if len(self._text) > _MUCH and self._watches:
            self._stalled = True
        late = len(self._text) - self._read
        if self.stopped or self._stalled or late * _PART < self._read - self._done:
            return ""
        self._read = len(self._text)
        upto = self._decided()
        if upto <= self._done:
            return ""
        matches = self._matches()
        upto = before_matches(upto, [(match.start, match.end) for match in matches])
        self._stop(matches, upto)
        return "" if self.stopped or self._stalled or upto <= self._done else self._leave(matches, upto)

    def _decided(self) -> int:
        near = max(0, self._done - _JUST_BEFORE)
        text = self._text[near:] if near else self._text
        upto = len(self._text)
        if self._json and self._held is None and "\\" in self._text:
            # A string of JSON is read as what it decodes to, as a whole.
            self._held = max(0, self._text.rfind('"', 0, self._text.index("\\")))
        if self._held is not None:
            upto = min(upto, self._held)
        upto = min(upto, near + self._sieve.undecided(text, self._done - near if self._retain is None else -1))
        return upto if self._retain is None else max(upto, len(self._text) - self._retain)

    def _matches(self) -> list[_Match]:
        """What is violated in what has not left, or reaches into it."""
        exchange = Exchange((Message("assistant", (Text(self._text),)),))
        near = self._text[max(0, self._done - _JUST_BEFORE) :]
        concerned = range(len(self._watches)) if forms(near) else sorted(self._sieve.concerned(near))
        found: list[_Match] = []
        for watch in map(self._watches.__getitem__, concerned):
            for finding in watch.task.run(exchange):
                if finding.outcome == "inconclusive" and watch.principle.on_inconclusive != "note":
                    self._stalled = True  # the whole answer may be clearer
                elif finding.outcome == "violated" and watch.principle.on_violation != "note":
                    spans = [span for span in finding.spans if span.end > self._done]
                    found += [_Match(watch.principle, span.start, span.end) for span in spans]
        return found

    def _stop(self, matches: Sequence[_Match], upto: int) -> None:
        """What cannot be cut out stops the stream, once it is decided; so does what has left in part."""
        stopped = [
            match.principle
            for match in matches
            if match.start < self._done or (match.start < upto and match.principle.on_violation != "redact")
        ]
        self.stopped = tuple({principle.id: principle for principle in stopped}.values())

    def _leave(self, matches: Sequence[_Match], upto: int) -> str:
        done = self._done
        cuts = [(match.start - done, match.end - done, match.principle.id) for match in matches if match.start < upto]
        text = cut(self._text[done:upto], cuts)
        self._released.append(text)
        forget = max(0, upto - _BEFORE) if upto > 2 * _BEFORE else 0
        self._text, self._done, self._read = self._text[forget:], upto - forget, self._read - forget
        self._held = None if self._held is None else self._held - forget
        return text


async def flow(pieces: AsyncGenerator[str | Completion, None], model: str, window: Window, release: Release) -> Flowed:
    """The draft that comes in `pieces` from `model`, given to `release` as far as `window` lets it. An answer that is
    refused is heard no further; one that a person has to look at is heard to its end."""
    completion = None
    async with aclosing(pieces):
        async for piece in pieces:
            if isinstance(piece, Completion):
                completion = piece
                continue
            ready = window.take(piece)
            if ready:
                await release(ready)
            if window.ends == "refuse":
                break
    if completion is not None and not completion.text.startswith(window.text):
        raise ModelError(f"{model}: what it said in pieces is not what it said in the end; try again")
    stopped = tuple(each.id for each in window.stopped)
    return Flowed(completion or Completion(window.text, model), window.released, stopped)
