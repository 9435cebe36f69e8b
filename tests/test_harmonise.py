"""ComBat: R's sva::ComBat frozen, then what must hold whatever the data; policies; bad input."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from omics.combat import Moments, shrunken
from omics.errors import FitError
from omics.harmonise import ComBat

R = json.loads((Path(__file__).parent / "reference" / "combat.json").read_text(encoding="utf-8"))
COVARIATES = ["clinical:age", "clinical:sex", "clinical:grade"]


def numbers(rows: Any) -> Any:
    return np.array(rows, dtype=np.float64)  # None is NaN


def table(values: Any, centre: Any) -> pd.DataFrame:
    names = [f"mri:{j}" for j in range(numbers(values).shape[1])]
    return pd.DataFrame(numbers(values), columns=names).assign(
        **{"meta:centre": pd.Categorical(centre)}
    )


def r_table(values: str = "values", centre: str = "centre") -> pd.DataFrame:
    data = R["data"]
    return table(data[values], data[centre]).assign(
        **{
            "clinical:age": numbers(data["age"]),
            "clinical:sex": pd.Categorical(data["sex"]),
            "clinical:grade": pd.Categorical(data["grade"]),
        }
    )


def mri(X: pd.DataFrame) -> Any:
    return X[[name for name in X.columns if name.startswith("mri:")]].to_numpy()


def combat(**options: Any) -> ComBat:
    return ComBat(["mri"], **({"new_centre": "refuse"} | options))


def made(
    n: tuple[int, ...] = (30, 25, 20), p: int = 12, *, seed: int = 1, spread: float = 1.0
) -> pd.DataFrame:
    """Values without any mark of the centre, unless `spread` gives each a scale of its own."""
    rng = np.random.default_rng(seed)
    centre = np.repeat([chr(65 + k) for k in range(len(n))], n)
    values = rng.normal(size=(sum(n), p)) * np.exp(rng.normal(size=p)) + rng.normal(size=p) * 10
    X = table(values, centre).assign(**{"clinical:age": rng.normal(60, 10, sum(n))})
    for k, name in enumerate(dict.fromkeys(centre)):
        here = centre == name
        columns = [c for c in X.columns if c.startswith("mri:")]
        scale = spread**k
        X.loc[here, columns] = X.loc[here, columns] * scale + (k * 5 if spread != 1 else 0)
    return X


@pytest.mark.parametrize(
    ("case", "options"),
    [
        ("parametric", {}),
        ("nonparametric", {"parametric": False}),
        ("mean_only", {"mean_only": True}),
        ("mean_only_nonparametric", {"mean_only": True, "parametric": False}),
        ("reference", {"reference": "B"}),
        ("reference_nonparametric", {"reference": "B", "parametric": False}),
        ("reference_mean_only", {"reference": "C", "mean_only": True}),
        ("covariates", {"covariates": COVARIATES}),
        ("covariates_nonparametric", {"covariates": COVARIATES, "parametric": False}),
        ("covariates_reference", {"covariates": COVARIATES, "reference": "A"}),
        ("covariates_mean_only", {"covariates": COVARIATES, "mean_only": True}),
    ],
)
def test_equals_sva(case: str, options: dict[str, Any]) -> None:
    X = r_table()
    harmonised = combat(**options).fit_transform(X)
    np.testing.assert_allclose(mri(harmonised), numbers(R[case]), rtol=1e-10)
    rest = [name for name in X.columns if not name.startswith("mri:")]
    pd.testing.assert_frame_equal(harmonised[rest], X[rest])
    assert list(harmonised.columns) == list(X.columns)


@pytest.mark.parametrize(
    ("case", "options"),
    [
        ("gaps", {}),
        ("gaps_nonparametric", {"parametric": False}),
        ("gaps_covariates", {"covariates": COVARIATES}),
        ("gaps_reference", {"reference": "A"}),
        ("gaps_mean_only", {"mean_only": True}),
    ],
)
def test_gaps_stay_and_the_rest_equals_sva(case: str, options: dict[str, Any]) -> None:
    found = mri(combat(**options).fit_transform(r_table("gaps")))
    np.testing.assert_allclose(found, numbers(R[case]), rtol=1e-10)
    assert np.isnan(found).sum() == 6


@pytest.mark.parametrize("parametric", [True, False])
def test_one_known_value_at_a_centre_is_enough_for_means_as_by_sva(parametric: bool) -> None:
    X = r_table("few")
    fitted = combat(mean_only=True, parametric=parametric).fit(X)
    assert fitted.unadjusted_ == []
    case = "few_mean_only" + ("" if parametric else "_nonparametric")
    np.testing.assert_allclose(mri(fitted.transform(X)), numbers(R[case]), rtol=1e-10)
    # for scales it is too few: sva then stops, or gives NaN everywhere
    assert combat(parametric=parametric).fit(X).unadjusted_ == ["mri:1"]


def test_what_sva_stops_at_is_left_and_told() -> None:
    assert "singular" in R["whole_centre_missing"]
    assert "singular" in R["level_missing"]
    for X, options in (
        (r_table("whole"), {}),
        (r_table("whole"), {"mean_only": True}),
        (r_table().assign(**{"mri:1": np.nan}), {}),
        (r_table("women"), {"covariates": ["clinical:sex"]}),
    ):
        fitted = combat(**options).fit(X)
        assert fitted.unadjusted_ == ["mri:1"]
        found = fitted.transform(X)
        np.testing.assert_array_equal(found["mri:1"], X["mri:1"])
        others = X.drop(columns="mri:1")
        wanted = combat(**options).fit_transform(others)
        np.testing.assert_allclose(mri(found.drop(columns="mri:1")), mri(wanted), rtol=1e-12)
    assert combat(covariates=["clinical:age"]).fit(r_table("women")).unadjusted_ == []


def test_a_feature_constant_at_a_centre_is_left_as_by_sva() -> None:
    X = r_table("constant")
    fitted = combat().fit(X)
    assert fitted.unadjusted_ == ["mri:3"]
    np.testing.assert_allclose(mri(fitted.transform(X)), numbers(R["constant"]), rtol=1e-10)
    np.testing.assert_array_equal(fitted.transform(X)["mri:3"], X["mri:3"])


def test_a_centre_of_one_patient_leaves_scales_as_by_sva() -> None:
    X = r_table(centre="single")
    fitted = combat().fit(X)
    assert fitted.mean_only_
    assert (fitted.delta_ == 1).all()
    np.testing.assert_allclose(mri(fitted.transform(X)), numbers(R["single"]), rtol=1e-10)


def test_a_feature_constant_at_a_centre_but_for_gaps_is_left_too() -> None:
    # sva looks for constants by var(), which a gap makes NA: it then shrinks a variance of zero
    X = r_table("constant")
    X.loc[10, "mri:3"] = np.nan
    assert combat().fit(X).unadjusted_ == ["mri:3"]


def centre_gap(values: Any, half: int) -> Any:
    """Difference of the centres' means, of each feature."""
    return values[:half].mean(axis=0) - values[half:].mean(axis=0)


