"""A model that says what a file tells it to: for tests, and for trying a constitution without any model.

The file is a YAML (or JSON) list. A prompt takes the first entry that is not spent and whose `when` is found in it:

    - when: Which answer          # part of the prompt; absent: every prompt
      reply: "(A)"                # what is said, with
      calls: [{name: f, text: "{}"}]  # the tools that it asks for (either may be absent); or
      fail: connection refused    # the call fails with these words
      odds: [0.8, 0.2]            # what `choose` answers
      wait: 2                     # seconds before the answer
      again: true                 # not spent by one use
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec

from lawspeaker.digest import digest_bytes
from lawspeaker.errors import ModelConfigError, ModelError
from lawspeaker.exchange import Message, ToolCall
from lawspeaker.models.base import PLAIN, Completion, Sampling, Terms, Usage


class ScriptedCall(msgspec.Struct, forbid_unknown_fields=True):
    """A call that a line asks for; `text` holds the arguments."""

    name: str
    text: str = "{}"
    id: str = ""


class Entry(msgspec.Struct, forbid_unknown_fields=True):
    """One line of the script."""

    when: str = ""
    reply: str = ""
    calls: tuple[ScriptedCall, ...] = ()
    fail: str = ""
    odds: tuple[float, ...] = ()
    wait: float = 0.0
    again: bool = False


class Scripted:
    """The model behind `scripted:FILE`. However it is asked, it says what the file says."""

    takes = frozenset({"seed", *Terms.__struct_fields__})

    def __init__(self, name: str, digest: str, entries: Sequence[Entry]) -> None:
        self.name, self.digest = name, digest
        self._entries = list(entries)

    @classmethod
    def open(cls, path: Path) -> "Scripted":
        """Raises `ModelConfigError` for a file that is no script."""
        try:
            data = path.read_bytes()
            entries = msgspec.yaml.decode(data, type=list[Entry])
        except OSError as error:
            raise ModelConfigError(f"scripted:{path}: {error.strerror}; give a file that can be read") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            line = " ".join(str(error).split())
            raise ModelConfigError(f"scripted:{path}: {line}; see `lawspeaker.models.scripted`") from None
        return cls(f"scripted:{path}", digest_bytes("lawspeaker/model/scripted", data), entries)

    async def complete(self, messages: Sequence[Message], sampling: Sampling, terms: Terms = PLAIN) -> Completion:
        """The next line, whatever the tools. A token is a word here."""
        entry = await self._next(messages, sampling.timeout)
        if not entry.reply.strip() and not entry.calls:
            raise ModelError(f"{self.name}: the answer is empty")
        calls = tuple(ToolCall(call.name, call.text, call.id) for call in entry.calls)
        heard = sum(len(part.text.split()) for message in messages for part in message.parts)
        usage = Usage(heard, len(entry.reply.split()) + sum(len(call.text.split()) for call in calls))
        return Completion(entry.reply, self.name, "tool_calls" if calls else "stop", calls, usage)

    async def complete_many(
        self, prompts: Sequence[Sequence[Message]], samplings: Sequence[Sampling]
    ) -> list[Completion | ModelError]:
        said: list[Completion | ModelError] = []
        for prompt, sampling in zip(prompts, samplings, strict=True):
            try:
                said.append(await self.complete(prompt, sampling))
            except ModelError as error:
                said.append(error)
        return said

    async def choose(self, messages: Sequence[Message], options: Sequence[str]) -> tuple[float, ...] | None:
        entry = await self._next(messages, Sampling().timeout)
        if not entry.odds:
            return None
        if len(entry.odds) != len(options) or sum(entry.odds) <= 0:
            raise ModelError(f"{self.name}: {len(entry.odds)} odds for {len(options)} options")
        return tuple(odds / sum(entry.odds) for odds in entry.odds)

    async def close(self) -> None:
        """Nothing is held."""

    async def _next(self, messages: Sequence[Message], timeout: float) -> Entry:
        prompt = "\n".join(message.text for message in messages)
        entry = next((entry for entry in self._entries if entry.when in prompt), None)
        if entry is None:
            raise ModelError(f"{self.name}: the script has no line left for this prompt")
        if not entry.again:
            self._entries.remove(entry)
        try:
            await asyncio.wait_for(asyncio.sleep(entry.wait), timeout)
        except TimeoutError:
            raise ModelError(f"{self.name}: no answer within {timeout:g} s") from None
        if entry.fail:
            raise ModelError(f"{self.name}: {entry.fail}")
        return entry
