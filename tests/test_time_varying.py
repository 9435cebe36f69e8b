"""Cox regression on intervals: coxph, our own core on split patients, direction, bad intervals."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.cox_fit import cox_fit
from models.time_varying import TimeVaryingCox, time_varying_cox
from omics.errors import FitError

R = json.loads((Path(__file__).parent / "reference" / "time_varying.json").read_text())
ROWS = pd.DataFrame(R["data"])
COLUMNS = ["age", "treated"]


def fit(rows: pd.DataFrame, columns: list[str] = COLUMNS) -> TimeVaryingCox:
    return time_varying_cox(
        rows[columns], rows["start"], rows["stop"], rows["event"], patient=rows["id"]
    )


FOUND = fit(ROWS)


def test_equals_coxph() -> None:
    np.testing.assert_allclose(FOUND.table["coefficient"], R["coef"], atol=1e-7)
    np.testing.assert_allclose(FOUND.covariance, R["covariance"], rtol=1e-6)
    assert FOUND.log_likelihood == pytest.approx(R["log_likelihood"], abs=1e-8)
    assert (FOUND.n_patients, FOUND.n_intervals) == (120, len(ROWS))
    assert FOUND.n_events == ROWS["event"].sum()
    assert FOUND.table["term"].tolist() == COLUMNS


def test_follow_up_cut_in_two_is_the_same_follow_up() -> None:
    whole = ROWS.groupby("id").agg(stop=("stop", "max"), event=("event", "max"), age=("age", "max"))
    ordinary = cox_fit(whole[["age"]], whole["stop"], whole["event"].astype(bool))
    split = fit(ROWS, ["age"])
    assert split.table["coefficient"][0] == pytest.approx(ordinary.coef[0], abs=1e-7)
    assert split.covariance[0, 0] == pytest.approx(ordinary.covariance[0, 0], rel=1e-6)


def test_a_value_of_the_other_sign_turns_the_coefficient() -> None:
    turned = fit(ROWS.assign(age=-ROWS["age"]))
    assert turned.table["coefficient"][0] == pytest.approx(-FOUND.table["coefficient"][0])
    assert turned.table["coefficient"][1] == pytest.approx(FOUND.table["coefficient"][1])


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1.0, 30.4375, 1 / 12]))
def test_order_and_unit_change_nothing(seed: int, unit: float) -> None:
    rng = np.random.default_rng(seed)
    rows = ROWS.sample(frac=1, random_state=rng.integers(1000))
    rows = rows.assign(
        start=unit * rows["start"], stop=unit * rows["stop"], id="P" + rows["id"].astype(str)
    )
    np.testing.assert_allclose(fit(rows).table["coefficient"], R["coef"], atol=1e-6)


def test_looking_ahead_makes_immortals() -> None:
    ever = ROWS.assign(treated=ROWS.groupby("id")["treated"].transform("max"))
    assert fit(ever).table["coefficient"][1] < FOUND.table["coefficient"][1] - 0.3


def spoilt(**changes: Any) -> pd.DataFrame:
    rows = ROWS.astype({"start": float, "stop": float})
    for column, (row, value) in changes.items():
        rows.loc[row, column] = value
    return rows


SECOND = int(np.flatnonzero(ROWS["id"].duplicated())[0])  # a patient's second interval


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"stop": (0, 0.0)}, r"lie before stop, but 1 of \d+ intervals do not \(first: row 0"),
        ({"start": (0, -1.0)}, r"start must be 0 or more"),
        ({"start": (SECOND, 0.0)}, r"must not overlap, but 1 begin .*row \d+"),
        ({"event": (SECOND - 1, 1)}, r"1 intervals come after it \(first: row"),
        ({"stop": (0, np.nan)}, "stop must be finite, but 1"),
        ({"age": (0, np.nan)}, "missing"),
        ({"event": (0, 2)}, "event must"),
    ],
)
def test_wrong_intervals_are_named(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        fit(spoilt(**changes))


def test_what_has_no_fit_is_named() -> None:
    with pytest.raises(FitError, match="none of 120 patients had one"):
        fit(ROWS.assign(event=0))
    with pytest.raises(FitError, match="'years' is determined by"):
        fit(ROWS.assign(years=2 * ROWS["age"]), ["age", "years"])
    with pytest.raises(FitError, match="no column may be constant"):
        fit(ROWS.assign(age=1.0))
    separated = ROWS.assign(treated=((ROWS["event"] == 0) & (ROWS["stop"] > 0)).astype(int))
    with pytest.raises(FitError, match="finite estimate, but none was found for 'treated'"):
        fit(separated, ["treated"])
    with pytest.raises(ValueError, match="1 of 2 have none"):
        time_varying_cox(ROWS[["age"]][:2], [0, 0], [1, 1], [1, 0], patient=["A", None])
    with pytest.raises(ValueError, match="one value per patient"):
        time_varying_cox(ROWS[["age"]], [0], [1], [1], patient=[1])


def test_text() -> None:
    assert repr(FOUND).startswith("TimeVaryingCox(120 patients, ")
