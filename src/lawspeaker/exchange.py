"""What is judged: messages made of parts.

An exchange is a conversation up to and including the answer under judgement. The answer is whatever the assistant
said after the last thing that somebody else said.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Literal

import msgspec

Role = Literal["system", "user", "assistant", "tool"]
Scope = Literal["request", "answer", "reasoning", "tool_call", "tool_result"]
SCOPES: tuple[Scope, ...] = ("request", "answer", "reasoning", "tool_call", "tool_result")


class Text(msgspec.Struct, frozen=True, tag="text", tag_field="type", omit_defaults=True, forbid_unknown_fields=True):
    """Words or code. `name` is the file that it came from, empty for speech."""

    text: str
    name: str = ""


class Reasoning(
    msgspec.Struct, frozen=True, tag="reasoning", tag_field="type", omit_defaults=True, forbid_unknown_fields=True
):
    """What a model thought aloud before it answered. Its vendor may have signed it, so that it is taken back only as
    it was given; or `sealed` it, so that nobody but the vendor can read it, and there is no `text`."""

    text: str
    signature: str = ""
    sealed: str = ""


class ToolCall(
    msgspec.Struct, frozen=True, tag="tool_call", tag_field="type", omit_defaults=True, forbid_unknown_fields=True
):
    """A call that the model asks for. `text` holds the arguments, exactly as the model wrote them (JSON)."""

    name: str
    text: str
    id: str = ""


class ToolResult(
    msgspec.Struct, frozen=True, tag="tool_result", tag_field="type", omit_defaults=True, forbid_unknown_fields=True
):
    """What a tool returned: untrusted text. `failed` where it is said to be an error."""

    text: str
    id: str = ""
    failed: bool = False


Part = Text | Reasoning | ToolCall | ToolResult


class Message(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One turn. `outside`: a client sent it, whoever it says has spoken; nobody here has judged it before."""

    role: Role
    parts: tuple[Part, ...]
    outside: bool = False

    @property
    def text(self) -> str:
        """The words of this turn, without reasoning and tool traffic."""
        return "\n".join(part.text for part in self.parts if isinstance(part, Text))


class Segment(msgspec.Struct, frozen=True):
    """One part under judgement and its place: `message` and `part` are indices into the exchange."""

    scope: Scope
    message: int
    part: int
    text: str
    name: str


class Exchange(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """A conversation; see the module's first lines for what in it is the answer."""

    messages: tuple[Message, ...]

    @property
    def answer_start(self) -> int:
        """Index of the first message of the answer; `len(messages)` where there is none yet."""
        index = len(self.messages)
        while index and self.messages[index - 1].role == "assistant":
            index -= 1
        return index

    @property
    def has_answer(self) -> bool:
        return self.answer_start < len(self.messages)

    @property
    def request(self) -> "Exchange":
        """The exchange without its answer."""
        return Exchange(self.messages[: self.answer_start])

    @property
    def answer(self) -> str:
        """The answer's words."""
        return "\n".join(message.text for message in self.messages[self.answer_start :])

    def with_answer(self, text: str) -> "Exchange":
        """The same request with `text` as its answer."""
        return Exchange((*self.request.messages, Message("assistant", (Text(text),))))

    def segments(self, scopes: frozenset[Scope] | None = None) -> Iterator[Segment]:
        """Every part under judgement, in order, with its scope.

        System messages are the deployment's own words and earlier answers were judged in their own turn: neither is
        a segment, unless it came from outside; then it is part of the request. Every user turn and tool result is a
        segment, since an attack may be spread over turns.
        """
        return iter(self._all) if scopes is None else (each for each in self._all if each.scope in scopes)

    # Kept, since every check asks for them.
    @cached_property
    def _all(self) -> tuple[Segment, ...]:
        start = self.answer_start
        return tuple(
            Segment(scope, m, p, part.text, part.name if isinstance(part, Text | ToolCall) else "")
            for m, message in enumerate(self.messages)
            for p, part in enumerate(message.parts)
            if (scope := _scope(message, part, in_answer=m >= start))
        )


def ask(text: str) -> Exchange:
    """An exchange of one user turn."""
    return Exchange((Message("user", (Text(text),)),))


def _scope(message: Message, part: Part, *, in_answer: bool) -> Scope | None:
    if isinstance(part, ToolResult) or message.role == "tool":
        return "tool_result"
    if message.role == "user":
        return "request"
    if message.role != "assistant" or not in_answer:
        return "request" if message.outside else None
    if isinstance(part, ToolCall):
        return "tool_call"
    return "reasoning" if isinstance(part, Reasoning) else "answer"
