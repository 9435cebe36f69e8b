"""What a reader sees of repeated readings: by class of features, and what the filter kept."""

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from models.repeatability import Repeatability
from omics.bland_altman import WHAT, BlandAltman
from omics.mask_agreement import MaskAgreement
from omics.messages import number_of
from omics.reliability import Reliability
from omics.reliability_summary import BANDS
from reports.blocks import Block, Figure, FigureGrid, Section, Table, Text
from reports.figures.bland_altman import draw_bland_altman
from reports.figures.reliability import draw_reliability
from reports.style import feature_name, shown_names
from reports.tables import format_percent, table_rows

MOST_ROWS = 15
MOST_PANELS = 4
MEASURES = {
    "dice": "Dice",
    "mean_surface_distance": "Mean surface distance",
    "hausdorff_95": "Hausdorff distance, 95%",
    "hausdorff": "Hausdorff distance",
    "volume_one": "Volume of the first",
    "volume_other": "Volume of the second",
}
COPIES = "the share of all variance that lies between patients"
MEANING = {
    "ICC(1)": "each patient has readers of its own",
    "ICC(A,1)": "absolute agreement of single readings",
    "ICC(C,1)": "consistency of single readings, a constant difference between readers forgiven",
    "ICC(k)": "mean of the readings, each patient with readers of its own",
    "ICC(A,k)": "absolute agreement of the mean of the readings",
    "ICC(C,k)": "consistency of the mean of the readings",
}


def repeatability_section(found: Mapping[str, Repeatability]) -> Section:
    """One part per table that has repeats."""
    parts = [
        Section(id=f"repeatability-{number}", title=table, blocks=list(repeatability_blocks(one)))
        for number, (table, one) in enumerate(found.items(), start=1)
    ]
    return Section(id="repeatability", title="Repeatability", blocks=[], sections=parts)


def repeatability_blocks(found: Repeatability) -> Iterable[Block]:
    """Show what was repeated, what was kept, and the features that only just decide."""
    yield Text(text=_what_was_kept(found))
    yield from reliability_blocks(found.reliability, least=found.least, copies=found.copies)
    yield _least_reliable(found)
    if found.typical:
        yield _panels(
            found.agreement,
            found.typical,
            title="Masks as drawn and their first copies."
            if found.copies
            else "Differences of the first two readers.",
            more="Of each class of features the one whose lower bound is the middle one; all of "
            "them stand in tables/bland_altman.csv.",
        )


def _what_was_kept(found: Repeatability) -> str:
    of = found.reliability
    whose = "of other patients" if found.independent else "of development patients"
    text = (
        f"{of.n_patients} sets of readings {whose}, {_whose(found)}, {of.form} "
        f"({COPIES if found.copies else MEANING[of.form]}). A feature is kept if the lower bound "
        f"of its {100 * of.level:g}% interval is at least {found.least:g}: {found.n_kept} of "
        f"{len(found.table)} are."
    )
    folds = int(found.table["folds"].max()) if len(found.table) else 0
    if folds:
        always = int((found.table["folds_kept"] == folds).sum())
        ever = int((found.table["folds_kept"] > 0).sum())
        text += (
            f" Learned anew in each of {folds} folds, the filter kept {always} features in all of "
            f"them and {ever} in at least one."
        )
    return text


def _whose(found: Repeatability) -> str:
    """Say who read, or what stands in for a second reader."""
    n = found.reliability.n_readers
    if found.copies:
        n_copies = number_of(n - 1, "changed copy", "changed copies")
        return f"of masks as drawn and {n_copies} of each, which are no second reader"
    return f"by {n} readers"


def reliability_blocks(
    found: Reliability, least: float | None = None, *, copies: bool = False
) -> Iterable[Block]:
    """Show how intraclass correlations spread, and their summary, by class of features."""
    if len(found.spread):
        yield Figure(
            figure=draw_reliability(found.spread, form=found.form, least=least),
            title="Repeatability by class of features.",
            caption="Median, quartiles and range of the estimates and of their lower "
            f"{100 * found.level:g}% bounds over the features of a class"
            + (f"; the line stands at {least:g}, from which a feature is kept." if least else "."),
        )
    table = found.by_class
    shown = table.assign(
        share_good=[format_percent(share) for share in table["share_good"]],
        share_excellent=[format_percent(share) for share in table["share_excellent"]],
    )
    labels = {
        "feature_class": "Class",
        "n_features": "Features",
        "n_unknown": "No ICC",
        "median": "Median",
        "median_lower": "Lower bound",
        "share_good": "≥ .75",
        "share_excellent": "≥ .9",
        **{band: band.capitalize() for band in BANDS},
    }
    yield Table(
        table=table_rows(shown, labels=labels),
        title="Repeatability by class of features.",
        caption=f"{found.form}, {found.n_patients} patients, {found.n_readers} "
        f"{'readings' if copies else 'readers'}: medians of "
        "estimate and lower bound, the share of features whose lower bound is at least .75 and .9, "
        "and how many are poor (lower bound below .5), moderate (to .75), good (to .9) and "
        "excellent, in Koo and Li's words.",
    )


