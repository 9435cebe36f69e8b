"""The filter of badly repeated features in pipelines, studies, reports and passports."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest

from models.cox import CoxModel
from models.passport import read_passport, write_passport
from models.passport_making import make_passport
from models.pipeline import RiskPipeline, risk_pipeline
from models.repeatability import repeatability_findings, study_repeatability
from models.resampling import repeated_k_fold
from models.signature import Signature
from models.validation import Plan, validate
from omics.centres import with_centre
from omics.cohort import Cohort
from omics.errors import FitError, StudyError
from omics.harmonise import ComBat
from omics.mofa import FactorModel
from omics.reliability import ReliabilityFilter
from omics.stability import FactorStability, factor_stability
from reports.blocks import Figure, FigureGrid, Table, Text
from reports.figures.reliability import draw_reliability
from reports.jupyter import drawn as shown
from reports.methods import methods_text
from reports.repeatability_sections import repeatability_section, repeatability_text
from reports.report import write_report
from reports.results import Results
from reports.sections import page_of
from reports.study import build_pipelines, compute, load_cohort
from reports.study_file import Study, parse_study, read_study
from reports.tables import TableRows
from tests.made_cohorts import learned_states, made_cohort, with_table
from tests.small_study import FEATURES, SmallStudy, small_study

PLAN = Plan(folds=3, repeats=2, bootstrap=0, draws=20, seed=1)
N_REPEATED = 50
NOISY = [f"mri:f{j}" for j in (2, 5, 7)]


def repeats_of(X: pd.DataFrame, noisy: list[str], *, view: str = "mri") -> pd.DataFrame:
    """A second reader of the first patients, who measures some features badly."""
    rng = np.random.default_rng(8)
    columns = [name for name in X.columns if name.startswith(f"{view}:")]
    second = X.loc[X.index[:N_REPEATED], columns]
    second = second + 0.05 * rng.normal(size=second.shape)
    return second.assign(**{name: rng.normal(size=len(second)) for name in noisy})


def filter_of(X: pd.DataFrame, **settings: Any) -> ReliabilityFilter:
    wanted: Any = {"form": "ICC(A,1)", "least": 0.75, **settings}
    return ReliabilityFilter([repeats_of(X, NOISY)], **wanted)


def filtered_pipelines(X: pd.DataFrame) -> dict[str, RiskPipeline]:
    cleaning = [filter_of(X)]
    return {
        "Columns": risk_pipeline(["clinical:Age", "mri:*"], CoxModel(ridge=1.0), cleaning=cleaning),
        "Signature": risk_pipeline(
            ["signature:Radscore"],
            CoxModel(),
            cleaning=cleaning,
            signatures=[Signature(["mri:*"], rule="min", folds=3)],
        ),
        "Factors": risk_pipeline(
            ["factors:*"],
            CoxModel(ridge=1.0),
            cleaning=cleaning,
            factors=FactorModel(views=["mri"], n_factors=2),
        ),
    }


def test_models_signatures_and_factors_see_only_what_is_kept() -> None:
    cohort = made_cohort(120)
    columns, signature, factors = filtered_pipelines(cohort.X).values()
    kept = [f"mri:f{j}" for j in range(12) if f"mri:f{j}" not in NOISY]
    columns.fit(cohort.X, cohort.y)
    assert list(columns.design_matrix(cohort.X).columns) == ["clinical:Age", *kept]
    assert columns.cleaned(cohort.X).shape[1] == cohort.X.shape[1] - len(NOISY)
    signature.fit(cohort.X, cohort.y)
    assert not set(signature.signatures[0].coef_["feature"]) & set(NOISY)
    factors.fit(cohort.X, cohort.y)
    assert factors.factor_model is not None
    assert list(factors.factor_model.features_) == kept
    for pipeline in (columns, signature, factors):
        assert not pipeline.prespecified
        np.testing.assert_allclose(
            pipeline.linear_predictor(cohort.X.drop(columns=NOISY)),
            pipeline.linear_predictor(cohort.X.assign(**dict.fromkeys(NOISY, 1e6))),
            rtol=1e-12,
            equal_nan=False,
        )


def test_held_out_patients_and_their_repeats_move_no_fold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Held-out rows, and the second reader's rows of the same patients, are changed before."""
    cohort = made_cohort(120)
    pipelines = {"Columns": filtered_pipelines(cohort.X)["Columns"]}
    parts = repeated_k_fold(cohort.y["event"], folds=3, repeats=1, seed=PLAN.seed)
    plan = Plan(folds=3, repeats=1, bootstrap=0, seed=PLAN.seed)
    before, found, _ = learned_without_repeats(monkeypatch, pipelines, cohort, plan)
    for part, there in zip(parts, found, strict=True):
        np.testing.assert_array_equal(part.train, there.train)
    first = parts[0]
    gone = cohort.X.index[first.held_out]
    X = cohort.X.copy()
    numbers = [name for name in X.columns if name.startswith("mri:")]
    X.loc[gone, numbers] = X.loc[gone, numbers] * 3 + 7
    (second,) = filter_of(cohort.X).repeats
    theirs = second.index.isin(gone)
    second.loc[theirs] = X.loc[second.index[theirs], numbers]
    second.loc[theirs, ["mri:f0", "mri:f1"]] = -100.0
    step = ReliabilityFilter([second], form="ICC(A,1)", least=0.75)
    other = {
        "Columns": risk_pipeline(["clinical:Age", "mri:*"], CoxModel(ridge=1.0), cleaning=[step])
    }
    after, _, _ = learned_without_repeats(monkeypatch, other, with_table(cohort, X), plan)
    assert after[first.name] == before[first.name]
    assert all(after[part.name] != before[part.name] for part in parts[1:])


