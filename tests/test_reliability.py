"""Intraclass correlations: by hand, psych, pingouin; then properties, edges and the filter."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.base import clone

from omics.errors import FitError
from omics.intraclass import FORMS, Form
from omics.reliability import Reliability, ReliabilityFilter, icc, table_reliability

HERE = Path(__file__).parent / "reference"
PSYCH = json.loads((HERE / "reliability.json").read_text(encoding="utf-8"))
PINGOUIN = json.loads((HERE / "pingouin_icc.json").read_text(encoding="utf-8"))
SHROUT_FLEISS = np.array(PSYCH["tables"]["shrout_fleiss"]["readings"], dtype=float)


def numbers(found: Reliability) -> NDArray[np.float64]:
    return found.table[["estimate", "lower", "upper"]].to_numpy()


def drawn(
    n: int = 30, k: int = 2, p: int = 1, *, noise: float = 0.5, seed: int = 0
) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 1, p)) + noise * rng.normal(size=(n, k, p))


def test_shrout_and_fleiss_by_hand() -> None:
    # Mean squares of their table 2: BMS 11.24, JMS 32.49, EMS 1.02, WMS 6.26.
    patients, readers, residual, within = 11.241666667, 32.486111111, 1.019444444, 6.263888889
    by_hand = {
        "ICC(1)": (patients - within) / (patients + 3 * within),
        "ICC(A,1)": (patients - residual)
        / (patients + 3 * residual + 4 / 6 * (readers - residual)),
        "ICC(C,1)": (patients - residual) / (patients + 3 * residual),
        "ICC(k)": (patients - within) / patients,
        "ICC(A,k)": (patients - residual) / (patients + (readers - residual) / 6),
        "ICC(C,k)": (patients - residual) / patients,
    }
    for form in FORMS:
        found = numbers(icc(SHROUT_FLEISS, form=form))[0, 0]
        assert found == pytest.approx(by_hand[form], abs=1e-9)  # the mean squares are rounded


@pytest.mark.parametrize("name", list(PSYCH["tables"]))
@pytest.mark.parametrize("number", range(6))
def test_psych_and_pingouin_agree(name: str, number: int) -> None:
    form: Form = PSYCH["forms"][number]
    table = PSYCH["tables"][name]
    found = numbers(icc(table["readings"], form=form))[0]
    # The file holds 15 digits: of readings about 1e6 apart by 1, that is 1e-9.
    tolerance = 1e-8 if name == "large_mean" else 1e-10
    psych = [table[part][number] for part in ("estimate", "lower", "upper")]
    np.testing.assert_allclose(found, psych, atol=tolerance, rtol=tolerance)
    other = [PINGOUIN["tables"][name][part][number] for part in ("estimate", "lower", "upper")]
    np.testing.assert_allclose(found, other, atol=2e-8)  # its intervals are rounded to 8 digits


def test_many_features_are_each_on_their_own() -> None:
    readings = drawn(p=7, k=3)
    together = numbers(icc(readings, form="ICC(A,1)"))
    alone = np.vstack([numbers(icc(readings[:, :, j], form="ICC(A,1)")) for j in range(7)])
    np.testing.assert_allclose(together, alone, rtol=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_coverage_of_the_interval(form: Form) -> None:
    """The interval holds the true correlation .8 in 95 of 100 samples, for each form."""
    rng = np.random.default_rng(5)
    n, k, p = 30, 3, 2000
    readings = rng.normal(size=(n, 1, p)) + 0.5 * rng.normal(size=(n, k, p))
    found = numbers(icc(readings, form=form))
    truth = 0.8 if form.endswith("1)") else 3 * 0.8 / 2.6
    covered = ((found[:, 1] <= truth) & (truth <= found[:, 2])).mean()
    # Binomial error of 2000 samples is .005. ICC(A,1) estimates a readers' variance that is 0.
    assert covered == pytest.approx(0.95, abs=0.02)


@settings(max_examples=40)
@given(
    form=st.sampled_from(FORMS),
    shift=st.floats(-1e3, 1e3),
    scale=st.floats(0.01, 1e3),
    order=st.permutations(range(8)),
    seed=st.integers(0, 50),
)
def test_units_and_order_change_nothing(
    form: Form, shift: float, scale: float, order: list[int], seed: int
) -> None:
    readings = drawn(8, 3, seed=seed)
    found = numbers(icc(readings, form=form))
    same = numbers(icc(shift + scale * readings[order][:, ::-1], form=form))
    np.testing.assert_allclose(same, found, rtol=1e-6, atol=1e-6)
    assert found[0, 1] <= found[0, 0] <= found[0, 2] <= 1


@settings(max_examples=20)
@given(bias=st.floats(0.5, 100), seed=st.integers(0, 50))
def test_a_readers_bias_is_forgiven_by_consistency_alone(bias: float, seed: int) -> None:
    readings = drawn(12, 2, seed=seed)
    biased = readings + np.array([0, bias])[:, np.newaxis]
    consistent = [numbers(icc(r, form="ICC(C,1)"))[0, 0] for r in (readings, biased)]
    assert consistent[0] == pytest.approx(consistent[1], abs=1e-9)
    far = readings + np.array([0, 1000.0])[:, np.newaxis]
    absolute = numbers(icc(far, form="ICC(A,1)"))[0, 0]
    assert absolute < 0.01 < consistent[0] or consistent[0] < 0.05


def test_reversed_readings_are_worse_than_chance() -> None:
    readings = drawn(20, 2, noise=0.1)
    readings[:, 1] *= -1
    assert numbers(icc(readings, form="ICC(C,1)"))[0, 2] < 0


def test_readers_who_agree_to_the_last_digit() -> None:
    readings = np.repeat(drawn(6, 1) * 1e7 + 0.1, 2, axis=1)
    for form in FORMS:
        np.testing.assert_array_equal(numbers(icc(readings, form=form)), 1.0)


def test_no_coefficient_without_variance_or_patients() -> None:
    readings = drawn(5, 2, 3)
    readings[..., 0] = 0.1 + 0.2
    readings[1:, 0, 1] = np.nan
    found = icc(readings, form="ICC(A,1)").table
    assert found["reason"].tolist() == [
        "the same value in every reading",
        "fewer than two patients with all readings",
        "",
    ]
    assert found["n_patients"].tolist() == [5, 1, 5]
    assert np.isnan(numbers(icc(readings, form="ICC(A,1)"))[:2]).all()
    assert found["band"].tolist()[:2] == ["", ""]
    nobody = icc(np.empty((0, 2, 1)), form="ICC(1)")
    assert np.isnan(numbers(nobody)).all()


def test_patients_alike_for_two_readers_who_are_not() -> None:
    """No variance between patients: the coefficient is 0, and nothing bounds it."""
    readings = np.tile([1.0, 2.0], (6, 1))
    estimate, lower, upper = numbers(icc(readings, form="ICC(A,1)"))[0]
    assert estimate == 0
    assert np.isnan(lower) == np.isnan(upper)
    assert not lower > 0.0


def test_a_patient_counts_only_if_all_readers_measured_it() -> None:
    readings = drawn(10, 3, 2)
    gaps = readings.copy()
    gaps[3, 1, 0] = np.nan
    found = numbers(icc(gaps, form="ICC(A,1)"))
    without = numbers(icc(np.delete(readings, 3, axis=0), form="ICC(A,1)"))
    np.testing.assert_allclose(found[0], without[0], rtol=1e-12)
    np.testing.assert_allclose(found[1], numbers(icc(readings, form="ICC(A,1)"))[1], rtol=1e-12)


def test_bands_and_classes_are_of_the_lower_bound() -> None:
    names = ["mri:original_glcm_Contrast", "mri:wavelet-LLH_glcm_Contrast", "mri:Age"]
    readings = np.concatenate(
        [drawn(40, 2, 1, noise=0.05), drawn(40, 2, 1, noise=0.3), drawn(40, 2, 1, noise=3)], axis=2
    )
    found = icc(readings, form="ICC(A,1)", names=names)
    lower = found.table["lower"].tolist()
    assert lower[0] > 0.9 > lower[1] > 0.75
    assert lower[2] < 0.5
    assert found.table["band"].tolist() == ["excellent", "good", "poor"]
    assert found.table["feature_class"].tolist() == ["glcm", "glcm", "other"]
    whole = found.by_class.set_index("feature_class")
    assert whole.loc["glcm", "share_good"] == 1.0
    assert whole.loc["glcm", "share_excellent"] == 0.5
    assert whole.loc["all", "n_features"] == 3
    assert whole.loc["glcm", "median"] == pytest.approx(found.table["estimate"][:2].mean())
    assert repr(found).endswith("40 patients, 2 readers, lower bound >= 0.75 in 2)")


def tables(p: int = 3, n: int = 20) -> list[pd.DataFrame]:
    """Two readers: the last feature is noise in the second."""
    readings = drawn(n, 2, p, noise=0.05)
    readings[:, 1, -1] = np.random.default_rng(9).normal(size=n)
    columns = [f"mri:f{j}" for j in range(p)]
    index = pd.Index([f"P{i:02d}" for i in range(n)], name="patient")
    return [pd.DataFrame(readings[:, j], index=index, columns=columns) for j in range(2)]


def test_tables_are_joined_by_patient_and_column() -> None:
    one, two = tables()
    expected = icc(np.stack([one, two], axis=1), form="ICC(A,1)")
    turned = two.iloc[::-1, ::-1]
    found = table_reliability([one, turned], form="ICC(A,1)")
    np.testing.assert_allclose(numbers(found), numbers(expected), rtol=1e-12)
    few = table_reliability([one, turned.head(12)], form="ICC(A,1)")
    assert few.n_patients == 12


def filtered(X: pd.DataFrame, repeats: list[pd.DataFrame], **settings: Any) -> ReliabilityFilter:
    return ReliabilityFilter(repeats, form="ICC(A,1)", least=0.75, **settings).fit(X)


def test_filter_keeps_what_is_repeated_and_other_views() -> None:
    one, two = tables()
    X = one.assign(**{"clinical:Age": 50.0})
    kept = filtered(X, [two])
    assert kept.dropped_ == ("mri:f2",)
    assert kept.transform(X).columns.tolist() == ["mri:f0", "mri:f1", "clinical:Age"]
    narrow = X[["mri:f1"]]
    pd.testing.assert_frame_equal(kept.transform(narrow), narrow)
    assert kept.drops_columns
    assert clone(kept).get_params()["least"] == 0.75


def test_filter_decides_by_the_lower_bound() -> None:
    readings = drawn(12, 2, noise=0.6, seed=3)
    index = pd.Index([f"P{i}" for i in range(12)])
    one, two = (pd.DataFrame({"mri:f": readings[:, j, 0]}, index=index) for j in range(2))
    found = filtered(one, [two])
    estimate, lower, _ = numbers(found.reliability_)[0]
    assert lower < 0.75 < estimate
    assert found.dropped_ == ("mri:f",)


def test_filter_learns_from_the_patients_it_is_shown_alone() -> None:
    one, two = tables(n=30)
    train = one.iloc[:20]
    found = filtered(train, [two])
    changed = two.copy()
    changed.iloc[20:] = 1e6
    np.testing.assert_array_equal(
        numbers(filtered(train, [changed]).reliability_), numbers(found.reliability_)
    )
    copies = train.iloc[[*range(20), 3, 3]]  # a bootstrap sample
    np.testing.assert_array_equal(
        numbers(filtered(copies, [two]).reliability_), numbers(found.reliability_)
    )


def test_independent_repeats_are_of_other_patients() -> None:
    others = tables()
    X = others[0].set_axis([f"Q{i}" for i in range(20)], axis=0) * 100
    found = filtered(X, others, independent=True)
    assert found.dropped_ == ("mri:f2",)
    assert found.reliability_.n_patients == 20


ONE, TWO = tables()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: icc([1.0, 2.0], form="ICC(1)"), r"readings must have the shape .* \(2,\) came"),
        (lambda: icc([[1.0], [2.0]], form="ICC(1)"), "with two readers or more"),
        (lambda: icc([[1.0, np.inf]], form="ICC(1)"), "1 are infinite .*reader 1"),
        (lambda: icc([[1.0, 2.0]], form="ICC(2,1)"), r"That is 'ICC\(A,1\)'"),
        (lambda: icc([[1.0, 2.0]], form="kappa"), "form must be one of"),
        (lambda: icc([[1.0, 2.0]], form="ICC(1)", level=1.0), "level must lie"),
        (lambda: icc([[1.0, 2.0]], form="ICC(1)", names=["a", "b"]), "each of 1 features, but 2"),
        (lambda: table_reliability([ONE], form="ICC(1)"), "two readers or more, but 1"),
        (
            lambda: table_reliability([ONE, TWO[["mri:f1"]]], form="ICC(1)"),
            "table 2 must hold every column .* 2 of 3 are absent .*'mri:f0', 'mri:f2'",
        ),
        (
            lambda: table_reliability([ONE, pd.concat([TWO, TWO])], form="ICC(1)"),
            "each patient once, but 20 of 20",
        ),
        (lambda: table_reliability([ONE, TWO.astype(str)], form="ICC(1)"), "3 of 3 .*'mri:f0'"),
        (lambda: filtered(ONE, []), "repeats must hold 1 table or more, but 0"),
        (lambda: filtered(ONE, [TWO], independent=True), "repeats must hold 2 tables or more"),
        (
            lambda: filtered(ONE, [TWO], least_patients=1),
            "least_patients must be a whole number of 2",
        ),
        (lambda: ReliabilityFilter([TWO], form="ICC(1)", least=75).fit(ONE), r"in \[0, 1\].* 75"),
        (
            lambda: filtered(ONE.add_prefix("x"), [TWO]),
            "none of 3 is of 'mri'. Did you mean 'xmri'",
        ),
        (lambda: filtered(ONE.assign(**{"mri:new": 1.0}), [TWO]), "1 of 4 are absent .*'mri:new'"),
    ],
)
def test_wrong_input_is_named(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_too_few_patients_with_repeats_is_a_fit_that_failed() -> None:
    with pytest.raises(FitError, match="at least 10 patients with all readings, but 4 of 20"):
        filtered(ONE, [TWO.head(4)])


def test_a_column_of_too_few_patients_goes_with_its_reason() -> None:
    one, two = tables()
    two = two.copy()
    two.iloc[3:, 1] = np.nan
    two.iloc[:3, 1] = one.iloc[:3, 1]  # three patients, read alike to the last digit
    found = filtered(one, [two])
    assert found.dropped_ == ("mri:f1", "mri:f2")
    reasons = found.reliability_.table.set_index("feature")["reason"]
    assert reasons["mri:f1"] == "fewer than 10 patients with all readings"
    assert reasons["mri:f0"] == ""
