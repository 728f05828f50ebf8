"""Errors, named for the boundary that they crossed.

Every error that a person can cause is a `LawspeakerError` whose text is one clear line: what, where, and what would be
right. The command line prints that line and leaves with `exit_code`. Anything else is a bug and keeps its traceback.
"""

from collections.abc import Iterator
from contextlib import contextmanager


class LawspeakerError(Exception):
    """Bad input or configuration, said in one line."""

    exit_code = 2


class ConstitutionError(LawspeakerError):
    """The law cannot be read; `path`, `line` and `column` (both from 1) say where."""

    def __init__(self, what: str, path: str = "", line: int = 0, column: int = 0) -> None:
        self.what, self.path, self.line, self.column = what, path, line, column
        place = f"{path}:{line}:{column}: " if line else f"{path}: " if path else ""
        super().__init__(place + what)


class InputError(LawspeakerError):
    """A file, an argument or a text that cannot be judged."""


class ModelConfigError(LawspeakerError):
    """A model address that names nothing, or a key that is not there."""


class ModelError(LawspeakerError):
    """A model that did not answer: refused, too late, empty or unreadable. Nothing was decided."""

    exit_code = 3


class RejectedError(ModelError):
    """A model's server that finds fault with the request itself: the same one would be rejected again."""


class LogError(LawspeakerError):
    """The audit log cannot be read, written or trusted."""


class BoundaryError(LawspeakerError):
    """Code behind an interface (a check, a judge) failed in a way that it does not promise."""

    exit_code = 3


@contextmanager
def boundary(what: str) -> Iterator[None]:
    """Turn whatever `what` raises into a `BoundaryError`. The only place that catches everything."""
    try:
        yield
    except LawspeakerError:
        raise
    except Exception as error:
        raise BoundaryError(f"{what} failed: {type(error).__name__}") from error
