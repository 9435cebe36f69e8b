r"""Is a straight line enough for a measurement: a spline against it, by likelihood ratio.

For one predictor at a time, the others as the model has them,

.. math::

    \chi^2 = 2\,\big(l(\text{restricted cubic spline}) - l(\text{straight line})\big),
    \qquad \mathrm{df} = \text{knots} - 2

Both likelihoods carry the model's ridge, if any, on all columns but the curved ones that are
tested: it is read as a prior on the coefficients, as in `models.proportional_hazards`.

References
----------
Harrell FE. Regression Modeling Strategies, 2nd ed. Springer 2015, section 2.4.
doi:10.1007/978-3-319-19425-7
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import chi2, norm
from sklearn.utils.validation import check_is_fitted

from models.cox import CoxModel, read_survival
from models.logistic import BernoulliLikelihood, LogisticModel
from models.newton import LogLikelihood, Maximum, maximise
from models.partial_likelihood import PartialLikelihood
from models.regression import LEVEL, check_rows, read_same_design, refuse_collinear
from models.splines import FEWEST_KNOTS, default_knots, restricted_cubic_spline
from models.terms import Term
from omics.checks import check_event
from omics.errors import FitError

Floats = NDArray[np.float64]
Regression = CoxModel | LogisticModel
_Family = Callable[[Floats], tuple[LogLikelihood, Floats]]  # of columns
POINTS = 60
_ITERATIONS, _TOLERANCE = 50, 1e-11


class _Untested(Exception):
    """Why a term has no test, in a reader's words that go on after its name."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Linearity:
    """Whether effects of measurements bend.

    Attributes
    ----------
    table : DataFrame, one row per measurement of more than two values
        `term`, `n_knots`, `chi2`, `df`, `p_value` (small: a straight line is not enough) and
        `reason` (why it could not be tested; empty otherwise, and then the numbers are NaN).
    curves : DataFrame, one row per term that was tested and value
        `term`, `value` (in the predictor's unit), `estimate`, `lower`, `upper` (log hazard or odds
        ratio of the spline against the median; 95 % Wald interval) and `line` (of the straight
        line).
    level : float
        Of the intervals.
    n_patients : int
    n_events : int
    """

    table: pd.DataFrame
    curves: pd.DataFrame
    level: float
    n_patients: int
    n_events: int

    def __repr__(self) -> str:
        tested = self.table["chi2"].notna().sum()
        return (
            f"Linearity({tested} of {len(self.table)} measurements tested, {self.n_patients} "
            f"patients, {self.n_events} events, smallest p {self.table['p_value'].min():.2g})"
        )


def linearity_test(
    model: Regression,
    X: pd.DataFrame,
    y: NDArray[Any],
    *,
    terms: Sequence[Term],
    n_knots: int = 4,
) -> Linearity:
    """Test each measurement for a bend, the others as they are.

    Parameters
    ----------
    model : CoxModel or LogisticModel
        Fitted.
    X : DataFrame of shape (n_patients, p)
        The design matrix it was fitted to, with the column of its strata.
    y : ndarray of shape (n_patients,)
        The outcome it was fitted to.
    terms : sequence of Term
        `Design.terms_`. Categories and columns of two values have nothing that could bend.
    n_knots : int, default 4
        3 to 5, at Harrell's quantiles; fewer where a measurement has too few distinct values. A
        spline of the model keeps its own knots.

    Returns
    -------
    Linearity
        Where no curve can be fitted, numbers are NaN and `reason` says why.

    Raises
    ------
    ValueError
        If `n_knots` is out of range, or X and y do not fit the model.

    Examples
    --------
    >>> from models.terms import learn_number
    >>> age = np.arange(30.0, 90.0)
    >>> X, y = pd.DataFrame({"Age": age}), (age % 4 == 0) | (abs(age - 60) > 22)
    >>> test = linearity_test(LogisticModel().fit(X, y), X, y, terms=[learn_number("Age", age)])
    >>> test.table[["term", "n_knots", "df"]].values.tolist()
    [['Age', 4, 2]]
    >>> bool(test.table["p_value"].item() < 0.001)
    True
    """
    check_is_fitted(model, "coef_")
    if n_knots not in range(FEWEST_KNOTS, 6):
        raise ValueError(f"n_knots must be 3, 4 or 5, but {n_knots} came. Use 4 if in doubt.")
    names = tuple(model.feature_names_in_)
    strata = model.strata_of(X) if isinstance(model, CoxModel) else None
    values = model.columns_of(X) if isinstance(model, CoxModel) else read_same_design(X, names)
    columns = pd.DataFrame(values, columns=list(names))
    check_rows(columns, len(y))
    family = partial(_likelihood, model, y, strata)
    rows, curves = [], []
    for term in terms:
        x = columns[term.columns[0]].to_numpy()
        if term.kind not in ("linear", "spline") or len(np.unique(x)) < 3:
            continue
        try:
            knots = _knots(term, x, n_knots)
            row, curve = _test_one(model, columns, family, term, knots)
        except _Untested as error:
            row = (term.name, 0, np.nan, np.nan, np.nan, str(error))
        else:
            curves.append(curve)
        rows.append(row)
    blank = pd.DataFrame(columns=["term", "value", "estimate", "lower", "upper", "line"])
    return Linearity(
        table=pd.DataFrame(rows, columns=["term", "n_knots", "chi2", "df", "p_value", "reason"]),
        curves=pd.concat(curves, ignore_index=True) if curves else blank,
        level=LEVEL,
        n_patients=len(columns),
        n_events=model.n_events_,
    )


