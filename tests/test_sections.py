"""The report of a small study, section by section: its numbers are those of the csv files."""

import re
import warnings
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from models.calibration_curves import calibration_curve
from models.calibration_groups import calibration_groups
from models.classification import Classification, classification
from models.classified import ClassifiedModels, classified_models
from models.comparison import compare
from models.competing_description import competing_description
from models.competing_risks import cumulative_incidence
from models.decision import decision_curve
from models.decision_differences import decision_differences
from models.description import TableOne
from models.external_tests import ExternalTests, external_tests
from models.follow_up import FollowUp, follow_up
from models.gray import GrayTest, gray_test
from models.harmonisation import harmonisation
from models.hosmer_lemeshow import (
    HosmerLemeshow,
    HosmerLemeshowTests,
    hosmer_lemeshow,
    hosmer_lemeshow_tests,
)
from models.log_rank import LogRank, log_rank
from models.optimism import Optimism, logistic_optimism
from models.reclassification import (
    Reclassification,
    Reclassifications,
    reclassification,
    reclassifications,
)
from models.regression_tables import RegressionTable
from models.repeatability import repeatability
from models.resample_counts import bootstrap_counts
from models.restricted_mean import RestrictedMean, restricted_mean
from models.roc import roc_curve
from models.roc_curves import roc_curves
from models.signature import Signature
from models.subgroups import subgroups
from models.survival_curves import kaplan_meier
from models.survival_description import survival_summary
from models.updating import updating
from omics.bland_altman import bland_altman
from omics.centres import with_centre
from omics.harmonise import ComBat
from omics.mask_agreement import MaskAgreement, mask_agreement
from omics.mofa import FactorModel
from omics.reliability import ReliabilityFilter
from omics.saved_factors import SavedFactors
from reports.blocks import Block, Figure, FigureGrid, Section, Table, Text
from reports.html import render
from reports.jupyter import DRAWN
from reports.methods import methods_text
from reports.report import write_report
from reports.results import Results
from reports.sections import page_of
from reports.study import compute, load_cohort
from reports.study_file import read_study
from reports.tables import (
    TableRows,
    digits_of,
    format_estimate,
    format_number,
    format_p_value,
    format_percent,
    table_rows,
)
from tests.made_extraction import made_extraction
from tests.made_up_tables import HOSTILE
from tests.small_study import SmallStudy, binary_study, small_study

TABLES_ALONE = (
    *(
        RegressionTable,
        Optimism,
        HosmerLemeshow,
        HosmerLemeshowTests,
        MaskAgreement,
    ),
    *(Reclassification, Reclassifications),
    *(TableOne, FollowUp, RestrictedMean, LogRank, GrayTest),
    *(ExternalTests, Classification, ClassifiedModels),
)
FACTORS = {
    "views": ["radiomics"],
    "n_factors": 2,
    "stability": {"bootstraps": 3, "starts": 2},
    "choose": {"grid": [1, 2], "folds": 2},
    "transductive": True,
}
MODELS: list[dict[str, Any]] = [
    {
        "name": "Clinical",
        "kind": "cox",
        "predictors": ["clinical:Age", "clinical:Sex"],
        "splines": {"clinical:Age": 3},
        "ridge": 2.5,
        "nomogram": True,
    },
    {"name": "Factors", "kind": "cox", "predictors": ["clinical:Age", "factors:*"]},
]


def survival(folder: Path) -> SmallStudy:
    """Two Cox models, one on factors; two centres, one of them external; some ages unknown."""
    study = small_study(folder)
    clinical = study.tables["clinical"]
    clinical["Centre"] = np.where(np.arange(len(clinical)) % 4 == 0, "B", "A")
    clinical["Grade"] = clinical["Grade"].astype(float).where(np.arange(len(clinical)) > 2)
    radiomics, rng = study.tables["radiomics"], np.random.default_rng(0)
    for columns in (radiomics.columns[1:6], radiomics.columns[6:]):  # two factors to be found
        shared = rng.normal(size=(len(radiomics), 1))
        radiomics[columns] = 0.5 * radiomics[columns] + shared
    study.content["cohorts"] = {
        "column": "clinical:Centre",
        "development": "A",
        "external": ["B"],
    }
    study.content["factors"] = FACTORS
    study.content["models"] = MODELS
    study.content["validation"] = {
        "cross_validation": {"folds": 3, "repeats": 2},
        "bootstrap": 4,
        "draws": 20,
    }
    return study


