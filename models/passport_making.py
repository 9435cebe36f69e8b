"""What a passport holds of a study: its fitted pipelines, and what they need of a new patient.

Columns are described by the development patients, pipelines go through plain data and forget what
they do not need, and of the study's tables the rules by which cells and rows are read are kept.
"""

from collections.abc import Mapping

import pandas as pd

from models.cox import CoxModel
from models.intervals import HazardSpread, StrataSpread, anchored, hazard_spread
from models.nomogram import Nomogram
from models.passport import Passport, as_pipeline
from models.pipeline import RiskPipeline
from models.plain import Writer, read_plain
from models.pooled import PooledCox
from models.schema import Column, learn_column
from models.scoring import FrozenModel, needed_columns, takes_missing
from models.validation import Validation
from omics.centres import META, study_column
from omics.cohort import Cohort
from omics.harmonise import CENTRE
from omics.new_patients import plain_rules, reading_rules
from omics.radiomics_settings import stated_settings
from omics.table_layout import layout_of
from omics.table_spec import TableSpec


def make_passport(
    cohort: Cohort,
    validation: Validation,
    *,
    title: str,
    description: str = "",
    synthetic: bool = False,
    nomograms: Mapping[str, Nomogram] | None = None,
    figures: pd.DataFrame | None = None,
    tables: Mapping[str, TableSpec] | None = None,
    versions: Mapping[str, str] | None = None,
) -> Passport:
    """Collect what a new patient needs.

    Parameters
    ----------
    cohort : Cohort
        Its development patients are those of `validation`.
    validation : Validation
        Holds the fitted pipelines.
    title, description : str
    synthetic : bool
    nomograms : mapping of model to Nomogram, optional
    figures : DataFrame, optional
        Table of `models.performance`; its cross-validated and optimism-corrected rows are kept.
    tables : mapping of table to TableSpec, optional
        As the study declares them; left out, new patients come as the cohort's table holds them.
    versions : mapping of package to version, optional

    Returns
    -------
    Passport
    """
    development = cohort.development
    X, outcome = development.X, cohort.outcome
    models: dict[str, FrozenModel] = {}
    direct: set[str] = set()
    strict: set[str] = set()
    for name, fitted in validation.fitted.items():
        mine = needed_columns(fitted.pipeline, list(X.columns))
        direct |= mine.predictors | mine.features | mine.harmonising | mine.harmonised
        strict |= set() if takes_missing(fitted.pipeline.design) else mine.predictors
        strict |= mine.harmonising
        if CENTRE in mine.harmonising:  # those of external cohorts are not known
            X = X.assign(**{CENTRE: X[CENTRE].cat.remove_unused_categories()})
        strata = fitted.pipeline.strata
        if strata is not None:  # nothing fills in a stratum, and a level nobody had has no baseline
            X = X.assign(**{strata: X[strata].cat.remove_unused_categories()})
            strict |= {strata} - {*fitted.pipeline.design.needed_}
        columns = tuple(column for column in X.columns if column in mine.every)
        models[name] = FrozenModel(
            pipeline=_frozen(fitted.pipeline, left_out=set(X.columns) - set(columns), name=name),
            columns=columns,
            cut_points=fitted.cut_points,
            nomogram=(nomograms or {}).get(name),
            spread=_spread(fitted.pipeline, development),
        )
    needed = {column for model in models.values() for column in model.columns}
    ordered = [column for column in X.columns if column in needed]
    rules = _rules(X[ordered], tables or {})
    return Passport(
        title=title,
        description=description,
        synthetic=synthetic,
        outcome=outcome,
        columns=tuple(
            _column(X[name], rules, strict=name in strict, direct=name in direct)
            for name in ordered
        ),
        tables=rules,
        settings=stated_settings(
            {view: told for view, told in development.provenance.items() if view in rules}
        ),
        models=models,
        figures=_kept_figures(figures),
        n_patients=validation.n_patients,
        n_events=validation.n_events,
        level=validation.plan.level,
        versions=dict(versions or {}),
        layouts=_layouts(rules, tables or {}),
    )


def _frozen(pipeline: RiskPipeline, *, left_out: set[str], name: str) -> RiskPipeline:
    """Take the pipeline through plain data: what is scored with is what a file would hold.

    Columns that it does not need are forgotten.
    """
    writer = Writer(left_out=frozenset(left_out))
    return as_pipeline(read_plain(writer.write(pipeline, name), writer.arrays))


def _spread(pipeline: RiskPipeline, development: Cohort) -> HazardSpread | StrataSpread | None:
    if not isinstance(pipeline.model, CoxModel):
        return None
    known, horizons = pipeline.complete(development.X), development.outcome.horizons
    matrix = pipeline.unseen_design_matrix(development.X).loc[known]
    spread = hazard_spread(pipeline.model, matrix, development.y[known], horizons=horizons)
    if isinstance(spread, HazardSpread) and isinstance(pipeline.model, PooledCox):
        return anchored(spread, pipeline.model)
    return spread


def _rules(X: pd.DataFrame, tables: Mapping[str, TableSpec]) -> dict[str, TableSpec]:
    rules = {}
    for view in dict.fromkeys(str(name).partition(":")[0] for name in X.columns):
        mine = [name for name in X.columns if name.startswith(f"{view}:")]
        part = X[mine].set_axis([name.partition(":")[2] for name in mine], axis=1)
        rules[view] = reading_rules(tables[view], part) if view in tables else plain_rules(part)
    return rules


def _layouts(
    rules: Mapping[str, TableSpec], tables: Mapping[str, TableSpec]
) -> dict[str, TableSpec]:
    owner = study_column(rules).partition(":")[0]  # of the centre: models may read nothing else
    names = dict.fromkeys([*rules, owner])
    found = {name: layout_of(tables[name]) for name in names if name in tables and name != META}
    return {name: layout for name, layout in found.items() if layout is not None}


def _column(
    values: pd.Series, rules: Mapping[str, TableSpec], *, strict: bool, direct: bool
) -> Column:
    table, _, feature = str(values.name).partition(":")
    spec = rules[table]
    number = not isinstance(values.dtype, pd.CategoricalDtype)
    transform = spec.transform.get(feature, spec.transform.get("*", "")) if number else ""
    return learn_column(
        values,
        transform=transform,
        unit=spec.unit.get(feature, ""),
        may_be_missing=not strict,
        only_factors=not direct,
    )


_FIGURES = [
    *("model", "validation", "metric", "horizon", "estimate", "lower", "upper", "level"),
]


def _kept_figures(figures: pd.DataFrame | None) -> pd.DataFrame:
    if figures is None:
        return pd.DataFrame(columns=_FIGURES)
    own = figures["validation"].isin(("cross_validated", "optimism_corrected"))
    ranks = figures["metric"].isin(("c_index", "auc"))
    return figures.loc[own & ranks, _FIGURES].reset_index(drop=True)