def test_many_patients_do_not_underflow() -> None:
    data = R["data"]["wide"]
    X = table(data, np.repeat(["A", "B"], len(data) // 2))
    found = mri(combat(parametric=False).fit_transform(X))
    np.testing.assert_allclose(found, numbers(R["wide"]), rtol=1e-10)
    many = pd.concat([X] * 40, ignore_index=True)  # sva gives NaN here
    found, half = mri(combat(parametric=False).fit_transform(many)), len(data) // 2
    apart = found.reshape(40, len(data), -1)
    gap, before = (np.abs(centre_gap(values, half)) for values in (apart[0], mri(X)))
    assert gap.mean() < 0.5 * before.mean(), (gap.mean(), before.mean())
    np.testing.assert_array_equal(apart[0], apart[-1])


def test_patients_without_the_table_are_no_gaps() -> None:
    # a missing table is not a missing value: sva's divisor for gaps must not come in
    X = r_table()
    lacking = X.iloc[:3].copy()
    lacking.loc[:, [c for c in X.columns if c.startswith("mri:")]] = np.nan
    both = pd.concat([X, lacking], ignore_index=True)
    found = combat().fit_transform(both)
    np.testing.assert_allclose(mri(found)[: len(X)], numbers(R["parametric"]), rtol=1e-10)
    assert np.isnan(mri(found)[len(X) :]).all()


def test_shrinking_by_hand() -> None:
    # shifts 1 and 3: mean 2, variance 2; each is trusted by 2 / (2 + 1)
    two = Moments.of(np.array([[0.0, 2.0], [2.0, 4.0]]))
    gamma, delta = shrunken(two, parametric=True, mean_only=True)
    np.testing.assert_allclose(gamma, [2 + (1 - 2) * 2 / 3, 2 + (3 - 2) * 2 / 3])
    np.testing.assert_array_equal(delta, 1)
    # of two features each takes what the other shows
    gamma, delta = shrunken(two, parametric=False, mean_only=False)
    np.testing.assert_allclose(gamma, [3, 1])
    np.testing.assert_allclose(delta, two.variance[::-1])


def test_equal_variances_are_not_shrunk() -> None:
    # the variance of the prior is then zero; sva divides by it
    z = np.array([[0.0, 1.0, 5.0], [2.0, 3.0, 7.0]])
    _, delta = shrunken(Moments.of(z), parametric=True, mean_only=False)
    np.testing.assert_allclose(delta, 2.0)


def test_a_shift_and_a_scale_are_undone() -> None:
    X = made(n=(400, 400), spread=3.0, p=20)
    apart = X.groupby("meta:centre", observed=True)
    before = (apart.mean(numeric_only=True).diff().iloc[1] / X.std(numeric_only=True)).filter(
        like="mri"
    )
    Y = combat().fit_transform(X)
    by_centre = Y.groupby("meta:centre", observed=True)
    after = (by_centre.mean(numeric_only=True).diff().iloc[1] / Y.std(numeric_only=True)).filter(
        like="mri"
    )
    ratio = by_centre.std(numeric_only=True).filter(like="mri")
    assert before.abs().median() > 0.5
    assert after.abs().max() < 0.03
    np.testing.assert_allclose(ratio.loc["B"] / ratio.loc["A"], 1, atol=0.1)


def test_without_a_mark_little_is_changed() -> None:
    X = made(n=(300, 300), p=40)
    Y = combat().fit_transform(X)
    moved = np.abs(mri(Y) - mri(X)) / mri(X).std(axis=0)
    raw = np.abs(mri(X[:300]).mean(axis=0) - mri(X[300:]).mean(axis=0)) / mri(X).std(axis=0)
    assert moved.mean() < 0.5 * raw.mean()


def test_the_reference_stays_exactly() -> None:
    X = made(spread=2.0)
    Y = combat(reference="B", covariates=["clinical:age"]).fit_transform(X)
    here = (X["meta:centre"] == "B").to_numpy()
    np.testing.assert_array_equal(mri(Y)[here], mri(X)[here])
    assert (np.abs(mri(Y)[~here] - mri(X)[~here]) > 0).all()


def test_a_covariate_keeps_its_effect() -> None:
    # age differs by centre: without it as covariate its effect is taken for the centre's
    rng = np.random.default_rng(4)
    X = made(n=(200, 200), p=10)
    age = rng.normal(size=400) + (X["meta:centre"] == "B") * 2.0
    X["clinical:age"] = age
    for name in [c for c in X.columns if c.startswith("mri:")]:
        X[name] = age + rng.normal(size=400)
    kept = combat(covariates=["clinical:age"]).fit_transform(X)
    lost = combat().fit_transform(X)
    slope = np.polyfit(age, mri(kept).mean(axis=1), 1)[0]
    assert slope == pytest.approx(1, abs=0.05)
    assert np.polyfit(age, mri(lost).mean(axis=1), 1)[0] < 0.7


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), unit=st.sampled_from([1e-6, 0.1, 1000.0]))
def test_order_units_and_labels_do_not_matter(seed: int, unit: float) -> None:
    X = made(n=(9, 8, 7), p=6, seed=seed, spread=1.5)
    order = np.random.default_rng(seed).permutation(len(X))
    fitted = combat(covariates=["clinical:age"]).fit(X)
    plain = mri(fitted.transform(X))
    shuffled = clone(fitted).fit_transform(X.iloc[order])
    np.testing.assert_allclose(mri(shuffled), plain[order], rtol=1e-9)
    other = X.copy()
    columns = [c for c in X.columns if c.startswith("mri:")]
    other[columns] = X[columns] * unit
    other["meta:centre"] = X["meta:centre"].cat.rename_categories({"A": "z", "B": "10", "C": "b"})
    relabelled = clone(fitted).fit_transform(other)
    np.testing.assert_allclose(mri(relabelled) / unit, plain, rtol=1e-8, atol=1e-8)


