"""How many have had each event by then, by group, and how many are still followed."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from reports.figures.steps import horizon_lines, p_value_note, steps, steps_figure
from reports.style import DASHES, INK, check_columns, colours, plain

HEADROOM = 1.08  # of the highest bound, over the curves


def draw_cumulative_incidence(
    table: pd.DataFrame,
    at_risk: pd.DataFrame,
    *,
    unit: str | None,
    causes: Mapping[int, str] | None = None,
    p_value: float | None = None,
    horizons: Sequence[float] = (),
    top: float | None = None,
) -> go.Figure:
    """Draw the incidence of every cause in every group, and under the ticks the numbers at risk.

    A colour for each group and a dash for each cause; of one cause, or in one group, colour and
    dash both tell the groups, or the causes, apart.

    Parameters
    ----------
    table : DataFrame, one row per cause, group and time
        Columns `cause`, `group`, `time`, `incidence`, `lower` and `upper`, of the causes to draw.
    at_risk : DataFrame, one row per group and tick
        Columns `group`, `time` and `n_at_risk`; its times become the ticks of the time axis.
    unit : str or None
        Unit of time, where it is known.
    causes : mapping of int to str, optional
        What the causes are; by default `Cause 1` and so on.
    p_value : float, optional
        Of Gray's test between the groups.
    horizons : sequence of float
        Times marked by a dotted line.
    top : float, optional
        What the axis reaches, that panels side by side have one; by default the highest band.

    Returns
    -------
    Figure
    """
    check_columns(table, ["cause", "group", "time", "incidence", "lower", "upper"], "table")
    check_columns(at_risk, ["group", "time", "n_at_risk"], "at_risk")
    groups = list(dict.fromkeys(table["group"]))
    kinds = list(dict.fromkeys(table["cause"]))
    said = {kind: (causes or {}).get(kind, f"Cause {kind}") for kind in kinds}
    shade = colours([said[kind] for kind in kinds] if len(groups) == 1 else map(str, groups))
    places = kinds if len(kinds) > 1 else groups
    traces = []
    for (kind, group), curve in table.groupby(["cause", "group"], sort=False, observed=True):
        traces += steps(
            curve.sort_values("time", kind="stable"),
            "incidence",
            name=_name(said[kind], str(group), len(kinds), len(groups)),
            colour=shade[said[kind] if len(groups) == 1 else str(group)],
            dash=DASHES[places.index(kind if len(kinds) > 1 else group) % len(DASHES)],
        )
    figure = steps_figure(
        traces,
        at_risk,
        colour={str(groups[0]): INK} if len(groups) == 1 else shade,
        end=float(table["time"].max()),
        unit=unit,
        yaxis=_axis(table, said, top),
    )
    figure.update_layout(showlegend=len(kinds) * len(groups) > 1, shapes=horizon_lines(horizons))
    if p_value is not None:
        figure.add_annotation(p_value_note("Gray's", p_value, top=True))
    return figure


def _name(cause: str, group: str, n_causes: int, n_groups: int) -> str:
    if n_groups == 1:
        return cause
    return group if n_causes == 1 else f"{group}: {cause}"


def _axis(table: pd.DataFrame, said: Mapping[int, str], top: float | None) -> dict[str, Any]:
    """Reach from 0 over the highest curve or band; a few per cent of 100 would be no picture."""
    top = float(np.nanmax(table[["incidence", "upper"]].to_numpy())) if top is None else top
    title = "Cumulative incidence"
    if len(said) == 1:
        title += f", {plain(next(iter(said.values())))}"
    return {"range": [0, min(1.02, max(HEADROOM * top, 0.02))], "title": {"text": title}}
