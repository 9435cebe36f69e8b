"""How a study describes one of its tables: the section `[tables.<name>]` of the study file."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from omics.moment import Moment
from omics.row_specs import DeltaSpec, ReduceSpec

Scalar: TypeAlias = bool | int | float | str
Kind: TypeAlias = Literal[
    "radiomics",
    "expression",
    "mutations",
    "copy_number",
    "methylation",
    "proteomics",
    "pathology",
    "clinical",
    "features",
]
Transform: TypeAlias = Literal["log2p1", "beta_to_m"]
Unit: TypeAlias = Literal["percent", "fraction", "number"]

TEXT_SUFFIXES = {".csv": ",", ".tsv": "\t", ".txt": "\t"}
PROTEIN_ALTERING = (
    "Frame_Shift_Del",
    "Frame_Shift_Ins",
    "In_Frame_Del",
    "In_Frame_Ins",
    "Missense_Mutation",
    "Nonsense_Mutation",
    "Nonstop_Mutation",
    "Splice_Site",
    "Translation_Start_Site",
)
"""Classes of variants that change the protein: those that maftools calls non-synonymous.

Mayakonda A, et al. Genome Research 2018;28:1747-1756. doi:10.1101/gr.239244.118
"""
SUFFIXES = (*TEXT_SUFFIXES, ".maf", ".xlsx", ".parquet", ".h5mu")
WITH_CATEGORIES = ("clinical", "pathology")
_AVERAGES = ("mean", "weighted")


def suffix(path: Path) -> str:
    """Return the suffix that says how a file is read, compression aside.

    Examples
    --------
    >>> suffix(Path("expression.TSV.gz"))
    '.tsv'
    """
    name = path.name.casefold().removesuffix(".gz")
    return Path(name).suffix


class IdRules(BaseModel):
    """How an id is made comparable; the rules run in the order of the fields.

    Examples
    --------
    >>> IdRules(strip=True, first=12, casefold=True).apply(" TCGA-02-0001-01A ")
    'tcga-02-0001'
    >>> IdRules(regex="^sub-([0-9]+)").apply("sub-07_ses-1")
    '07'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    strip: bool = Field(default=False, description="take off blanks at both ends")
    regex: str | None = Field(
        default=None, description="a regular expression with one group: the group is the id"
    )
    first: int | None = Field(default=None, gt=0, description="keep the first so many characters")
    casefold: bool = Field(default=False, description="read upper and lower case as the same")

    @field_validator("regex")
    @classmethod
    def _has_one_group(cls, regex: str | None) -> str | None:
        if regex is None:
            return regex
        try:
            groups = re.compile(regex).groups
        except re.error as error:
            raise ValueError(f"regex {regex!r} cannot be read: {error}") from error
        if groups != 1:
            raise ValueError(f"regex {regex!r} must have exactly one group ( ), but has {groups}")
        return regex

    def apply(self, identifier: str) -> str | None:
        """Return the id under these rules; None where the regular expression does not match."""
        if self.strip:
            identifier = identifier.strip()
        if self.regex is not None:
            match = re.search(self.regex, identifier)
            if match is None or match.group(1) is None:
                return None
            identifier = match.group(1)
        if self.first is not None:
            identifier = identifier[: self.first]
        return identifier.casefold() if self.casefold else identifier


