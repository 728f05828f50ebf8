"""The process around the gateway: sockets, uvicorn, and a clean end."""

import asyncio
import signal
import socket
import ssl
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Final

import uvicorn

from lawspeaker.gateway.app import Gateway
from lawspeaker.gateway.binding import Bound
from lawspeaker.gateway.protocol import BoundedProtocol
from lawspeaker.gateway.scrape import Scrape

_END: Final = 20  # seconds that answers in the making have when the server is told to stop
# Seconds that a connection without a request is kept: longer than most clients keep theirs, who would else send a
# request into one that is being closed.
_IDLE: Final = 75


async def serve(
    gateway: Gateway, scrape: Scrape, bound: Bound, ready: Callable[[], None], life: int | None = None
) -> None:
    """Serve until SIGINT or SIGTERM; what is being answered then is answered, unless a second one comes. With `life`,
    as one of a supervisor's: until SIGTERM or the end of `life`, and SIGQUIT ends it at once."""
    main = _Server(_config(gateway, bound.secured))
    servers = [main]
    runs = [main.serve(sockets=[bound.sock])]
    if bound.scraped is not None:
        counters = _Server(_config(scrape, bound.secured if bound.guarded else None))
        servers.append(counters)
        runs.append(counters.serve(sockets=[bound.scraped]))
    servers[-1].ready = ready

    _end_when_told(servers, life)
    await asyncio.gather(*runs)


def _end_when_told(servers: Sequence["_Server"], life: int | None) -> None:
    loop = asyncio.get_running_loop()

    def stop() -> None:
        for server in servers:
            server.stop()

    if life is None:
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, stop)
        return

    def end() -> None:  # is said more than once: by the supervisor, by whoever signals a whole group, by its going
        loop.remove_reader(life)
        for server in servers:
            server.should_exit = True

    loop.add_reader(life, end)
    loop.add_signal_handler(signal.SIGTERM, end)
    loop.add_signal_handler(signal.SIGQUIT, stop)


def _config(app: Gateway | Scrape, secured: ssl.SSLContext | None) -> uvicorn.Config:
    config = uvicorn.Config(
        app,
        http=BoundedProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_IDLE,
        timeout_graceful_shutdown=_END,
    )
    config.load()
    config.ssl = secured
    return config


class _Server(uvicorn.Server):
    """uvicorn's server, stopped by this program's own handlers: uvicorn's would raise the signal once more when it is
    done, and the process would die before the log is closed."""

    ready: Callable[[], None] = staticmethod(lambda: None)

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready()

    def stop(self) -> None:
        """The first call ends it politely, the second at once."""
        if self.should_exit:
            self.force_exit = True
        self.should_exit = True