def computed(study: SmallStudy) -> Results:
    read = read_study(study.write())
    return compute(read, load_cohort(read), n_jobs=1)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return computed(survival(tmp_path_factory.mktemp("survival")))


@pytest.fixture(scope="module")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return computed(binary_study(tmp_path_factory.mktemp("binary")))


@pytest.fixture(scope="module")
def folder(results: Results, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("report") / "out"
    write_report(results, place)
    return place


def csv(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder / "tables" / f"{name}.csv")


def section(results: Results, name: str) -> Section:
    sections = [part for one in page_of(results).sections for part in (one, *one.sections)]
    return next(part for part in sections if part.id == name)


def tables(part: Section) -> dict[str, TableRows]:
    """Every table of a section as the page prints it, by title."""
    return {
        block.title.rstrip("."): block.table
        if isinstance(block.table, TableRows)
        else table_rows(block.table)
        for block in part.blocks
        if isinstance(block, Table)
    }


def cell(table: TableRows, row: str, column: str, *, group: str = "") -> str:
    """Return one cell by the words of its row, of the heading above it, and of its column."""
    heading = ""
    for position, cells in enumerate(table.rows):
        if position in table.groups:
            heading = cells[0]
        elif cells[0].strip() == row and heading == group:
            return cells[table.header.index(column)]
    raise AssertionError(f"no row {group!r} {row!r}")


def drawings(blocks: Iterator[Block] | list[Block]) -> Iterator[Figure]:
    for block in blocks:
        if isinstance(block, FigureGrid):
            yield from block.panels
        elif isinstance(block, Figure):
            yield block


def test_every_section_is_there(results: Results) -> None:
    page = page_of(results)
    assert [part.id for part in page.sections] == [
        *("findings", "flow", "table-one", "missing", "volume", "survival", "factors"),
        *("factor-quality", "models", "comparison", "assumptions", "methods", "session"),
    ]
    assert [part.title for part in page.sections[8].sections] == ["Clinical", "Factors"]
    shown = {
        block.title.partition(",")[0].rstrip(".")
        for block in section(results, "model-1").blocks
        if isinstance(block, Figure | FigureGrid | Table)
    }
    assert shown == {
        *("Ratios with their intervals", "Coefficients", "Nomogram", "Calibration"),
        *("Discrimination and accuracy", "Calibration in figures", "Decision curves"),
        *("Survival by risk group", "Survival of the risk groups"),
        *("Optimism", "Each predictor alone and beside the others"),
        "Standard errors in external cohorts",
        "Net benefit and net interventions avoided by 24 months",
    }


def test_flow_is_that_of_the_file(results: Results, folder: Path) -> None:
    printed, written = tables(section(results, "flow"))["Tables and patients"], csv(folder, "flow")
    for name, matched, absent in written[["table", "matched", "absent"]].itertuples(index=False):
        assert cell(printed, name, "Matched") == f"{matched}"
        assert cell(printed, name, "Absent") == f"{absent}"


def test_the_regression_table_is_that_of_the_file(results: Results, folder: Path) -> None:
    printed = tables(section(results, "model-1"))["Each predictor alone and beside the others"]
    written = csv(folder, "regression_Clinical")
    alone = written[written["analysis"] == "univariable"].reset_index(drop=True)
    assert len(printed.rows) == len(alone)
    for position, row in alone[alone["kind"].isin(["number", "level"])].iterrows():
        cells = printed.rows[int(str(position))]
        assert cells[1] == f"{row['n_patients']:.0f} ({row['n_events']:.0f})"
        assert cells[2].startswith(f"{row['estimate']:.2f} ({row['lower']:.2f}")


def test_table_one_is_that_of_the_file(results: Results, folder: Path) -> None:
    (printed,) = tables(section(results, "table-one")).values()
    written = csv(folder, "table_one")
    assert printed.header == ("Characteristic", "Development (n = 45)", "B (n = 15)", "SMD")
    for row in written[written["group"] == "development"].to_dict("records"):
        if isinstance(row["level"], str) or not np.isnan(row["level"]):
            words = f"{row['count']:.0f} ({format_percent(row['share'])})"
            level = str(row["level"]).removesuffix(".0")
            group = row["column"].removeprefix("clinical:")
            assert cell(printed, level, printed.header[1], group=group) == words
        else:
            name = row["column"].removeprefix("clinical:")
            shown = cell(printed, f"{name}, median (quartiles)", printed.header[1])
            assert shown.startswith(format_number(row["median"], digits=1))
    beside = {cells[0].partition(",")[0]: cells[-1] for cells in printed.rows if cells[-1]}
    for row in csv(folder, "table_one_differences").itertuples():
        name = str(row.column).removeprefix("clinical:")
        assert beside.pop(name) == format_number(float(str(row.difference)), digits=2)
    assert not beside


def test_missing_shares_are_percentages_of_the_file(results: Results, folder: Path) -> None:
    printed = tables(section(results, "missing"))["Missing values"]
    row = csv(folder, "missing").query("feature == 'Grade'").iloc[0]
    assert cell(printed, "Grade", "Patients concerned") == f"{row['n_missing']}" == "3"
    assert cell(printed, "Grade", "Of development") == format_percent(row["development"], digits=1)
    assert cell(printed, "Grade", "Of external") == format_percent(row["external"], digits=1)
    assert [cells[0] for cells in printed.rows] == ["Grade"]  # columns without a gap are not listed


def test_volume_is_that_of_the_file(results: Results, folder: Path) -> None:
    part, written = section(results, "volume"), csv(folder, "volume_surrogates")
    assert list(written) == [
        *("feature", "feature_class", "volume", "correlation", "lower", "upper", "level"),
        *("n_patients", "surrogate"),
    ]
    assert len(written) == 9
    strongest = written.loc[written["correlation"].abs().idxmax()]
    first = tables(part)["Features that go most with volume"].rows[0]
    limits = strongest[["correlation", "lower", "upper"]].astype(float)
    assert first[0] == strongest["feature"].removeprefix("radiomics:")
    assert first[2] == format_estimate(*limits, digits=2)
    assert first[3] == str(strongest["n_patients"]) == "45"  # development patients
    (text,) = [block.text for block in part.blocks if isinstance(block, Text)]
    assert text.startswith(f"{written['surrogate'].sum()} of 9 features")
    assert "Volume. Each radiomics feature was compared" in methods_text(results)


def test_factors_show_variance_loadings_and_associations(results: Results, folder: Path) -> None:
    part = section(results, "factors")
    variance = csv(folder, "variance_explained")
    heat = next(iter(drawings(list(part.blocks)))).figure.data[0]
    np.testing.assert_allclose(heat.z[0], 100 * variance.query("factor != 'all'")["r2"])
    loadings = csv(folder, "loadings")
    top = next(figure for figure in drawings(list(part.blocks)) if figure.title == "F1")
    largest = loadings.query("factor == 'F1'")["loading"].abs().max()
    assert abs(top.figure.data[0].x[0]) == pytest.approx(largest)
    printed = tables(part)["The twenty strongest associations"]
    first = csv(folder, "associations").sort_values("p_value").iloc[0]
    assert printed.rows[0][0] == first["factor"].removeprefix("factors:")
    assert printed.rows[0][1] == first["column"].partition(":")[2]
    assert format_p_value(first["p_value"]) in printed.rows[0]


def test_quality_of_factors_is_that_of_the_files(results: Results, folder: Path) -> None:
    part = section(results, "factor-quality")
    rows = {block.title: block.table for block in part.blocks if isinstance(block, Table)}
    stability = pd.read_csv(folder / "tables" / "factor_stability.csv")
    found = rows["Factors found again."]
    assert isinstance(found, pd.DataFrame)
    assert found["verdict"].tolist() == stability["verdict"].tolist()
    assert found["found again"].tolist() == list(map(format_percent, stability["share"]))
    assert found["refits"].tolist() == stability["refits"].tolist()
    assert set(found["used_by"]) == {"Factors"}
    refits = pd.read_csv(folder / "tables" / "factor_stability_refits.csv")
    assert len(refits) == (3 + 2) * 2
    numbers = pd.read_csv(folder / "tables" / "n_factors.csv").query("view == 'all'")
    shown = rows["Error of hidden values, all views."]
    assert isinstance(shown, pd.DataFrame)
    np.testing.assert_allclose(shown["error"], numbers["error"])
    assert "the study's" in shown.query("n_factors == 2")["choice"].item()
    optimism = pd.read_csv(folder / "tables" / "transductive.csv").query("metric == 'c_index'")
    side = rows["Inductive and transductive factors."]
    assert isinstance(side, pd.DataFrame)
    assert side["validation"].tolist() == ["Cross-validated", "External (B)"]
    assert side["inductive"].tolist() == list(map(format_number, optimism["inductive"]))
    assert side["transductive"].tolist() == list(map(format_number, optimism["transductive"]))
    headline = results.performance.estimate("Factors", "c_index", validation="cross_validated")
    assert optimism["inductive"].iloc[0] == pytest.approx(headline.estimate)  # it stays inductive
    words = [block.text for block in part.blocks if isinstance(block, Text)]
    assert "Every figure elsewhere in this report is inductive" in words[0]


def test_information_is_told_by_cohort_and_by_views(results: Results, folder: Path) -> None:
    by_cohort = pd.read_csv(folder / "tables" / "factor_information.csv")
    assert results.factors is not None
    information = results.factors.information.loc[results.cohort.external["B"].X.index]
    row = by_cohort.query("cohort == 'B' and factor == 'F1'").iloc[0]
    assert row["median"] == pytest.approx(information["factors:F1"].median())
    assert row["n_low"] == (information["factors:F1"] < 0.2).sum()
    by_views = pd.read_csv(folder / "tables" / "factor_information_by_views.csv")
    assert set(by_views["views"]) == {"radiomics"}
    mean = by_views.query("cohort == 'B' and factor == 'F2'")["mean"].item()
    assert mean == pytest.approx(information["factors:F2"].mean())


def test_methods_say_how_factors_were_tried(results: Results) -> None:
    text = methods_text(results)
    assert "refitted to 3 bootstrap samples of the patients and from 2 disturbed starts" in text
    assert "1, 2 factors were compared by 2-fold cross-validation over observed values" in text
    assert "Headline figures are inductive." in text


@pytest.mark.parametrize(("number", "name"), [(1, "Clinical"), (2, "Factors")])
def test_every_performance_figure_is_that_of_the_file(
    results: Results, folder: Path, number: int, name: str
) -> None:
    shown = tables(section(results, f"model-{number}"))
    parts = [shown["Discrimination and accuracy"], shown["Calibration in figures"]]
    printed = sorted(
        text for part in parts for cells in part.rows for text in cells[1:] if text not in ("", "–")
    )
    written = csv(folder, "performance").query("model == @name")
    assert sorted(performance_cells(written)) == printed
    one = written.query("validation == 'external' and metric == 'auc' and horizon == 24")
    where = {"group": "By 24 months"}
    assert [cell(parts[0], "AUC", "External: B", **where)] == performance_cells(one)


def performance_cells(written: pd.DataFrame) -> list[str]:
    return [
        format_estimate(row.estimate, row.lower, row.upper, digits=digits_of(row.metric))
        for row in written.itertuples()
        if not np.isnan(row.estimate)
    ]


def test_models_side_by_side_are_those_of_the_file(results: Results, folder: Path) -> None:
    part = section(results, "comparison")
    printed = tables(part)["Performance, development (out of fold)"]
    written = csv(folder, "performance").query("validation == 'cross_validated'")
    for model in ("Clinical", "Factors"):
        c_index = written.query("model == @model and metric == 'c_index'")
        assert [cell(printed, "C-index (Harrell)", model)] == performance_cells(c_index)
    figure = next(iter(drawings(list(part.blocks)))).figure
    chosen = csv(folder, "performance").query("metric == 'c_index'")
    drawn = [value for trace in figure.data for value in trace.x]
    np.testing.assert_allclose(sorted(drawn), sorted(chosen["estimate"]))


def test_several_models_have_decision_curves_without_bands(results: Results) -> None:
    def bands(name: str) -> int:
        blocks = section(results, name).blocks
        (grid,) = [b for b in blocks if isinstance(b, FigureGrid) and "Decision" in b.title]
        assert [panel.title for panel in grid.panels][:2] == [
            "Development, by 12 months",
            "Development, by 24 months",
        ]
        return sum("interval" in trace.name for p in grid.panels for trace in p.figure.data)

    assert bands("comparison") == 0
    assert bands("model-1") > 0


def test_coefficients_nomogram_and_curves_are_those_of_the_files(
    results: Results, folder: Path
) -> None:
    part = section(results, "model-1")
    coefficients = csv(folder, "coefficients_Clinical")
    printed = tables(part)["Coefficients"]
    assert [cells[0] for cells in printed.rows] == ["Age", "Age'", "Sex=male"]
    for cells, row in zip(printed.rows, coefficients.itertuples(), strict=True):
        assert cells[1] == format_number(row.coefficient)
        assert format_estimate(row.hazard_ratio, row.lower, row.upper, digits=2) in cells
    titled = [block for block in part.blocks if not isinstance(block, Text)]
    found = {block.title.partition(",")[0].rstrip("."): block for block in titled}
    ruler = next(t for t in found["Nomogram"].figure.data if t.name == "Sex" and t.mode != "lines")
    points = csv(folder, "nomogram_Clinical").query("axis == 'clinical:Sex'")["points"]
    np.testing.assert_allclose(ruler.x, points)
    calibration = csv(folder, "calibration").query(
        "model == 'Clinical' and validation == 'external' and horizon == 12"
    )
    panels = {panel.title: panel.figure for panel in found["Calibration"].panels}
    curve = next(t for t in panels["B, by 12 months"].data if t.name.startswith("Out of fold"))
    assert np.isin(np.round(curve.y, 9), np.round(calibration["observed"], 9)).all()
    points = next(t for t in panels["B, by 12 months"].data if t.name == "Groups")
    groups = csv(folder, "calibration_groups").query(
        "model == 'Clinical' and validation == 'external' and horizon == 12"
    )
    assert len(groups) == 5
    known = groups.dropna(subset=["observed"])
    np.testing.assert_allclose(points.y, known["observed"])
    np.testing.assert_allclose(points.error_y.array, known["upper"] - known["observed"])
    assert "Points: up to 5 groups" in found["Calibration"].caption
    survival_file = csv(folder, "survival").query("model == 'Clinical' and cohort == 'B'")
    steps = {panel.title: panel.figure for panel in found["Survival by risk group"].panels}["B"]
    low = [trace for trace in steps.data if trace.name == "Low risk" and trace.showlegend is None]
    np.testing.assert_allclose(low[0].y, survival_file.query("group == 0")["survival"])


def test_findings_and_failures_are_those_of_the_files(results: Results, folder: Path) -> None:
    text = unescape((folder / "report.html").read_text(encoding="utf-8"))
    for finding in csv(folder, "findings").itertuples():
        assert finding.message in text
    failed = tables(section(results, "session"))["Resamples that could not be fitted"]
    assert len(failed.rows) == len(csv(folder, "failed_resamples"))


def test_synthetic_patients_are_called_so(results: Results, folder: Path) -> None:
    assert page_of(results).banner.startswith("Synthetic data")
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "these patients were drawn by a computer" in text


def test_hostile_names_are_text_in_every_section(tmp_path: Path) -> None:
    study = binary_study(tmp_path)
    study.tables["clinical"] = study.tables["clinical"].rename(columns={"Age": HOSTILE})
    study.tables["clinical"]["Sex"] = study.tables["clinical"]["Sex"].replace("male", HOSTILE)
    study.content["tables"]["clinical"]["categories"]["Sex"] = ["female", HOSTILE]
    model = study.content["models"][0]
    model["name"] = HOSTILE
    model["predictors"] = [f"clinical:{HOSTILE}", "clinical:Sex"]
    study.content["study"]["title"] = HOSTILE
    document = render(page_of(computed(study)))
    body = re.sub(r"<script.*?</script>", "", document, flags=re.DOTALL)
    assert body.count("&lt;script&gt;") >= 15
    assert "<script" not in body
    assert "<a href=" not in re.sub(r'<a href="#[a-z0-9-]+">', "", body)


def test_methods_of_a_survival_study_state_its_settings(results: Results) -> None:
    text = methods_text(results)
    plan, factors = results.validation.plan, results.factors
    assert factors is not None
    ridge = results.validation.fitted["Factors"].pipeline.model.ridge_
    for words in (
        "Description. Groups of patients were compared by standardised mean differences",
        "Kaplan-Meier with 95% intervals on the log scale",
        "up to 24 months (restricted mean",
        "Risk groups were compared by the log-rank test and by differences of restricted means",
        "risks were predicted by 12, 24 months",
        "Development: 45 patients",
        "External validation: B, 15 patients",
        "The views radiomics (gaussian) were factorized",
        "2 factors",
        f"seed {factors.model.seed}",
        "Clinical. Cox regression (Efron's ties, Breslow's baseline), ridge penalty 2.5, on Age, "
        "Sex. Age entered as a restricted cubic spline with 3 knots.",
        f"Factors. Cox regression (Efron's ties, Breslow's baseline), ridge penalty {ridge:.4g} "
        "chosen by AIC with effective degrees of freedom",
        ", on Age, all factors.",
        "3-fold cross-validation, repeated 2 times",
        "Prespecified models (Clinical): optimism bootstrap with 4 resamples",
        "External cohorts were scored once",
        f"({plan.draws} draws)",
        "Harrell's C",
        f"nomomics {results.versions['nomomics']}",
    ):
        assert words in text
    session = section(results, "session").blocks[0]
    assert isinstance(session, Text)
    assert session.text.startswith("Seed 3.")


def test_methods_of_a_binary_study_state_its_settings(binary: Results) -> None:
    text = methods_text(binary)
    for words in (
        "= dead.",
        "Clinical. Logistic regression, without penalty, on Age, Sex.",
        "3-fold cross-validation, stratified by event",
        "ROC AUC, Brier score and IPA",
    ):
        assert words in text
    for words in (
        "Cox",
        "repeated",
        "factorized",
        "External",
        "optimism bootstrap",
        "Harrell",
        "Kaplan",
    ):
        assert words not in text


def test_a_binary_study_has_no_horizons_and_no_survival(binary: Results) -> None:
    part = section(binary, "model-1")
    for title, table in tables(part).items():
        by_cohort = title.startswith("Net benefit and net interventions avoided")
        assert table.groups == ((0,) if by_cohort else ())
    titles = {block.title for block in part.blocks if not isinstance(block, Text)}  # type: ignore[union-attr]
    assert {"Calibration, Development", "Decision curve, Development"} <= titles
    assert not any("Survival" in title for title in titles)


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InteractiveShell]:
    config = Config()
    config.HistoryManager.enabled = False
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # IPython's own
        patch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
        live = InteractiveShell(config=config)
        live.run_line_magic("load_ext", "reports")
        yield live


