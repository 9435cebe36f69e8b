"""Divisions of patients, steps learned once, and a run that goes on where it stopped."""

import signal
import time
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone

from models.boosting import BoostedModel
from models.cox import CoxModel
from models.design import Design
from models.pipeline import risk_pipeline
from models.resampling import (
    Resample,
    StepMemory,
    bootstrap,
    collected_warnings,
    repeated_k_fold,
    run_resamples,
)
from models.validation import Plan, Validation, validate
from omics.errors import ConvergenceWarning
from omics.mofa import FactorModel
from omics.parallel import Arrays, FolderStore, in_parallel
from tests.made_cohorts import Counter, made_cohort

# divisions ------------------------------------------------------------------------------------


@given(
    n_events=st.integers(5, 30),
    n_others=st.integers(5, 30),
    folds=st.integers(2, 5),
    seed=st.integers(0, 99),
)
def test_folds_partition_and_share_the_events(
    n_events: int, n_others: int, folds: int, seed: int
) -> None:
    event = np.repeat([True, False], [n_events, n_others])
    parts = repeated_k_fold(event, folds=folds, repeats=2, seed=seed)
    for repeat in (parts[:folds], parts[folds:]):
        together = np.sort(np.concatenate([part.held_out for part in repeat]))
        np.testing.assert_array_equal(together, np.arange(len(event)))
        for part in repeat:
            assert not set(part.train) & set(part.held_out)
            assert len(part.train) + len(part.held_out) == len(event)
            # of 13 events in 5 folds, two or three each
            assert event[part.held_out].sum() in (n_events // folds, -(-n_events // folds))


def test_repeats_differ_and_the_seed_repeats_them() -> None:
    event = np.arange(40) % 3 == 0
    once, again, other = (repeated_k_fold(event, folds=4, repeats=2, seed=s) for s in (5, 5, 6))
    for part, same in zip(once, again, strict=True):
        np.testing.assert_array_equal(part.held_out, same.held_out)
    assert [p.name for p in once[3:5]] == ["repeat 1, fold 4", "repeat 2, fold 1"]
    assert [(p.repeat, p.fold) for p in once[3:5]] == [(0, 3), (1, 0)]
    assert any((a.held_out != b.held_out).any() for a, b in zip(once[:4], once[4:], strict=True))
    assert any((a.held_out != b.held_out).any() for a, b in zip(once, other, strict=True))


def test_more_repeats_leave_the_first_as_they_were() -> None:
    event = np.arange(30) % 2 == 0
    few, many = (repeated_k_fold(event, folds=3, repeats=r, seed=8) for r in (2, 5))
    for part, same in zip(few, many[:6], strict=True):
        np.testing.assert_array_equal(part.train, same.train)


@pytest.mark.parametrize(
    ("folds", "repeats", "message"),
    [
        (1, 1, "folds must be at least 2"),
        (2, 0, "repeats at least 1"),
        (4, 1, "4 folds were asked for and only 3 of 10 patients"),
    ],
)
def test_impossible_folds_are_named(folds: int, repeats: int, message: str) -> None:
    event = np.arange(10) < 3
    with pytest.raises(ValueError, match=message):
        repeated_k_fold(event, folds=folds, repeats=repeats, seed=0)


def test_bootstrap_draws_evenly_with_replacement() -> None:
    parts = bootstrap(200, resamples=100, seed=3)
    drawn = np.array([part.train for part in parts])
    assert drawn.shape == (100, 200)
    assert np.bincount(drawn.ravel(), minlength=200).std() == pytest.approx(10, abs=2)  # √100
    distinct = np.mean([len(np.unique(row)) for row in drawn]) / 200
    assert distinct == pytest.approx(1 - np.exp(-1), abs=0.01)
    np.testing.assert_array_equal(parts[0].held_out, np.arange(200))
    np.testing.assert_array_equal(bootstrap(200, resamples=2, seed=3)[1].train, drawn[1])
    assert (bootstrap(200, resamples=2, seed=4)[1].train != drawn[1]).any()
    with pytest.raises(ValueError, match="at least 2, but 1 came"):
        bootstrap(10, resamples=1, seed=0)


# steps learned once ---------------------------------------------------------------------------


def factor_model(seed: int = 0) -> FactorModel:
    return FactorModel(views=["mri", "rna"], n_factors=2, seed=seed)


def test_pipelines_share_a_step_of_equal_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    cohort = made_cohort(60)
    factors, designs = Counter(monkeypatch, FactorModel), Counter(monkeypatch, Design)
    memory = StepMemory()
    for predictors, model, learned in (
        (["factors:*"], CoxModel(), factor_model()),
        (["factors:*"], CoxModel(ridge=1.0), factor_model()),  # only the model differs
        (["clinical:*", "factors:*"], CoxModel(), factor_model()),
        (["factors:*"], CoxModel(), factor_model(seed=1)),
    ):
        pipeline = risk_pipeline(predictors, model, factors=learned)
        pipeline.set_params(memory=memory).fit(cohort.X, cohort.y)
    assert (factors.calls, designs.calls) == (2, 3)


def test_memory_tells_tables_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    cohort, memory, designs = made_cohort(60), StepMemory(), Counter(monkeypatch, Design)
    pipeline = risk_pipeline(["clinical:Age"], CoxModel()).set_params(memory=memory)
    halves = [cohort.X.iloc[:30], cohort.X.iloc[30:]]
    means = [
        clone(pipeline).set_params(memory=memory).fit(half, cohort.y[:30]).model.means_[0]
        for half in halves
    ]
    assert designs.calls == 2
    np.testing.assert_allclose(means, [half["clinical:Age"].mean() for half in halves], rtol=1e-12)


def test_cached_equals_uncached() -> None:
    cohort = made_cohort(80, missing=0.03)
    memory = StepMemory()
    for model in (CoxModel(ridge=2.0), CoxModel(), BoostedModel(n_rounds=5, inner_folds=2)):
        pipeline = risk_pipeline(["clinical:*", "factors:*"], model, factors=factor_model())
        alone = clone(pipeline).fit(cohort.X, cohort.y)
        shared = clone(pipeline).set_params(memory=memory).fit(cohort.X, cohort.y)
        for horizon in cohort.outcome.horizons:
            np.testing.assert_array_equal(
                alone.risk(cohort.X, horizon=horizon), shared.risk(cohort.X, horizon=horizon)
            )


# the runner -----------------------------------------------------------------------------------


def number(part: Resample) -> Arrays:
    return {"sum": np.array([part.train.sum()]), "name": np.array([part.name])}


def test_results_come_in_order_whatever_the_number_of_processes() -> None:
    parts = bootstrap(20, resamples=7, seed=1)
    told: list[tuple[str, int, int]] = []
    one = run_resamples(number, parts, what="it", progress=lambda *state: told.append(state))
    two = run_resamples(number, parts, what="it", n_jobs=2)
    assert [str(r["name"][0]) for r in one] == [part.name for part in parts]
    assert [int(r["sum"][0]) for r in one] == [int(r["sum"][0]) for r in two]
    assert told == [("it", done, 7) for done in range(8)]


PLAN = Plan(folds=3, repeats=2, bootstrap=6, draws=20)


def pipelines() -> dict[str, Any]:
    return {
        "clinical": risk_pipeline(["clinical:*"], CoxModel()),
        "factors": risk_pipeline(["factors:*"], CoxModel(ridge="aic"), factors=factor_model()),
        "trees": risk_pipeline(["mri:*"], BoostedModel(n_rounds=5, inner_folds=2), missing="keep"),
    }


def same_numbers(one: Validation, two: Validation, rtol: float = 0.0) -> None:
    for name in one.fitted:
        for part in ("linear_predictor", "risk", "group", "fold"):
            a, b = (getattr(v.out_of_fold[name], part) for v in (one, two))
            np.testing.assert_allclose(a, b, rtol=rtol)
    for name, draws in one.optimism.items():
        for side in ("train", "test"):
            scores = (getattr(v.optimism[name], side) for v in (one, two))
            a, b = (np.array([list(one.values()) for one in each]) for each in scores)
            np.testing.assert_allclose(a, b, rtol=rtol)
            a, b = (getattr(v.optimism[name], f"{side}_curves") for v in (one, two))
            np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)
        assert draws.n_resamples == two.optimism[name].n_resamples
    pd.testing.assert_frame_equal(one.failures, two.failures)
    assert one.warnings == two.warnings


