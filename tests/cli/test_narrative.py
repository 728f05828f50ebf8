"""The story's last line: what was mended, and what the law only notes."""

import io

from rich.console import Console

from lawspeaker.cli.narrative import tell
from lawspeaker.decision import Decision
from lawspeaker.deliberation.steps import Assessment
from lawspeaker.finding import Finding


def _assessed(of: str, *violated: str) -> Assessment:
    ids = ("a", "b", "noted")
    return Assessment(of, tuple(Finding(i, "pattern", "violated" if i in violated else "upheld", "r") for i in ids))


def test_only_what_the_draft_violated_was_corrected() -> None:
    out = io.StringIO()
    rejected, kept = _assessed("revision", "a", "b", "noted"), _assessed("revision", "noted")
    tell((_assessed("draft", "a", "noted"), rejected, kept), Decision("release"), Console(file=out, soft_wrap=True))
    assert out.getvalue().splitlines()[-1].strip() == "release, corrected to uphold a; noted: noted"
