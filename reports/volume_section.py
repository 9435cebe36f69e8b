"""Which radiomics features are tumour volume in other words. Computes no statistic."""

import pandas as pd

from models.volume_surrogates import FEWEST, VolumeSurrogates
from reports.blocks import Block, Figure, Section, Table, Text
from reports.figures.volume_surrogates import MOST_POINTS, draw_volume_surrogates
from reports.style import feature_name, shown_names
from reports.tables import format_estimate, format_percent, table_rows

MOST_FEATURES = 15


def volume_section(found: VolumeSurrogates) -> Section:
    """Show how far the radiomics features of a study go with volume."""
    return Section(
        id="volume",
        title="Volume",
        blocks=volume_blocks(found, file="tables/volume_surrogates.csv"),
    )


def volume_blocks(found: VolumeSurrogates, *, file: str = "") -> list[Block]:
    """Show every feature's correlation with volume, and how many are surrogates of it.

    Parameters
    ----------
    found : VolumeSurrogates
    file : str
        Where all rows stand; empty for nowhere.
    """
    blocks: list[Block] = [Text(text=_summary(found))]
    if not len(found.by_class):
        return blocks
    drawn = (
        "A point is a feature, the bar reaches from quartile to quartile of its class."
        if found.n_features <= MOST_POINTS
        else "The bar reaches from quartile to quartile of the class."
    )
    blocks.append(
        Figure(
            figure=draw_volume_surrogates(found.table, found.by_class, threshold=found.threshold),
            title="Features and tumour volume.",
            caption=f"Absolute rank correlation with volume. {drawn} Beneath each class: how "
            f"many features lie at the dashed line ({found.threshold:g}) or beyond it.",
        )
    )
    blocks.append(_strongest(found, file))
    return blocks


def _summary(found: VolumeSurrogates) -> str:
    if not found.n_features:
        return "No feature has a correlation with volume: too few patients, or constant features."
    share = format_percent(found.n_surrogates / found.n_features)
    volume = (
        feature_name(found.volumes[0])
        if len(found.volumes) == 1
        else f"each has its own, {len(found.volumes)} in all"
    )
    few = (
        f" With fewer than {FEWEST} patients neither the correlations nor their intervals say much."
        if found.n_patients < FEWEST
        else ""
    )
    return (
        f"{found.n_surrogates} of {found.n_features} features ({share}) have an absolute rank "
        f"correlation of {found.threshold:g} or more with the volume of their region ({volume}), "
        f"in up to {found.n_patients} patients. What such a feature predicts, volume alone may "
        f"predict.{few}"
    )


def _strongest(found: VolumeSurrogates, file: str) -> Table:
    order = found.table["correlation"].abs().sort_values(ascending=False, kind="stable").index
    top = found.table.loc[order].dropna(subset="correlation").head(MOST_FEATURES)
    names = shown_names(top["feature"])
    rows = pd.DataFrame(
        {
            "feature": [names[str(feature)] for feature in top["feature"]],
            "feature_class": top["feature_class"].to_numpy(),
            "rho": [
                format_estimate(*limits, digits=2)
                for limits in top[["correlation", "lower", "upper"]].itertuples(index=False)
            ],
            "n_patients": top["n_patients"].to_numpy(),
        }
    )
    if len(found.volumes) > 1:
        rows.insert(2, "volume", [feature_name(volume) for volume in top["volume"]])
    labels = {
        "feature_class": "Class",
        "volume": "Compared with",
        "rho": f"ρ ({100 * found.level:g}% CI)",
    }
    more = found.n_features > len(top)
    return Table(
        table=table_rows(rows, labels=labels),
        title="Features that go most with volume.",
        caption="Spearman's correlation; intervals by Fisher's z with the variance of Bonett and "
        "Wright, one feature at a time." + (f" All stand in {file}." if more and file else ""),
    )