def learned_without_repeats(
    monkeypatch: pytest.MonkeyPatch, pipelines: Any, cohort: Cohort, plan: Plan
) -> Any:
    """Give what each fold learned; the repeats that a filter was given are no part of it."""
    of_all = joblib.hash

    def of_learned(fits: Any) -> Any:
        return of_all(
            [[{k: v for k, v in step.items() if k != "repeats"} for step in fit] for fit in fits]
        )

    with monkeypatch.context() as patch:
        patch.setattr("tests.made_cohorts.joblib", SimpleNamespace(hash=of_learned))
        return learned_states(monkeypatch, pipelines, cohort, plan)


def test_fold_without_enough_repeats_is_counted_not_hidden() -> None:
    cohort = made_cohort(120)
    few = ReliabilityFilter(
        [repeats_of(cohort.X, NOISY).head(12)], form="ICC(A,1)", least=0.75, least_patients=9
    )
    pipeline = risk_pipeline(["mri:*"], CoxModel(ridge=1.0), cleaning=[few])
    failures = validate({"Few": pipeline}, cohort, plan=PLAN).failures
    assert 0 < failures["failed"].item() < failures["resamples"].item()
    assert "at least 9 patients with all readings" in failures["reason"].item()


def test_fold_whose_filter_keeps_nothing_to_harmonise_is_counted() -> None:
    cohort = made_cohort(120)
    site = pd.Series(np.array(["A", "B"])[np.arange(120) % 2], index=cohort.X.index)
    cohort = with_centre(replace(cohort, centre=site))
    noisy = [f"mri:f{j}" for j in range(12)]
    empty = ReliabilityFilter([repeats_of(cohort.X, noisy)], form="ICC(A,1)", least=0.75)
    combat = ComBat(["mri"], new_centre="refuse")
    pipeline = risk_pipeline(["mri:*"], CoxModel(ridge=1.0), cleaning=[empty, combat])
    assert [name for name, _ in pipeline.steps][:3] == ["cleaning 1", "named columns", "cleaning 2"]
    with pytest.raises(FitError, match=r"a filter left no column .* 'mri:\*'"):
        pipeline.fit(cohort.X, cohort.y)
    unread = risk_pipeline(["clinical:Age"], CoxModel(), cleaning=[empty, combat])
    with pytest.raises(FitError, match="no number of 'mri'"):  # counted, not fatal
        unread.fit(cohort.X, cohort.y)


def test_harmonisation_is_tried_on_what_the_filters_keep(tmp_path: Path) -> None:
    study = repeated_study(tmp_path)
    study.content["models"] = [study.content["models"][0] | {"predictors": ["radiomics:*"]}]
    study.tables["clinical"]["Site"] = np.repeat(["North", "South"], 30)
    study.content |= {
        "centre": "clinical:Site",
        "harmonise": {"tables": ["radiomics"], "new_centre": "refuse"},
    }
    rng = np.random.default_rng(3)
    second = study.tables["reader2"]
    second[list(FEATURES[1:])] = rng.normal(size=(len(second), len(FEATURES) - 1))
    result = study.check()
    assert result.exit_code == 2
    words = " ".join(result.output.split())
    assert "[harmonise] model 'Texture': ComBat learns from features together" in words
    assert "1 of 1 vary at every centre" in words


