"""What regressions take for granted, and what their patients say to it. Computes no statistic."""

from collections.abc import Iterable

import pandas as pd

from models.assumptions import Assumptions
from models.proportional_hazards import GLOBAL
from omics.messages import number_of
from reports.blocks import Block, Figure, FigureGrid, Section, Table, Text
from reports.figures.influence import draw_influence
from reports.figures.linearity import draw_linearity
from reports.figures.schoenfeld import draw_schoenfeld
from reports.results import Results
from reports.style import plain, shorten, shown_names
from reports.tables import DASH, format_number, format_p_value, table_rows

MOST_PANELS = 6
MOST_ROWS = 20
BASES = {
    "share": "15% of what can be explained",
    "model": "what this model reached, adjusted for optimism",
}


def assumptions_section(results: Results) -> Section:
    """One part per Cox or logistic model."""
    unit = results.cohort.outcome.unit
    parts = [
        Section(
            id=f"assumptions-{number}", title=name, blocks=list(assumption_blocks(found, unit=unit))
        )
        for number, (name, found) in enumerate(results.assumptions.items(), start=1)
    ]
    text = (
        "Described on the development patients that each model was fitted to. Nothing here has "
        "changed a model: one that is changed because of such a test must be validated anew, on "
        "other patients."
    )
    return Section(
        id="assumptions",
        title="Assumptions of the models",
        blocks=[Text(text=text)],
        sections=parts,
    )


def assumption_blocks(found: Assumptions, *, unit: str | None = None) -> Iterable[Block]:
    """Show the tests by term, hazard ratios over time, curves, influence and sample size."""
    yield Text(text=_size_sentence(found))
    yield _term_table(found)
    yield from _drift_grid(found, unit)
    yield from _curve_grid(found)
    yield from _influence_blocks(found)
    yield _sample_size_table(found)


def _size_sentence(found: Assumptions) -> str:
    text = (
        f"{found.n_patients} patients, {found.n_events} events, "
        f"{number_of(found.parameters, 'parameter')} "
        "(columns of the design, those of splines and levels included): "
        f"{found.events_per_parameter:.1f} events"
        + ("" if found.n_rarer == found.n_events else " (patients of the rarer class)")
        + " per parameter."
    )
    if found.ridge:
        text += (
            f" Under its ridge the model has {found.effective_parameters:.1f} effective "
            "parameters. Every test here is of the penalised fit, the penalty read as a prior on "
            "the coefficients."
        )
    if found.learned:
        text += (
            " Factors and signatures were learned before: their own parameters cannot be counted, "
            "and their scores are taken as if they had been measured."
        )
    return text


def _term_table(found: Assumptions) -> Table:
    table = found.by_term
    kept = table.head(MOST_ROWS)
    if len(table) > MOST_ROWS and table["term"].iloc[-1] == GLOBAL:
        kept = pd.concat([kept, table.tail(1)])
    names = {**shown_names(kept["term"]), GLOBAL: "All together"}
    rows = pd.DataFrame({"term": [names[str(term)] for term in kept["term"]]})
    if found.hazards is not None:
        rows["hazards"] = _tests(kept["hazards_chi2"], kept["df"])
        rows["hazards_p"] = [format_p_value(p) for p in kept["hazards_p_value"]]
    if found.linearity is not None:
        rows["bend"] = _tests(kept["bend_chi2"], kept["bend_df"])
        rows["bend_p"] = [format_p_value(p) for p in kept["bend_p_value"].astype(float)]
    rows["inflation"] = [format_number(value, digits=2) for value in kept["inflation"]]
    labels = {
        "hazards": "Proportional hazards: χ² (df)",
        "hazards_p": "p",
        "bend": "Linearity: χ² (df)",
        "bend_p": "p",
        "inflation": "Variance inflation",
    }
    more = len(table) - len(kept)
    return Table(
        table=table_rows(rows, labels=labels),
        title="Tests by term.",
        caption=(
            "Score test of proportional hazards on Kaplan-Meier time (cox.zph). "
            * (found.hazards is not None)
        )
        + "Linearity: likelihood-ratio test of a restricted cubic spline of 4 knots (fewer where "
        "values are few) against a straight line, the other terms as they are. Variance inflation: "
        "generalised, above 10 per degree of freedom is high. The p values are not adjusted for "
        "their number." + (f" {more} more terms stand in the tables." if more else ""),
        note=_reasons(found),
    )


def _tests(chi2: pd.Series, df: pd.Series) -> list[str]:
    return [
        DASH if pd.isna(value) else f"{format_number(value, digits=2)} ({count:g})"
        for value, count in zip(chi2.astype(float), df.astype(float), strict=True)
    ]


def _reasons(found: Assumptions) -> str:
    """Say what could not be tested, and why."""
    if found.linearity is None:
        return "With so many terms linearity is not tested term by term."
    table = found.linearity.table
    untested = table[table["chi2"].isna()]
    names = shown_names(table["term"])
    reasons = zip(untested["term"], untested["reason"], strict=True)
    said = "; ".join(f"{names[term]}, {reason}" for term, reason in reasons)
    return f"Not tested for linearity: {said}." if said else ""


