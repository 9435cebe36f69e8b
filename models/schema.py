"""What a frozen pipeline wants to see of a new patient, and how a new table differs from it."""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal

import numpy as np
import pandas as pd

from models.pipeline import RiskPipeline
from omics.harmonise import ComBat
from omics.new_patients import NewPatients
from omics.radiomics_settings import SETTINGS, other_settings, stated_settings

FACTORS = (10.0, 100.0, 1000.0)  # between units of one quantity: mm and cm, per cent and fraction
NEAR = 0.1  # of log10: how near the ratio of medians must come to such a factor
DIFFERENCES = ["severity", "difference", "column", "count", "detail"]


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column that a model needs, as the development patients had it.

    Attributes
    ----------
    name : str
        `table:feature`.
    kind : {"number", "category"}
    transform : str
        Applied to the value as written; empty if none. The figures below are after it.
    unit : str
        As declared; empty if the study declared none.
    levels : tuple of str
        Of a category, the reference first.
    lowest, low, median, high, highest : float
        Smallest value, 5th centile, median, 95th centile and largest value; NaN for a category.
    may_be_missing : bool
        True if every model has a rule for a patient without it.
    only_factors : bool
        True if models see it through factors alone.
    """

    name: str
    kind: Literal["number", "category"]
    transform: str = ""
    unit: str = ""
    levels: tuple[str, ...] = ()
    lowest: float = float("nan")
    low: float = float("nan")
    median: float = float("nan")
    high: float = float("nan")
    highest: float = float("nan")
    may_be_missing: bool = False
    only_factors: bool = False


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One way in which a table of new patients differs from what the models know.

    Attributes
    ----------
    severity : {"refused", "caution", "note"}
    difference : str
        Such as `missing column`.
    column : str
    count : int
        Patients, or columns, it concerns.
    detail : str
        A full phrase; holds no patient id.
    """

    severity: Literal["refused", "caution", "note"]
    difference: str
    column: str
    count: int
    detail: str


def learn_column(
    values: pd.Series, *, transform: str, unit: str, may_be_missing: bool, only_factors: bool
) -> Column:
    """Describe a column by the development patients' values.

    Examples
    --------
    >>> ages = pd.Series([40.0, 50.0, 60.0], name="clinical:Age")
    >>> learn_column(ages, transform="", unit="", may_be_missing=False, only_factors=False).median
    50.0
    """
    name = str(values.name)
    if isinstance(values.dtype, pd.CategoricalDtype):
        return Column(
            name=name,
            kind="category",
            levels=tuple(map(str, values.cat.categories)),
            may_be_missing=may_be_missing,
        )
    known = values.dropna().to_numpy(dtype=np.float64)
    quantiles = np.quantile(known, [0, 0.05, 0.5, 0.95, 1]) if len(known) else np.full(5, np.nan)
    lowest, low, median, high, highest = map(float, quantiles)
    return Column(
        name=name,
        kind="number",
        transform=transform,
        unit=unit,
        lowest=lowest,
        low=low,
        median=median,
        high=high,
        highest=highest,
        may_be_missing=may_be_missing,
        only_factors=only_factors,
    )


def differences(
    columns: Sequence[Column],
    patients: NewPatients,
    *,
    pipelines: Sequence[RiskPipeline] = (),
    settings: Sequence[str] = (),
) -> pd.DataFrame:
    """List every difference between new patients and what the models know.

    Parameters
    ----------
    columns : sequence of Column
    patients : NewPatients
    pipelines : sequence of RiskPipeline, fitted
        The views of their factors are compared as a whole, too, and centres with those that they
        know.
    settings : sequence of str
        With which the development patients' radiomics features were extracted.

    Returns
    -------
    DataFrame, one row per difference
        Columns `severity` (`refused`, `caution`, `note`), `difference`, `column`, `count`,
        `detail`; what is refused first.
    """
    found = [
        *_of_names(patients),
        *_of_rows(patients),
        *_of_settings(settings, patients),
        *_of_centres(pipelines, patients),
        *_of_views(pipelines, patients),
        *_of_values(columns, patients),
    ]
    rank = ("refused", "caution", "note")
    found.sort(key=lambda item: rank.index(item.severity))
    return pd.DataFrame(
        [[getattr(item, name) for name in DIFFERENCES] for item in found], columns=DIFFERENCES
    )


