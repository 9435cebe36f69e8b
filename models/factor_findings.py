"""What a reader must know of the factors, their views and the cohorts placed on them."""

from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from models.volume import VOLUME_CORRELATION
from omics.cohort import DEVELOPMENT, Cohort
from omics.errors import Finding
from omics.mofa import FactorModel
from omics.mofa_cohorts import LARGEST_RATIO, LARGEST_SHIFT
from omics.mofa_parameters import small_view
from omics.mofa_views import view_name
from omics.radiomics import is_volume, parse_feature_name

LEAST_SHARED_VARIANCE = 0.02
LEAST_INFORMATION = 0.2


def factor_findings(
    model: FactorModel, X: pd.DataFrame, kinds: Mapping[str, str]
) -> tuple[Finding, ...]:
    """Say which factor is tumour volume, and which view adds nothing.

    Parameters
    ----------
    model : FactorModel, fitted
    X : DataFrame
        Wide table of the development patients.
    kinds : mapping of view to kind
        Volume is looked for in views of kind `radiomics`.
    """
    factors = model.transform(X)
    found = list(_volume_findings(model, factors, X, kinds))
    totals = model.variance_explained_.query("factor == 'all'").set_index("view")["r2"]
    found += [
        Finding(
            code="view_adds_nothing",
            severity="caution",
            where=str(view),
            message=f"The view {view} adds nothing: all factors together explain "
            f"{100 * share:.1f} % of its variance (below {100 * LEAST_SHARED_VARIANCE:g} %). It "
            "shares no structure with the other views, nor has it one of its own.",
        )
        for view, share in totals.items()
        if share < LEAST_SHARED_VARIANCE
    ]
    return tuple(found)


def active_factors(model: FactorModel) -> list[str]:
    """Name the factors that explain something; those switched off are left aside."""
    table = model.variance_explained_
    best = table[table["factor"] != "all"].groupby("factor")["r2"].max()
    return [f"factors:{factor}" for factor in best.index[best >= LEAST_SHARED_VARIANCE / 2]]


def _volume_findings(
    model: FactorModel, factors: pd.DataFrame, X: pd.DataFrame, kinds: Mapping[str, str]
) -> Iterator[Finding]:
    for view in (view for view, kind in kinds.items() if kind == "radiomics"):
        columns = [c for c in X.columns if c.startswith(f"{view}:")]
        for volume in _volumes(X[columns]):
            yield from _volume_of(volume, factors, X[columns], view)


def _volumes(features: pd.DataFrame) -> list[str]:
    """Name one volume per sequence and region, each of values of its own."""
    found: dict[str | None, str] = {}
    for column in features.columns:
        name = str(column).partition(":")[2]
        if is_volume(name):
            found.setdefault(parse_feature_name(name).prefix, str(column))
    return list(features[list(found.values())].T.drop_duplicates().index)


def _volume_of(
    volume: str, factors: pd.DataFrame, features: pd.DataFrame, view: str
) -> Iterator[Finding]:
    both = _correlated(features, features[volume])
    if len(both) > 2:
        yield Finding(
            code="volume_features",
            severity="note",
            where=view,
            message=f"{len(both)} of {features.shape[1]} features of {view} are tumour volume in "
            f"other words (|Spearman| >= .9 with {volume.partition(':')[2]}).",
        )
    for factor in map(str, factors.columns[factors.std() > 0]):
        r = float(factors[factor].corr(features[volume], method="spearman"))
        if abs(r) >= VOLUME_CORRELATION:
            yield Finding(
                code="volume_factor",
                severity="caution",
                where=factor,
                message=f"{factor.partition(':')[2]} is tumour volume: its rank correlation "
                f"with {volume} is {r:.2f}. What it predicts, volume alone would predict.",
            )


def _correlated(features: pd.DataFrame, volume: "pd.Series[float]") -> list[str]:
    numbers = features.select_dtypes("number")
    r = numbers.rank().corrwith(volume.rank())
    return [str(name) for name in r.index[r.abs() >= 0.9]]


