"""Curves side by side: calibration, decision and survival, by horizon and cohort."""

from collections.abc import Iterable, Sequence
from itertools import groupby

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.decision import Quantity
from models.performance import Performance
from omics.cohort import DEVELOPMENT
from reports.blocks import Figure, FigureGrid
from reports.calibration_sections import points_words, with_points
from reports.figures.calibration import draw_calibration
from reports.figures.decision_curve import draw_decision_curve
from reports.figures.kaplan_meier import draw_kaplan_meier
from reports.optimism_sections import corrected_words
from reports.results import Results
from reports.tables import format_percent
from reports.unseen import UNSEEN

MOST_PANELS = 6  # of one figure; more are split by cohort
PANEL_HEIGHT = 310


def calibration_blocks(results: Results, name: str) -> Iterable[Figure | FigureGrid]:
    """Draw the calibration of one model in every cohort, at every horizon."""
    table = results.performance.calibration
    table = table[table["model"] == name]
    unit = results.cohort.outcome.unit
    kinds = dict.fromkeys(UNSEEN[validation] for validation, _ in _cohorts(table))
    label = _capital(" or ".join(kinds))
    panels = []
    for validation, cohort in _cohorts(table):
        for position, horizon in enumerate(table["horizon"].unique()):
            curve = _at(table, validation, cohort, horizon)
            if not len(curve) or curve["observed"].isna().all():
                continue
            figure = draw_calibration(
                curve,
                label=label,
                apparent=_at(table, "apparent", DEVELOPMENT, horizon)
                if validation == "cross_validated"
                else None,
                corrected=_corrected(results.performance, name, horizon)
                if validation == "cross_validated"
                else None,
                predictions=_predicted(results, name, validation, cohort, position),
                horizon=None if np.isnan(horizon) else float(horizon),
                unit=unit,
            )
            figure = with_points(
                figure,
                results.grouped_calibration,
                model=name,
                cohort=cohort,
                validation=validation,
                horizon=horizon,
            )
            title = _where(cohort, horizon, unit)
            panels.append((cohort, Figure(figure=figure, title=title)))
    yield from _grids(
        panels,
        title="Calibration",
        caption="Observed against predicted risk; band: 95% bootstrap interval. The thin apparent "
        "curve flatters. The bars below count predictions."
        f"{_corrected_words(results.performance, name, unit)}"
        f"{points_words(results.grouped_calibration)}",
        height=PANEL_HEIGHT + 20,
    )


def _corrected(performance: Performance, name: str, horizon: float) -> pd.DataFrame | None:
    """Give the curve corrected for optimism without its band, where there is one."""
    table = performance.calibration
    table = _at(table[table["model"] == name], "optimism_corrected", DEVELOPMENT, horizon)
    known = table.dropna(subset=["observed"])
    return known[["predicted", "observed"]] if len(known) else None


def _corrected_words(performance: Performance, name: str, unit: str | None) -> str:
    """Say how far the corrected curves lie from the diagonal."""
    found = performance.corrected_calibration.get(name, {})
    if not found:
        return ""
    parts = [
        ("" if np.isnan(horizon) else f"by {horizon:g} {unit}: ") + corrected_words(curve)
        for horizon, curve in found.items()
    ]
    return (
        " Dashed: corrected for optimism by the bootstrap; its absolute error over patients is "
        f"{'; '.join(parts)}."
    )


DECISION_WORDS: dict[Quantity, tuple[str, str]] = {
    "net_benefit": (
        "Decision curve",
        "Net benefit of treating where the predicted risk reaches the threshold, against treating "
        "all and none",
    ),
    "standardised_net_benefit": (
        "Standardised decision curve",
        "Net benefit as a share of the largest there can be, that of treating exactly those who "
        "have the event",
    ),
    "interventions_avoided": (
        "Net interventions avoided",
        "Per 100 patients, how many fewer would be treated than under treating all, at no loss of "
        "events",
    ),
}


