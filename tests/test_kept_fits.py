"""Fits that are kept between runs are not made again, and give the same numbers."""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from omics.mofa import FactorModel
from omics.n_factors import held_out_error
from omics.parallel import FolderStore, in_parallel_kept
from omics.stability import factor_stability
from tests.test_stability import MODEL, X


def never(*_: object, **__: object) -> FactorModel:
    raise AssertionError("a kept fit was made again")


def test_stability_goes_on_where_it_was_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FolderStore(tmp_path, "study")
    whole = factor_stability(MODEL, X, bootstraps=4, starts=2, seed=1)
    factor_stability(MODEL, X, bootstraps=3, starts=2, seed=1, store=store)
    assert len(list(tmp_path.iterdir())) == 5
    again = factor_stability(MODEL, X, bootstraps=4, starts=2, seed=1, store=store)
    pd.testing.assert_frame_equal(again.refits, whole.refits)
    pd.testing.assert_frame_equal(again.table, whole.table)
    monkeypatch.setattr(FactorModel, "_fit", never)
    kept = factor_stability(MODEL, X, bootstraps=4, starts=2, seed=1, store=store)
    pd.testing.assert_frame_equal(kept.refits, whole.refits)


def test_held_out_error_goes_on_where_it_was_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FolderStore(tmp_path, "study")
    whole = held_out_error(FactorModel(), X, grid=[1, 2], folds=2, seed=1)
    held_out_error(FactorModel(), X, grid=[1], folds=2, seed=1, store=store)
    again = held_out_error(FactorModel(), X, grid=[1, 2], folds=2, seed=1, store=store)
    pd.testing.assert_frame_equal(again.folds, whole.folds)
    pd.testing.assert_frame_equal(again.table, whole.table)
    monkeypatch.setattr(FactorModel, "_fit", never)
    kept = held_out_error(FactorModel(), X, grid=[1, 2], folds=2, seed=1, store=store)
    pd.testing.assert_frame_equal(kept.folds, whole.folds)


def test_what_failed_is_kept_with_its_reason(tmp_path: Path) -> None:
    store = FolderStore(tmp_path, "study")
    few = X.iloc[:6]
    options = {"grid": [1, 7], "folds": 2, "seed": 1, "store": store}
    first, second = (held_out_error(FactorModel(), few, **options) for _ in range(2))  # type: ignore[arg-type]
    assert len(first.failures) == 2
    assert "7 factors were asked of 6 patients" in first.failures["reason"].iloc[0]
    pd.testing.assert_frame_equal(second.failures, first.failures)


def test_tasks_are_kept_by_their_names(tmp_path: Path) -> None:
    store, seen = FolderStore(tmp_path, "study"), []
    tasks = {str(k): partial(dict, square=np.array(k * k)) for k in (2, 3, 4)}
    in_parallel_kept({"3": tasks["3"]}, what="squares", store=store)
    found = in_parallel_kept(
        tasks, what="squares", store=store, progress=lambda *step: seen.append(step)
    )
    assert [one["square"].item() for one in found] == [4, 9, 16]
    assert seen == [("squares", 1, 3), ("squares", 2, 3), ("squares", 3, 3)]
