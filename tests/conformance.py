"""docs/gateway-clients.md: what the gateway's tests showed, for each client and each pair of surface and upstream.

A test says what it shows by the marker `client(name, feature)`, or is one of the `pair` tests. What its reports come to
is the cell: passed, failed or not run. A run of all gateway tests fails where the page is not what it showed; where
there is no page, or with --write-conformance, it writes one.
"""

from pathlib import Path
from typing import Final

import pytest

PAGE: Final = Path(__file__).parent.parent / "docs" / "gateway-clients.md"
_GATEWAY: Final = Path(__file__).parent / "gateway"
_PROPERTY: Final = "conformance"
_WORST: Final = ("failed", "not run", "passed")
_CLIENTS: Final = (
    "openai-python, Chat Completions",
    "openai-python, Responses",
    "openai-python, Embeddings",
    "anthropic-python, Messages",
    "langchain-openai",
    "langchain-anthropic",
    "LiteLLM's SDK",
    "curl",
)
_HEAD: Final = """\
# Clients of the gateway

Written by a run of the tests: what came of each test with the vendors' own clients, unchanged, against a served
process. An empty cell has no test.
"""
_PAIRS: Final = """
## Any surface with any upstream

The same is asked by each surface's client of each upstream form; Gemini is asked at its compatible endpoint.
"""
Cell = tuple[str, str, str]  # table, row, column


def cells(item: pytest.Item) -> list[Cell]:
    """What a test shows."""
    named = item.name.partition("[")[0].removeprefix("test_").replace("_", " ")
    shown: list[Cell] = []
    for marker in item.iter_markers("client"):
        shown.append(("clients", marker.kwargs.get("feature", named), marker.args[0]))
    if item.get_closest_marker("pair"):
        of = item.callspec.params
        how = ", streamed" if of["stream"] else ""
        shown.append(("pairs", f"{of['surface']}: {named}{how}", of["upstream"]))
    return shown


class Conformance:
    """Gathers what the reports say, in the process that has them all."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._came: dict[Cell, str] = {}
        self._wrong = ""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        item.user_properties += [(_PROPERTY, cell) for cell in cells(item)]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call" and report.passed:
            return
        came = {"passed": "passed", "failed": "failed"}.get(report.outcome, "not run")
        for name, cell in report.user_properties:
            if name == _PROPERTY:
                before = self._came.get(tuple(cell), "passed")
                self._came[tuple(cell)] = min(before, came, key=_WORST.index)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if hasattr(self._config, "workerinput") or not self._came:
            return
        if self._config.getoption("--write-conformance") or (self._whole() and not PAGE.exists()):
            PAGE.write_text(page(self._came), encoding="utf-8")
        elif self._whole() and PAGE.read_text(encoding="utf-8") != page(self._came):
            self._wrong = f"{PAGE.name} is not what this run showed; see it with --write-conformance"
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._wrong:
            terminalreporter.write_line(self._wrong, red=True)

    def _whole(self) -> bool:
        """Whether all tests of the gateway were to be run."""
        chosen = any(self._config.getoption(name, None) for name in ("keyword", "markexpr", "deselect", "lf"))
        roots = [self._config.rootpath / arg for arg in self._config.args]
        return not chosen and any(root == _GATEWAY or root in _GATEWAY.parents for root in roots)


def page(came: dict[Cell, str]) -> str:
    """The page for what came of each cell."""
    return _HEAD + _table("clients", "feature", came, _CLIENTS) + _PAIRS + _table("pairs", "surface", came, ())


def _table(table: str, corner: str, came: dict[Cell, str], first: tuple[str, ...]) -> str:
    columns = {column for of, _, column in came if of == table}
    ordered = [column for column in first if column in columns] + sorted(columns - set(first))
    rows = sorted({row for of, row, _ in came if of == table})
    lines = [f"| {corner} | {' | '.join(ordered)} |", f"|---|{'---|' * len(ordered)}"]
    for row in rows:
        lines.append(f"| {row} | {' | '.join(came.get((table, row, column), '') for column in ordered)} |")
    return "\n" + "\n".join(lines) + "\n"
