"""Curves as SVG, for a page that needs nothing but itself."""

import html
from collections.abc import Mapping, Sequence
from typing import Final

_WIDE: Final = 600
_HIGH: Final = 150
_COLOURS: Final = ("black", "#b00020", "#0050b0", "#007030", "#a05000", "#7000a0", "#606060", "#00808a")

Curve = Sequence[tuple[int, float]]


def chart(title: str, curves: Mapping[str, Curve]) -> str:
    """The curves on one scale, with their names and their last values. Empty ones are left out."""
    drawn = {name: curve for name, curve in curves.items() if curve}
    if not drawn:
        return ""
    steps = [step for curve in drawn.values() for step, _ in curve]
    values = [value for curve in drawn.values() for _, value in curve]
    low, high = min(0.0, *values), max(0.0, *values)
    lines, names = [], []
    for number, (name, curve) in enumerate(drawn.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        points = " ".join(
            f"{_along(step, min(steps), max(steps), _WIDE):.1f},{10 + _HIGH - _along(value, low, high, _HIGH):.1f}"
            for step, value in curve
        )
        lines.append(f"<polyline fill=none stroke='{colour}' points='{points}'/>")
        names.append(f"<span style='color:{colour}'>{html.escape(name)}: {curve[-1][1]:.3f}</span>")
    return (
        f"<h3>{html.escape(title)}</h3><svg width={_WIDE + 20} height={_HIGH + 20}>{''.join(lines)}</svg>"
        f"<p>{', '.join(names)} at step {max(steps)}; scale {low:.3f} to {high:.3f}</p>"
    )


def _along(value: float, low: float, high: float, size: int) -> float:
    return size * (value - low) / (high - low) if high > low else size / 2
