"""One endpoint of a model server: deadlines, retries, bounded replies, and errors that say what to do.

What every wire format shares. A reply with status 408, 429 or 5xx is asked for again, a few times and after a pause
that grows and is partly chance; a connection that broke is not, since nobody knows what the server has done by then.
Models differ in the parameters that they take: what a server says that its model does not take is left out from then
on, as long as the answer stays bounded without it.
"""

import asyncio
import random
import re
import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing, closing, contextmanager
from functools import partial
from types import MappingProxyType
from typing import Final, Generic, NamedTuple, TypeVar

import aiohttp
import msgspec

from lawspeaker.errors import ModelError, RejectedError
from lawspeaker.models.sse import Events

CONNECTIONS: Final = 100  # at the same time to one server; who asks beyond waits, within its own time-out
_MAX_REPLY: Final = 8 * 1024 * 1024  # bytes: far beyond any answer, and no way to fill the memory
_MAX_EVENTS: Final = 128 * 1024 * 1024  # bytes of such a reply as events, of which each names the model again
_MAX_WORDS: Final = 200  # characters of a server's own in an error message
_TRIES: Final = 3
_PAUSE: Final = 0.5  # seconds before the second try at most; doubled for each further one

# the bound on the answer: the newer name counts reasoning too, and OpenAI's reasoning models know no other
_NONE: Final[Mapping[str, str]] = MappingProxyType({})
_LIMITS: Final = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
_REFUSALS: Final = frozenset({400, 403})  # OpenAI answers 403 where a model tells no probabilities
_MISTAKES: Final = frozenset({400, 413, 422})  # the same request would be refused again
# a value out of range is the caller's mistake, so "supported range" must not match
_NOT_TAKEN: Final = re.compile(
    r"unsupported|not support|unrecognized|not allowed|not enabled|only \S+ is allowed", re.I
)
_HELD_OUTSIDE: Final = aiohttp.ClientTimeout(total=None)  # `ask` holds the time-out, over all tries
_T = TypeVar("_T")


class Fault(msgspec.Struct):
    message: str
    param: str | None = None
    code: str | int | None = None


class _Refusal(msgspec.Struct):
    error: Fault | str


class _Answer(NamedTuple, Generic[_T]):
    """Status and body of what a server answers, the seconds that it wants waited, and the reply if it is one."""

    status: int
    data: bytes
    wait: float | None
    reply: _T | None


class NotTakenError(RejectedError):
    """The model does not take a parameter without which the question makes no sense."""

    def __init__(self, message: str, parameter: str) -> None:
        super().__init__(message)
        self.parameter = parameter