def test_a_patient_is_harmonised_by_frozen_estimates_alone() -> None:
    X, new = made(spread=2.0), made(seed=7, spread=1.3)
    fitted = combat(covariates=["clinical:age"]).fit(X)
    together = fitted.transform(new)
    alone = pd.concat([fitted.transform(new.iloc[[row]]) for row in range(len(new))])
    pd.testing.assert_frame_equal(together, alone, check_categorical=False)
    some = new.drop(columns=["mri:0", "mri:5"])
    pd.testing.assert_frame_equal(fitted.transform(some), together[some.columns])


def test_held_out_patients_and_the_outcome_change_nothing() -> None:
    X = made(spread=2.0)
    train = X.iloc[::2]
    y = np.arange(len(train)) % 2 == 0
    once = combat().fit(train, y)
    spoiled = X.copy()
    columns = [c for c in X.columns if c.startswith("mri:")]
    spoiled.iloc[1::2, [X.columns.get_loc(c) for c in columns]] *= 100.0
    again = combat().fit(spoiled.iloc[::2], ~y)
    for name in ("gamma_", "delta_", "mean_", "scale_"):
        np.testing.assert_array_equal(getattr(once, name), getattr(again, name))


def test_arguments_are_not_changed() -> None:
    X = made()
    before = X.copy(deep=True)
    combat(covariates=["clinical:age"]).fit(X).transform(X)
    pd.testing.assert_frame_equal(X, before)


