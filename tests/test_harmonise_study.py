"""Harmonisation from the study file to the report and to new patients."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from models.cox import CoxModel
from models.harmonisation import (
    centre_and_outcome,
    harmonisation,
    harmonisation_findings,
    refused_in_folds,
    study_harmonisation,
)
from models.one_resample import fit_each
from models.passport import read_passport
from models.passport_making import make_passport
from models.passport_text import passport_text
from models.pipeline import risk_pipeline
from models.plain import Writer
from models.resampling import repeated_k_fold
from models.validation import Plan, validate
from omics.centres import check_harmonised, with_centre
from omics.errors import StudyError
from omics.harmonise import ComBat
from omics.mofa_views import chosen_views
from reports import analyse, load_cohort, read_study
from reports.about import About
from reports.blocks import Text
from reports.jupyter import drawn
from reports.study import build_pipelines
from tests.small_study import FEATURES, SmallStudy, command, small_study

SITES = np.repeat(["North", "South", "West"], 20)


def harmonised_study(folder: Path, **section: Any) -> SmallStudy:
    """Three centres of 20 patients, each with a shift and a scale of its own."""
    study = small_study(folder)
    rng = np.random.default_rng(2)
    order = rng.permutation(60)
    sites = SITES[order]
    study.tables["clinical"]["Site"] = sites
    number = np.searchsorted(["North", "South", "West"], sites)
    radiomics = study.tables["radiomics"]
    for name in FEATURES:
        shift, scale = rng.normal(size=3), np.exp(0.3 * rng.normal(size=3))
        radiomics[name] = (radiomics[name] * scale[number] + shift[number]).round(5)
    study.content["centre"] = "clinical:Site"
    study.content["harmonise"] = {
        "tables": ["radiomics"],
        "new_centre": "refuse",
        "covariates": ["clinical:Age"],
    } | section
    study.content["models"] = [
        {
            "name": "Radiomics",
            "kind": "cox",
            "predictors": ["clinical:Age", f"radiomics:{FEATURES[0]}", f"radiomics:{FEATURES[4]}"],
            "nomogram": True,
        },
        {"name": "Clinical", "kind": "cox", "predictors": ["clinical:Age"]},
    ]
    return study


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> SmallStudy:
    study = harmonised_study(tmp_path_factory.mktemp("harmonised"))
    result = study.run()
    assert result.exit_code == 0, result.output
    return study


def new_table(study: SmallStudy, **changed: Any) -> pd.DataFrame:
    clinical, radiomics = study.tables["clinical"], study.tables["radiomics"]
    table = clinical.merge(radiomics, on="ID").head(6).assign(**changed)
    return table.set_index("ID")


def test_the_report_tells_what_was_done(run: SmallStudy) -> None:
    page = (run.out / "report.html").read_text(encoding="utf-8")
    for text in (
        'id="harmonisation"',
        "Harmonisation. ComBat (parametric empirical Bayes, shift and scale)",
        "took the mark of 3 centres out of 10 features",
        "Patients of any other centre are refused",
        "preserving the effect of",
        "How well the centre is told from the features",
    ):
        assert text in page, text
    tests = pd.read_csv(run.out / "tables" / "harmonisation.csv")
    before, after = (tests[tests["stage"] == stage] for stage in ("before", "after"))
    assert (before["level_q"] < 0.05).sum() >= 7
    assert (after["level_q"] < 0.05).sum() == 0
    told = pd.read_csv(run.out / "tables" / "centre_prediction.csv").set_index(["metric", "stage"])
    assert told.loc[("auc", "before"), "estimate"] > 0.9
    assert told.loc[("auc", "after"), "estimate"] < 0.7
    centres = pd.read_csv(run.out / "tables" / "harmonisation_centres.csv")
    assert centres["n_patients"].tolist() == [20, 20, 20]
    assert set(centres["what"]) == {"harmonised"}


def test_the_centre_is_no_feature_of_the_report(run: SmallStudy) -> None:
    page = (run.out / "report.html").read_text(encoding="utf-8")
    assert "meta:centre" not in page
    table_one = pd.read_csv(run.out / "tables" / "table_one.csv")
    assert not table_one.astype(str).apply(lambda c: c.str.contains("meta")).to_numpy().any()


def test_a_passport_scores_a_patient_of_a_known_centre_as_the_study_did(run: SmallStudy) -> None:
    study = read_study(run.folder / "study.toml")
    cohort = load_cohort(study)
    passport = read_passport(run.out)
    scores = passport.score(new_table(run)).table.query("model == 'Radiomics'")
    combat = ComBat(["radiomics"], new_centre="refuse", covariates=["clinical:Age"])
    pipeline = risk_pipeline(
        ["clinical:Age", f"radiomics:{FEATURES[0]}", f"radiomics:{FEATURES[4]}"],
        CoxModel(),
        cleaning=[combat],
    ).fit(cohort.X, cohort.y)
    six = cohort.X.loc[list(scores["patient"])]
    np.testing.assert_allclose(
        scores["linear_predictor"], pipeline.linear_predictor(six), rtol=1e-10
    )
    one = passport.score(new_table(run).iloc[[3]]).table.query("model == 'Radiomics'")
    assert one["risk_12"].item() == scores["risk_12"].iloc[3]


def test_a_passport_asks_for_the_centre_under_the_names_it_may_have(run: SmallStudy) -> None:
    passport = read_passport(run.out)
    table = new_table(run)
    expected = passport.score(table).table["linear_predictor"]
    for name in ("meta:centre", "clinical:Site", "centre"):
        found = passport.score(table.rename(columns={"Site": name})).table
        pd.testing.assert_series_equal(found["linear_predictor"], expected)
    with pytest.raises(StudyError, match="missing column: clinical:Site"):
        passport.score(table.drop(columns="Site"))


def test_a_passport_says_that_its_formula_is_of_harmonised_values(run: SmallStudy) -> None:
    text = passport_text(read_passport(run.out))
    assert (
        "clinical:Site: the centre, for harmonisation; known are North, South, West; must" in text
    )
    assert "freed of the mark of their centre (North, South, West)" in text
    assert "Another centre is refused" in text


def test_a_passport_refuses_a_new_centre(run: SmallStudy) -> None:
    table = new_table(run)
    table.loc[table.index[0], "Site"] = "Oslo"
    with pytest.raises(StudyError, match="new centre: clinical:Site: 1 patients of 'Oslo'; known"):
        read_passport(run.out).score(table)
    path = run.folder / "new.csv"
    table.to_csv(path)
    result = command("score", run.out, path, "--out", run.folder / "scored.csv")
    assert result.exit_code == 2
    assert "Oslo" in result.output


def fitted_passport(cohort: Any, combat: ComBat) -> Any:
    pipeline = risk_pipeline([f"radiomics:{FEATURES[0]}"], CoxModel(), cleaning=[combat])
    validation = validate({"R": pipeline}, cohort, plan=Plan(folds=2, repeats=1, bootstrap=0))
    return make_passport(cohort, validation, title="t")


@pytest.fixture(scope="module")
def cohort(run: SmallStudy) -> Any:
    return load_cohort(read_study(run.folder / "study.toml"))


def wide(cohort: Any, **centre: str) -> pd.DataFrame:
    X = cohort.X.copy()
    return X.assign(**{"meta:centre": X["meta:centre"].astype(object).replace(centre)})


def test_a_passport_lets_a_new_centre_through_or_estimates_it(cohort: Any) -> None:
    there = (cohort.X["meta:centre"] == "West").to_numpy()
    through = fitted_passport(cohort, ComBat(["radiomics"], new_centre="pass_through"))
    scores = through.score(wide(cohort, West="Oslo"))
    caution = scores.differences.query("difference == 'new centre'")
    assert caution["severity"].tolist() == ["caution"]
    assert "20 patients of 'Oslo'" in caution["detail"].item()
    coefficient = through.models["R"].pipeline.model.coefficients["coefficient"].item()
    raw = cohort.X.loc[there, f"radiomics:{FEATURES[0]}"].to_numpy()
    predictor = scores.table["linear_predictor"].to_numpy()[there]
    assert np.ptp(predictor - coefficient * raw) < 1e-10

    combat = ComBat(["radiomics"], new_centre="estimate", least_patients=20)
    estimated = fitted_passport(cohort, combat)
    known = estimated.score(wide(cohort)).table["linear_predictor"]
    renamed = estimated.score(wide(cohort, West="Oslo")).table["linear_predictor"]
    np.testing.assert_allclose(renamed, known, rtol=1e-9)
    with pytest.raises(
        StudyError, match=r"19 patients of 'Oslo'; .* because 19 patients came, and 20 are needed"
    ):
        estimated.score(wide(cohort, West="Oslo").drop(index=cohort.X.index[there][0]))


def state(pipeline: Any) -> tuple[str, list[Any]]:
    """Write out everything that a fitted pipeline holds."""
    writer = Writer()
    steps = [step for _, step in pipeline.steps]
    return json.dumps(writer.write(steps, "steps")), [a.tolist() for a in writer.arrays.values()]


def test_held_out_patients_cannot_change_a_fold(cohort: Any) -> None:
    combat = ComBat(["radiomics"], new_centre="refuse", covariates=["clinical:Age"])
    pipelines = {
        "R": risk_pipeline([f"radiomics:{FEATURES[0]}"], CoxModel(), cleaning=[combat]),
    }
    parts = repeated_k_fold(cohort.y["event"], folds=3, repeats=1, seed=1)
    for part in parts:
        spoiled = cohort.X.copy()
        numbers = spoiled.select_dtypes("number").columns
        spoiled.iloc[part.held_out, spoiled.columns.get_indexer(numbers)] *= 50.0
        spoiled.iloc[part.held_out, spoiled.columns.get_loc("meta:centre")] = "West"
        other = replace(cohort, X=spoiled)
        once, again = (fit_each(pipelines, one.X, one.y, part, [])[0] for one in (cohort, other))
        assert state(once) == state(again)
        # and the table that was changed is one that would matter
        whole = [combat.fit(one.X).gamma_ for one in (cohort, other)]
        assert not np.allclose(*whole)


def test_a_centre_held_out_whole_is_counted(cohort: Any) -> None:
    tiny = cohort.centre.copy()
    tiny.iloc[:2] = "Tiny"
    other = with_centre(replace(cohort, centre=tiny))
    combat = ComBat(["radiomics"], new_centre="refuse")
    pipeline = risk_pipeline([f"radiomics:{FEATURES[0]}"], CoxModel(), cleaning=[combat])
    plan = Plan(folds=3, repeats=8, bootstrap=20, draws=20)
    validation = validate({"R": pipeline}, other, plan=plan)
    lost = np.isnan(validation.out_of_fold["R"].linear_predictor)
    assert 0 < lost.any(axis=1).sum() < 8
    assert (lost.sum(axis=1)[lost.any(axis=1)] == 2).all()
    assert not lost[:, 2:].any()
    failures = validation.failures.set_index("validation")
    assert 0 < failures.loc["optimism_corrected", "failed"] < 10
    reason = failures.loc["optimism_corrected", "reason"]
    assert "nobody of their centre, or of their level of a covariate" in reason
    found = harmonisation(other, combat, draws=20)
    said = {f.code: f.message for f in harmonisation_findings({"r": found}, other, validation)}
    assert (
        "2 patients have no prediction: everybody of their centre was held out"
        in said["centre_held_out"]
    )
    assert "Tiny: 2" in said["small_centres"]


def test_a_level_held_out_whole_is_not_said_to_be_a_centre(cohort: Any) -> None:
    sub = np.array(["a", "b"] * 30, dtype=object)
    sub[7] = "rare"
    other = replace(cohort, X=cohort.X.assign(**{"clinical:Sub": sub}))
    combat = ComBat(["radiomics"], new_centre="refuse", covariates=["clinical:Sub"])
    pipeline = risk_pipeline([f"radiomics:{FEATURES[0]}"], CoxModel(), cleaning=[combat])
    plan = Plan(folds=3, repeats=2, bootstrap=0, draws=20)
    validation = validate({"R": pipeline}, other, plan=plan)
    found = harmonisation(other, combat, draws=20)
    said = {f.code: f.message for f in harmonisation_findings({"r": found}, other, validation)}
    assert (
        "In 2 of 2 repeats of the cross-validation, up to 1 patient have no prediction: everybody "
        "of their level of 'clinical:Sub' was held out with them"
    ) in said["level_held_out"]
    assert "centre_held_out" not in said


def test_who_lost_a_centre_and_who_lost_a_level_are_counted_apart(cohort: Any) -> None:
    sub = np.array(["a", "b"] * 30, dtype=object)
    sub[7] = "rare"
    tiny = cohort.centre.copy()
    tiny.iloc[:2] = "Tiny"
    other = with_centre(replace(cohort, centre=tiny))
    other = replace(other, X=other.X.assign(**{"clinical:Sub": sub}))
    combat = ComBat(["radiomics"], new_centre="refuse", covariates=["clinical:Sub"])
    pipeline = risk_pipeline([f"radiomics:{FEATURES[0]}"], CoxModel(), cleaning=[combat])
    plan = Plan(folds=3, repeats=8, bootstrap=0, draws=20)
    validation = validate({"R": pipeline}, other, plan=plan)
    counts = refused_in_folds(validation, other)
    lost = np.isnan(validation.out_of_fold["R"].linear_predictor)
    assert counts["n_level"].tolist() == lost[:, 7].astype(int).tolist() == [1] * 8
    assert counts["n_centre"].tolist() == lost[:, :2].sum(axis=1).tolist()
    assert set(counts["n_centre"]) == {0, 2}
    assert counts["repeat"].tolist() == list(range(1, 9))
    found = study_harmonisation(validation, other)
    said = {f.code: f.message for f in harmonisation_findings(found, other, validation)}
    n = int((counts["n_centre"] > 0).sum())
    assert (
        f"In {n} of 8 repeats of the cross-validation, up to 2 patients" in said["centre_held_out"]
    )
    assert "In 8 of 8 repeats" in said["level_held_out"]
    (table,) = [b for b in drawn(found["radiomics"]).blocks if "refused" in getattr(b, "title", "")]
    assert table.table.to_numpy().tolist() == [["R", f"2 ({n} of 8)", "1 (8 of 8)"]]


def test_reasons_of_one_table_are_told_apart(cohort: Any) -> None:
    X = cohort.X.assign(**{"clinical:Sub": ["a", "b"] * 30})
    fitted = ComBat(["radiomics"], new_centre="refuse", covariates=["clinical:Sub"]).fit(X)
    new = X.assign(**{"clinical:Sub": ["rare", "rare", "a", *["b"] * 57]})
    new["meta:centre"] = ["Oslo", *X["meta:centre"][1:2], "Oslo", *X["meta:centre"][3:]]
    assert fitted.refusals(new).tolist() == ["centre", "covariate", "centre", *[""] * 57]
    with pytest.raises(ValueError, match=r"2 of 60 are of others: 'Oslo' \(2\)") as error:
        fitted.transform(new)
    assert "'clinical:Sub' is not in 1 of 60 (first: 'rare')" in str(error.value)


def test_factors_of_every_view_leave_the_centre_out(cohort: Any) -> None:
    assert "meta" not in chosen_views(cohort.X.columns, None)


def test_a_centre_that_training_patients_lack_has_no_prediction(cohort: Any) -> None:
    pipeline = risk_pipeline(
        [f"radiomics:{FEATURES[0]}"],
        CoxModel(),
        cleaning=[ComBat(["radiomics"], new_centre="refuse")],
    )
    there = (cohort.X["meta:centre"] == "West").to_numpy()
    fitted = pipeline.fit(cohort.X[~there], cohort.y[~there])
    found = fitted.linear_predictor(cohort.X)
    np.testing.assert_array_equal(np.isnan(found), there)
    np.testing.assert_array_equal(fitted.complete(cohort.X), ~there)
    assert np.isnan(fitted.risk(cohort.X[there], horizon=12)).all()


def test_models_that_read_no_such_table_are_not_harmonised(run: SmallStudy) -> None:
    passport = read_passport(run.out)
    assert passport.models["Clinical"].columns == ("clinical:Age",)
    assert "meta:centre" in passport.models["Radiomics"].columns


def test_an_external_cohort_of_a_new_centre(tmp_path: Path) -> None:
    study = harmonised_study(tmp_path, new_centre="refuse")
    followup = study.tables["followup"]
    west = study.tables["clinical"]["Site"] == "West"
    followup["Cohort"] = np.where(west, "Elsewhere", "Here")
    study.content["cohorts"] = {
        "column": "followup:Cohort",
        "development": "Here",
        "external": ["Elsewhere"],
    }
    result = study.check()
    assert result.exit_code == 2
    assert "[harmonise] external cohort 'Elsewhere'" in result.output.replace("\n", " ")
    study.content["harmonise"] |= {"new_centre": "estimate", "least_patients": 10}
    study.write()
    cohort = load_cohort(read_study(study.folder / "study.toml"))
    combat = read_study(study.folder / "study.toml").harmonise
    assert combat is not None
    found = harmonisation(cohort, combat.combat_of("radiomics"), draws=20)
    assert found.centres.query("cohort == 'Elsewhere'")["what"].tolist() == [
        "estimated from these patients together"
    ]
    codes = {finding.code for finding in harmonisation_findings({"radiomics": found}, cohort)}
    assert "harmonised_transductively" in codes
    study.content["harmonise"] = {"tables": ["radiomics"], "new_centre": "pass_through"}
    assert study.check().exit_code == 0


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"covariates": ["followup:Months"]}, "covariates must not name the outcome"),
        ({"covariates": ["clinical:Site"]}, "covariates must not name the centre"),
        ({"covariates": ["clinical:Agee"]}, "no column is named 'clinical:Agee'. Did you mean"),
        ({"tables": ["radiomic"]}, "Did you mean 'radiomics'"),
        ({"tables": ["followup"]}, "which no model reads"),
        ({"new_centre": "estimate"}, "least_patients must be given for new_centre 'estimate'"),
        ({"new_centre": "ignore"}, "new_centre"),
        ({"reference": "Nord"}, "reference must be a centre of two patients at least"),
        ({"parametrics": True}, "parametric"),
    ],
)
def test_mistakes_of_the_section_are_named(
    tmp_path: Path, section: dict[str, Any], message: str
) -> None:
    result = harmonised_study(tmp_path, **section).check()
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())


def two_tables(folder: Path, **section: Any) -> SmallStudy:
    """The radiomics of a study as two tables, of which each model reads one, the last both."""
    study = harmonised_study(folder, tables=["radiomics", "texture"], **section)
    whole = study.tables["radiomics"]
    study.tables["radiomics"] = whole[["ID", *FEATURES[:5]]]
    study.tables["texture"] = whole[["ID", *FEATURES[5:]]]
    described = study.content["tables"]["radiomics"]
    study.content["tables"]["texture"] = described | {"path": "texture.csv"}
    first, second = f"radiomics:{FEATURES[0]}", f"texture:{FEATURES[6]}"
    study.content["models"] = [
        {"name": "First", "kind": "cox", "predictors": [first]},
        {"name": "Second", "kind": "cox", "predictors": [second]},
        {"name": "Both", "kind": "cox", "predictors": [first, second]},
    ]
    return study


def test_each_table_is_harmonised_apart_and_only_where_it_is_read(tmp_path: Path) -> None:
    study = two_tables(tmp_path)
    pipelines = build_pipelines(read_study(study.write()))
    tables = {name: [step.tables for step in one.harmonised] for name, one in pipelines.items()}
    assert tables == {
        "First": [["radiomics"]], "Second": [["texture"]], "Both": [["radiomics"], ["texture"]]
    }  # fmt: skip
    result = study.run()
    assert result.exit_code == 0, result.output
    page = (study.out / "report.html").read_text(encoding="utf-8")
    for number in (1, 2):
        assert f'id="harmonisation-{number}"' in page
    assert page.count("took the mark of 3 centres out of 5 features of") == 4  # section, methods
    tests = pd.read_csv(study.out / "tables" / "harmonisation.csv")
    assert tests["feature"].nunique() == 10
    for name in ("harmonisation_centres", "centre_prediction"):
        table = pd.read_csv(study.out / "tables" / f"{name}.csv")
        assert table["table"].unique().tolist() == ["radiomics", "texture"]
    cohort = load_cohort(read_study(study.folder / "study.toml"))
    once = ComBat(["texture"], new_centre="refuse", covariates=["clinical:Age"]).fit(cohort.X)
    both = pipelines["Both"].fit(cohort.X, cohort.y).harmonised
    np.testing.assert_array_equal(both[1].gamma_, once.gamma_)
    passport = read_passport(study.out)
    assert not any(name.startswith("texture") for name in passport.models["First"].columns)


def test_a_table_that_is_named_twice_is_harmonised_once(tmp_path: Path) -> None:
    study = harmonised_study(tmp_path, tables=["radiomics", "radiomics"])
    (first, _) = build_pipelines(read_study(study.write())).values()
    assert len(first.harmonised) == 1
    study = two_tables(tmp_path / "two", covariates=[f"texture:{FEATURES[6]}"])
    words = " ".join(study.check().output.split())
    assert "covariates must not stand in a table that is harmonised" in words


def test_the_policy_has_no_default(tmp_path: Path) -> None:
    study = harmonised_study(tmp_path)
    del study.content["harmonise"]["new_centre"]
    result = study.check()
    assert result.exit_code == 2
    assert "new_centre" in result.output
    study = harmonised_study(tmp_path)
    del study.content["centre"]
    result = study.check()
    assert "[harmonise] is declared, but no centre is" in " ".join(result.output.split())


def test_centres_that_cannot_be_harmonised_are_said(cohort: Any) -> None:
    combat = ComBat(["radiomics"], new_centre="refuse")
    with pytest.raises(StudyError, match="two centres at least, but all 60 are of 'North'"):
        check_harmonised(
            with_centre(replace(cohort, centre=cohort.centre.map(lambda _: "North"))), combat
        )
    single = cohort.centre.copy()
    single.iloc[0] = "Alone"
    alone = with_centre(replace(cohort, centre=single))
    with pytest.raises(StudyError, match=r"1 of 4 have one \('Alone'\)"):
        check_harmonised(alone, combat)
    check_harmonised(alone, clone(combat).set_params(mean_only=True))
    single.iloc[0] = None
    with pytest.raises(StudyError, match="but 1 of 60 have none"):
        check_harmonised(with_centre(replace(cohort, centre=single)), combat)
    with pytest.raises(StudyError, match="the cohort has none"):
        with_centre(replace(cohort, centre=None))


def test_mutations_are_not_harmonised(cohort: Any) -> None:
    mutated = replace(cohort, kinds=cohort.kinds | {"radiomics": "mutations"})
    with pytest.raises(StudyError, match=r"'radiomics' holds mutations, .* must not be shifted"):
        check_harmonised(mutated, ComBat(["radiomics"], new_centre="refuse"))


def test_centre_and_outcome_by_hand() -> None:
    # 10 of 20 against 5 of 20: chi-squared 40 (10 * 15 - 10 * 5)^2 / (20 * 20 * 15 * 25)
    centre = np.repeat(["A", "B"], 20)
    event = np.r_[np.arange(20) < 10, np.arange(20) < 5]
    found = centre_and_outcome(centre, event)
    assert found["cramers_v"] == pytest.approx(np.sqrt(100**2 / (20 * 20 * 15 * 25)))
    assert np.isnan(centre_and_outcome(centre, np.ones(40, dtype=bool))["cramers_v"])


def test_findings_name_what_is_confounded_and_small(cohort: Any) -> None:
    order = np.argsort(cohort.y["time"])
    sorted_centre = cohort.centre.copy()
    sorted_centre.iloc[order] = np.repeat(["A", "B", "C"], [15, 25, 20])
    confounded = with_centre(replace(cohort, centre=sorted_centre))
    found = harmonisation(confounded, ComBat(["radiomics"], new_centre="refuse"), draws=20)
    findings = {f.code: f.message for f in harmonisation_findings({"r": found}, confounded)}
    assert "Cramer's V" in findings["centre_and_outcome"]
    assert "(A: 15)" in findings["small_centres"]
    assert list(harmonisation_findings({}, cohort)) == []


def test_why_the_centre_cannot_be_told_is_said(cohort: Any) -> None:
    first = cohort.X.index[(cohort.X["meta:centre"] == "North")][0]
    scanner = (cohort.X["meta:centre"] == "North").astype(float)
    scanner[first] = 0.0  # alone: without this patient it follows from the centre
    other = replace(cohort, X=cohort.X.assign(**{"clinical:Scanner": scanner}))
    combat = ComBat(["radiomics"], new_centre="refuse", covariates=["clinical:Scanner"])
    found = harmonisation(other, combat, draws=20)
    assert found.prediction is None
    said = [block.text for block in drawn(found).blocks if isinstance(block, Text)]
    assert "was not estimated: harmonisation cannot be learned from the 48 patients" in said[-1]
    assert "'clinical:Scanner' follows from the centre" in said[-1]


def test_notebooks_draw_it(cohort: Any) -> None:
    found = harmonisation(cohort, ComBat(["radiomics"], new_centre="refuse"), draws=20)
    assert repr(found).startswith("Harmonisation(10 features of 60 patients at 3 centres, ")
    section = drawn(found)
    assert section.title == "Harmonisation"
    assert found.prediction is not None
    assert drawn(found.prediction).title == "Prediction of the centre"


def test_an_unknown_centre_is_told_with_the_column_of_the_study(tmp_path: Path) -> None:
    study = harmonised_study(tmp_path)
    study.tables["clinical"].loc[[0, 3], "Site"] = None
    result = command("check", study.write())
    assert result.exit_code == 2
    assert "2 of 60 have none in 'clinical:Site'. Fill it in" in result.stderr
    assert "meta" not in result.stderr


def test_an_analysis_by_hand_is_checked_too(cohort: Any) -> None:
    combat = ComBat(["radiomics"], new_centre="refuse")
    pipeline = risk_pipeline([f"radiomics:{FEATURES[0]}"], CoxModel(), cleaning=[combat])
    bare = replace(cohort, X=cohort.X.drop(columns="meta:centre"))
    plan = Plan(folds=2, repeats=1, bootstrap=0, draws=20)
    with pytest.raises(
        StudyError, match=r"as 'meta:centre', but lacks it\. Add it: omics\.centres\.with"
    ):
        analyse({"R": pipeline}, bare, plan=plan, about=About(title="t"))


def test_the_study_is_written_out(run: SmallStudy) -> None:
    document = json.loads((run.out / "study.json").read_text(encoding="utf-8"))
    assert document["study"]["harmonise"]["new_centre"] == "refuse"
