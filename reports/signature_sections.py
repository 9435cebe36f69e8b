"""What a reader sees of signatures: formula, path, stability, scores. Computes no statistic."""

from collections.abc import Iterable

import pandas as pd

from models.signature import CROSS_FITTING_FOLDS, Signature
from models.signature_summary import SignatureSummary
from omics.outcome import Outcome
from reports.blocks import Block, Figure, FigureGrid, Section, Table, Text
from reports.figures.importances import draw_importances
from reports.figures.score_by_outcome import draw_score_by_outcome
from reports.figures.signature_deviance import draw_signature_deviance
from reports.figures.signature_path import draw_signature_path
from reports.figures.waterfall import draw_waterfall
from reports.results import Results
from reports.style import shown_names
from reports.tables import MINUS, format_percent, table_rows

MOST_TERMS = 25  # of a formula or a table; the files hold all
RULES = {"1se": "One standard error", "min": "Least deviance"}


def signatures_section(results: Results) -> Section:
    """One part per signature."""
    parts = [
        Section(
            id=f"signature-{number}",
            title=name,
            blocks=[
                *signature_blocks(summary.signature, summary.selection),
                *_score_blocks(summary, results.cohort.outcome),
            ],
        )
        for number, (name, summary) in enumerate(results.signatures.items(), start=1)
    ]
    text = (
        "Each signature is one score of many features. New patients get the score of the formula; "
        f"models were fitted to scores of {CROSS_FITTING_FOLDS} fits none of which had seen the "
        "patients it scored (cross-fitted), so that no outcome enters twice."
    )
    return Section(id="signatures", title="Signatures", blocks=[Text(text=text)], sections=parts)


def signature_blocks(
    signature: Signature, selection: pd.DataFrame | None = None
) -> Iterable[Block]:
    """Show a fitted signature: formula, path, deviance, coefficients and how stable they are."""
    yield Text(text=_formula(signature), heading="Formula")
    if len(signature.deviance_) > 1:
        yield _path_grid(signature)
    if len(signature.coef_):
        yield _coefficients(signature, selection)
    if selection is not None and len(selection):
        resamples = selection["resamples"].iloc[0]
        yield Figure(
            figure=draw_importances(
                selection.assign(term=selection["feature"]),
                title="Share of resamples that selected it",
            ),
            title="Selection frequency.",
            caption=f"In how many of {resamples} cross-validation resamples, each fitted anew, a "
            "feature was selected; the twenty most frequent. Of correlated features now one is "
            "taken, now another.",
        )


def _formula(signature: Signature) -> str:
    n = len(signature.coef_)
    if n == 0:
        return (
            f"{signature.name} selected no feature (rule {signature.rule}): every patient has the "
            "score of the mean patient, and models that take it do without it."
        )
    if n > MOST_TERMS:
        return (
            f"{signature.name} is the sum of an intercept and {n} products, listed in the tables."
        )
    return signature.formula


def _path_grid(signature: Signature) -> FigureGrid:
    taken, other = signature.rule, "min" if signature.rule == "1se" else "1se"
    at = {"1se": signature.lambda_1se_, "min": signature.lambda_min_}
    penalties = {f"{RULES[taken]} (taken)": at[taken], RULES[other]: at[other]}
    panels = [
        Figure(
            figure=draw_signature_deviance(signature.deviance_, penalties=penalties),
            title="Deviance",
        )
    ]
    if len(signature.path_):
        panels.append(
            Figure(figure=draw_signature_path(signature.path_, penalties=penalties), title="Path")
        )
    return FigureGrid(
        panels=panels,
        title="How the penalty was chosen.",
        caption=f"Deviance of patients held out in {signature.folds} inner folds, mean and "
        "standard error, with the number of features along the top; and the coefficients as the "
        "penalty falls, those of the signature in colour. The path ends where the deviance has "
        "risen by a standard error.",
    )


def _coefficients(signature: Signature, selection: pd.DataFrame | None) -> Table:
    names = shown_names(signature.coef_["feature"])
    rows = pd.DataFrame(
        {
            "feature": [names[name] for name in signature.coef_["feature"]],
            "coefficient": [
                f"{value:.4g}".replace("-", MINUS) for value in signature.coef_["coefficient"]
            ],
            "standardised": signature.coef_["standardised"],
        }
    )
    if selection is not None:
        share = selection.set_index("feature")["share"]
        rows["selected"] = [
            format_percent(float(share.get(name, 0.0))) for name in signature.coef_["feature"]
        ]
    labels = {
        "coefficient": "Coefficient (per unit)",
        "standardised": "Per standard deviation",
        "selected": "Selected in resamples",
    }
    return Table(
        table=table_rows(rows.head(MOST_TERMS), labels=labels),
        title="Coefficients.",
        caption=f"Penalty λ = {signature.lambda_:.3g}; shrunken, so without intervals or P values."
        + (f" The first {MOST_TERMS} of {len(rows)}." if len(rows) > MOST_TERMS else ""),
        note=_gaps(signature),
    )


def _gaps(signature: Signature) -> str:
    """Say what was missing and what could not be used."""
    parts = []
    for row in signature.missing_.to_dict("records"):
        if row["n_without"]:
            parts.append(f"Patients without {row['view']}, given its means: {row['n_without']}.")
        if row["n_values"]:
            parts.append(f"Gaps in {row['view']}, given the median: {row['n_values']}.")
    if len(signature.dropped_):
        n = len(signature.dropped_)
        parts.append(f"Left out, without two different values: {n} columns.")
    return " ".join(parts)


def _score_blocks(summary: SignatureSummary, outcome: Outcome) -> Iterable[Block]:
    signature = summary.signature
    if not len(signature.coef_):
        return
    survival = outcome.kind == "survival"
    event = "Event observed" if survival else f"{outcome.label}: {outcome.event_label}"
    other = "Censored" if survival else "Others"
    yield Figure(
        figure=draw_waterfall(summary.waterfall, title=signature.name, labels=(other, event)),
        title="Waterfall.",
        caption="Cross-fitted score of each development patient, less the median.",
    )
    left_out = ", ".join(
        f"{row['n_unknown']} by {row['horizon']:g} {outcome.unit}"
        for row in summary.by_outcome.drop_duplicates("horizon").to_dict("records")
        if row["n_unknown"]
    )
    yield Figure(
        figure=draw_score_by_outcome(
            summary.by_outcome,
            title=signature.name,
            labels=("Event-free", "Event") if survival else (other, event),
            unit=outcome.unit,
        ),
        title="Score by outcome.",
        caption="Cross-fitted score: quartiles, and whiskers to the lowest and highest patient."
        + (f" Censored earlier and left out: {left_out}." if left_out else ""),
    )