def _knots(term: Term, x: Floats, n_knots: int) -> Floats:
    """Give the term's own knots, or as many as can be placed."""
    if term.kind == "spline":
        return np.array(term.knots)
    for fewer in range(n_knots, FEWEST_KNOTS, -1):
        try:
            return default_knots(x, fewer, name=term.name)
        except FitError:  # too few distinct values: try with fewer knots
            continue
    try:
        return default_knots(x, FEWEST_KNOTS, name=term.name)
    except FitError as error:
        n_values = len(np.unique(x))
        if n_values <= FEWEST_KNOTS + 2:
            raise _Untested(f"too few distinct values for a spline ({n_values})") from error
        raise _Untested("too many patients share a value for a spline") from error


def _test_one(
    model: Regression, columns: pd.DataFrame, family: _Family, term: Term, knots: Floats
) -> tuple[tuple[Any, ...], pd.DataFrame]:
    """Fit the line and the spline; give the row of the table and the curve."""
    name = term.columns[0]
    base = columns.drop(columns=list(term.columns[1:]))
    x, others = base[name].to_numpy(), base.drop(columns=name).to_numpy()
    spline = restricted_cubic_spline(x, knots)
    scales = np.concatenate([spline.std(axis=0, ddof=1), others.std(axis=0, ddof=1)])
    rows = np.column_stack([spline, others])
    rows = (rows - rows.mean(axis=0)) / scales
    curved = np.arange(1, spline.shape[1])
    bent = _fit(model, rows, family, unpenalised=curved)
    straight = _fit(model, np.delete(rows, curved, axis=1), family, unpenalised=curved[:0])
    statistic, df = 2 * (bent.value - straight.value), len(curved)
    row = (term.name, len(knots), statistic, df, float(chi2.sf(statistic, df)), "")
    block = slice(bent.lead, bent.lead + spline.shape[1])
    curve = _curve(
        term.name,
        x,
        knots,
        bent.coef[block] / scales[: spline.shape[1]],
        bent.covariance[block, block] / np.outer(*(2 * [scales[: spline.shape[1]]])),
    )
    return row, curve.assign(
        line=(curve["value"] - np.median(x)) * straight.coef[straight.lead] / scales[0]
    )


@dataclass(frozen=True, eq=False)
class _Penalised:
    """A maximum: penalised log likelihood, coefficients after `lead` intercepts, covariance."""

    value: float
    coef: Floats
    covariance: Floats
    lead: int


def _fit(
    model: Regression, rows: Floats, family: _Family, *, unpenalised: NDArray[np.intp]
) -> _Penalised:
    """Fit standardised rows under the model's ridge, which `unpenalised` columns escape."""
    likelihood, start = family(rows)
    lead = len(start) - rows.shape[1]
    penalty = np.full(len(start), model.ridge_)
    penalty[:lead] = 0.0
    penalty[lead + unpenalised] = 0.0
    if model.ridge_ == 0:
        try:
            refuse_collinear(rows, [""] * rows.shape[1])
        except FitError as error:
            raise _Untested("its spline cannot be told from the other terms") from error
    maximum = maximise(
        likelihood, start=start, penalty=penalty, max_iterations=_ITERATIONS, tolerance=_TOLERANCE
    )
    _refuse_infinite(maximum)
    covariance = np.asarray(np.linalg.inv(maximum.information + np.diag(penalty)))
    value = maximum.log_likelihood - float(penalty @ maximum.coef**2) / 2
    return _Penalised(value, maximum.coef, covariance, lead)


def _likelihood(
    model: Regression, y: NDArray[Any], strata: NDArray[np.intp] | None, rows: Floats
) -> tuple[LogLikelihood, Floats]:
    """Give the likelihood of the model's kind, ties and strata, and where to start."""
    if isinstance(model, CoxModel):
        time, event = read_survival(y)
        start = np.zeros(rows.shape[1])
        return PartialLikelihood.of(rows, time, event, strata=strata, ties=model.ties), start
    event = check_event(y, "y")
    ones = np.ones((len(event), 1))
    likelihood = BernoulliLikelihood(
        rows=np.concatenate([ones, rows], axis=1), event=event, offset=np.zeros(len(event))
    )
    return likelihood, np.zeros(1 + rows.shape[1])


def _refuse_infinite(maximum: Maximum) -> None:
    if maximum.runaway.any() or not maximum.converged:
        raise _Untested("its spline runs to infinity: events stand at one end alone")


def _curve(term: str, x: Floats, knots: Floats, coef: Floats, covariance: Floats) -> pd.DataFrame:
    """Give the spline's log ratio against the median, from the 10th patient to the 10th last."""
    tail = 10 / max(len(x), 200)  # rms' range of a plot
    low, high = np.quantile(x, [tail, 1 - tail])
    grid = np.linspace(low, high, POINTS)
    middle = restricted_cubic_spline([np.median(x)], knots)
    apart = restricted_cubic_spline(grid, knots) - middle
    estimate = apart @ coef
    error = np.sqrt(np.einsum("ij,jk,ik->i", apart, covariance, apart))
    half = norm.ppf((1 + LEVEL) / 2) * error
    return pd.DataFrame(
        {
            "term": term,
            "value": grid,
            "estimate": estimate,
            "lower": estimate - half,
            "upper": estimate + half,
        }
    )
