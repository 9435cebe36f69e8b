"""What the factors mean, as blocks of the report: loading map, patients, gene sets."""

import pandas as pd

from omics.factor_tables import loading_map
from omics.gene_sets import SMALL, GeneSetResult
from omics.saved_factors import ALL, SavedFactors
from reports.blocks import Block, Figure, Table, Text
from reports.factor_meaning import FactorScatter
from reports.figures.factor_scatter import draw_factor_scatter
from reports.figures.loading_map import draw_loading_map
from reports.figures.variance_explained import draw_variance_explained
from reports.style import feature_name
from reports.tables import format_p_value, table_rows

FEATURES_PER_CELL = 5  # of each factor and view, in the map of loadings
MOST_ROWS = 20
LABELS = {"n_set": "Genes of the set", "n_top": "Top genes", "n_overlap": "Both"}


def loading_map_blocks(loadings: pd.DataFrame, factors: list[str]) -> list[Block]:
    """Show the top features of the factors named, side by side; nothing where there are none."""
    if not factors:
        return []
    table = loading_map(loadings, n_features=FEATURES_PER_CELL, factors=factors)
    figure = Figure(
        figure=draw_loading_map(table),
        title="Loadings of all factors.",
        caption=f"The {FEATURES_PER_CELL} features of each view with the largest loadings on each "
        "factor, and how they load on the others. Colour: loading as a share of the view's "
        "largest, blue below zero, orange above.",
    )
    return [figure] if len(table) else []


def scatter_blocks(scatter: FactorScatter | None) -> list[Block]:
    """Show the development patients on two factors; nothing where there is no choice."""
    if scatter is None:
        return []
    x, y = scatter.scores.columns
    figure = draw_factor_scatter(scatter.scores, x=x, y=y, values=scatter.values, name=scatter.name)
    return [
        Figure(
            figure=figure,
            title=f"{feature_name(x)} and {feature_name(y)}, by {scatter.name}.",
            caption="A point is a development patient. The colour is the column that goes most "
            f"closely with one of the two (adjusted p {format_p_value(scatter.p_adjusted)}), of "
            "those that the factors were not learnt from; it was chosen from many, so look rather "
            "than test.",
        )
    ]


def gene_set_blocks(found: GeneSetResult | None) -> list[Block]:
    """Show which gene sets the factors speak of."""
    if found is None:
        return []
    table = found.table
    low, high = found.sizes
    small = table[table["p_adjusted"] < SMALL]
    text = (
        f"Gene sets of {found.source} in the view {found.view}: {found.n_found} of the "
        f"{found.n_genes} genes that the sets name are among its {found.n_universe} genes, matched "
        f"as written; {found.n_tested} of {found.n_sets} sets have {low} to {high} genes there and "
        f"were tested. Top genes: {found.rule}. {len(small)} of {len(table)} tests have an "
        f"adjusted p below {SMALL:g} (one-sided hypergeometric test against the genes of the view; "
        "Benjamini-Hochberg over all sets, factors and signs)."
    )
    if table.empty:
        return [Text(text=text)]
    shown = table.sort_values("p_value", kind="stable").head(MOST_ROWS)
    return [
        Text(text=text),
        Table(
            table=table_rows(shown.drop(columns="expected"), labels=LABELS),
            title=f"The {len(shown)} gene sets with the smallest p.",
            caption="All of them stand in tables/gene_sets.csv.",
        ),
    ]


def saved_factors_blocks(saved: SavedFactors) -> list[Block]:
    """Show factors that another program learnt."""
    variance = saved.variance_explained
    blocks: list[Block] = []
    if len(variance):
        blocks.append(
            Figure(
                figure=draw_variance_explained(variance),
                title="Variance explained.",
                caption=f"Share of each view's variance that each factor explains, as "
                f"{saved.source} says.",
            )
        )
        parts = variance[variance["factor"] != ALL]
        best = parts.groupby("factor", sort=False)["r2"].max()
        factors = [str(name) for name in best.index[best > 0.01]]
    else:
        factors = [str(name) for name in dict.fromkeys(saved.loadings["factor"])]
    return blocks + loading_map_blocks(saved.loadings, factors)
