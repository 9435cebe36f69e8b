"""The synthetic cohort as a user would have it: tables, their files, the study file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

FILES = {
    "radiomics": "radiomics.csv",
    "expression": "expression.parquet",
    "mutations": "mutations.tsv",
    "proteomics": "proteomics.csv",
    "pathology": "pathology.xlsx",
    "clinical": "clinical.xlsx",
    "followup": "followup.csv",
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Truth:
    """What the synthetic cohort was made from.

    Attributes
    ----------
    factors : DataFrame of shape (n_patients, 5)
        Latent factors, standard normal and independent; index `patient`.
    loadings : mapping of table to DataFrame of shape (n_features, 5)
        `radiomics`, `expression`, `proteomics`: of the standardised feature before its scale is
        put on. `mutations`: log odds per unit, within a class of IDH and 1p/19q.
    volume_features : tuple of str
        Radiomics features that are nothing but tumour volume.
    noise_view : str
        The table that holds nothing but noise.
    linear_predictor : Series
        True log relative hazard of each patient; higher is worse.
    c_index : float
        Probability that of two patients the one with the higher true linear predictor dies first
        (Gonen and Heller), in [0.5, 1].
    coefficients : Series
        Log hazard ratios, per year, per KPS point, against GTR, per unit of a factor.
    absent : DataFrame of bool, one column per table
        True where the patient is not in the table.
    """

    factors: pd.DataFrame
    loadings: Mapping[str, pd.DataFrame]
    volume_features: tuple[str, ...]
    noise_view: str
    linear_predictor: pd.Series
    c_index: float
    coefficients: pd.Series
    absent: pd.DataFrame

    def __repr__(self) -> str:
        n, k = self.factors.shape
        return f"Truth({n} synthetic patients, {k} factors, true C {self.c_index:.3f})"


@dataclass(frozen=True, eq=False, kw_only=True)
class SyntheticStudy:
    """Tables as they would lie on disk, and the truth behind them.

    Attributes
    ----------
    tables : mapping of name to DataFrame
        `radiomics`, `expression` (log2), `mutations` (0/1), `proteomics`, `pathology` (Ki-67 in
        per cent, as text), `clinical`, `followup` (OS in days); ids in the column `patient`,
        rows in no particular order.
    truth : Truth
    seed : int
    """

    tables: Mapping[str, pd.DataFrame]
    truth: Truth
    seed: int

    def __repr__(self) -> str:
        followup = self.tables["followup"]
        return (
            f"SyntheticStudy({len(followup)} synthetic patients, "
            f"{(followup['Status'] == 'dead').sum()} deaths, "
            f"{followup['Centre'].nunique()} centres, true C {self.truth.c_index:.3f})"
        )

    @property
    def study_toml(self) -> str:
        """The study file that belongs to the tables; its title says that they are synthetic."""
        return study_toml(seed=self.seed)

    def write(self, folder: Path | str) -> Path:
        """Write the tables (csv, tsv, xlsx, parquet) and `study.toml` into `folder`.

        Returns
        -------
        Path
            Of `study.toml`, which is written last.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for name, table in self.tables.items():
            write_table(table, folder / FILES[name], sheet=name)
        study = folder / "study.toml"
        study.write_text(self.study_toml, encoding="utf-8")
        return study


def study_toml(*, seed: int) -> str:
    """Return the study file of the synthetic cohort; its title says that patients are simulated."""
    tables = "\n".join(
        f'[tables.{name}]\npath = "{path}"\n{_TABLE_KEYS[name]}id = "patient"\n'
        for name, path in FILES.items()
    )
    return _STUDY.format(seed=seed, tables=tables)


def write_table(table: pd.DataFrame, path: Path, *, sheet: str) -> None:
    """Write `table` without its index, in the format that the suffix of `path` names."""
    if path.suffix == ".parquet":
        table.to_parquet(path, index=False)
    elif path.suffix == ".xlsx":
        table.to_excel(path, sheet_name=sheet, index=False)
    else:
        table.to_csv(path, sep="\t" if path.suffix == ".tsv" else ",", index=False)


_TABLE_KEYS = {
    "radiomics": 'kind = "radiomics"\n',
    "expression": 'kind = "expression"\n',
    "mutations": 'kind = "mutations"\n',
    "proteomics": 'kind = "proteomics"\n',
    "pathology": 'kind = "pathology"\nsheet = "pathology"\n'
    'unit = { "Ki-67" = "percent" }\nunknown = ["not done"]\n',
    "clinical": 'kind = "clinical"\nsheet = "clinical"\n'
    'categories = { Sex = "female", Resection = ["GTR", "STR", "biopsy"], '
    '"WHO grade" = ["grade 2", "grade 3", "grade 4"] }\n',
    "followup": 'kind = "clinical"\n',
}

_STUDY = """\
# Every patient in this study is simulated: nothing here was measured.
centre = "followup:Centre"

[study]
title = "Overall survival in a synthetic glioma cohort (simulated patients)"
seed = {seed}
synthetic = true
description = "Simulated gliomas from three centres; the third is the external cohort."

{tables}
[outcome]
kind = "survival"
time = "followup:OS days"
unit = "days"
event = "followup:Status"
event_value = "dead"
censored_value = "alive"
horizons = [365, 730]

[cohorts]
column = "followup:Centre"
development = ["Centre A", "Centre B"]
external = ["Centre C"]

[factors]
views = ["radiomics", "expression", "mutations", "proteomics"]
likelihoods = {{ mutations = "bernoulli" }}
n_factors = 6
stability = {{ bootstraps = 20, starts = 5 }}
choose = {{ grid = [1, 3, 6], folds = 3 }}
transductive = true

[[signatures]]
name = "Radscore"
predictors = ["radiomics:*"]
folds = 5

[added_value]   # adds Clinical, Radiomics, Molecular and Combined, and tumour volume alone
clinical = ["clinical:Age", "clinical:KPS", "clinical:Resection", "pathology:Ki-67"]
radiomics = ["signature:Radscore"]
molecular = ["mutations:*"]
ridge = {{ Molecular = "aic", Combined = "aic" }}
splines = {{ "clinical:Age" = 3 }}
missing = "median"
nomograms = ["Clinical"]

[[models]]
name = "Clinical + factors"
kind = "cox"
ridge = "aic"
predictors = ["clinical:Age", "clinical:KPS", "clinical:Resection", "pathology:Ki-67", "factors:*"]
missing = "median"
nomogram = true

[[models]]
name = "XGBoost"
kind = "xgboost"
predictors = ["radiomics:*", "mutations:*", "clinical:*", "pathology:*"]

[validation]
cross_validation = {{ folds = 5, repeats = 2 }}
bootstrap = 50
draws = 80

[report]
thresholds = [0.05, 0.60]
subgroups = {{ "clinical:Age" = [50, 65] }}
subgroup_models = ["Clinical + factors"]
"""
