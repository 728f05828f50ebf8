"""Redaction: the spans of a violation are cut out of the answer and a mark stands in their place."""

from collections import defaultdict
from collections.abc import Sequence

from lawspeaker.constitution.schema import Constitution
from lawspeaker.exchange import Exchange, Message, Part, Reasoning, Text
from lawspeaker.finding import Finding

_Place = tuple[int, int]  # message, part


def redact(exchange: Exchange, findings: Sequence[Finding], constitution: Constitution) -> Exchange:
    """The exchange without the violating spans of principles whose `on_violation` is `redact`.

    Only words of the answer are cut: a tool call with a hole in it would be another call. What could not be cut stays,
    and the next assessment finds it again. Reasoning does not stay beside an answer that is not the one it led to.
    """
    acts = {principle.id for principle in constitution.principles if principle.on_violation == "redact"}
    cuts: dict[_Place, list[tuple[int, int, str]]] = defaultdict(list)
    for finding in findings:
        if finding.principle in acts and finding.outcome == "violated" and not finding.waived:
            for span in finding.spans:
                cuts[span.message, span.part].append((span.start, span.end, finding.principle))
    start = exchange.answer_start
    cut = Exchange(
        tuple(
            message if m < start else Message(message.role, _cut_parts(message.parts, m, cuts))
            for m, message in enumerate(exchange.messages)
        )
    )
    return cut if cut == exchange else _unreasoned(cut)


def hide(exchange: Exchange, findings: Sequence[Finding], constitution: Constitution) -> Exchange:
    """The exchange without the answer's reasoning, where a principle that wants the answer cut or revised is violated
    in it. Reasoning is never edited: it may be signed, and it is a record of what was thought."""
    acts = {each.id for each in constitution.principles if each.on_violation in ("redact", "revise")}
    violated = {
        (span.message, span.part)
        for finding in findings
        if finding.principle in acts and finding.outcome == "violated" and not finding.waived
        for span in finding.spans
    }
    reasoned = any(
        isinstance(part, Reasoning) and (m, p) in violated
        for m, message in enumerate(exchange.messages)
        if m >= exchange.answer_start
        for p, part in enumerate(message.parts)
    )
    return _unreasoned(exchange) if reasoned else exchange


def _unreasoned(exchange: Exchange) -> Exchange:
    """`exchange` without the answer's reasoning."""
    answer = (
        Message(message.role, tuple(part for part in message.parts if not isinstance(part, Reasoning)))
        for message in exchange.messages[exchange.answer_start :]
    )
    return Exchange((*exchange.request.messages, *(message for message in answer if message.parts)))


def _cut_parts(parts: Sequence[Part], message: int, cuts: dict[_Place, list[tuple[int, int, str]]]) -> tuple[Part, ...]:
    return tuple(
        Text(cut(part.text, cuts[message, p]), part.name) if isinstance(part, Text) and (message, p) in cuts else part
        for p, part in enumerate(parts)
    )


def cut(text: str, cuts: Sequence[tuple[int, int, str]]) -> str:
    """`text` with every (start, end, principle) replaced by a mark; overlapping cuts become one."""
    pieces, at = [], 0
    for start, end, principle in sorted(cuts):
        if end <= at:
            continue
        if start >= at:
            pieces += [text[at:start], f"[redacted: {principle}]"]
        at = end
    return "".join([*pieces, text[at:]])
