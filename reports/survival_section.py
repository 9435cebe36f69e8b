"""Follow-up and survival as a journal prints them: by cohort, and by the risk groups of a model."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from models.survival_description import StudySurvival
from omics.cohort import DEVELOPMENT
from reports.blocks import Block, Figure, FigureGrid, Section, Table, Text
from reports.curve_sections import risk_group_names
from reports.figures.kaplan_meier import draw_kaplan_meier
from reports.tables import TableRows, format_estimate, format_number, format_p_value

HEADINGS = {
    "person_time": "Person-{unit}",
    "follow_up": "Median follow-up ({unit})",
    "median": "Median survival ({unit})",
    "survival": "Survival at {horizon:g} {unit} (%)",
    "restricted_mean": "Mean to {horizon:g} {unit}",
}


def survival_section(found: StudySurvival) -> Section:
    """Describe follow-up and survival of every cohort."""
    cohorts, unit = found.cohorts, found.unit
    rows = cohorts.table
    horizons = rows.loc[rows["measure"] == "survival", "horizon"].unique().tolist()
    percent = f"{100 * cohorts.level:g}%"
    text = (
        "Follow-up is the reverse Kaplan-Meier median: events censor it. Cohorts are described and "
        "not tested against each other."
    )
    panels = [
        Figure(
            figure=draw_kaplan_meier(
                cohorts.curves[cohorts.curves["group"] == name],
                cohorts.at_risk[cohorts.at_risk["group"] == name],
                unit=unit,
                horizons=horizons,
            ),
            title=cohort_name(str(name)),
        )
        for name in dict.fromkeys(cohorts.table["group"])
    ]
    caption = f"Kaplan-Meier with {percent} intervals (log scale); dotted: the study's horizons."
    curves: Block = (
        FigureGrid(panels=panels, title="Survival by cohort.", caption=caption)
        if len(panels) > 1
        else Figure(figure=panels[0].figure, title="Survival.", caption=caption)
    )
    names = {name: cohort_name(str(name)) for name in cohorts.table["group"]}
    table = Table(
        table=summary_rows(cohorts.table, names=names, unit=unit, heading="Cohort"),
        title="Follow-up and survival.",
        caption=f"Estimate ({percent} interval). Medians and means are in {unit}; the mean is that "
        "of the time free of the event up to the last horizon. A dash: follow-up does not tell.",
    )
    return Section(
        id="survival", title="Follow-up and survival", blocks=[Text(text=text), table, curves]
    )


def risk_group_blocks(found: StudySurvival, model: str) -> Iterable[Table]:
    """Survival of one model's risk groups in every cohort, and how much longer the others live."""
    mine = found.risk_groups[found.risk_groups["model"] == model]
    if not len(mine):
        return
    names = dict(enumerate(risk_group_names(int(found.risk_groups["group"].max()) + 1)))
    contrasts = found.contrasts[found.contrasts["model"] == model]
    trends = found.trends[found.trends["model"] == model].set_index("cohort")["p_value"]
    rows: list[tuple[str, ...]] = []
    groups = []
    header: tuple[str, ...] = ()
    for cohort, part in mine.groupby("cohort", sort=False):
        part = part[~part["measure"].isin(["person_time", "follow_up"])]
        ready = summary_rows(part, names=names, unit=found.unit, heading="Risk group")
        header = (*ready.header, "Difference in mean")
        trend = f", log-rank trend p {format_p_value(trends[cohort])}" if cohort in trends else ""
        groups.append(len(rows))
        rows.append((f"{cohort_name(str(cohort))}{trend}", *[""] * (len(header) - 1)))
        differences = contrasts[
            (contrasts["cohort"] == cohort) & (contrasts["measure"] == "difference")
        ].set_index("group")
        for group, row in zip(part["group"].unique(), ready.rows, strict=True):
            cell = "reference"
            if group in differences.index:
                cell = _estimate(differences.loc[group], digits=1)
            rows.append((f"  {row[0]}", *row[1:], cell))
    yield Table(
        table=TableRows(
            header=header,
            rows=tuple(rows),
            numeric=(False, *[True] * (len(header) - 1)),
            groups=tuple(groups),
        ),
        title="Survival of the risk groups.",
        caption="Estimate with interval; medians, means and their differences from the lowest "
        f"group in {found.unit}. Groups as in the figure above. Ratios of means and p values stand "
        "in tables/risk_group_contrasts.csv.",
    )


def summary_rows(
    table: pd.DataFrame, *, names: Mapping[Any, str], unit: str | None, heading: str
) -> TableRows:
    """Lay a summary out: a row per group, a column per measure and horizon.

    Parameters
    ----------
    table : DataFrame
        As `SurvivalSummary.table`.
    names : mapping
        Group -> what stands in its row.
    unit : str or None
        Unit of time, where it is known.
    heading : str
        What the groups are.

    Returns
    -------
    TableRows
    """
    table = table.assign(
        title=[
            _title(str(measure), horizon, unit)
            for measure, horizon in zip(table["measure"], table["horizon"], strict=True)
        ]
    )
    titles = list(dict.fromkeys(table["title"]))
    rows = []
    for group, part in table.groupby("group", sort=False, observed=True):
        name: Any = group
        cells = part.set_index("title")
        counts = [str(int(part[column].iloc[0])) for column in ("n_patients", "n_events")]
        rows.append((names[name], *counts, *(_cell(cells.loc[title]) for title in titles)))
    return TableRows(
        header=(heading, "Patients", "Events", *titles),
        rows=tuple(rows),
        numeric=(False, *[True] * (len(titles) + 2)),
    )


def _title(measure: str, horizon: float, unit: str | None) -> str:
    """Head a column; times without a unit stand alone.

    Examples
    --------
    >>> _title("survival", 12.0, "months"), _title("survival", 12.0, None)
    ('Survival at 12 months (%)', 'Survival at 12 (%)')
    >>> _title("follow_up", float("nan"), None), _title("person_time", float("nan"), None)
    ('Median follow-up', 'Person-time')
    """
    if unit is None and measure == "person_time":
        unit = "time"
    text = HEADINGS[measure].format(unit=unit or "", horizon=horizon)
    return " ".join(text.replace("()", "").split())


def _cell(row: "pd.Series[Any]") -> str:
    if row["measure"] == "person_time":
        return format_number(row["estimate"], digits=0)
    scale = 100 if row["measure"] == "survival" else 1
    return _estimate(row[["estimate", "lower", "upper"]] * scale, digits=1)


def _estimate(row: "pd.Series[Any]", *, digits: int) -> str:
    return format_estimate(row["estimate"], row["lower"], row["upper"], digits=digits)


def cohort_name(name: str) -> str:
    """Write the name of a cohort as a heading."""
    return name.capitalize() if name == DEVELOPMENT else name
