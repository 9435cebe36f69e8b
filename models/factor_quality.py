"""What a reader must know of the factors: which do not come back, how many, what optimism hides.

Each rule states its threshold in the finding. Nothing here changes a number.
"""

from collections.abc import Iterator, Mapping

import joblib

from models.pipeline import RiskPipeline
from models.transductive import TransductiveOptimism
from omics.errors import Finding
from omics.mofa import FactorModel
from omics.n_factors import ALL, HeldOutError
from omics.stability import FactorStability

KINDS = {"bootstrap": "bootstrap samples", "start": "disturbed starts"}
METRICS = {"c_index": "C-index", "auc": "AUC"}


def users_of(pipelines: Mapping[str, RiskPipeline], model: FactorModel) -> dict[str, list[str]]:
    """Name the models that use each factor.

    Parameters
    ----------
    pipelines : mapping of name to RiskPipeline, fitted
    model : FactorModel, fitted
        Pipelines with another factor model are left aside.

    Returns
    -------
    dict of factor (``F1``) to list of names
    """
    settings = joblib.hash(model.get_params())
    users: dict[str, list[str]] = {}
    for name, pipeline in pipelines.items():
        other = pipeline.factor_model
        if other is None or joblib.hash(other.get_params()) != settings:
            continue
        for term in pipeline.design.terms_:
            if term.name.startswith("factors:"):
                users.setdefault(term.name.partition(":")[2], []).append(name)
    return users


def stability_findings(
    stability: FactorStability, users: Mapping[str, list[str]]
) -> tuple[Finding, ...]:
    """Name the factors that do not come back, with the models that use them; count failures.

    Parameters
    ----------
    stability : FactorStability
    users : mapping of factor to models, see `users_of`
    """
    found = []
    for factor, verdict in stability.verdicts.items():
        if verdict != "unstable":
            continue
        rows = stability.table[stability.table["factor"] == factor]
        shares = " and ".join(
            f"{100 * row['share']:.0f} % of {row['refits']} {KINDS[row['kind']]}"
            for row in rows.to_dict("records")
        )
        models = users.get(factor, [])
        found.append(
            Finding(
                code="unstable_factor",
                severity="caution" if models else "note",
                where=f"factors:{factor}",
                message=f"{factor} is unstable: it comes back (|r| >= {stability.limit:g}) in "
                f"{shares}, and a stable factor does in {100 * stability.least_share:g} % of "
                "either. "
                + (f"It is used by {', '.join(models)}. " if models else "No model uses it. ")
                + "Do not read a meaning into it; ask for fewer factors.",
            )
        )
    return (*found, *_refits_lost(stability))


def _refits_lost(stability: FactorStability) -> Iterator[Finding]:
    for row in stability.failures.to_dict("records"):
        if row["failed"]:
            yield Finding(
                code="failed_refits",
                severity="caution",
                where="factors",
                message=f"{row['failed']} of {row['refits']} {KINDS[row['kind']]} could not be "
                "fitted and are left out of the stability of factors. The first reason: "
                f"{row['reason']}",
            )
        if row["not_converged"]:
            yield Finding(
                code="refits_not_converged",
                severity="note",
                where="factors",
                message=f"{row['not_converged']} of {row['refits']} {KINDS[row['kind']]} stopped "
                "at the last sweep allowed; they count in the stability of factors as they are.",
            )


def n_factors_findings(error: HeldOutError, *, declared: int) -> tuple[Finding, ...]:
    """Set the number of factors that hidden values ask for beside the declared one.

    Parameters
    ----------
    error : HeldOutError
    declared : int
        Number of factors of the study; it stays.
    """
    total = error.table[error.table["view"] == ALL].set_index("n_factors")["error"]
    found = []
    if error.one_se == 0:
        found.append(
            Finding(
                code="factors_predict_nothing",
                severity="caution",
                where="factors",
                message="No number of factors predicts hidden values better than the mean by more "
                f"than one standard error (least error {total[error.best]:.2f} of the mean's): the "
                "views share no structure that the fit can use.",
            )
        )
    elif error.one_se != declared:
        found.append(
            Finding(
                code="number_of_factors",
                severity="note",
                where="factors",
                message=f"Hidden values are predicted best with {error.best} factors, and within "
                f"one standard error of that with {error.one_se}; the study asks for {declared}, "
                "which stays. Factors that are not needed are switched off, or explain little.",
            )
        )
    if len(error.failures):
        numbers = sorted(set(error.failures["n_factors"]))
        found.append(
            Finding(
                code="numbers_not_fitted",
                severity="caution",
                where="factors",
                message=f"{', '.join(map(str, numbers))} factors could not be fitted in every fold "
                "and are left out of the comparison. The first reason: "
                f"{error.failures['reason'].iloc[0]}",
            )
        )
    return tuple(found)


def transductive_findings(optimism: TransductiveOptimism) -> tuple[Finding, ...]:
    """Say how far transductive factors flatter each model, and that the headline is inductive."""
    found = []
    for row in optimism.headline.to_dict("records"):
        where = (
            "in cross-validation"
            if row["validation"] == "cross_validated"
            else f"in {row['cohort']}"
        )
        sure = row["lower"] > 0
        found.append(
            Finding(
                code="transductive_factors",
                severity="caution" if sure else "note",
                where=str(row["model"]),
                message=f"With factors learnt from the validated patients too, the "
                f"{METRICS[row['metric']]} {where} is {row['transductive']:.3f} instead of "
                f"{row['inductive']:.3f} (difference {row['difference']:+.3f}, "
                f"{row['lower']:+.3f} to {row['upper']:+.3f}). The headline is inductive: factors "
                "learnt without the patients they are validated in.",
            )
        )
    found += [
        Finding(
            code="failed_resamples",
            severity="caution",
            where=str(row["model"]),
            message=f"{row['failed']} of {row['resamples']} resamples could not be fitted with "
            f"transductive factors and are left out. The first reason: {row['reason']}",
        )
        for row in optimism.failures.to_dict("records")
        if row["failed"]
    ]
    found += [
        Finding(code="warning", severity="caution", where="transductive fits", message=text)
        for text in optimism.warnings
    ]
    return tuple(found)
