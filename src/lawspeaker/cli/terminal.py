"""What stands between us and a terminal or a pipe.

Apart from the other helpers because `main` needs it and must not load what they load.
"""

import contextlib
from typing import TextIO


def visible(text: str) -> str:
    """`text` with everything that a terminal would obey or hide written out: controls, bidi, zero width."""
    return "".join(char if char in "\n\t" or char.isprintable() else f"\\u{ord(char):04x}" for char in text)


class Patient:
    """A stream whose reader may go away (`| head`): what is written after that is dropped, so that the exit code stays
    the command's own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with contextlib.suppress(BrokenPipeError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._stream.flush()