class Wire:
    """`POST <url>` for the model that messages call `name`, in the JSON form that is called `form`.

    `optional` names the parameters that may be left out; a reply has `largest` bytes at most. At the same time there
    are `connections` at most, 0 for any number.
    """

    def __init__(
        self,
        name: str,
        url: str,
        form: str,
        key: str | None,
        headers: Mapping[str, str],
        optional: frozenset[str],
        largest: int = _MAX_REPLY,
        connections: int = CONNECTIONS,
    ) -> None:
        self.name, self.url, self.form = name, url, form
        self._connections = connections
        self.left_out: set[str] = set()  # parameters that the server said the model does not take
        self._key, self._headers, self._optional, self._largest = key, headers, optional, largest
        self._instead: dict[str, str] = {}
        self._session: aiohttp.ClientSession | None = None

    async def ask(
        self,
        fixed: Mapping[str, object],
        parameters: Mapping[str, object],
        timeout: float,
        needed: Mapping[str, object],
        headers: Mapping[str, str] = _NONE,
    ) -> bytes:
        """The body of the server's answer to `fixed`, `parameters` and `needed` together.

        Where the model does not take a parameter, the request is sent again without it: once for each, and all within
        `timeout`. `headers` are beside those of every request. Raises `NotTakenError` where that is one of `needed`,
        `RejectedError` where the server finds something else wrong with the request, and `ModelError` for everything
        else.
        """
        with self._failing(timeout):
            async with asyncio.timeout(timeout):
                return await self._answered(fixed, parameters, needed, timeout, partial(self._once, headers))

    async def events(
        self,
        fixed: Mapping[str, object],
        parameters: Mapping[str, object],
        timeout: float,
        needed: Mapping[str, object],
        headers: Mapping[str, str] = _NONE,
    ) -> AsyncGenerator[list[bytes], None]:
        """The data of the events with which the server answers, as many at a time as came together. `timeout` holds
        for the first and for each further wait. Else as `ask`."""
        with self._failing(timeout):
            async with asyncio.timeout(timeout):
                response = await self._answered(
                    fixed, parameters, needed, timeout, partial(self._begun, headers, timeout)
                )
            with closing(response):
                if response.content_type != "text/event-stream":
                    words = "does not answer in events; hold the streams of this route"
                    raise ModelError(f"{self.name}: {self.url} {words}")
                received = Events()
                async with aclosing(self._chunks(response, _MAX_EVENTS)) as chunks:
                    async for chunk in chunks:
                        ready = received.take(chunk)
                        if received.waiting > self._largest:
                            words = f"an event of {self.url} is larger than {self._largest} bytes"
                            raise ModelError(f"{self.name}: {words}")
                        if ready:
                            yield ready

    def decode(self, data: bytes, form: type[_T]) -> _T:
        """`data` as `form`."""
        try:
            return msgspec.json.decode(data, type=form)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise ModelError(
                f"{self.name}: {self.url} did not answer in {self.form} JSON; is it the address of such a server?"
            ) from None

    def empty(self, reason: str | None, spent: int) -> ModelError:
        """What is wrong with an answer of neither words nor calls; `spent` tokens where it ran into their bound."""
        why = f"finish reason {self.clean(reason or 'none')}"
        if spent:  # a reasoning model's reasoning counts
            why = f"its {spent} tokens were spent before it said anything; allow it more"
        return ModelError(f"{self.name}: the answer is empty ({why})")

    def broken(self) -> ModelError:
        """What is wrong with a stream that did not come to its end."""
        return ModelError(f"{self.name}: the stream of {self.url} broke off before its end; try again")

    def failed(self, words: str) -> ModelError:
        """What is wrong where the server says so in its reply."""
        said = self.clean(words) or "it does not say why"
        return ModelError(f"{self.name}: {self.url} failed: {said}; try again later")

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _taken(self, wanted: Mapping[str, object]) -> dict[str, object]:
        return {self._instead.get(n, n): value for n, value in wanted.items() if n not in self.left_out}

    def _not_taken(self, fault: Fault, sent: Mapping[str, object], needed: Mapping[str, object]) -> str | None:
        """The parameter that the model does not take, among those that were sent and need not be or are `needed`."""
        if not _NOT_TAKEN.search(f"{fault.code} {fault.message}"):
            return None
        named = [fault.param] if fault.param else re.findall(r"\w+", fault.message.lower())
        may = {*self._optional, *_LIMITS, *needed}
        return next((n for n in named if n in sent and n in may), None)

    def _leave_out(self, name: str, tried: set[str]) -> bool:
        """Remember that the model does not take `name`. False where nothing could stand in for it."""
        tried.add(name)
        if name not in _LIMITS or name in self._optional:
            self.left_out.add(name)
        elif _LIMITS[name] in tried:
            return False
        else:
            self._instead = {name: _LIMITS[name], _LIMITS[name]: _LIMITS[name]}
        return True

    @contextmanager
    def _failing(self, timeout: float) -> Iterator[None]:
        """What may go wrong with a connection, as a `ModelError`."""
        try:
            yield
        except TimeoutError:
            raise ModelError(
                f"{self.name}: no answer from {self.url} within {timeout:g} s; allow it more time or try later"
            ) from None
        except (aiohttp.ClientError, OSError, UnicodeError) as error:  # UnicodeError: a host that no DNS can carry
            what = self.clean(str(error)) or type(error).__name__
            raise ModelError(f"{self.name}: {what}; is a model served at {self.url}?") from None

    async def _answered(
        self,
        fixed: Mapping[str, object],
        parameters: Mapping[str, object],
        needed: Mapping[str, object],
        timeout: float,
        once: Callable[[bytes], Awaitable[_Answer[_T]]],
    ) -> _T:
        """The reply with status 200, to the request that the model takes."""
        for gone in self.left_out.intersection(needed):
            raise NotTakenError(f"{self.name}: the model takes no {gone}", gone)
        tried: set[str] = set()
        until = asyncio.get_running_loop().time() + timeout
        while True:
            body = self._taken({**parameters, **needed})
            answer = await self._post({**fixed, **body}, until, once)
            if answer.reply is not None:
                return answer.reply
            refused = self._not_taken(_fault(answer.data), body, needed) if answer.status in _REFUSALS else None
            if refused and refused in needed:
                if refused in self._optional:
                    self.left_out.add(refused)
                raise NotTakenError(f"{self.name}: the model takes no {refused}", refused)
            if refused is None or refused in tried or not self._leave_out(refused, tried):
                raise self._rejected(answer.status, answer.data)

    async def _post(
        self, body: Mapping[str, object], until: float, once: Callable[[bytes], Awaitable[_Answer[_T]]]
    ) -> _Answer[_T]:
        """The answer, asked for again where that may help and there is time before `until`."""
        data = msgspec.json.encode(body)
        for tries in range(1, _TRIES + 1):
            answer = await once(data)
            again = answer.status in {408, 429} or answer.status >= 500
            wait = answer.wait
            if wait is None:
                wait = _PAUSE * 2 ** (tries - 1) * (0.5 + random.random() / 2)
            if not again or tries == _TRIES or asyncio.get_running_loop().time() + wait >= until:
                break
            await asyncio.sleep(wait)
        return answer

    async def _once(self, headers: Mapping[str, str], data: bytes) -> _Answer[bytes]:
        """A whole reply."""
        with closing(await self._sent(data, headers)) as response:
            return await self._read(response, wanted=True)

    async def _begun(self, headers: Mapping[str, str], timeout: float, data: bytes) -> _Answer[aiohttp.ClientResponse]:
        """A reply with status 200 as it begins; whoever reads on waits up to `timeout` each time."""
        response = await self._sent(data, headers, aiohttp.ClientTimeout(total=None, sock_read=timeout))
        if response.status == 200:
            return _Answer(200, b"", None, response)
        with closing(response):
            read = await self._read(response, wanted=False)
        return _Answer(read.status, read.data, read.wait, None)

    async def _sent(
        self, data: bytes, headers: Mapping[str, str], timeout: aiohttp.ClientTimeout = _HELD_OUTSIDE
    ) -> aiohttp.ClientResponse:
        """The answer to `data`. A redirect is not followed: prompt and key are for this address only."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                headers={"Content-Type": "application/json", "Accept-Encoding": "gzip", **self._headers},
                connector=aiohttp.TCPConnector(limit=self._connections),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,  # so that the limit on a reply is on what it decompresses to
            )
        response = await self._session.post(
            self.url, data=data, headers=headers, allow_redirects=False, timeout=timeout
        )
        if 300 <= response.status < 400:
            response.close()
            where = self.clean(response.headers.get("Location", "")) or "nowhere"
            raise ModelError(
                f"{self.name}: {self.url} redirects (HTTP {response.status}) to {where}; a prompt does not follow,"
                " give the address that answers"
            )
        return response

    async def _read(self, response: aiohttp.ClientResponse, *, wanted: bool) -> _Answer[bytes]:
        """All of `response`; as the reply where it is `wanted` and has status 200."""
        after = response.headers.get("Retry-After", "").strip()
        wait = float(after) if re.fullmatch(r"\d{1,6}(\.\d{1,3})?", after) else None
        data = b"".join([chunk async for chunk in self._chunks(response, self._largest)])
        return _Answer(response.status, data, wait, data if wanted and response.status == 200 else None)

    async def _chunks(self, response: aiohttp.ClientResponse, most: int) -> AsyncGenerator[bytes, None]:
        """The reply's bytes as they come, decompressed; at most `most` of them on the wire and in memory."""
        encoding = response.headers.get("Content-Encoding", "").strip().lower()
        if encoding not in {"", "identity", "gzip", "x-gzip"}:
            raise ModelError(
                f"{self.name}: {self.url} replied in the encoding {self.clean(encoding)!r}, which was not asked for"
            )
        unzip = zlib.decompressobj(zlib.MAX_WBITS | 16) if "gzip" in encoding else None
        size = received = 0
        async for chunk in response.content.iter_chunked(65536):
            received += len(chunk)
            try:
                plain = unzip.decompress(chunk, most + 1 - size) if unzip else chunk
            except zlib.error:
                raise ModelError(f"{self.name}: the reply of {self.url} cannot be decompressed") from None
            size += len(plain)
            if max(size, received) > most:
                raise ModelError(f"{self.name}: the reply of {self.url} is larger than {most} bytes")
            yield plain

    def _rejected(self, status: int, data: bytes) -> ModelError:
        words = self.clean(_fault(data).message) or "no body"
        kind = RejectedError if status in _MISTAKES else ModelError
        return kind(f"{self.name}: HTTP {status} from {self.url}: {words}{_advice(status)}")

    def clean(self, text: str) -> str:
        """A server's words for an error message: one line, nothing that controls a terminal or turns the direction of
        writing, no key, and not many of them."""
        if self._key:
            text = text.replace(self._key, "[key]")
        return "".join(c for c in " ".join(text.split()) if c.isprintable())[:_MAX_WORDS]


def _advice(status: int) -> str:
    """What somebody can do about `status`; nothing where the server's own words must do."""
    if status in {401, 403}:
        return "; check the key and what it may use"
    if status == 404:
        return "; check the model's name and the address"
    if status == 429:
        return "; wait, or have the limit raised"
    return "; try again later" if status == 408 or status >= 500 else ""


def _fault(data: bytes) -> Fault:
    """What a server says is wrong: in OpenAI's form, alone or (Gemini) in a list, else in its first words."""
    try:
        reply = msgspec.json.decode(data, type=_Refusal | list[_Refusal])
        error = reply.error if isinstance(reply, _Refusal) else reply[0].error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, IndexError):
        error = data[:2000].decode("utf-8", "replace")
    return Fault(error) if isinstance(error, str) else error
