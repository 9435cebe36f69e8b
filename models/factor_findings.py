"""What a reader must know of the factors' views and of the cohorts placed on them."""

from collections import Counter
from collections.abc import Iterator

import numpy as np

from omics.cohort import DEVELOPMENT, Cohort
from omics.errors import Finding
from omics.mofa import FactorModel
from omics.mofa_cohorts import LARGEST_RATIO, LARGEST_SHIFT
from omics.mofa_parameters import small_view
from omics.mofa_views import view_name


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
