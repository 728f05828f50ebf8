"""A conversation in the tokens of a Hugging Face tokenizer.

The model's own chat template writes it. A special token in what somebody says is parted by a space first, so that
nobody but the template ends a turn or begins one.
"""

from collections.abc import Sequence
from typing import Any

from jinja2 import TemplateError

from lawspeaker.errors import ModelConfigError
from lawspeaker.exchange import Message


class Transcript:
    """A tokenizer with its chat template. `ends` are the tokens that end a turn, `pad` fills rows."""

    def __init__(self, name: str, tokenizer: Any) -> None:
        if not tokenizer.chat_template:
            raise ModelConfigError(f"{name}: it has no chat template, so nobody can talk to it; name a chat model")
        if tokenizer.eos_token_id is None:
            raise ModelConfigError(f"{name}: its tokenizer has no end token")
        self.tokenizer = tokenizer
        self.ends = frozenset({int(tokenizer.eos_token_id)})
        self.pad = int(tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id)
        special = {str(token) for token in tokenizer.all_special_tokens}
        added = (token for token in tokenizer.added_tokens_decoder.values() if token.special)
        self._special = sorted((special | {token.content for token in added}) - {""}, key=len, reverse=True)

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """The conversation up to where the reply begins."""
        return self._ids(self.write(messages))

    def write(self, messages: Sequence[Message]) -> str:
        """The same in words."""
        turns = self.turns(messages)
        try:
            return self._template(turns)
        except TemplateError:  # some families know no system turn: its words go before the first user's
            if turns[0]["role"] != "system" or len(turns) == 1:
                raise
            head = {**turns[1], "content": f"{turns[0]['content']}\n\n{turns[1]['content']}"}
            return self._template([head, *turns[2:]])

    def turns(self, messages: Sequence[Message]) -> list[dict[str, str]]:
        """What the template is given."""
        return [
            {"role": "user" if message.role == "tool" else message.role, "content": self._inert(message.text)}
            for message in messages
        ]

    def reply(self, text: str) -> list[int]:
        """A whole reply, ended."""
        return [*self._ids(self._inert(text)), *self.ends]

    def text(self, ids: Sequence[int]) -> str:
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True))

    def _template(self, turns: list[dict[str, str]]) -> str:
        return str(self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _inert(self, text: str) -> str:
        text = text.encode("utf-8", "replace").decode()  # half of a surrogate pair is no character
        for token in self._special:
            text = text.replace(token, f"{token[0]} {token[1:]}")
        return text
