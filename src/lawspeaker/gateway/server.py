"""The process around the gateway: a socket, uvicorn, and a clean end."""

import asyncio
import signal
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from ipaddress import ip_address

import uvicorn

from lawspeaker.errors import InputError
from lawspeaker.gateway.app import Gateway

_END = 20  # seconds that answers in the making have when the server is told to stop
_BACKLOG = 2048
_LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def loopback_names(host: str) -> frozenset[str]:
    """By which names a request may call a server on loopback."""
    return _LOOPBACK_NAMES | {host.lower()}


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; raises `InputError` where it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        raise InputError(f"cannot listen on {host}:{port}: {error.strerror}") from None
    return sock


async def serve(gateway: Gateway, sock: socket.socket, ready: Callable[[], None]) -> None:
    """Serve until SIGINT or SIGTERM; what is being answered then is answered."""
    server = _Server(
        uvicorn.Config(
            gateway,
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_END,
        )
    )
    server.ready = ready
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, server.stop)
    await server.serve(sockets=[sock])


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