def test_column_that_is_named_and_dropped_is_an_error_in_words() -> None:
    cohort = made_cohort(120)
    pipeline = risk_pipeline(["mri:f2"], CoxModel(), cleaning=[filter_of(cohort.X)])
    with pytest.raises(FitError, match=r"no column that the model reads as 'mri:f2'\. Take it out"):
        pipeline.fit(cohort.X, cohort.y)


def test_passport_holds_no_repeats_and_asks_for_no_dropped_column(tmp_path: Path) -> None:
    cohort = made_cohort(120)
    pipelines = filtered_pipelines(cohort.X)
    plan = Plan(folds=2, repeats=1, bootstrap=0, seed=1)
    validation = validate(pipelines, cohort, plan=plan)
    passport = make_passport(cohort, validation, title="Made up", synthetic=True)
    write_passport(passport, tmp_path / "passport.zip")
    again = read_passport(tmp_path)
    assert not {column.name for column in again.columns} & set(NOISY)
    new = made_cohort(30, seed=4).X.drop(columns=NOISY)
    for name, frozen in again.models.items():
        fitted = validation.fitted[name].pipeline
        assert frozen.pipeline.cleaning[0].repeats is None
        np.testing.assert_allclose(
            frozen.pipeline.linear_predictor(new[list(frozen.columns)]),
            fitted.linear_predictor(new),
            rtol=1e-10,
        )
    scores = again.score(new).table
    assert set(scores["model"]) == set(pipelines)
    assert scores["linear_predictor"].notna().all()


def test_repeatability_counts_folds_that_kept_a_feature() -> None:
    cohort = made_cohort(120)
    pipelines = filtered_pipelines(cohort.X)
    (found,) = study_repeatability(pipelines, cohort, plan=PLAN).values()
    table = found.table.set_index("feature")
    assert not table.loc[NOISY, "kept"].any()
    assert found.n_kept == 9 == table["kept"].sum()
    assert (table["folds"] == 6).all()
    assert (table.loc[table["kept"], "folds_kept"] == 6).all()
    assert (table.loc[NOISY, "folds_kept"] == 0).all()
    assert repr(found).startswith("Repeatability(9 of 12 features kept, ICC(A,1) lower bound")
    codes = [one.code for one in repeatability_findings({"mri": found})]
    assert codes == ["features_filtered"]
    few = ReliabilityFilter(
        [repeats_of(cohort.X, NOISY).head(14)], form="ICC(A,1)", least=0.99, least_patients=2
    )
    pipeline = risk_pipeline(["mri:*"], CoxModel(ridge=1.0), cleaning=[few])
    (other,) = study_repeatability({"Few": pipeline}, cohort, plan=PLAN).values()
    told = {one.code: one for one in repeatability_findings({"mri": other})}
    assert "few_repeats" in told
    assert told["few_repeats"].message.startswith("14 patients have readings by all 2 readers")
    assert study_repeatability({}, cohort, plan=PLAN) == {}
    parted = made_cohort(120, external=80)
    (some,) = study_repeatability(pipelines, parted, plan=PLAN).values()
    assert some.n_unused == N_REPEATED - 40
    told = {one.code: one for one in repeatability_findings({"mri": some})}
    assert told["repeats_unused"].message.startswith("10 patients with repeats")


# the study file -------------------------------------------------------------------------------

NOISY_FEATURES = [FEATURES[5], FEATURES[9]]


def repeated_study(folder: Path) -> SmallStudy:
    """The small study with a second reader of 40 patients, who measures two features badly."""
    study = small_study(folder)
    first = study.tables["radiomics"]
    rng = np.random.default_rng(2)
    second = first.head(40).copy()
    second[list(FEATURES)] += 0.05 * rng.normal(size=(40, len(FEATURES)))
    second[NOISY_FEATURES] = rng.normal(size=(40, 2))
    study.tables["reader2"] = second
    study.content["repeatability"] = {
        "radiomics": {"readers": ["reader2.csv"], "form": "ICC(A,1)", "least": 0.75}
    }
    study.content["models"] = [
        {"name": "Texture", "kind": "cox", "predictors": ["radiomics:*"], "ridge": 1.0},
        {"name": "Clinical", "kind": "cox", "predictors": ["clinical:Age"]},
    ]
    return study


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    study = repeated_study(tmp_path_factory.mktemp("repeats"))
    read = read_study(study.write())
    return compute(read, load_cohort(read), n_jobs=1)


