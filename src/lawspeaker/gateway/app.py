"""The gateway as a plain ASGI application: finds the surface, reads the request, answers in that protocol.

Everything that is not listed here is denied: a path that passes through unread is a way around the law.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from lawspeaker.audit.log import Log
from lawspeaker.audit.record import new_id
from lawspeaker.errors import LawspeakerError, boundary
from lawspeaker.gateway import asgi, embeddings
from lawspeaker.gateway.answer import answer, check, check_taken, subjects
from lawspeaker.gateway.asgi import Receive, Scope, Send
from lawspeaker.gateway.betas import HEADER, betas
from lawspeaker.gateway.binding import Hosts, hostname
from lawspeaker.gateway.body import PATIENCE, Room, receive_body
from lawspeaker.gateway.chat import Chat
from lawspeaker.gateway.decisions import decision, models
from lawspeaker.gateway.fault import RequestError, bad
from lawspeaker.gateway.history import continued
from lawspeaker.gateway.messages import Messages, count
from lawspeaker.gateway.neutral import Asked, Outcome, Surface
from lawspeaker.gateway.responses import Responses
from lawspeaker.gateway.routes import Authenticate, Client, Headers, Routes
from lawspeaker.gateway.scrape import Admit, counters, readiness
from lawspeaker.metrics import Metrics

DECISION: Final = b"x-lawspeaker-decision"
_NO_RETRY: Final = (b"x-should-retry", b"false")
WAITS: Final = 7 * 86_400.0  # seconds until an escalated request is refused for good
_SINGLE: Final = (
    b"host",
    b"authorization",
    b"x-api-key",
    b"content-type",
    b"content-encoding",
    b"anthropic-version",
    HEADER,
)
_CHAT: Final = Chat()
_MESSAGES: Final = Messages()
SURFACES: Final[Mapping[str, Surface]] = {
    "/v1/chat/completions": _CHAT,
    "/v1/messages": _MESSAGES,
    "/v1/responses": Responses(),
}


class Gateway:
    """Serves `routes` to whom `authenticate` lets in, if they call it by one of `hosts`. `scraped` lets in who is
    told the counters; without it nobody is here. `held`: seconds between two signs of life on a stream whose answer is
    held; `lasts`: seconds until an escalated request is refused for good."""

    def __init__(
        self,
        routes: Routes,
        authenticate: Authenticate,
        log: Log,
        metrics: Metrics,
        hosts: Hosts,
        *,
        held: float,
        scraped: Admit | None = None,
        lasts: float = WAITS,
    ) -> None:
        self._routes, self._authenticate, self._log = routes, authenticate, log
        self._metrics, self._hosts, self._scraped = metrics, hosts, scraped
        self._held, self._lasts, self._room = held, lasts, Room()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        surface = _MESSAGES if scope["path"].startswith("/v1/messages") else SURFACES.get(scope["path"], _CHAT)
        share = self._room.share(receive)
        try:
            with boundary("the gateway"):
                await self._serve(scope, share.receive, send, surface)
        except RequestError as error:
            await refuse(send, surface, error)
        except LawspeakerError:
            await refuse(send, surface, RequestError(500, "the request could not be served"))
        finally:
            share.give_back()

    async def _serve(self, scope: Scope, receive: Receive, send: Send, surface: Surface) -> None:
        path, method = scope["path"], scope["method"]
        if path == "/healthz" and method == "GET":
            await asgi.whole(send, 200, b'{"status":"ok"}')
            return
        if path == "/readyz" and method == "GET":
            await asgi.whole(send, *await readiness(self._log))
            return
        headers = _once(scope["headers"])
        self._check_host(headers)
        if path == "/metrics" and method == "GET" and self._scraped is not None:
            self._scraped(headers)
            await asgi.whole(send, 200, await counters(self._metrics, self._log), asgi.TEXT)
            return
        client = self._authenticate(headers)
        if path in SURFACES:
            _want("POST", method)
            await self._ask(headers, receive, send, surface, client)
        elif path == "/v1/embeddings":
            _want("POST", method)
            await self._embed(headers, receive, send, client)
        elif path == "/v1/messages/count_tokens":
            _want("POST", method)
            await self._count(headers, receive, send, client)
        elif path == "/v1/models":
            _want("GET", method)
            anthropic = b"anthropic-version" in headers
            await asgi.whole(send, 200, models(self._routes.visible(client), anthropic=anthropic))
        elif path.startswith("/v1/decisions/"):
            _want("GET", method)
            found = await decision(self._log, path.removeprefix("/v1/decisions/"), client, self._lasts)
            await asgi.whole(send, 200, found)
        else:
            raise RequestError(404, "there is no such path here", code="unknown_path")

    async def _count(self, headers: Headers, receive: Receive, send: Send, client: Client) -> None:
        body = await _body(headers, receive)
        if body is not None:
            asked, counted = count(body)
            betas(headers, self._routes.find(asked.model, client).betas)
            await asgi.whole(send, 200, counted)

    async def _embed(self, headers: Headers, receive: Receive, send: Send, client: Client) -> None:
        body = await _body(headers, receive)
        if body is None:
            return
        asked = embeddings.read(body)
        route = self._routes.find(asked.model, client)
        id, begun = new_id(), time.monotonic()
        labels = {"surface": "embeddings", "route": route.name, "tenant": client.tenant}
        try:
            outcome, answer = await embeddings.embed(asked, route, client, id)
            self._tally([outcome], labels)
        except RequestError as error:
            self._metrics.add("lawspeaker_answers_total", 1, outcome="failed", **labels)
            await refuse(send, _CHAT, error, [id])
            return
        finally:
            self._metrics.add("lawspeaker_seconds_total", time.monotonic() - begun, **labels)
        if outcome.refusal:
            await refuse(send, _CHAT, embeddings.refused(outcome), [id])
        else:
            await asgi.whole(send, 200, answer, headers=((DECISION, id.encode()),))

    async def _ask(self, headers: Headers, receive: Receive, send: Send, surface: Surface, client: Client) -> None:
        body = await _body(headers, receive)
        if body is None:
            return
        asked = surface.read(body)
        check(asked, surface.calls)
        route = self._routes.find(asked.model, client)
        check_taken(asked, route.governor.model, surface.calls)
        if surface is _MESSAGES and HEADER in headers:
            terms = msgspec.structs.replace(asked.terms, betas=betas(headers, route.betas))
            asked = msgspec.structs.replace(asked, terms=terms)
        if asked.previous:
            asked = await continued(asked, client, route.governor, self._log)
        exchange = _Exchange(send, surface, asked, subjects(asked))
        begun = time.monotonic()
        work = asyncio.ensure_future(answer(asked, route, client, exchange.ids, exchange.say))
        gone = asyncio.ensure_future(_left(receive))
        try:
            await exchange.finish(work, gone, self._held)
        finally:
            labels = {"surface": surface.name, "route": route.name, "tenant": client.tenant}
            self._count_outcomes(work, labels, time.monotonic() - begun)
            work.cancel()
            gone.cancel()

    def _count_outcomes(self, work: "asyncio.Future[list[Outcome]]", labels: Mapping[str, str], seconds: float) -> None:
        if not work.done() or work.cancelled():
            self._metrics.add("lawspeaker_answers_total", 1, outcome="abandoned", **labels)
        elif work.exception() is not None:
            self._metrics.add("lawspeaker_answers_total", 1, outcome="failed", **labels)
        else:
            self._tally(work.result(), labels)
        self._metrics.add("lawspeaker_seconds_total", seconds, **labels)

    def _tally(self, outcomes: Sequence[Outcome], labels: Mapping[str, str]) -> None:
        for outcome in outcomes:
            self._metrics.add("lawspeaker_answers_total", 1, outcome=outcome.action, **labels)
            for principle in outcome.waived:
                self._metrics.add("lawspeaker_waived_total", 1, principle=principle, **labels)

    def _check_host(self, headers: Headers) -> None:
        """A page in a browser that had its own name point here speaks to another host than it says."""
        if hostname(headers.get(b"host", b"").decode("latin-1").lower()) not in self._hosts:
            raise RequestError(403, "this server is not called by that host name", code="unknown_host")


def _once(pairs: Sequence[tuple[bytes, bytes]]) -> Headers:
    """A proxy in front and we could each go by another one of two."""
    headers = dict(pairs)
    if len(headers) < len(pairs):
        names = [name for name, _ in pairs]
        for name in _SINGLE:
            if names.count(name) > 1:
                raise bad(f"the header {name.decode()} is here twice")
    return headers


def _want(method: str, got: str) -> None:
    if got != method:
        raise RequestError(405, f"this path takes {method}")


class _Exchange:
    """One request that is being answered."""

    def __init__(self, send: Send, surface: Surface, asked: Asked, ids: Sequence[str]) -> None:
        self._send, self._surface, self._asked, self.ids = send, surface, asked, ids
        self._headers = ((DECISION, ",".join(ids).encode()),)
        self._created = int(time.time())
        self._writer = surface.writer(ids[0], self._created, asked)
        self._begun, self._beginning = False, asyncio.Lock()

    async def say(self, index: int, text: str) -> None:
        """Words of an answer whose verdict is still to come, but which no principle can object to."""
        if not self._begun:
            await self._begin()
        await self._more(self._writer.text(index, text))

    async def finish(self, work: "asyncio.Future[list[Outcome]]", gone: "asyncio.Future[None]", held: float) -> None:
        """Answer when the verdict is there. A stream shows signs of life until then, and its status is still open
        until the first of them; a client that left is waited for no longer."""
        while not work.done():
            both: set[asyncio.Future[Any]] = {work, gone}
            await asyncio.wait(both, timeout=held, return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                return
            if not work.done() and self._asked.stream:
                await self._begin()
                await self._more(self._surface.ping())
        try:
            outcomes = work.result()
            if not self._asked.stream:
                body = self._surface.answer(self.ids[0], self._created, self._asked, outcomes)
                await asgi.whole(self._send, 200, body, headers=self._headers)
                return
            events = b"".join(self._writer.finish(outcomes))  # all of it before any: what cannot be said is an error
        except RequestError as error:
            if not self._begun:
                await refuse(self._send, self._surface, error, self.ids)
                return
            await self._more(self._surface.stream_error(error, self.ids[0]), last=True)
            return
        await self._begin()
        await self._more(events, last=True)

    async def _begin(self) -> None:
        if self._begun:
            return
        async with self._beginning:
            if not self._begun:
                await asgi.start(self._send, 200, asgi.EVENTS, self._headers)
                self._begun = True

    async def _more(self, data: bytes, *, last: bool = False) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": not last})


async def refuse(send: Send, surface: Surface, error: RequestError, ids: Sequence[str] = ()) -> None:
    """An error in the protocol's own form. Only what may be well later may be tried again."""
    headers = [] if error.again else [_NO_RETRY]
    if ids:
        headers.append((DECISION, ",".join(ids).encode()))
    await asgi.whole(send, error.status, surface.error(error, ids[0] if ids else ""), headers=headers)


async def _body(headers: Headers, receive: Receive) -> bytes | None:
    kind = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
    if kind != b"application/json":  # any other kind, a page in a browser may send without asking
        raise RequestError(415, "the body is to be application/json")
    if headers.get(b"content-encoding", b"identity").strip().lower() != b"identity":
        raise RequestError(415, "the body is to come as it is, not compressed")
    declared = headers.get(b"content-length")
    try:
        async with asyncio.timeout(PATIENCE):
            return await receive_body(receive, declared.decode("latin-1") if declared is not None else None)
    except TimeoutError:
        raise bad(f"the body did not arrive within {PATIENCE:g} s") from None


async def _left(receive: Receive) -> None:
    """Returns when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
