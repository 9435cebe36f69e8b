"""Top loadings by hand; variance explained by group against mofapy2's own figure."""

import warnings
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from omics.factor_tables import loading_map, top_loadings, variance_explained_by_group
from omics.mofa_fit import FittedView

Matrix = NDArray[np.float64]


def made_network(seed: int = 0) -> tuple[Any, Matrix, NDArray[np.object_]]:
    """mofapy2's own network of two groups and two views, with gaps in the second."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mofapy2.run.entry_point import entry_point

        rng = np.random.default_rng(seed)
        z = rng.normal(size=(50, 2))
        views = [z @ rng.normal(size=(2, p)) + rng.normal(size=(50, p)) / 2 for p in (8, 6)]
        views[1][rng.random(views[1].shape) < 0.1] = np.nan
        groups = np.array(["north"] * 30 + ["south"] * 20, dtype=object)
        parts = [[view[groups == g] for g in ("north", "south")] for view in views]
        state = np.random.get_state()  # noqa: NPY002
        with redirect_stdout(StringIO()):
            entry = entry_point()
            entry.set_data_options(scale_views=False, center_groups=True)
            entry.set_data_matrix(parts, groups_names=["north", "south"])
            entry.set_model_options(factors=3)
            entry.set_train_options(iter=40, seed=1, quiet=True)
            entry.build()
            entry.run()
        np.random.set_state(state)  # noqa: NPY002
    return entry.model, np.asarray(entry.model.nodes["Z"].getExpectation()), groups


def test_variance_explained_by_group_is_mofapy2s() -> None:
    model, factors, groups = made_network()
    expected = model.calculate_variance_explained()  # group by group, (views, factors)
    total = model.calculate_variance_explained(total=True)
    for m in range(2):
        node = model.nodes["Y"].nodes[m]
        data = np.where(node.getMask(), np.nan, node.getExpectation())
        weights = model.nodes["W"].nodes[m].getExpectations()
        view = FittedView(
            weight=weights["E"],
            weight_square=weights["E2"],
            noise_precision=np.ones((2, data.shape[1])),
            centre=np.zeros(data.shape[1]),
            pseudo_data=data,
        )
        found = variance_explained_by_group(factors, view, groups)
        assert list(found) == ["north", "south"]
        for g, group in enumerate(found):
            np.testing.assert_allclose(found[group][:-1], expected[g][m], atol=1e-10)
            assert found[group][-1] == pytest.approx(total[g][m], abs=1e-10)
            # the definition, entry by entry
            rows = groups == group
            rest = data[rows] - np.outer(factors[rows, 0], weights["E"][:, 0])
            share = 1 - np.nansum(rest**2) / np.nansum(data[rows] ** 2)
            assert found[group][0] == pytest.approx(share, abs=1e-10)


def test_a_group_without_the_view_is_empty() -> None:
    view = FittedView(
        weight=np.ones((1, 1)),
        weight_square=np.ones((1, 1)),
        noise_precision=np.ones((1, 1)),
        centre=np.zeros(1),
        pseudo_data=np.array([[1.0], [-1.0], [np.nan], [np.nan]]),
    )
    found = variance_explained_by_group(np.ones((4, 1)), view, ["a", "a", "b", "b"])
    assert np.isnan(found["b"]).all()
    assert found["a"].tolist() == [0.0 - 1.0, -1.0]  # z = 1 fits one and doubles the other


def test_groups_of_other_patients_are_refused() -> None:
    view = FittedView(
        weight=np.ones((1, 1)),
        weight_square=np.ones((1, 1)),
        noise_precision=np.ones((1, 1)),
        centre=np.zeros(1),
        pseudo_data=np.ones((3, 1)),
    )
    with pytest.raises(ValueError, match="each of 3 patients, but 2 came, 0 of them missing"):
        variance_explained_by_group(np.ones((3, 1)), view, ["a", "b"])
    with pytest.raises(ValueError, match="3 came, 1 of them missing"):
        variance_explained_by_group(np.ones((3, 1)), view, ["a", "b", None])


def test_top_loadings_keep_sign_order_and_ties() -> None:
    table = pd.DataFrame(
        {
            "view": ["rna"] * 4 + ["mri"] * 2,
            "feature": ["A", "B", "C", "D", "v", "w"],
            "F2": [1.0, -1.0, 0.5, 0.0, 0.0, 0.0],
            "F1": [0.1, 0.2, -0.3, 0.4, 5.0, -6.0],
        }
    ).melt(["view", "feature"], var_name="factor", value_name="loading")
    top = top_loadings(table, n_features=2)
    assert top.to_numpy().tolist() == [
        ["F2", "rna", "A", 1.0, 1],
        ["F2", "rna", "B", -1.0, 2],
        ["F1", "rna", "D", 0.4, 1],
        ["F1", "rna", "C", -0.3, 2],
        ["F1", "mri", "w", -6.0, 1],
        ["F1", "mri", "v", 5.0, 2],
    ]


def test_top_loadings_refuse_other_tables() -> None:
    with pytest.raises(ValueError, match=r"\['loading'\] are absent. Pass FactorModel.loadings_"):
        top_loadings(pd.DataFrame(columns=["view", "feature", "factor"]), n_features=3)
    table = pd.DataFrame({"view": ["a"], "feature": ["b"], "factor": ["c"], "loading": [1.0]})
    with pytest.raises(ValueError, match="n_features must be at least 1, but is 0"):
        top_loadings(table, n_features=0)


def made_loadings() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "view": ["rna"] * 4 + ["mri"] * 2,
            "feature": ["A", "B", "C", "D", "v", "w"],
            "F1": [1.0, -2.0, 0.5, 0.1, 3.0, 0.0],
            "F2": [0.2, 0.0, 0.1, 1.6, 0.0, -6.0],
        }
    ).melt(["view", "feature"], var_name="factor", value_name="loading")


def test_the_loading_map_keeps_top_features_ordered_by_their_own_factor() -> None:
    table = loading_map(made_loadings(), n_features=2)
    wide = table.pivot(index=["view", "feature"], columns="factor", values="scaled")
    order = table[["view", "feature"]].drop_duplicates().to_numpy().tolist()
    assert order == [["rna", "B"], ["rna", "A"], ["rna", "D"], ["mri", "v"], ["mri", "w"]]
    assert wide.loc[("rna", "B")].tolist() == [-1.0, 0.0]
    assert wide.loc[("rna", "D")].tolist() == pytest.approx([0.05, 0.8])
    assert wide.loc[("mri", "v")].tolist() == [0.5, 0.0]
    merged = table.merge(made_loadings(), on=["view", "feature", "factor"])
    assert merged["loading_x"].tolist() == merged["loading_y"].tolist()


def test_the_loading_map_of_chosen_factors_is_scaled_among_them() -> None:
    table = loading_map(made_loadings(), n_features=1, factors=["F2"])
    assert table[["feature", "scaled"]].to_numpy().tolist() == [["D", 1.0], ["w", -1.0]]
    with pytest.raises(ValueError, match=r"among \['F1', 'F2'\], but 'F9' is not"):
        loading_map(made_loadings(), n_features=1, factors=["F9"])
