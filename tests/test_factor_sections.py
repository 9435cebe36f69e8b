"""What factors mean, in a study: from the study file to the report, its tables and findings."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau

from omics.gene_sets import GeneSets, gene_set_enrichment
from omics.mofa import FactorModel
from omics.saved_factors import SavedFactors
from reports.blocks import Block, Figure, Table, Text
from reports.factor_meaning import factor_associations, factor_scatter, ordered_active
from reports.jupyter import drawn
from reports.results import Results
from reports.sections import factor_model_blocks, page_of
from reports.study import compute, load_cohort
from reports.study_file import read_study
from tests.made_cohorts import made_cohort
from tests.small_study import SmallStudy, small_study

GMT = "SHARED\tmade up\tG0\tG1\tG2\tG3\tNOWHERE\nOTHER\tmade up\tG8\tG9\tG10\nTINY\t\tG4\n"


def study_with_genes(folder: Path) -> SmallStudy:
    """Sixteen genes, the first four of one factor; a mutation; and a copy of the follow-up."""
    study = small_study(folder)
    rng = np.random.default_rng(0)
    n = len(study.tables["clinical"])
    factor = rng.normal(size=(n, 2))
    genes = rng.normal(size=(n, 16)) / 2
    genes[:, :4] += factor[:, [0]]
    genes[:, 8:11] -= factor[:, [1]]
    expression = pd.DataFrame(genes.round(4), columns=[f"G{i}" for i in range(16)])
    months = study.tables["followup"]["Months"]
    expression["G15"] = (np.log(months) + rng.normal(size=n) / 50).round(4)
    expression.insert(0, "ID", study.tables["clinical"]["ID"])
    flags = pd.DataFrame({"ID": expression["ID"], "IDH": (factor[:, 0] > 0.3).astype(int)})
    flags.loc[:4, "IDH"] = np.nan
    study.tables |= {"expression": expression, "flags": flags}
    study.content["tables"] |= {
        "expression": {"path": "expression.csv", "kind": "expression", "id": "ID"},
        "flags": {"path": "flags.csv", "kind": "mutations", "id": "ID"},
    }
    study.content["factors"] = {
        "views": ["expression"],
        "n_factors": 3,
        "associations": ["flags:IDH", "expression:G5"],
        "ordered": ["clinical:Grade"],
        "gene_sets": "sets.gmt",
        "gene_sets_view": "expression",
        "gene_sets_top": 4,
        "gene_sets_sizes": [2, 10],
    }
    study.content["models"].append(
        {"name": "Factors", "kind": "cox", "predictors": ["clinical:Age", "factors:F1"]}
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sets.gmt").write_text(GMT)
    return study


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    study = read_study(study_with_genes(tmp_path_factory.mktemp("genes")).write())
    return compute(study, load_cohort(study), n_jobs=1)


def blocks(results: Results) -> list[Block]:
    (section,) = [part for part in page_of(results).sections if part.id == "factors"]
    return list(section.blocks)


def titled(parts: list[Block], words: str) -> Figure | Table:
    (found,) = [p for p in parts if isinstance(p, Figure | Table) and words in p.title]
    return found


def test_gene_sets_are_those_of_the_function(results: Results) -> None:
    assert results.factors is not None
    found = results.factors.gene_sets
    assert found is not None
    sets = GeneSets(
        source="sets.gmt",
        genes={
            "SHARED": ("G0", "G1", "G2", "G3", "NOWHERE"),
            "OTHER": ("G8", "G9", "G10"),
            "TINY": ("G4",),
        },
    )
    model = results.factors.model
    active = [name.partition(":")[2] for name in ordered_active(model)]
    again = gene_set_enrichment(
        model.loadings_, sets, view="expression", n_top=4, min_size=2, max_size=10, factors=active
    )
    pd.testing.assert_frame_equal(found.table, again.table)
    best = found.table.sort_values("p_value").iloc[0]
    assert (best["gene_set"], best["n_overlap"]) == ("SHARED", 4)
    assert (found.n_tested, found.n_sets, found.n_found, found.n_genes) == (2, 3, 8, 9)


def test_the_section_shows_gene_sets_map_and_patients(results: Results) -> None:
    parts = blocks(results)
    text = next(p.text for p in parts if isinstance(p, Text) and "Gene sets" in p.text)
    assert "8 of the 9 genes that the sets name are among its 16 genes, matched as written" in text
    assert "2 of 3 sets have 2 to 10 genes there and were tested" in text
    shown = titled(parts, "gene sets with the smallest p")
    assert isinstance(shown, Table)
    assert isinstance(titled(parts, "Loadings of all factors"), Figure)
    assert results.factors is not None
    scatter = results.factors.scatter
    assert scatter is not None
    figure = titled(parts, f"by {scatter.name}")
    assert isinstance(figure, Figure)
    assert "PAT-QX" not in figure.figure.to_json()


def test_factors_are_tested_against_named_columns_and_the_outcome(results: Results) -> None:
    assert results.factors is not None
    table = results.factors.associations
    columns = ["clinical:Age", "clinical:Sex", "clinical:Grade", "flags:IDH", "expression:G5"]
    assert table["column"].drop_duplicates().tolist() == [*columns, "outcome:Months (outcome)"]
    tests = table.drop_duplicates("column").set_index("column")["test"].to_dict()
    assert tests["flags:IDH"] == tests["clinical:Sex"] == "Mann-Whitney"
    assert tests["outcome:Months (outcome)"] == "Cox"
    assert table.loc[table["learned_from"], "column"].unique().tolist() == ["expression:G5"]
    scatter = results.factors.scatter
    assert scatter is not None
    assert scatter.name == "IDH"  # and not the gene that made the factors
    assert scatter.values.isna().sum() == 5
    assert list(scatter.values.cat.categories) == ["0", "1"]  # two numbers are two levels
    flags = results.cohort.development.X["flags:IDH"]
    assert (scatter.values == "1").to_numpy().tolist() == (flags == 1).tolist()


def test_levels_declared_in_order_are_tested_for_a_trend(results: Results) -> None:
    assert results.factors is not None
    table = results.factors.associations.query("column == 'clinical:Grade'").set_index("factor")
    assert set(table["test"]) == {"Kendall"}
    development = results.cohort.development
    grade = development.X["clinical:Grade"]
    known = grade.notna()
    assert not grade.cat.ordered  # the cohort is left as it was
    expected = kendalltau(
        results.factors.scores.loc[development.X.index, "factors:F1"][known],
        grade[known].astype(int),
    )
    row = table.loc["factors:F1"]
    assert row["effect"] == pytest.approx(expected.statistic, abs=1e-12)
    assert row["p_value"] == pytest.approx(expected.pvalue, rel=1e-10)
    higher = {True: "later levels", False: "earlier levels"}[row["effect"] > 0]
    assert row["higher_in"] == higher


def test_the_copy_of_the_follow_up_among_the_genes_is_a_finding(results: Results) -> None:
    (finding,) = [f for f in results.findings if f.code == "outcome_in_view"]
    assert finding.where == "expression"
    assert "'expression:G15' agrees with its time (|rho| " in finding.message


def test_a_run_writes_the_tables_and_names_the_file(tmp_path: Path) -> None:
    study = study_with_genes(tmp_path)
    assert study.run().exit_code == 0
    table = pd.read_csv(study.out / "tables" / "gene_sets.csv")
    assert set(table["gene_set"]) == {"SHARED", "OTHER"}
    associations = pd.read_csv(study.out / "tables" / "associations.csv")
    assert {"measure", "learned_from"} <= set(associations.columns)
    document = json.loads((study.out / "study.json").read_text())
    assert document["study"]["factors"]["gene_sets"] == "sets.gmt"
    assert [i["file"] for i in document["inputs"] if i["table"] == "gene sets"] == ["sets.gmt"]
    page = (study.out / "report.html").read_text()
    assert "PAT-QX" not in page
    assert "gene_sets.csv" in page


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("gene_sets_view", "radiomics", "gene_sets_view must name the view that holds genes"),
        ("gene_sets_sizes", [9, 3], "gene_sets_sizes must rise from 1, but 9 and 3 came"),
        ("gene_sets", None, "is for gene sets, but gene_sets names no file"),
        ("gene_sets", "none.gmt", "none.gmt cannot be opened"),
        ("gene_sets_top", 16, "top genes must be some of the 16 genes of view 'expression'"),
        ("gene_sets_sizes", [5, 9], "no set has 5 to 9 genes in view 'expression'"),
        ("associations", ["flags:IDX"], "[factors] associations:"),
        ("ordered", ["clinical:Grad"], "is none of 5. Did you mean 'clinical:Grade' or"),
        ("ordered", ["clinical:Age"], "'clinical:Age' holds numbers, which are tested by their"),
    ],
)
def test_what_cannot_be_tested_is_refused_before_anything_is_fitted(
    key: str, value: object, message: str, tmp_path: Path
) -> None:
    study = study_with_genes(tmp_path)
    study.content["factors"][key] = value
    if value is None:
        del study.content["factors"][key]
    result = study.check()
    assert result.exit_code != 0
    said = " ".join(result.output.split())
    assert message in said


def test_a_binary_outcome_may_colour_the_patients_by_its_levels() -> None:
    cohort = made_cohort(80, kind="binary", effect=4.0)
    model = FactorModel(views=["mri", "rna"], n_factors=2, seed=1).fit(cohort.X)
    scores = model.transform(cohort.X)
    tested = factor_associations(cohort, model, scores, ["clinical:Age"])
    scatter = factor_scatter(cohort, model, scores, tested)
    assert scatter is not None
    assert scatter.name == "IDH = mutant"
    assert (scatter.values == "yes").to_numpy().tolist() == cohort.y.tolist()
    survival = made_cohort(80, effect=4.0)
    tested = factor_associations(survival, model, scores, [])
    coloured = factor_scatter(survival, model, scores, tested)
    assert coloured is not None
    assert (coloured.values == "event observed").to_numpy().tolist() == survival.y["event"].tolist()


def test_patients_without_factors_are_not_drawn() -> None:
    cohort = made_cohort(60)
    model = FactorModel(views=["mri", "rna"], n_factors=2, seed=1).fit(cohort.X)
    scores = model.transform(cohort.X)
    scores.iloc[:3] = np.nan
    tested = factor_associations(cohort, model, scores, ["clinical:Age"])
    assert set(tested["n_patients"]) == {57}
    scatter = factor_scatter(cohort, model, scores, tested)
    assert scatter is not None
    assert scatter.scores.index.tolist() == cohort.X.index[3:].tolist()
    assert scatter.values.index.equals(scatter.scores.index)


def test_the_groups_of_a_factor_model_have_panels_of_their_own() -> None:
    X = made_cohort(60).X
    X["clinical:Centre"] = pd.Categorical(["north", "south"] * 30)
    model = FactorModel(views=["mri", "rna"], n_factors=2, groups="clinical:Centre", seed=1).fit(X)
    figure = titled(factor_model_blocks(model), "Variance explained by group")
    assert isinstance(figure, Figure)
    rows = model.group_variance_explained_.query("group == 'south' and view == 'mri'")
    expected = 100 * rows.query("factor != 'all'")["r2"]
    np.testing.assert_allclose(figure.figure.data[2].z[0], expected)
    alone = FactorModel(views=["mri"], n_factors=2, seed=1).fit(X)
    assert "by group" not in "".join(p.title for p in factor_model_blocks(alone))  # type: ignore[union-attr]


def test_one_active_factor_has_no_scatter() -> None:
    cohort = made_cohort(60)
    model = FactorModel(views=["mri", "rna"], n_factors=1, seed=1).fit(cohort.X)
    scores = model.transform(cohort.X)
    tested = factor_associations(cohort, model, scores, ["clinical:Age"])
    assert factor_scatter(cohort, model, scores, tested) is None
    two = FactorModel(views=["mri", "rna"], n_factors=2, seed=1).fit(cohort.X)
    scores = two.transform(cohort.X)
    empty = tested.assign(p_value=np.nan)
    assert factor_scatter(cohort, two, scores, empty) is None


def test_factors_in_the_order_of_the_model() -> None:
    cohort = made_cohort(60)
    X = cohort.X
    model = FactorModel(views=["mri", "rna"], n_factors=2, seed=1).fit(X)
    model.variance_explained_ = model.variance_explained_.iloc[::-1]
    assert ordered_active(model) == ["factors:F1", "factors:F2"]


def test_a_notebook_shows_saved_factors(results: Results) -> None:
    assert results.factors is not None
    model = results.factors.model
    saved = SavedFactors(
        factors=results.factors.scores,
        groups=pd.Series("group1", index=results.factors.scores.index),
        loadings=model.loadings_,
        variance_explained=model.variance_explained_.assign(group="group1"),
        likelihoods={},
        source="model.hdf5",
    )
    parts = list(drawn(saved).blocks)  # type: ignore[union-attr]
    assert [p.title for p in parts] == ["Variance explained.", "Loadings of all factors."]
    silent = replace(saved, variance_explained=saved.variance_explained.iloc[:0])
    assert [p.title for p in drawn(silent).blocks] == ["Loadings of all factors."]  # type: ignore[union-attr]