def saved_factors(results: Results) -> SavedFactors:
    assert results.factors is not None
    model, scores = results.factors.model, results.factors.scores
    return SavedFactors(
        factors=scores,
        groups=pd.Series("group1", index=scores.index),
        loadings=model.loadings_,
        variance_explained=model.variance_explained_.assign(group="group1"),
        likelihoods={},
        source="model.hdf5",
    )


def survival_by_hand(results: Results) -> list[Any]:
    y = results.cohort.y
    time, event, group = y["time"], y["event"], results.cohort.group
    cause = np.where(event, 1 + np.arange(len(y)) % 2, 0)
    return [
        kaplan_meier(time, event, group=group),
        cumulative_incidence(time, cause, group=group),
        survival_summary(time, event, horizons=[12], group=group),
        follow_up(time, event),
        restricted_mean(time, event, horizon=12, group=group),
        log_rank(time, event, group=group),
        gray_test(time, cause, group),
        competing_description(
            results.validation,
            replace(results.cohort, cause=pd.Series(cause, results.cohort.X.index)),
        ),
    ]


def cleaned_by_hand(results: Results) -> list[Any]:
    """Repeat and harmonise the study's radiomics, which its models do not ask for."""
    cohort = results.cohort
    mine = [name for name in cohort.X.columns if name.startswith("radiomics:")]
    again = cohort.development.X[mine] * 1.01
    repeats = ReliabilityFilter([again], form="ICC(A,1)", least=0.5)
    repeated = repeatability(repeats, cohort, plan=results.validation.plan)
    centre = pd.Series(np.arange(cohort.n_patients) % 2, index=cohort.X.index).astype(str)
    harmonised = harmonisation(
        with_centre(replace(cohort, centre=centre)),
        ComBat(["radiomics"], new_centre="refuse"),
        draws=20,
    )
    agreement = bland_altman(cohort.development.X[mine], again, names=mine)
    masks = mask_agreement(np.eye(4)[None] > 0, np.eye(4)[None, ::-1] > 0, spacing=(1, 1, 1))
    return [repeated, repeated.reliability, agreement, masks, harmonised, harmonised.prediction]


