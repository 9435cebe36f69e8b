"""The design matrix: columns worked by hand, knots and splines as in Hmisc, and every refusal."""

import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.utils.estimator_checks import check_array_api_input, estimator_checks_generator

from models.design import Design
from models.predictors import select_columns
from models.splines import default_knots, restricted_cubic_spline
from omics.errors import FitError
from tests.realdata import ROOT

REFERENCE = json.loads((ROOT / "tests" / "reference" / "nomogram.json").read_text())


def patients() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "clinical:Age": [30.0, 40.0, 50.0, 60.0, 70.0, 80.0],
            "clinical:Grade": pd.Categorical(
                ["2", "3", "4", "4", "3", "4"], categories=["2", "3", "4"]
            ),
            "flags:BRAF [V600E]": [0.0, 1.0, 0.0, 1.0, 1.0, 0.0],
            "factors:F1": [-1.0, 0.5, 0.0, 1.5, 2.0, -0.5],
            "clinical:Sex": [1.0] * 6,
        },
        index=pd.Index([f"P{i}" for i in range(6)], name="patient"),
    )


# --- by hand -----------------------------------------------------------------------------------


def test_columns_by_hand() -> None:
    X = patients()
    design = Design(
        ["clinical:Grade", "clinical:Age", "flags:*", "factors:F1"],
        splines={"clinical:Age": [30, 40, 80]},
    ).fit(X)
    matrix = design.transform(X)
    assert matrix.columns.tolist() == [
        "clinical:Grade=3",
        "clinical:Grade=4",
        "clinical:Age",
        "clinical:Age'",
        "flags:BRAF [V600E]",
        "factors:F1",
    ]
    assert matrix.index.equals(X.index)
    # At 60: (30^3 - 20^3 * 50/40) / 50^2 = 6.8 for knots 30, 40, 80.
    assert matrix.loc["P3"].tolist() == pytest.approx([0, 1, 60, 6.8, 1, 1.5])
    assert matrix.loc["P0"].tolist() == [0, 0, 30, 0, 0, -1]
    assert matrix.dtypes.unique().tolist() == [np.dtype(np.float64)]
    assert design.get_feature_names_out().tolist() == matrix.columns.tolist()


def test_terms_hold_what_a_nomogram_needs() -> None:
    grade, age = Design(["clinical:Grade", "clinical:Age"]).fit(patients()).terms_
    assert (grade.kind, grade.levels, grade.fill) == ("category", ("2", "3", "4"), "4")
    assert (age.kind, age.minimum, age.maximum, age.fill) == ("linear", 30, 80, 55)
    assert age.values == (30, 40, 50, 60, 70, 80)


def test_more_than_ten_values_are_not_listed() -> None:
    ten = pd.DataFrame({"a:ten": np.arange(22) % 10.0, "a:eleven": np.arange(22) % 11.0})
    terms = Design(["a:*"]).fit(ten).terms_
    assert [term.values is None for term in terms] == [False, True]


def test_constant_and_empty_columns_are_dropped_with_a_reason() -> None:
    X = patients().assign(**{"clinical:KPS": np.nan})
    X["clinical:Site"] = pd.Categorical(["A"] * 6)
    design = Design(["clinical:*"]).fit(X)
    assert [term.name for term in design.terms_] == ["clinical:Age", "clinical:Grade"]
    assert design.dropped_.to_dict("records") == [
        {"column": "clinical:Sex", "reason": "the same value (1) in every patient"},
        {"column": "clinical:KPS", "reason": "no value in any patient"},
        {"column": "clinical:Site", "reason": "the same level (A) in every patient"},
    ]


def test_nothing_left_is_an_empty_matrix() -> None:
    design = Design(["clinical:Sex"]).fit(patients())
    assert design.transform(patients()).shape == (6, 0)


def test_new_patients_meet_the_frozen_design() -> None:
    X = patients()
    design = Design(["clinical:Age", "clinical:Grade"], splines={"clinical:Age": [30, 40, 80]})
    whole = design.fit(X).transform(X)
    # One patient at a time, columns in another order, levels declared in another order.
    new = X.iloc[[3], ::-1].assign(**{"clinical:Grade": pd.Categorical(["4"], ["4", "2"])})
    pd.testing.assert_frame_equal(design.transform(new), whole.iloc[[3]])
    # Levels as text, as somebody types them in.
    new = new.assign(**{"clinical:Grade": ["4"]})
    pd.testing.assert_frame_equal(design.transform(new), whole.iloc[[3]])