def bland_altman_blocks(found: BlandAltman) -> Iterable[Block]:
    """Show the first features' differences, and the limits of agreement of the first ones."""
    names = list(dict.fromkeys(found.table["feature"]))
    if names:
        yield _panels(found, names[:MOST_PANELS], title="Bland-Altman.")
    rows = found.table.head(len(WHAT) * MOST_ROWS)
    shown = rows.drop(columns=["standard_deviation", "repeatability_coefficient"])
    labels = shown_names(rows["feature"])
    yield Table(
        table=table_rows(shown.assign(feature=[labels[name] for name in rows["feature"]])),
        title="Limits of agreement.",
        caption="Second reading minus first, in the unit of the feature."
        + (f" The first {MOST_ROWS} of {len(names)} features." if len(names) > MOST_ROWS else ""),
    )


def mask_agreement_blocks(found: MaskAgreement) -> Iterable[Block]:
    """Show every measure of two masks' agreement."""
    table = found.table
    names = [MEASURES[measure] for measure in table["measure"]]
    yield Table(
        table=table_rows(table.assign(measure=names)),
        title="Agreement of two masks.",
        caption="Surfaces are voxel centres: distances are exact to about a voxel.",
    )


def _panels(found: BlandAltman, names: Sequence[str], *, title: str, more: str = "") -> FigureGrid:
    return FigureGrid(
        panels=[
            Figure(figure=draw_bland_altman(found, name), title=feature_name(name))
            for name in names
        ],
        title=title,
        caption=f"A point per patient; limits within which {100 * found.coverage:g}% of "
        f"differences are expected, each with its {100 * found.level:g}% interval (exact for "
        f"normal differences). {more}".strip(),
    )


def _least_reliable(found: Repeatability) -> Table:
    rows = found.table.sort_values("lower", kind="stable", na_position="first").head(MOST_ROWS)
    names = shown_names(rows["feature"])
    shown = pd.DataFrame(
        {
            "feature": [names[name] for name in rows["feature"]],
            "estimate": rows["estimate"],
            "lower": rows["lower"],
            "upper": rows["upper"],
            "level": found.reliability.level,
            "n_patients": rows["n_patients"],
            "kept": rows["kept"],
            "reason": rows["reason"],
        }
    )
    if not rows["reason"].any():
        shown = shown.drop(columns="reason")
    if len(set(shown["level"])) <= 1:
        shown = shown.drop(columns="level") if found.reliability.level == 0.95 else shown
    return Table(
        table=table_rows(shown, labels={"estimate": found.reliability.form, "kept": "Kept"}),
        title="The features that repeat worst.",
        caption="All of them stand in tables/repeatability.csv.",
    )


def repeatability_table(found: Mapping[str, Repeatability]) -> pd.DataFrame:
    """Set the features of all tables one below the other."""
    return pd.concat([one.table.assign(table=name) for name, one in found.items()])


def bland_altman_table(found: Mapping[str, Repeatability]) -> pd.DataFrame:
    """Set bias and limits of agreement of all tables one below the other."""
    return pd.concat([one.agreement.table.assign(table=name) for name, one in found.items()])


def repeatability_text(found: Mapping[str, Repeatability]) -> str:
    """Write the methods sentence; empty without repeats."""
    parts = []
    for table, one in found.items():
        of = one.reliability
        again = (
            "in other patients, so that every fold kept the same features"
            if one.independent
            else "anew in every resample from the training patients with repeats alone"
        )
        parts.append(
            f"Features of {table} were kept if the lower bound of the {100 * of.level:g}% interval "
            f"of their intraclass correlation {of.form} (McGraw and Wong) was at least "
            f"{one.least:g}, from {of.n_readers} readings of {of.n_patients} patients"
            f"{f' ({_whose(one)})' if one.copies else ''}; the filter was learned {again}, and a "
            "patient counted for a feature only if all readings had measured it."
        )
    return f"Repeatability. {' '.join(parts)}" if parts else ""