def test_work_left_early_stops_at_once_and_without_a_word() -> None:
    results = in_parallel((partial(time.sleep, 0.05) for _ in range(2000)), n_jobs=2)
    next(results)
    begun = time.monotonic()
    results.close()  # type: ignore[attr-defined]  # joblib would warn here, and warnings are errors
    assert time.monotonic() - begun < 20  # all of them take 50 seconds


def test_only_who_asked_for_work_hears_ctrl_c() -> None:
    handler = signal.getsignal(signal.SIGINT)
    asked = [partial(signal.getsignal, signal.SIGINT)] * 2
    assert list(in_parallel(asked, n_jobs=2)) == [signal.SIG_IGN] * 2  # no traceback from a worker
    assert signal.getsignal(signal.SIGINT) is handler


def test_numbers_do_not_depend_on_the_number_of_processes() -> None:
    cohort = made_cohort(70, external=10)
    one, two = (
        validate(pipelines(), cohort, plan=Plan(**{**vars(PLAN), "n_jobs": jobs}))
        for jobs in (1, 2)
    )
    same_numbers(one, two, rtol=1e-9)  # one or two BLAS threads may sum in another order


class Stop:
    """Raises KeyboardInterrupt once `what` has reached `done`, as a user's Ctrl-C would."""

    def __init__(self, what: str, done: int) -> None:
        self.at = (what, done)

    def __call__(self, what: str, done: int, total: int) -> None:
        if (what, done) == self.at:
            raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("what", "done", "left"), [("cross-validation", 4, 2 + 6), ("optimism bootstrap", 5, 1)]
)
def test_interrupted_run_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, done: int, left: int
) -> None:
    cohort, store = made_cohort(70), FolderStore(tmp_path / "work", "a study")
    with pytest.raises(KeyboardInterrupt):
        validate(pipelines(), cohort, plan=PLAN, store=store, progress=Stop(what, done))
    assert len(list((tmp_path / "work").glob("*.npz"))) == 12 - left
    told: list[tuple[str, int, int]] = []
    fits = Counter(monkeypatch, CoxModel)
    resumed = validate(
        pipelines(), cohort, plan=PLAN, store=store, progress=lambda *s: told.append(s)
    )
    # two Cox models on everyone and in each fold, one in each bootstrap sample
    expected = 2 + 2 * 2 + 6 if what == "cross-validation" else 2 + 1
    assert fits.calls == expected
    assert (what, done, 6) in told
    assert (what, done - 1, 6) not in told  # the bar starts where it stopped
    same_numbers(resumed, validate(pipelines(), cohort, plan=PLAN))
    assert {path.suffix for path in (tmp_path / "work").iterdir()} == {".npz"}