def renamed(X: pd.DataFrame, old: str, new: str) -> pd.DataFrame:
    return X.assign(**{"meta:centre": X["meta:centre"].cat.rename_categories({old: new})})


def test_a_new_centre_is_refused() -> None:
    fitted = combat().fit(made())
    new = renamed(made(seed=3), "C", "Oslo")
    assert fitted.refused(new).sum() == 20
    with pytest.raises(ValueError, match=r"centres 'A', 'B', 'C', but 20 of 75.*'Oslo' \(20\)"):
        fitted.transform(new)
    assert fitted.new_centres(new).to_dict("records") == [
        {"centre": "Oslo", "n_patients": 20, "what": "refused", "why": ""}
    ]


def test_a_new_centre_passes_through_untouched() -> None:
    fitted = combat(new_centre="pass_through").fit(made(spread=2.0))
    new = renamed(made(seed=3), "C", "Oslo")
    found = fitted.transform(new)
    here = (new["meta:centre"] == "Oslo").to_numpy()
    np.testing.assert_array_equal(mri(found)[here], mri(new)[here])
    assert not np.allclose(mri(found)[~here], mri(new)[~here])


@pytest.mark.parametrize(
    "options",
    [{}, {"parametric": False}, {"mean_only": True}, {"reference": "A"}],
)
def test_estimating_a_centre_again_gives_what_the_fit_gave(options: dict[str, Any]) -> None:
    # a training centre under another name has the same values, so the same shift and scale
    X = made(spread=2.0)
    fitted = combat(new_centre="estimate", least_patients=5, **options).fit(X)
    alias = renamed(X, "C", "Oslo")
    np.testing.assert_allclose(mri(fitted.transform(alias)), mri(fitted.transform(X)), rtol=1e-9)


def test_too_few_patients_of_a_new_centre_are_refused() -> None:
    fitted = combat(new_centre="estimate", least_patients=21).fit(made())
    new = renamed(made(seed=3), "C", "Oslo")
    assert fitted.new_centres(new)["what"].tolist() == ["refused"]
    with pytest.raises(ValueError, match=r"'Oslo' \(20\).*give 21 patients of it or more"):
        fitted.transform(new)


@pytest.mark.parametrize("mean_only", [False, True])
def test_a_feature_known_in_too_few_of_a_new_centre_refuses_it(mean_only: bool) -> None:
    # left as it is, it would stand raw among harmonised features
    fitted = combat(new_centre="estimate", least_patients=15, mean_only=mean_only).fit(made())
    new = renamed(made(seed=3), "C", "Oslo")
    here = np.flatnonzero(new["meta:centre"] == "Oslo")
    new.iloc[here[1:], [0]] = np.nan
    new.iloc[here[14:], [1]] = np.nan
    (row,) = fitted.new_centres(new).to_dict("records")
    assert (row["what"], row["n_patients"]) == ("refused", 20)
    expected = "2 of 12 features are known in fewer than 15 of its patients (first: 'mri:0' in 1)"
    assert row["why"] == expected
    with pytest.raises(ValueError, match=rf"Of 'Oslo', {re.escape(expected)}\. Leave them out"):
        fitted.transform(new)
    assert fitted.refused(new).sum() == 20
    new.iloc[here, [0, 1]] = np.nan  # that nobody has, nobody needs
    assert fitted.new_centres(new)["why"].tolist() == [""]
    found = fitted.transform(new)
    assert found.iloc[here, [0, 1]].isna().all(axis=None)
    assert found.iloc[here, 2:12].notna().all(axis=None)