def decision_blocks(
    performance: Performance,
    names: Sequence[str],
    unit: str | None,
    *,
    quantity: Quantity = "net_benefit",
) -> Iterable[Figure | FigureGrid]:
    """Draw the decision curves of some models in every cohort, at every horizon."""
    table = performance.decision[performance.decision["model"].isin(names)]
    panels = []
    for validation, cohort in _cohorts(table):
        for horizon in table["horizon"].unique():
            part = _at(table, validation, cohort, horizon)
            if part[quantity].isna().all():
                continue
            figure = draw_decision_curve(
                {name: part[part["model"] == name] for name in names},
                quantity=quantity,
                horizon=None if np.isnan(horizon) else float(horizon),
                unit=unit,
            )
            title = _where(cohort, horizon, unit)
            panels.append((cohort, Figure(figure=figure, title=title)))
    band = "; band: 95% bootstrap interval" if len(names) == 1 else ""
    title, words = DECISION_WORDS[quantity]
    yield from _grids(
        panels,
        title=title + "s" if len(panels) > 1 and title.endswith("curve") else title,
        caption=f"{words}{band}. Development: out of fold.{_setting_words(performance, names)}"
        f"{_unknown_words(table, quantity)}",
        height=PANEL_HEIGHT,
    )


def _setting_words(performance: Performance, names: Sequence[str]) -> str:
    """Say what the curves were told of prevalence and harm, if anything."""
    setting = performance.setting
    words = ""
    if setting.prevalence is not None:
        words += (
            f" For a prevalence of {format_percent(setting.prevalence, digits=1)}; cases and "
            "controls were sampled apart."
        )
    harms = {name: setting.harm_of(name) for name in names if setting.harm_of(name)}
    if harms:
        each = ", ".join(f"{name} {harm:g}" for name, harm in harms.items())
        words += f" Harm of obtaining the prediction, taken off per patient: {each}."
    return words


def _unknown_words(table: pd.DataFrame, quantity: Quantity) -> str:
    """Say at how many thresholds a curve is not defined; at 0 nothing can be avoided."""
    honest = table[table["validation"].isin(UNSEEN)]
    unknown = honest[quantity].isna() & (honest["threshold"] > 0)
    if not unknown.any():
        return ""
    return (
        f" Not defined at {int(unknown.sum())} of {len(honest)} points, where nobody treated was "
        "followed to the horizon."
    )


def survival_blocks(
    performance: Performance, name: str, unit: str | None
) -> Iterable[Figure | FigureGrid]:
    """Draw survival by risk group in every cohort."""
    curves = performance.survival_curves
    if not len(curves):
        return
    names = dict(enumerate(risk_group_names(int(curves["group"].max()) + 1)))
    mine = curves[curves["model"] == name]
    panels = []
    for cohort in dict.fromkeys(mine["cohort"]):
        test = performance.log_rank
        found = test[(test["model"] == name) & (test["cohort"] == cohort)]["p_value"]
        at_risk = performance.at_risk
        at_risk = at_risk[(at_risk["model"] == name) & (at_risk["cohort"] == cohort)]
        part = mine[mine["cohort"] == cohort]
        figure = draw_kaplan_meier(
            part.assign(group=part["group"].map(names)),
            at_risk.assign(group=at_risk["group"].map(names)),
            unit=str(unit),
            p_value=float(found.iloc[0]) if len(found) else None,
            horizons=performance.outcome.horizons,
        )
        panels.append(Figure(figure=figure, title=_capital(cohort)))
    if panels:
        yield _grid(
            panels,
            title="Survival by risk group",
            caption="Kaplan-Meier with 95% intervals. In development each patient's group was cut "
            "by the training patients of the fold that held the patient out (first repeat), and "
            "the log-rank p takes these groups as given, which makes it somewhat too small (on "
            "pure noise it fell below .05 in 12% of runs); elsewhere the groups were cut in the "
            "development patients.",
            columns=_columns(1, len(panels)),
        )


