"""What is told of the gateway itself: its counters, also on an address that serves nothing else, and its readiness."""

from collections.abc import Callable

from lawspeaker.audit.log import Log
from lawspeaker.errors import LawspeakerError, boundary
from lawspeaker.gateway import asgi
from lawspeaker.gateway.asgi import Receive, Scope, Send
from lawspeaker.gateway.binding import Hosts, hostname
from lawspeaker.gateway.fault import RequestError
from lawspeaker.gateway.routes import Headers
from lawspeaker.metrics import Metrics

Admit = Callable[[Headers], None]


def everybody(headers: Headers) -> None:
    """Only this machine can ask."""


async def counters(metrics: Metrics, log: Log) -> bytes:
    """The text that Prometheus reads."""
    state = await log.state()
    now = {"lawspeaker_log_down": bool(state.trouble), "lawspeaker_log_unpublished": bool(state.unpublished)}
    return metrics.text(now)


async def readiness(log: Log) -> tuple[int, bytes]:
    """Without a log nothing is answered. A head that is not out stops no answer, and somebody has to see to it."""
    state = await log.state()
    if state.trouble:
        return 503, b'{"status":"no log"}'
    return 200, b'{"status":"ok","published":false}' if state.unpublished else b'{"status":"ok"}'


class Scrape:
    """Tells the counters to whom `admit` lets in: it raises `RequestError` for others."""

    def __init__(self, metrics: Metrics, log: Log, hosts: Hosts, admit: Admit) -> None:
        self._metrics, self._log, self._hosts, self._admit = metrics, log, hosts, admit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            with boundary("the counters"):
                text = await self._text(scope["path"], scope["method"], dict(scope["headers"]))
        except RequestError as error:
            await asgi.whole(send, error.status, str(error).encode() + b"\n", asgi.TEXT)
        except LawspeakerError:
            await asgi.whole(send, 500, b"the counters could not be told\n", asgi.TEXT)
        else:
            await asgi.whole(send, 200, text, asgi.TEXT)

    async def _text(self, path: str, method: str, headers: Headers) -> bytes:
        if hostname(headers.get(b"host", b"").decode("latin-1").lower()) not in self._hosts:
            raise RequestError(403, "this server is not called by that host name")
        if path != "/metrics" or method != "GET":
            raise RequestError(404, "there is no such path here")
        self._admit(headers)
        return await counters(self._metrics, self._log)
