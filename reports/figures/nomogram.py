"""How many points each predictor gives, and what their total means.

Horizontal rulers as rms draws them: points on top, one ruler per predictor, total points, and the
functions of the total (risks, median survival) below. The numbers come ready; they are placed here.

References
----------
Harrell FE. Regression Modeling Strategies, 2nd ed. Springer 2015. doi:10.1007/978-3-319-19425-7
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from reports.figures.rulers import (
    LANE,
    Ruler,
    anchor_of,
    label_lanes,
    lane_depth,
    short_labels,
)
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
    shorten,
    wrapped,
)
from reports.tables import MINUS

FUNCTIONS = ("total", "linear_predictor", "risk", "survival_median")
WIDE, NARROW = 540, 290  # pixels a ruler has at least, on a page and on a phone
NOTE = "┄ Grey, dotted: beyond the range of the development patients"


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
        predictor), as a Nomogram holds them; ticks marked in a column `extrapolated` are pale, on a
        dotted ruler. Of an axis that holds for some patients only, `where` says for whom and
        `predictor` whose axis it is. An empty label leaves its tick bare; a category's values are
        NaN.
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
    wide = [label_lanes(ruler, WIDE) for ruler in rulers]
    narrow = [label_lanes(ruler, NARROW) for ruler in rulers]
    heights = [
        34
        + max(
            LANE * (lane_depth(one, other, 1) + lane_depth(one, other, -1)),
            LANE * len(ruler.detail),  # a line of the name's each
        )
        for ruler, one, other in zip(rulers, wide, narrow, strict=True)
    ]
    bottoms = np.cumsum([0, *heights])[:-1]
    # a ruler lies above the labels that hang from it
    y = [
        -float(bottom + 20 + LANE * (lane_depth(one, other, 1)))
        for bottom, one, other in zip(bottoms, wide, narrow, strict=True)
    ]
    is_beyond = any(any(ruler.pale) for ruler in rulers)
    height = sum(heights) + (18 if is_beyond else 0)
    note = [_note(height)] if is_beyond else []
    figure = new_figure(height=height + 24)
    for ruler, level in zip(rulers, y, strict=True):
        figure.add_traces(_traces(ruler, level))
    figure.update_layout(
        showlegend=False,
        margin={"l": 168, "r": 22, "t": 10, "b": 10},
        xaxis={"visible": False, "range": _span(rulers)},
        yaxis={"visible": False, "range": [-height, 0]},
        hovermode="closest",
        annotations=_annotations(rulers, y, wide, WIDE) + _names_left(rulers, y) + note,
        shapes=_guides(rulers, y),
    )
    add_narrow(
        figure,
        {
            "height": height + 24 + 17 * len(rulers),
            "margin.l": 14,
            "margin.r": 14,
            "annotations": _annotations(rulers, y, narrow, NARROW)
            + _names_above(rulers, y, narrow)
            + note,
        },
    )
    return figure


def _rulers(table: pd.DataFrame, names: Mapping[str, str]) -> list[Ruler]:
    """Return the rulers from top to bottom, every tick on the same scale of 0 to 100."""
    totals = table.loc[table["kind"] == "total", "points"]
    per_total = 100 / float(totals.max())
    rulers = [_points_ruler()]
    for kind in ("predictor", *FUNCTIONS):
        chosen = table[table["kind"] == kind]
        for axis, ticks in chosen.groupby("axis", sort=False):
            scale = 1.0 if kind == "predictor" else per_total
            name, detail = _name_and_detail(str(axis), ticks.iloc[0], names)
            word = "points" if kind == "predictor" else "total points"
            title = f"{name} ({', '.join(detail)})" if detail else name
            rulers.append(
                Ruler(
                    name=name,
                    detail=detail,
                    kind=kind,
                    numbers=bool(ticks["value"].notna().all()),
                    pale=_pale(ticks),
                    x=ticks["points"].to_numpy(dtype=np.float64) * scale,
                    text=[_signed(plain(label)) for label in short_labels(ticks)],
                    hover=[
                        f"{plain(title)}: {plain(label)}<br><b>{points:.1f}</b> {word}"
                        for label, points in zip(ticks["label"], ticks["points"], strict=True)
                    ],
                )
            )
    return rulers


def _name_and_detail(
    axis: str, first: "pd.Series[Any]", names: Mapping[str, str]
) -> tuple[str, tuple[str, ...]]:
    """Return the name of an axis, and for whom it holds if not for everyone."""
    where = str(first.get("where", "") or "")
    if not where:
        return names.get(axis, feature_name(axis)), ()
    whose = str(first.get("predictor", "") or "") or axis.removesuffix(f" ({where})")
    detail = tuple(feature_name(part) for part in where.split(" & "))
    return names.get(whose, feature_name(whose)), detail


def _points_ruler() -> Ruler:
    x = np.arange(0, 101, 5, dtype=np.float64)
    text = [f"{point:g}" if point % 10 == 0 else "" for point in x]
    return Ruler(
        name="Points",
        detail=(),
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


def _span(rulers: list[Ruler]) -> list[float]:
    """Return the range all rulers share; a spline may leave 0-100 a little."""
    return [min(0.0, *(r.x.min() for r in rulers)), max(100.0, *(r.x.max() for r in rulers))]


def _traces(ruler: Ruler, level: float) -> list[go.Scatter]:
    """Return the ruler, its ticks and, where no patient of the fit was, a dotted stretch."""
    name = plain(f"{ruler.name} ({', '.join(ruler.detail)})" if ruler.detail else ruler.name)
    seen, beyond = _stretches(ruler)
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
        name=name,
    )
    dotted = [_line(beyond, level, name, color=LINE, dash="dot")] if beyond else []
    return [_line(seen, level, name, color=INK, dash="solid"), ticks, *dotted]


def _stretches(ruler: Ruler) -> tuple[list[float | None], list[float | None]]:
    """Return the stretches of a ruler within and beyond the patients of the fit, None between."""
    if not any(ruler.pale):
        return [float(ruler.x.min()), float(ruler.x.max())], []
    found: dict[bool, list[float | None]] = {True: [], False: []}
    for i in range(len(ruler.x) - 1):
        is_pale = ruler.pale[i] or ruler.pale[i + 1]
        found[is_pale] += [float(ruler.x[i]), float(ruler.x[i + 1]), None]
    return found[False], found[True]


def _line(x: list[float | None], level: float, name: str, *, color: str, dash: str) -> go.Scatter:
    return go.Scatter(
        x=x,
        y=[level] * len(x),
        mode="lines",
        line={"color": color, "width": 1.4, "dash": dash},
        hoverinfo="skip",
        name=name,
    )


def _annotations(
    rulers: list[Ruler], y: list[float], lanes: list[list[int]], width: int
) -> list[dict[str, Any]]:
    return [
        {
            "x": float(x),
            "y": level,
            "yshift": 4 * np.sign(lane) + LANE * lane - np.sign(lane) * 2,
            "text": f"<i>{text}</i>" if pale else text,
            "showarrow": False,
            "font": {"size": TINY, "color": MUTED if pale else INK},
            **anchor_of(float(x), text, width),
        }
        for ruler, level, ruler_lanes in zip(rulers, y, lanes, strict=True)
        for x, text, lane, pale in zip(ruler.x, ruler.text, ruler_lanes, ruler.pale, strict=True)
        if lane
    ]


def _names_left(rulers: list[Ruler], y: list[float]) -> list[dict[str, Any]]:
    return [
        {
            **_name(ruler, level, _stacked(ruler)),
            "xanchor": "right",
            "xshift": -14,
            "align": "right",
        }
        for ruler, level in zip(rulers, y, strict=True)
    ]


def _names_above(
    rulers: list[Ruler], y: list[float], lanes: list[list[int]]
) -> list[dict[str, Any]]:
    return [
        {
            **_name(ruler, level, _on_one_line(ruler)),
            "xanchor": "left",
            "xshift": -4,
            "yshift": 15 + LANE * max(0, *used),
        }
        for ruler, level, used in zip(rulers, y, lanes, strict=True)
    ]


def _stacked(ruler: Ruler) -> str:
    """Return the name for the margin, and below it for whom the axis holds, a line per value."""
    name = f"<b>{wrapped(ruler.name, 24, max_lines=1 if ruler.detail else 2)}</b>"
    return "<br>".join([name, *(plain(_fitted(part, 23)) for part in ruler.detail)])


def _on_one_line(ruler: Ruler) -> str:
    if not ruler.detail:
        return f"<b>{wrapped(ruler.name, 46, max_lines=1)}</b>"
    name = shorten(ruler.name, 20)
    room = max((48 - len(name)) // len(ruler.detail) - 2, 4)
    return f"<b>{plain(name)}</b> ({plain(', '.join(_fitted(p, room) for p in ruler.detail))})"


def _fitted(part: str, room: int) -> str:
    """Shorten `name=value` to `room` characters, the name before the value.

    Examples
    --------
    >>> _fitted("WHO Grade after central review=4", 14)
    'WHO Gr…eview=4'
    """
    name, equals, value = part.rpartition("=")
    if len(part) <= room or not equals:
        return shorten(part, room)
    value = shorten(value, max(room - 7, 4))
    return f"{shorten(name, max(room - len(value) - 1, 3))}={value}"


def _note(height: float) -> dict[str, Any]:
    return {
        "x": 1,
        "xref": "paper",
        "xanchor": "right",
        "y": -height,
        "yanchor": "bottom",
        "text": f"<i>{NOTE}</i>",
        "showarrow": False,
        "font": {"size": TINY, "color": MUTED},
    }


def _name(ruler: Ruler, level: float, text: str) -> dict[str, Any]:
    return {
        "x": 0,
        "xref": "paper",
        "y": level,
        "text": text,
        "showarrow": False,
        "font": {"size": SMALL, "color": INK if ruler.kind != "points" else MUTED},
    }


def _guides(rulers: list[Ruler], y: list[float]) -> list[dict[str, Any]]:
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
