"""A model's assumptions, collected from its own tests; what is said of them, and where."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.assumptions import Assumptions, assumption_findings, assumptions
from models.boosting import BoostedModel
from models.cox import CoxModel
from models.influence import influence
from models.linearity import linearity_test
from models.logistic import LogisticModel
from models.pipeline import RiskPipeline, risk_pipeline
from models.pipeline_parts import Model
from models.proportional_hazards import proportional_hazards_test
from omics.cohort import Cohort
from omics.outcome import survival_outcome
from reports.assumption_sections import assumption_blocks, assumptions_section
from reports.blocks import Figure, FigureGrid, Page, Section, Table
from reports.figures.influence import draw_influence
from reports.figures.linearity import draw_linearity
from reports.figures.schoenfeld import draw_schoenfeld
from reports.html import render
from reports.output import write_output
from reports.output_tables import influence_table
from reports.results import Results
from reports.study import compute, load_cohort
from reports.study_file import read_study
from tests.made_cohorts import made_cohort, with_outcome, with_table
from tests.made_up_tables import HOSTILE
from tests.small_study import binary_study, small_study

PREDICTORS = ["clinical:Age", "clinical:Grade", "mri:f0"]


def fitted(cohort: Cohort, model: Model, predictors: list[str] | None = None) -> RiskPipeline:
    pipeline = risk_pipeline(predictors or PREDICTORS, model, missing="complete_case")
    return pipeline.fit(cohort.development.X, cohort.development.y)


def examined(cohort: Cohort, model: Model, predictors: list[str] | None = None) -> Assumptions:
    found = assumptions(fitted(cohort, model, predictors), cohort)
    assert found is not None
    return found


def codes(found: Assumptions) -> list[str]:
    return [finding.code for finding in assumption_findings("model", found)]


@pytest.mark.parametrize("ridge", [0.0, 5.0])
def test_everything_is_of_the_model_and_its_own_patients(ridge: float) -> None:
    cohort = made_cohort(200, missing=0.04, external=40)
    pipeline = fitted(cohort, CoxModel(ridge=ridge))
    found = assumptions(pipeline, cohort)
    assert found is not None
    X, y = cohort.development.X, cohort.development.y
    known = X["mri:f0"].notna().to_numpy()
    assert (~known).sum() > 0
    assert found.n_patients == known.sum() < 160
    matrix, model = pipeline.design_matrix(X).loc[known], pipeline.model
    assert isinstance(model, CoxModel)
    terms = {term.name: list(term.columns) for term in pipeline.design.terms_}
    hazards = proportional_hazards_test(model, matrix, y[known], terms=terms)
    assert found.hazards is not None
    assert found.linearity is not None
    pd.testing.assert_frame_equal(found.hazards.table, hazards.table)
    bends = linearity_test(model, matrix, y[known], terms=pipeline.design.terms_)
    pd.testing.assert_frame_equal(found.linearity.table, bends.table)
    moved = influence(model, matrix, y[known])
    rows = np.flatnonzero(known)
    assert found.influence.table["patient"].tolist() == rows[moved.table["patient"]].tolist()
    np.testing.assert_array_equal(found.influence.dfbetas, moved.dfbetas)
    assert found.parameters == 4
    assert found.events_per_parameter == y["event"][known].sum() / 4
    assert found.ridge == ridge
    assert (found.effective_parameters < 4) == (ridge > 0)
    table = found.by_term.set_index("term")
    assert list(table.index) == [*PREDICTORS, "GLOBAL"]
    assert table["df"].tolist() == [1, 2, 1, 4]
    assert table["bend_chi2"].notna().tolist() == [True, False, True, False]
    assert table["inflation"].isna().tolist() == [False, False, False, True]


def test_a_logistic_model_has_no_hazards() -> None:
    cohort = made_cohort(150, kind="binary")
    found = examined(cohort, LogisticModel())
    assert found.hazards is None
    assert found.drift is None
    assert found.by_term["term"].tolist() == PREDICTORS
    positive = cohort.development.y
    assert found.n_rarer == min(positive.sum(), (~positive).sum())
    assert found.influence.table["column"].iloc[0] == "clinical:Age"


def test_sample_sizes_by_hand() -> None:
    cohort = made_cohort(200)
    found = examined(cohort, CoxModel())
    time, event = cohort.development.y["time"], cohort.development.y["event"]
    share = event.mean()  # rate times mean follow-up
    largest = 1 - np.exp(2 * (share * np.log(share) - share))
    row = found.sample_size.set_index("basis").loc["share"]
    assert row["r_squared"] == pytest.approx(0.15 * largest, abs=1e-12)
    first = np.ceil(4 / ((0.9 - 1) * np.log(1 - 0.15 * largest / 0.9)))
    assert row["shrinkage"] == first
    assert row["enough"] == (row["n_patients"] <= 200)
    model = fitted(cohort, CoxModel()).model
    assert isinstance(model, CoxModel)
    ratio = 2 * (model.log_likelihood_[1] - model.log_likelihood_[0])
    own = found.sample_size.set_index("basis").loc["model", "r_squared"]
    assert own == pytest.approx((1 - np.exp(-ratio / 200)) * (1 - 4 / ratio), abs=1e-10)
    assert time.mean() > 0


def test_what_cannot_be_examined_is_none() -> None:
    cohort = made_cohort(100)
    assert assumptions(fitted(cohort, BoostedModel()), cohort) is None
    constant = with_table(cohort, cohort.X.assign(**{"clinical:Age": 50.0}))
    empty = fitted(constant, CoxModel(), ["clinical:Age"])
    assert assumptions(empty, constant) is None


@pytest.mark.filterwarnings("ignore::omics.errors.ConvergenceWarning")
def test_a_fit_that_has_not_converged_is_not_examined() -> None:
    cohort = made_cohort(100)
    assert assumptions(fitted(cohort, CoxModel(max_iterations=1)), cohort) is None


def test_many_terms_are_not_drawn_one_by_one() -> None:
    cohort = made_cohort(200, p=25)
    found = examined(cohort, CoxModel(ridge=20.0), ["mri:*", "rna:*"])
    assert found.drift is None
    assert found.linearity is None
    assert len(found.by_term) == 51
    titles = [block.title for block in assumption_blocks(found) if isinstance(block, Table)]
    assert titles[0] == "Tests by term."


def test_what_is_not_tested_for_linearity_is_said_in_a_few_words() -> None:
    cohort = made_cohort(200)
    scores = np.random.default_rng(5).choice([60.0, 70, 80, 90, 100], 200)
    cohort = with_table(cohort, cohort.X.assign(**{"clinical:KPS": scores}))
    found = examined(cohort, CoxModel(), ["clinical:Age", "clinical:KPS"])
    table = next(block for block in assumption_blocks(found) if isinstance(block, Table))
    assert table.note == (
        "Not tested for linearity: KPS, too few distinct values for a spline (5)."
    )
    all_tested = assumption_blocks(examined(cohort, CoxModel()))
    table = next(block for block in all_tested if isinstance(block, Table))
    assert table.note == ""


def test_a_sound_model_has_no_finding() -> None:
    cohort = made_cohort(1200, effect=1.5, seed=2)
    assert codes(examined(cohort, CoxModel())) == []


def test_each_violation_is_found() -> None:
    cohort = made_cohort(400, seed=3)
    x = cohort.X["mri:f0"].to_numpy()
    rng = np.random.default_rng(0)
    time = rng.exponential(np.exp(-(x**2))) + 0.01
    bent = with_outcome(cohort, survival_outcome(time, np.ones(400, dtype=bool)))
    assert "not_linear" in codes(examined(bent, CoxModel()))
    twin = cohort.X.assign(**{"mri:f1": x + 0.01 * rng.normal(size=400)})
    found = examined(with_table(cohort, twin), CoxModel(), ["mri:f0", "mri:f1"])
    assert "collinear" in codes(found)
    small = made_cohort(60, seed=1)
    assert "small_sample" in codes(examined(small, CoxModel()))
    outlier = cohort.X.copy()
    outlier.iloc[int(np.argmax(cohort.y["time"])), outlier.columns.get_loc("mri:f0")] = 60.0
    found = examined(with_table(cohort, outlier), CoxModel())
    [one] = [f for f in assumption_findings("m", found) if f.code == "one_patient"]
    assert "standard errors): check that patient's values" in one.message
    assert not any(patient in one.message for patient in cohort.X.index)


# the report -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    study = small_study(tmp_path_factory.mktemp("assumptions"))
    study.content["models"][0]["predictors"] = ["clinical:Age", "clinical:Sex", "clinical:Grade"]
    read = read_study(study.write())
    return compute(read, load_cohort(read), n_jobs=1)


def test_the_section_shows_every_part(results: Results) -> None:
    section = assumptions_section(results)
    [part] = section.sections
    assert part.title == "Clinical"
    titles = [b.title for b in part.blocks if isinstance(b, Table | Figure | FigureGrid)]
    assert titles == [
        *("Tests by term.", "Effects over time.", "Straight line or curve."),
        *("Influence of single patients.", "Left out in turn."),
        "Patients that a model of this size needs.",
    ]
    text = render(Page(title="", sections=(section,)))
    assert "Nothing here has changed a model" in text
    for patient in results.cohort.X.index:
        assert str(patient) not in text


def test_files_hold_what_the_page_shows_and_ids_only_in_private(
    results: Results, tmp_path: Path
) -> None:
    write_output(results, tmp_path, render=lambda _: "")
    written = pd.read_csv(tmp_path / "tables/assumptions_Clinical.csv")
    shown = results.assumptions["Clinical"].by_term
    for column in ("hazards_chi2", "bend_p_value", "inflation"):
        np.testing.assert_allclose(written[column], shown[column].astype(float))
    assert written["term"].tolist() == [
        *("clinical:Age", "clinical:Sex", "clinical:Grade", "GLOBAL")
    ]
    assert "patient" not in pd.read_csv(tmp_path / "tables/influence_Clinical.csv")
    private = pd.read_csv(tmp_path / "private/influence.csv")
    pd.testing.assert_frame_equal(private, influence_table(results))
    assert set(private["patient"]) <= set(results.cohort.X.index)
    large = results.assumptions["Clinical"].influence.table["n_large"].sum()
    assert len(private) == large


def test_it_can_be_left_out_and_is_of_logistic_models_too(tmp_path: Path) -> None:
    study = binary_study(tmp_path)
    read = read_study(study.write())
    found = compute(read, load_cohort(read), n_jobs=1)
    assert found.assumptions["Clinical"].hazards is None
    study.content["report"] = {"assumptions": False}
    read = read_study(study.write())
    assert compute(read, load_cohort(read), n_jobs=1).assumptions == {}


# the figures ------------------------------------------------------------------------------------


def test_schoenfeld_figure_says_what_its_tables_say() -> None:
    cohort = made_cohort(120)
    drift = examined(cohort, CoxModel()).drift
    assert drift is not None
    own = drift.residuals[drift.residuals["term"] == "clinical:Age"]
    curve = drift.curves[drift.curves["term"] == "clinical:Age"]
    fitted_value = drift.fitted["clinical:Age"]
    figure = draw_schoenfeld(own, curve, fitted=fitted_value, title="Log hazard ratio", unit="m<s")
    by_name = {trace.name: trace for trace in figure.data}
    np.testing.assert_allclose(by_name["Scaled residual of an event"].y, own["residual"], atol=1e-4)
    np.testing.assert_allclose(by_name["Over time (95% band)"].y, curve["estimate"])
    assert by_name["Model"].y == (fitted_value, fitted_value)
    assert figure.layout.xaxis.title.text == "Time (m&lt;s)"
    assert len(figure.layout.xaxis.tickvals) == len(figure.layout.xaxis.ticktext) >= 3
    bare = draw_schoenfeld(own, curve.iloc[:0], fitted=0.0, title="x")
    assert [trace.name for trace in bare.data] == ["Scaled residual of an event", "Model"]
    with pytest.raises(ValueError, match="residuals must have the columns"):
        draw_schoenfeld(own.drop(columns="time"), curve, fitted=0.0, title="x")


def test_linearity_figure_says_what_its_table_says() -> None:
    linearity = examined(made_cohort(120), CoxModel()).linearity
    assert linearity is not None
    curve = linearity.curves[linearity.curves["term"] == "mri:f0"]
    figure = draw_linearity(curve, title="Log hazard ratio", name="f0")
    by_name = {trace.name: trace for trace in figure.data}
    np.testing.assert_allclose(by_name["Spline (95% band)"].y, curve["estimate"])
    np.testing.assert_allclose(by_name["Straight line"].y, curve["line"])
    assert figure.layout.xaxis.title.text == "f0"


def test_influence_figure_colours_what_lies_beyond_the_limit_and_escapes_names() -> None:
    table = pd.DataFrame({HOSTILE: [0.5, 0.01, -0.15], "b": [0.0, 0.3, 0.12]})
    figure = draw_influence(table, limit=0.2)
    within, beyond = figure.data
    assert sorted(beyond.x) == [0.3, 0.5]
    assert sorted(within.x) == [-0.15, 0.12]
    assert "<" not in figure.layout.yaxis.ticktext[0].replace("<br>", "")
    assert sorted(shape.x0 for shape in figure.layout.shapes) == [-0.2, 0.0, 0.2]


def test_hostile_names_are_text() -> None:
    cohort = made_cohort(80)
    name = f"mri:{HOSTILE}"
    table = cohort.X.rename(columns={"mri:f0": name})
    found = examined(with_table(cohort, table), CoxModel(), ["clinical:Age", name])
    assert name in found.by_term["term"].tolist()
    section = Section(id="a", title=HOSTILE, blocks=list(assumption_blocks(found)))
    assert HOSTILE not in render(Page(title="", sections=(section,)))
