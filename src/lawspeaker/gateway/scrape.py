"""`/metrics` on an address of its own. It serves nothing else."""

from collections.abc import Callable

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


class Scrape:
    """Tells the counters to whom `admit` lets in: it raises `RequestError` for others."""

    def __init__(self, metrics: Metrics, hosts: Hosts, admit: Admit) -> None:
        self._metrics, self._hosts, self._admit = metrics, hosts, admit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            with boundary("the counters"):
                text = self._text(scope["path"], scope["method"], dict(scope["headers"]))
        except RequestError as error:
            await asgi.whole(send, error.status, str(error).encode() + b"\n", asgi.TEXT)
        except LawspeakerError:
            await asgi.whole(send, 500, b"the counters could not be told\n", asgi.TEXT)
        else:
            await asgi.whole(send, 200, text, asgi.TEXT)

    def _text(self, path: str, method: str, headers: Headers) -> bytes:
        if hostname(headers.get(b"host", b"").decode("latin-1").lower()) not in self._hosts:
            raise RequestError(403, "this server is not called by that host name")
        if path != "/metrics" or method != "GET":
            raise RequestError(404, "there is no such path here")
        self._admit(headers)
        return self._metrics.text()
