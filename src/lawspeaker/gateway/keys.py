"""Access keys at the gateway: a key becomes a client, and what its answers take is counted."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from lawspeaker.access import AccessError, Key, Keyring
from lawspeaker.errors import ModelError
from lawspeaker.exchange import Message
from lawspeaker.gateway.fault import RequestError
from lawspeaker.gateway.routes import Authenticate, Client, Headers, Spend, bearer
from lawspeaker.models.base import PLAIN, Completion, Model, Sampling, Terms, streamed


def by_key(keyring: Keyring) -> Authenticate:
    """Lets in whoever brings a key of `keyring`."""

    def authenticate(headers: Headers) -> Client:
        key = _admitted(keyring, headers)
        if key.metrics:
            raise RequestError(403, "this key is for /metrics and nothing else", code="invalid_api_key")
        routes = None if key.routes is None else frozenset(key.routes)
        return Client(key.id, key.tenant, routes, lambda tokens: keyring.spend(key, tokens))

    return authenticate


def for_metrics(keyring: Keyring) -> Callable[[Headers], None]:
    """Lets in whoever brings a key that was made for the counters: they tell of every tenant."""

    def admit(headers: Headers) -> None:
        if not _admitted(keyring, headers).metrics:
            raise RequestError(403, "this key is not for /metrics")

    return admit


def _admitted(keyring: Keyring, headers: Headers) -> Key:
    secret = bearer(headers)
    if not secret:
        raise RequestError(401, "a key is needed: as a bearer token or in x-api-key", code="invalid_api_key")
    try:
        return keyring.admit(secret)
    except AccessError as error:
        if error.wait:
            words = f"{error}; it is served again in {error.wait} s"
            raise RequestError(429, words, code="rate_limit_exceeded") from None
        raise RequestError(401, str(error), code="invalid_api_key") from None


class Metered:
    """`model`, on somebody's account."""

    def __init__(self, model: Model, spend: Spend) -> None:
        self._model, self._spend = model, spend
        self.name, self.digest, self.takes = model.name, model.digest, model.takes

    async def complete(self, messages: Sequence[Message], sampling: Sampling, terms: Terms = PLAIN) -> Completion:
        said = await self._model.complete(messages, sampling, terms)
        self._count(said)
        return said

    async def stream(
        self, messages: Sequence[Message], sampling: Sampling, terms: Terms = PLAIN
    ) -> AsyncGenerator[str | Completion, None]:
        """A stream that is broken off says nothing of its tokens: one is counted for every four characters."""
        heard, told = 0, False
        try:
            async with aclosing(streamed(self._model, messages, sampling, terms)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Completion):
                        told = True
                        self._count(piece)
                    else:
                        heard += len(piece)
                    yield piece
        finally:
            if not told:
                self._spend(heard // 4)

    async def complete_many(
        self, prompts: Sequence[Sequence[Message]], samplings: Sequence[Sampling]
    ) -> Sequence[Completion | ModelError]:
        said = await self._model.complete_many(prompts, samplings)
        for each in said:
            if isinstance(each, Completion):
                self._count(each)
        return said

    async def choose(self, messages: Sequence[Message], options: Sequence[str]) -> tuple[float, ...] | None:
        return await self._model.choose(messages, options)

    async def close(self) -> None:
        await self._model.close()

    def _count(self, said: Completion) -> None:
        self._spend(said.usage.input_tokens + said.usage.output_tokens)
