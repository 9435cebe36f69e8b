r"""What changed between two images of a patient: delta features, absolute, relative or per day.

Of a feature with the value `a` at the first timepoint and `b` at the second, `t` days later,

.. math::

    \text{absolute} = b - a, \quad \text{relative} = \frac{b - a}{|a|}, \quad
    \text{per day} = \frac{b - a}{t}

so that a rise is positive, whatever the sign of `a`. A relative change of a feature that crosses 0
(the mean of a z-scored image) is unstable: take the absolute one. Days are stated, never guessed
from the names of timepoints.

References
----------
Fave X, et al. Delta-radiomics features for the prediction of patient outcomes in non-small cell
lung cancer. Scientific Reports 2017;7:588. doi:10.1038/s41598-017-00665-z
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from omics.case import PLACE
from omics.checks import check_frame, check_name, check_names, check_one_of
from omics.image_days import day_numbers, days_between
from omics.messages import nearest, number_of, quoted
from omics.radiomics import DELTA, is_provenance
from omics.radiomics_settings import compare_settings
from omics.row_specs import Change

Matrix: TypeAlias = NDArray[np.float64]

NO_START, NO_END = "no value at the first timepoint", "no value at the second timepoint"
NO_DAYS = "number of days unknown"
NO_PAIR = "no feature with a value at both timepoints"


@dataclass(frozen=True, eq=False, kw_only=True)
class DeltaFeatures:
    """Changes of features between two timepoints.

    Attributes
    ----------
    table : DataFrame of shape (n_patients, n_features)
        Indexed by patient; columns `delta|feature`. NaN where a value is missing or, of a relative
        change, where the first one is 0.
    kind : {"absolute", "relative", "per_day"}
    left_out : DataFrame, one row per patient without any change
        Columns `patient` and `reason`.
    zero_start : DataFrame, one row per feature
        Columns `feature` and `n_patients`: whose relative change is missing since the first value
        is 0, or so near it that the quotient overflows. Features without such patients are left
        out.
    n_patients : int
    """

    table: pd.DataFrame
    kind: Change
    left_out: pd.DataFrame
    zero_start: pd.DataFrame
    n_patients: int

    def __repr__(self) -> str:
        return (
            f"DeltaFeatures({self.kind}, {self.n_patients} patients, "
            f"{self.table.shape[1]} features, {len(self.left_out)} left out)"
        )


def delta_features(
    start: pd.DataFrame,
    end: pd.DataFrame,
    *,
    kind: Change,
    days: "pd.Series[float] | None" = None,
) -> DeltaFeatures:
    """Compute how features changed between two timepoints.

    Parameters
    ----------
    start, end : DataFrame of shape (n_patients, n_features)
        Features at either timepoint, indexed by patient; numbers, NaN where missing. The same
        columns in any order; patients in any order, and some may stand in one of the two only.
    kind : {"absolute", "relative", "per_day"}
    days : Series of shape (n_patients,), optional
        For `per_day`, and only then: days from `start` to `end`, above 0, by patient; NaN or no
        entry where unknown.

    Returns
    -------
    DeltaFeatures
        Patients in the order of `start`, features in the order of its columns.

    Raises
    ------
    ValueError
        If a patient stands twice, columns differ, a value is no number or infinite, or days are
        absent, not wanted, or not above 0.

    Examples
    --------
    >>> before = pd.DataFrame({"Mean": [-4.0, 0.0, 5.0]}, index=["P1", "P2", "P3"])
    >>> after = pd.DataFrame({"Mean": [-2.0, 1.0]}, index=["P1", "P2"])
    >>> delta = delta_features(before, after, kind="relative")
    >>> delta
    DeltaFeatures(relative, 2 patients, 1 features, 1 left out)
    >>> delta.table["delta|Mean"].tolist(), delta.left_out["patient"].tolist()
    ([0.5, nan], ['P3'])
    >>> delta_features(before, after, kind="absolute").table["delta|Mean"].tolist()
    [2.0, 1.0]
    """
    _check_kind(kind, days)
    _check_patients(start, "start")
    _check_patients(end, "end")
    _check_columns(start, end)
    everyone = start.index.append(end.index.difference(start.index, sort=False))
    a = _numbers(start, "start").reindex(everyone).to_numpy()
    b = _numbers(end[list(start.columns)], "end").reindex(everyone).to_numpy()
    interval = _intervals(days, everyone)
    change, zero = _change(a, b, kind=kind, interval=interval)

    reasons = _reasons(a, b, interval)
    left = pd.Series(reasons, index=everyone, dtype=object)
    left = left[left != ""]
    table = pd.DataFrame(
        change[reasons == ""],
        index=everyone[reasons == ""],
        columns=[f"{DELTA}|{feature}" for feature in start.columns],
    )
    counts = zero.sum(axis=0)
    return DeltaFeatures(
        table=table.rename_axis("patient"),
        kind=kind,
        left_out=pd.DataFrame({"patient": left.index, "reason": left.to_numpy()}),
        zero_start=pd.DataFrame(
            {"feature": start.columns[counts > 0], "n_patients": counts[counts > 0]}
        ),
        n_patients=len(table),
    )


def long_delta(
    table: pd.DataFrame,
    *,
    between: tuple[str, str],
    kind: Change,
    column: str = "timepoint",
    within: Sequence[str] = (),
    days: str | None = None,
) -> DeltaFeatures:
    """Compute delta features from a table with one row per patient and timepoint.

    Parameters
    ----------
    table : DataFrame
        With the columns `patient`, `column`, those of `within` and `days`, features, and columns
        that say how the features were made, which must agree on the settings. What else says
        which image a row is of (`reader`, `region`, ...) is no feature. Messages count rows from 1.
    between : tuple of str
        The first and the second timepoint, as `column` writes them; other rows are not looked at.
    kind : {"absolute", "relative", "per_day"}
    column : str
    within : sequence of str
        Columns, such as `region` and `sequence`, that tell the rows of one patient and timepoint
        apart: their values come to stand before the features, ``delta|core|original_...``.
    days : str, optional
        For `per_day`: the column with the day of each image: a date YYYY-MM-DD, or a number counted
        from any day that is the same for all images of a patient.

    Returns
    -------
    DeltaFeatures

    Raises
    ------
    ValueError
        If a column or a timepoint is not there, two rows are of one patient, timepoint and
        `within`, or as `delta_features`.
    StudyError
        If the features were extracted with different settings, a date is none, or days do not rise.

    Examples
    --------
    >>> table = pd.DataFrame({"patient": ["P1", "P1", "P2", "P2"],
    ...                       "timepoint": ["pre", "post", "pre", "post"],
    ...                       "day": [0, 90, 0, 60],
    ...                       "original_shape_MeshVolume": [100.0, 190.0, 80.0, 20.0]})
    >>> delta = long_delta(table, between=("pre", "post"), kind="per_day", days="day")
    >>> delta.table["delta|original_shape_MeshVolume"].tolist()
    [1.0, -1.0]
    """
    check_frame(table, "table")
    check_name(column, "column")
    check_names(within, "within")
    if days is not None:
        check_name(days, "days")
    keys = [name for name in ("patient", column, days) if name in within]
    if keys:
        raise ValueError(
            f"within must name columns beside those of patient, timepoint and days, but names "
            f"{keys[0]!r}. Take it out."
        )
    needed = ["patient", column, *within, *([days] if days is not None else [])]
    for name in needed:
        if name not in table.columns:
            raise ValueError(
                f"table must hold the column {name!r}, but has none of that name among "
                f"{table.shape[1]}. {nearest(name, map(str, table.columns))}"
            )
    table = table.set_axis([f"row {n}" for n in range(1, len(table) + 1)], axis=0)
    _refuse_absent(table[column], between, column)
    chosen = table[table[column].isin(between)]
    unknown = chosen.index[chosen["patient"].isna()]
    if len(unknown):
        raise ValueError(
            f"every row must say its 'patient', but {len(unknown)} of {len(table)} do not (first: "
            f"{unknown[0]}). Fill them in, or leave them out."
        )
    _refuse_repeated(chosen, ["patient", column, *within])
    compare_settings({"of both timepoints": chosen})
    features = [
        str(name)
        for name in table.columns
        if name not in {*needed, *PLACE, "region"} and not is_provenance(str(name))
    ]
    sides = [_wide(chosen[chosen[column] == when], features, within) for when in between]
    common = sides[0].columns.intersection(sides[1].columns, sort=False)
    apart = None
    if days is not None:
        rows = chosen.rename(columns={column: "when"})[["patient", "when"]]
        apart = days_between(
            _image_days(chosen, days), rows, ends=between, column=days, title="table"
        )
    return delta_features(sides[0][common], sides[1][common], kind=kind, days=apart)


def _check_kind(kind: str, days: object) -> None:
    check_one_of(kind, "kind", get_args(Change))
    if (kind == "per_day") != (days is not None):
        raise ValueError(
            "days must be given for changes per day and for no others, but kind is "
            f"{kind!r} and days are {'absent' if days is None else 'given'}. "
            + ("Give the days between the images." if days is None else "Take them out.")
        )


def _check_patients(table: pd.DataFrame, name: str) -> None:
    check_frame(table, name)
    unknown = int(np.asarray(table.index.isna()).sum())
    if unknown:
        raise ValueError(
            f"{name} must be indexed by patient, but {unknown} of {len(table)} rows have none. "
            "Leave them out."
        )
    several = table.index[table.index.duplicated()].unique()
    if len(several):
        raise ValueError(
            f"{name} must hold one row per patient, but {number_of(len(several), 'patient')} "
            f"stand in it more than once (first: {str(several[0])!r}). Reduce their rows first."
        )


def _check_columns(start: pd.DataFrame, end: pd.DataFrame) -> None:
    lone = start.columns.symmetric_difference(end.columns, sort=False)
    if len(lone):
        raise ValueError(
            f"start and end must have the same columns, but {len(lone)} stand in one of them only "
            f"({quoted(lone, limit=3)}). Take them out, or extract both with the same settings."
        )


def _numbers(table: pd.DataFrame, name: str) -> pd.DataFrame:
    strange = [
        column
        for column, kind in table.dtypes.items()
        if not pd.api.types.is_numeric_dtype(kind) or pd.api.types.is_complex_dtype(kind)
    ]
    if strange:
        raise ValueError(
            f"{name} must hold numbers, but {len(strange)} of {table.shape[1]} columns do not "
            f"({quoted(strange, limit=3)}). Take them out."
        )
    numbers = table.astype(np.float64)
    endless = np.isinf(numbers.to_numpy()).any(axis=0)
    if endless.any():
        raise ValueError(
            f"{name} must hold finite numbers, but {int(endless.sum())} of {table.shape[1]} "
            f"columns hold infinite ones ({quoted(table.columns[endless], limit=3)}). Correct "
            "them, or set them to NaN."
        )
    return numbers


def _intervals(days: "pd.Series[float] | None", patients: pd.Index) -> Matrix | None:
    if days is None:
        return None
    if not isinstance(days, pd.Series) or not pd.api.types.is_numeric_dtype(days):
        came = days.dtype if isinstance(days, pd.Series) else type(days).__name__
        raise TypeError(f"days must be a Series of numbers, indexed by patient, but is {came}.")
    if days.index.has_duplicates:
        raise ValueError("days must hold one value per patient, but a patient has several.")
    known = days.reindex(patients)
    interval = np.asarray(known.to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)
    wrong = ~((interval > 0) & (interval < np.inf)) & ~np.isnan(interval)
    if wrong.any():
        raise ValueError(
            f"days must be above 0, from the first timepoint to the second, and finite, but "
            f"{int(wrong.sum())} of {len(interval)} are not (first: {interval[wrong][0]:g} at "
            f"patient row {int(wrong.argmax()) + 1}). Exchange the timepoints, or correct the days."
        )
    return interval


def _change(
    a: Matrix, b: Matrix, *, kind: Change, interval: Matrix | None
) -> tuple[Matrix, NDArray[np.bool_]]:
    """Return the changes, and where a relative one is missing for the sake of its divisor."""
    change = b - a
    if interval is not None:
        return change / interval[:, None], np.zeros(a.shape, dtype=np.bool_)
    if kind == "absolute":
        return change, np.zeros(a.shape, dtype=np.bool_)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        relative = change / np.abs(a)
    zero = np.isfinite(change) & ~np.isfinite(relative)
    relative[zero] = np.nan
    return relative, zero


def _reasons(a: Matrix, b: Matrix, interval: Matrix | None) -> NDArray[np.object_]:
    """Say why a patient has no change at all; empty for those who have one."""
    here, there = ~np.isnan(a), ~np.isnan(b)
    cases = [~here.any(axis=1), ~there.any(axis=1)]
    names = [NO_START, NO_END]
    if interval is not None:
        cases.append(np.isnan(interval))
        names.append(NO_DAYS)
    cases.append(~(here & there).any(axis=1))
    names.append(NO_PAIR)
    return np.select(cases, names, default="").astype(object)


def _refuse_absent(cells: pd.Series, between: tuple[str, str], column: str) -> None:
    if not isinstance(between, tuple | list) or len(between) != 2:
        raise ValueError(
            f"between must name two timepoints, such as ('pre', 'post'), but is {between!r}."
        )
    if between[0] == between[1]:
        raise ValueError(f"between must name two timepoints, but names {between[0]!r} twice.")
    known = list(dict.fromkeys(cells.dropna()))
    for when in between:
        if when not in known:
            raise ValueError(
                f"between must name timepoints of column {column!r}, but no row is of {when!r}. "
                f"{_written_otherwise(when, known) or nearest(str(when), map(str, known))}"
            )


def _written_otherwise(when: object, known: Sequence[object]) -> str:
    """Say that a timepoint is there as a number where text came, or the other way round."""
    same = [cell for cell in known if str(cell) == str(when)]
    return f"Write {same[0]!r}, as the column holds it." if same else ""


def _refuse_repeated(rows: pd.DataFrame, keys: list[str]) -> None:
    several = rows[rows.duplicated(keys, keep=False)]
    if len(several):
        raise ValueError(
            f"table must hold one row for each combination of {quoted(keys)}, but {len(several)} "
            f"rows share theirs (first: {quoted(several.iloc[0][keys])}). Name the column that "
            "tells them apart in within, or reduce them first."
        )


def _wide(rows: pd.DataFrame, features: list[str], within: Sequence[str]) -> pd.DataFrame:
    """Return one row per patient, the values of `within` before the names of the features."""
    if not within:
        return rows.set_index("patient")[features]
    blocks = []
    for values, part in rows.groupby(list(within), sort=False):
        prefix = "|".join(map(str, values))
        block = part.set_index("patient")[features]
        blocks.append(block.set_axis([f"{prefix}|{name}" for name in features], axis=1))
    return pd.concat(blocks, axis=1)


def _image_days(rows: pd.DataFrame, days: str) -> "pd.Series[float]":
    cells = rows[days]
    if pd.api.types.is_numeric_dtype(cells):
        return cells.astype(np.float64)
    texts = cells.map(lambda cell: str(cell).strip().removesuffix(" 00:00:00"), na_action="ignore")
    numbers = day_numbers(texts.astype(object), column=days, title="table")
    if numbers is None:
        raise ValueError(
            f"days must name a column of numbers or of dates YYYY-MM-DD, but {days!r} holds "
            f"{quoted(cells.dropna().unique(), limit=2)}. Count days from one day."
        )
    return numbers
