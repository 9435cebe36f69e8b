"""How many points each predictor gives, and what their total means.

Horizontal rulers as rms draws them: points on top, one ruler per predictor, total points, and the
functions of the total (risks, median survival) below. The numbers come ready; they are placed here.

References
----------
Harrell FE. Regression Modeling Strategies, 2nd ed. Springer 2015. doi:10.1007/978-3-319-19425-7
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from reports.style import (
    GRID,
    INK,
    LINE,
    MUTED,
    SMALL,
    TINY,
    add_narrow,
    check_columns,
    feature_name,
    new_figure,
    plain,
    wrapped,
)
from reports.tables import MINUS

FUNCTIONS = ("total", "linear_predictor", "risk", "survival_median")
WIDE, NARROW = 540, 290  # pixels a ruler has at least, on a page and on a phone
LANE = 14  # pixels between two lines of labels
EDGE = 12  # pixels a label may reach beyond the scale
CHARACTER = 6.4  # pixels of an average character of size TINY


@dataclass(frozen=True, kw_only=True)
class _Ruler:
    """One axis: its ticks at `x` (0-100) in the order of their values, and what they say."""

    name: str
    kind: str
    numbers: bool
    pale: list[bool]
    x: NDArray[np.float64]
    text: list[str]
    hover: list[str]


def draw_nomogram(
    table: pd.DataFrame,
    *,
    names: Mapping[str, str] | None = None,
    linear_predictor: bool = False,
) -> go.Figure:
    """Draw a nomogram.

    Parameters
    ----------
    table : DataFrame, one row per tick
        Columns `axis`, `kind` (`predictor`, `total`, `linear_predictor`, `risk` or
        `survival_median`), `label`, `value` and `points` (total points on every axis that is no
        predictor), as a Nomogram holds them; ticks marked in a column `extrapolated` are pale.
        An empty label leaves its tick bare; a category's values are NaN.
    names : mapping of str to str, optional
        Axis -> name shown, where the feature's own name does not do.
    linear_predictor : bool
        True to draw the axis of the linear predictor too.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        If a column or the total axis is missing.
    """
    check_columns(table, ["axis", "kind", "label", "value", "points"], "table")
    known = ("predictor", *FUNCTIONS)
    unknown = sorted(set(table["kind"]) - set(known))
    if unknown or "total" not in set(table["kind"]):
        raise ValueError(
            f"table must hold a total axis and only the kinds {list(known)}, "
            f"but has {sorted(set(table['kind']))}."
        )
    if not linear_predictor:
        table = table[table["kind"] != "linear_predictor"]
    rulers = _rulers(table, names or {})
    wide = [_lanes(ruler, WIDE) for ruler in rulers]
    narrow = [_lanes(ruler, NARROW) for ruler in rulers]
    heights = [
        34 + LANE * (_depth(one, other, 1) + _depth(one, other, -1))
        for one, other in zip(wide, narrow, strict=True)
    ]
    bottoms = np.cumsum([0, *heights])[:-1]
    # a ruler lies above the labels that hang from it
    y = [
        -float(bottom + 20 + LANE * (_depth(one, other, 1)))
        for bottom, one, other in zip(bottoms, wide, narrow, strict=True)
    ]
    height = sum(heights)
    figure = new_figure(height=height + 24)
    for ruler, level in zip(rulers, y, strict=True):
        figure.add_traces(_traces(ruler, level))
    figure.update_layout(
        showlegend=False,
        margin={"l": 168, "r": 22, "t": 10, "b": 10},
        xaxis={"visible": False, "range": _span(rulers)},
        yaxis={"visible": False, "range": [-height, 0]},
        hovermode="closest",
        annotations=_annotations(rulers, y, wide, WIDE) + _names_left(rulers, y),
        shapes=_guides(rulers, y),
    )
    add_narrow(
        figure,
        {
            "height": height + 24 + 17 * len(rulers),
            "margin.l": 14,
            "margin.r": 14,
            "annotations": _annotations(rulers, y, narrow, NARROW)
            + _names_above(rulers, y, narrow),
        },
    )
    return figure


def _rulers(table: pd.DataFrame, names: Mapping[str, str]) -> list[_Ruler]:
    """Return the rulers from top to bottom, every tick on the same scale of 0 to 100."""
    totals = table.loc[table["kind"] == "total", "points"]
    per_total = 100 / float(totals.max())
    rulers = [_points_ruler()]
    for kind in ("predictor", *FUNCTIONS):
        chosen = table[table["kind"] == kind]
        for axis, ticks in chosen.groupby("axis", sort=False):
            scale = 1.0 if kind == "predictor" else per_total
            name = names.get(str(axis), feature_name(axis))
            word = "points" if kind == "predictor" else "total points"
            rulers.append(
                _Ruler(
                    name=name,
                    kind=kind,
                    numbers=bool(ticks["value"].notna().all()),
                    pale=_pale(ticks),
                    x=ticks["points"].to_numpy(dtype=np.float64) * scale,
                    text=[_signed(plain(label)) for label in ticks["label"]],
                    hover=[
                        f"{plain(name)}: {plain(label)}<br><b>{points:.1f}</b> {word}"
                        for label, points in zip(ticks["label"], ticks["points"], strict=True)
                    ],
                )
            )
    return rulers


def _points_ruler() -> _Ruler:
    x = np.arange(0, 101, 5, dtype=np.float64)
    text = [f"{point:g}" if point % 10 == 0 else "" for point in x]
    return _Ruler(
        name="Points",
        kind="points",
        numbers=True,
        pale=[False] * len(x),
        x=x,
        text=text,
        hover=[f"{point:g} points" for point in x],
    )


def _signed(label: str) -> str:
    """Return a label whose leading hyphen, if it is a number's, is a minus sign."""
    return f"{MINUS}{label[1:]}" if label[:1] == "-" and label[1:2].isdigit() else label


