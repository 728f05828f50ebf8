"""Texts as vectors, from any server that speaks OpenAI's Embeddings.

Wire format: https://platform.openai.com/docs/api-reference/embeddings.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final, Protocol, runtime_checkable

import msgspec

from lawspeaker.errors import ModelError
from lawspeaker.models.base import Usage
from lawspeaker.models.turns import sendable
from lawspeaker.models.wire import CONNECTIONS, Wire

_LARGEST: Final = 96 * 1024 * 1024  # bytes of a reply: 2,048 vectors of 3,072 numbers, written out
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]*={0,2}")


class Vectors(msgspec.Struct, frozen=True):
    """One vector for each text, in order: a list of numbers, or their bytes in base64."""

    values: tuple[list[float] | str, ...]
    usage: Usage = Usage()


@runtime_checkable
class Embedder(Protocol):
    """A model that can make vectors of texts. Raises `ModelError` as `Model` does."""

    async def embed(self, texts: Sequence[str], timeout: float, how: Mapping[str, object]) -> Vectors:
        """`how` holds what else is asked for: `dimensions`, `encoding_format`."""
        ...


class _Vector(msgspec.Struct):
    index: int
    embedding: list[float] | str


class _Used(msgspec.Struct):
    prompt_tokens: int = 0


class _Reply(msgspec.Struct):
    data: list[_Vector]
    usage: _Used | None = None


class Embedding:
    """`POST <base>/embeddings` for `model`; `name` is what messages call it."""

    def __init__(
        self,
        name: str,
        base: str,
        model: str,
        key: str | None,
        headers: Mapping[str, str],
        connections: int = CONNECTIONS,
    ) -> None:
        url = base.rstrip("/") + "/embeddings"
        self._wire = Wire(name, url, "Embeddings", key, headers, frozenset(), _LARGEST, connections)
        self._model = model

    async def embed(self, texts: Sequence[str], timeout: float, how: Mapping[str, object]) -> Vectors:
        """See `Embedder`."""
        fixed = {"model": self._model, "input": [sendable(text) for text in texts]}
        reply = self._wire.decode(await self._wire.ask(fixed, {}, timeout, how), _Reply)
        found = sorted(reply.data, key=lambda vector: vector.index)
        if [vector.index for vector in found] != list(range(len(texts))):
            raise ModelError(f"{self._wire.name}: {len(found)} vectors for {len(texts)} texts")
        values = tuple(vector.embedding for vector in found)
        if any(isinstance(value, str) and not _BASE64.fullmatch(value) for value in values):
            raise ModelError(f"{self._wire.name}: a vector is neither numbers nor base64")
        used = reply.usage or _Used()
        return Vectors(values, Usage(used.prompt_tokens))

    async def close(self) -> None:
        await self._wire.close()
