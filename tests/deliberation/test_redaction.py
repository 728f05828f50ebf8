"""Redaction cuts exactly the spans of a violation, and only out of the answer's words."""

from hypothesis import given
from hypothesis import strategies as st

from lawspeaker.constitution.schema import Constitution, Principle
from lawspeaker.deliberation.redaction import redact
from lawspeaker.exchange import Exchange, Message, Segment, Text, ToolCall, ask
from lawspeaker.finding import Finding, span_of

LAW = Constitution(
    name="t",
    version="1.0.0",
    principles=(
        Principle(id="cut", text="x", severity="major", on_violation="redact"),
        Principle(id="keep", text="x", severity="major", on_violation="refuse"),
    ),
)


def _finding(principle: str, text: str, *ranges: tuple[int, int], message: int = 1, part: int = 0) -> Finding:
    segment = Segment("answer", message, part, text, "")
    return Finding(principle, "pattern", "violated", "r", tuple(span_of(segment, a, b) for a, b in ranges))


@given(st.text("abc", max_size=40), st.lists(st.tuples(st.integers(0, 40), st.integers(1, 10)), max_size=6))
def test_what_is_cut_and_what_stays(text: str, cuts: list[tuple[int, int]]) -> None:
    ranges = [(a, min(a + n, len(text))) for a, n in cuts if a < len(text)]
    answer = redact(ask("q").with_answer(text), [_finding("cut", text, *ranges)], LAW).answer
    gone = {i for a, b in ranges for i in range(a, b)}
    assert answer.replace("[redacted: cut]", "") == "".join(c for i, c in enumerate(text) if i not in gone)
    assert ("[redacted: cut]" in answer) == bool(ranges)


def test_other_principles_and_other_parts_are_left_alone() -> None:
    exchange = Exchange((*ask("abc").messages, Message("assistant", (Text("abc"), ToolCall("f", "abc")))))
    findings = [
        _finding("keep", "abc", (0, 2)),
        _finding("cut", "abc", (0, 1), message=0),
        _finding("cut", "abc", (0, 1), part=1),
    ]
    assert redact(exchange, findings, LAW) == exchange