def drawn_results(results: Results) -> dict[type, Any]:
    event, risk = np.array([0, 0, 1, 0, 1, 1, 0, 1]), np.linspace(0.1, 0.8, 8)
    assert results.factors is not None
    quality = results.factor_quality
    assert quality is not None
    cohort = results.cohort.development
    signature = Signature(["radiomics:*"], rule="min", folds=3).fit(cohort.X, cohort.y)
    found = [
        results,
        results.cohort,
        results.table_one,
        results.survival,
        *survival_by_hand(results),
        results.factors.model,
        quality.stability,
        quality.held_out_error,
        quality.transductive,
        saved_factors(results),
        signature,
        made_extraction(12),
        results.volume_surrogates,
        *cleaned_by_hand(results),
        results.performance,
        compare(results.validation, results.cohort, reference="Clinical", thresholds=[0.3]),
        subgroups(results.validation, results.cohort, splits={"clinical:Sex": "levels"}),
        results.assumptions["Clinical"],
        results.regressions["Clinical"],
        results.nomograms["Clinical"],
        calibration_curve(event, risk),
        next(iter(results.performance.corrected_calibration["Clinical"].values())),
        logistic_optimism(
            np.tile(risk, 4)[:, np.newaxis],
            np.tile(event, 4),
            bootstrap_counts(32, resamples=9, seed=1),
        ),
        calibration_groups(event, risk, cut_points=[0, 0.5, 1]),
        results.grouped_calibration,
        hosmer_lemeshow(event, risk, fitted_here=False, groups=4),
        hosmer_lemeshow_tests(results.validation),
        reclassification(event, risk, risk**2),
        reclassifications(results.validation, reference="Clinical", categories=[0.4]),
        decision_curve(risk, event, thresholds=[0.2, 0.4]),
        decision_differences(results.validation, reference="Clinical", thresholds=[0.2, 0.3]),
        external_tests(results.validation, reference="Clinical"),
        roc_curve(event, risk),
        roc_curves(results.validation),
        classification(event, risk, thresholds=[0.3]),
        classified_models(results.validation, thresholds=[0.3]),
        updating(
            results.validation.fitted["Clinical"].pipeline,
            results.cohort.development.X,
            results.cohort.development.y,
            horizons=results.cohort.outcome.horizons,
            thresholds=[0.3],
            plan=replace(results.validation.plan, bootstrap=0),
        ),
    ]
    return {type(one): one for one in found}


