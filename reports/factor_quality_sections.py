"""How far the factors can be trusted: information, stability, number and optimism, in blocks.

Computes no statistic.
"""

from collections.abc import Mapping

import pandas as pd

from models.transductive import TransductiveOptimism
from omics.n_factors import HeldOutError
from omics.stability import LEAST_VARIANCE, FactorStability
from reports.blocks import Block, Figure, Section, Table, Text
from reports.factor_quality import FactorQuality
from reports.figures.differences import draw_differences
from reports.figures.information import draw_information
from reports.figures.n_factors import ALL, draw_n_factors
from reports.figures.stability import KINDS, draw_stability
from reports.tables import DASH, format_estimate, format_number, format_percent, label

INACTIVE = "inactive"


def factor_quality_section(quality: FactorQuality, *, declared: int) -> Section:
    """Show how much is known of patients' factors, and whether the factors would come back.

    Parameters
    ----------
    quality : FactorQuality
    declared : int
        Number of factors of the study.
    """
    blocks = _information(quality)
    if quality.stability is not None:
        blocks += stability_blocks(quality.stability, quality.users)
    if quality.held_out_error is not None:
        blocks += n_factors_blocks(quality.held_out_error, declared)
    if quality.transductive is not None:
        blocks += transductive_blocks(quality.transductive)
    return Section(id="factor-quality", title="How far the factors can be trusted", blocks=blocks)


def _information(quality: FactorQuality) -> list[Block]:
    least, table = quality.least_information, quality.information
    counts = table[["cohort", "factor", "n_patients", "mean", "n_low"]].rename(
        columns={"mean": "mean_information", "n_low": f"below {least:g}"}
    )
    return [
        Figure(
            figure=draw_information(table, limit=least),
            title="Information on each factor.",
            caption="Share of a factor's prior variance that a patient's values remove: 1 places "
            "the patient exactly, 0 says nothing, and the factor is then the average. Median, "
            f"quartiles (thick) and extremes (thin); the dashed line is {least:g}. A factor that "
            "MOFA switched off has none.",
        ),
        Table(table=counts, title="Information by cohort."),
        Table(
            table=_by_views(quality.information_by_views),
            title="Mean information by the views that patients have.",
            caption="A patient without the view that carries a factor has little information on "
            "it.",
        ),
    ]


def _by_views(table: pd.DataFrame) -> pd.DataFrame:
    """One row per cohort and set of views, one column per factor."""
    keys = ["cohort", "views", "n_patients"]
    order = list(dict.fromkeys(zip(*(table[key] for key in keys), strict=True)))
    factors = list(dict.fromkeys(table["factor"]))
    wide = table.pivot(index=keys, columns="factor", values="mean").loc[order, factors]
    return wide.rename_axis(columns=None).reset_index()


def stability_blocks(
    stability: FactorStability, users: Mapping[str, list[str]] | None = None
) -> list[Block]:
    """Show how often each factor comes back, and which models use it where that is known."""
    table = stability.table
    active = table[table["verdict"] != INACTIVE]
    blocks: list[Block] = []
    if len(active):
        blocks.append(
            Figure(
                figure=draw_stability(active, stability.refits, limit=stability.limit),
                title="Stability of factors.",
                caption="Correlation of each factor with its partner in every refit, over the "
                "original patients; partners are matched one to one. Median and quartiles; pale "
                f"points are single refits; the dashed line is |r| = {stability.limit:g}. Copies "
                "of a patient in a bootstrap sample count as patients.",
            )
        )
    blocks.append(
        Table(
            table=_stability_rows(table, users),
            title="Factors found again.",
            caption=f"Stable: |r| of {stability.limit:g} or more in at least "
            f"{format_percent(stability.least_share)} of the refits of either kind. Inactive: "
            f"explains less than {format_percent(LEAST_VARIANCE)} of every view. In brackets the "
            "quartiles.",
            note=_failed(stability.failures),
        )
    )
    return blocks


