"""Reading the declared outcome: which patients have one, and why the others do not."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from omics.canonical import as_number, canonical_values, count_values, match_values, shorten
from omics.cutting import read_cut, straddling_findings
from omics.errors import Finding, StudyError
from omics.messages import nearest
from omics.outcome import (
    BinarySpec,
    SurvivalSpec,
    Value,
    column_name,
    survival_outcome,
    table_name,
)
from omics.tables import View


def find_column(views: Sequence[View], address: str, *, role: str) -> pd.Series:
    """Return a reserved column, indexed by patient.

    Parameters
    ----------
    views : sequence of View
    address : str
        `table:column`.
    role : str
        What the study calls it, for the message: "time", "event", "cohort".

    Raises
    ------
    StudyError
        If the table or the column is not there; the message names the nearest.
    """
    table, column = table_name(address), column_name(address)
    by_name = {view.name: view for view in views}
    if table not in by_name:
        raise StudyError(
            f"{role} must stand in a declared table, but {address!r} names table {table!r}. "
            f"{nearest(table, by_name)}"
        )
    view = by_name[table]
    if column in view.reserved.columns:
        return view.reserved[column]
    if column in view.table.columns:
        raise StudyError(
            f"{role} must be set aside when table {table!r} is read, but column {column!r} was "
            f"read as a feature. Read the table with reserve=[{column!r}]."
        )
    there = [*map(str, view.reserved.columns), *map(str, view.table.columns)]
    raise StudyError(
        f"{role} must name a column of table {table!r}, but there is no {column!r}. "
        f"{nearest(column, there)}"
    )


def read_outcome(
    spec: SurvivalSpec | BinarySpec, views: Sequence[View], *, external: bool = False
) -> pd.DataFrame:
    """Read the declared outcome of every patient of its table or tables.

    In an external cohort's own tables nobody need have had the competing event.

    Returns
    -------
    DataFrame, one row per patient
        `event` (bool) and `reason`: why the outcome is unknown, empty where it is known. For
        survival also `competing` (bool: another event came first), `time` (NaN where unknown) and
        `row`, the patient's place in its table.

    Raises
    ------
    StudyError
        If a column is absent, a declared value never occurs, the coding is ambiguous, or a time is
        no number.
    """
    if spec.kind == "survival":
        return _read_survival(spec, views, external)
    values = find_column(views, spec.column, role="outcome")
    if spec.marker_cut is not None:
        table = table_name(spec.column)
        decimal = next(view.decimal for view in views if view.name == table)
        event, reason = read_cut(values, spec.marker_cut, decimal=decimal, table=table)
    else:
        event, reason = _read_classes(
            values,
            spec.positive or (),
            spec.negative,
            roles=("positive", "negative"),
            where=_where(spec.column),
        )
    return pd.DataFrame({"event": event, "reason": reason}, index=values.index)


def outcome_findings(
    spec: SurvivalSpec | BinarySpec, known: pd.DataFrame, views: Sequence[View]
) -> list[Finding]:
    """Say what reading the outcome left open: ranges on both sides of a cut, competing events.

    Parameters
    ----------
    spec : SurvivalSpec or BinarySpec
    known : DataFrame
        As from `read_outcome`.
    views : sequence of View
    """
    if spec.kind == "survival":
        return _competing_findings(spec, known)
    if spec.marker_cut is None:
        return []
    values = find_column(views, spec.column, role="outcome")
    return straddling_findings(values, known["reason"], spec.marker_cut, where=spec.column)


def _competing_findings(spec: SurvivalSpec, known: pd.DataFrame) -> list[Finding]:
    if spec.competing_value is None:
        return []
    competing = known["competing"] & (known["reason"] == "")
    what = " or ".join(str(value) for value in spec.competing_value)
    message = (
        f"{int(competing.sum())} of {int((known['reason'] == '').sum())} patients had another "
        f"event first ({what}). Models take them as censored: their risks are those of a world "
        "without that event, too high where it is common. What happened stands in the cumulative "
        "incidence."
    )
    return [Finding(code="competing_event", severity="caution", where=spec.event, message=message)]


def _where(address: str) -> str:
    return f"column {column_name(address)!r} of table {table_name(address)!r}"


def _read_survival(spec: SurvivalSpec, views: Sequence[View], external: bool) -> pd.DataFrame:
    raw_time = find_column(views, spec.time, role="time")
    raw_event = find_column(views, spec.event, role="event")
    events = _read_events(raw_event, spec, external)
    times = _read_times(raw_time, where=_where(spec.time)).to_frame("time")
    times["row"] = np.arange(1, len(times) + 1)
    frame = times.join(events, how="outer")
    for part, address in ((times, spec.time), (events, spec.event)):
        frame.loc[~frame.index.isin(part.index), "reason"] = f"no row in {table_name(address)}"
    no_time = frame["time"].isna() & ~frame["reason"].str.startswith("no row")
    frame.loc[no_time & (frame["reason"] == ""), "reason"] = "time unknown"
    frame.loc[no_time & (frame["reason"] == "event unknown"), "reason"] = "time and event unknown"
    for name in ("event", "competing"):
        frame[name] = frame[name].eq(True)
    return frame


def _read_events(raw: pd.Series, spec: SurvivalSpec, external: bool) -> pd.DataFrame:
    """Say who had the event, who another one before, and why it is unknown."""
    where = _where(spec.event)
    competing = np.zeros(len(raw), dtype=np.bool_)
    if spec.competing_value is not None:
        competing = match_values(
            raw,
            spec.competing_value,
            role="competing_value",
            where=where,
            required=not external,
        )
        for role, values in (
            ("event_value", spec.event_value),
            ("censored_value", spec.censored_value or ()),
        ):
            if (competing & match_values(raw, values, role=role, where=where)).any():
                raise StudyError(
                    f"{role} and competing_value must differ, but share values of {where}."
                )
    rest = raw[~competing]
    event, reason = _read_classes(
        rest,
        spec.event_value,
        spec.censored_value,
        roles=("event_value", "censored_value"),
        where=where,
    )
    events = pd.DataFrame({"event": event, "reason": reason}, index=rest.index)
    events = events.reindex(raw.index)
    return events.assign(
        competing=competing,
        event=events["event"].eq(True),
        reason=events["reason"].fillna(""),
    )


def _read_classes(
    values: pd.Series,
    yes: Sequence[Value],
    no: Sequence[Value] | None,
    *,
    roles: tuple[str, str],
    where: str,
) -> tuple[NDArray[np.bool_], pd.Series]:
    """Return who has the event, and why it is unknown ("" where it is known)."""
    written = canonical_values(values)
    event = match_values(values, yes, role=roles[0], where=where)
    reason = pd.Series("", index=values.index, dtype=object)
    if no is None:
        if roles[0] == "event_value":
            _refuse_ambiguous(values[~event], where=where)
    else:
        other = match_values(values, no, role=roles[1], where=where)
        if (event & other).any():
            raise StudyError(f"{roles[0]} and {roles[1]} must differ, but share values of {where}.")
        undeclared = written.notna() & ~event & ~other
        kind = "event" if roles[0] == "event_value" else "class"
        named = [f"{kind} is {shorten(value)}, not declared" for value in written]
        reason = reason.mask(undeclared, pd.Series(named, index=values.index))
    reason[written.isna()] = "event unknown" if roles[0] == "event_value" else "class unknown"
    return event, reason


def _refuse_ambiguous(others: pd.Series, *, where: str) -> None:
    if canonical_values(others).nunique() > 1:
        raise StudyError(
            "censored_value must be stated where a column holds more than two values, but "
            f"{where} holds, beside event_value, {count_values(others)}. Add for example "
            f"censored_value = {canonical_values(others).dropna().mode().iloc[0]!r}; patients with "
            "any other value are then counted as lost."
        )


def _read_times(raw: pd.Series, *, where: str) -> pd.Series:
    written = canonical_values(raw)
    numbers = [None if text is None else as_number(text) for text in written]
    times = pd.Series(np.array(numbers, dtype=np.float64), index=raw.index)
    wrong = (times.isna() & written.notna()).to_numpy()
    if wrong.any():
        texts = written[wrong]
        comma = all(re.fullmatch(r"[+-]?\d+,\d+", text) for text in texts)
        cure = (
            "These are decimal commas: declare decimal = ',' for the table."
            if comma
            else "Correct them, or declare them as codes for unknown."
        )
        raise StudyError(
            f"time must be a number, but {wrong.sum()} of {len(raw)} values in {where} are not "
            f"(first: {texts.iloc[0]!r} at patient row {int(wrong.argmax()) + 1}). {cure}"
        )
    return times


def outcome_arrays(
    spec: SurvivalSpec | BinarySpec, known: pd.DataFrame, *, group: pd.Series
) -> NDArray[Any]:
    """Turn the outcome of the cohort's patients into `y`, refusing what no model can use.

    Parameters
    ----------
    spec : SurvivalSpec or BinarySpec
    known : DataFrame, one row per patient
        As from `read_outcome`, of patients whose outcome is known.
    group : Series of shape (n_patients,)
        "development" or the name of an external cohort.

    Returns
    -------
    ndarray of shape (n_patients,)
        Structured (`time`, `event`), or bool.

    Raises
    ------
    StudyError
        If a time is not above zero; if the development patients have no event, none by a horizon,
        or one class only.
    """
    event = known["event"].to_numpy(dtype=np.bool_)
    development = group.to_numpy() == "development"
    if spec.kind == "binary":
        _refuse_one_class(event[development], where=_where(spec.column))
        return event
    time = known["time"].to_numpy(dtype=np.float64)
    _refuse_times(time, known["row"].to_numpy(), where=_where(spec.time))
    _refuse_no_events(time[development], event[development], spec)
    return survival_outcome(time, event)


def outcome_cause(spec: SurvivalSpec | BinarySpec, known: pd.DataFrame) -> pd.Series | None:
    """Say what ended each patient's follow-up, where a competing event is declared.

    Returns
    -------
    Series of int, or None
        0 censored, 1 the event, 2 another one before it.
    """
    if spec.kind == "binary" or spec.competing_value is None:
        return None
    return (known["event"] + 2 * known["competing"]).astype(np.int64).rename("cause")


def _refuse_times(time: NDArray[np.float64], row: NDArray[Any], *, where: str) -> None:
    wrong = np.flatnonzero(time <= 0)
    if wrong.size:
        first = wrong[row[wrong].argmin()]
        raise StudyError(
            f"time must be above zero, but {wrong.size} of {len(time)} values in {where} are not "
            f"(first: {time[first]:g} at patient row {int(row[first])}). Correct them, or leave "
            "the time empty: such patients are then counted as lost."
        )


def _refuse_no_events(
    time: NDArray[np.float64], event: NDArray[np.bool_], spec: SurvivalSpec
) -> None:
    values = " or ".join(map(repr, spec.event_value))
    if not event.any():
        raise StudyError(
            f"at least one event is needed, but none of {len(event)} development patients has "
            f"{values} in {_where(spec.event)}. Check event_value and the development cohort."
        )
    first = time[event].min()
    for horizon in spec.horizons:
        if horizon < first:
            raise StudyError(
                f"horizons must follow the first event, but at horizon {horizon:g} {spec.unit} "
                f"none of the {int(event.sum())} development events has happened (first: "
                f"{first:g} {spec.unit}). Choose a later horizon, or check the unit."
            )


def _refuse_one_class(event: NDArray[np.bool_], *, where: str) -> None:
    if event.all() or not event.any():
        which = "positive" if event.all() else "negative"
        raise StudyError(
            f"both classes are needed, but all {len(event)} development patients are {which} in "
            f"{where}. Check positive, negative or cut, and the development cohort."
        )
