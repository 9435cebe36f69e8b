"""How many points does each predictor give? Its axes: where ticks stand, by the rules of rms.

Predictors that interact have one axis per combination of their values, on which main effects and
interactions are summed.

References
----------
Harrell FE. Regression Modeling Strategies, 2nd ed. Springer 2015, section 5.4.
doi:10.1007/978-3-319-19425-7
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.interactions import TIMES, Interaction
from models.terms import Term
from models.ticks import pretty

Floats = NDArray[np.float64]

AND = " & "  # between the values that an axis holds for
STEPS = 10  # wished for on every axis (rms: nint)
NEAR = 1e-9  # points: closer ticks coincide


@dataclass(frozen=True, eq=False, kw_only=True)
class PredictorAxis:
    """Ticks of one predictor and its contribution to the linear predictor at each.

    Attributes
    ----------
    term : Term
    where : str
        Values of the predictors that interact with it, as `<predictor>=<value>`, joined by ` & `;
        empty if none does.
    ticks : ndarray of shape (n_ticks,)
        Values; of a category the positions of its levels.
    effects : ndarray of shape (n_ticks,)
        Of predictors that interact the contribution of all of them.
    extrapolated : ndarray of shape (n_ticks,)
        True where no patient of the fit was.
    is_discrete : bool
        True if nothing lies between two ticks.
    """

    term: Term
    where: str
    ticks: Floats
    effects: Floats
    extrapolated: NDArray[np.bool_]
    is_discrete: bool

    def rows(self, points_per_unit: float, *, lowest: float) -> pd.DataFrame:
        """Give one row per tick; a contribution of `lowest` has no points."""
        term, is_category = self.term, self.term.kind == "category"
        points = (self.effects - lowest) * points_per_unit
        labels = [_label(term, tick) for tick in self.ticks]
        return axis_rows(
            axis=f"{term.name} ({self.where})" if self.where else term.name,
            kind="predictor",
            predictor=term.name,
            where=self.where,
            label=_merged(labels, points, is_discrete=self.is_discrete),
            value=np.full(len(labels), np.nan) if is_category else self.ticks,
            points=points,
            linear_predictor=self.effects,
            extrapolated=self.extrapolated,
        )


@dataclass(frozen=True, kw_only=True)
class AxisGroup:
    """Predictors whose points are read together: one alone, or those that interact.

    Attributes
    ----------
    name : str
        The predictor; of several their names, joined by ` * `.
    predictors : tuple of str
        The one that runs along the axes first.
    columns : tuple of str
        Columns of the design matrix: theirs, and those of their interactions.
    lowest : float
        Smallest contribution to the linear predictor at a tick: zero points.
    """

    name: str
    predictors: tuple[str, ...]
    columns: tuple[str, ...]
    lowest: float


@dataclass(frozen=True, eq=False, kw_only=True)
class AxisFamily:
    """The axes of a group: one, or one per combination of the values that interact.

    Attributes
    ----------
    group : AxisGroup
    axes : tuple of PredictorAxis
    """

    group: AxisGroup
    axes: tuple[PredictorAxis, ...]

    @property
    def width(self) -> float:
        """Range of the contributions over all axes."""
        return max(float(axis.effects.max()) for axis in self.axes) - self.group.lowest

    def rows(self, points_per_unit: float) -> list[pd.DataFrame]:
        """Give the rows of each axis."""
        return [axis.rows(points_per_unit, lowest=self.group.lowest) for axis in self.axes]


def axis_families(
    terms: Sequence[Term],
    interactions: Sequence[Interaction],
    coefficients: Mapping[str, float],
    *,
    settings: Mapping[str, Floats],
) -> list[AxisFamily]:
    """Place the ticks of every predictor.

    Predictors that interact, directly or through others, share a family. Its first predictor with
    more than 10 distinct values (else the first) runs along the axes; of the others there is one
    axis per combination: levels, distinct values, or of a number with more than 10 its 10th, 50th
    and 90th centile, rounded (rms asks for them: `interact`).

    Parameters
    ----------
    terms : sequence of Term
    interactions : sequence of Interaction
    coefficients : mapping of design column to float
    settings : mapping of predictor to ndarray of shape (n_ticks,)
        Values to show instead.
    """
    families, done = [], set[str]()
    for term in terms:
        if term.name in done:
            continue
        names = _related(term.name, interactions)
        done |= names
        mine = [one for one in terms if one.name in names]
        products = [one for one in interactions if one.predictors[0] in names]
        families.append(_family(mine, products, coefficients, settings))
    return families


def _related(name: str, interactions: Sequence[Interaction]) -> set[str]:
    names = {name}
    while True:
        more = {n for one in interactions if names & {*one.predictors} for n in one.predictors}
        if more <= names:
            return names
        names |= more


def _family(
    terms: list[Term],
    interactions: list[Interaction],
    coefficients: Mapping[str, float],
    settings: Mapping[str, Floats],
) -> AxisFamily:
    along = next((term for term in terms if not _is_discrete(term)), terms[0])
    others = [term for term in terms if term is not along]
    ticks = settings.get(along.name, _ticks(along))
    choices = [settings.get(term.name, _few_ticks(term, interactions)) for term in others]
    # rms lets the first of them vary fastest
    combinations = [values[::-1] for values in product(*choices[::-1])]
    axes = []
    for values in combinations:
        held = dict(zip([term.name for term in others], values, strict=True))
        axes.append(
            PredictorAxis(
                term=along,
                where=AND.join(f"{term.name}={_label(term, held[term.name])}" for term in others),
                ticks=ticks,
                effects=_effects(along, ticks, held, terms, interactions, coefficients),
                extrapolated=_beyond(along, ticks, held, terms, interactions),
                is_discrete=_is_discrete(along),
            )
        )
    every = [along, *others]
    group = AxisGroup(
        name=TIMES.join(term.name for term in every),
        predictors=tuple(term.name for term in every),
        columns=(
            *(name for term in terms for name in term.columns),
            *(name for one in interactions for name in one.columns),
        ),
        lowest=min(float(axis.effects.min()) for axis in axes),
    )
    return AxisFamily(group=group, axes=tuple(axes))


def _is_discrete(term: Term) -> bool:
    return term.kind == "category" or term.values is not None


def _ticks(term: Term) -> Floats:
    if term.kind == "category":
        return np.arange(len(term.levels), dtype=np.float64)
    if term.values is not None:
        return np.array(term.values)
    return pretty(term.minimum, term.maximum, n=STEPS)


def _few_ticks(term: Term, interactions: Sequence[Interaction]) -> Floats:
    """Choose the values for which a predictor that interacts has an axis each."""
    if _is_discrete(term):
        return _ticks(term)
    one = next(one for one in interactions if term.name in one.predictors)
    return np.array(one.typical[one.predictors.index(term.name)])


def _label(term: Term, value: float) -> str:
    return term.levels[int(value)] if term.kind == "category" else f"{value:.7g}"


def _effects(
    along: Term,
    ticks: Floats,
    held: Mapping[str, float],
    terms: Sequence[Term],
    interactions: Sequence[Interaction],
    coefficients: Mapping[str, float],
) -> Floats:
    """Sum what the terms and their products contribute at each tick."""
    columns: dict[str, Floats] = {}
    for term in terms:
        values = ticks if term is along else np.full(len(ticks), held[term.name])
        columns |= dict(zip(term.columns, term.expand(values).T, strict=True))
    for one in interactions:
        columns |= dict(zip(one.columns, one.expand(columns).T, strict=True))
    slopes = np.array([coefficients[name] for name in columns])
    return np.asarray(np.column_stack(list(columns.values())) @ slopes)


def _beyond(
    along: Term,
    ticks: Floats,
    held: Mapping[str, float],
    terms: Sequence[Term],
    interactions: Sequence[Interaction],
) -> NDArray[np.bool_]:
    """Tell which ticks lie beyond the patients of the fit, those of the levels that hold."""
    limits = {term.name: (term.minimum, term.maximum) for term in terms}
    outside = (ticks < along.minimum) | (ticks > along.maximum)
    for name, value in held.items():
        outside |= value < limits[name][0] or value > limits[name][1]
    for one in interactions:
        for number, category in (one.predictors, one.predictors[::-1]):
            if one.ranges and not np.isnan(limits[number][0]):
                values = ticks if number == along.name else np.array([held[number]])
                levels = ticks if category == along.name else np.array([held[category]])
                outside |= _outside(values, levels.astype(np.intp), one.ranges)
    return outside


def _outside(
    values: Floats, levels: NDArray[np.intp], ranges: Sequence[tuple[float, float]]
) -> NDArray[np.bool_]:
    """Compare values with the range seen in their level; a level `missing` has none."""
    unknown = [(-np.inf, np.inf)]
    low, high = np.array([*ranges, *unknown])[np.minimum(levels, len(ranges))].T
    return np.asarray((values < low) | (values > high))


def _merged(labels: list[str], points: Floats, *, is_discrete: bool) -> list[str]:
    """Let the last of several ticks at one place speak for all of them."""
    breaks = np.flatnonzero(np.abs(np.diff(points)) > NEAR) + 1
    merged: list[str] = []
    for run in np.split(np.arange(len(labels)), breaks):
        first, last = labels[run[0]], labels[run[-1]]
        open_ended = not is_discrete and run[-1] == len(labels) - 1
        joint = f"{first}+" if open_ended else f"{first}–{last}"
        merged += [""] * (len(run) - 1) + [joint if len(run) > 1 else last]
    return merged


def axis_rows(
    *,
    axis: str,
    kind: str,
    label: list[str],
    value: Floats,
    points: Floats,
    linear_predictor: Floats,
    predictor: str = "",
    where: str = "",
    horizon: float = np.nan,
    extrapolated: NDArray[np.bool_] | bool = False,
) -> pd.DataFrame:
    """Give rows of `Nomogram.table`, one per tick."""
    return pd.DataFrame(
        {
            "axis": axis,
            "kind": kind,
            "predictor": predictor,
            "where": where,
            "label": label,
            "value": value,
            "points": points,
            "linear_predictor": linear_predictor,
            "horizon": horizon,
            "extrapolated": extrapolated,
        },
        index=range(len(label)),
    )
