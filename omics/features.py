"""The features of one table: each column read as numbers, categories or per cent, as declared."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from omics.errors import Finding, StudyError
from omics.genomics import beta_to_m, check_mutations, count_clipped, log2p1
from omics.messages import quoted
from omics.pathology import read_percentages
from omics.table_findings import (
    clipped_findings,
    level_findings,
    percent_findings,
    radiomics_findings,
    recode_findings,
)
from omics.table_plan import TablePlan
from omics.table_spec import WITH_CATEGORIES, TableSpec
from omics.values import (
    Unknown,
    all_numbers,
    is_blank,
    read_categories,
    read_numbers,
    read_texts,
    recode_texts,
    recoded_levels,
    written,
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Features:
    """The features of one table, before rows of one patient are reduced.

    Attributes
    ----------
    table : DataFrame of shape (n_rows, n_features)
        Columns of float64 or categories, in the order of the file.
    unknown : dict of int
        Values that a code for "unknown" made missing, by column.
    findings : tuple of Finding
    """

    table: pd.DataFrame
    unknown: dict[str, int]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class _Context:
    """What every column of a table is read by."""

    plan: TablePlan
    spec: TableSpec
    unknown: Unknown
    name: str
    title: str


def read_features(
    cells: pd.DataFrame, plan: TablePlan, spec: TableSpec, *, name: str, title: str
) -> Features:
    """Read the feature columns of a table.

    Parameters
    ----------
    cells : DataFrame of shape (n_rows, n_columns)
        As written, under final names; the index says where each row stands.
    plan : TablePlan
    spec : TableSpec
    name : str
        The table's name in the study.
    title : str
        How messages name the table.

    Returns
    -------
    Features

    Raises
    ------
    StudyError
        If values are not as declared.
    """
    context = _Context(
        plan=plan, spec=spec, unknown=Unknown.of(spec.unknown), name=name, title=title
    )
    special: list[pd.Series] = []
    unknown: dict[str, int] = {}
    findings: list[Finding] = []
    for column in plan.features:
        if _is_recoded(column, plan) or _is_percent(column, plan, spec):
            texts, unknown[column] = read_texts(cells[column], unknown=context.unknown)
            values, found = _read_column(cells[column], texts, context)
            special.append(values)
            findings += found

    plain = [column for column in plan.features if column not in unknown]
    table, met = read_numbers(
        cells[plain],
        title=title,
        decimal=spec.decimal,
        unknown=context.unknown,
        cure=partial(_cure_text, cells=cells, spec=spec),
    )
    if special:
        table = pd.concat([table, *special], axis=1)[plan.features]
    if spec.kind == "mutations":
        check_mutations(table, title=title)
    if spec.kind == "radiomics":
        findings += radiomics_findings(plan.features, table=name)
    table, found = _transform(table, context)
    unknown |= {str(column): int(count) for column, count in met.items()}
    return Features(table=table, unknown=unknown, findings=(*findings, *found))


def _is_recoded(column: str, plan: TablePlan) -> bool:
    return column in plan.recode or column in plan.categories


def _is_percent(column: str, plan: TablePlan, spec: TableSpec) -> bool:
    unit = plan.unit.get(column)
    return unit in ("percent", "fraction") or (unit is None and spec.kind == "pathology")


def _read_column(
    cells: pd.Series, texts: pd.Series, context: _Context
) -> tuple[pd.Series, list[Finding]]:
    """Read a column that is recoded, categories or percentages."""
    plan, column = context.plan, str(cells.name)
    if not _is_recoded(column, plan):
        return _read_percent(cells, texts, context)
    findings: list[Finding] = []
    if column in plan.recode:
        old, mapping = texts, plan.recode[column]
        texts, unused = recode_texts(old, mapping, title=context.title)
        findings += recode_findings(old, unused, catches_all="*" in mapping, table=context.name)
        levels = recoded_levels(mapping)
        if column not in plan.categories and all_numbers(levels):
            return texts.astype(np.float64), findings
        if context.spec.kind not in WITH_CATEGORIES:
            raise StudyError(
                f"{context.title}: a table of kind {context.spec.kind!r} takes numbers only, but "
                f"recode makes {column!r} text ({quoted(levels)}). Recode it to numbers."
            )
        declared = plan.categories.get(column, [*levels])
    else:
        declared = plan.categories[column]
    categories = read_categories(texts, declared, title=context.title)
    return categories, findings + level_findings(categories, table=context.name)


def _read_percent(
    cells: pd.Series, texts: pd.Series, context: _Context
) -> tuple[pd.Series, list[Finding]]:
    """Read percentages as pathologists write them."""
    column = str(cells.name)
    unit = context.plan.unit.get(column)
    result = read_percentages(
        cells.mask(texts.isna(), np.nan),
        unit=None if unit == "number" else unit,
        decimal=context.spec.decimal,
        title=context.title,
    )
    values = pd.Series(result.values, index=cells.index, name=column)
    return values, percent_findings(result, unit=unit, column=column, table=context.name)


def _cure_text(column: str, *, cells: pd.DataFrame, spec: TableSpec) -> str:
    """Say what can be done about text in a column of numbers."""
    present = cells[column][~is_blank(cells[column].to_numpy(dtype=object))]
    levels = sorted({written(value) for value in present})
    if {level.casefold() for level in levels} <= {"true", "false"}:
        entries = ", ".join(f"{level} = {int(level.casefold() == 'true')}" for level in levels)
        return f'Recode it: recode = {{ "{column}" = {{ {entries} }} }}.'
    if spec.kind in WITH_CATEGORIES and len(levels) <= 10:
        shown = ", ".join(f'"{level}"' for level in levels)
        return (
            f'State its levels, the reference first: categories = {{ "{column}" = [{shown}] }}; '
            "or drop it, or list codes under unknown."
        )
    return (
        f'Drop it (drop = ["{column}"]) or recode it, list codes under unknown, or correct the '
        "file."
    )


def _transform(table: pd.DataFrame, context: _Context) -> tuple[pd.DataFrame, list[Finding]]:
    """Apply the declared transforms to the columns of numbers."""
    wanted = context.plan.transform
    numbers = [str(name) for name, dtype in table.dtypes.items() if dtype == np.float64]
    for column in wanted:
        if column != "*" and column not in numbers:
            raise StudyError(
                f"{context.title}: transform of {column!r} needs numbers, but the column is "
                "categories. Take it out of transform."
            )
    findings: list[Finding] = []
    for transform, function in _TRANSFORMS.items():
        chosen = [name for name in numbers if wanted.get(name, wanted.get("*")) == transform]
        if not chosen:
            continue
        if transform == "beta_to_m":
            n_clipped, n_values = count_clipped(table[chosen])
            findings += clipped_findings(n_clipped, n_values, table=context.name)
        new = function(table[chosen], title=context.title)
        rest = table.drop(columns=chosen)
        table = pd.concat([rest, new], axis=1)[list(table.columns)]
    return table, findings


_TRANSFORMS: dict[str, Callable[..., pd.DataFrame]] = {"log2p1": log2p1, "beta_to_m": beta_to_m}
