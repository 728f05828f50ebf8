"""The history of one governed exchange: everything that happened, in order, as plain data."""

import msgspec

from lawspeaker.deliberation.critique import Critique
from lawspeaker.deliberation.revision import Revision
from lawspeaker.finding import Finding
from lawspeaker.models.base import Sampling, Usage


class Draft(msgspec.Struct, frozen=True, tag="draft", tag_field="kind"):
    """The model's first answer. `finish` is `length` where it was cut off; `stopped_by` is the sequence that ended
    it, where the model tells."""

    text: str
    model: str
    sampling: Sampling
    finish: str
    usage: Usage = Usage()
    stopped_by: str = ""


class Assessment(msgspec.Struct, frozen=True, tag="assess", tag_field="kind"):
    """Findings on `of`: `request`, `draft`, `revision` or `redaction`."""

    of: str
    findings: tuple[Finding, ...]


class Redaction(msgspec.Struct, frozen=True, tag="redact", tag_field="kind"):
    """The answer after the spans of these principles were cut out."""

    principles: tuple[str, ...]
    text: str


class Fault(msgspec.Struct, frozen=True, tag="fault", tag_field="kind"):
    """A model that did not do its part: `during` is `draft`, `critique` or `revision`."""

    during: str
    principle: str
    what: str


Step = Draft | Assessment | Critique | Revision | Redaction | Fault
