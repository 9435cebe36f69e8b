"""The study file: what it says is understood, and what it should not say is named with its cure."""

import copy
import tomllib
from pathlib import Path
from typing import Any

import pytest

from omics.errors import StudyError
from omics.outcome import BinarySpec, SurvivalSpec
from reports.study_file import Study, parse_study, read_study
from tests.small_study import binary_study, small_study, toml

ABSENT = object()


def changed(keys: str, value: Any, *, content: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the small study's content with one entry changed; `keys` such as "models 0 name"."""
    content = copy.deepcopy(content or small_study(Path()).content)
    *way, last = [int(key) if key.isdigit() else key for key in keys.split()]
    place: Any = content
    for key in way:
        place = place[key] if isinstance(place, list) else place.setdefault(key, {})
    if value is ABSENT:
        del place[last]
    else:
        place[last] = value
    return content


def parse(content: dict[str, Any]) -> Study:
    return parse_study(content, folder=Path("/data"), source="study.toml")


def refuse(content: dict[str, Any]) -> str:
    """Return the words in which the content is refused, without the name of the file."""
    with pytest.raises(StudyError) as caught:
        parse(content)
    first, *lines = str(caught.value).splitlines()
    assert first == "study.toml:"
    assert all(line.startswith("  - ") for line in lines)
    return "\n".join(line.removeprefix("  - ") for line in lines)


# ---- what is understood -------------------------------------------------------------------------


def test_defaults_are_those_of_the_readme() -> None:
    content = small_study(Path()).content
    del content["validation"]
    study = parse(content)
    assert (study.validation.cross_validation.folds, study.validation.cross_validation.repeats) == (
        5,
        20,
    )
    assert study.validation.bootstrap == 200
    assert study.validation.level == 0.95
    assert study.report.thresholds == (0.05, 0.6)
    assert study.report.risk_groups == [0.5]
    assert study.report.calibration_groups == 5
    assert not study.report.hosmer_lemeshow
    assert study.cohorts is None
    assert study.factors is None
    assert study.external == {}


def test_paths_are_taken_from_the_files_own_folder(tmp_path: Path) -> None:
    study = small_study(tmp_path)
    study.content["external"] = {"B": {"tables": {"clinical": "b/clinical.csv"}}}
    understood = read_study(study.write())
    assert understood.tables["clinical"].path == tmp_path / "clinical.csv"
    assert understood.external["B"].tables["clinical"] == tmp_path / "b/clinical.csv"


def test_absolute_paths_stay(tmp_path: Path) -> None:
    study = parse(changed("tables clinical path", str(tmp_path / "c.csv")))
    assert study.tables["clinical"].path == tmp_path / "c.csv"


def test_the_outcomes_kind_chooses_its_section() -> None:
    survival = parse(small_study(Path()).content).outcome
    assert isinstance(survival, SurvivalSpec)
    assert survival.horizons == (12.0, 24.0)
    assert isinstance(parse(binary_study(Path()).content).outcome, BinarySpec)


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    path = small_study(tmp_path).write()
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_study(path).study.title == "A small made-up study"


def test_a_model_takes_factors_if_a_predictor_says_so() -> None:
    content = changed("models 0 predictors", ["clinical:Age", "factors:F1"])
    study = parse(content | {"factors": {"views": ["radiomics"]}})
    assert study.models[0].uses_factors
    assert study.factors is not None
    assert study.factors.n_factors == 10
    assert not parse(small_study(Path()).content).models[0].uses_factors


def test_toml_writer_of_the_tests_says_what_it_was_told() -> None:
    content = small_study(Path()).content
    content["external"] = {"Hospital B": {"tables": {"clinical": "b.csv"}}}
    content["centre"] = 'clinical:Site "1"'
    assert tomllib.loads(toml(content)) == content


# ---- unknown keys, at every level ---------------------------------------------------------------

FACTORS = {"views": ["radiomics"], "n_factor": 3}


@pytest.mark.parametrize(
    ("keys", "value", "words"),
    [
        ("modles", [], "unknown key 'modles'. Did you mean 'models'?"),
        ("study titel", "x", "[study]: unknown key 'titel'. Did you mean 'title'?"),
        (
            "tables clinical seperator",
            ";",
            "[tables.clinical]: unknown key 'seperator'. Did you mean 'separator'?",
        ),
        (
            "tables clinical id_rules",
            {"casefld": True},
            "[tables.clinical] id_rules: unknown key 'casefld'. Did you mean 'casefold'?",
        ),
        (
            "tables clinical id_rules",
            ["casefld"],
            "[tables.clinical] id_rules: unknown key 'casefld'. Did you mean 'casefold'?",
        ),
        (
            "outcome horizon",
            [12],
            "[outcome]: unknown key 'horizon'. Did you mean 'horizons'?",
        ),
        (
            "cohorts",
            {"column": "clinical:Sex", "development": "male", "extern": ["female"]},
            "[cohorts]: unknown key 'extern'. Did you mean 'external'?",
        ),
        (
            "external",
            {"B": {"tables": {"clinical": "b.csv"}, "table": {}}},
            "[external.B]: unknown key 'table'. Did you mean 'tables'?",
        ),
        (
            "factors",
            FACTORS,
            "[factors]: unknown key 'n_factor'. Did you mean 'n_factors' or 'ard_factors'?",
        ),
        (
            "models 0 nomogramm",
            True,
            "[[models]] Clinical: unknown key 'nomogramm'. Did you mean 'nomogram'?",
        ),
        (
            "validation bootstraps",
            3,
            "[validation]: unknown key 'bootstraps'. Did you mean 'bootstrap' or 'bootstrap_632'?",
        ),
        (
            "validation cross_validation fold",
            3,
            "[validation] cross_validation: unknown key 'fold'. Did you mean 'folds'?",
        ),
        (
            "report threshold",
            [0.1, 0.2],
            "[report]: unknown key 'threshold'. Did you mean 'thresholds'?",
        ),
        (
            "report colour",
            "red",
            "[report]: unknown key 'colour'. There are: 'thresholds', 'harm', 'prevalence', "
            "'standardised_net_benefit', 'interventions_avoided', 'classify_at', 'risk_groups', "
            "'table_one', 'subgroups', 'subgroup_models' and 3 more.",
        ),
    ],
)
def test_unknown_key_is_named_with_the_nearest(keys: str, value: Any, words: str) -> None:
    assert refuse(changed(keys, value)) == words


def test_table_one_is_a_list_of_columns_or_a_section() -> None:
    columns = ["clinical:Age"]
    short = parse(changed("report table_one", columns)).report.table_one
    assert short == parse(changed("report table_one", {"columns": columns})).report.table_one
    assert vars(short.asked) == {
        "columns": columns,
        "by": "cohort",
        "differences": True,
        "tests": False,
    }
    asked = {"by": "clinical:Sex", "smd": False, "tests": True}
    assert vars(parse(changed("report table_one", asked)).report.table_one.asked) == {
        "columns": None,
        "by": "clinical:Sex",
        "differences": False,
        "tests": "rank",
    }


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"colums": []}, ": unknown key 'colums'. Did you mean 'columns'?"),
        ({"tests": "t"}, " tests: must be true or false or 'rank' or 'welch', but 't' came"),
        (
            "clinical:Age",
            ": must be a list [ ] of columns, or { columns = [...], by = ... }, but "
            "'clinical:Age' came",
        ),
    ],
)
def test_a_wrong_table_one_is_named(value: Any, words: str) -> None:
    assert refuse(changed("report table_one", value)) == f"[report] table_one{words}"