def factor_cohort_findings(model: FactorModel, cohort: Cohort) -> tuple[Finding, ...]:
    """Look at the factors' views, and at the patients placed on the factors.

    Parameters
    ----------
    model : FactorModel, fitted
        To the development patients of `cohort`.
    cohort : Cohort

    Returns
    -------
    tuple of Finding
        Codes `no_structure`, `small_view`, `no_values`, `other_units`, `lacking_features`,
        `uninformed`.
    """
    return (
        *_structure(model),
        *_small_views(model),
        *_without_values(model, cohort),
        *_other_units(model, cohort),
        *_lacking(model, cohort),
        *_uninformed(model, cohort),
    )


def _structure(model: FactorModel) -> Iterator[Finding]:
    if not model.active_:
        yield Finding(
            code="no_structure",
            severity="serious",
            where="factors",
            message=f"No structure was found: MOFA switched off all {model.n_factors} factors, so "
            "the views share nothing that these patients can show. Models that use factors have "
            "no information from them.",
        )


def _small_views(model: FactorModel) -> Iterator[Finding]:
    for view, n_features in Counter(map(view_name, model.features_)).items():
        if message := small_view(view, n_features):
            yield Finding(
                code="small_view",
                severity="caution",
                where=view,
                message=message[0].upper() + message[1:],
            )


def _parts(cohort: Cohort) -> dict[str, Cohort]:
    return {DEVELOPMENT: cohort.development, **cohort.external}


def _without_values(model: FactorModel, cohort: Cohort) -> Iterator[Finding]:
    for label, part in _parts(cohort).items():
        n = int(part.X[list(model.features_)].isna().all(axis=1).sum())
        if n:
            yield Finding(
                code="no_values",
                severity="caution",
                where=label,
                message=f"In {label}, {n} of {part.n_patients} patients have no value in "
                "any of the factors' views: their factors are 0, the average, and say nothing "
                "about them.",
            )


def _other_units(model: FactorModel, cohort: Cohort) -> Iterator[Finding]:
    for label, part in cohort.external.items():
        table = model.shifts(part.X)
        for row in table[table["flagged"]].to_dict("records"):
            yield Finding(
                code="other_units",
                severity="serious",
                where=str(row["view"]),
                message=f"In {label}, the view {row['view']} is on another scale than in "
                f"development: its features' medians lie {row['shift']:.1f} standard deviations "
                f"away (limit {LARGEST_SHIFT:g}), their spread is {row['ratio']:.2g} times that of "
                f"development (limit {LARGEST_RATIO:g}). Check units, transformation and scanner "
                "before any figure of this cohort is believed.",
            )


def _lacking(model: FactorModel, cohort: Cohort) -> Iterator[Finding]:
    for label, part in cohort.external.items():
        values = part.X[list(model.features_)]
        absent = Counter(view_name(str(name)) for name in values.columns[values.isna().all()])
        if not absent:
            continue
        total = Counter(map(view_name, model.features_))
        what = ", ".join(f"{view}: {n} of {total[view]}" for view, n in absent.items())
        lost = model.information_lost(part.X)
        lost = lost[lost["factor"].isin(model.active_)]
        most = f"{100 * lost['lost'].max():.0f} %" if len(lost) else "nothing"
        yield Finding(
            code="lacking_features",
            severity="caution",
            where=label,
            message=f"{label} lacks {sum(absent.values())} features of the factors altogether "
            f"({what}). Its patients were placed by those there: compared with development, the "
            f"factors lose up to {most} of their information.",
        )


def _uninformed(model: FactorModel, cohort: Cohort) -> Iterator[Finding]:
    if model.least_information is None:
        return
    done = (
        "their factors were taken as missing"
        if model.low_information == "missing"
        else "their factors are drawn to the average"
    )
    for label, part in _parts(cohort).items():
        n = int(np.sum(model.uninformed(part.X)))
        if n:
            yield Finding(
                code="uninformed",
                severity="caution",
                where=label,
                message=f"In {label}, {n} of {part.n_patients} patients have less than "
                f"the declared information of {model.least_information:g} on every factor: {done}.",
            )
