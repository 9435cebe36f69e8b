"""Survival results in a notebook: figures and tables hold the numbers of the result."""

from typing import Any

import numpy as np
import pytest

from models.competing_risks import cumulative_incidence, incidence_estimates
from models.follow_up import follow_up
from models.gray import gray_test
from models.log_rank import log_rank, log_rank_trend
from models.restricted_mean import restricted_mean
from models.survival_curves import kaplan_meier, numbers_at_risk
from models.survival_description import survival_summary
from reports.blocks import Figure, FigureGrid, Page, Section, Table
from reports.html import render
from reports.jupyter import DRAWN, drawn
from reports.tables import TableRows, format_estimate, format_p_value, table_rows
from tests.competing_reference import CAUSE, GROUP, TIME

EVENT = CAUSE > 0


def section(result: object) -> Section:
    found = drawn(result)
    assert isinstance(found, Section)
    assert render(Page(title="P", sections=[found]))
    return found


def table(result: object, position: int = 0) -> tuple[Table, TableRows]:
    block = [block for block in section(result).blocks if isinstance(block, Table)][position]
    ready = block.table
    return block, ready if isinstance(ready, TableRows) else table_rows(ready)


def trace(figure: Any, name: str) -> Any:
    return [one for one in figure.data if one.name == name]


def test_kaplan_meier_draws_its_curve_over_those_at_risk() -> None:
    found = kaplan_meier(TIME, EVENT, group=GROUP, interval="log-log", level=0.9)
    block = section(found).blocks[0]
    assert isinstance(block, Figure)
    assert "90% intervals (log-log scale)" in block.caption
    curve = found.table[found.table["group"] == "low"]
    drawn_curve = trace(block.figure, "low")[2]
    assert list(drawn_curve.x) == curve["time"].tolist()
    assert list(drawn_curve.y) == curve["survival"].tolist()
    (counts,) = trace(block.figure, "low, at risk")
    expected = numbers_at_risk(TIME, EVENT, at=list(counts.x), group=GROUP)
    low = expected.loc[expected["group"] == "low", "n_at_risk"]
    assert list(counts.text) == low.astype(str).tolist()
    _, medians = table(found)
    assert medians.header[-1] == "Median survival (90% CI)"
    row = found.medians.set_index("group").loc["low", ["median", "lower", "upper"]]
    assert medians.rows[1][-1] == format_estimate(*row.astype(float), digits=1)


def test_incidence_has_a_panel_for_each_cause_on_one_axis() -> None:
    found = cumulative_incidence(TIME, CAUSE, group=GROUP)
    grid = section(found).blocks[0]
    assert isinstance(grid, FigureGrid)
    assert [panel.title for panel in grid.panels] == ["Cause 1", "Cause 2"]
    ranges = [panel.figure.layout.yaxis.range for panel in grid.panels]
    assert ranges[0] == ranges[1]
    assert f"Events: {(CAUSE == 1).sum()} of cause 1, {(CAUSE == 2).sum()} of cause 2." in (
        grid.caption
    )
    _, rows = table(found)
    assert rows.header[:2] == ("Group", "By 10")
    read = incidence_estimates(found, [10.0]).query("cause == 2 and group == 'low'").iloc[0]
    numbers = [100 * read[name] for name in ("estimate", "lower", "upper")]
    position = [rows.rows[place][0] for place in rows.groups].index("Cause 2")
    below = rows.rows[rows.groups[position] + 1 :]
    assert next(row for row in below if row[0] == "  low")[1] == format_estimate(*numbers, digits=1)


@pytest.mark.parametrize("group", [None, GROUP])
def test_incidence_of_one_group_or_one_cause_is_one_figure(group: Any) -> None:
    cause = CAUSE if group is None else np.where(CAUSE == 2, 0, CAUSE)
    block = section(cumulative_incidence(TIME, cause, group=group)).blocks[0]
    assert isinstance(block, Figure)
    assert len([one for one in block.figure.data if one.mode == "text"]) == len(
        {"all"} if group is None else set(group)
    )


def test_a_summary_without_unit_has_headings_without_one() -> None:
    found = survival_summary(TIME, EVENT, horizons=[12, 24], group=GROUP)
    _, rows = table(found)
    assert rows.header == (
        *("Group", "Patients", "Events", "Person-time", "Median follow-up", "Median survival"),
        *("Survival at 12 (%)", "Survival at 24 (%)", "Mean to 24"),
    )
    figure = section(found).blocks[1]
    assert isinstance(figure, Figure)
    assert [shape.x0 for shape in figure.figure.layout.shapes] == [12, 24]


def test_follow_up_and_restricted_mean_are_tables() -> None:
    followed = follow_up(TIME, EVENT, group=GROUP)
    _, rows = table(followed)
    row = followed.table.iloc[0]
    interval = [float(row[name]) for name in ("median", "lower", "upper")]
    assert rows.rows[0][rows.header.index("Median follow-up (95% CI)")] == format_estimate(
        *interval, digits=1
    )
    mean = restricted_mean(TIME, EVENT, horizon=24, group=GROUP)
    _, means = table(mean)
    assert means.header[3] == "Mean to 24 (95% CI)"
    _, contrasts = table(mean, 1)
    first = mean.contrasts.iloc[0]
    assert contrasts.rows[0] == (
        *(str(first["group"]), "high", "difference"),
        format_estimate(first["estimate"], first["lower"], first["upper"], digits=2),
        format_p_value(first["p_value"]),
    )
    assert len(section(restricted_mean(TIME, EVENT, horizon=24)).blocks) == 1


@pytest.mark.parametrize(
    ("found", "title"),
    [
        (log_rank(TIME, EVENT, group=GROUP), "Log-rank test."),
        (log_rank_trend(TIME, EVENT, GROUP), "Log-rank test for trend."),
        (gray_test(TIME, CAUSE, GROUP, of=2), "Gray's test, cause 2."),
    ],
)
def test_tests_say_chi_square_and_p(found: Any, title: str) -> None:
    block, rows = table(found)
    assert block.title == title
    freedom = "1 degree" if found.df == 1 else f"{found.df} degrees"
    p_value = format_p_value(found.p_value)
    assert block.caption == f"Chi-square {found.chi2:.2f} on {freedom} of freedom, p {p_value}."
    observed = found.table["observed"].astype(int).astype(str).tolist()
    assert [row[2] for row in rows.rows] == observed
    assert [row[3] for row in rows.rows] == [f"{e:.1f}" for e in found.table["expected"]]


def test_every_result_of_survival_is_known_to_a_notebook() -> None:
    names = {kind.__name__ for kind in DRAWN}
    assert names >= {
        *("KaplanMeier", "CumulativeIncidence", "SurvivalSummary", "StudySurvival", "FollowUp"),
        *("RestrictedMean", "LogRank", "GrayTest"),
    }
