"""OpenAI's Embeddings: texts are judged as a request is, and what upholds the law is made vectors of.

Wire format: https://platform.openai.com/docs/api-reference/embeddings. There are no words in the answer, so a refusal
cannot stand in it: it is status 400, which no client's library asks again. Texts that come as tokens are refused, since
only the model that they are for can read them.
"""

from typing import Annotated, Any, Final, Literal

import msgspec

from lawspeaker.exchange import Exchange, Message, Text
from lawspeaker.gateway.answer import governing, refusal, told
from lawspeaker.gateway.body import decode
from lawspeaker.gateway.fault import RequestError, bad
from lawspeaker.gateway.neutral import Outcome
from lawspeaker.gateway.routes import Client, Route
from lawspeaker.models.embeddings import Embedder, Vectors

MOST_TEXTS: Final = 2048


class Embed(msgspec.Struct, forbid_unknown_fields=True):
    """A request for vectors."""

    model: str
    input: str | list[Any]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] | None = None
    user: str | None = None

    @property
    def texts(self) -> list[str]:
        return [self.input] if isinstance(self.input, str) else self.input


def read(body: bytes) -> Embed:
    """Raises `RequestError`."""
    asked = decode(body, Embed)
    if not asked.texts or len(asked.texts) > MOST_TEXTS:
        raise bad(f"the input is 1 to {MOST_TEXTS} texts", "input")
    if not all(isinstance(text, str) for text in asked.texts):
        raise bad("the input is text here: tokens could not be read, and so not be judged", "input")
    if not all(asked.texts):
        raise bad("a text of the input is empty", "input")
    return asked


async def embed(asked: Embed, route: Route, client: Client, id: str) -> tuple[Outcome, bytes]:
    """What was decided on the request, and the answer's body: vectors, or an empty one where the law refuses them. `id`
    is the subject in the log. Raises `RequestError`."""
    model = route.governor.model
    if not isinstance(model, Embedder):
        raise bad("the model behind this route makes no vectors", "model", "unsupported_parameter")
    wanted = {"dimensions": asked.dimensions, "encoding_format": asked.encoding_format}
    how = {name: value for name, value in wanted.items() if value is not None}

    async def vectors() -> Vectors:
        return await model.embed(asked.texts, route.governor.sampling.timeout, how)

    exchange = Exchange((Message("user", tuple(Text(text) for text in asked.texts)),))
    governor = governing(route.governor, client, route.governor.sampling)
    with told(id):
        governed, made = await governor.pass_on(exchange, vectors, subject=id)
    decision = governed.decision
    if made is None:
        words = refusal(decision.action, decision.because, id)
        return Outcome(refusal=words, action=decision.action, waived=governed.waived), b""
    if client.spend is not None:
        client.spend(made.usage.input_tokens)
    data = [{"object": "embedding", "index": n, "embedding": value} for n, value in enumerate(made.values)]
    usage = {"prompt_tokens": made.usage.input_tokens, "total_tokens": made.usage.input_tokens}
    body = {"object": "list", "data": data, "model": asked.model, "usage": usage}
    return Outcome(usage=made.usage, waived=governed.waived), msgspec.json.encode(body)


def refused(outcome: Outcome) -> RequestError:
    """The refusal as this form has it."""
    return bad(outcome.refusal, code="content_filter")
