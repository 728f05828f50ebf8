"""Who can speak: the interface to every model."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Final, Literal, Protocol, runtime_checkable

import msgspec

from lawspeaker.errors import ModelError
from lawspeaker.exchange import Message, Part, Text, ToolCall

Finish = Literal["stop", "length", "tool_calls", "refused"]


class Sampling(msgspec.Struct, frozen=True):
    """How to draw an answer. `temperature` 0 is greedy; `seed` None is not reproducible; `max_tokens` bounds the
    answer, with the reasoning before it where a model reasons, and `timeout` (seconds) the wait for it.

    A remote model may take no `temperature` and no `seed`: then it draws as it always does.
    """

    temperature: float = 1.0
    seed: int | None = None
    max_tokens: int = 1024
    timeout: float = 60.0


class Tool(msgspec.Struct, frozen=True):
    """A tool that a model may ask for; `parameters` is the JSON Schema of its arguments."""

    name: str
    description: str = ""
    parameters: Mapping[str, object] = msgspec.field(default_factory=dict)
    strict: bool | None = None


class Form(msgspec.Struct, frozen=True, omit_defaults=True):
    """Structured output: the answer is JSON that fits `schema`; without a schema, any object."""

    name: str = ""
    schema: Mapping[str, object] | None = None
    description: str = ""
    strict: bool | None = None


class Thinking(msgspec.Struct, frozen=True, omit_defaults=True):
    """Anthropic's thinking: whether, within how many tokens, and whether it is shown."""

    kind: Literal["enabled", "adaptive", "disabled"]
    budget: int | None = None
    display: Literal["summarized", "omitted"] | None = None


class Terms(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one request asks for beside `Sampling`. Each field's default leaves it to the model.

    `choice` is whether a tool is called: `required` is any of `tools`, or the one that `named` names. `parallel` is
    whether several may be called at once. An answer ends before a `stop`. `effort` and `verbosity` are the vendors'
    own words for how much a model reasons and says. `keep` is how long a vendor is asked to keep the prompt for the
    next one, which changes its price and no answer, and `betas` are its trials that may be used.
    """

    tools: tuple[Tool, ...] = ()
    choice: Literal["auto", "none", "required"] = "auto"
    named: str = ""
    parallel: bool | None = None
    form: Form | None = None
    stop: tuple[str, ...] = ()
    top_p: float | None = None
    top_k: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    effort: str = ""
    verbosity: str = ""
    thinking: Thinking | None = None
    keep: Literal["", "5m", "1h"] = ""
    betas: tuple[str, ...] = ()

    @property
    def asked(self) -> frozenset[str]:
        """The names of what a model must take to answer so. One that knows no tools calls none, whatever is said of
        them, so of these only the call that is required counts; what changes no answer does not."""
        given = {field for field in self.__struct_fields__ if getattr(self, field) not in (None, "", ())}
        required = {"choice"} if self.choice == "required" else set()
        unthinking = {"thinking"} if self.thinking and self.thinking.kind == "disabled" else set()
        return frozenset(given - {"tools", "choice", "named", "parallel", "keep", "betas"} - unthinking | required)


PLAIN: Final = Terms()


class Usage(msgspec.Struct, frozen=True):
    """Tokens that one completion took, as the model counts them; both 0 where it does not tell."""

    input_tokens: int = 0
    output_tokens: int = 0


class Completion(msgspec.Struct, frozen=True):
    """What a model said: `text`, or the calls that it asks for, or both; never neither.

    `finish` is `length` where the answer was cut off at `max_tokens`, `tool_calls` where the model waits for a tool,
    `refused` where the model or its vendor withheld the answer, else `stop`. `stopped_by` is the one of `Terms.stop`
    that ended it, where the model tells. `ordered` is all of an answer that holds reasoning, in order. Whoever asks for
    words alone and gets calls finds `text` empty; whoever judges the answer judges `parts`.
    """

    text: str
    model: str
    finish: Finish = "stop"
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage = Usage()
    stopped_by: str = ""
    ordered: tuple[Part, ...] = ()

    @property
    def parts(self) -> tuple[Part, ...]:
        """All of it, as the parts of an assistant's turn: the words, then the calls, where there is no other order."""
        return self.ordered or (*((Text(self.text),) if self.text else ()), *self.tool_calls)


class Model(Protocol):
    """A model behind an address.

    Safe to call from many coroutines at once. `takes` are the fields of `Terms` that it heeds, and `seed` where it
    takes one; whoever asks for another is to be told so beforehand. Raises `ModelError` when it does not answer in
    time, or answers nothing (neither words nor tool calls) or nonsense.
    """

    @property
    def name(self) -> str:
        """The address that it was opened by, such as `nano` or `openai:gpt-5`. It is on record and in messages, so
        there is never a key in it."""
        ...

    @property
    def digest(self) -> str:
        """What a record calls the model: digest of the weights (or of the script) where they are here.

        For a model behind HTTP it is of the address alone (base URL and model name). What a vendor or a server puts
        behind that address may change, and the digest does not tell.
        """
        ...

    @property
    def takes(self) -> frozenset[str]: ...

    async def complete(self, messages: Sequence[Message], sampling: Sampling, terms: Terms = PLAIN) -> Completion:
        """The next turn. Tools are offered; a model that knows none answers in words."""
        ...

    async def complete_many(
        self, prompts: Sequence[Sequence[Message]], samplings: Sequence[Sampling]
    ) -> Sequence[Completion | ModelError]:
        """One result per prompt, in order; each completion is drawn as `complete` would draw it.

        A prompt that got no answer has its `ModelError` in its place, so that one failure does not lose the rest. An
        implementation whose only failures concern all prompts alike may raise it instead.
        """
        ...

    async def choose(self, messages: Sequence[Message], options: Sequence[str]) -> tuple[float, ...] | None:
        """Probability of each of `options` as the reply, normalised over them, or None where the model does not
        tell probabilities."""
        ...

    async def close(self) -> None: ...


@runtime_checkable
class Streaming(Protocol):
    """A model that tells its words as they come."""

    def stream(
        self, messages: Sequence[Message], sampling: Sampling, terms: Terms = PLAIN
    ) -> AsyncGenerator[str | Completion, None]:
        """The words of the next turn as they come, and at the end all of it as `complete` would have given it.
        `sampling.timeout` bounds the wait for the first words and for each further ones. Raises `ModelError`."""
        ...


def streamed(
    model: Model, messages: Sequence[Message], sampling: Sampling, terms: Terms = PLAIN
) -> AsyncGenerator[str | Completion, None]:
    """The next turn of any model as a stream; one that does not tell its words early says them all at the end."""
    if isinstance(model, Streaming):
        return model.stream(messages, sampling, terms)
    return _at_once(model, messages, sampling, terms)


async def _at_once(
    model: Model, messages: Sequence[Message], sampling: Sampling, terms: Terms
) -> AsyncGenerator[str | Completion, None]:
    yield await model.complete(messages, sampling, terms)
