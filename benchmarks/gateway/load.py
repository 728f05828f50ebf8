"""A fixed number of clients, each of which asks again as soon as it is answered; HTTP by hand, as in `upstream`."""

import asyncio
import json
import time
from urllib.parse import urlsplit

_ASKED = [{"role": "user", "content": "How long are our invoices kept?"}]


def request(url: str, model: str, key: str = "any") -> bytes:
    """The bytes of one Chat Completions request."""
    at = urlsplit(url)
    body = json.dumps({"model": model, "messages": _ASKED}).encode()
    head = f"POST {at.path} HTTP/1.1\r\nhost: {at.netloc}\r\ncontent-type: application/json\r\n"
    return f"{head}authorization: Bearer {key}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


class Client(asyncio.Protocol):
    """One connection. `taken` are seconds an answer, `ends` statuses; what is not 200 or does not hold `expected` is
    counted as `wrong`."""

    def __init__(self, data: bytes, expected: bytes, end: float) -> None:
        self.data, self.expected, self.end = data, expected, end
        self.taken: list[float] = []
        self.wrong: dict[str, int] = {}
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._got += data
        end = self._got.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._got[:end].lower()
        at = head.find(b"content-length:")
        if at >= 0:
            if len(self._got) < end + 4 + int(head[at + 15 :].split(b"\r\n", 1)[0]):
                return
        elif not self._got.endswith(b"0\r\n\r\n"):  # chunked
            return
        self.taken.append(time.perf_counter() - self._begun)
        status = head[9:12].decode()
        if status != "200" or self.expected not in self._got:
            how = status if status != "200" else "another answer"
            self.wrong[how] = self.wrong.get(how, 0) + 1
        if time.perf_counter() < self.end:
            self._ask()
        else:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if time.perf_counter() < self.end:
            self.wrong["cut off"] = self.wrong.get("cut off", 0) + 1
        if not self.done.done():
            self.done.set_result(None)

    def _ask(self) -> None:
        self._got, self._begun = b"", time.perf_counter()
        self._transport.write(self.data)


async def load(
    url: str, data: bytes, expected: bytes, seconds: float, clients: int
) -> tuple[list[float], dict[str, int]]:
    """Seconds each answer took, and what was wrong, of `clients` that asked for so many `seconds`."""
    at, end = urlsplit(url), time.perf_counter() + seconds
    loop = asyncio.get_running_loop()
    made = []
    for _ in range(clients):
        _, client = await loop.create_connection(lambda: Client(data, expected, end), at.hostname, at.port)
        made.append(client)
    await asyncio.wait([client.done for client in made], timeout=seconds + 30)
    wrong: dict[str, int] = {}
    for client in made:
        for how, count in client.wrong.items():
            wrong[how] = wrong.get(how, 0) + count
    return [each for client in made for each in client.taken], wrong
