"""Survival curves of new patients: R's survfit of a coxph, and what must hold."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.cox import CoxModel
from models.cox_curves import cox_curves
from models.intervals import hazard_spread, risk_interval
from omics.outcome import survival_outcome

REFERENCE = json.loads((Path(__file__).parent / "reference" / "cox_core.json").read_text())
TABLE = pd.DataFrame(REFERENCE["data"])
X = TABLE[["age", "mutant"]].astype(float)
Y = survival_outcome(TABLE["time"], TABLE["event"])
NEW = pd.DataFrame(REFERENCE["new"]).astype(float)


def numbers(values: object) -> np.ndarray:
    """Read R's numbers, NA as NaN."""
    return pd.DataFrame(values).apply(pd.to_numeric, errors="coerce").to_numpy(dtype=float)


@pytest.mark.parametrize("kind", ["log", "log-log", "plain", "breslow", "weighted", "cluster"])
def test_curves_equal_survfit(kind: str) -> None:
    expected = REFERENCE["curves"][kind]
    weights = TABLE["weight"] if kind == "weighted" else None
    cluster = TABLE["cluster"] if kind == "cluster" else None  # R's limits have the sandwich, too
    model = CoxModel(ties="breslow" if kind == "breslow" else "efron", robust=kind == "cluster")
    model.fit(X, Y, sample_weight=weights, cluster=cluster)
    interval = "log-log" if kind in ("breslow", "weighted", "cluster") else kind
    found = cox_curves(model, X, Y, NEW, interval=interval, sample_weight=weights)
    times = np.array(expected["time"])
    for patient in range(3):
        own = found.table[found.table["patient"] == patient]
        at = np.searchsorted(times, own["time"].to_numpy()[1:])
        for name, column in (("surv", "survival"), ("lower", "lower"), ("upper", "upper")):
            r = numbers(expected[name])[at, patient]
            np.testing.assert_allclose(own[column].to_numpy()[1:], r, rtol=1e-7, err_msg=column)
    for name, column in (
        ("median", "median"),
        ("median_lower", "lower"),
        ("median_upper", "upper"),
    ):
        np.testing.assert_allclose(found.medians[column], numbers(expected[name])[:, 0])


def test_each_stratum_has_its_own_curve() -> None:
    model = CoxModel(strata="centre").fit(X.assign(centre=TABLE["centre"]), Y)
    new = NEW.assign(centre=["A", "B", "C"])
    found = cox_curves(model, X.assign(centre=TABLE["centre"]), Y, new)
    for patient, expected in enumerate(REFERENCE["by_stratum"]):
        own = found.table[found.table["patient"] == patient].iloc[1:]
        at = np.searchsorted(expected["time"], own["time"])
        for name, column in (("surv", "survival"), ("lower", "lower"), ("upper", "upper")):
            r = np.array(expected[name], dtype=float)[at]
            np.testing.assert_allclose(own[column], r, rtol=1e-7)


def test_agrees_with_the_risk_and_its_interval() -> None:
    model = CoxModel().fit(X, Y)
    found = cox_curves(model, X, Y, NEW).table
    spread = hazard_spread(model, X, Y, horizons=(12.0,))
    lower, upper = risk_interval(model, NEW, horizon=12.0, level=0.95, spread=spread)
    last = found[found["time"] <= 12].groupby("patient").last()
    np.testing.assert_allclose(1 - last["survival"], model.risk(NEW, horizon=12), atol=1e-12)
    np.testing.assert_allclose(1 - last["upper"], lower, atol=1e-10)
    np.testing.assert_allclose(1 - last["lower"], upper, atol=1e-10)
    np.testing.assert_allclose(found.groupby("patient")["survival"].first(), 1.0)
    np.testing.assert_array_equal(cox_curves(model, X, Y, NEW).medians["median"], model.median(NEW))


def test_curves_fall_and_the_sicker_lie_lower() -> None:
    model = CoxModel().fit(X, Y)
    table = cox_curves(model, X, Y, NEW).table
    wide = table.pivot_table(index="time", columns="patient", values="survival")
    assert (wide.diff().dropna() <= 0).all(axis=None)
    order = np.argsort(model.linear_predictor(NEW))
    assert (wide.iloc[-1].to_numpy()[order][:-1] > wide.iloc[-1].to_numpy()[order][1:]).all()


def test_months_or_days_give_the_same_curve() -> None:
    days = survival_outcome(Y["time"] * 30.4375, Y["event"])
    one = cox_curves(CoxModel().fit(X, Y), X, Y, NEW)
    other = cox_curves(CoxModel().fit(X, days), X, days, NEW)
    np.testing.assert_allclose(other.table["lower"], one.table["lower"], rtol=1e-9)
    np.testing.assert_allclose(other.medians["median"], one.medians["median"] * 30.4375)


def test_one_event_has_a_curve() -> None:
    y = survival_outcome([1, 2, 3, 4, 5], [0, 0, 1, 0, 0])
    nothing = pd.DataFrame(index=range(5))
    found = cox_curves(CoxModel().fit(nothing, y), nothing, y, nothing.iloc[:1])
    assert found.table["survival"].tolist() == [1.0, pytest.approx(np.exp(-1 / 3))]
    assert np.isnan(found.medians["median"].item())


def test_wrong_input_is_named() -> None:
    strata = X.assign(centre=TABLE["centre"])
    model = CoxModel(strata="centre").fit(strata, Y)
    with pytest.raises(ValueError, match="of another"):
        cox_curves(model, strata, Y, NEW.assign(centre="D"))
    with pytest.raises(ValueError, match="interval must be"):
        cox_curves(model, strata, Y, NEW.assign(centre="A"), interval="logit")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="one value per patient"):
        cox_curves(model, strata, Y, NEW.assign(centre="A"), sample_weight=[1.0])


@pytest.mark.parametrize("changed", ["order", "weights", "outcome"])
def test_other_patients_than_the_fits_are_refused(changed: str) -> None:
    model = CoxModel().fit(X, Y)
    x = X[::-1] if changed == "order" else X
    y = Y[:-9] if changed == "outcome" else Y
    weights = TABLE["weight"] if changed == "weights" else None
    with pytest.raises(ValueError, match="must be those the model was fitted to"):
        cox_curves(model, x[: len(y)], y, NEW, sample_weight=weights)


def test_weights_of_the_fit_must_come_back() -> None:
    model = CoxModel().fit(X, Y, sample_weight=TABLE["weight"])
    with pytest.raises(ValueError, match="with the case weights of the fit"):
        cox_curves(model, X, Y, NEW)


def test_nobody_to_predict_is_named() -> None:
    with pytest.raises(ValueError, match="new must hold at least one patient"):
        cox_curves(CoxModel().fit(X, Y), X, Y, NEW[:0])


def test_stratum_without_event_keeps_its_start() -> None:
    x = pd.DataFrame({"x": [0.0, 1, 2, 0, 1, 3], "site": list("aaabbb")})
    y = survival_outcome([2, 1, 3, 4, 5, 6], [0, 1, 0, 0, 0, 0])
    model = CoxModel(ridge=1.0, strata="site").fit(x, y)
    found = cox_curves(model, x, y, x.iloc[[1, 4]])
    assert found.table["time"].tolist() == [0.0, 1.0, 0.0]
    assert found.medians["median"].isna().all()
