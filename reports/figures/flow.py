"""Where the patients of each table went, and why.

References
----------
Collins GS et al. TRIPOD+AI statement. BMJ 2024;385:e078378. doi:10.1136/bmj-2023-078378
"""

from collections.abc import Hashable
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from omics.cohort import DEVELOPMENT
from reports.style import (
    BLUE,
    INK,
    LINE,
    MUTED,
    PAPER,
    SMALL,
    check_columns,
    faded,
    new_figure,
    plain,
    wrapped,
)

COHORT = "cohort"
LINE_HEIGHT = 17  # pixels
PADDING = 18
GAP = 16
SPINE = 0.02
LEFT = (0.06, 0.5)
RIGHT = (0.56, 1.0)
HALVES = ((0.0, 0.48), (0.52, 1.0))


def draw_flow(table: pd.DataFrame, *, groups: pd.DataFrame | None = None) -> go.Figure:
    """Draw the patient flow: what each table brought, who was lost and why, who was analysed.

    Parameters
    ----------
    table : DataFrame, one row per input table and one whose `table` is `cohort`
        Columns `table`, `kind`, `rows`, `patients`, `matched`, `lost`, `absent` and `reasons`;
        counts and texts only, no ids.
    groups : DataFrame, optional
        Columns `cohort`, `n_patients` and `n_events`: how the cohort splits.

    Returns
    -------
    Figure
    """
    check_columns(table, ["table", "rows", "patients", "matched", "lost", "reasons"], "table")
    inputs = table[table["table"] != COHORT]
    boxes: list[dict[str, Any]] = []
    y = 0.0
    middles = []
    for row in inputs.to_dict("records"):
        below = _input(boxes, row, y)
        middles.append((y + below + GAP) / 2)
        y = below
    final = table[table["table"] == COHORT]
    if not final.empty:
        boxes.append({"shapes": _bracket(middles, y), "notes": []})
        text = f"<b>Analysed</b><br>{_count(final['matched'].iloc[0])} patients"
        y = _place(boxes, text, (0.0, 1.0), y, colour=BLUE)
    if groups is not None:
        y = _groups(boxes, groups, y)
    figure = new_figure(height=int(-y) + 8, max_width=720)
    # the axes need a trace to exist; the boxes are shapes
    figure.add_trace(go.Scatter(x=[0, 1], y=[y, 0], mode="none", hoverinfo="skip"))
    figure.update_layout(
        showlegend=False,
        margin={"l": 4, "r": 4, "t": 4, "b": 4},
        xaxis={"visible": False, "range": [-0.004, 1.004]},
        yaxis={"visible": False, "range": [y, 2]},
        shapes=[shape for box in boxes for shape in box["shapes"]],
        annotations=[note for box in boxes for note in box["notes"]],
    )
    return figure


def _input(boxes: list[dict[str, Any]], row: dict[Hashable, Any], y: float) -> float:
    """Add the box of one table and, where patients were lost, the box of reasons beside it."""
    name = f"<b>{wrapped(row['table'], 24, max_lines=2)}</b>"
    brought = f"{_count(row['patients'])} patients"
    if row["rows"] != row["patients"]:
        brought += f"<br>({_count(row['rows'])} rows)"
    text = f"{name}<br>{brought}<br>{_count(row['matched'])} in the cohort"
    if row["lost"]:
        reasons = wrapped(row["reasons"] if pd.notna(row["reasons"]) else "", 28, max_lines=6)
        side = f"<b>{_count(row['lost'])} not used</b><br>{reasons}".removesuffix("<br>")
        height = max(_height(text), _height(side))
        _place(boxes, side, RIGHT, y, height=height, colour=MUTED)
        middle = y - height / 2
        boxes.append({"shapes": [_line(LEFT[1], middle, RIGHT[0], middle)], "notes": []})
        return _place(boxes, text, LEFT, y, height=height)
    return _place(boxes, text, LEFT, y)


def _groups(boxes: list[dict[str, Any]], groups: pd.DataFrame, y: float) -> float:
    """Add one box per group, two in a row."""
    check_columns(groups, ["cohort", "n_patients", "n_events"], "groups")
    end = y
    for position, row in enumerate(groups.to_dict("records")):
        span = HALVES[position % 2]
        if position % 2 == 0:
            y = end
        middle = sum(span) / 2
        boxes.append({"shapes": [_line(middle, y + GAP, middle, y)], "notes": []})
        name = "Development" if row["cohort"] == DEVELOPMENT else row["cohort"]
        text = (
            f"<b>{wrapped(name, 24, max_lines=2)}</b>"
            f"<br>{_count(row['n_patients'])} patients<br>{_count(row['n_events'])} events"
        )
        end = min(end, _place(boxes, text, span, y, height=_height(text), colour=BLUE))
    return end


def _place(
    boxes: list[dict[str, Any]],
    text: str,
    span: tuple[float, float],
    y: float,
    *,
    height: float | None = None,
    colour: str = LINE,
) -> float:
    """Add one box whose top lies at `y`; return where the next one starts."""
    height = height or _height(text)
    box = {
        "type": "rect",
        "x0": span[0],
        "x1": span[1],
        "y0": y,
        "y1": y - height,
        "line": {"color": colour, "width": 1},
        "fillcolor": faded(BLUE, 0.07) if colour == BLUE else PAPER,
    }
    note = {
        "text": text,
        "x": (span[0] + span[1]) / 2,
        "y": y - height / 2,
        "font": {"size": SMALL, "color": INK},
        "align": "center",
        "showarrow": False,
    }
    boxes.append({"shapes": [box], "notes": [note]})
    return y - height - GAP


def _bracket(middles: list[float], y: float) -> list[dict[str, Any]]:
    """Return the line that leads from every table into the cohort."""
    into = [_line(SPINE, middle, LEFT[0], middle) for middle in middles]
    return [*into, _line(SPINE, max(middles, default=y), SPINE, y)]


def _line(x0: float, y0: float, x1: float, y1: float) -> dict[str, Any]:
    return {
        "type": "line",
        "layer": "below",
        "x0": x0,
        "x1": x1,
        "y0": y0,
        "y1": y1,
        "line": {"color": LINE, "width": 1},
    }


def _height(text: str) -> float:
    return LINE_HEIGHT * (text.count("<br>") + 1) + PADDING


def _count(number: Any) -> str:
    return plain(f"{int(number):,}") if pd.notna(number) else "–"
