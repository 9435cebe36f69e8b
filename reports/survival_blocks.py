"""Survival described by hand: each result as a notebook shows it, in a figure or a table."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from models.competing_risks import CumulativeIncidence, incidence_estimates
from models.follow_up import FollowUp
from models.gray import GrayTest
from models.log_rank import LogRank
from models.restricted_mean import RestrictedMean
from models.survival_curves import KaplanMeier, survival_estimates
from models.survival_description import SurvivalSummary
from models.ticks import pretty
from reports.blocks import Block, Figure, FigureGrid, Table
from reports.competing_section import OPEN_END, incidence_rows
from reports.figures.cumulative_incidence import draw_cumulative_incidence
from reports.figures.kaplan_meier import draw_kaplan_meier
from reports.survival_section import summary_rows
from reports.tables import TableRows, format_p_value, table_rows


def _percent(level: float) -> str:
    return f"{100 * level:g}%"


def _ticks(table: pd.DataFrame) -> list[float]:
    """Round times up to the last of a curve."""
    last = float(table["time"].max())
    return [float(tick) for tick in pretty(0.0, last, n=6) if tick <= last]


def kaplan_meier_blocks(found: KaplanMeier) -> Iterable[Block]:
    """Draw the curves over their numbers at risk; give the medians."""
    percent = _percent(found.level)
    scale = {"log": "log scale", "log-log": "log-log scale", "plain": "plain scale"}[found.interval]
    at_risk = survival_estimates(found, _ticks(found.table))
    yield Figure(
        figure=draw_kaplan_meier(found.table, at_risk, unit=None),
        title="Survival.",
        caption=f"Kaplan-Meier with pointwise {percent} intervals ({scale}).",
    )
    yield Table(
        table=_medians(found.medians, "Median survival", found.level),
        title="Median survival.",
        caption=f"With its {percent} interval. {OPEN_END}",
    )


def incidence_blocks(found: CumulativeIncidence) -> Iterable[Block]:
    """Draw the incidences over the numbers at risk, and give them at the ticks.

    Several causes in several groups have a panel each: all in one would hide one another.
    """
    ticks = _ticks(found.table)
    read = incidence_estimates(found, ticks)
    at_risk = read[read["cause"] == read["cause"].iloc[0]]
    events = ", ".join(f"{count} of cause {cause}" for cause, count in found.n_events.items())
    percent = _percent(found.level)
    caption = f"Aalen-Johansen with pointwise {percent} intervals. Events: {events}."
    if found.table["group"].nunique() > 1 and len(found.n_events) > 1:
        top = float(np.nanmax(found.table[["incidence", "upper"]].to_numpy()))
        panels = [
            Figure(
                figure=draw_cumulative_incidence(rows, at_risk, unit=None, top=top),
                title=f"Cause {cause}",
            )
            for cause, rows in found.table.groupby("cause", sort=False)
        ]
        yield FigureGrid(panels=panels, title="Cumulative incidence.", caption=caption)
    else:
        figure = draw_cumulative_incidence(found.table, at_risk, unit=None)
        yield Figure(figure=figure, title="Cumulative incidence.", caption=caption)
    yield Table(
        table=incidence_rows(
            read[read["time"] > 0],
            causes={cause: f"Cause {cause}" for cause in found.n_events},
            groups={group: str(group) for group in read["group"]},
            unit=None,
            heading="Group",
        ),
        title="Incidence at round times.",
        caption=f"Per cent, with {percent} intervals. {OPEN_END}",
    )


def summary_blocks(found: SurvivalSummary) -> Iterable[Block]:
    """Give follow-up and survival by group, and draw the curves."""
    names = {name: str(name) for name in found.table["group"]}
    horizons = found.table.loc[found.table["measure"] == "survival", "horizon"].unique().tolist()
    yield Table(
        table=summary_rows(found.table, names=names, unit=None, heading="Group"),
        title="Follow-up and survival.",
        caption=f"Estimate ({_percent(found.level)} interval). Follow-up is the reverse "
        f"Kaplan-Meier median. {OPEN_END}",
    )
    yield Figure(
        figure=draw_kaplan_meier(found.curves, found.at_risk, unit=None, horizons=horizons),
        title="Survival.",
        caption=f"Kaplan-Meier with {_percent(found.level)} intervals (log scale); dotted: the "
        "horizons.",
    )


def follow_up_blocks(found: FollowUp) -> Iterable[Block]:
    """Give the median follow-up of each group."""
    yield Table(
        table=_medians(found.table, "Median follow-up", found.level),
        title="Follow-up.",
        caption=f"Reverse Kaplan-Meier median: events censor it. {OPEN_END}",
    )


def restricted_mean_blocks(found: RestrictedMean) -> Iterable[Block]:
    """Give the means, and the contrasts where there are groups."""
    until = f"{found.horizon:g}"
    yield Table(
        table=table_rows(
            _with_level(found.table, found.level),
            labels={"estimate": f"Mean to {until}", "std_error": "Standard error"},
            digits={"estimate": 2, "std_error": 2},
        ),
        title="Restricted mean.",
        caption=f"Mean time free of the event up to {until}; events by then.",
    )
    if len(found.contrasts):
        yield Table(
            table=table_rows(_with_level(found.contrasts, found.level), digits={"estimate": 2}),
            title="Differences and ratios of restricted means.",
            caption=f"Each group against the first, up to {until}.",
        )


def rank_test_blocks(found: LogRank | GrayTest) -> Iterable[Block]:
    """Give observed and expected events, and the test in the caption."""
    p_value = format_p_value(found.p_value)
    what = f"Gray's test, cause {found.of}" if isinstance(found, GrayTest) else "Log-rank test"
    if "score" in found.table:
        what += " for trend"
    freedom = f"{found.df} degree{'' if found.df == 1 else 's'} of freedom"
    yield Table(
        table=table_rows(found.table, digits={"expected": 1}),
        title=f"{what}.",
        caption=f"Chi-square {found.chi2:.2f} on {freedom}, p {p_value}.",
    )


def _medians(table: pd.DataFrame, title: str, level: float) -> TableRows:
    ready = _with_level(table, level)
    digits = {"median": 1, "person_time": 0, "longest": 1}
    return table_rows(ready, labels={"median": title}, digits=digits)


def _with_level(table: pd.DataFrame, level: float) -> pd.DataFrame:
    """Name the level of the intervals in the table's own column, which heads them."""
    return table.assign(level=level)
