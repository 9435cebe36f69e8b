"""Reverse Kaplan-Meier follow-up: hand-worked, R's figures, then what holds always."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given

from models.follow_up import FollowUp, follow_up
from models.survival_curves import kaplan_meier
from tests.description_reference import EVENT, GROUP, LABELS, TIME, R, numbers
from tests.metrics_reference import Sample, samples
from tests.realdata import DATA, needs_data


def test_by_hand() -> None:
    # Censored at 2, 3 and 4, of 3, 2 and 1 still followed: 2/3, 1/3, 0.
    found = follow_up([1, 2, 3, 4], [True, False, False, False]).table.iloc[0]
    assert found["median"] == 3
    assert found["person_time"] == 10
    assert found["longest"] == 4
    assert found[["n_patients", "n_events"]].tolist() == [4, 1]


def test_at_a_tie_the_event_was_followed_so_far() -> None:
    # At 2 one has the event and one is censored, both of 2 at risk; had the event left first, the
    # curve would fall from 1 to 0 there.
    found = follow_up([2, 2], [True, False]).table
    assert found["median"].item() == 2
    curve = kaplan_meier([2, 2], [False, True]).table
    assert curve["survival"].tolist() == [1, 0.5]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("follow_up", follow_up(TIME, EVENT, group=GROUP)),
        ("follow_up_loglog", follow_up(TIME, EVENT, interval="log-log")),
    ],
)
def test_r_survfit_of_the_status_reversed(name: str, found: FollowUp) -> None:
    table = found.table
    for column in ("median", "lower", "upper"):
        expected = np.atleast_1d(numbers(R[name][column]))
        np.testing.assert_array_equal(table[column], expected)
    assert table["group"].tolist() == (LABELS if len(table) > 1 else ["all"])


@needs_data("survival")
def test_pbc() -> None:
    pbc = pd.read_csv(DATA / "survival" / "pbc.csv").dropna(subset=["trt"])
    found = follow_up(pbc["time"] / 365.25, pbc["status"] == 2).table.iloc[0]
    for column in ("median", "lower", "upper"):
        assert found[column] == pytest.approx(R["pbc"]["follow_up"][column], abs=1e-12)


@given(samples())
def test_it_is_no_shorter_than_what_was_observed(s: Sample) -> None:
    found = follow_up(s.time, s.event, group=s.score > 0).table
    assert found["person_time"].sum() == pytest.approx(s.time.sum())
    assert found["n_events"].sum() == s.event.sum()
    known = found.dropna(subset="median")
    for row in known.itertuples():
        own = s.time[(s.score > 0) == row.group]
        assert row.median >= np.quantile(own, 0.5, method="lower")
        assert row.longest == own.max()


def test_nobody_censored_so_nothing_is_known_of_follow_up() -> None:
    found = follow_up([1, 2, 3], [1, 1, 1]).table.iloc[0]
    assert np.isnan(found[["median", "lower", "upper"]].astype(float)).all()


def test_more_events_do_not_shorten_it() -> None:
    # The same dates of censoring, and half of the patients with the event before theirs.
    date = np.arange(10.0, 30)
    early = np.where(np.arange(20) % 2 == 0, 5.0, date)
    found = follow_up(early, np.arange(20) % 2 == 0).table["median"].item()
    assert found >= np.median(date) - 1
    assert np.median(early) < found


def test_one_line_says_it() -> None:
    assert repr(follow_up([1, 2, 3, 4], [1, 0, 0, 0])) == (
        "FollowUp(4 patients, 1 events, median 3, 95% interval 2-nan)"
    )
    grouped = follow_up([1, 2], [1, 0], group=["a", "b"])
    assert repr(grouped) == "FollowUp(2 groups, 2 patients, 1 events)"


def test_wrong_input_is_named() -> None:
    with pytest.raises(ValueError, match="group must be known for every patient"):
        follow_up([1, 2], [1, 0], group=["a", None])
    with pytest.raises(ValueError, match="interval must be 'log'"):
        follow_up([1, 2], [1, 0], interval="logit")  # type: ignore[arg-type]
