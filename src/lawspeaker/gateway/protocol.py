"""HTTP as uvicorn reads it, with bounds on a request's head: uvicorn takes any number of bytes, and waits for ever.

The body is bounded where it is read, after the client is known.
"""

import asyncio
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LARGEST_HEAD: Final = 64 * 1024  # bytes
PATIENCE: Final = 60.0  # seconds for a head to arrive, from the connection or from its own first byte
_TOO_LARGE: Final = (
    b'{"error":{"message":"the head of the request is too large","type":"invalid_request_error",'
    b'"param":null,"code":"head_too_large"}}'
)


class BoundedProtocol(HttpToolsProtocol):
    """One connection. A head that is too large is answered with 431; one that does not come is hung up on."""

    patience = PATIENCE
    _taken = 0  # bytes of the head that is being read
    _in_head = True
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._have_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        while self._in_head and data:
            piece, data = data[: LARGEST_HEAD - self._taken], data[LARGEST_HEAD - self._taken :]
            self._taken += len(piece)
            super().data_received(piece)
            if self.transport.is_closing():
                return
            if self._in_head and self._taken >= LARGEST_HEAD:
                self._refuse()
                return
        if data:
            super().data_received(data)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._await_head()

    def on_headers_complete(self) -> None:
        self._have_head()
        super().on_headers_complete()

    def _await_head(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(self.patience, self.transport.close)

    def _have_head(self) -> None:
        self._taken, self._in_head = 0, False
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _refuse(self) -> None:
        length = str(len(_TOO_LARGE)).encode()
        self.transport.write(
            b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json\r\ncontent-length: "
            + length
            + b"\r\nx-should-retry: false\r\nconnection: close\r\n\r\n"
            + _TOO_LARGE
        )
        self.transport.close()
