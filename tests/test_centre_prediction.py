"""Features and centre before and after harmonisation: R for the tests, simulations for the rest."""

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from models.centre_differences import centre_differences
from models.centre_prediction import _table, centre_prediction, hand_till
from omics.errors import FitError
from omics.harmonise import ComBat
from reports.figures.centre_components import draw_centre_components
from reports.figures.centre_prediction import draw_centre_prediction
from reports.harmonisation_sections import centre_prediction_blocks

R = json.loads(
    (Path(__file__).parent / "reference" / "centre_differences.json").read_text(encoding="utf-8")
)


def made(
    shift: float, *, n: tuple[int, ...] = (40, 35, 30), p: int = 30, seed: int = 1
) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    centre = np.repeat(np.arange(len(n)), n)
    values = rng.normal(size=(sum(n), p)) + (rng.normal(size=(len(n), p)) * shift)[centre]
    X = pd.DataFrame(values, columns=[f"mri:{j}" for j in range(p)])
    return X.assign(**{"meta:centre": pd.Categorical([f"C{k}" for k in centre])})


def told(X: pd.DataFrame, **options: Any) -> Any:
    combat = ComBat(["mri"], new_centre="refuse").fit(X)
    return centre_prediction(X, combat, **({"repeats": 2, "draws": 40} | options))


def test_differences_are_those_of_r() -> None:
    values = np.array(R["data"]["values"], dtype=np.float64)  # None is NaN
    table = pd.DataFrame(values, columns=list("abcde"))
    found = centre_differences(table, R["data"]["centre"])
    for column in ("level_p", "spread_p", "level_q", "spread_q"):
        np.testing.assert_allclose(found[column], R[column], rtol=1e-10)


def test_differences_where_there_is_nothing_to_test() -> None:
    table = pd.DataFrame(
        {"one value": [1.0] * 6, "one centre": [1.0, 2, 3, np.nan, np.nan, np.nan]}
    )
    found = centre_differences(table, ["A"] * 3 + ["B"] * 3)
    assert found[["level_p", "spread_p", "level_q", "spread_q"]].isna().all(axis=None)


def test_auc_of_pairs_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    codes = np.repeat([0, 1, 2], [10, 15, 8])
    p = rng.dirichlet(np.ones(3), size=33).round(1) + 1e-9  # with ties
    p /= p.sum(axis=1, keepdims=True)
    counts = np.vstack([np.ones(33), rng.multinomial(33, np.ones(33) / 33) + 1])
    plain, weighted = hand_till(p, codes, counts)
    assert plain == pytest.approx(roc_auc_score(codes, p, multi_class="ovo"), abs=1e-12)
    rows = np.repeat(np.arange(33), counts[1].astype(int))
    copies = roc_auc_score(codes[rows], p[rows], multi_class="ovo")
    assert weighted == pytest.approx(copies, abs=1e-12)
    assert len(list(combinations(range(3), 2))) == 3
    # direction: reversed probabilities tell the reverse
    two = np.column_stack([[0.9, 0.6, 0.4, 0.2], [0.1, 0.4, 0.6, 0.8]])
    once = np.ones((1, 4))
    assert hand_till(two, np.array([0, 0, 1, 1]), once)[0] == 1.0
    assert hand_till(two[:, ::-1], np.array([0, 0, 1, 1]), once)[0] == 0.0


def test_the_table_averages_over_repeats() -> None:
    rng = np.random.default_rng(3)
    codes = np.repeat([0, 1], [6, 9])
    p = rng.dirichlet(np.ones(2), size=(3, 15))
    generator = np.random.default_rng(0)
    table = _table({"before": p}, codes, draws=50, level=0.9, generator=generator)
    by_hand = [balanced_accuracy_score(codes, one.argmax(axis=1)) for one in p]
    accuracy = table.set_index("metric").loc["balanced_accuracy"]
    assert accuracy["estimate"] == pytest.approx(np.mean(by_hand), abs=1e-12)
    assert accuracy["lower"] < accuracy["estimate"] < accuracy["upper"]
    assert accuracy["chance"] == 0.5


def test_what_is_always_right_is_one_in_every_draw() -> None:
    codes = np.repeat([0, 1, 2], [7, 11, 13])
    p = np.tile(np.eye(3)[codes], (5, 1, 1))
    table = _table({"before": p}, codes, draws=20, level=0.95, generator=np.random.default_rng(0))
    assert table[["estimate", "lower", "upper"]].eq(1.0).all(axis=None)