def risk_group_names(n_groups: int) -> list[str]:
    """Name risk groups, the lowest first.

    Examples
    --------
    >>> risk_group_names(2), risk_group_names(4)[0]
    (['Low risk', 'High risk'], 'Group 1 (lowest risk)')
    """
    if n_groups == 2:
        return ["Low risk", "High risk"]
    if n_groups == 3:
        return ["Low risk", "Intermediate risk", "High risk"]
    names = [f"Group {number}" for number in range(1, n_groups + 1)]
    names[0] += " (lowest risk)"
    names[-1] += " (highest risk)" if n_groups > 1 else ""
    return names


def _cohorts(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Return validation and cohort of every honest curve."""
    return [
        (validation, str(cohort))
        for validation in UNSEEN
        for cohort in dict.fromkeys(table.loc[table["validation"] == validation, "cohort"])
    ]


def _at(table: pd.DataFrame, validation: str, cohort: str, horizon: float) -> pd.DataFrame:
    same = table["horizon"].isna() if np.isnan(horizon) else table["horizon"] == horizon
    return table[(table["validation"] == validation) & (table["cohort"] == cohort) & same]


def _predicted(
    results: Results, name: str, validation: str, cohort: str, position: int
) -> NDArray[np.float64]:
    found = results.validation
    risk: NDArray[np.float64]
    if validation == "cross_validated":
        risk = found.out_of_fold[name].risk[0, :, position]
    else:
        risk = found.external[cohort][name].risk[:, position]
    return risk[~np.isnan(risk)]


def _where(cohort: str, horizon: float, unit: str | None) -> str:
    by = "" if np.isnan(horizon) else f", by {horizon:g} {unit}"
    return f"{_capital(cohort)}{by}"


def _capital(words: str) -> str:
    """Return a word of ours with a capital; the name of an external cohort as it is."""
    ours = words == DEVELOPMENT or words.startswith(tuple(UNSEEN.values()))
    return f"{words[:1].upper()}{words[1:]}" if ours else words


def _grids(
    panels: Sequence[tuple[str, Figure]], *, title: str, caption: str, height: int
) -> Iterable[Figure | FigureGrid]:
    """Yield one grid with a row per cohort; one per cohort where they would be too many."""
    rows = {
        cohort: [figure for _, figure in row]
        for cohort, row in groupby(panels, key=lambda panel: panel[0])
    }
    lengths = {len(row) for row in rows.values()}
    if len(panels) <= MOST_PANELS and len(lengths) == 1:
        figures = [figure for _, figure in panels]
        columns = _columns(lengths.pop(), len(figures))
        yield _grid(figures, title=title, caption=caption, columns=columns, height=height)
        return
    for cohort, row in rows.items():
        words, columns = f"{title}, {cohort}", _columns(len(row), len(row))
        yield _grid(row, title=words, caption=caption, columns=columns, height=height)


def _grid(
    panels: Sequence[Figure], *, title: str, caption: str, columns: int, height: int | None = None
) -> Figure | FigureGrid:
    """Return the panels side by side; a single one as a figure of its own."""
    if len(panels) == 1:
        only = panels[0]
        return Figure(figure=only.figure, title=f"{title}, {only.title}", caption=caption)
    return FigureGrid(panels=panels, title=title, caption=caption, columns=columns, height=height)


def _columns(n_horizons: int, n_panels: int) -> int:
    """Return how many panels stand beside each other, so that a row is one cohort's.

    Examples
    --------
    >>> _columns(3, 6), _columns(2, 4), _columns(1, 2), _columns(1, 4), _columns(1, 1)
    (3, 2, 2, 2, 1)
    """
    wanted = n_horizons if n_horizons > 1 else n_panels
    return wanted if wanted <= 3 else 2 if wanted == 4 else 3
