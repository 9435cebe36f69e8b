"""Risks from Cox models of each cause: hand-worked, identities, R's figures, then properties."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import cause_specific
from models.cause_specific import CauseSpecificCox, Form
from models.competing_risks import incidence_at
from models.cox import CoxModel
from omics.errors import FitError
from omics.outcome import survival_outcome
from tests.competing_reference import AT, CAUSE, TIME, UNTIED, Competing, R, competing

X = pd.DataFrame({"x": R["data"]["x"], "z": R["data"]["z"]}, dtype=float)
NEW = pd.DataFrame(R["csc"]["new"], dtype=float)
FORMS: list[Form] = ["exponential", "product_limit"]


def risks(model: CauseSpecificCox, *, of: int = 1) -> np.ndarray:
    return np.column_stack([model.risk(NEW, horizon=h, of=of) for h in AT])


# ---- hand-worked and identities


def test_by_hand_without_predictors() -> None:
    # Hazards: cause 1 at 1, 1/4; cause 2 at 2, 1/3; cause 1 at 3, 1/2.
    none = pd.DataFrame(index=range(4))
    for form in FORMS:
        model = CauseSpecificCox(form=form).fit(none, [1, 2, 3, 4], [1, 2, 1, 0])
        steps = [1 / 4, 1 / 3, 1 / 2]
        leave = 1 - np.exp(np.negative(steps)) if form == "exponential" else np.array(steps)
        stay = np.cumprod(1 - leave)
        first = leave[0] + stay[1] * leave[2]
        assert model.risk(none, horizon=3) == pytest.approx([first] * 4, abs=1e-12)
        assert model.risk(none, horizon=3.5, of=2) == pytest.approx([stay[0] * leave[1]] * 4)


def test_one_cause_is_the_cox_model() -> None:
    event = (CAUSE == 1).astype(int)
    found = CauseSpecificCox().fit(X, TIME, event)
    expected = CoxModel().fit(X, survival_outcome(TIME, event))
    for horizon in AT:
        np.testing.assert_allclose(
            found.risk(NEW, horizon=horizon), expected.risk(NEW, horizon=horizon), atol=1e-12
        )


def test_without_predictors_the_product_limit_is_aalen_johansen() -> None:
    none = pd.DataFrame(index=range(len(TIME)))
    model = CauseSpecificCox(form="product_limit").fit(none, TIME, CAUSE)
    for of in (1, 2):
        found = [model.risk(none[:1], horizon=h, of=of).item() for h in AT]
        np.testing.assert_allclose(found, incidence_at(TIME, CAUSE, AT, of=of), atol=1e-12)


def test_many_patients_in_blocks_are_the_same_patients(monkeypatch: pytest.MonkeyPatch) -> None:
    model = CauseSpecificCox().fit(X, TIME, CAUSE)
    whole = model.risk(X, horizon=24)
    monkeypatch.setattr(cause_specific, "CELLS", 70)
    np.testing.assert_allclose(model.risk(X, horizon=24), whole, atol=1e-15)


# ---- R


def test_r_survfit_of_a_multi_state_coxph() -> None:
    model = CauseSpecificCox().fit(X, UNTIED, CAUSE)
    np.testing.assert_allclose(risks(model), R["csc"]["survfit"], atol=1e-9)
    np.testing.assert_allclose(risks(model, of=2), R["csc"]["survfit_second"], atol=1e-9)
    np.testing.assert_allclose(model.coefficients["coefficient"], R["csc"]["coef"], atol=1e-8)


def test_r_riskregression() -> None:
    model = CauseSpecificCox(form="product_limit").fit(X, UNTIED, CAUSE)
    np.testing.assert_allclose(risks(model), R["csc"]["product_limit"], atol=1e-9)
    np.testing.assert_allclose(risks(model, of=2), R["csc"]["second"], atol=1e-9)


def test_r_with_tied_times() -> None:
    model = CauseSpecificCox(form="product_limit").fit(X, TIME, CAUSE)
    np.testing.assert_allclose(model.models_[1].coef_, R["csc"]["tied_coef"], atol=1e-8)
    np.testing.assert_allclose(risks(model), R["csc"]["tied_product_limit"], atol=1e-9)


# ---- properties


@settings(max_examples=30)
@given(s=competing(min_size=6), seed=st.integers(0, 99))
def test_the_causes_add_up_to_what_the_hazards_leave(s: Competing, seed: int) -> None:
    x = np.random.default_rng(seed).normal(size=(len(s.time), 1))
    cause = s.cause.copy()
    cause[:2] = [1, 2]
    model = CauseSpecificCox(ridge=0.5).fit(x, s.time, cause)
    horizon = float(np.median(s.time))
    total = model.risk(x, horizon=horizon) + model.risk(x, horizon=horizon, of=2)
    hazard = sum(-np.log1p(-one.risk(x, horizon=horizon)) for one in model.models_.values())
    np.testing.assert_allclose(total, 1 - np.exp(-np.asarray(hazard)), atol=1e-9)


@settings(max_examples=20)
@given(unit=st.sampled_from([12.0, 365.25]), seed=st.integers(0, 99))
def test_order_of_patients_unit_and_names_of_causes_do_not_matter(unit: float, seed: int) -> None:
    rows = np.random.default_rng(seed).permutation(len(TIME))
    found = CauseSpecificCox().fit(X, TIME, CAUSE).risk(NEW, horizon=24)
    swapped = np.array([0, 5, 3])[CAUSE]
    again = CauseSpecificCox().fit(X.iloc[rows], unit * TIME[rows], swapped[rows])
    np.testing.assert_allclose(again.risk(NEW, horizon=24 * unit, of=5), found, atol=1e-9)
    assert again.n_events_ == {3: (CAUSE == 2).sum(), 5: (CAUSE == 1).sum()}


def test_worse_predictors_show_and_risks_never_fall() -> None:
    model = CauseSpecificCox().fit(X, TIME, CAUSE)
    found = risks(model)
    assert (np.diff(found, axis=1) >= 0).all()
    assert found[2, 2] > found[0, 2]  # x raises the hazard of cause 1
    linear = model.linear_predictors(NEW)
    assert linear[1].is_monotonic_increasing
    assert linear.columns.tolist() == [1, 2]


def test_an_extreme_patient_has_a_risk() -> None:
    model = CauseSpecificCox().fit(X, TIME, CAUSE)
    far = pd.DataFrame({"x": [5000.0, -5000.0], "z": [0.0, 0.0]})
    high, low = model.risk(far, horizon=24)
    assert high == pytest.approx(1, abs=1e-9)  # cause 2 falls with x
    assert low == pytest.approx(0, abs=1e-9)


# ---- where there is no answer


def test_beyond_follow_up_nothing_is_known_and_before_the_first_event_nothing_happened() -> None:
    model = CauseSpecificCox().fit(X, TIME, CAUSE)
    assert np.isnan(model.risk(NEW, horizon=TIME.max() + 1)).all()
    assert model.risk(NEW, horizon=TIME.min() / 2).tolist() == [0, 0, 0]


def test_a_hazard_above_one_has_no_product() -> None:
    model = CauseSpecificCox(form="product_limit").fit(X, TIME, CAUSE)
    found = model.risk(pd.DataFrame({"x": [0.0, 20.0], "z": [0.0, 0.0]}), horizon=24)
    assert np.isnan(found).tolist() == [False, True]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cause": [0] * 6}, "cause must hold an event, but all 6 patients are censored"),
        ({"cause": [0.5, 1, 0, 0, 2, 1]}, "cause must be a whole number"),
        ({"time": [1, 2]}, "one value per patient"),
    ],
)
def test_wrong_input_is_named(options: dict[str, object], message: str) -> None:
    given = {"time": [1, 2, 3, 4, 5, 6], "cause": [1, 2, 0, 1, 1, 2], **options}
    with pytest.raises(ValueError, match=message):
        CauseSpecificCox().fit(np.array([[1.0], [3], [2], [5], [4], [0]]), **given)  # type: ignore[arg-type]


def test_wrong_options_are_named() -> None:
    with pytest.raises(ValueError, match=r"form must be 'exponential' or 'product_limit'"):
        CauseSpecificCox(form="product").fit(X, TIME, CAUSE)  # type: ignore[arg-type]
    model = CauseSpecificCox().fit(X, TIME, CAUSE)
    with pytest.raises(ValueError, match=r"of must be a cause of the fit \(\[1, 2\]\), but 3"):
        model.risk(NEW, horizon=12, of=3)
    with pytest.raises(ValueError, match="horizon must be a time above zero"):
        model.risk(NEW, horizon=0)
    with pytest.raises(ValueError, match="X must have the 2 columns of the fit"):
        model.risk(NEW[["x"]], horizon=12)


def test_a_constant_column_is_refused_by_the_regression() -> None:
    with pytest.raises(FitError, match="no column may be constant"):
        CauseSpecificCox().fit(np.ones((6, 1)), [1, 2, 3, 4, 5, 6], [1, 2, 0, 1, 1, 2])