def test_a_feature_that_is_the_same_in_all_of_a_new_centre_has_no_scale() -> None:
    new = renamed(made(seed=3), "C", "Oslo")
    new.loc[new["meta:centre"] == "Oslo", "mri:3"] = 7.0
    fitted = combat(new_centre="estimate", least_patients=15).fit(made())
    assert fitted.new_centres(new)["why"].tolist() == [
        "1 of 12 features is the same in all ('mri:3')"
    ]
    shifts = combat(new_centre="estimate", least_patients=15, mean_only=True).fit(made())
    assert not shifts.refused(new).any()


def test_copies_of_a_patient_are_one_patient() -> None:
    # in a bootstrap sample a centre may come down to copies: no feature varies there
    X = made(n=(10, 10, 3))
    rows = [*range(20), 22, 22, 22]
    fitted = combat().fit(X.iloc[rows])
    assert fitted.n_patients_ == {"A": 10, "B": 10, "C": 1}
    assert fitted.mean_only_
    assert not fitted.unadjusted_


def test_five_patients() -> None:
    X = made(n=(3, 2), p=5)
    found = mri(combat().fit_transform(X))
    backwards = mri(combat().fit_transform(X.iloc[::-1]))
    np.testing.assert_allclose(backwards[::-1], found, rtol=1e-10, equal_nan=False)
    assert not np.allclose(found, mri(X))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"new_centre": "pass_thru"},
            r"new_centre must be.*'pass_thru'. Did you mean 'pass_th",
        ),
        ({"new_centre": "estimate"}, "least_patients must be given for new_centre 'estimate'"),
        ({"least_patients": 5}, "5 came with 'refuse'"),
        ({"new_centre": "estimate", "least_patients": 1}, "a whole number of 2 or more, but is 1"),
        ({"covariates": ["mri:0"]}, "covariates must not stand in a table that is harmonised"),
        ({"covariates": ["clinical:Age"]}, r"lacks 'clinical:Age'. Did you mean 'clinical:age'"),
        ({"centre": "meta:site"}, "lacks 'meta:site'. Did you mean 'meta:centre'"),
        ({"reference": "Z"}, r"reference must be a centre of two patients.*'Z' has 0"),
    ],
)
def test_wrong_parameters_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        combat(**options).fit(made())


def test_wrong_tables_are_named() -> None:
    with pytest.raises(ValueError, match=r"no number of 'mr'. Did you mean 'mri'"):
        ComBat(["mr"], new_centre="refuse").fit(made())
    X = made()
    X.loc[3, "mri:2"] = np.inf
    with pytest.raises(ValueError, match=r"1 of 12 columns hold infinite ones \(first: 'mri:2'\)"):
        combat().fit(X)
    with pytest.raises(FitError, match="two centres at least, but all 30 are of 'A'"):
        combat().fit(made().iloc[:30])
    unknown = made()
    unknown.loc[0, "meta:centre"] = None
    with pytest.raises(ValueError, match="known of every patient with values, but 1 of 75"):
        combat().fit(unknown)
    with pytest.raises(FitError, match="needs two at least, but 1 of 1 vary"):
        combat().fit(made()[["mri:0", "meta:centre"]])


def test_what_sva_calls_confounded_is_said_in_words() -> None:
    assert "confounded with batch" in R["confounded"]
    X = made()
    X["clinical:scanner"] = pd.Categorical(np.where(X["meta:centre"] == "A", "3T", "1.5T"))
    with pytest.raises(FitError, match="'clinical:scanner' follows from the centre"):
        combat(covariates=["clinical:scanner"]).fit(X)
    X["clinical:months"] = X["clinical:age"] * 12 + 3
    with pytest.raises(FitError, match="'clinical:age', 'clinical:months' together do"):
        combat(covariates=["clinical:age", "clinical:months"]).fit(X)


def test_covariates_must_be_known_and_of_known_levels() -> None:
    X = r_table()
    fitted = combat(covariates=COVARIATES).fit(X)
    other = X.assign(**{"clinical:grade": pd.Categorical(["1", *R["data"]["grade"][1:]])})
    assert fitted.refused(other).tolist() == [True, *[False] * 27]
    with pytest.raises(ValueError, match=r"'clinical:grade' is not in 1 of 28 \(first: '1'\)"):
        fitted.transform(other)
    gap = X.copy()
    gap.loc[4, "clinical:age"] = np.nan
    with pytest.raises(ValueError, match="'clinical:age' is missing in 1 of 28"):
        fitted.transform(gap)
    with pytest.raises(ValueError, match="'clinical:age' is missing in 1 of 28"):
        combat(covariates=COVARIATES).fit(gap)