def test_unknown_key_of_a_binary_outcome() -> None:
    content = changed("outcome positiv", "dead", content=binary_study(Path()).content)
    assert refuse(content) == "[outcome]: unknown key 'positiv'. Did you mean 'positive'?"


def test_a_table_may_be_named_as_a_kind_of_outcome() -> None:
    content = changed("tables survival", {"kind": "clinical", "path": "a.csv", "idd": "ID"})
    assert refuse(content) == "[tables.survival]: unknown key 'idd'. Did you mean 'id'?"


def test_every_mistake_is_told_at_once() -> None:
    content = changed("study titel", "x", content=changed("outcome unit", "month"))
    words = refuse(content)
    assert "[study]: unknown key 'titel'" in words
    assert "[outcome] unit: must be 'days', 'weeks', 'months' or 'years'" in words


def test_a_key_that_must_be_stated_is_told_with_its_meaning() -> None:
    words = refuse(changed("harmonise", {"tables": ["radiomics"]}))
    assert "[harmonise]: 'new_centre' is missing: patients of a centre" in words
    assert "'refuse' them, 'pass_through' their values, or 'estimate'" in words


def test_the_older_name_of_an_intraclass_correlation_is_translated() -> None:
    section = {"radiomics": {"readers": ["b.csv"], "form": "ICC(2,1)", "least": 0.75}}
    assert refuse(changed("repeatability", section)) == (
        "[repeatability] radiomics form: must be written 'ICC(A,1)', but 'ICC(2,1)' came, its "
        "older name"
    )