def _of_names(patients: NewPatients) -> Iterator[Difference]:
    starts = tuple(patients.lacking)
    for start, why in patients.lacking.items():
        yield Difference(
            severity="refused",
            difference="missing rows" if start.partition(":")[2] else "missing table",
            column=f"{start}*",
            count=sum(column.startswith(start) for column in patients.missing),
            detail=why,
        )
    for column in [name for name in patients.missing if not name.startswith(starts)]:
        yield Difference(
            severity="refused",
            difference="missing column",
            column=column,
            count=1,
            detail=_renamed(column, patients.extra),
        )
    for table in patients.absent:
        yield Difference(
            severity="caution",
            difference="missing table",
            column=f"{table}:*",
            count=1,
            detail="no column of it is there: the factors are placed by the other tables alone",
        )
    if patients.extra:
        yield Difference(
            severity="note",
            difference="extra columns",
            column="",
            count=len(patients.extra),
            detail=f"not looked at: {_listed(patients.extra)}",
        )


def _of_rows(patients: NewPatients) -> Iterator[Difference]:
    """Tell what was found while rows of one patient were laid out, and tables joined."""
    for finding in patients.findings:
        yield Difference(
            severity="note" if finding.severity == "note" else "caution",
            difference="rows of a table",
            column=f"{finding.where}:*",
            count=len(patients.ids),
            detail=finding.message.rstrip("."),
        )


def _of_settings(settings: Sequence[str], patients: NewPatients) -> Iterator[Difference]:
    """Radiomics features extracted in another way than those the models learned from."""
    if settings and not stated_settings({"": patients.provenance}):
        yield Difference(
            severity="note",
            difference="unknown settings",
            column="",
            count=len(patients.ids),
            detail="the table does not say with which settings its features were extracted: no "
            f"column {SETTINGS}",
        )
    for count, difference in other_settings(patients.provenance, settings) if settings else ():
        yield Difference(
            severity="refused",
            difference="other settings",
            column=SETTINGS,
            count=count,
            detail="features were extracted with other settings than those the models learned "
            f"from ({_listed(difference)}). Extract them again with the study's settings",
        )


def _of_centres(pipelines: Sequence[RiskPipeline], patients: NewPatients) -> Iterator[Difference]:
    """Patients of centres that no training patient is of, and whether they are let in."""
    told: set[tuple[str, str]] = set()
    steps = [step for pipeline in pipelines for step in pipeline.harmonised]
    for step in steps:
        if not set(step.reads) <= set(patients.X.columns) - {*patients.missing, *patients.wrong}:
            continue  # what is absent or unreadable is said on its own
        for row in step.new_centres(patients.X).to_dict("records"):
            name, what = str(row["centre"]), str(row["what"])
            if name and (name, what) not in told:
                told.add((name, what))
                yield _new_centre(step, row)


def _new_centre(step: ComBat, row: Mapping[Hashable, Any]) -> Difference:
    count, what = int(row["n_patients"]), str(row["what"])
    return Difference(
        severity="refused" if what == "refused" else "caution",
        difference="new centre",
        column=step.centre,
        count=count,
        detail=f"{count} patients of {row['centre']!r}; known are {_listed(step.n_patients_)}: "
        f"{what}" + (f", because {row['why']}" if row["why"] else ""),
    )


def _of_views(pipelines: Sequence[RiskPipeline], patients: NewPatients) -> Iterator[Difference]:
    """Whole views on another scale than that of the patients the factors were learnt from."""
    told: set[str] = set()
    for pipeline in pipelines:
        model = pipeline.factor_model
        if model is None:
            continue
        X = _cleaned(pipeline, patients)
        if X.empty:
            continue
        table = model.shifts(X.reindex(columns=list(model.features_)))
        for row in table[table["flagged"]].to_dict("records"):
            view = str(row["view"])
            if view not in told:
                told.add(view)
                yield Difference(
                    severity="caution",
                    difference="another scale",
                    column=f"{view}:*",
                    count=int(row["n_features"]),
                    detail=f"the view as a whole: medians {row['shift']:.1f} standard deviations "
                    f"away, spread {row['ratio']:.2g} times that of development; check units, "
                    "transformation and scanner before the scores are believed",
                )


