"""Results to sections: what a reader sees, as a journal orders it. Computes no statistic."""

from collections.abc import Iterator
from dataclasses import replace

import pandas as pd

from omics.cohort import DEVELOPMENT, Cohort
from omics.mofa import FactorModel
from reports.added_value_sections import added_value_section
from reports.assumption_sections import assumptions_section
from reports.blocks import Block, Figure, FigureGrid, Findings, Page, Section, Table, Text
from reports.competing_section import competing_blocks
from reports.factor_meaning import ordered_active
from reports.factor_quality_sections import factor_quality_section
from reports.factor_results import FactorResults
from reports.factor_sections import gene_set_blocks, loading_map_blocks, scatter_blocks
from reports.figures.associations import draw_associations
from reports.figures.flow import draw_flow
from reports.figures.loadings import draw_loadings
from reports.figures.variance_explained import draw_variance_explained
from reports.harmonisation_sections import harmonisation_section
from reports.methods import methods_text
from reports.missing_section import missing_section
from reports.model_sections import comparison_section, models_section
from reports.repeatability_sections import repeatability_section
from reports.results import Results
from reports.signature_sections import signatures_section
from reports.style import feature_name, shown_names
from reports.subgroup_sections import subgroups_section
from reports.survival_section import survival_section
from reports.table_one import table_one_blocks
from reports.tables import table_rows
from reports.updating_sections import updating_section
from reports.volume_section import volume_section

MOST_FACTOR_FIGURES = 6
FEATURES_PER_FACTOR = 10


def page_of(results: Results) -> Page:
    """Arrange a whole study as one page."""
    about, cohort = results.about, results.cohort
    banner = (
        "Synthetic data: these patients were drawn by a computer. No figure here says anything "
        "about real patients."
        if about.synthetic
        else ""
    )
    return Page(
        title=about.title,
        subtitle=about.description or outcome_sentence(cohort),
        sections=[
            findings_section(results),
            *_of_patients(results),
            *_of_factors(results),
            *_of_models(results),
            Section(id="methods", title="Methods", blocks=[Text(text=methods_text(results))]),
            session_section(results),
        ],
        facts=_facts(results),
        banner=banner,
        footer=f"nomomics {results.versions['nomomics']}. Every number of this page stands in the "
        "folder tables beside it.",
    )


def _facts(results: Results) -> list[tuple[str, str]]:
    cohort = results.cohort
    development = cohort.development
    return [
        ("Development patients", f"{development.n_patients}"),
        ("Events", f"{development.n_events}"),
        *(
            (f"External: {name}", f"{p.n_patients} ({p.n_events} events)")
            for name, p in cohort.external.items()
        ),
        ("Features", f"{cohort.n_features} in {len(cohort.kinds)} views"),
        ("Models", f"{len(results.coefficients)}"),
    ]


def _of_patients(results: Results) -> Iterator[Section]:
    """Say who the patients are, what is known of them and how they fared."""
    yield flow_section(results.cohort)
    yield table_one_section(results)
    yield missing_section(results)
    yield from radiomics_sections(results)
    if results.survival is not None:
        described = survival_section(results.survival)
        if results.competing is not None:
            more = competing_blocks(results.competing)
            described = replace(described, blocks=[*described.blocks, *more])
        yield described


def radiomics_sections(results: Results) -> list[Section]:
    """Say what the radiomics features are worth before any model reads them."""
    found = []
    if results.repeatability:
        found.append(repeatability_section(results.repeatability))
    if results.harmonisation:
        found.append(harmonisation_section(results.harmonisation))
    if results.volume_surrogates is not None:
        found.append(volume_section(results.volume_surrogates))
    return found


def _of_factors(results: Results) -> Iterator[Section]:
    """Show what is learned before any model: factors, and signatures."""
    if results.factors is not None:
        yield factors_section(results.factors)
    if results.factors is not None and results.factor_quality is not None:
        declared = results.factors.model.n_factors
        yield factor_quality_section(results.factor_quality, declared=declared)
    if results.signatures:
        yield signatures_section(results)


def _of_models(results: Results) -> Iterator[Section]:
    """Show the models, how well they predict, and where."""
    about = results.about
    yield models_section(results)
    yield comparison_section(results.performance, about.quantities, results.roc)
    if results.assumptions:
        yield assumptions_section(results)
    if results.added_value is not None:
        yield added_value_section(results.added_value, results.performance)
    if results.updating and about.updates is not None:
        where = about.updates.cohort
        yield updating_section(results.updating, where, results.cohort.outcome)
    if results.subgroups is not None and len(results.subgroups.table):
        yield subgroups_section(results.subgroups)


def outcome_sentence(cohort: Cohort) -> str:
    """Say what is predicted, in one sentence."""
    outcome = cohort.outcome
    if outcome.kind == "binary":
        return f"Outcome: {outcome.statement}."
    horizons = ", ".join(f"{horizon:g}" for horizon in outcome.horizons)
    return f"Outcome: {outcome.label} ({outcome.unit}); risks by {horizons} {outcome.unit}."


def findings_section(results: Results) -> Section:
    """Tell what a reader must know, the serious first."""
    if not results.findings:
        return Section(id="findings", title="Findings", blocks=[Text(text="Nothing was found.")])
    return Section(
        id="findings", title="Findings", blocks=[Findings(findings=tuple(results.findings))]
    )


