"""A conversation made ready for a wire format: every tool call has an id, every result names the call it answers."""

from collections.abc import Iterator, Sequence

from lawspeaker.exchange import Message, Part, Reasoning, Text, ToolCall, ToolResult


def ready(messages: Sequence[Message], *, signed: bool = False) -> Iterator[Message]:
    """`messages` without reasoning, which stays here unless a vendor that wants it back has `signed` it, and in
    characters that can be sent.

    Calls without an id get one, and results without one answer the calls that are still open, in order. The words of
    a tool's turn are a result.
    """
    unanswered: list[str] = []
    for number, message in enumerate(messages):
        parts: list[Part] = []
        for at, part in enumerate(message.parts):
            match part:
                case ToolCall(name=name, text=text, id=of):
                    unanswered.append(of or f"call_{number}_{at}")
                    parts.append(ToolCall(sendable(name), sendable(text), sendable(unanswered[-1])))
                case ToolResult(text=text, id=given, failed=failed):
                    parts.append(ToolResult(sendable(text), sendable(_answered(unanswered, given)), failed))
                case Text(text=text) if message.role == "tool":
                    parts.append(ToolResult(sendable(text), sendable(_answered(unanswered, ""))))
                case Text(text=text, name=name):
                    parts.append(Text(sendable(text), name))
                case Reasoning(signature=signature, sealed=sealed) if signed and (signature or sealed):
                    parts.append(part)
                case Reasoning():
                    pass
        yield Message(message.role, tuple(parts))


def sendable(text: str) -> str:
    """Half of a surrogate pair, which a command line can carry, is no character; it becomes a question mark."""
    return text.encode("utf-8", "replace").decode()


def _answered(unanswered: list[str], given: str) -> str:
    answers = given or next(iter(unanswered), "")
    if answers in unanswered:
        unanswered.remove(answers)
    return answers
