"""How much better models look when their factors were learnt from the validated patients too.

Factors are learnt without the outcome, so it is tempting to learn them once, from everybody. Then a
held-out patient has helped to shape the factors that predict for that patient: the validation is
transductive, and no longer says what happens to a patient who comes later. Where a study declares
it, every model with factors is validated twice on the same resamples: inductively, factors learnt
anew in every fold, which stays the headline; and transductively. The paired difference is the
optimism.

For an external cohort the transductive factors are learnt from development and that cohort
together; the model that follows is trained on development patients alone.

References
----------
Vapnik VN. Statistical learning theory. Wiley, 1998 (chapter 8, transductive inference).
Moscovich A, Rosset S. On the cross-validation bias due to unsupervised preprocessing. Journal of
the Royal Statistical Society B 2022;84:1474-1502. doi:10.1111/rssb.12537
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import joblib
import pandas as pd
from sklearn.base import clone

from models.comparison import compare
from models.evaluation import View, figures_of, samples
from models.one_resample import FAILURE_COLUMNS, Pipelines, predictions_of
from models.pipeline import RiskPipeline
from models.pipeline_parts import Cleaning
from models.resampling import collected_warnings
from models.scores import Predictions, Scores, ranking_scores
from models.validation import Validation, validate
from omics.cohort import DEVELOPMENT, Cohort
from omics.mofa import FactorModel
from omics.parallel import Arrays, Progress, Store

COLUMNS = [
    *("model", "cohort", "validation", "metric", "horizon", "inductive", "transductive"),
    *("difference", "lower", "upper", "level", "n_patients", "n_events", "n_left_out", "method"),
]
_KEYS = ["cohort", "validation", "metric", "horizon"]
HEADLINE = ("c_index", "auc")


@dataclass(frozen=True, eq=False, kw_only=True)
class TransductiveOptimism:
    """What transductive factors pretend to.

    Attributes
    ----------
    table : DataFrame, one row per model, cohort, validation, metric and horizon
        Columns as in `COLUMNS`. `inductive` and `transductive` are the figures of each (means over
        held-out folds, or of the external patients); `difference` is transductive less inductive in
        the patients that both predict, with the ends of its paired interval: the optimism of a
        metric that is better when higher.
    failures : DataFrame
        Resamples that the transductive models could not be fitted on; columns as in
        `models.validation.Validation`.
    warnings : tuple of str
        What the transductive fits complained of, once each.
    seed : int
    """

    table: pd.DataFrame
    failures: pd.DataFrame
    warnings: tuple[str, ...]
    seed: int

    @property
    def headline(self) -> pd.DataFrame:
        """Rows of the C-index of a survival outcome, or the AUC of a binary one."""
        metric = next(name for name in HEADLINE if (self.table["metric"] == name).any())
        return self.table[(self.table["metric"] == metric)]

    def __repr__(self) -> str:
        most = self.headline["difference"].max()
        return (
            f"TransductiveOptimism({self.table['model'].nunique()} models, "
            f"{self.headline['metric'].iloc[0]} at most {most:+.3f})"
        )


def transductive_optimism(
    pipelines: Pipelines,
    validation: Validation,
    cohort: Cohort,
    *,
    store: Store | None = None,
    progress: Progress | None = None,
) -> TransductiveOptimism:
    """Validate every model with factors again, with factors learnt from everybody, and compare.

    Parameters
    ----------
    pipelines : mapping of name to RiskPipeline
        The ones that were validated; those without factors are left aside.
    validation : Validation
        Inductive; the resamples, intervals and horizons are taken from it.
    cohort : Cohort
        The one that was validated on.
    store : Store, optional
        Keeps finished resamples.
    progress : callable(what, done, total), optional

    Returns
    -------
    TransductiveOptimism

    Raises
    ------
    ValueError
        If no model takes factors.
    FitError
        If a model cannot be fitted.
    """
    with_factors = {name: p for name, p in pipelines.items() if p.factor_model is not None}
    if not with_factors:
        raise ValueError(
            f"pipelines must hold a model with factors, but none of {len(pipelines)} has any. "
            "Add 'factors:*' to the predictors of a model."
        )
    complaints: list[str] = []
    found: list[Validation] = []
    external: dict[str, dict[str, Predictions]] = {label: {} for label in cohort.external}
    for number, (factors, cleaning, group) in enumerate(_by_factor_model(with_factors)):
        with collected_warnings(complaints):
            everyone = _with_factors(cohort.development, factors, cleaning)
            for label in external:
                external[label] |= _external(group, factors, cleaning, cohort, label)
        found.append(
            validate(
                group,
                everyone,
                plan=replace(validation.plan, bootstrap=0),
                store=None if store is None else _Beside(store, f"transductive {number}|"),
                progress=None if progress is None else _labelled(progress),
            )
        )
    complaints += [text for one in found for text in one.warnings if text not in complaints]
    tables = [
        _compared(name, validation, one, external, cohort) for one in found for name in one.fitted
    ]
    return TransductiveOptimism(
        table=pd.concat(tables, ignore_index=True)[COLUMNS],
        failures=pd.concat([one.failures for one in found], ignore_index=True)[FAILURE_COLUMNS],
        warnings=tuple(complaints),
        seed=validation.plan.seed,
    )


def without_factors(pipeline: RiskPipeline) -> RiskPipeline:
    """Take the step that learns factors out: the factors must then stand in the table.

    Examples
    --------
    >>> from models.cox import CoxModel
    >>> from models.pipeline import risk_pipeline
    >>> whole = risk_pipeline(["factors:*"], CoxModel(), factors=FactorModel(n_factors=2))
    >>> [name for name, _ in without_factors(whole).steps]
    ['design', 'model']
    """
    return RiskPipeline([(name, clone(step)) for name, step in pipeline.steps if name != "factors"])


class _Beside:
    """Keeps resamples in another store, under names of their own."""

    def __init__(self, store: Store, prefix: str) -> None:
        self._store, self._prefix = store, prefix

    def get(self, key: str) -> Arrays | None:
        return self._store.get(self._prefix + key)

    def put(self, key: str, arrays: Arrays) -> None:
        self._store.put(self._prefix + key, arrays)


def _labelled(progress: Progress) -> Progress:
    return lambda what, done, total: progress(f"transductive factors: {what}", done, total)


def _by_factor_model(
    pipelines: Pipelines,
) -> Iterator[tuple[FactorModel, Sequence[Cleaning], Pipelines]]:
    """Group models that share a factor model; give each without the step that learns it."""
    groups: dict[str, list[str]] = {}
    for name, pipeline in pipelines.items():
        model = pipeline.factor_model
        if model is not None:
            parts = [model, *pipeline.cleaning]
            key = joblib.hash([(type(part), part.get_params()) for part in parts])
            groups.setdefault(str(key), []).append(name)
    for names in groups.values():
        first = pipelines[names[0]]
        if first.factor_model is not None:
            inductive = {name: without_factors(pipelines[name]) for name in names}
            yield clone(first.factor_model), first.cleaning, inductive


def _with_factors(
    cohort: Cohort, factors: FactorModel, cleaning: Sequence[Cleaning] = ()
) -> Cohort:
    """Learn factors from all patients of a cohort, cleaned alike, and add them to its table."""
    table = cohort.X
    for step in cleaning:
        table = clone(step).fit(table).transform(table)
    learnt = clone(factors).fit(table).transform(table)
    return replace(cohort, X=pd.concat([cohort.X, learnt], axis=1))


def _external(
    pipelines: Pipelines,
    factors: FactorModel,
    cleaning: Sequence[Cleaning],
    cohort: Cohort,
    label: str,
) -> dict[str, Predictions]:
    """Predict for one external cohort by factors learnt from it and the development patients."""
    those = cohort.take(cohort.group.isin([DEVELOPMENT, label]).to_numpy())
    both = _with_factors(those, factors, cleaning)
    development, other = both.development, both.external[label]
    horizons = cohort.outcome.horizons
    return {
        name: predictions_of(
            clone(pipeline).fit(development.X, development.y), other.X, other.y, horizons
        )
        for name, pipeline in pipelines.items()
    }


def _compared(
    name: str,
    inductive: Validation,
    transductive: Validation,
    external: Mapping[str, Mapping[str, Predictions]],
    cohort: Cohort,
) -> pd.DataFrame:
    """Set the two figures of one model beside each other, with their paired difference."""
    ours, theirs = f"{name}, transductive", f"{name}, inductive"
    pair = replace(
        inductive,
        fitted={ours: transductive.fitted[name], theirs: inductive.fitted[name]},
        out_of_fold={ours: transductive.out_of_fold[name], theirs: inductive.out_of_fold[name]},
        apparent={ours: transductive.apparent[name], theirs: inductive.apparent[name]},
        external={
            label: {ours: external[label][name], theirs: models[name]}
            for label, models in inductive.external.items()
        },
        optimism={},
        complete_case=None,
    )
    differences = compare(pair, cohort, reference=theirs, thresholds=()).table
    figures = pd.concat(
        [
            figures_of(sample, inductive.plan, _ranking if sample.out_of_fold is None else _nothing)
            for sample in samples(pair)
            if sample.validation != "apparent"
        ]
    )
    for column, model in (("transductive", ours), ("inductive", theirs)):
        one = figures.loc[figures["model"] == model, [*_KEYS, "estimate"]]
        differences = differences.merge(one.rename(columns={"estimate": column}), on=_KEYS)
    return differences.assign(model=name)


def _ranking(view: View) -> Scores:
    return ranking_scores(view[0])


def _nothing(_: View) -> Scores:
    """Out of fold, ranking is averaged within folds, not looked at in the pooled patients."""
    return {}