def _drift_grid(found: Assumptions, unit: str | None) -> Iterable[Block]:
    if found.hazards is None or found.drift is None:
        return
    drift, tests = found.drift, found.hazards.table.set_index("term")["p_value"].drop(GLOBAL)
    chosen = tests.sort_values(kind="stable").index[:MOST_PANELS]
    names = shown_names(tests.index)
    df = found.by_term.set_index("term")["df"]
    panels = [
        Figure(
            figure=draw_schoenfeld(
                drift.residuals[drift.residuals["term"] == term],
                drift.curves[drift.curves["term"] == term],
                fitted=drift.fitted[str(term)],
                title="Log hazard ratio" if df[term] == 1 else "Multiple of the effect",
                unit=unit,
            ),
            title=f"{shorten(names[str(term)], 40)}, p {format_p_value(tests[term])}",
        )
        for term in tests.index
        if term in set(chosen)
    ]
    yield FigureGrid(
        panels=panels,
        columns=3,
        title="Effects over time.",
        caption="Scaled Schoenfeld residuals and a natural spline of 4 degrees of freedom; time is "
        "spaced by Kaplan-Meier survival. Where the curve leaves the dashed line, the model's "
        "hazard ratio is an average over follow-up. Of a category or spline: the multiple of its "
        "fitted effect. Residuals beyond the frame are left out."
        + (f" The {MOST_PANELS} terms with the smallest p." if len(tests) > MOST_PANELS else ""),
    )


def _curve_grid(found: Assumptions) -> Iterable[Block]:
    linearity = found.linearity
    if linearity is None or linearity.curves.empty:
        return
    tests = linearity.table.set_index("term")["p_value"].dropna().astype(float)
    chosen = set(tests.sort_values(kind="stable").index[:MOST_PANELS])
    names = shown_names(tests.index)
    ratio = "odds" if found.hazards is None else "hazard"
    yield FigureGrid(
        panels=[
            Figure(
                figure=draw_linearity(
                    linearity.curves[linearity.curves["term"] == term],
                    title=f"Log {ratio} ratio",
                    name=plain(shorten(names[str(term)], 40)),
                ),
                title=f"{shorten(names[str(term)], 40)}, p {format_p_value(tests[term])}",
            )
            for term in tests.index
            if term in chosen
        ],
        columns=3,
        title="Straight line or curve.",
        caption=f"Log {ratio} ratio against the median value, the other terms as they are, between "
        "the tenth smallest and tenth largest of 200 patients. The panel's p is of the curve "
        "against the line."
        + (f" The {MOST_PANELS} with the smallest p." if len(tests) > MOST_PANELS else ""),
    )


def _influence_blocks(found: Assumptions) -> Iterable[Block]:
    moved = found.influence
    names = shown_names(moved.table["column"])
    yield Figure(
        figure=draw_influence(moved.dfbetas[list(moved.table["column"])], limit=moved.limit),
        title="Influence of single patients.",
        caption="dfbetas: by how many standard errors a patient has moved a coefficient (to first "
        f"order). Lines at 2 / √n = {moved.limit:.2f}; patients within half of it are not drawn.",
    )
    refits = moved.refits
    letters = {
        patient: f"Without patient {letter}"
        for patient, letter in zip(dict.fromkeys(refits["patient"]), "ABCDEFGHIJ", strict=False)
    }
    rows = pd.DataFrame(
        {
            "column": [names[str(column)] for column in moved.table["column"]],
            "n_large": moved.table["n_large"],
            "coefficient": moved.table["coefficient"],
        }
    )
    for patient, title in letters.items():
        rows[title] = refits.loc[refits["patient"] == patient, "without"].to_numpy(dtype=float)
    yield Table(
        table=table_rows(
            rows.head(MOST_ROWS),
            labels={"column": "Term", "n_large": "Patients beyond the limit"},
        ),
        title="Left out in turn.",
        caption="Coefficients of the model, refitted without each of the most influential "
        "patients. Who they are stands in private/influence.csv alone."
        + (f" The first {MOST_ROWS} of {len(rows)}." if len(rows) > MOST_ROWS else ""),
    )


def _sample_size_table(found: Assumptions) -> Table:
    sizes = found.sample_size
    rows = sizes.assign(basis=[BASES[basis] for basis in sizes["basis"]])
    labels = {
        "basis": "If it explains",
        "r_squared": "R² (Cox-Snell)",
        "shrinkage": "Shrinkage ≥ 0.9",
        "optimism": "Optimism ≤ 0.05",
        "overall_risk": "Overall risk ± 0.05",
        "n_patients": "Patients needed",
        "n_events": "Events among them",
        "enough": f"{found.n_patients} patients are enough",
    }
    return Table(
        table=table_rows(rows, labels=labels),
        title="Patients that a model of this size needs.",
        caption=f"Riley's criteria for {number_of(found.parameters, 'parameter')} with this "
        "cohort's events and follow-up; the largest of the three decides. Worked out "
        "afterwards it is no plan, but a measure of how much optimism to expect.",
    )
