"""Whether a model holds in each centre and subgroup, and on how many patients that rests."""

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from reports.figures.comparison import NEUTRAL, look_of, neutral_line, points
from reports.style import INK, TINY, add_narrow, check_columns, new_figure, plain, shorten
from reports.tables import digits_of, label

_COLUMNS = [
    *("subgroup", "subgroup_level", "cohort", "validation", "metric", "estimate", "lower", "upper"),
    *("n_patients", "n_events"),
]
Row = tuple[str, str]  # subgroup, level


def draw_subgroups(table: pd.DataFrame, *, at: str = "") -> go.Figure:
    """Draw one figure of one model in every subgroup, by cohort, with intervals and counts.

    Parameters
    ----------
    table : DataFrame
        Columns `subgroup`, `subgroup_level`, `cohort`, `validation`, `metric`, `estimate`, `lower`,
        `upper`, `n_patients`, `n_events`; one row per level and cohort. A figure that is not given
        is NaN; its counts are shown all the same.
    at : str
        What follows the metric on the axis, such as ` at 12 months`.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        If a column is absent, a level comes twice in a cohort, or there is no row.
    """
    check_columns(table, _COLUMNS, "table")
    keys = ["subgroup", "subgroup_level", "cohort", "validation"]
    twice = table.duplicated(keys)
    if twice.any():
        raise ValueError(
            f"table must hold one row per level and cohort, but {twice.sum()} come again. Choose "
            "one model, metric and horizon first."
        )
    metric = str(table["metric"].iloc[0])
    places = _places(table)
    series = list(table.groupby(["validation", "cohort"], sort=False))
    external = [str(cohort) for (validation, cohort), _ in series if validation == "external"]
    figure = new_figure(height=30 * (round(max(places.values())) + 1) + 90)
    for position, ((validation, cohort), rows) in enumerate(series):
        offset = (position - (len(series) - 1) / 2) * 0.5 / len(series)
        y = [places[row] + offset for row in _rows(rows)]
        name = label(validation) + (f" ({cohort})" if validation == "external" else "")
        colour, symbol = look_of(str(validation), external, str(cohort))
        shown = rows.assign(model=[f"{group}: {level}" for group, level in _rows(rows)])
        figure.add_trace(points(shown, y, name, colour, symbol, digits_of(metric)))
    titles = {group: min(p for row, p in places.items() if row[0] == group) for group, _ in places}
    ticks = {places[row]: row for row in places}
    heads = [
        (position - 1, f"<b>{plain(shorten(group, 30))}</b>") for group, position in titles.items()
    ]
    labels = [(at_row, _label(table, row, 26)) for at_row, row in ticks.items()]
    narrow = [(at_row, _label(table, row, 16)) for at_row, row in ticks.items()]
    positions = [position for position, _ in (*heads, *labels)]
    figure.update_layout(
        showlegend=True,
        hovermode="closest",
        margin={"t": 30, "r": 20},
        xaxis={
            "title": {"text": f"{label(metric)}{plain(at)}"},
            "showgrid": True,
            "nticks": 7,
        },
        yaxis={
            "tickvals": positions,
            "ticktext": [words for _, words in (*heads, *labels)],
            "tickfont": {"color": INK},
            "range": [max(places.values()) + 0.6, -0.6],
            "showgrid": False,
            "showline": False,
            "ticks": "",
        },
        shapes=[neutral_line(NEUTRAL[metric])] if metric in NEUTRAL else [],
    )
    add_narrow(figure, {"yaxis.ticktext": [words for _, words in (*heads, *narrow)]})
    return figure


def _rows(table: pd.DataFrame) -> list[Row]:
    return list(zip(table["subgroup"], table["subgroup_level"], strict=True))


def _places(table: pd.DataFrame) -> dict[Row, float]:
    """Give each level a row, below one for the name of its subgroup."""
    places: dict[Row, float] = {}
    row = -1.0
    for group in dict.fromkeys(table["subgroup"]):
        row += 1
        levels: Sequence[Row] = list(dict.fromkeys(_rows(table[table["subgroup"] == group])))
        for place in levels:
            row += 1
            places[place] = row
    return places


def _label(table: pd.DataFrame, row: Row, length: int) -> str:
    """Write a level, and its events of patients in each cohort, in the order of the legend."""
    part = table[(table["subgroup"] == row[0]) & (table["subgroup_level"] == row[1])]
    counts = "; ".join(
        f"{events}/{patients}"
        for events, patients in zip(part["n_events"], part["n_patients"], strict=True)
    )
    small = f'<span style="font-size:{TINY}px">{counts}</span>'
    return f"{plain(shorten(row[1], length))}  {small}"
