"""ROC curves of all models, cohort by cohort, each area with its interval in the legend."""

from collections.abc import Iterable

from models.roc_curves import RocCurves, Sampled
from omics.cohort import DEVELOPMENT
from reports.figures.roc import draw_roc
from reports.html import Figure, FigureGrid
from reports.tables import label

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
    panels, percent = [], 95.0
    for place, curves in found.curves.items():
        if place.horizon != horizon:
            continue
        areas = {
            model: (curve.auc.estimate, curve.auc.lower, curve.auc.upper)
            for model, curve in curves.items()
        }
        percent = 100 * next(iter(curves.values())).auc.level
        figure = draw_roc({model: curve.table for model, curve in curves.items()}, areas=areas)
        panels.append(Figure(figure=figure, title=_title(place, found.outcome.unit)))
    if not panels:
        return
    kind = (
        "DeLong's interval"
        if horizon is None
        else "interval from influence functions that count the estimated censoring weights"
    )
    external = any(place.validation == "external" for place in found.curves)
    caption = (
        f"AUC in the legend with its {percent:g}% {kind}. "
        + ("External cohorts: frozen models. " if external else "")
        + FLATTERS
    )
    if len(panels) == 1:
        title = f"ROC curves, {panels[0].title}."
        yield Figure(figure=panels[0].figure, title=title, caption=caption)
        return
    yield FigureGrid(panels=panels, title="ROC curves.", caption=caption, columns=2)


def _title(place: Sampled, unit: str | None) -> str:
    cohort = label(place.cohort) if place.cohort == DEVELOPMENT else place.cohort
    by = "" if place.horizon is None else f", by {place.horizon:g} {unit or ''}".rstrip()
    return f"{cohort} ({place.validation}){by}"
