r"""Whether groups of patients had as many events as predicted, as one p value for who must give it.

Patients are parted at the deciles of their own predicted risks. With :math:`O_g` events among
:math:`n_g` patients, whose mean risk is :math:`\bar p_g`, and for a survival outcome Kaplan-Meier's
:math:`\hat S_g(t)` with Greenwood's variance :math:`V_g`,

.. math::

    \chi^2_\mathrm{HL} = \sum_g \frac{(O_g - n_g \bar p_g)^2}{n_g \bar p_g (1 - \bar p_g)}, \qquad
    \chi^2_\mathrm{GND} = \sum_g \frac{(1 - \hat S_g(t) - \bar p_g)^2}{V_g}

(Hosmer and Lemeshow; Greenwood, Nam and D'Agostino). Degrees of freedom of G groups: where the
model was fitted to these patients G - 2, for a survival outcome G - 1, as published; in other
patients, where nothing was fitted, G. R's `hoslem.test` and Demler's `GND.calib` always take G - 2
and G - 1: there chi2 is the same and p is smaller in an external cohort. `hoslem.test` also counts
the groups asked for where ties leave fewer. Of 400 simulated cohorts of 1,000 patients whose risks
were right, the survival test rejected 8.5 % with G degrees of freedom and 10.5 % with G - 1, since
Greenwood's variance is smallest where by chance few had the event.

Out of fold neither is given: the folds share training patients, and every repeat has another p.

References
----------
Hosmer DW, Lemeshow S. Goodness of fit tests for the multiple logistic regression model.
Communications in Statistics 1980;9:1043-1069. doi:10.1080/03610928008827941
Demler OV, Paynter NP, Cook NR. Tests of calibration and goodness-of-fit in the survival setting.
Statistics in Medicine 2015;34:1659-1680. doi:10.1002/sim.6428
Van Calster B, et al. Calibration: the Achilles heel of predictive analytics. BMC Medicine
2019;17:230. doi:10.1186/s12916-019-1466-7 (the warning)
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2 as chi_squared

from models.checks import (
    Flags,
    Floats,
    check_binary_risks,
    check_horizon,
    check_survival_risks,
)
from models.evaluation import Sample, samples
from models.likelihood_ratio import no_likelihood
from models.survival_curves import survival_and_error_at
from models.validation import Validation
from omics.outcome import Outcome, is_survival

WARNING = (
    "This p value depends on how patients are grouped, tells neither in which direction nor how "
    "far the risks are off, misses poor calibration in small cohorts and rejects every model in "
    "large ones. A p above .05 does not show good calibration. Judge by the calibration curve, "
    "the slope and observed/expected (Van Calster 2019, doi:10.1186/s12916-019-1466-7)."
)
SURVIVAL_WARNING = (
    f"{WARNING} By a horizon it rejects right risks too often: at the 5 % level in 8.5 % of 400 "
    "simulated cohorts of 1,000 patients."
)
FEWEST_EVENTS = 5  # of a group of the survival test; Demler: unstable with fewer
COLUMNS = [
    *("model", "cohort", "validation", "horizon", "chi2", "df", "p_value", "n_groups"),
    *("n_patients", "n_events", "reason"),
]
_GROUP = ["lowest", "highest", "n_patients", "n_events", "observed", "predicted", "component"]


@dataclass(frozen=True, eq=False, kw_only=True)
class HosmerLemeshow:
    """Observed and expected events by group, and their distance as one p value.

    Attributes
    ----------
    table : DataFrame, one row per group
        Columns `lowest`, `highest` (risk in the group), `n_patients`, `n_events` (by the horizon,
        if there is one), `observed` and `predicted` (risk), `component` (of chi2).
    chi2, p_value : float
        NaN where a risk is NaN, a group was not followed to the horizon or all of it had the event,
        or fewer groups are left than degrees of freedom need.
    df : int
    n_patients, n_events : int
    horizon : float or None
    """

    table: pd.DataFrame
    chi2: float
    df: int
    p_value: float
    n_patients: int
    n_events: int
    horizon: float | None

    @property
    def warning(self) -> str:
        """What must be said beside the number."""
        return WARNING if self.horizon is None else SURVIVAL_WARNING

    def __repr__(self) -> str:
        return (
            f"HosmerLemeshow({len(self.table)} groups, {self.n_patients} patients, "
            f"chi2 {self.chi2:.2f}, df {self.df}, p {self.p_value:.2g}; see warning)"
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class HosmerLemeshowTests:
    """The test of every model of a study.

    Attributes
    ----------
    table : DataFrame, one row per model, cohort and horizon
        Columns as in `COLUMNS`; `validation` is `apparent` or `external`. Where the test cannot be
        given, its figures are NaN and `reason` says why.
    outcome : Outcome
    """

    table: pd.DataFrame
    outcome: Outcome

    @property
    def warning(self) -> str:
        """What must be said beside the numbers."""
        return SURVIVAL_WARNING if self.outcome.kind == "survival" else WARNING

    def __repr__(self) -> str:
        return f"HosmerLemeshowTests({len(self.table)} tests; see warning)"


def hosmer_lemeshow(
    event: ArrayLike, risk: ArrayLike, *, fitted_here: bool, groups: int = 10
) -> HosmerLemeshow:
    """Test observed against expected events of a binary outcome.

    Parameters
    ----------
    event, risk : array-like of shape (n_patients,)
        As for `models.accuracy.brier`.
    fitted_here : bool
        True where the model was fitted to these patients by maximum likelihood.
    groups : int
        At least 3; ties can leave fewer.

    Returns
    -------
    HosmerLemeshow

    Raises
    ------
    ValueError
        If an argument has the wrong shape or range.

    Examples
    --------
    Three groups of two, with 0, 1 and 2 events; 2/3, 1 and 4/3 expected of risks 1/3, 1/2, 2/3:

    >>> found = hosmer_lemeshow([0, 0, 0, 1, 1, 1], [1/3] * 2 + [1/2] * 2 + [2/3] * 2,
    ...                         fitted_here=False, groups=3)
    >>> found.df, round(found.chi2, 12)  # (2/3)² / (2 · 1/3 · 2/3), twice
    (3, 2.0)
    """
    events, p = check_binary_risks(event, risk)
    parts = _parts(p, groups)
    rows = []
    for own in parts:
        n, mean = len(own), float(p[own].mean())
        variance, share = mean * (1 - mean) / n, float(events[own].mean())
        rows.append((*_ends(p[own]), n, int(events[own].sum()), share, mean, variance))
    return _result(rows, 2 if fitted_here else 0, len(p), int(events.sum()), None)


def hosmer_lemeshow_at(
    time: ArrayLike,
    event: ArrayLike,
    risk: ArrayLike,
    *,
    horizon: float,
    fitted_here: bool,
    groups: int = 10,
) -> HosmerLemeshow:
    """Test Kaplan-Meier's risk by `horizon` against the predicted one, by Demler's GND statistic.

    Groups with fewer than 5 events by `horizon` are joined with the next higher ones, the last with
    the one below; of fewer than 5 events in all there is no test.

    Parameters
    ----------
    time, event, risk : array-like of shape (n_patients,)
        As for `models.accuracy.brier_at`.
    horizon : float
    fitted_here : bool
        True where the model was fitted to these patients by maximum likelihood.
    groups : int
        At least 3; ties and few events can leave fewer.

    Returns
    -------
    HosmerLemeshow

    Raises
    ------
    ValueError
        If an argument has the wrong shape or range.

    Examples
    --------
    Half of 12 patients had the event by 12, where 1/4 was predicted; Greenwood's variance is 1/48:

    >>> found = hosmer_lemeshow_at(range(1, 13), [1] * 6 + [0] * 6, [0.25] * 12, horizon=12,
    ...                            fitted_here=False)
    >>> found.df, round(found.chi2, 12)
    (1, 3.0)
    """
    times, events, p = check_survival_risks(time, event, risk)
    by = check_horizon(horizon)
    had = events & (times <= by)
    rows = []
    for own in _joined(_parts(p, groups), had):
        survival, error = survival_and_error_at(times[own], events[own], by)
        counts = (len(own), int(had[own].sum()))
        risks = (1 - float(survival), float(p[own].mean()))
        rows.append((*_ends(p[own]), *counts, *risks, float(error) ** 2))
    return _result(rows, 1 if fitted_here else 0, len(p), int(had.sum()), by)


def hosmer_lemeshow_tests(validation: Validation, *, groups: int = 10) -> HosmerLemeshowTests:
    """Test every model in the patients of its fit, if it maximised a likelihood, and in others.

    Parameters
    ----------
    validation : Validation
    groups : int
        At least 3.

    Returns
    -------
    HosmerLemeshowTests
    """
    rows = [
        row
        for sample in samples(validation)
        if sample.validation != "cross_validated"
        for row in _sample_rows(sample, validation, groups)
    ]
    return HosmerLemeshowTests(
        table=pd.DataFrame(rows, columns=COLUMNS), outcome=validation.outcome
    )


def _sample_rows(sample: Sample, validation: Validation, groups: int) -> list[dict[str, object]]:
    """Test one model in one cohort at each horizon, or say why it cannot be."""
    p, apparent = sample.predictions, sample.validation == "apparent"
    pipeline = validation.fitted[sample.model].pipeline
    reason = no_likelihood(sample.model, pipeline) if apparent else ""
    rows = []
    for j, horizon in enumerate(p.horizons or (np.nan,)):
        row: dict[str, object] = {**sample.labels, "horizon": horizon, "reason": reason}
        if not reason:
            found = (
                hosmer_lemeshow_at(
                    p.y["time"], p.y["event"], p.risk[:, j],
                    horizon=horizon, fitted_here=apparent, groups=groups,
                )
                if is_survival(p.y)
                else hosmer_lemeshow(p.y, p.risk[:, j], fitted_here=apparent, groups=groups)
            )  # fmt: skip
            names = ("chi2", "df", "p_value", "n_patients", "n_events")
            row |= {name: getattr(found, name) for name in names}
            row["n_groups"] = len(found.table)
            if np.isnan(p.risk[:, j]).any():
                row["reason"] = "the risk by the horizon is not known of everybody"
            elif found.df < 1:
                row["reason"] = "too few groups of different risk with events"
            elif np.isnan(found.p_value):
                row["reason"] = "too short a follow-up in a group, or nobody in it without event"
        rows.append(row)
    return rows


def _parts(p: Floats, groups: int) -> list[NDArray[np.intp]]:
    """Part patients at quantiles of their risks (R's type 7), each part up to its upper end."""
    if groups < 3:
        raise ValueError(f"groups must be at least 3, but {groups} came. Ask for 10.")
    if np.isnan(p).any():
        return []
    cuts = np.unique(np.quantile(p, np.linspace(0, 1, groups + 1)))
    group = np.searchsorted(cuts[1:-1], p, side="left")
    return [np.flatnonzero(group == k) for k in np.unique(group)]


def _joined(parts: list[NDArray[np.intp]], had: Flags) -> list[NDArray[np.intp]]:
    """Join groups with too few events to the next, the rest to the last; none of too few in all."""
    joined: list[NDArray[np.intp]] = []
    waiting = np.empty(0, dtype=np.intp)
    for own in parts:
        waiting = np.concatenate([waiting, own])
        if had[waiting].sum() >= FEWEST_EVENTS:
            joined.append(waiting)
            waiting = waiting[:0]
    if joined:
        joined[-1] = np.concatenate([joined[-1], waiting])
    return joined


def _ends(p: Floats) -> tuple[float, float]:
    return float(p.min()), float(p.max())


def _result(
    rows: Sequence[tuple[float, ...]],
    fitted: int,
    n_patients: int,
    n_events: int,
    by: float | None,
) -> HosmerLemeshow:
    """Add up the groups; `fitted` degrees of freedom went into the fit."""
    table = pd.DataFrame(rows, columns=[*_GROUP[:-1], "variance"])
    gap = table["observed"] - table["predicted"]
    with np.errstate(
        divide="ignore", invalid="ignore"
    ):  # an event, or none, where the other was certain
        share = gap.to_numpy() ** 2 / table.pop("variance").to_numpy(dtype=np.float64)
    table["component"] = np.where(gap == 0, 0.0, share)
    df = len(table) - fitted
    chi2 = float(table["component"].sum(skipna=False)) if df > 0 else float("nan")
    return HosmerLemeshow(
        table=table,
        chi2=chi2,
        df=max(df, 0),
        p_value=float(chi_squared.sf(chi2, df)) if df > 0 else float("nan"),
        n_patients=n_patients,
        n_events=n_events,
        horizon=by,
    )
