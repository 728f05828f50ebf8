"""Server-sent events, as far as model servers use them: the data of each, from bytes that are cut anywhere.

Format: https://html.spec.whatwg.org/multipage/server-sent-events.html. Names of events are not needed, since their
data says what they are; comments keep a connection open and say nothing.
"""


class Events:
    """Events that come in pieces."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []

    @property
    def waiting(self) -> int:
        """Bytes of an event whose end has not come."""
        return len(self._rest) + sum(map(len, self._data))

    def take(self, chunk: bytes) -> list[bytes]:
        """The data of the events that `chunk` completes."""
        text = self._rest + chunk
        if b"\r" in text:  # a line ends with LF, CR or both; of a CR at the end nobody knows yet
            held = b"\r" if text.endswith(b"\r") else b""
            text = text.removesuffix(b"\r").replace(b"\r\n", b"\n").replace(b"\r", b"\n") + held
        *lines, self._rest = text.split(b"\n")
        ready = []
        for line in lines:
            if line.startswith(b"data:"):
                self._data.append(line[6:] if line[5:6] == b" " else line[5:])
            elif not line and self._data:
                ready.append(b"\n".join(self._data))
                self._data = []
        return ready
