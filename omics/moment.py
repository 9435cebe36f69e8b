"""When is a predictor known? What comes after the moment of prediction cannot predict.

The four moments of a tumour patient's course, in order: `baseline` (imaging, blood, age), `surgery`
(extent of resection), `pathology` (grade, Ki-67, molecular markers) and `follow_up` (therapy, later
scans).
"""

from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias, get_args

from omics.errors import Finding
from omics.messages import quoted

Moment: TypeAlias = Literal["baseline", "surgery", "pathology", "follow_up"]
MOMENTS: tuple[Moment, ...] = get_args(Moment)


def is_later(known: Moment, moment: Moment) -> bool:
    """Tell whether what is known at `known` comes after `moment`.

    Examples
    --------
    >>> is_later("follow_up", "baseline"), is_later("baseline", "baseline")
    (True, False)
    """
    return MOMENTS.index(known) > MOMENTS.index(moment)


def in_words(moment: str) -> str:
    """Write a moment as a reader does.

    Examples
    --------
    >>> in_words("follow_up")
    'follow-up'
    """
    return moment.replace("_", "-")


def late_columns(
    columns: Iterable[str], known: Mapping[str, Moment], moment: Moment
) -> dict[str, Moment]:
    """Pick the columns that are known later than the moment of prediction, and when.

    Examples
    --------
    >>> late_columns(["c:Age", "c:Chemo"], {"c:Age": "baseline", "c:Chemo": "follow_up"}, "surgery")
    {'c:Chemo': 'follow_up'}
    """
    return {
        column: known[column]
        for column in columns
        if column in known and is_later(known[column], moment)
    }


def not_stated_findings(
    columns: Iterable[str], known: Mapping[str, Moment], moment: Moment
) -> list[Finding]:
    """Say, view by view, of which predictors it is not stated when they are known."""
    views: dict[str, list[str]] = {}
    for column in columns:
        if column not in known:
            view, _, feature = column.partition(":")
            views.setdefault(view, []).append(feature)
    return [
        Finding(
            code="known_not_stated",
            severity="caution",
            where=view,
            message=f"Predictions are made at {in_words(moment)}, but it is not stated when "
            f"{len(features)} predictors of {view} are known: {quoted(features, limit=3)}. State "
            f'known = "{moment}" in [tables.{view}] if it is so.',
        )
        for view, features in views.items()
    ]
