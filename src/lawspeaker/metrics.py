"""Counters in Prometheus's text format. Labels are names of this deployment's own, never words of a request."""

from collections import defaultdict
from typing import Final

_HELP: Final = {
    "lawspeaker_answers_total": "Answers by what was decided: release, escalate, refuse, failed, abandoned.",
    "lawspeaker_waived_total": "Answers in which a waiver kept a principle from deciding.",
    "lawspeaker_seconds_total": "Seconds that requests took, from their body to the end of their answer.",
}


class Metrics:
    """The counters of one process. Used from one event loop."""

    def __init__(self) -> None:
        self._counts: dict[str, dict[tuple[tuple[str, str], ...], float]] = {name: defaultdict(float) for name in _HELP}

    def add(self, name: str, amount: float, **labels: str) -> None:
        """Count `amount` more."""
        self._counts[name][tuple(sorted(labels.items()))] += amount

    def text(self) -> bytes:
        """All of it, as it is scraped."""
        lines = []
        for name, series in self._counts.items():
            lines += [f"# HELP {name} {_HELP[name]}", f"# TYPE {name} counter"]
            for labels, value in sorted(series.items()):
                said = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels)
                lines.append(f"{name}{{{said}}} {value:g}")
        return ("\n".join(lines) + "\n").encode()


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
