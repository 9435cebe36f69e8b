"""Everything needed to score a patient elsewhere, in one file: the passport of a study's models.

It holds the fitted pipelines, what every column must be, how cells are read, the cut points of the
risk groups, what the intervals need, and how well the models predicted: no patient. Reading it
builds known classes from plain data and runs no code.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import ValidationError

from models.passport_file import AGAIN, NAME, pack, unpack
from models.passport_text import passport_text
from models.pipeline import RiskPipeline
from models.plain import Writer, read_plain
from models.schema import Column, differences
from models.scoring import FrozenModel, Scores, refusal, score_patients
from omics.centres import META, study_column
from omics.errors import StudyError
from omics.harmonise import CENTRE
from omics.new_patients import NewPatients, raw_table
from omics.new_tables import read_new_tables
from omics.outcome import Outcome
from omics.reading import RawTable
from omics.table_layout import GivenTable, has_several_rows
from omics.table_spec import TableSpec

__all__ = ["NAME", "Passport", "read_passport", "write_passport"]


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
    layouts : dict of table to TableSpec
        How the rows of a file become patients, of tables whose own file can be given.
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
    layouts: dict[str, TableSpec] = field(default_factory=dict)

    def __repr__(self) -> str:
        return (
            f"Passport({self.title!r}, {len(self.models)} models, {len(self.columns)} columns, "
            f"{self.n_patients} development patients, {self.n_events} events)"
        )

    def read(
        self,
        table: RawTable | pd.DataFrame | None = None,
        *,
        tables: Mapping[str, RawTable | pd.DataFrame] | None = None,
        title: str = "table",
    ) -> NewPatients:
        """Read new patients as the study's tables were read.

        Parameters
        ----------
        table : RawTable or DataFrame, optional
            One row per patient, values as the study's files have them (before recodes, transforms
            and the like). A DataFrame's index holds the ids.
        tables : mapping of table to RawTable or DataFrame, optional
            Tables of the study by name, long where the study's own were, such as the one that
            `nomomics extract` writes. Ids stand in the study's column for them, or in the index.
        title : str
            How messages name `table`.

        Raises
        ------
        StudyError
            If rows cannot be laid out as the study's were, or have no id or share one.
        """
        given = [self._given(name, one) for name, one in (tables or {}).items()]
        if table is not None:
            raw = raw_table(table) if isinstance(table, pd.DataFrame) else table
            given.insert(0, GivenTable(raw=raw, title=title))
        if not given:
            raise StudyError("there is no table of new patients. Give one.")
        return read_new_tables(
            given,
            self.tables,
            [column.name for column in self.columns],
            optional={column.name for column in self.columns if column.only_factors},
        )

    def _given(self, name: str, table: RawTable | pd.DataFrame) -> GivenTable:
        layout = self.layouts.get(name)
        if isinstance(table, pd.DataFrame):
            id_name = None if layout is None else layout.id
            table = raw_table(table, id=id_name if id_name in table.columns else None)
        return GivenTable(raw=table, title=f"table {name!r}", name=name, layout=layout)

    def long_tables(self, raw: RawTable) -> list[str]:
        """Name the study's tables as one of which a file must be given, being no wide one."""
        return [
            name
            for name, layout in self.layouts.items()
            if has_several_rows(
                GivenTable(raw=raw, title=name, name=name, layout=layout),
                self.tables,
                [column.name for column in self.columns if column.name.startswith(f"{name}:")],
            )
        ]

    @property
    def table_names(self) -> list[str]:
        """The tables that the models read; the centre, for harmonisation, is in any of them."""
        return [name for name in self.tables if name != META]

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

    def score(
        self,
        table: RawTable | pd.DataFrame | None = None,
        *,
        tables: Mapping[str, RawTable | pd.DataFrame] | None = None,
        title: str = "table",
    ) -> Scores:
        """Score new patients.

        Parameters
        ----------
        table, tables, title
            As `read` takes them.

        Returns
        -------
        Scores

        Raises
        ------
        StudyError
            If a column is absent or a value is none that the models know; all of them are listed.
        """
        patients = self.read(table, tables=tables, title=title)
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
        "layouts": {
            name: spec.model_dump(mode="json", exclude_defaults=True)
            for name, spec in passport.layouts.items()
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
            pipeline=as_pipeline(read_plain(frozen["pipeline"], arrays)),
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
        layouts={name: TableSpec(**spec) for name, spec in document.get("layouts", {}).items()},
    )


def as_pipeline(value: object) -> RiskPipeline:
    """Return what was read, if it is a pipeline."""
    if not isinstance(value, RiskPipeline):
        raise TypeError(f"a model must be a RiskPipeline, but is a {type(value).__name__}")
    return value