def _pale(ticks: pd.DataFrame) -> list[bool]:
    """Tell which ticks lie where no patient of the fit was."""
    if "extrapolated" not in ticks.columns:
        return [False] * len(ticks)
    return [bool(flag) for flag in ticks["extrapolated"]]


def _span(rulers: list[_Ruler]) -> list[float]:
    """Return the range all rulers share; a spline may leave 0-100 a little."""
    return [min(0.0, *(r.x.min() for r in rulers)), max(100.0, *(r.x.max() for r in rulers))]


def _lanes(ruler: _Ruler, width: int) -> list[int]:
    """Give each label a lane: -1, -2, ... below the ruler, 1, 2, ... above it, 0 not shown.

    Categories are all shown, on as many lanes as they need, first below, then above. Of numbers
    crowded labels go (the ends stay); where a spline turns, the way back is labelled above.
    """
    spans = _label_spans(ruler, width)
    if ruler.numbers:
        return _number_lanes(ruler, spans, gap=500 / width)
    lanes = [0] * len(ruler.x)
    taken: dict[int, list[tuple[float, float]]] = {}
    for position in np.argsort(ruler.x, kind="stable"):
        if not ruler.text[position]:
            continue
        lane = next(
            lane
            for depth in range(1, len(lanes) + 1)
            for lane in (-depth, depth)
            if _is_free(spans[position], taken.get(lane, []), 800 / width)
        )
        lanes[position] = lane
        taken.setdefault(lane, []).append(spans[position])
    return lanes


def _number_lanes(ruler: _Ruler, spans: list[tuple[float, float]], *, gap: float) -> list[int]:
    step = np.diff(ruler.x, prepend=ruler.x[0])
    turns = (step > 0).any() and (step < 0).any()
    main = np.sign(ruler.x[-1] - ruler.x[0]) or 1.0
    sides = np.where(turns & (step * main < 0), 1, -1)
    lanes = [0] * len(ruler.x)
    taken: dict[int, list[tuple[float, float]]] = {}
    for position in _ends_first(len(lanes)):
        side = int(sides[position])
        is_free = _is_free(spans[position], taken.get(side, []), gap)
        if ruler.text[position] and is_free:
            lanes[position] = side
            taken.setdefault(side, []).append(spans[position])
    return lanes


def _ends_first(n: int) -> list[int]:
    """Return 0..n-1, the ends first, then every fourth, every second, and the rest."""
    order = [0, n - 1, *range(0, n, 4), *range(0, n, 2), *range(n)]
    return list(dict.fromkeys(order))


def _is_free(span: tuple[float, float], taken: list[tuple[float, float]], gap: float) -> bool:
    return all(span[0] > high + gap or span[1] < low - gap for low, high in taken)


def _depth(wide: list[int], narrow: list[int], side: int) -> int:
    """Return how many lanes are used on one side (1 above, -1 below) at either width."""
    return max(0, *(side * lane for lane in wide + narrow))


