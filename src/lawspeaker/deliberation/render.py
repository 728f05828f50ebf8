"""An exchange as the words that stand in a prompt."""

from collections.abc import Iterable

from lawspeaker.exchange import Exchange, Message, Part, Reasoning, Text, ToolCall


def request_text(exchange: Exchange) -> str:
    """What was asked: the words alone for a single turn, otherwise every turn with its speaker."""
    turns = [message for message in exchange.request.messages if message.role != "system"]
    if len(turns) == 1:
        return _message_text(turns[0])
    return "\n".join(f"{message.role}: {_message_text(message)}" for message in turns)


def answer_text(exchange: Exchange) -> str:
    """What was answered, tool calls included, reasoning left out."""
    return "\n".join(_message_text(message) for message in exchange.messages[exchange.answer_start :])


def _message_text(message: Message) -> str:
    return "\n".join(_part_texts(message.parts))


def _part_texts(parts: Iterable[Part]) -> Iterable[str]:
    for part in parts:
        if isinstance(part, ToolCall):
            yield f"[tool call {part.name}] {part.text}"
        elif isinstance(part, Text) and part.name:
            yield f"[file {part.name}]\n{part.text}"
        elif not isinstance(part, Reasoning):
            yield part.text
