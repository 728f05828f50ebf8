"""The page of conformance says what a run showed: not what tests there are."""

from typing import Literal

import pytest

from tests.conformance import Conformance, page

CELL = ("clients", "stream", "curl")


def _report(
    outcome: Literal["passed", "failed", "skipped"], when: Literal["setup", "call", "teardown"] = "call"
) -> pytest.TestReport:
    # as a worker's report comes: through JSON, so that the cell is a list
    properties = [("conformance", list(CELL)), ("other", "x")]
    return pytest.TestReport("id", ("f", 1, "d"), {}, outcome, None, when, user_properties=properties)


@pytest.mark.parametrize(
    ("reports", "came"),
    [
        ([("passed", "setup"), ("passed", "call"), ("passed", "teardown")], "passed"),
        ([("failed", "setup"), ("passed", "teardown")], "failed"),
        ([("passed", "call"), ("failed", "teardown")], "failed"),
        ([("passed", "call"), ("failed", "call"), ("passed", "call")], "failed"),
        ([("skipped", "setup")], "not run"),
        ([("passed", "call"), ("skipped", "call")], "not run"),
    ],
)
def test_a_cell_is_the_worst_of_its_reports(reports: list, came: str, pytestconfig: pytest.Config) -> None:
    gathered = Conformance(pytestconfig)
    for report in reports:
        gathered.pytest_runtest_logreport(_report(*report))
    assert gathered._came == {CELL: came}
    assert f"| stream | {came} |" in page(gathered._came)


def test_a_test_that_never_ran_is_no_cell(pytestconfig: pytest.Config) -> None:
    gathered = Conformance(pytestconfig)
    gathered.pytest_runtest_logreport(_report("passed", "setup"))
    assert not gathered._came