def test_models_that_read_the_table_get_the_filter(tmp_path: Path) -> None:
    study = read_study(repeated_study(tmp_path).write())
    pipelines = build_pipelines(study)
    assert [type(step) for step in pipelines["Texture"].cleaning] == [ReliabilityFilter]
    assert pipelines["Clinical"].cleaning == ()


def test_report_tells_what_was_kept(results: Results, tmp_path: Path) -> None:
    (part,) = repeatability_section(results.repeatability).sections
    assert part.title == "radiomics"
    text, figure, by_class, worst, differences = part.blocks
    assert isinstance(differences, FigureGrid)
    (found,) = results.repeatability.values()
    classes = found.table["feature_class"].drop_duplicates().tolist()
    typical = found.table.set_index("feature").loc[list(found.typical), "feature_class"]
    assert typical.tolist() == classes
    assert len(differences.panels) == len(classes)
    agreement = found.agreement.table
    assert (agreement["n_patients"] == 40).all()
    bias = agreement[agreement["what"] == "bias"].set_index("feature")["estimate"]
    assert bias[~bias.index.isin([f"radiomics:{n}" for n in NOISY_FEATURES])].abs().max() < 0.05
    assert isinstance(text, Text)
    assert "40 sets of readings of development patients, by 2 readers, ICC(A,1)" in text.text
    assert "at least 0.75: 8 of 10 are." in text.text
    assert isinstance(figure, Figure)
    assert figure.figure.layout.xaxis.title.text == "ICC(A,1)"
    assert isinstance(by_class, Table)
    assert isinstance(worst, Table)
    assert isinstance(worst.table, TableRows)
    assert {row[0] for row in worst.table.rows[:2]} == {
        name.removeprefix("radiomics:") for name in NOISY_FEATURES
    }
    assert "Repeatability. Features of radiomics were kept if the lower bound" in methods_text(
        results
    )
    assert "repeatability" in [section.id for section in page_of(results).sections]
    assert "features_filtered" in {finding.code for finding in results.findings}
    write_report(results, tmp_path / "out")
    table = pd.read_csv(tmp_path / "out" / "tables" / "repeatability.csv")
    assert len(pd.read_csv(tmp_path / "out" / "tables" / "bland_altman.csv")) == 30
    dropped = table.loc[~table["kept"], "feature"].tolist()
    assert dropped == [f"radiomics:{name}" for name in NOISY_FEATURES]
    assert set(results.coefficients["Texture"]["term"]) & set(dropped) == set()
    (reader,) = results.study["repeatability"]["radiomics"]["readers"]  # type: ignore[index]
    assert reader["path"] == "reader2.csv"
    assert "reader2.csv" in results.inputs["file"].tolist()
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "PAT-QX" not in page


def test_changed_copies_are_not_called_readers(tmp_path: Path) -> None:
    study = repeated_study(tmp_path)
    section_of(study)["form"] = "ICC(1)"
    study.tables["reader2"]["diagnostics_Perturbation"] = "{}"
    read = read_study(study.write())
    cohort = load_cohort(read)
    found = study_repeatability(build_pipelines(read), cohort, plan=PLAN)
    (part,) = repeatability_section(found).sections
    text, _, by_class, _, differences = part.blocks
    assert isinstance(text, Text)
    assert isinstance(by_class, Table)
    assert isinstance(differences, FigureGrid)
    assert (
        "of masks as drawn and 1 changed copy of each, which are no second reader, ICC(1) (the "
        "share of all variance that lies between patients)"
    ) in text.text
    assert "40 patients, 2 readings: medians" in by_class.caption
    assert differences.title == "Masks as drawn and their first copies."
    words = [text.text, by_class.caption, repeatability_text(found)]
    assert not any("by 2 readers" in one or "all readers" in one for one in words)


def test_notebook_draws_both(results: Results) -> None:
    (found,) = results.repeatability.values()
    assert shown(found).title == "Repeatability"
    assert shown(found.reliability).title == "Repeatability"