def test_a_live_notebook_draws_every_result(shell: InteractiveShell, results: Results) -> None:
    found = drawn_results(results)
    assert set(found) == set(DRAWN)
    for kind, result in found.items():
        shown, _ = shell.display_formatter.format(result)
        frame = shown["text/html"]
        assert frame.startswith("<iframe"), kind
        inner = unescape(frame[frame.index('srcdoc="') + 8 : -len('"></iframe>')])
        assert 'data-framed="true"' in inner
        if kind in TABLES_ALONE:
            assert re.search(r"Table 1\.", inner)
            continue
        assert inner.count('class="plot"') >= 1, kind
        assert re.search(r"Figure 1\.", inner)


def test_a_live_notebook_leaves_what_is_not_fitted_to_scikit_learn(shell: InteractiveShell) -> None:
    shown, _ = shell.display_formatter.format(FactorModel())
    assert "<iframe" not in shown.get("text/html", "")  # scikit-learn's own picture
    assert shown["text/plain"].startswith("FactorModel")


def test_survival_of_cohorts_and_risk_groups_is_that_of_the_files(
    results: Results, folder: Path
) -> None:
    table = tables(section(results, "survival"))["Follow-up and survival"]
    summary = csv(folder, "survival_summary")
    for cohort, name in (("development", "Development"), ("B", "B")):
        rows = summary[summary["group"] == cohort].set_index("measure")
        assert cell(table, name, "Patients") == str(rows["n_patients"].iloc[0])
        wanted = [rows.loc["follow_up", column] for column in ("estimate", "lower", "upper")]
        assert cell(table, name, "Median follow-up (months)") == format_estimate(*wanted, digits=1)
        first = rows[rows.index == "survival"].iloc[0]
        wanted = [100 * first[column] for column in ("estimate", "lower", "upper")]
        header = f"Survival at {first['horizon']:g} months (%)"
        assert cell(table, name, header) == format_estimate(*wanted, digits=1)
    groups = tables(section(results, "model-1"))
    found = groups["Survival of the risk groups"]
    contrasts = csv(folder, "risk_group_contrasts").query(
        "model == 'Clinical' and cohort == 'development' and measure == 'difference'"
    )
    last = contrasts.iloc[-1]
    wanted = format_estimate(last["estimate"], last["lower"], last["upper"], digits=1)
    assert wanted in [row[-1] for row in found.rows]
