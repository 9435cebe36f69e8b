"""One legend for several small figures, drawn by the page instead of by each of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from html import unescape
from typing import Any

import plotly.graph_objects as go

from reports.style import DARK, INK

_DASHES = {"dash": "7 4", "dot": "2 3", "dashdot": "7 3 2 3", "longdash": "11 4"}
_LAST = 1000  # plotly's rank of a trace that names none


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What stands for one series.

    Attributes
    ----------
    name : str
        Text, nothing of it markup.
    shape : str
        `line`, `circle`, `square`, `diamond` or `bar`.
    light, dark : str
        Colour on a light and on a dark screen.
    dash : str
        Lengths of dashes and gaps; empty for a solid line.
    width : float
        Of the line, in pixels.
    hollow : bool
        True for a marker without filling.
    """

    name: str
    shape: str
    light: str
    dark: str
    dash: str = ""
    width: float = 2.0
    hollow: bool = False


def entries(figures: Iterable[go.Figure]) -> list[Entry]:
    """Return the series of all figures that plotly would name in a legend, each name once.

    Examples
    --------
    >>> line = go.Scatter(x=[0], y=[0], mode="lines", name="Ki-67 &lt; 1%", line_color="#0072b2")
    >>> [(entry.name, entry.shape, entry.dark) for entry in entries([go.Figure(line)] * 2)]
    [('Ki-67 < 1%', 'line', '#4da6de')]
    """
    found: dict[str, tuple[int, Entry]] = {}
    for figure in figures:
        if figure.layout.showlegend is False:
            continue
        for trace in figure.data:
            if trace.showlegend is not False and trace.name:
                rank = trace.legendrank or _LAST
                found.setdefault(trace.name, (int(rank), _entry(trace)))
    return [entry for _, entry in sorted(found.values(), key=lambda pair: pair[0])]


def _entry(trace: Any) -> Entry:
    name = unescape(trace.name)
    if trace.type == "bar":
        light, dark = _partners(trace.marker.color)
        return Entry(name=name, shape="bar", light=light, dark=dark)
    if trace.mode == "markers":
        light, dark = _partners(trace.marker.color)
        symbol = str(trace.marker.symbol or "circle")
        shape = symbol.removesuffix("-open")
        return Entry(
            name=name,
            shape=shape if shape in ("circle", "square", "diamond") else "circle",
            light=light,
            dark=dark,
            hollow=symbol.endswith("-open"),
        )
    light, dark = _partners(trace.line.color)
    dash, width = _DASHES.get(str(trace.line.dash), ""), float(trace.line.width or 2)
    return Entry(name=name, shape="line", light=light, dark=dark, dash=dash, width=width)


def _partners(colour: object) -> tuple[str, str]:
    """Return a colour and its partner on a dark screen; the ink's, should it be none of ours."""
    light = str(colour).lower() if str(colour).lower() in DARK else INK
    return light, DARK[light]
