"""Prompts: text files that are filled in one pass, with quoted text behind a fence that it cannot forge.

A template has two parts, system and user, parted by a line `---`. `{name}` is a place; nothing that fills a place is
looked at again, so braces in untrusted text are inert. `{fence}` marks quoted text: it is derived from the quoted
texts themselves, so a text that held its own fence would be a fixed point of SHA-256; and the same texts give the
same prompt, so that a seed reproduces an answer and a record can be replayed.
"""

import hashlib
import re
from collections.abc import Iterable
from importlib.resources import files
from typing import Final

import msgspec

from lawspeaker.digest import digest_bytes
from lawspeaker.exchange import Message, Text

_PLACE: Final = re.compile(r"\{([a-z_]+)\}")
_LETTERS: Final = "abcdefghijkmnpqrstuvwxyz23456789"  # 32 characters: five bits each


class Template(msgspec.Struct, frozen=True):
    """A prompt file: its name, its text and, as `digest`, what a record calls it."""

    name: str
    text: str

    @property
    def digest(self) -> str:
        return digest_bytes("lawspeaker/prompt/v1", self.text.encode())

    def fill(self, **texts: str) -> tuple[Message, Message]:
        """System and user message with every place filled. Raises `KeyError` for a place that got no text."""
        filled = {**texts, "fence": _fence(texts.values())}
        system, _, user = self.text.partition("\n---\n")

        def put(part: str) -> tuple[Text]:
            return (Text(_PLACE.sub(lambda place: filled[place[1]], part.strip())),)

        return Message("system", put(system)), Message("user", put(user))


def load_template(package: str, name: str) -> Template:
    """The template `prompts/<name>.txt` beside the code of `package`."""
    return Template(name, (files(package) / "prompts" / f"{name}.txt").read_text(encoding="utf-8"))


def _fence(texts: Iterable[str]) -> str:
    """`==` and 13 letters (65 bits) of the SHA-256 of the quoted texts."""
    state = hashlib.sha256()
    for text in texts:
        state.update(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
    number = int.from_bytes(state.digest()[:9], "big")
    return "==" + "".join(_LETTERS[(number >> shift) & 31] for shift in range(0, 65, 5))
