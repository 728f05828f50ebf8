"""Where a private key in PEM armor ends, however its lines are quoted.

Between the header and the body may stand whatever quotes, comments out or joins lines, and header lines. What makes it
a key is the body: an unbroken run of base64. Words decide nothing here, since a key with the comment `example` opens
the same doors.

What is not covered: a body cut into runs shorter than 32 characters, a comment that quotes another header or end
before the body, and PuTTY's own format.
"""

import re
from typing import Final

# The line that begins a key; also RFC 4716's, which SSH tools write.
BEGIN: Final = r"-{4,5} ?BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)? ?-{4,5}"

_MARK: Final = re.compile(r"-{4,5} ?(?:BEGIN|END) ")
_END: Final = re.compile(r"-{4,5} ?END (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?(?: ?-{4,5})?")
_RUN: Final = re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{32,}")
# The body of a key without an end: lines of base64 with little between them, and a last line of any length.
_LINES: Final = re.compile(r"(?>[A-Za-z0-9+/]{16,}={0,2}(?:\\{1,4}[nrt]|[^A-Za-z0-9+/]){0,40}+)*+[A-Za-z0-9+/]*+={0,2}")
# Without an end, how far from the header a body may begin: documentation names the header too.
_NEAR: Final = 1_000
# A line that ends a key is shorter than this: the words in it are names of algorithms.
_LONGEST_MARK: Final = 120


def key_end(text: str, begin: int) -> int | None:
    """The end of the key whose header line ends at `begin`, or None where no body follows. The next mark bounds what
    is read, so all headers of a text together cost one pass."""
    mark = _MARK.search(text, begin)
    end = _END.match(text, mark.start()) if mark else None
    stop = mark.start() if mark else len(text)
    for run in _RUN.finditer(text, begin, stop if end else min(stop, begin + _NEAR)):
        if _is_base64(run[0]):
            body = _LINES.match(text, run.start(), stop)
            return end.end() if end else body.end() if body else run.end()
    return None


def is_bounded(text: str, begin: int) -> bool:
    """Whether `key_end(text, begin)` stays as it is, if `text` goes on."""
    mark = _MARK.search(text, begin)
    return mark is not None and mark.start() + _LONGEST_MARK <= len(text)


def _is_base64(run: str) -> bool:
    """A path, a name or a digest in hex has no digits, or no letters of one of the cases; 32 random characters that
    miss one of them are rare, and a key has many such runs."""
    return bool(re.search("[a-z]", run) and re.search("[A-Z]", run) and re.search("[0-9]", run))