# ---- wrong values -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "value", "words"),
    [
        ("study", ABSENT, "'study' is missing"),
        ("models 0 name", ABSENT, "[[models]] 1: 'name' is missing"),
        ("outcome event_value", ABSENT, "[outcome]: 'event_value' is missing"),
        ("outcome kind", ABSENT, "[outcome]: kind must be 'survival' or 'binary'"),
        ("outcome kind", "survivl", "[outcome]: kind must be 'survival' or 'binary'"),
        ("outcome", 3, "outcome: must be a section of keys and values, but 3 came"),
        ("models", [1], "[[models]] 1: must be a section [[models]], but 1 came"),
        ("models", [], "[models]: must be a list or section with at least one entry"),
        (
            "models",
            {"name": "x"},
            "[models]: must be a list of sections: write [[models]], with two brackets",
        ),
        (
            "tables clinical",
            "clinical.csv",
            "[tables.clinical]: must be a section, such as [tables.clinical], but 'clinical.csv' "
            "came",
        ),
        (
            "tables clinical kind",
            "clinicl",
            "[tables.clinical] kind: must be 'radiomics', 'expression', 'mutations', "
            "'copy_number', 'methylation', 'proteomics', 'pathology', 'clinical' or 'features', "
            "but 'clinicl' came. Did you mean 'clinical'?",
        ),
        (
            "tables clinical reduce",
            "largest",
            "[tables.clinical] reduce: reduce must be 'first' or 'mean', or name a column, as "
            '{ largest = "column" } or { weighted = "column" }, but \'largest\' came',
        ),
        (
            "tables clinical columns",
            "Age",
            "[tables.clinical] columns: must be a list [ ], but 'Age' came",
        ),
        (
            "tables clinical sheet",
            "patients",
            "[tables.clinical]: sheet is for .xlsx files only, but path is 'clinical.csv'",
        ),
        (
            "outcome unit",
            "month",
            "[outcome] unit: must be 'days', 'weeks', 'months' or 'years', but 'month' came. Did "
            "you mean 'months'?",
        ),
        (
            "outcome horizons",
            [0, 12],
            "[outcome] horizons: horizons must be distinct times above zero, but [0.0, 12.0] are "
            "not",
        ),
        ("outcome horizons", 12, "[outcome] horizons: must be a list [ ], but 12 came"),
        (
            "outcome time",
            "Months",
            "[outcome] time: a column is named with its table, as 'table:column', but 'Months' is "
            "not. Write for example 'followup:OS'",
        ),
        (
            "outcome time",
            "followp:Months",
            "'followp:Months' names a table, but there is no section [tables.followp]. Did you "
            "mean 'followup'?",
        ),
        (
            "centre",
            "sites:Site",
            "'sites:Site' names a table, but there is no section [tables.sites]. There are: "
            "'clinical', 'radiomics', 'followup'.",
        ),
        (
            "external",
            {"B": {"tables": {"clincal": "b.csv"}}},
            "'clincal' names a table, but there is no section [tables.clincal]. Did you mean "
            "'clinical'?",
        ),
        (
            "models 0 ridge",
            "bic",
            "[[models]] Clinical ridge: must be a number or 'aic', but 'bic' came. Did you mean "
            "'aic'?",
        ),
        ("models 0 ridge", -1.0, "[[models]] Clinical: ridge must not be negative, but -1 came"),
        (
            "models 0 splines",
            {"clinical:Age": "three"},
            "[[models]] Clinical splines clinical:Age: must be a whole number or a list [ ], but "
            "'three' came",
        ),
        ("study seed", "lucky", "[study] seed: must be a whole number, but 'lucky' came"),
        ("validation bootstrap", 1, "[validation]: bootstrap must be 0 or at least 2, but 1 came"),
        (
            "report thresholds",
            [0.6, 0.1],
            "[report]: thresholds must rise between 0 and 1, but 0.6 and 0.1 came",
        ),
        ("report thresholds", [0.1], "[report] thresholds: a second value is missing"),
        (
            "report calibration_groups",
            1,
            "[report]: calibration_groups must be 0 or at least 2, but 1 came",
        ),
    ],
)
def test_wrong_value_is_named_with_its_place(keys: str, value: Any, words: str) -> None:
    assert refuse(changed(keys, value)) == words


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_depth": 3}, "['max_depth'] are for kind 'xgboost', but kind is 'cox'"),
        ({"kind": "xgboost"}, "are for regressions, but kind is 'xgboost'"),
        ({"missing": "keep"}, "missing must not be 'keep' for a regression"),
    ],
)
def test_option_of_another_kind_of_model_is_refused(options: dict[str, Any], words: str) -> None:
    content = small_study(Path()).content
    content["models"][0] |= options
    told = refuse(content)
    assert told.startswith("[[models]] Clinical: ")
    assert words in told
