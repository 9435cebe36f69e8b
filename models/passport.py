"""Everything needed to score a patient elsewhere, in one file: the passport of a study's models.

It holds the fitted pipelines, what every column must be, how cells are read, the cut points of the
risk groups, what the intervals need, and how well the models predicted: no patient. Reading it
builds known classes from plain data and runs no code.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import ValidationError

from models.cox import CoxModel
from models.intervals import HazardSpread, StrataSpread, anchored, hazard_spread
from models.nomogram import Nomogram
from models.passport_file import AGAIN, NAME, pack, unpack
from models.passport_text import passport_text
from models.pipeline import RiskPipeline
from models.plain import Writer, read_plain
from models.pooled import PooledCox
from models.schema import Column, differences, learn_column
from models.scoring import (
    FrozenModel,
    Scores,
    needed_columns,
    refusal,
    score_patients,
    takes_missing,
)
from models.validation import Validation
from omics.centres import study_column
from omics.cohort import Cohort
from omics.errors import StudyError
from omics.harmonise import CENTRE
from omics.new_patients import NewPatients, plain_rules, raw_table, read_new_patients, reading_rules
from omics.outcome import Outcome
from omics.radiomics_settings import stated_settings
from omics.reading import RawTable
from omics.table_spec import TableSpec

__all__ = ["NAME", "Passport", "make_passport", "read_passport", "write_passport"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Passport:
    """The frozen models of a study, and what they want to see.

    Attributes
    ----------
    title, description : str
    synthetic : bool
        True if the models were learned from made-up data.
    outcome : Outcome
    columns : tuple of Column
        What a table of new patients must hold.
    tables : dict of table to TableSpec
        How cells are read.
    settings : tuple of str
        With which the radiomics features that the models read were extracted, as JSON; empty where
        their tables did not say it.
    models : dict of name to FrozenModel
    figures : DataFrame
        Development figures: `model`, `validation`, `metric`, `horizon`, `estimate`, `lower`,
        `upper`, `level`.
    n_patients, n_events : int
        Of the development.
    level : float
        Of the intervals.
    versions : dict of package to version
    """

    title: str
    description: str
    synthetic: bool
    outcome: Outcome
    columns: tuple[Column, ...]
    tables: dict[str, TableSpec]
    settings: tuple[str, ...]
    models: dict[str, FrozenModel]
    figures: pd.DataFrame
    n_patients: int
    n_events: int
    level: float
    versions: dict[str, str]

    def __repr__(self) -> str:
        return (
            f"Passport({self.title!r}, {len(self.models)} models, {len(self.columns)} columns, "
            f"{self.n_patients} development patients, {self.n_events} events)"
        )

    def read(self, raw: RawTable | pd.DataFrame, *, title: str = "table") -> NewPatients:
        """Read new patients as the study's tables were read.

        Parameters
        ----------
        raw : RawTable or DataFrame
            One row per patient, values as the study's files have them (before recodes, transforms
            and the like). A DataFrame's index holds the ids.
        title : str
            How messages name the table.
        """
        return read_new_patients(
            raw_table(raw) if isinstance(raw, pd.DataFrame) else raw,
            self.tables,
            [column.name for column in self.columns],
            optional={column.name for column in self.columns if column.only_factors},
            title=title,
        )

    def differences(self, patients: NewPatients) -> pd.DataFrame:
        """List how new patients differ from what the models know; see `models.schema`."""
        found = differences(
            self.columns,
            patients,
            pipelines=[model.pipeline for model in self.models.values()],
            settings=self.settings,
        )
        own = study_column(self.tables)  # of the centre, as the study calls it
        return found.assign(column=found["column"].replace({CENTRE: own}))

    def score(self, table: RawTable | pd.DataFrame, *, title: str = "table") -> Scores:
        """Score new patients.

        Parameters
        ----------
        table, title
            As `read` takes them.

        Returns
        -------
        Scores

        Raises
        ------
        StudyError
            If a column is absent or a value is none that the models know; all of them are listed.
        """
        patients = self.read(table, title=title)
        found = self.differences(patients)
        why = refusal(found, title=title)
        if why:
            raise StudyError(why)
        return score_patients(
            self.models,
            self.columns,
            patients,
            outcome=self.outcome,
            level=self.level,
            differences=found,
        )


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
    )


def _frozen(pipeline: RiskPipeline, *, left_out: set[str], name: str) -> RiskPipeline:
    """Take the pipeline through plain data: what is scored with is what a file would hold.

    Columns that it does not need are forgotten.
    """
    writer = Writer(left_out=frozenset(left_out))
    return _pipeline(read_plain(writer.write(pipeline, name), writer.arrays))


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


def write_passport(passport: Passport, path: Path) -> None:
    """Write a passport into one file.

    Parameters
    ----------
    passport : Passport
    path : Path
        In a folder that exists.

    Raises
    ------
    ValueError
        If a pipeline holds anything but what this program fits.
    """
    writer = Writer()
    path.write_bytes(
        pack(_document(passport, writer), writer.arrays, readme=passport_text(passport))
    )


def _document(passport: Passport, writer: Writer) -> dict[str, Any]:
    models = {}
    for name, frozen in passport.models.items():
        models[name] = {
            "columns": list(frozen.columns),
            "cut_points": writer.write(frozen.cut_points, f"{name}.cut_points"),
            "nomogram": writer.write(frozen.nomogram, f"{name}.nomogram"),
            "spread": writer.write(frozen.spread, f"{name}.spread"),
            "pipeline": writer.write(frozen.pipeline, name),
        }
    return {
        "title": passport.title,
        "description": passport.description,
        "synthetic": passport.synthetic,
        "outcome": asdict(passport.outcome),
        "development": {"n_patients": passport.n_patients, "n_events": passport.n_events},
        "level": passport.level,
        "columns": [
            {f.name: writer.write(getattr(column, f.name), "columns") for f in fields(column)}
            for column in passport.columns
        ],
        "tables": {
            name: spec.model_dump(mode="json", exclude_defaults=True)
            for name, spec in passport.tables.items()
        },
        "settings": list(passport.settings),
        "models": models,
        "figures": writer.write(passport.figures, "figures"),
        "versions": passport.versions,
    }


def read_passport(path: str | Path) -> Passport:
    """Read a passport; no code in it is run.

    Parameters
    ----------
    path : str or Path
        The file, or the folder of a run that holds `passport.zip`.

    Returns
    -------
    Passport

    Raises
    ------
    StudyError
        If it is no passport, of another version, damaged, or was changed after it was written.
    """
    path = Path(path)
    if path.is_dir() or (not path.exists() and path.suffix != ".zip"):
        path = path / NAME
    document, arrays, _ = unpack(path)
    try:
        return _passport(document, arrays)
    except (KeyError, TypeError, ValueError, AttributeError, ValidationError) as error:
        raise StudyError(
            f"{path.name} must hold what a passport holds, but something is absent or of another "
            f"kind ({error}). {AGAIN}"
        ) from error


def _passport(document: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Passport:
    outcome = {**document["outcome"], "horizons": tuple(document["outcome"]["horizons"])}
    models = {
        name: FrozenModel(
            pipeline=_pipeline(read_plain(frozen["pipeline"], arrays)),
            columns=tuple(frozen["columns"]),
            cut_points=np.asarray(read_plain(frozen["cut_points"], arrays)),
            nomogram=read_plain(frozen["nomogram"], arrays),
            spread=read_plain(frozen["spread"], arrays),
        )
        for name, frozen in document["models"].items()
    }
    columns = tuple(
        Column(**{key: read_plain(value, arrays) for key, value in column.items()})
        for column in document["columns"]
    )
    return Passport(
        title=document["title"],
        description=document["description"],
        synthetic=document["synthetic"],
        outcome=Outcome(**outcome),
        columns=columns,
        tables={name: TableSpec(**spec) for name, spec in document["tables"].items()},
        settings=tuple(document["settings"]),
        models=models,
        figures=read_plain(document["figures"], arrays),
        n_patients=document["development"]["n_patients"],
        n_events=document["development"]["n_events"],
        level=document["level"],
        versions=document["versions"],
    )


def _pipeline(value: object) -> RiskPipeline:
    if not isinstance(value, RiskPipeline):
        raise TypeError(f"a model must be a RiskPipeline, but is a {type(value).__name__}")
    return value
