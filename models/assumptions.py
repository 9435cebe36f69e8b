"""What a regression takes for granted, and whether its development patients agree.

Proportional hazards, straight lines, no single patient who decides, predictors that do not say the
same thing twice, and enough patients. All of it describes the patients of the fit and none of it is
fed back: a model changed because of such a test would be validated as if it had been planned.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.collinearity import HIGH_INFLATION, VarianceInflation, variance_inflation
from models.cox import CoxModel
from models.influence import Influence, influence
from models.linearity import Linearity, linearity_test
from models.logistic import LogisticModel
from models.own_patients import own_patients
from models.pipeline import RiskPipeline
from models.pooled import unpooled
from models.proportional_hazards import ProportionalHazardsTest, proportional_hazards_test
from models.sample_size import (
    SHRINKAGE,
    SampleSize,
    binary_sample_size,
    largest_r_squared_binary,
    largest_r_squared_survival,
    r_squared_of_share,
    survival_sample_size,
)
from models.schoenfeld import SchoenfeldCurves, schoenfeld_curves
from omics.cohort import Cohort
from omics.errors import Finding
from omics.messages import number_of, some_of
from omics.outcome import is_survival, rarer_class

MOST_TERMS = 40  # beyond, curve by curve tells nobody anything, and costs a fit each
SMALL_P_VALUE = 0.05
LARGE_CHANGE = 1.0


@dataclass(frozen=True, eq=False, kw_only=True)
class Assumptions:
    """The assumptions of one fitted Cox or logistic model, on its development patients.

    Attributes
    ----------
    hazards : ProportionalHazardsTest or None
        None for a logistic model.
    drift : SchoenfeldCurves or None
        None for a logistic model, or with more than 40 terms.
    linearity : Linearity or None
        None with more than 40 terms.
    influence : Influence
        Its patients are rows of the development cohort.
    inflation : VarianceInflation
    sample_size : DataFrame, one row per anticipated R squared
        `basis` (`share`: Nagelkerke's R squared of .15, where nothing is known; `model`: what this
        model reached, shrunk for optimism; left out where nothing is left of it), `r_squared`
        (Cox-Snell), `shrinkage`, `optimism`, `overall_risk` (patients by criterion), `n_patients`,
        `n_events`, `enough` (whether the cohort has that many patients).
    parameters : int
        Columns of the design; what factors and signatures learned before is not among them.
    effective_parameters : float
        Fewer than `parameters` under a ridge.
    n_rarer : int
        Events, or patients of the rarer class.
    ridge : float
    learned : bool
        Whether factors or signatures stand among the predictors.
    n_patients : int
    n_events : int
    """

    hazards: ProportionalHazardsTest | None
    drift: SchoenfeldCurves | None
    linearity: Linearity | None
    influence: Influence
    inflation: VarianceInflation
    sample_size: pd.DataFrame
    parameters: int
    effective_parameters: float
    n_rarer: int
    ridge: float
    learned: bool
    n_patients: int
    n_events: int

    def __repr__(self) -> str:
        return (
            f"Assumptions({self.parameters} parameters, {self.n_patients} patients, "
            f"{self.n_events} events, {self.events_per_parameter:.3g} events per parameter)"
        )

    @property
    def events_per_parameter(self) -> float:
        """Events (patients of the rarer class) for each column of the design."""
        return self.n_rarer / self.parameters

    @property
    def by_term(self) -> pd.DataFrame:
        """The tests side by side, one row per term and, of a Cox model, a last one, `GLOBAL`.

        `term`, `df`; `hazards_chi2`, `hazards_p_value` (a Cox model's); `bend_chi2`, `bend_df`,
        `bend_p_value`, `bend_reason` (where tested); `inflation`, `inflation_scaled`.
        """
        table = self.inflation.table[["term", "df", "inflation", "scaled"]].rename(
            columns={"scaled": "inflation_scaled"}
        )
        if self.hazards is not None:
            hazards = self.hazards.table[["term", "df", "chi2", "p_value"]]
            names = {"chi2": "hazards_chi2", "p_value": "hazards_p_value"}
            table = hazards.rename(columns=names).merge(
                table.drop(columns="df"), "left", on="term", validate="one_to_one"
            )
        if self.linearity is not None:
            bends = self.linearity.table.drop(columns="n_knots").set_index("term")
            table = table.merge(bends.add_prefix("bend_"), "left", left_on="term", right_index=True)
        return table


def assumptions(pipeline: RiskPipeline, cohort: Cohort) -> Assumptions | None:
    """Examine a fitted model on the patients it was fitted to.

    Parameters
    ----------
    pipeline : RiskPipeline
        Fitted on the development patients of `cohort`.
    cohort : Cohort

    Returns
    -------
    Assumptions or None
        None of boosted trees, which assume none of this, of a model without any column, and of one
        whose fit did not converge: it is no maximum that could be examined.

    Raises
    ------
    ValueError
        If the model was fitted to other patients.
    """
    model = pipeline.model
    if not isinstance(model, CoxModel | LogisticModel) or not len(model.coef_):
        return None
    if model.n_iterations_ >= model.max_iterations:
        return None
    development = cohort.development
    known = pipeline.complete(development.X)
    X = pipeline.unseen_design_matrix(development.X).loc[known]
    y = development.y[known]
    model = unpooled(model, X, y)
    design = pipeline.design
    columns = {name: list(own) for name, own in design.columns_of_terms().items()}
    interacting = {name for pair in design.interactions_ for name in pair.predictors}
    bendable = [term for term in design.terms_ if term.name not in interacting]
    few = len(columns) <= MOST_TERMS
    cox = isinstance(model, CoxModel)
    return Assumptions(
        hazards=proportional_hazards_test(model, X, y, terms=columns) if cox else None,
        drift=schoenfeld_curves(model, X, y, terms=columns) if cox and few else None,
        linearity=linearity_test(model, X, y, terms=bendable) if few else None,
        influence=_in_cohort(influence(model, X, y), np.flatnonzero(known)),
        inflation=variance_inflation(
            _covariance(model, X, y), list(model.feature_names_in_), terms=columns
        ),
        sample_size=_sample_sizes(model, y, cohort.outcome.horizons),
        parameters=len(model.coef_),
        effective_parameters=float(model.effective_parameters_),
        n_rarer=rarer_class(y),
        ridge=model.ridge_,
        learned=bool(pipeline.learned_steps),
        n_patients=len(y),
        n_events=model.n_events_,
    )


def _covariance(
    model: CoxModel | LogisticModel, X: pd.DataFrame, y: NDArray[Any]
) -> NDArray[np.float64]:
    """Give the inverse information of the coefficients, never the sandwich."""
    if isinstance(model, CoxModel):
        return own_patients(model, X, y).covariance if model.robust else model.covariance_
    return model.covariance_[1:, 1:]  # without the intercept's row


def _in_cohort(found: Influence, rows: NDArray[np.intp]) -> Influence:
    """Say patients by their row in the cohort, not among the complete cases."""
    return replace(
        found,
        table=found.table.assign(patient=rows[found.table["patient"]]),
        refits=found.refits.assign(patient=rows[found.refits["patient"].astype(np.intp)]),
        dfbeta=found.dfbeta.set_axis(rows, axis=0),
        dfbetas=found.dfbetas.set_axis(rows, axis=0),
    )


def _sample_sizes(
    model: CoxModel | LogisticModel, y: NDArray[Any], horizons: Sequence[float]
) -> pd.DataFrame:
    """Ask Riley's criteria for as many parameters as the model has, on two anticipations."""
    survival = is_survival(y)
    rate = float(y["event"].sum() / y["time"].sum()) if survival else float(y.mean())
    follow_up = float(y["time"].mean()) if survival else np.nan
    largest = (
        largest_r_squared_survival(rate, follow_up) if survival else largest_r_squared_binary(rate)
    )
    rows = []
    for basis, r_squared in {
        "share": r_squared_of_share(largest),
        "model": _adjusted_r_squared(model, len(y)),
    }.items():
        if not 0 < r_squared < min(largest, SHRINKAGE):
            continue
        needed = (
            survival_sample_size(
                parameters=len(model.coef_),
                rate=rate,
                mean_follow_up=follow_up,
                horizon=max(horizons),
                r_squared=r_squared,
            )
            if survival
            else binary_sample_size(
                parameters=len(model.coef_), prevalence=rate, r_squared=r_squared
            )
        )
        rows.append(_sample_size_row(basis, needed, len(y)))
    return pd.DataFrame(rows)


def _sample_size_row(basis: str, needed: SampleSize, n_patients: int) -> dict[str, object]:
    shrinkage, optimism, overall_risk = needed.table["n_patients"]
    return {
        "basis": basis,
        "r_squared": needed.r_squared,
        "shrinkage": shrinkage,
        "optimism": optimism,
        "overall_risk": overall_risk,
        "n_patients": needed.n_patients,
        "n_events": needed.n_events,
        "enough": n_patients >= needed.n_patients,
    }


def _adjusted_r_squared(model: CoxModel | LogisticModel, n_patients: int) -> float:
    """Shrink the apparent Cox-Snell R squared by van Houwelingen's factor, as Riley (2019) does."""
    ratio = 2 * (model.log_likelihood_[1] - model.log_likelihood_[0])
    if ratio <= model.effective_parameters_:
        return 0.0
    shrinkage = 1 - model.effective_parameters_ / ratio
    return float(-np.expm1(-ratio / n_patients) * shrinkage)


def assumption_findings(name: str, found: Assumptions) -> Iterator[Finding]:
    """Say which assumption a model's development patients speak against, hazards apart.

    Parameters
    ----------
    name : str
        Of the model.
    found : Assumptions

    Yields
    ------
    Finding
        `not_linear` (smallest p times the number of tests below .05), `collinear` (above 10 per
        degree of freedom), `one_patient` (leaving one out moves a coefficient by more than one
        standard error) and `small_sample` (fewer patients than Riley's criteria ask for).
    """
    yield from _not_linear(name, found.linearity)
    yield from _collinear(name, found.inflation)
    yield from _one_patient(name, found.influence)
    yield from _small_sample(name, found)


def _not_linear(name: str, linearity: Linearity | None) -> Iterator[Finding]:
    if linearity is None:
        return
    tested = linearity.table["p_value"].dropna()
    if len(tested) * min(tested, default=1.0) >= SMALL_P_VALUE:
        return
    bent = linearity.table[linearity.table["p_value"] < SMALL_P_VALUE].sort_values("p_value")
    named = some_of(f"{row.term} (P = {row.p_value:.2g})" for row in bent.itertuples())
    yield Finding(
        code="not_linear",
        severity="caution",
        where=name,
        message=f"A straight line is not enough for {named} (likelihood-ratio test of a restricted "
        f"cubic spline; {len(tested)} tests, Bonferroni): its ratio per unit is an average. A "
        "spline added because of this test needs new patients for its validation.",
    )


def _collinear(name: str, inflation: VarianceInflation) -> Iterator[Finding]:
    high = inflation.high.sort_values("scaled", ascending=False)
    if len(high):
        named = some_of(f"{row.term} ({row.inflation:.3g})" for row in high.itertuples())
        yield Finding(
            code="collinear",
            severity="caution",
            where=name,
            message=f"Other predictors nearly determine {named} (variance inflation above "
            f"{HIGH_INFLATION:g} per degree of freedom): single coefficients are imprecise, their "
            "sum is not.",
        )


def _one_patient(name: str, found: Influence) -> Iterator[Finding]:
    moved = found.refits[found.refits["change"].abs() > LARGE_CHANGE]
    if len(moved):
        most = moved.loc[moved["change"].abs().idxmax()]
        yield Finding(
            code="one_patient",
            severity="caution",
            where=name,
            message=f"Without one of {found.n_patients} patients the coefficient of "
            f"{most['column']} would be {most['without']:.3g} instead of "
            f"{most['coefficient']:.3g} ({abs(most['change']):.1f} standard errors): check that "
            "patient's values.",
        )


def _small_sample(name: str, found: Assumptions) -> Iterator[Finding]:
    lacking = found.sample_size[~found.sample_size["enough"].astype(bool)]
    for row in lacking[lacking["basis"] == "share"].to_dict("records"):
        yield Finding(
            code="small_sample",
            severity="note",
            where=name,
            message=f"Riley's criteria ask for {row['n_patients']} patients to develop a model of "
            f"{number_of(found.parameters, 'parameter')} here (if it explains 15 % of what can be "
            f"explained); there are {found.n_patients}. Expect optimism, and shrinkage of the "
            "effects.",
        )
