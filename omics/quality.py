"""What a reader must know of the data before believing a model: findings, which change nothing.

Columns are judged on the development patients, as models are fitted on them alone. No finding holds
a patient's id.

References
----------
Argelaguet R, Velten B, Arnol D, et al. Multi-Omics Factor Analysis: a framework for unsupervised
integration of multi-omics data sets. Molecular Systems Biology 2018;14:e8124.
doi:10.15252/msb.20178124
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from omics.cohort import Cohort
from omics.columns import (
    column_auc,
    far_out,
    numbers_and_codes,
    repeated_columns,
    share_of_commonest,
)
from omics.errors import Finding
from omics.messages import quoted
from omics.outcome import is_survival

FEW_FEATURES = 15  # a view of fewer is easily overlooked by MOFA beside larger ones
HIGH_MISSINGNESS = 0.5
MOSTLY_ONE_VALUE = 0.95
NEAR_PERFECT_AUC = 0.98
WIDE_VIEW = 12  # features; a wider view is summarised in the table of missing data
BY_COLUMN = ("clinical", "pathology")  # however wide


def findings(cohort: Cohort) -> tuple[Finding, ...]:
    """Gather what the values of a cohort show; `cohort.findings` holds what the join showed.

    Parameters
    ----------
    cohort : Cohort

    Returns
    -------
    tuple of Finding
        View by view, then of the cohort.
    """
    development = cohort.development
    found: list[Finding] = []
    for view, kind in cohort.kinds.items():
        table = _view_table(development.X, view)
        found += _view_findings(view, kind, table)
    if not is_survival(cohort.y):
        found += _near_perfect(development)
    found += _patients_with_one_view(cohort)
    found += _views_never_together(development)
    found += _group_findings(cohort)
    return tuple(found)


def missing_table(cohort: Cohort) -> pd.DataFrame:
    """Count the patients without a value, by column.

    Parameters
    ----------
    cohort : Cohort

    Returns
    -------
    DataFrame, one row per feature, or two per view of more than 12 that is not clinical
        `view`; `feature`, for a wide view "all features missing" and "some features missing";
        `n_features` that the row stands for; `n_missing`, patients concerned; `development` and
        `external`, their share of the development and of the external patients, in [0, 1] (NaN
        without external patients).
    """
    group = cohort.group.to_numpy()
    development = group == "development"
    rows: list[dict[str, object]] = []
    for view, kind in cohort.kinds.items():
        missing = _view_table(cohort.X, view).isna()
        for feature, n_features, who in _missing_rows(missing, whole=kind not in BY_COLUMN):
            rows.append(
                {
                    "view": view,
                    "feature": feature,
                    "n_features": n_features,
                    "n_missing": int(who.sum()),
                    "development": _share(who[development]),
                    "external": _share(who[~development]),
                }
            )
    columns = ["view", "feature", "n_features", "n_missing", "development", "external"]
    return pd.DataFrame(rows, columns=columns)


def _missing_rows(
    missing: pd.DataFrame, *, whole: bool
) -> Iterator[tuple[str, int, NDArray[np.bool_]]]:
    values = missing.to_numpy(dtype=np.bool_)
    if missing.shape[1] <= WIDE_VIEW or not whole:
        for position, feature in enumerate(missing.columns):
            yield str(feature), 1, values[:, position]
        return
    all_missing = np.all(values, axis=1)
    yield "all features missing", missing.shape[1], all_missing
    yield "some features missing", missing.shape[1], np.any(values, axis=1) & ~all_missing


def _share(who: NDArray[np.bool_]) -> float:
    return float(who.mean()) if who.size else float("nan")


def _view_table(X: pd.DataFrame, view: str) -> pd.DataFrame:
    """Return the features of one view, under their own names."""
    start = f"{view}:"
    columns = [name for name in X.columns if name.startswith(start)]
    return X[columns].set_axis([name.removeprefix(start) for name in columns], axis=1)


def _view_findings(view: str, kind: str, table: pd.DataFrame) -> Iterator[Finding]:
    """Judge one view on the patients who have it."""
    present = table.notna().any(axis=1).to_numpy()
    absent = int((~present).sum())
    if absent > HIGH_MISSINGNESS * len(table):
        yield Finding(
            code="view_mostly_missing",
            severity="caution",
            where=view,
            message=(
                f"{absent} of {len(table)} development patients have no {view} at all: what is "
                "said of it rests on the others."
            ),
        )
    if table.shape[1] < FEW_FEATURES and kind not in ("clinical", "pathology"):
        yield Finding(
            code="few_features",
            severity="note",
            where=view,
            message=(
                f"{view} has {table.shape[1]} features, fewer than {FEW_FEATURES}: beside larger "
                "views MOFA may overlook it."
            ),
        )
    values = numbers_and_codes(table.loc[present])
    names = np.array(table.columns, dtype=object)
    yield from _column_findings(view, names, values)
    numeric = np.array([dtype != "category" for dtype in table.dtypes], dtype=np.bool_)
    yield from _outlying(view, values[:, numeric])


def _column_findings(
    view: str, names: NDArray[np.object_], values: NDArray[np.float64]
) -> Iterator[Finding]:
    known = (~np.isnan(values)).sum(axis=0)
    low = np.min(values, axis=0, where=~np.isnan(values), initial=np.inf)
    high = np.max(values, axis=0, where=~np.isnan(values), initial=-np.inf)
    empty = known == 0
    constant = ~empty & (low == high)
    share = known / max(len(values), 1)
    mostly_missing = ~empty & (1 - share > HIGH_MISSINGNESS)
    varied = ~empty & ~constant
    mostly_one = np.zeros(len(names), dtype=np.bool_)
    mostly_one[varied] = share_of_commonest(values[:, varied]) > MOSTLY_ONE_VALUE
    copies = np.zeros(len(names), dtype=np.bool_)
    copies[varied] = repeated_columns(values[:, varied])
    for code, severity, columns, text in (
        ("all_missing", "caution", empty, "hold no value and cannot serve a model"),
        ("constant", "caution", constant, "hold one value only and cannot serve a model"),
        ("mostly_missing", "caution", mostly_missing, "are missing in more than half of patients"),
        ("mostly_one_value", "note", mostly_one, "hold one value in more than 95 % of patients"),
        ("duplicated", "caution", copies, "repeat another column of the view exactly"),
    ):
        if columns.any():
            yield Finding(
                code=code,
                severity="caution" if severity == "caution" else "note",
                where=view,
                message=(
                    f"Features of {view} that {text}: {int(columns.sum())} of {len(names)} "
                    f"({quoted(names[columns], limit=3)}), judged on the {len(values)} development "
                    "patients who have the view."
                ),
            )


def _outlying(view: str, values: NDArray[np.float64]) -> Iterator[Finding]:
    values = values[:, ~np.isnan(values).all(axis=0)]
    if not values.size:
        return
    outside = far_out(values)
    if outside.any():
        yield Finding(
            code="outlying",
            severity="note",
            where=view,
            message=(
                f"{int(outside.sum())} of {int((~np.isnan(values)).sum())} values of {view}, in "
                f"{int(outside.any(axis=0).sum())} of {values.shape[1]} features, lie more than "
                "three interquartile ranges outside the quartiles. They were left as they are."
            ),
        )


def _near_perfect(development: Cohort) -> Iterator[Finding]:
    numbers = development.X.select_dtypes("number")
    auc = column_auc(numbers.to_numpy(dtype=np.float64), development.y)
    names = np.array(numbers.columns, dtype=object)
    for view in development.kinds:
        here = (auc > NEAR_PERFECT_AUC) & [name.startswith(f"{view}:") for name in names]
        if here.any():
            best = names[here][auc[here].argmax()]
            yield Finding(
                code="near_perfect_predictor",
                severity="serious",
                where=view,
                message=(
                    f"Features of {view} that tell {development.outcome.label} almost perfectly on "
                    f"their own: {int(here.sum())} (best {best!r}: AUC {auc[here].max():.3f}). Was "
                    "any of them derived from the outcome, or measured after it?"
                ),
            )


def _views_present(cohort: Cohort) -> pd.DataFrame:
    """Tell which patient has any value of which view, (n_patients, n_views)."""
    return pd.DataFrame(
        {view: _view_table(cohort.X, view).notna().any(axis=1) for view in cohort.kinds},
        index=cohort.X.index,
    )


def _patients_with_one_view(cohort: Cohort) -> Iterator[Finding]:
    n_views = _views_present(cohort).sum(axis=1)
    single = int((n_views == 1).sum())
    if len(cohort.kinds) > 1 and single:
        yield Finding(
            code="one_view_only",
            severity="note",
            where="cohort",
            message=(
                f"{single} of {cohort.n_patients} patients have values in one view only; of the "
                "others nothing is known but what the model learnt from other patients."
            ),
        )


def _views_never_together(development: Cohort) -> Iterator[Finding]:
    present = _views_present(development)
    together = present.astype(np.int64).T @ present.astype(np.int64)
    views = list(present.columns)
    for position, view in enumerate(views):
        for other in views[position + 1 :]:
            if not together.loc[view, other]:
                yield Finding(
                    code="views_never_together",
                    severity="serious",
                    where=f"{view}, {other}",
                    message=(
                        f"No development patient has both {view} and {other}: the data cannot say "
                        "how the two relate."
                    ),
                )


def _group_findings(cohort: Cohort) -> Iterator[Finding]:
    groups = {"development": cohort.development, **cohort.external}
    for name, group in groups.items():
        if is_survival(cohort.y):
            yield from _follow_up_findings(name, group)
        elif group.n_events in (0, group.n_patients):
            which = "positive" if group.n_events else "negative"
            yield Finding(
                code="one_class",
                severity="serious",
                where=name,
                message=(
                    f"All {group.n_patients} patients of {name} are {which} for "
                    f"{cohort.outcome.label}: discrimination cannot be assessed there."
                ),
            )


def _follow_up_findings(name: str, group: Cohort) -> Iterator[Finding]:
    unit = group.outcome.unit
    last = float(group.y["time"].max())
    for horizon in group.outcome.horizons:
        n_events = int((group.y["event"] & (group.y["time"] <= horizon)).sum())
        if horizon > last:
            code = "horizon_beyond_follow_up"
            problem = (
                f"lies beyond the last follow-up of the {group.n_patients} patients of {name} "
                f"({last:g} {unit}): no risk and no metric is given there."
            )
        elif not n_events:
            code = "no_event_by_horizon"
            problem = f"comes before the first event of the {group.n_patients} patients of {name}."
        else:
            continue
        yield Finding(
            code=code,
            severity="serious",
            where=name,
            message=f"The horizon of {horizon:g} {unit} {problem}",
        )