def test_a_mark_is_told_before_and_hardly_after() -> None:
    found = told(made(1.0))
    table = found.table.set_index(["metric", "stage"])
    assert table.loc[("auc", "before"), "lower"] > 0.95
    assert table.loc[("auc", "after"), "estimate"] < 0.65
    assert table.loc[("balanced_accuracy", "after"), "chance"] == pytest.approx(1 / 3)
    assert repr(found).startswith("CentrePrediction(3 centres, 105 patients, AUC 1.00 before, 0.")


def test_without_a_mark_nothing_is_told() -> None:
    table = told(made(0.0)).table.set_index(["metric", "stage"])["estimate"]
    assert table["auc", "before"] == pytest.approx(0.5, abs=0.1)
    assert table["auc", "after"] <= 0.5  # held-out patients carry the estimates in reverse


def test_same_seed_same_numbers_and_gaps_are_taken() -> None:
    X = made(0.5)
    X.iloc[3, 2] = np.nan
    pd.testing.assert_frame_equal(told(X, seed=4).table, told(X, seed=4).table)


def test_more_features_than_patients() -> None:
    assert told(made(1.0, n=(15, 12), p=60), repeats=1).table["estimate"].iloc[0] > 0.9


def test_centres_of_few_patients_are_left_out() -> None:
    found = told(made(1.0, n=(20, 15, 9)))
    assert found.left_out == {"C2": 9}
    assert found.n_patients == 35
    with pytest.raises(FitError, match="two centres of 10 patients are needed, but 1 of 2 has"):
        told(made(1.0, n=(20, 9)))


def test_a_rare_level_of_a_covariate_is_left_out_of_every_figure() -> None:
    X = made(1.0, n=(20, 15, 15)).assign(**{"c:sub": np.array(["a", "b"] * 25)})
    X.loc[[7, 8], "c:sub"] = ["rare", "other"]
    combat = ComBat(["mri"], new_centre="refuse", covariates=["c:sub"]).fit(X)
    found = centre_prediction(X, combat, repeats=2, draws=20)
    assert (found.n_refused, found.n_patients) == (2, 48)
    assert found.n_patients_of == {"C0": 18, "C1": 15, "C2": 15}
    assert found.table.notna().all(axis=None)
    (grid,) = centre_prediction_blocks(found)
    assert "2 patients whose level of a covariate nobody had" in grid.caption


def test_a_fold_that_cannot_be_harmonised_is_said_to_be_why_there_is_no_figure() -> None:
    X = made(1.0, n=(20, 20))  # the covariate varies by a single patient, held out in a fold
    X["c:scanner"] = (X["meta:centre"] == "C0").astype(float)
    X.loc[0, "c:scanner"] = 0.0
    combat = ComBat(["mri"], new_centre="refuse", covariates=["c:scanner"]).fit(X)
    with pytest.raises(FitError, match=r"from the 32 patients of a fold: covariates must vary wit"):
        centre_prediction(X, combat, repeats=1, draws=20)


def test_a_small_centre_of_reference_is_said_to_be_why() -> None:
    X = made(1.0, n=(20, 15, 9))
    combat = ComBat(["mri"], new_centre="refuse", reference="C2").fit(X)
    with pytest.raises(FitError, match="'C2', must have 10 patients, but has 9"):
        centre_prediction(X, combat)


def test_figures_show_both_stages() -> None:
    found = told(made(1.0), repeats=1)
    figure = draw_centre_prediction(found.table, metric="auc")
    assert [trace.name for trace in figure.data] == ["Before", "After"]
    assert figure.layout.shapes[0].x0 == 0.5
    components = pd.DataFrame(
        {
            "stage": ["before", "before", "after", "after"],
            "centre": ["<b>A", "B", "<b>A", "B"],
            "first": [0.0, 4.0, 1.0, 2.0],
            "second": [0.0, 1.0, 0.0, 1.0],
        }
    )
    before, after = (draw_centre_components(components, stage=s) for s in ("before", "after"))
    assert [trace.name for trace in before.data] == ["&lt;b&gt;A", "B"]
    assert list(after.data[1].x) == [2.0]
    assert before.layout.xaxis.range == after.layout.xaxis.range
