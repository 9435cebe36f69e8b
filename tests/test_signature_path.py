"""Penalised coefficients and their tuning: glmnet's numbers, and the conditions of the optimum."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.cox import CoxModel
from models.inner_folds import deal_folds
from models.logistic import LogisticModel
from models.signature_columns import learn_columns
from models.signature_losses import CoxLoss, LogisticLoss, loss_of
from models.signature_path import PenalisedPath
from models.signature_tuning import _penalties, tune, tune_in_folds
from omics.errors import FitError
from omics.outcome import survival_outcome

R = json.loads((Path(__file__).parent / "reference" / "signature.json").read_text())
X = np.array(R["x"])
TABLE = pd.DataFrame(X, columns=[f"mri:f{j}" for j in range(X.shape[1])])
FITS = {f"{fit['kind']}, mix {fit['mix']:g}, {fit['rows']} patients": fit for fit in R["fits"]}
CROSS_VALIDATED = {name: fit for name, fit in FITS.items() if "cvm" in fit}


def outcome(kind: str, rows: int | None = None) -> NDArray[Any]:
    if kind == "binary":
        return np.array(R["positive"], dtype=bool)[:rows]
    return survival_outcome(R["time"][:rows], R["event"][:rows])


def path_of(fit: dict[str, Any]) -> PenalisedPath:
    rows = fit["rows"]
    return PenalisedPath(X[:rows], loss_of(outcome(fit["kind"], rows)), mix=fit["mix"])


@pytest.mark.parametrize("name", FITS)
def test_coefficients_are_those_of_glmnet(name: str) -> None:
    fit = FITS[name]
    path = path_of(fit)
    for position, penalty in enumerate(fit["lambda"][: max(fit["at"])], start=1):
        path.move_to(penalty)
        if position not in fit["at"]:
            continue
        theirs = np.array(fit["coef"][fit["at"].index(position)])
        np.testing.assert_allclose(path.beta, theirs * path.scales, atol=1e-5)
        np.testing.assert_array_equal(path.beta != 0, theirs != 0)
        if fit["kind"] == "binary":
            theirs_at_means = fit["intercept"][fit["at"].index(position)] + path.means @ theirs
            assert path.level == pytest.approx(theirs_at_means, abs=1e-5)


@pytest.mark.parametrize("name", FITS)
def test_penalties_are_those_of_glmnet(name: str) -> None:
    fit = FITS[name]
    ours = _penalties(path_of(fit), 50)[: len(fit["lambda"])]
    np.testing.assert_allclose(ours, fit["lambda"], rtol=1e-6)


@pytest.mark.parametrize("name", CROSS_VALIDATED)
def test_deviance_of_held_out_patients_is_that_of_cv_glmnet(name: str) -> None:
    fit = CROSS_VALIDATED[name]
    fold = np.array(R["foldid"]) - 1
    tuned = tune_in_folds(TABLE, outcome(fit["kind"]), fold, mix=fit["mix"], n_lambda=50)
    n = min(len(tuned.penalty), len(fit["lambda"]))
    assert n > fit["lambda"].index(fit["lambda_min"]) + 5  # the path goes on beyond the least
    np.testing.assert_allclose(tuned.mean[:n], fit["cvm"][:n], atol=1e-4)
    np.testing.assert_allclose(tuned.standard_error[:n], fit["cvsd"][:n], atol=1e-4)
    assert tuned.penalty[tuned.at_min] == pytest.approx(fit["lambda_min"], rel=1e-6)
    assert tuned.penalty[tuned.at_1se] == pytest.approx(fit["lambda_1se"], rel=1e-6)
    # at the first penalty rounding decides whether a feature is in
    assert (tuned.coef[1:n] != 0).sum(axis=1).tolist() == fit["nzero"][1:n]


# what must hold at any optimum ----------------------------------------------------------------


def gradient(kind: str, eta: NDArray[np.float64]) -> NDArray[np.float64]:
    """The derivative of the log likelihood in each linear predictor, written out in full."""
    y = outcome(kind)
    if kind == "binary":
        return np.asarray(y - 1 / (1 + np.exp(-eta)))
    at_risk = y["time"] >= y["time"][:, np.newaxis]  # row: the patient whose event it is
    share = at_risk * np.exp(eta) / (at_risk * np.exp(eta)).sum(axis=1, keepdims=True)
    return np.asarray(y["event"] - share[y["event"]].sum(axis=0))


@pytest.mark.parametrize("kind", ["survival", "binary"])
@pytest.mark.parametrize("mix", [1.0, 0.3])
def test_conditions_of_the_optimum_hold(kind: str, mix: float) -> None:
    path = PenalisedPath(X, loss_of(outcome(kind)), mix=mix)
    for share in (0.7, 0.4, 0.2):
        penalty = share * path.largest
        path.move_to(penalty)
        z = (X - X.mean(axis=0)) / X.std(axis=0)
        pull = z.T @ gradient(kind, path.linear_predictor(X)) / len(X)
        pull -= penalty * (1 - mix) * path.beta
        inside = path.beta == 0
        assert 0 < inside.sum() < len(inside)
        assert np.abs(pull[inside]).max() <= penalty * mix + 1e-8
        expected = penalty * mix * np.sign(path.beta[~inside])
        np.testing.assert_allclose(pull[~inside], expected, atol=1e-8)


def test_without_a_penalty_the_plain_regressions_come_out() -> None:
    few = X[:, :3]
    y = outcome("binary")
    path = PenalisedPath(few, loss_of(y), mix=1.0)
    path.move_to(0.0)
    plain = LogisticModel().fit(few, y)
    np.testing.assert_allclose(path.coef, plain.coef_, rtol=1e-6)
    assert path.level - path.means @ path.coef == pytest.approx(plain.intercept_, abs=1e-6)
    y = outcome("survival")
    y["time"] += np.random.default_rng(0).permutation(len(y)) / 1e4  # without ties Efron is Breslow
    path = PenalisedPath(few, loss_of(y), mix=1.0)
    path.move_to(0.0)
    np.testing.assert_allclose(path.coef, CoxModel().fit(few, y).coef_, rtol=1e-6)


def test_a_later_penalty_does_not_depend_on_the_way() -> None:
    for kind in ("survival", "binary"):
        slow, fast = (PenalisedPath(X, loss_of(outcome(kind)), mix=0.8) for _ in range(2))
        for share in np.geomspace(1, 0.2, 12):
            slow.move_to(share * slow.largest)
        fast.move_to(0.2 * fast.largest)
        np.testing.assert_allclose(fast.beta, slow.beta, atol=1e-7)


@settings(max_examples=15, deadline=None)
@given(column=st.integers(0, 39), factor=st.floats(1e-3, 1e3), shift=st.floats(-100, 100))
def test_unit_and_origin_of_a_feature_play_no_part(
    column: int, factor: float, shift: float
) -> None:
    other = X.copy()
    other[:, column] = factor * X[:, column] + shift
    fits = []
    for x in (X, other):
        path = PenalisedPath(x, loss_of(outcome("survival")), mix=1.0)
        path.move_to(0.3 * path.largest)
        fits.append(path.linear_predictor(x))
    np.testing.assert_allclose(fits[1], fits[0], atol=1e-6)


def test_columns_that_do_not_vary_stay_out() -> None:
    x = X.copy()
    x[:, 19] = 1e6 / 3
    path = PenalisedPath(x, loss_of(outcome("binary")), mix=1.0)
    path.move_to(0.1 * path.largest)
    assert path.coef[19] == 0
    without = PenalisedPath(np.delete(x, 19, axis=1), loss_of(outcome("binary")), mix=1.0)
    without.move_to(0.1 * without.largest)
    np.testing.assert_allclose(
        path.linear_predictor(x), without.linear_predictor(np.delete(x, 19, axis=1)), atol=1e-8
    )


def test_deviance_of_ties_is_breslows() -> None:
    # two of three die at once: -2 log(e^a e^b / (e^a + e^b + e^c)^2), saturated 2 log(1/2)
    loss = CoxLoss.of(np.array([1.0, 1.0, 2.0]), np.array([True, True, False]))
    eta = np.array([0.2, -0.1, 0.4])
    expected = -2 * (0.1 - 2 * np.log(np.exp(eta).sum())) - 2 * 2 * np.log(2)
    assert loss.deviance(eta) == pytest.approx(expected, abs=1e-12)
    assert loss.deviance(eta + 700) == pytest.approx(expected, abs=1e-9)


def test_derivatives_are_those_of_the_deviance() -> None:
    eta = np.random.default_rng(1).normal(size=len(X))
    rows, step = X[:, 15:18], 1e-4
    for loss in (loss_of(outcome("survival")), loss_of(outcome("binary"))):
        directions = np.eye(3)

        def at(beta: NDArray[np.float64], loss: Any = loss) -> float:
            return -float(loss.deviance(eta + rows @ beta)) / 2

        slope = [(at(step * d) - at(-step * d)) / (2 * step) for d in directions]
        np.testing.assert_allclose(rows.T @ loss.slopes(eta).gradient, slope, rtol=1e-6)
        information = [
            [
                (at(step * (a - b)) + at(step * (b - a)) - at(step * (a + b)) - at(-step * (a + b)))
                / (4 * step**2)
                for a in directions
            ]
            for b in directions
        ]
        np.testing.assert_allclose(loss.information(rows, eta), information, rtol=1e-3)
        single = loss.information(np.eye(len(X)), eta)
        np.testing.assert_allclose(np.diag(single), loss.slopes(eta).curvature, atol=1e-10)


# folds and gaps -------------------------------------------------------------------------------


@given(seed=st.integers(0, 100), copies=st.lists(st.integers(0, 29), min_size=30, max_size=90))
def test_copies_of_a_patient_stay_in_one_fold(seed: int, copies: list[int]) -> None:
    patient = np.array([*range(30), *copies])
    event = patient % 3 == 0
    fold = deal_folds(patient, event, folds=5, seed=seed, binary=True, name="folds")
    for number in range(30):
        assert len(set(fold[patient == number])) == 1
    per_fold = [len(set(patient[(fold == k) & event])) for k in range(5)]
    assert per_fold == [2] * 5


def test_too_many_folds_are_refused() -> None:
    y = outcome("binary")[:12]
    with pytest.raises(FitError, match=r"folds must not exceed the patients with.* 10 folds"):
        tune(TABLE[:12], y, np.arange(12), mix=1.0, folds=10, n_lambda=10, seed=0)


def test_a_patient_without_a_view_takes_its_means() -> None:
    table = TABLE.iloc[:, :4].rename(columns={"mri:f3": "rna:g"})
    table.iloc[5, :3] = np.nan
    table.iloc[6, 1] = np.nan
    columns = learn_columns(table)
    filled = columns.filled(table)
    np.testing.assert_allclose(filled[5, :3], np.delete(filled, 5, axis=0)[:, :3].mean(axis=0))
    assert filled[6, 1] == table.iloc[:, 1].median()
    assert filled[5, 3] == table.iloc[5, 3]
    np.testing.assert_allclose(filled.mean(axis=0), columns.means)


def test_both_classes_are_needed() -> None:
    with pytest.raises(FitError, match="needs both classes"):
        loss_of(np.ones(5, dtype=bool))
    with pytest.raises(FitError, match="needs events"):
        loss_of(survival_outcome([1.0, 2.0], [False, False]))
    assert LogisticLoss(event=np.ones(5, dtype=bool)).deviance(np.zeros(5)) == pytest.approx(
        10 * np.log(2)
    )


@pytest.mark.parametrize("kind", ["survival", "binary"])
def test_columns_that_determine_each_other_do_not_stop_it(kind: str) -> None:
    # radiomics tables hold one quantity under several names, and sums of others
    x = np.column_stack([X, 3 * X[:, 19] + 2, X[:, 0] + X[:, 12], X[:, 0] * (1 + 1e-7)])
    double = PenalisedPath(x, loss_of(outcome(kind)), mix=1.0)
    single = PenalisedPath(np.delete(x, [40, 42], axis=1), loss_of(outcome(kind)), mix=1.0)
    for share in np.geomspace(1, 0.05, 15):
        for path in (double, single):
            path.move_to(share * path.largest)
        np.testing.assert_allclose(
            double.linear_predictor(x),
            single.linear_predictor(np.delete(x, [40, 42], axis=1)),
            atol=1e-4,  # copies may share a coefficient in any way; what they predict is one
        )
