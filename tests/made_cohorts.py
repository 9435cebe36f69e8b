"""Small simulated cohorts, and a spy on what is fitted on which patients."""

from collections.abc import Mapping
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.special import expit

import models.one_resample
from models.pipeline import RiskPipeline
from models.resampling import Resample
from models.validation import Plan, Validation, validate
from omics.cohort import DEVELOPMENT, Cohort
from omics.outcome import Outcome, survival_outcome

States = dict[str, str]  # resample -> hash of all that was learned in it

SURVIVAL = Outcome(
    kind="survival", label="OS", event_label="dead", unit="months", horizons=(6.0, 12.0)
)
BINARY = Outcome(kind="binary", label="IDH", event_label="mutant")


def made_cohort(
    n: int = 120,
    *,
    seed: int = 1,
    kind: str = "survival",
    external: int = 0,
    effect: float = 1.0,
    p: int = 12,
    missing: float = 0.0,
    horizons: tuple[float, ...] = SURVIVAL.horizons,
) -> Cohort:
    """Draw age, grade, and two views that share two factors; the outcome depends on age and these.

    The last `external` of the n patients are the external cohort `elsewhere`.
    """
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=(n, 2))
    blocks = {
        view: factor @ rng.normal(size=(2, p)) + rng.normal(size=(n, p)) for view in ("mri", "rna")
    }
    X = pd.DataFrame({f"{v}:f{j}": b[:, j] for v, b in blocks.items() for j in range(p)})
    X = X.mask(rng.random(X.shape) < missing)
    X.insert(0, "clinical:Age", rng.normal(55, 10, n).round())
    grade = rng.choice(["2", "3", "4"], size=n)
    X.insert(1, "clinical:Grade", pd.Categorical(grade, categories=["2", "3", "4"]))
    X.index = pd.Index([f"P{i:04d}" for i in range(n)], name="patient")
    eta = effect * (0.04 * (X["clinical:Age"].to_numpy() - 55) + 0.7 * factor[:, 0])
    death, censored = rng.exponential(12 * np.exp(-eta)), rng.uniform(4, 40, n)
    survival = survival_outcome(np.minimum(death, censored).round(3) + 0.001, death <= censored)
    positive = rng.random(n) < expit(eta)
    group = pd.Series(DEVELOPMENT, index=X.index, name="group", dtype=object)
    group.iloc[n - external :] = "elsewhere"
    return Cohort(
        X=X,
        y=survival if kind == "survival" else positive,
        outcome=Outcome(**{**vars(SURVIVAL), "horizons": horizons})
        if kind == "survival"
        else BINARY,
        group=group,
        kinds={"clinical": "clinical", "mri": "radiomics", "rna": "expression"},
    )


def with_outcome(cohort: Cohort, y: NDArray[Any]) -> Cohort:
    """Return the cohort with another outcome of the same kind."""
    return Cohort(X=cohort.X, y=y, outcome=cohort.outcome, group=cohort.group, kinds=cohort.kinds)


def with_table(cohort: Cohort, X: pd.DataFrame, y: NDArray[Any] | None = None) -> Cohort:
    """Return the cohort with another wide table, and perhaps outcome, of the same patients."""
    return Cohort(
        X=X,
        y=cohort.y if y is None else y,
        outcome=cohort.outcome,
        group=cohort.group,
        kinds=cohort.kinds,
    )


def learned_states(
    monkeypatch: pytest.MonkeyPatch,
    pipelines: Mapping[str, RiskPipeline],
    cohort: Cohort,
    plan: Plan,
) -> tuple[States, list[Resample], Validation]:
    """Validate, and give the hash of every fitted pipeline of each resample."""
    states: States = {}
    parts: list[Resample] = []
    fit_each = models.one_resample.fit_each

    def spy(
        asked: Any, X: Any, y: Any, part: Resample, failed: list[str]
    ) -> list[RiskPipeline | None]:
        fits = fit_each(asked, X, y, part, failed)
        ours = fits[: len(pipelines)]  # complete cases beside come and go with gaps elsewhere
        learned = [None if fit is None else [vars(step) for _, step in fit.steps] for fit in ours]
        states[part.name] = str(joblib.hash(learned))
        parts.append(part)
        return fits

    with monkeypatch.context() as patch:
        patch.setattr(models.one_resample, "fit_each", spy)
        found = validate(pipelines, cohort, plan=plan)
    return states, parts, found


class Counter:
    """Counts the calls of a method while it stands in for it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: type, name: str = "fit") -> None:
        self.calls = 0
        original = getattr(owner, name)

        def counted(this: Any, *args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            return original(this, *args, **kwargs)

        monkeypatch.setattr(owner, name, counted)