def _cleaned(pipeline: RiskPipeline, patients: NewPatients) -> pd.DataFrame:
    """Give what factors see of those who are let in; as it came, where a column is absent."""
    if patients.missing or not pipeline.cleaning:
        return patients.X
    return pipeline.cleaned(patients.X.loc[pipeline.accepted(patients.X)])


def _renamed(column: str, extra: Sequence[str]) -> str:
    """Name the columns of the file that may be the missing one under another name."""
    feature = column.partition(":")[2]
    by_fold = {name.rpartition(":")[2].casefold(): name for name in reversed(extra)}
    close = get_close_matches(feature.casefold(), list(by_fold), n=2, cutoff=0.6)
    if close:
        return f"renamed? the file has {_listed(by_fold[name] for name in close)}"
    return "the file has nothing of that name, nor of one near it"


def _listed(names: Iterable[str]) -> str:
    items = [repr(name) for name in names]
    more = f" and {len(items) - 5} more" if len(items) > 5 else ""
    return ", ".join(items[:5]) + more


def _of_values(columns: Sequence[Column], patients: NewPatients) -> Iterator[Difference]:
    for column in columns:
        wrong = patients.wrong.get(column.name)
        if wrong is not None:
            unseen = column.kind == "category"
            yield Difference(
                severity="refused",
                difference="unseen category" if unseen else "unreadable value",
                column=column.name,
                count=1,
                detail=wrong,
            )
        elif column.name not in patients.missing:
            yield from _of_column(column, patients)


def _of_column(column: Column, patients: NewPatients) -> Iterator[Difference]:
    values = patients.X[column.name]
    absent = column.name.partition(":")[0] in patients.absent
    gaps = values.isna()
    if gaps.any() and not absent:
        codes = patients.unknown.get(column.name, 0)
        yield Difference(
            severity="note" if column.may_be_missing else "refused",
            difference="missing value",
            column=column.name,
            count=int(gaps.sum()),
            detail=f"in {_rows(values.index[gaps])}"
            + (f", of which {codes} by a code for unknown" if codes else "")
            + ("" if column.may_be_missing else "; a model takes no patient without it"),
        )
    if column.kind == "number":
        yield from _of_numbers(column, values.dropna())


def _rows(places: Iterable[str]) -> str:
    rows = list(places)
    return ", ".join(rows[:10]) + (f" and {len(rows) - 10} more" if len(rows) > 10 else "")


def _of_numbers(column: Column, known: pd.Series) -> Iterator[Difference]:
    """Compare numbers with the development patients' range and median."""
    outside = outside_range(column, known)
    outside_all = bool(len(known)) and bool(outside.all())
    factor = _unit_factor(column, known)
    limits = f"development patients had {column.lowest:g} to {column.highest:g}"
    if factor is not None or outside_all:
        ratio = (
            f"about {factor:g} times the development median {column.median:g}"
            if factor is not None
            else f"and every value lies outside the range: {limits}"
        )
        yield Difference(
            severity="caution",
            difference="other unit?",
            column=column.name,
            count=len(known),
            detail=f"the median is {known.median():g}, {ratio}; nothing was converted",
        )
    if outside.any() and not outside_all:
        yield Difference(
            severity="caution",
            difference="outside the range",
            column=column.name,
            count=int(outside.sum()),
            detail=f"{limits}; first {known[outside].iloc[0]:g} in {known.index[outside][0]}",
        )


def outside_range(column: Column, values: pd.Series) -> "pd.Series[bool]":
    """Tell which values no development patient came near: below the lowest or above the highest."""
    return (values < column.lowest) | (values > column.highest)


def _unit_factor(column: Column, known: pd.Series) -> float | None:
    """Find the factor between two units by which the medians differ, if there is one.

    Only a median beyond the development patients' 5th or 95th centile counts, and of transformed
    values none: after a logarithm a factor is a shift.
    """
    if not len(known) or column.transform:
        return None
    median = float(known.median())
    if column.low <= median <= column.high or not median * column.median > 0:
        return None
    ratio = np.log10(median / column.median)
    for factor in (*FACTORS, *(1 / factor for factor in FACTORS)):
        if abs(ratio - np.log10(factor)) <= NEAR:
            return factor
    return None
