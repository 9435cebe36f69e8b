"""ROC curves of all models, cohort by cohort, each area with its interval."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from models.roc import RocCurve
from models.roc_curves import RocCurves, Sampled
from omics.cohort import DEVELOPMENT
from reports.blocks import Figure, FigureGrid
from reports.figures.roc import draw_roc
from reports.tables import format_estimate, label

FLATTERS = (
    "The apparent curve is of the patients whom the models were fitted to: it flatters, and its "
    "interval does not count the fitting; for development, take the cross-validated AUC."
)


def roc_blocks(found: RocCurves) -> Iterable[Figure | FigureGrid]:
    """Draw the models side by side in each external cohort, and apparent; of horizons the middle.

    Out-of-fold scores share no scale across folds and have no curve.
    """
    horizons = sorted({place.horizon for place in found.curves if place.horizon is not None})
    horizon = horizons[len(horizons) // 2] if horizons else None
    shown = {place: one for place, one in found.curves.items() if place.horizon == horizon}
    if not shown:
        return
    titles = [_title(place, found.outcome.unit) for place in shown]
    if len(shown) == 1:
        (curves,) = shown.values()
        figure = draw_roc(_tables(curves), areas={name: _area(one) for name, one in curves.items()})
        words = f"AUC in the legend with its {_kind(curves)}. {FLATTERS}"
        yield Figure(figure=figure, title=f"ROC curves, {titles[0]}.", caption=words)
        return
    panels = [  # one legend serves all of them: the areas stand in the caption
        Figure(figure=draw_roc(_tables(curves)), title=title)
        for title, curves in zip(titles, shown.values(), strict=True)
    ]
    areas = "; ".join(
        f"{title}: {_areas(curves)}" for title, curves in zip(titles, shown.values(), strict=True)
    )
    kind = _kind(next(iter(shown.values())))
    caption = f"AUC with its {kind}. {areas}. External cohorts: frozen models. {FLATTERS}"
    yield FigureGrid(panels=panels, title="ROC curves.", caption=caption, columns=2)


def _tables(curves: Mapping[str, RocCurve]) -> dict[str, pd.DataFrame]:
    return {name: curve.table for name, curve in curves.items()}


def _area(curve: RocCurve) -> tuple[float, float, float]:
    return curve.auc.estimate, curve.auc.lower, curve.auc.upper


def _areas(curves: Mapping[str, RocCurve]) -> str:
    return ", ".join(
        f"{name} {format_estimate(*_area(curve), digits=2)}" for name, curve in curves.items()
    )


def _kind(curves: Mapping[str, RocCurve]) -> str:
    """Say what interval the areas have."""
    auc = next(iter(curves.values())).auc
    percent = f"{100 * auc.level:g}%"
    if np.isnan(auc.horizon):
        return f"{percent} interval by DeLong"
    return f"{percent} interval from influence functions that count the estimated censoring weights"


def _title(place: Sampled, unit: str | None) -> str:
    cohort = label(place.cohort) if place.cohort == DEVELOPMENT else place.cohort
    by = "" if place.horizon is None else f", by {place.horizon:g} {unit or ''}".rstrip()
    return f"{cohort} ({place.validation}){by}"