def flow_section(cohort: Cohort) -> Section:
    """Who came, who was lost and why."""
    parts = {DEVELOPMENT: cohort.development, **cohort.external}
    groups = pd.DataFrame(
        [(name, part.n_patients, part.n_events) for name, part in parts.items()],
        columns=["cohort", "n_patients", "n_events"],
    )
    return Section(
        id="flow",
        title="Flow of patients",
        blocks=[
            Figure(
                figure=draw_flow(cohort.flow.table, groups=groups),
                title="Flow of patients.",
                caption="What each table brought, who was lost and why, and how the cohort splits.",
            ),
            Table(
                table=cohort.flow.table,
                title="Tables and patients.",
                caption="Matched: in the cohort. Absent: patients of the cohort without a row in "
                "the table; they stay, with that view missing.",
            ),
        ],
    )


def table_one_section(results: Results) -> Section:
    """Describe the patients of each cohort."""
    blocks = table_one_blocks(results.table_one, known=results.cohort.known)
    return Section(id="table-one", title="Patients", blocks=blocks)


def factor_model_blocks(model: FactorModel) -> list[Block]:
    """Variance explained and top loadings of a fitted factor model."""
    variance = model.variance_explained_
    per_factor = variance[variance["factor"] != "all"].groupby("factor", sort=False)["r2"].max()
    active = [str(f) for f in per_factor.sort_values(ascending=False).index if per_factor[f] > 0.01]
    blocks: list[Block] = [
        Figure(
            figure=draw_variance_explained(variance),
            title="Variance explained.",
            caption="Share of each view's variance that each factor explains in the development "
            "patients, and all factors together.",
        )
    ]
    if len(model.groups_) > 1:
        by_group = Figure(
            figure=draw_variance_explained(model.group_variance_explained_),
            title="Variance explained by group.",
            caption="The same within each group of patients, whose means are its own.",
        )
        blocks.append(by_group)
    views = list(dict.fromkeys(variance["view"]))
    panels = [
        Figure(
            figure=draw_loadings(
                model.loadings_, factor=factor, views=views, n_features=FEATURES_PER_FACTOR
            ),
            title=factor,
        )
        for factor in sorted(active[:MOST_FACTOR_FIGURES], key=_factor_number)
    ]
    if panels:
        blocks.append(
            FigureGrid(
                panels=panels,
                title="Top loadings.",
                caption=f"The {FEATURES_PER_FACTOR} features with the largest weights on each of "
                "the factors that explain most; a factor's sign is arbitrary.",
            )
        )
    names = [feature_name(factor) for factor in ordered_active(model)]
    return blocks + loading_map_blocks(model.loadings_, names)


def _factor_number(name: str) -> int:
    digits = "".join(character for character in name if character.isdigit())
    return int(digits or 0)


def factors_section(factors: FactorResults) -> Section:
    """Show the factors and what they go with."""
    blocks = factor_model_blocks(factors.model)
    table = factors.associations
    table = table[table.groupby("factor")["effect"].transform("count") > 0]  # MOFA switched it off
    if len(table):
        blocks += [
            Figure(
                figure=draw_associations(table),
                title="Factors and what they go with.",
                caption="Spearman's rank correlation for numbers; 2 AUC - 1 (Mann-Whitney) where "
                "there are two values or levels, above 0 where the larger or later has the higher "
                "factor; Kendall's tau-b for ordered levels; eta squared (Kruskal-Wallis) for "
                "others; 2 C - 1 (Cox, score test) for survival, above 0 where a higher factor "
                "goes with earlier events. Development patients. A star marks an adjusted p below "
                ".05 (Benjamini-Hochberg over all pairs). Factors that MOFA switched off are not "
                "drawn.",
            ),
            Table(
                table=_strongest(table),
                title="The twenty strongest associations.",
                caption="All of them stand in tables/associations.csv.",
            ),
        ]
    blocks += scatter_blocks(factors.scatter)
    blocks += gene_set_blocks(factors.gene_sets)
    if len(factors.model.dropped_):
        counts = (
            factors.model.dropped_.groupby(["view", "reason"]).size().reset_index(name="features")
        )
        blocks.append(
            Table(table=counts, title="Features left out before factorizing.", caption="")
        )
    return Section(id="factors", title="Factors", blocks=blocks)


def _strongest(associations: pd.DataFrame) -> pd.DataFrame:
    names = shown_names(associations["column"])
    top = associations.sort_values("p_value", kind="stable").head(20)
    if not top["learned_from"].any():
        top = top.drop(columns="learned_from")
    return top.assign(
        factor=[feature_name(factor) for factor in top["factor"]],
        column=[names[column] for column in top["column"]],
    )


def session_section(results: Results) -> Section:
    """Tell what computed the numbers, from which files."""
    versions = pd.DataFrame(results.versions.items(), columns=["package", "version"])
    failures = results.validation.failures.drop(columns="reason")
    text = (
        f"Seed {results.validation.plan.seed}. The study as understood, every default written "
        "out, stands in study.json."
    )
    return Section(
        id="session",
        title="Session",
        blocks=[
            Text(text=text),
            Table(table=failures, title="Resamples that could not be fitted."),
            *([_inputs(results.inputs)] if len(results.inputs) else []),
            Table(table=versions, title="Versions."),
        ],
    )


def _inputs(inputs: pd.DataFrame) -> Table:
    return Table(table=table_rows(inputs, labels={"sha256": "SHA-256"}), title="Input files.")
