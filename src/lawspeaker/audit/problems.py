"""What verification finds."""

import msgspec

_MOST = 1000


class Problem(msgspec.Struct, frozen=True):
    """`index` is the record that it concerns, None where it concerns a file or the log as a whole."""

    index: int | None
    what: str


class Problems:
    """Collects problems. All are counted; of a log in ruins the first thousand are kept."""

    def __init__(self) -> None:
        self.count = 0
        self._found: list[Problem] = []
        self._records: set[int] = set()

    def add(self, index: int | None, what: str) -> None:
        self.count += 1
        if len(self._found) < _MOST:
            self._found.append(Problem(index, what))
            if index is not None:
                self._records.add(index)

    def among(self, low: int, high: int) -> bool:
        """Whether a record from `low` to before `high` has a problem: it explains what lies above it in the tree."""
        return any(low <= index < high for index in self._records)

    def found(self) -> tuple[Problem, ...]:
        """The problems, those of records first, in the order of the log."""
        last = len(self._records) and max(self._records) + 1
        listed = sorted(self._found, key=lambda problem: last if problem.index is None else problem.index)
        if self.count > _MOST:
            listed.append(Problem(None, f"and {self.count - _MOST} more"))
        return tuple(listed)