class SampleMap(BaseModel):
    """A table that says which patient each sample is of, such as cBioPortal's clinical samples."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path = Field(description="a text file with tabs, in the folder of the table")
    sample: str = Field(default="SAMPLE_ID", description="the column of sample ids")
    patient: str = Field(default="PATIENT_ID", description="the column of patient ids")
    only: dict[str, list[str]] = Field(
        default={},
        description="take samples with these values alone, by column; others are left out",
    )


class TableSpec(BaseModel):
    """One table of a study: where it lies, how it is read, what is taken from it.

    `columns`, `drop`, `recode`, `categories`, `transform`, `unit`, `reduce` and `known` take a
    column's name as it stands in the file or as `rename` makes it.

    Examples
    --------
    >>> spec = TableSpec(path="clinical.csv", kind="clinical", id="ID", columns=["Age", "IDH"],
    ...                  recode={"IDH": {"wildtype": "wt", "*": "mutant"}})
    >>> spec.recode["IDH"]["*"]
    'mutant'

    A long table, one row per patient, sequence and region, becomes one row per patient with
    features such as `T1c|core|original_firstorder_Mean`:

    >>> spec = TableSpec(path="pyradiomics.csv", kind="radiomics", id="Patient",
    ...                  spread=["Sequence", "ROI"])

    Several lesions of one patient, each with a row of its own:

    >>> spec = TableSpec(path="lesions.csv", kind="radiomics", id="Patient",
    ...                  reduce={"weighted": "original_shape_MeshVolume", "count": "lesions"})
    >>> TableSpec(path="lesions.csv", kind="radiomics", reduce="mean").reduce.way
    'mean'

    What changed between two scans, one row per patient and scan:

    >>> spec = TableSpec(path="pyradiomics.csv", kind="radiomics", id="Patient",
    ...                  delta={"column": "Scan", "from": "pre", "to": "post", "kind": "absolute"})

    With `reduce` beside it, one row per patient, scan and lesion: the lesions of each scan are
    reduced first, and the change is that of the reduced values.

    Files of a cBioPortal study name samples; a map says whose they are. A MAF lists mutations only:
    `profiled` says which samples were sequenced, so that their other genes are 0 and not unknown.

    >>> spec = TableSpec(path="study/data_mutations.txt", kind="mutations", layout="maf",
    ...                  profiled="case_lists/cases_sequenced.txt", columns=["IDH1", "TERT"],
    ...                  extra_variants={"TERT": ["5'Flank"]},
    ...                  sample_map="data_clinical_sample.txt")
    >>> spec.sample_map.patient
    'PATIENT_ID'
    >>> spec = TableSpec(path="study/data_mrna_seq_v2_rsem.txt", kind="expression",
    ...                  patients="columns", id="Hugo_Symbol", drop=["Entrez_Gene_Id"],
    ...                  repeated="first", sample_map="data_clinical_sample.txt")
    >>> spec = TableSpec(path="study/data_clinical_patient.txt", kind="clinical", comment="#",
    ...                  id="PATIENT_ID", columns=["AGE"])

    One modality of a MuData file, and what it says of each patient:

    >>> spec = TableSpec(path="cll.h5mu", kind="expression", modality="mRNA")
    >>> spec = TableSpec(path="cll.h5mu", kind="clinical", obs=True, columns=["age"])
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path = Field(
        description="the file: .csv, .tsv, .txt (tabs), .xlsx, .parquet, .h5mu or .maf"
    )
    kind: Kind = Field(description="what the table holds")
    sheet: str | None = Field(default=None, description="the sheet of an .xlsx workbook")
    modality: str | None = Field(default=None, description="the modality of an .h5mu file")
    obs: bool = Field(
        default=False,
        description="take what an .h5mu file says of each patient (obs), not the measurements (X)",
    )
    layout: Literal["table", "maf"] = Field(
        default="table", description="maf: one row per variant, Mutation Annotation Format"
    )
    only: dict[str, list[Scalar]] = Field(
        default={},
        description="take the rows with these values alone, by column (as the file names it), such "
        "as one reader or timepoint of several; the column itself is no feature",
    )
    spread: list[str] = Field(
        default=[],
        description="columns, such as sequence and region, whose values tell the rows of one "
        "patient apart: they come to stand before the names of all features",
    )
    delta: DeltaSpec | None = Field(
        default=None,
        description="take what changed between two timepoints of each patient: features such as "
        "delta|original_firstorder_Mean; with reduce, lesions are reduced at each timepoint first",
    )
    comment: str | None = Field(
        default=None,
        min_length=1,
        max_length=1,
        description="lines above the header of a text file that begin so are skipped",
    )
    separator: str | None = Field(
        default=None,
        min_length=1,
        max_length=1,
        description="between cells of a text file; by default a comma in .csv, else a tab",
    )
    decimal: Literal[".", ","] = Field(default=".", description="the decimal sign of numbers")
    patients: Literal["rows", "columns"] = Field(
        default="rows", description="whether a patient is a row or a column of the file"
    )
    id: str | None = Field(
        default=None,
        description="the column of patient ids (of feature names where patients are columns); "
        "by default the first column, or the index of a .parquet file",
    )
    sample_map: SampleMap | None = Field(
        default=None,
        description="whose the samples are, where the ids are those of samples; id_rules then "
        "apply to the patient's id",
    )
    id_rules: IdRules = Field(
        default=IdRules(), description="rules that make the ids of several tables comparable"
    )
    unknown: list[Scalar] = Field(
        default=[],
        description="codes that mean unknown, such as -99; an empty cell, NA and NaN always do",
    )
    columns: list[str] | None = Field(
        default=None, description="the columns to take; by default all"
    )
    drop: list[str] = Field(default=[], description="columns to leave out")
    rename: dict[str, str] = Field(default={}, description="new names, by name in the file")
    recode: dict[str, dict[Scalar, Scalar]] = Field(
        default={},
        description='new values, by column; "*" is any other value, "" an empty or unknown cell',
    )
    categories: dict[str, str | Annotated[list[Scalar], Field(min_length=1)]] = Field(
        default={},
        description="the levels of a column, reference level first; or the reference level alone",
    )
    transform: dict[str, Transform] = Field(
        default={}, description='a transform by column, "*" for all columns of numbers'
    )
    reduce: ReduceSpec | None = Field(
        default=None,
        description='what to do with several rows of one patient: "first", "mean", '
        '{ largest = "column" } or { weighted = "column" }',
    )
    unit: dict[str, Unit] = Field(
        default={}, description="what a bare number means in a column such as Ki-67"
    )
    repeated: Literal["first", "drop"] | None = Field(
        default=None,
        description="where patients are columns: of several rows of one feature take the first or "
        "none; rows without a name are then left out as well",
    )
    different_settings: bool = Field(
        default=False,
        description="true takes radiomics features extracted with different settings, and tells "
        "it; by default they are refused",
    )
    variant_classes: list[str] = Field(
        default=list(PROTEIN_ALTERING),
        description="values of Variant_Classification that count as mutated, for a MAF",
    )
    extra_variants: dict[str, list[str]] = Field(
        default={}, description='further classes that count, by gene: { TERT = ["5\'Flank"] }'
    )
    profiled: str | list[str] | None = Field(
        default=None,
        description="the samples that a MAF covers, mutated or not: their ids; a file in the "
        'folder of the table (a cBioPortal case list, or one id a line); or "header" for the '
        "line #sequenced_samples of the MAF. By default only samples with a row are known",
    )

    @property
    def companions(self) -> tuple[Path, ...]:
        """Further files that the table is read with; they lie in its folder."""
        paths = [self.sample_map.path] if self.sample_map is not None else []
        if isinstance(self.profiled, str) and self.profiled != "header":
            paths.append(Path(self.profiled))
        return tuple(self.path.parent / path for path in paths)

    @field_validator("sample_map", mode="before")
    @classmethod
    def _from_path(cls, value: Any) -> Any:
        """Take the path alone as well."""
        return {"path": value} if isinstance(value, str | Path) else value

    known: Moment | dict[str, Moment] | None = Field(
        default=None,
        description='when the columns are known, all alike or by column, "*" for the others',
    )

    @field_validator("reduce", mode="before")
    @classmethod
    def _from_word(cls, value: Any) -> Any:
        """Take the way alone as well."""
        if not isinstance(value, str):
            return value
        if value not in ("first", "mean"):
            raise ValueError(
                "reduce must be 'first' or 'mean', or name a column, as "
                f'{{ largest = "column" }} or {{ weighted = "column" }}, but {value!r} came'
            )
        return {"by": value}

    @field_validator("id_rules", mode="before")
    @classmethod
    def _gather(cls, rules: Any) -> Any:
        """Take a list such as ["strip", { first = 12 }] as well as one table."""
        if not isinstance(rules, list):
            return rules
        gathered: dict[str, Any] = {}
        for rule in rules:
            gathered |= rule if isinstance(rule, dict) else {str(rule): True}
        return gathered

    @model_validator(mode="after")
    def _check_options(self) -> Self:
        ending = suffix(self.path)
        if self.sheet is not None and ending != ".xlsx":
            raise ValueError(f"sheet is for .xlsx files only, but path is {self.path.name!r}")
        if self.separator is not None and ending not in TEXT_SUFFIXES:
            raise ValueError(f"separator is for text files only, but path is {self.path.name!r}")
        for option in ("categories", "unit"):
            if getattr(self, option) and self.kind not in WITH_CATEGORIES:
                raise ValueError(
                    f"{option} is for tables of kind {' and '.join(WITH_CATEGORIES)} only, "
                    f"but kind is {self.kind!r}"
                )
        if self.kind == "mutations" and self.reduce is not None and self.reduce.way in _AVERAGES:
            raise ValueError(
                f"reduce by the {self.reduce.way} would make fractions of the 0 and 1 of a "
                'mutations table: use "first" or { largest = "column" }'
            )
        if self.transform and self.reduce and (self.reduce.total or self.reduce.count):
            raise ValueError(
                "reduce adds totals and counts of values as they stand: take out transform, total "
                "and count do not go with it"
            )
        self._check_layout(ending)
        self._check_double_entries()
        return self

    def _check_layout(self, ending: str) -> None:
        if (self.modality is not None or self.obs) and ending != ".h5mu":
            raise ValueError(
                f"modality and obs are for .h5mu files only, but path is {self.path.name!r}"
            )
        if self.comment is not None and ending not in TEXT_SUFFIXES:
            raise ValueError(f"comment is for text files only, but path is {self.path.name!r}")
        if self.repeated is not None and self.patients != "columns":
            raise ValueError('repeated is for tables with patients = "columns" only')
        for option in ("spread", "delta"):
            if getattr(self, option) and self.patients == "columns":
                raise ValueError(
                    f'{option} makes one row per patient of several: take out patients = "columns"'
                )
        if self.spread and self.reduce is not None:
            raise ValueError(
                "spread and reduce both make one row per patient of several: take one of them out"
            )
        self._check_only()
        self._check_delta()
        if self.different_settings and self.kind != "radiomics":
            raise ValueError(
                'different_settings is for tables of kind "radiomics" only, but kind is '
                f"{self.kind!r}"
            )
        self._check_maf(ending)

    def _check_only(self) -> None:
        if not self.only:
            return
        if self.layout == "maf" or self.patients == "columns":
            raise ValueError(
                'only is for tables with a row per patient: not with layout = "maf" or patients = '
                '"columns"'
            )
        if not all(self.only.values()):
            raise ValueError('only must list values: { reader = ["A"] }')

    def _check_delta(self) -> None:
        if self.delta is None:
            return
        if self.delta.column in self.spread:
            raise ValueError(
                f"spread and delta both name {self.delta.column!r}: take it out of spread"
            )
        for option in ("categories", "transform", "unit"):
            if getattr(self, option):
                raise ValueError(f"delta is of numbers as they stand: take out {option}")

    def _check_maf(self, ending: str) -> None:
        if self.layout != "maf":
            if ending == ".maf":
                raise ValueError('a .maf file needs layout = "maf"')
            for option in ("extra_variants", "profiled", "variant_classes"):
                if getattr(self, option) != type(self).model_fields[option].default:
                    raise ValueError(f'{option} is for layout = "maf" only')
            return
        if self.kind != "mutations" or self.spread or self.delta or self.patients == "columns":
            raise ValueError(
                'layout = "maf" is for tables of kind "mutations", without spread, delta or '
                "patients"
            )
        if ending not in (*TEXT_SUFFIXES, ".maf") or self.separator or self.comment:
            raise ValueError(
                'layout = "maf" is for text files with tabs: take out separator and comment'
            )

    @property
    def known_by_column(self) -> dict[str, Moment]:
        """When columns are known, by column; "*" stands for the others."""
        return {"*": self.known} if isinstance(self.known, str) else dict(self.known or {})

    def _check_double_entries(self) -> None:
        both = sorted(set(self.columns or ()) & set(self.drop))
        if both:
            raise ValueError(f"columns and drop both name {both[0]!r}: keep it in one of them")
        several = [
            column
            for column in (*self.categories, *self.recode)
            if column in self.unit or (column in self.transform and column in self.categories)
        ]
        if several:
            raise ValueError(
                f"{several[0]!r} is declared as categories or recoded, and has a unit or a "
                "transform as well: keep one of them"
            )