@pytest.mark.parametrize("policy", ["median", "keep"])
def test_missing_values_are_filled_or_kept(policy: str) -> None:
    X = patients()
    design = Design(["clinical:Age", "clinical:Grade"], missing=policy)
    gaps = X.astype({"clinical:Age": float})
    gaps.loc["P0", "clinical:Age"] = np.nan  # median of the other five: 60
    gaps.loc["P1", "clinical:Grade"] = np.nan
    matrix = design.fit(gaps).transform(gaps)
    filled = [60.0, 0.0, 1.0] if policy == "median" else [np.nan] * 3
    assert matrix.loc["P0", "clinical:Age"] == pytest.approx(filled[0], nan_ok=True)
    assert matrix.loc["P1"].tolist()[1:] == pytest.approx(filled[1:], nan_ok=True)
    assert matrix.loc["P2"].tolist() == [50, 0, 1]


def test_a_missing_value_is_missing_in_every_column_of_a_spline() -> None:
    columns = restricted_cubic_spline([np.nan, 9.0], [0, 1, 2])
    assert np.isnan(columns[0]).all()
    assert columns[1].tolist() == [9.0, pytest.approx((9**3 - 2 * 8**3 + 7**3) / 2**2)]


# --- as in R ------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", REFERENCE["knots"], ids=lambda c: f"{c['vector']}-{c['n_knots']}")
def test_default_knots_equal_hmisc(case: dict[str, object]) -> None:
    knots = default_knots(REFERENCE["vectors"][case["vector"]], case["n_knots"])
    np.testing.assert_allclose(knots, case["knots"], rtol=1e-12)


@pytest.mark.parametrize("case", REFERENCE["spline"]["expansions"], ids=lambda c: str(c["knots"]))
def test_spline_columns_equal_hmisc(case: dict[str, list[float]]) -> None:
    columns = restricted_cubic_spline(REFERENCE["spline"]["points"], case["knots"])
    np.testing.assert_allclose(columns, case["columns"], rtol=1e-12, atol=1e-13)


def test_column_names_equal_rms() -> None:
    data = pd.DataFrame(REFERENCE["patients"])
    data["Grade"] = pd.Categorical(data["Grade"])
    design = Design(["Age", "KPS", "Volume", "Grade"], splines={"Volume": 4}).fit(data)
    assert design.get_feature_names_out().tolist() == REFERENCE["cox"]["names"]
    np.testing.assert_allclose(design.terms_[2].knots, REFERENCE["cox"]["knots"]["Volume"])


# --- for any data -------------------------------------------------------------------------------


@given(
    knots=st.lists(st.integers(-50, 50), min_size=3, max_size=7, unique=True).map(sorted),
    scale=st.sampled_from([0.1, 2.0, 365.25]),
    shift=st.integers(-100, 100),
)
def test_spline_follows_the_unit_and_is_straight_outside(
    knots: list[int], scale: float, shift: int
) -> None:
    x = np.array([-80.0, -70.0, -60.0, -20.0, 0.0, 33.0, 60.0, 70.0, 80.0])
    columns = restricted_cubic_spline(x, knots)
    moved = restricted_cubic_spline(x * scale + shift, np.array(knots) * scale + shift)
    np.testing.assert_allclose(moved[:, 1:], columns[:, 1:] * scale, rtol=1e-6, atol=1e-6)
    assert not columns[:3, 1:].any()
    np.testing.assert_allclose(np.diff(columns[-3:], n=2, axis=0), 0, atol=1e-6)


@given(order=st.permutations(range(6)))
def test_order_of_patients_does_not_matter(order: list[int]) -> None:
    X = patients()
    design = Design(["clinical:*"], missing="median")
    shuffled = design.fit(X.iloc[order]).transform(X)
    pd.testing.assert_frame_equal(shuffled, design.fit(X).transform(X))


def test_patterns_take_only_the_star_as_special() -> None:
    columns = ["r:a[1]", "r:a1", "r:b?", "s:a[1]"]
    assert select_columns(columns, ["r:a[1]"]) == ["r:a[1]"]
    assert select_columns(columns, ["*:a[1]", "r:b?"]) == ["r:a[1]", "s:a[1]", "r:b?"]
    assert select_columns(columns, ["*"]) == columns


def test_arguments_are_left_alone_and_a_clone_starts_afresh() -> None:
    X = patients()
    before = X.copy(deep=True)
    design = Design(["clinical:*"], splines={"clinical:Age": [30, 40, 80]}).fit(X)
    design.transform(X)
    pd.testing.assert_frame_equal(X, before)
    assert not hasattr(clone(design), "terms_")


