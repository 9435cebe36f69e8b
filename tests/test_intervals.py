"""How sure a risk is: R's survfit and predict.glm, identities, and what has no interval."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.boosting import BoostedModel
from models.cox import CoxModel
from models.intervals import hazard_spread, risk_interval
from models.logistic import LogisticModel
from omics.outcome import survival_outcome

REFERENCE = json.loads((Path(__file__).parent / "reference" / "intervals.json").read_text())
DATA = pd.DataFrame(REFERENCE["data"])
NEW = pd.DataFrame(REFERENCE["new"]).astype(float)
X = DATA[["age", "size", "mutant"]].astype(float)
Y = survival_outcome(DATA["time"], DATA["event"])
HORIZONS = tuple(map(float, REFERENCE["horizons"]))


@pytest.mark.parametrize(("name", "ridge"), [("cox", 0.0), ("ridge", REFERENCE["theta"])])
def test_cox_interval_is_that_of_survfit(name: str, ridge: float) -> None:
    model = CoxModel(ridge=ridge, tolerance=1e-13).fit(X, Y)
    spread = hazard_spread(model, X, Y, horizons=HORIZONS)
    for place, horizon in enumerate(HORIZONS):
        lower, upper = risk_interval(model, NEW, horizon=horizon, level=0.95, spread=spread)
        theirs = {
            key: np.array(REFERENCE[name][key])[:, place] for key in ("risk", "lower", "upper")
        }
        np.testing.assert_allclose(model.risk(NEW, horizon=horizon), theirs["risk"], rtol=1e-6)
        np.testing.assert_allclose(lower, theirs["lower"], rtol=1e-6)
        np.testing.assert_allclose(upper, theirs["upper"], rtol=1e-6)


def test_logistic_interval_is_that_of_predict_glm() -> None:
    model = LogisticModel().fit(X, DATA["event"] == 1)
    lower, upper = risk_interval(model, NEW, horizon=None, level=0.95)
    np.testing.assert_allclose(lower, REFERENCE["logistic"]["lower"], rtol=1e-6)
    np.testing.assert_allclose(upper, REFERENCE["logistic"]["upper"], rtol=1e-6)


def test_interval_without_columns_is_that_of_the_baseline_alone() -> None:
    """Three patients, events at 1 and 3: H = 1/3 + 1, var H = 1/9 + 1."""
    y = survival_outcome([1, 2, 3], [True, False, True])
    none = pd.DataFrame(index=range(3))
    model = CoxModel().fit(none, y)
    spread = hazard_spread(model, none, y, horizons=(0.5, 3.0))
    lower, upper = risk_interval(model, none[:1], horizon=3.0, level=0.95, spread=spread)
    half = 1.959963984540054 * np.sqrt(10 / 9) / (4 / 3)
    np.testing.assert_allclose(lower, 1 - np.exp(-(4 / 3) * np.exp(-half)), rtol=1e-12)
    np.testing.assert_allclose(upper, 1 - np.exp(-(4 / 3) * np.exp(half)), rtol=1e-12)
    before = risk_interval(model, none[:1], horizon=0.5, level=0.95, spread=spread)
    assert np.isnan(before).all()  # nobody had the event: there is nothing to be sure of


def test_a_wider_level_is_wider_and_holds_the_risk() -> None:
    model = CoxModel().fit(X, Y)
    spread = hazard_spread(model, X, Y, horizons=HORIZONS)
    narrow, wide = (
        risk_interval(model, X, horizon=12.0, level=level, spread=spread) for level in (0.5, 0.99)
    )
    risk = model.risk(X, horizon=12.0)
    assert (wide[0] < narrow[0]).all()
    assert (narrow[0] < risk).all()
    assert (risk < narrow[1]).all()
    assert (narrow[1] < wide[1]).all()


def test_boosted_trees_have_none() -> None:
    model = BoostedModel(n_rounds=3).fit(X, DATA["event"] == 1)
    assert np.isnan(risk_interval(model, NEW, horizon=None, level=0.95)).all()


def test_a_horizon_that_was_not_summed_up_is_refused() -> None:
    model = CoxModel().fit(X, Y)
    spread = hazard_spread(model, X, Y, horizons=HORIZONS)
    with pytest.raises(ValueError, match=r"but 7\.0 is none of \[6\.0, 12\.0, 24\.0\]"):
        risk_interval(model, NEW, horizon=7.0, level=0.95, spread=spread)
    with pytest.raises(ValueError, match="spread must hold the horizon"):
        risk_interval(model, NEW, horizon=12.0, level=0.95)
