r"""Do the hazard ratios of a Cox model hold over time: the score test of `cox.zph`.

Each coefficient may drift, :math:`\beta_j(t) = \beta_j + \theta_j g(t)`, with :math:`g` centred at
its mean over the events. At the fitted :math:`\hat\beta` and :math:`\theta = 0`, summing over
events (with the model's own ties and case weights), :math:`\bar x` and :math:`V` the risk set's
mean and covariance,

.. math::

    U = \sum g\,(x - \bar x), \qquad
    I = \begin{pmatrix} \sum V + P & \sum g V \\ \sum g V & \sum g^2 V \end{pmatrix}, \qquad
    \chi^2_J = (0, U_J)\; I_J^{-1}\, (0, U_J)^\top

where :math:`I_J` keeps all of :math:`\beta` and the drifts of term J, and P is the ridge, if any.
Without a ridge this is what survival 3.0 and later compute; earlier versions approximated it.

References
----------
Grambsch PM, Therneau TM. Proportional hazards tests and diagnostics based on weighted residuals.
Biometrika 1994;81:515-526. doi:10.1093/biomet/81.3.515
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2, rankdata
from sklearn.utils.validation import check_is_fitted

from models.cox import CoxModel
from models.own_patients import own_patients
from models.partial_likelihood import PartialLikelihood

Floats = NDArray[np.float64]
Transform = Literal["km", "identity", "rank", "log"]
GLOBAL = "GLOBAL"


@dataclass(frozen=True, eq=False, kw_only=True)
class ProportionalHazardsTest:
    """Whether coefficients drift over time.

    Attributes
    ----------
    table : DataFrame, one row per term and a last one, `GLOBAL`
        Columns `term`, `chi2`, `df` and `p_value`; a small p_value speaks against proportional
        hazards. NaN where all events fall at one time.
    transform : {"km", "identity", "rank", "log"}
        Scale of time on which drift is looked for.
    n_patients : int
    n_events : int
    """

    table: pd.DataFrame
    transform: Transform
    n_patients: int
    n_events: int

    def __repr__(self) -> str:
        last = self.table.iloc[-1]
        return (
            f"ProportionalHazardsTest({len(self.table) - 1} terms, {self.n_events} events, "
            f"{self.transform} time, global chi2 {last['chi2']:.2f} on {last['df']:.3g} df, "
            f"p {last['p_value']:.2g})"
        )


def proportional_hazards_test(
    model: CoxModel,
    X: Any,
    y: NDArray[Any],
    *,
    terms: Mapping[str, Sequence[str]],
    transform: Transform = "km",
    sample_weight: ArrayLike | None = None,
) -> ProportionalHazardsTest:
    """Test each term, and all together, for a drift of the hazard ratio over time.

    Parameters
    ----------
    model : CoxModel
        Fitted.
    X : DataFrame or array-like of shape (n_patients, p)
        The design matrix the model was fitted to, with the column of its strata.
    y : structured array of shape (n_patients,)
        The outcome the model was fitted to.
    terms : mapping of term to its columns
        The columns of a spline or a category are tested together. Each column stands in one term.
    transform : {"km", "identity", "rank", "log"}, default "km"
        Scale of time: 1 minus Kaplan-Meier just before it (R's default), time itself, its rank
        among all follow-ups, its logarithm. As in R, none of them counts case weights.
    sample_weight : array-like of shape (n_patients,), optional
        The case weights of the fit; a patient of weight 0 is left out.

    Returns
    -------
    ProportionalHazardsTest

    Raises
    ------
    ValueError
        If `terms` do not cover the model's columns once, the model has none, or `X`, `y` and
        `sample_weight` are not those of the fit.

    Notes
    -----
    With a ridge the coefficients are penalised and the drifts are not: the ridge is read as a prior
    on the coefficients. Considered and rejected: R's `cox.zph` on `ridge()` terms, which penalises
    the drifts too, so that the result changes with the unit of time, and which (survival 3.5-3)
    fills whole blocks with the penalty instead of their diagonals (negative chi-squared).

    Examples
    --------
    >>> from omics.outcome import survival_outcome
    >>> y = survival_outcome([1, 2, 3, 4, 5, 6], [1, 1, 1, 1, 1, 1])
    >>> X = pd.DataFrame({"a": [1.0, 1, 0, 1, 0, 0], "b": [2.0, 0, 1, 1, 3, 0]})
    >>> model = CoxModel().fit(X, y)
    >>> test = proportional_hazards_test(model, X, y, terms={"a": ["a"], "b": ["b"]})
    >>> test.table["term"].tolist(), test.table["df"].tolist()
    (['a', 'b', 'GLOBAL'], [1.0, 1.0, 2.0])
    """
    check_is_fitted(model, "coef_")
    positions = term_positions(terms, tuple(model.feature_names_in_))
    own = own_patients(model, X, y, sample_weight=sample_weight)
    clock = event_clock(own.time, own.event, transform)
    score, information = _score_of_drift(own.likelihood, own.coef, own.time, clock)
    n_columns = len(own.coef)
    information = information + np.diag(np.concatenate([own.penalty, np.zeros(n_columns)]))
    rows = [
        (term, _chi2(score, information, chosen), float(len(chosen)))
        for term, chosen in [*positions.items(), (GLOBAL, np.arange(n_columns))]
    ]
    table = pd.DataFrame(rows, columns=["term", "chi2", "df"])
    table["p_value"] = chi2.sf(table["chi2"], table["df"])
    return ProportionalHazardsTest(
        table=table, transform=transform, n_patients=len(own.time), n_events=int(own.event.sum())
    )


def term_positions(
    terms: Mapping[str, Sequence[str]], names: tuple[str, ...]
) -> dict[str, NDArray[np.intp]]:
    """Give the positions of each term's columns."""
    given = [column for columns in terms.values() for column in columns]
    if not names:
        raise ValueError("a model without columns has no hazard ratio to test. Leave the test out.")
    if sorted(given) != sorted(names) or GLOBAL in terms:
        absent = [name for name in names if name not in given]
        wrong = [name for name in given if name not in names or given.count(name) > 1]
        raise ValueError(
            f"terms must hold each of the model's {len(names)} columns once and not be called "
            f"{GLOBAL}, but {len(absent)} are absent (first: {absent[:1]}) and {len(wrong)} are "
            f"unknown or come twice (first: {wrong[:1]}). Take them from Design.terms_."
        )
    return {
        term: np.array([names.index(column) for column in columns])
        for term, columns in terms.items()
    }


def event_clock(
    time: Floats, event: NDArray[np.bool_], transform: Transform, *, centred: bool = True
) -> Floats:
    """Put each patient's time on the scale of the test, centred at its mean over events."""
    match transform:
        case "km":
            scaled = 1 - _survival_before(time, event)
        case "identity":
            scaled = time
        case "rank":
            scaled = rankdata(time)
        case "log":
            scaled = np.log(time)
        case _:
            raise ValueError(
                f"transform must be 'km', 'identity', 'rank' or 'log', but {transform!r} came."
            )
    return np.asarray(scaled - scaled[event].mean() if centred else scaled)


def _survival_before(time: Floats, event: NDArray[np.bool_]) -> Floats:
    """Give the Kaplan-Meier survival just before each patient's time."""
    times, deaths = np.unique(time[event], return_counts=True)
    at_risk = len(time) - np.searchsorted(np.sort(time), times, side="left")
    survival = np.concatenate([[1.0], np.cumprod(1 - deaths / at_risk)])
    return survival[np.searchsorted(times, time, side="left")]


def _score_of_drift(
    likelihood: PartialLikelihood, coef: Floats, time: Floats, clock: Floats
) -> tuple[Floats, Floats]:
    """Give the score of the drifts (p,) and the information of coefficients and drifts (2p, 2p)."""
    order = np.argsort(time, kind="stable")
    g = clock[order][np.searchsorted(time[order], likelihood.event_times)]
    _, plain = likelihood.weighted(coef, np.ones(len(g)))
    score, mixed = likelihood.weighted(coef, g)
    _, drift = likelihood.weighted(coef, g**2)
    return score, np.block([[plain, mixed], [mixed, drift]])


def _chi2(score: Floats, information: Floats, chosen: NDArray[np.intp]) -> float:
    """Give the chi-squared of the drifts in `chosen`, the coefficients adjusted for."""
    n_columns = len(score)
    if not np.diag(information)[n_columns + chosen].all():  # one time of events: nothing can drift
        return float("nan")
    kept = np.concatenate([np.arange(n_columns), n_columns + chosen])
    u = np.concatenate([np.zeros(n_columns), score[chosen]])
    return float(u @ np.linalg.solve(information[np.ix_(kept, kept)], u))