# --- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("predictors", "splines", "message"),
    [
        (["clinical:age"], {}, r"'clinical:age' matches none of 5. Did you mean 'clinical:Age'\?"),
        (["clinicl:*"], {}, r"'clinicl:\*' matches none of 5. Did you mean 'clinical:\*'\?"),
        (["zzzz"], {}, "The table has the views clinical, factors, flags"),
        (["clinical:*", "clinical:Age"], {}, r"'clinical:Age' is named by 'clinical:\*' and"),
        ("clinical:Age", {}, "must be a list of names, but the text 'clinical:Age' came"),
        (["clinical:*"], {"clinical:Grade": 3}, "'clinical:Grade' is a category. Remove it"),
        (["clinical:*"], {"clinical:Ag": 3}, r"none of 3. Did you mean 'clinical:Age'\?"),
        (["clinical:Age"], {"clinical:Age": 2}, "of clinical:Age must be 3 to 7, but 2 came"),
        (["clinical:Age"], {"clinical:Age": [1, 1, 2]}, "knots of 'clinical:Age'.*increasing"),
    ],
)
def test_wrong_request_is_named(
    predictors: list[str], splines: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Design(predictors, splines=splines).fit(patients())


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"clinical:Age": [1.0, np.nan, 2, 3, 4, np.nan]}, ValueError, "missing in 2 of 6 patient"),
        ({"clinical:Age": [1.0, np.inf, 2, 3, 4, 5]}, ValueError, "Age must be finite, but 1 of 6"),
        ({"clinical:Age": list("abcdef")}, ValueError, r"Age.*but it is text \(first value: 'a'"),
        (
            {"clinical:Grade": pd.Categorical(list("222444"), categories=list("234"))},
            FitError,
            "in each of its 3 levels, but 1 have none .first: '3'.*Join it with another level",
        ),
    ],
)
def test_unusable_patients_are_named(
    changed: dict[str, object], error: type[ValueError], message: str
) -> None:
    with pytest.raises(error, match=message):
        Design(["clinical:*"]).fit(patients().assign(**changed))


@pytest.mark.parametrize(
    ("values", "spline", "message"),
    [
        ([1, 2, 3, 4, 5, 5], 3, "more than 5 distinct values for 3 knots, but it has 5. Give few"),
        ([5] * 94 + [1, 2, 3, 4, 6, 7], 3, r"give 1 \(5\): many patients share a value"),
        ([1, 2, 2, 2, 2, 2], [0, 1, 9], "but it has 2 and 3 knots came"),
    ],
)
def test_too_few_values_for_a_spline(values: list[float], spline: object, message: str) -> None:
    values = values if len(values) > 6 else values * 20
    X = pd.DataFrame({"a:x": np.array(values, dtype=float)})
    with pytest.raises(FitError, match="a:x must.*" + message):
        Design(["a:x"], splines={"a:x": spline}).fit(X)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"clinical:Grade": ["1"] * 6}, "levels 2, 3, 4, but 6 of 6.*another .first: '1'"),
        ({"clinical:Age": pd.Categorical(["a"] * 6)}, "a category here and a number in fit"),
        ({"clinical:Age": [np.nan] * 6}, "missing in 6 of 6 patients .1 of 2 predictors"),
    ],
)
def test_new_patients_who_do_not_fit_are_named(changed: dict[str, object], message: str) -> None:
    design = Design(["clinical:Age", "clinical:Grade"]).fit(patients())
    with pytest.raises(ValueError, match=message):
        design.transform(patients().assign(**changed))


def test_absent_predictor_is_named() -> None:
    design = Design(["clinical:Age", "clinical:Grade"]).fit(patients())
    with pytest.raises(ValueError, match=r"1 are absent .first: 'clinical:Age'"):
        design.transform(patients().drop(columns="clinical:Age"))


def test_unknown_policy_and_repeated_column_are_named() -> None:
    with pytest.raises(ValueError, match=r"missing must be one of .*'mean' came"):
        Design(["clinical:*"], missing="mean").fit(patients())
    twice = pd.concat([patients()[["clinical:Age"]]] * 2, axis=1)
    with pytest.raises(ValueError, match="each column once, but 1 come again"):
        Design(["clinical:Age"]).fit(twice)


# --- scikit-learn -------------------------------------------------------------------------------


# Left out: the check of the array API, which skips itself unless the environment asks SciPy for it.
CHECKS = [
    check
    for _, check in estimator_checks_generator(Design(["*"], missing="median"))
    if check.func is not check_array_api_input
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: "-".join([c.func.__name__, *c.keywords]))
def test_scikit_learn_conventions(check: Callable[[Design], None]) -> None:
    check(Design(["*"], missing="median"))