def _traces(ruler: _Ruler, level: float) -> list[go.Scatter]:
    line = go.Scatter(
        x=[float(ruler.x.min()), float(ruler.x.max())],
        y=[level, level],
        mode="lines",
        line={"color": INK, "width": 1.4},
        hoverinfo="skip",
        name=plain(ruler.name),
    )
    shades = [LINE if pale else INK for pale in ruler.pale]
    large = [10 if text else 6 for text in ruler.text]
    ticks = go.Scatter(
        x=ruler.x.tolist(),
        y=[level] * len(ruler.x),
        mode="markers",
        cliponaxis=False,
        marker={"symbol": "line-ns", "size": large, "line": {"width": 1.4, "color": shades}},
        hovertext=ruler.hover,
        hoverinfo="text",
        name=plain(ruler.name),
    )
    return [line, ticks]


def _annotations(
    rulers: list[_Ruler], y: list[float], lanes: list[list[int]], width: int
) -> list[dict[str, Any]]:
    return [
        {
            "x": float(x),
            "y": level,
            "yshift": 4 * np.sign(lane) + LANE * lane - np.sign(lane) * 2,
            "text": text,
            "showarrow": False,
            "font": {"size": TINY, "color": LINE if pale else INK},
            **_anchor(float(x), text, width),
        }
        for ruler, level, ruler_lanes in zip(rulers, y, lanes, strict=True)
        for x, text, lane, pale in zip(ruler.x, ruler.text, ruler_lanes, ruler.pale, strict=True)
        if lane
    ]


def _anchor(x: float, text: str, width: int) -> dict[str, Any]:
    """Keep a label at an end of the scale from reaching beyond the figure."""
    half = len(text) * CHARACTER / 2
    if half - x * width / 100 > EDGE:
        return {"xanchor": "left", "xshift": -EDGE}
    if half - (100 - x) * width / 100 > EDGE:
        return {"xanchor": "right", "xshift": EDGE}
    return {"xanchor": "center"}


def _label_spans(ruler: _Ruler, width: int) -> list[tuple[float, float]]:
    """Return where each label begins and ends, on the scale of 0 to 100."""
    spans = []
    for x, text in zip(ruler.x, ruler.text, strict=True):
        size = max(len(text), 1) * CHARACTER * 100 / width
        start = {
            "left": x - EDGE * 100 / width,
            "center": x - size / 2,
            "right": x + EDGE * 100 / width - size,
        }[_anchor(float(x), text, width)["xanchor"]]
        spans.append((float(start), float(start + size)))
    return spans


def _names_left(rulers: list[_Ruler], y: list[float]) -> list[dict[str, Any]]:
    return [
        {
            **_name(ruler, level, wrapped(ruler.name, 24, max_lines=2)),
            "xanchor": "right",
            "xshift": -14,
            "align": "right",
        }
        for ruler, level in zip(rulers, y, strict=True)
    ]


def _names_above(
    rulers: list[_Ruler], y: list[float], lanes: list[list[int]]
) -> list[dict[str, Any]]:
    return [
        {
            **_name(ruler, level, wrapped(ruler.name, 46, max_lines=1)),
            "xanchor": "left",
            "xshift": -4,
            "yshift": 15 + LANE * max(0, *used),
        }
        for ruler, level, used in zip(rulers, y, lanes, strict=True)
    ]


def _name(ruler: _Ruler, level: float, text: str) -> dict[str, Any]:
    return {
        "x": 0,
        "xref": "paper",
        "y": level,
        "text": f"<b>{text}</b>",
        "showarrow": False,
        "font": {"size": SMALL, "color": INK if ruler.kind != "points" else MUTED},
    }


def _guides(rulers: list[_Ruler], y: list[float]) -> list[dict[str, Any]]:
    """Return faint verticals: by tens of points above, by labelled totals below."""
    first_function = next(i for i, ruler in enumerate(rulers) if ruler.kind in FUNCTIONS)
    spans = [(rulers[0], y[0], y[first_function - 1])]
    spans.append((rulers[first_function], y[first_function], y[-1]))
    return [
        {
            "type": "line",
            "layer": "below",
            "x0": float(x),
            "x1": float(x),
            "y0": top,
            "y1": bottom,
            "line": {"color": GRID, "width": 1},
        }
        for ruler, top, bottom in spans
        for x, text in zip(ruler.x, ruler.text, strict=True)
        if text
    ]