def _stability_rows(table: pd.DataFrame, users: Mapping[str, list[str]] | None) -> pd.DataFrame:
    rows = pd.DataFrame(
        [
            {
                "factor": row["factor"],
                "kind": KINDS[row["kind"]],
                "median |r|": format_estimate(
                    row["median"], row["lower_quartile"], row["upper_quartile"], digits=2
                ),
                "found again": format_percent(row["share"]),
                "loadings, r": format_number(row["median_loading"], digits=2),
                "refits": row["refits"],
                "verdict": row["verdict"],
            }
            for row in table.to_dict("records")
        ]
    )
    if users is None:
        return rows
    return rows.assign(used_by=[", ".join(users.get(f, [])) or DASH for f in rows["factor"]])


def _failed(failures: pd.DataFrame) -> str:
    words = [
        f"{row['failed']} of {row['refits']} ({KINDS[row['kind']].lower()})"
        for row in failures.to_dict("records")
    ]
    return f"Refits that could not be fitted: {', '.join(words)}."


def n_factors_blocks(error: HeldOutError, declared: int | None = None) -> list[Block]:
    """Show the error of hidden values by the number of factors."""
    total = error.table[error.table["view"] == ALL]
    rows = total[["n_factors", "error", "standard_error"]].assign(
        choice=[_choice(number, error, declared) for number in total["n_factors"]]
    )
    return [
        Figure(
            figure=draw_n_factors(error.table, chosen=error.one_se, declared=declared),
            title="Number of factors.",
            caption=f"Observed values of the development patients were hidden in {error.n_folds} "
            "folds and predicted from the factors of the rest: squared error in scaled units, "
            "Brier score for 0/1 values, as a share of the error of the mean (the horizontal "
            "line). Bars are one standard error over folds. Dashed: the number of the "
            "one-standard-error rule"
            + ("." if declared is None else " and the study's own, which stays."),
        ),
        Table(table=rows, title="Error of hidden values, all views."),
    ]


def _choice(number: int, error: HeldOutError, declared: int | None) -> str:
    words = (
        ("least error", number == error.best),
        ("one-standard-error rule", number == error.one_se),
        ("the study's", number == declared),
    )
    return ", ".join(word for word, holds in words if holds)


def transductive_blocks(optimism: TransductiveOptimism) -> list[Block]:
    """Show what factors learnt from the validated patients too pretend to."""
    headline = optimism.headline
    rows = pd.DataFrame(
        [
            {
                "model": row["model"],
                "validation": label(row["validation"])
                + (f" ({row['cohort']})" if row["validation"] == "external" else ""),
                "metric": label(row["metric"]),
                "inductive": format_number(row["inductive"]),
                "transductive": format_number(row["transductive"]),
                "optimism": format_estimate(row["difference"], row["lower"], row["upper"]),
                "n_patients": row["n_patients"],
            }
            for row in headline.to_dict("records")
        ]
    )
    return [
        Text(
            heading="Optimism of transductive factors",
            text="The study declares that factors may be learnt from all patients, those included "
            "in whom the models are validated; outcomes are never used. Every figure elsewhere in "
            "this report is inductive all the same: factors are learnt without the patients they "
            "are validated in. Here both stand side by side, on the same resamples. The difference "
            "is what the transductive figure promises and a patient who comes later does not get.",
        ),
        Figure(
            figure=draw_differences(
                headline,
                models=list(dict.fromkeys(headline["model"])),
                title=f"{label(headline['metric'].iloc[0])}, transductive less inductive",
            ),
            title="Optimism of transductive factors.",
            caption="Paired differences with their intervals; to the right of the line the "
            "transductive figure flatters.",
        ),
        Table(
            table=rows,
            title="Inductive and transductive factors.",
            caption="Optimism is the paired difference, transductive less inductive, with its "
            "interval. All metrics stand in tables/transductive.csv.",
        ),
    ]