def test_figure_has_a_row_per_class_and_the_line_of_the_filter(results: Results) -> None:
    (found,) = results.repeatability.values()
    spread = found.reliability.spread
    figure = draw_reliability(spread, form="ICC(A,1)", least=0.75)
    medians = [trace for trace in figure.data if trace.name]
    assert [trace.name for trace in medians] == ["Estimate", "Lower bound"]
    classes = spread["feature_class"].drop_duplicates().tolist()
    assert list(figure.layout.yaxis.ticktext) == classes
    lower = spread[spread["what"] == "lower bound"]
    np.testing.assert_allclose(medians[1].x, lower["median"])
    assert figure.layout.shapes[0].x0 == 0.75


def spoiled(change: Callable[[SmallStudy], object], tmp_path: Path) -> None:
    study = repeated_study(tmp_path)
    change(study)
    read = read_study(study.write())
    load_cohort(read)


def section_of(study: SmallStudy) -> dict[str, Any]:
    found: dict[str, Any] = study.content["repeatability"]["radiomics"]
    return found


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: section_of(s).update(form="ICC(2,1)"), "form"),
        (lambda s: section_of(s).update(least=75), "least"),
        (lambda s: section_of(s).update(reader="x.csv"), "readers"),
        (lambda s: section_of(s).update(readers=["nobody.csv"]), "nobody.csv"),
        (
            lambda s: section_of(s).update(readers=["radiomics.csv"]),
            "reader 2 must be another reading .* the rows of the table itself",
        ),
        (lambda s: section_of(s).update(readers=[{}]), "a reader needs a path, or rows"),
        (
            lambda s: section_of(s).update(readers=[{"only": {"reader": ["B"]}}]),
            "only names column 'reader', but the table has none",
        ),
        (lambda s: section_of(s).update(independent=True), "two or more files"),
        (lambda s: section_of(s).update(least_patients=41), "at least 41 .* but 40 of 60"),
        (
            lambda s: section_of(s).update(least_patients=40),
            r"40 patients have repeats: a training part of 3 folds holds about 26, .* is 40",
        ),
        (
            lambda s: s.content["models"][0].update(predictors=[f"radiomics:{FEATURES[5]}"]),
            rf"model 'Texture': a filter left no column .*{FEATURES[5]}",
        ),
        (lambda s: s.content["models"].pop(0), "no model reads 'radiomics'"),
        (
            lambda s: s.tables.update(reader2=s.tables["reader2"].drop(columns=FEATURES[0])),
            rf"1 of 10 are absent .*{FEATURES[0]}",
        ),
        (
            lambda s: section_of(s).update(independent=True, readers=["reader2.csv"] * 2),
            "other patients, but 40 of 40 are in the study",
        ),
        (
            lambda s: s.content.update(repeatability={"mri": section_of(s)}),
            "'mri' names a table|no model reads 'mri'",
        ),
    ],
)
def test_mistakes_of_the_section_are_named(
    change: Callable[[SmallStudy], object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(StudyError, match=message):
        spoiled(change, tmp_path)


def test_independent_repeats_may_be_of_other_patients(tmp_path: Path) -> None:
    study = repeated_study(tmp_path)
    for name, shift in (("one", 0.0), ("two", 0.01)):
        table = study.tables["radiomics"].head(20).copy()
        table["ID"] = [f"OTHER-{i}" for i in range(20)]
        table[list(FEATURES)] += shift
        study.tables[name] = table
    section_of(study).update(independent=True, readers=["one.csv", "two.csv"])
    read = read_study(study.write())
    cohort = load_cohort(read)
    (found,) = study_repeatability(
        build_pipelines(read), cohort, plan=Plan(folds=3, repeats=1)
    ).values()
    assert found.independent
    assert found.table["folds"].max() == 0
    assert found.n_kept == 10


def test_paths_are_of_the_study_files_folder() -> None:
    content = repeated_study(Path()).content
    study = parse_study(content, folder=Path("there"), source="study.toml")
    assert study.repeatability["radiomics"].readers[0].path == Path("there/reader2.csv")


def test_a_second_reader_may_stand_in_other_rows_of_the_same_file(tmp_path: Path) -> None:
    study = repeated_study(tmp_path / "one")
    apart = read_study(study.write())
    (expected,) = load_and_filter(apart).values()
    both = repeated_study(tmp_path / "both")
    second = both.tables.pop("reader2")
    first = both.tables["radiomics"]
    both.tables["radiomics"] = pd.concat(
        [first.assign(reader="A"), second.assign(reader="B")], ignore_index=True
    )
    both.content["tables"]["radiomics"]["only"] = {"reader": ["A"]}
    section_of(both).update(readers=[{"only": {"reader": ["B"]}}])
    together = read_study(both.write())
    (found,) = load_and_filter(together).values()
    pd.testing.assert_frame_equal(found.table, expected.table)
    assert found.n_kept == 8


def test_repeats_of_other_settings_are_refused(tmp_path: Path) -> None:
    study = repeated_study(tmp_path)
    for name, width in (("radiomics", 25), ("reader2", 5)):
        cell = f'{{"setting": {{"binWidth": {width}}}}}'
        study.tables[name].insert(1, "diagnostics_Configuration_Settings", cell)
    read = read_study(study.write())
    with pytest.raises(StudyError, match=r"repeatability.radiomics\] .*binWidth: 5 here, 25 there"):
        load_cohort(read)
    study.content["tables"]["radiomics"]["different_settings"] = True
    assert load_cohort(read_study(study.write())).n_patients == 60


def test_filter_comes_before_harmonisation(tmp_path: Path) -> None:
    study = repeated_study(tmp_path)
    study.tables["clinical"]["Site"] = np.resize(["North", "South"], 60)
    study.content["centre"] = "clinical:Site"
    study.content["harmonise"] = {"tables": ["radiomics"], "new_centre": "refuse"}
    read = read_study(study.write())
    cohort = load_cohort(read)
    pipeline = build_pipelines(read)["Texture"]
    assert [type(step).__name__ for step in pipeline.cleaning] == ["ReliabilityFilter", "ComBat"]
    results = compute(read, cohort, n_jobs=1)
    terms = set(results.coefficients["Texture"]["term"])
    assert terms == {f"radiomics:{name}" for name in FEATURES if name not in NOISY_FEATURES}
    ids = {section.id for section in page_of(results).sections}
    assert {"repeatability", "harmonisation"} <= ids


def test_everything_about_factors_is_of_the_kept_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []

    def spy(model: FactorModel, X: pd.DataFrame, **options: Any) -> FactorStability:
        seen.append(list(X.columns))
        return factor_stability(model, X, **options)

    monkeypatch.setattr("reports.factor_quality.factor_stability", spy)
    study = repeated_study(tmp_path)
    rng = np.random.default_rng(1)  # without anything shared, every factor is switched off
    shared = 2 * rng.normal(size=(60, 2)) @ rng.normal(size=(2, len(FEATURES)))
    for name in ("radiomics", "reader2"):
        table = study.tables[name]
        kept = [feature for feature in FEATURES if feature not in NOISY_FEATURES]
        places = [FEATURES.index(feature) for feature in kept]
        table[kept] += shared[: len(table), places].round(4)
    study.content["factors"] = {
        "views": ["radiomics"],
        "n_factors": 2,
        "transductive": True,
        "stability": {"bootstraps": 2, "starts": 1},
    }
    study.content["models"][0]["predictors"] = ["factors:*"]
    study.content["validation"] = {
        "cross_validation": {"folds": 2, "repeats": 1},
        "bootstrap": 0,
        "draws": 20,
    }
    read = read_study(study.write())
    results = compute(read, load_cohort(read), n_jobs=1)
    assert results.factors is not None
    learnt = [f"radiomics:{name}" for name in FEATURES if name not in NOISY_FEATURES]
    assert list(results.factors.model.features_) == learnt
    quality = results.factor_quality
    assert quality is not None
    assert quality.stability is not None
    assert quality.transductive is not None
    assert quality.transductive.failures["failed"].sum() == 0
    assert [name for name in seen[0] if name.startswith("radiomics:")] == learnt


def load_and_filter(study: Study) -> Any:
    plan = Plan(folds=3, repeats=1)
    return study_repeatability(build_pipelines(study), load_cohort(study), plan=plan)


def test_readers_who_gave_the_same_numbers_are_a_serious_finding() -> None:
    cohort = made_cohort(60)
    copied = cohort.X.filter(like="mri:").head(40)
    for repeats, wanted in ((copied, True), (repeats_of(cohort.X, []), False)):
        cleaning = [ReliabilityFilter([repeats], form="ICC(A,1)", least=0.75)]
        pipelines = {"A": risk_pipeline(["mri:*"], CoxModel(ridge=1.0), cleaning=cleaning)}
        found = study_repeatability(pipelines, cohort, plan=PLAN)
        told = {one.code: one for one in repeatability_findings(found)}
        assert ("same_readings" in told) is wanted
        if wanted:
            assert told["same_readings"].severity == "serious"