def test_finished_run_fits_no_resample_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cohort, store = made_cohort(70), FolderStore(tmp_path, "a study")
    first = validate(pipelines(), cohort, plan=PLAN, store=store)
    fits = Counter(monkeypatch, CoxModel)
    same_numbers(first, validate(pipelines(), cohort, plan=PLAN, store=store))
    assert fits.calls == 2


def test_store_of_another_study_is_not_read(tmp_path: Path) -> None:
    arrays = {"risk": np.array([0.5, np.nan]), "failed": np.array(["", "no events"])}
    FolderStore(tmp_path, "one").put("fold", arrays)
    assert FolderStore(tmp_path, "two").get("fold") is None
    assert FolderStore(tmp_path, "one").get("another fold") is None
    kept = FolderStore(tmp_path, "one").get("fold")
    assert kept is not None
    np.testing.assert_array_equal(kept["risk"], arrays["risk"])
    assert kept["failed"].tolist() == ["", "no events"]


def test_store_leaves_no_half_file_and_pickles_nothing(tmp_path: Path) -> None:
    store = FolderStore(tmp_path, "study")
    with pytest.raises(ValueError, match="allow_pickle"):
        store.put("fold", {"object": np.array([{"an": "object"}])})
    assert list(tmp_path.iterdir()) == []


def complain(texts: list[str]) -> None:
    with collected_warnings(texts):
        for _ in range(2):
            warnings.warn("ours", ConvergenceWarning, stacklevel=1)
        warnings.warn("theirs", RuntimeWarning, stacklevel=1)


def test_only_our_warnings_are_collected() -> None:
    texts: list[str] = []
    with pytest.warns(RuntimeWarning, match="theirs"):
        complain(texts)
    assert texts == ["ConvergenceWarning: ours"]
