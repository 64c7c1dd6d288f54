"""Series as plots: SVG that a browser shows, in light and in dark, with no program to draw it.

The same series always gives the same text, so that a page can be compared with its measurements. The
limit's lines are dashed. Lines are told apart by the shape of their points, not by colour alone, and
their names stand where they end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from xml.sax.saxutils import escape

from measure import Series

WIDTH, HEIGHT = 720, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 190, 58, 52
_MOST_TICKS = 7
_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 15px; font-weight: 600 }
.ground { fill: #ffffff }
.grid { stroke: #d8dee4; stroke-width: 1 }
.line { fill: none; stroke-width: 2 }
.limit { stroke-dasharray: 6 4 }
.s0 { stroke: #0a5fc4 } .p0 { fill: #0a5fc4 }
.s1 { stroke: #6b7280 } .p1 { fill: #6b7280 }
.s2 { stroke: #b45309 } .p2 { fill: #b45309 }
.s3 { stroke: #0f7b4f } .p3 { fill: #0f7b4f }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.ground { fill: #0d1117 }
.grid { stroke: #30363d }
.s0 { stroke: #6cb6ff } .p0 { fill: #6cb6ff }
.s1 { stroke: #9ca3af } .p1 { fill: #9ca3af }
.s2 { stroke: #f0a45d } .p2 { fill: #f0a45d }
.s3 { stroke: #5fd3a0 } .p3 { fill: #5fd3a0 }
}
"""
_SHAPES: Sequence[Callable[[float, float], str]] = (
    lambda x, y: f"M{x - 4:.1f} {y:.1f}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
    lambda x, y: f"M{x - 4:.1f} {y - 4:.1f}h8v8h-8z",
    lambda x, y: f"M{x:.1f} {y - 5:.1f}l5 9h-10z",
    lambda x, y: f"M{x:.1f} {y - 5:.1f}l5 5l-5 5l-5 -5z",
)
_LABEL_DISTANCE = 16.0


class Axis:
    """Where numbers stand between two edges, and which of them are written there."""

    def __init__(self, values: Sequence[float], edges: tuple[float, float], *, logarithmic: bool):
        self._edges = edges
        self._scale: Callable[[float], float] = math.log10 if logarithmic else float
        found = _round_logarithms(values) if logarithmic else _steps(values)
        self._low, self._high = self._scale(found[0]), self._scale(found[-1])
        powers = [tick for tick in found if math.log10(tick or 1.0).is_integer()]
        self.ticks = powers if logarithmic and len(found) > _MOST_TICKS else found

    def place(self, value: float) -> float:
        """Return where a number stands."""
        share = (self._scale(value) - self._low) / (self._high - self._low)
        return self._edges[0] + share * (self._edges[1] - self._edges[0])


def svg(series: Series) -> str:
    """Return the plot of a series as the text of a file."""
    points = [point for line in series.lines.values() for point in line]
    across = Axis(
        [x for x, _ in points], (_LEFT, WIDTH - _RIGHT), logarithmic="x" in series.logarithmic
    )
    up = Axis(
        [y for _, y in points], (HEIGHT - _BOTTOM, _TOP), logarithmic="y" in series.logarithmic
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>{escape(series.title)}</title>",
        f"<style>{_STYLE}</style>",
        f'<rect class="ground" width="{WIDTH}" height="{HEIGHT}"/>',
        f'<text class="title" x="{_LEFT}" y="24">{escape(series.title)}</text>',
        *_axes(series, across, up),
        *_lines(series, across, up),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _axes(series: Series, across: Axis, up: Axis) -> list[str]:
    bottom, right = HEIGHT - _BOTTOM, WIDTH - _RIGHT
    parts: list[str] = []
    for tick in up.ticks:
        y = up.place(tick)
        parts.append(f'<path class="grid" d="M{_LEFT} {y:.1f}H{right}"/>')
        parts.append(
            f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{_text(tick)}</text>'
        )
    for tick in across.ticks:
        x = across.place(tick)
        parts.append(f'<path class="grid" d="M{x:.1f} {_TOP}V{bottom}"/>')
        parts.append(
            f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{_text(tick)}</text>'
        )
    middle = (_LEFT + right) / 2
    parts.append(
        f'<text x="{middle:.0f}" y="{HEIGHT - 12}" text-anchor="middle">'
        f"{escape(series.across)}</text>"
    )
    parts.append(f'<text x="{_LEFT}" y="{_TOP - 12}">{escape(series.unit)}</text>')
    return parts


def _lines(series: Series, across: Axis, up: Axis) -> list[str]:
    parts: list[str] = []
    ends: list[tuple[float, int, str]] = []
    for number, (name, points) in enumerate(series.lines.items()):
        places = [(across.place(x), up.place(y)) for x, y in points]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        dashed = " limit" if name.startswith("limit") else ""
        parts.append(f'<path class="line s{number}{dashed}" d="M{path}"/>')
        marks = "".join(_SHAPES[number](x, y) for x, y in places)
        parts.append(f'<path class="p{number}" d="{marks}"/>')
        ends.append((places[-1][1], number, name))
    label = -math.inf
    for y, number, name in sorted(ends):
        label = max(y, label + _LABEL_DISTANCE)
        x = WIDTH - _RIGHT + 18
        parts.append(f'<path class="p{number}" d="{_SHAPES[number](x, label)}"/>')
        parts.append(f'<text x="{x + 12}" y="{label + 4:.1f}">{escape(name)}</text>')
    return parts


def _round_logarithms(values: Sequence[float]) -> list[float]:
    """Return 1, 2 and 5 times the powers of ten around the numbers."""
    first, last = (math.floor(math.log10(edge)) for edge in (min(values), max(values)))
    ticks = [float(f"{factor}e{power}") for power in range(first, last + 2) for factor in (1, 2, 5)]
    low = max(number for number, tick in enumerate(ticks) if tick <= min(values))
    high = min(number for number, tick in enumerate(ticks) if tick >= max(values))
    return ticks[low : max(high, low + 1) + 1]


def _steps(values: Sequence[float]) -> list[float]:
    """Return round numbers from zero to above the largest one."""
    most = max(values)
    rough = most / 5
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * unit for factor in (1, 2, 5, 10) if factor * unit >= rough)
    return [number * step for number in range(math.ceil(most / step) + 1)]


def _text(value: float) -> str:
    return f"{value:,.0f}" if value >= 1 and value == int(value) else f"{value:g}"
