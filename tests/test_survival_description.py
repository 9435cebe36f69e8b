"""Follow-up and survival of cohorts: each figure is that of the function it comes from."""

import numpy as np
import pytest

from models.follow_up import follow_up
from models.restricted_mean import restricted_mean
from models.survival_curves import kaplan_meier, survival_at
from models.survival_description import COLUMNS, survival_summary
from tests.description_reference import EVENT, GROUP, LABELS, TIME

FOUND = survival_summary(TIME, EVENT, horizons=[24, 12], group=GROUP)


def of(measure: str) -> np.ndarray:
    return FOUND.table.query("measure == @measure")[["estimate", "lower", "upper"]].to_numpy()


def test_every_figure_is_that_of_its_function() -> None:
    names = ["median", "lower", "upper"]
    followed = follow_up(TIME, EVENT, group=GROUP).table
    np.testing.assert_array_equal(of("follow_up"), followed[names])
    np.testing.assert_array_equal(of("person_time")[:, 0], followed["person_time"])
    medians = kaplan_meier(TIME, EVENT, group=GROUP).medians
    np.testing.assert_array_equal(of("median"), medians[names])
    mean = restricted_mean(TIME, EVENT, horizon=24, group=GROUP).table
    np.testing.assert_array_equal(of("restricted_mean"), mean[["estimate", "lower", "upper"]])
    expected = [survival_at(TIME[k == GROUP], EVENT[k == GROUP], [12, 24]) for k in LABELS]
    np.testing.assert_allclose(of("survival")[:, 0], np.concatenate(expected), atol=1e-12)


def test_rows_stand_group_by_group_with_the_whole_groups_counts() -> None:
    assert list(FOUND.table.columns) == COLUMNS
    assert FOUND.table["group"].tolist() == [label for label in LABELS for _ in range(6)]
    sizes = FOUND.table.groupby("group")[["n_patients", "n_events"]].agg(["min", "max"])
    assert sizes["n_patients", "min"].tolist() == [(k == GROUP).sum() for k in LABELS]
    assert sizes["n_events", "max"].tolist() == [EVENT[k == GROUP].sum() for k in LABELS]
    assert repr(FOUND) == f"SurvivalSummary(3 groups, 110 patients, {EVENT.sum()} events)"


def test_wrong_input_is_named() -> None:
    with pytest.raises(ValueError, match="horizons must hold a time above zero, but none came"):
        survival_summary([1, 2], [1, 0], horizons=[])
    with pytest.raises(ValueError, match="horizons must be a time above zero, but -1 came"):
        survival_summary([1, 2], [1, 0], horizons=[-1])
