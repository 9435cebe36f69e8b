"""The folder of a run: whole or absent, ids in `private` only, same bytes for the same study."""

import csv
import hashlib
import json
import re
from html.parser import HTMLParser
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import models.validation
from reports.output_tables import file_name
from tests.small_study import N_PATIENTS, SmallStudy, binary_study, small_study

HOSTILE = '<script>alert("x")</script>'
LINK = '<a href="http://evil.example/">'
FORMULA = '=HYPERLINK("http://evil.example/","x")'


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> SmallStudy:
    """The small study, with a table of its own for factors, run once."""
    study = small_study(tmp_path_factory.mktemp("finished"))
    assert study.run().exit_code == 0
    return study


def findings(study: SmallStudy) -> pd.DataFrame:
    return pd.read_csv(study.out / "tables/findings.csv")


# ---- what is written ----------------------------------------------------------------------------


def test_every_promised_file_is_there_and_nothing_else(finished: SmallStudy) -> None:
    there = set(files(finished.out))
    assert {path for path in there if "/" not in path} == {
        "report.html",
        "study.json",
        "passport.zip",
    }
    assert {path for path in there if path.startswith("private/")} == {
        "private/predictions.csv",
        "private/lost.csv",
        "private/influence.csv",
    }
    assert {
        f"tables/{name}.csv"
        for name in (
            *("flow", "table_one", "missing", "findings", "performance", "calibration"),
            *("calibration_groups", "volume_surrogates"),
            *("decision", "survival", "log_rank", "coefficients_Clinical", "nomogram_Clinical"),
            *("assumptions_Clinical", "influence_Clinical", "sample_size_Clinical"),
        )
    } <= there
    assert all(path.split("/")[0] in {"tables", "private"} for path in there if "/" in path)
    assert not [path for path in finished.out.iterdir() if path.name.startswith(".")]


def test_performance_has_the_promised_columns(finished: SmallStudy) -> None:
    table = pd.read_csv(finished.out / "tables/performance.csv")
    assert list(table) == [
        *("model", "cohort", "validation", "metric", "horizon", "estimate", "lower", "upper"),
        *("level", "n_patients", "n_events", "method"),
    ]
    assert set(table["validation"]) == {"apparent", "cross_validated"}
    assert set(table["n_patients"]) == {N_PATIENTS}
    events = (finished.tables["followup"]["Status"] == "dead").sum()
    assert set(table["n_events"]) == {events}


def test_predictions_hold_each_patient_once_per_model(finished: SmallStudy) -> None:
    table = pd.read_csv(finished.out / "private/predictions.csv")
    assert sorted(table["patient"]) == sorted(finished.tables["followup"]["ID"])
    assert set(table["fold"]) == {1, 2, 3}
    assert {"cohort", "model", "linear_predictor", "risk_12", "risk_24", "group"} <= set(table)
    ranks = table[["linear_predictor", "risk_12"]].groupby(table["fold"]).rank()
    np.testing.assert_array_equal(ranks["linear_predictor"], ranks["risk_12"])


def test_study_json_says_what_was_understood(finished: SmallStudy) -> None:
    document = json.loads((finished.out / "study.json").read_text())
    assert document["seed"] == 3
    assert document["patients"] == {"development": N_PATIENTS}
    inputs = {entry["table"]: entry for entry in document["inputs"]}
    assert set(inputs) == {"clinical", "radiomics", "followup"}
    for name, entry in inputs.items():
        content = (finished.folder / f"{name}.csv").read_bytes()
        assert entry["sha256"] == hashlib.sha256(content).hexdigest()
        assert entry["file"] == f"{name}.csv"
    for package in ("nomomics", "numpy", "pandas", "scikit-learn", "xgboost", "mofapy2"):
        assert document["versions"][package] == version(package)
    assert document["study"]["validation"] == {
        "cross_validation": {"folds": 3, "repeats": 1},
        "bootstrap": 0,
        "bootstrap_632": 0,
        "draws": 20,
        "level": 0.95,
    }
    assert document["study"]["report"]["thresholds"] == [0.05, 0.6]  # a default, written out
    assert document["study"]["models"][0]["missing"] is None
    assert str(finished.folder) not in (finished.out / "study.json").read_text()


def test_ids_stand_in_private_only(finished: SmallStudy) -> None:
    ids = list(finished.tables["followup"]["ID"])
    written = files(finished.out)
    private = written["private/predictions.csv"].decode()
    assert all(patient in private for patient in ids)
    for path, content in written.items():
        if not path.startswith("private/"):
            found = [patient for patient in ids if patient.encode() in content]
            assert not found, f"{path} holds {found}"


def test_ids_of_lost_patients_stand_in_private_only(tmp_path: Path) -> None:
    study = small_study(tmp_path)
    followup = study.tables["followup"]
    followup["Months"] = followup["Months"].astype(object)
    followup.loc[[3, 5], "Months"] = ""
    study.tables["radiomics"] = study.tables["radiomics"].iloc[:-4]
    study.tables["clinical"].loc[1, "ID"] += " "  # so that the join proposes a rule
    study.content["models"][0]["missing"] = "median"
    assert study.run().exit_code == 0
    lost = pd.read_csv(study.out / "private/lost.csv")
    assert {"PAT-QX-004", "PAT-QX-006"} <= set(lost["patient"])
    for path, content in files(study.out).items():
        if not path.startswith("private/"):
            assert b"PAT-QX-" not in content, path
    flow = pd.read_csv(study.out / "tables/flow.csv").set_index("table")
    assert flow.loc["followup", "lost"] == 2
    assert flow.loc["followup", "reasons"] == "2 time unknown"
    assert flow.loc["radiomics", "absent"] == 4


def test_file_name_of_a_model_is_plain_and_its_own() -> None:
    assert file_name("Clinical + factors") == "Clinical_factors"
    assert file_name("../../etc/passwd") == "etc_passwd"
    assert file_name("模型") == "model"
    assert file_name("a", taken=["A"]) == "a_2"  # some file systems read both as one
    assert file_name("A/B", taken=["A_B", "A_B_2"]) == "A_B_3"


def test_models_whose_names_make_one_file_name_get_two(tmp_path: Path) -> None:
    study = small_study(tmp_path)
    model = study.content["models"][0]
    study.content["models"] = [
        model | {"name": "Age/sex"},
        model | {"name": "age sex", "predictors": ["clinical:Age"]},
    ]
    assert study.run().exit_code == 0
    both = pd.read_csv(study.out / "tables/coefficients_Age_sex.csv")
    one = pd.read_csv(study.out / "tables/coefficients_age_sex_2.csv")
    assert (len(both), len(one)) == (2, 1)


# ---- the same study, the same bytes -------------------------------------------------------------


def test_two_runs_give_the_same_bytes(finished: SmallStudy, tmp_path: Path) -> None:
    again = small_study(tmp_path)
    assert again.run().exit_code == 0
    first, second = files(finished.out), files(again.out)
    assert first.keys() == second.keys()
    assert [path for path in first if first[path] != second[path]] == []


def test_numbers_do_not_depend_on_the_processes(finished: SmallStudy, tmp_path: Path) -> None:
    parallel = small_study(tmp_path)
    assert parallel.run("--jobs", "2").exit_code == 0
    first, second = files(finished.out), files(parallel.out)
    assert [path for path in first if first[path] != second[path]] == []


def test_factors_and_trees_do_not_depend_on_the_processes_either(tmp_path: Path) -> None:
    written = []
    for jobs in ("1", "2"):
        study = small_study(tmp_path / jobs)
        study.content["factors"] = {"views": ["radiomics"], "n_factors": 2, "max_iterations": 50}
        study.content["models"] = [
            {"name": "Factors", "kind": "cox", "predictors": ["clinical:Age", "factors:*"]},
            {
                "name": "Trees",
                "kind": "xgboost",
                "predictors": ["radiomics:*", "clinical:*"],
                "rounds": 10,
            },
        ]
        study.content["validation"]["bootstrap"] = 5
        result = study.run("--jobs", jobs)
        assert result.exit_code == 0, result.stderr
        written.append(files(study.out))
    assert [path for path in written[0] if written[0][path] != written[1][path]] == []
    assert {"tables/loadings.csv", "tables/coefficients_Trees.csv"} <= set(written[0])


def test_the_order_of_rows_changes_nothing_but_the_fingerprint(
    finished: SmallStudy, tmp_path: Path
) -> None:
    shuffled = small_study(tmp_path)
    for name, table in shuffled.tables.items():
        shuffled.tables[name] = table.sample(frac=1, random_state=2)
    assert shuffled.run().exit_code == 0
    first, second = files(finished.out), files(shuffled.out)
    different = {path for path in first if first[path] != second[path]}
    assert different == {"study.json", "report.html"}  # both name the sha256 of the files


def test_a_second_run_replaces_the_first_wholly(tmp_path: Path) -> None:
    study = small_study(tmp_path)
    assert study.run().exit_code == 0
    (study.out / "tables/stale.csv").write_text("of an older version")
    (study.out / "notes.txt").write_text("the user's own")
    study.content["models"][0] |= {"name": "Age alone", "predictors": ["clinical:Age"]}
    assert study.run().exit_code == 0
    there = set(files(study.out))
    assert "tables/coefficients_Age_alone.csv" in there
    assert "tables/coefficients_Clinical.csv" not in there
    assert "tables/stale.csv" not in there
    assert (study.out / "notes.txt").read_text() == "the user's own"
    assert "Age alone" in (study.out / "report.html").read_text()


# ---- interruptions ------------------------------------------------------------------------------


def test_an_interrupted_cross_validation_goes_on_where_it_was(
    finished: SmallStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = small_study(tmp_path)
    task, calls = models.validation.cross_validation_task, []

    def counted(*args: object) -> object:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return task(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(models.validation, "cross_validation_task", counted)
    stopped = study.run()
    assert stopped.exit_code == 130
    assert "stopped. Call it again to go on where it was." in stopped.stderr
    left = files(study.out)
    assert [path.split("/")[0] for path in left] == [".work"]  # one of three folds was kept
    assert not any(b"PAT-QX-" in content for content in left.values())

    assert study.run().exit_code == 0
    assert len(calls) == 2 + 2  # the finished fold was not computed again
    assert not (study.out / ".work").exists()
    assert files(study.out) == files(finished.out)


def test_kept_folds_of_another_study_are_not_used(
    finished: SmallStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = small_study(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("reports.analysis.performance", _interrupt)
        assert study.run().exit_code == 130
    assert len(files(study.out)) == 3
    other = small_study(tmp_path)
    other.tables["clinical"]["Age"] += np.arange(N_PATIENTS)
    fresh = small_study(tmp_path / "fresh")
    fresh.tables["clinical"]["Age"] += np.arange(N_PATIENTS)
    assert other.run().exit_code == fresh.run().exit_code == 0
    assert files(other.out) == files(fresh.out)
    assert files(other.out) != files(finished.out)


def _interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_failure_while_rendering_leaves_the_older_run_untouched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = small_study(tmp_path)
    assert study.run().exit_code == 0
    before = files(study.out)
    study.content["models"][0]["predictors"] = ["clinical:Age"]

    def broken(*_: object, **__: object) -> str:
        raise RuntimeError("the template is broken")

    monkeypatch.setattr("reports.report.render", broken)
    with pytest.raises(RuntimeError, match="the template is broken"):
        study.run()
    after = files(study.out)
    assert {path: after[path] for path in before} == before
    assert {path.split("/")[0] for path in set(after) - set(before)} == {".work"}


@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_failure_while_moving_leaves_no_report_beside_strange_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    study = small_study(tmp_path)
    assert study.run().exit_code == 0
    study.content["models"][0]["predictors"] = ["clinical:Age"]
    import reports.output

    move, calls = reports.output._replace, []

    def interrupted(new: Path, place: Path) -> None:
        calls.append(place)
        if len(calls) == step:
            raise KeyboardInterrupt
        move(new, place)

    monkeypatch.setattr(reports.output, "_replace", interrupted)
    assert study.run().exit_code == 130
    assert not (study.out / "report.html").exists()
    assert not (study.out / ".incomplete").exists()
    monkeypatch.undo()
    assert study.run().exit_code == 0
    assert len(pd.read_csv(study.out / "tables/coefficients_Clinical.csv")) == 1


# ---- hostile names and cells --------------------------------------------------------------------


class _Page(HTMLParser):
    """Collects the tags of a page that are not ours, outside scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.scripts = 0
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script" and dict(attrs).get("type") != "application/json"
        self.links += [v or "" for k, v in attrs if k in ("href", "src") and v and "//" in v]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def _hostile(study: SmallStudy) -> SmallStudy:
    """Put script, links and formulas wherever a study may put text."""
    clinical = study.tables["clinical"]
    level = f"@SUM(1){LINK}"
    clinical["Sex"] = clinical["Sex"].replace({"male": level, "female": FORMULA})
    study.tables["clinical"] = clinical.rename(columns={"Age": HOSTILE, "Grade": "+Grade"})
    followup = study.tables["followup"]
    followup["Status"] = followup["Status"].replace({"dead": HOSTILE, "alive": "-alive"})
    followup["Site"] = ["=here"] * 40 + [f"=1+1{LINK}"] * 17 + [HOSTILE] * 3
    study.content["tables"]["clinical"]["categories"] = {
        "Sex": [FORMULA, level],
        "+Grade": [2, 3, 4],
    }
    study.content["study"] |= {"title": f"{HOSTILE} & title", "description": LINK}
    study.content["outcome"] |= {
        "event_value": HOSTILE,
        "censored_value": "-alive",
        "label": f"{HOSTILE} label",
    }
    study.content["cohorts"] = {
        "column": "followup:Site",
        "development": "=here",
        "external": [f"=1+1{LINK}"],
    }
    study.content["models"] = [
        {
            "name": f"={HOSTILE}",
            "kind": "cox",
            "predictors": [f"clinical:{HOSTILE}", "clinical:Sex"],
            "nomogram": True,
        }
    ]
    return study


def test_hostile_text_is_escaped_in_the_page_and_neutral_in_the_tables(tmp_path: Path) -> None:
    study = _hostile(small_study(tmp_path))
    result = study.run()
    assert result.exit_code == 0, result.stderr
    html = (study.out / "report.html").read_text()
    assert HOSTILE not in html
    assert LINK not in html
    page = _Page()
    page.feed(html)
    assert page.scripts == 2  # plotly and our own
    assert page.links == []
    assert f"{HOSTILE} & title" in "".join(page.text)
    cells = 0
    for path in study.out.rglob("*.csv"):
        with path.open(newline="") as file:
            for row in csv.reader(file):
                for cell in row:
                    cells += 1
                    assert not re.match(r"[=+@\t\r]|-(?!\d|inf)", cell), f"{path.name}: {cell!r}"
    assert cells > 1000
    coefficients = pd.read_csv(next(study.out.glob("tables/coefficients_*.csv")))
    assert coefficients["term"].tolist() == [f"clinical:{HOSTILE}", f"clinical:Sex=@SUM(1){LINK}"]
    performance = pd.read_csv(study.out / "tables/performance.csv")
    assert set(performance["model"]) == {f"'={HOSTILE}"}
    assert set(performance["cohort"]) == {"development", f"'=1+1{LINK}"}


def test_hostile_text_is_shown_as_it_is_on_the_console(tmp_path: Path) -> None:
    study = _hostile(small_study(tmp_path))
    study.tables["radiomics"]["[bold red]:brain:"] = 1.0
    shown = study.check().stderr
    assert f"'{HOSTILE}', not declared" in shown
    assert "[bold red]:brain:" in shown


# ---- findings, not errors -----------------------------------------------------------------------


def test_constant_and_empty_columns_are_findings(tmp_path: Path) -> None:
    study = small_study(tmp_path)
    study.tables["clinical"]["Protocol"] = 7.0
    study.tables["clinical"]["Biopsy"] = ""
    study.content["models"][0] |= {
        "predictors": ["clinical:Age", "clinical:Protocol", "clinical:Biopsy"]
    }
    result = study.run()
    assert result.exit_code == 0, result.stderr
    found = findings(study).set_index("code")
    assert re.search(
        r"hold one value only.*1 of 5 \('Protocol'\)", found.loc["constant", "message"]
    )
    assert re.search(r"hold no value.*1 of 5 \('Biopsy'\)", found.loc["all_missing", "message"])
    terms = pd.read_csv(study.out / "tables/coefficients_Clinical.csv")["term"]
    assert terms.tolist() == ["clinical:Age"]


def test_more_parameters_than_events_allow_are_a_finding(tmp_path: Path) -> None:
    study = small_study(tmp_path)
    study.content["models"][0] |= {"predictors": ["radiomics:*", "clinical:Age"], "ridge": 1.0}
    result = study.run()
    assert result.exit_code == 0, result.stderr
    message = findings(study).set_index("code").loc["few_events", "message"]
    assert re.search(r"\d+ events for [\d.]+ effective parameters, \d\.\d each", message)


def test_horizon_beyond_follow_up_is_a_finding_and_its_figures_are_empty(tmp_path: Path) -> None:
    study = small_study(tmp_path)
    study.content["outcome"]["horizons"] = [12, 600]
    result = study.run()
    assert result.exit_code == 0, result.stderr
    message = findings(study).set_index("code").loc["horizon_beyond_follow_up", "message"]
    assert "600 months" in (message if isinstance(message, str) else " ".join(message))
    table = pd.read_csv(study.out / "tables/performance.csv")
    late = table[table["horizon"] == 600]
    assert len(late) > 0
    assert late["estimate"].isna().all()
    assert table.loc[table["horizon"] == 12, "estimate"].notna().all()


# ---- other kinds of study -----------------------------------------------------------------------


def test_external_cohort_in_files_of_its_own(finished: SmallStudy, tmp_path: Path) -> None:
    study = small_study(tmp_path)
    other = small_study(tmp_path, prefix="EXT-", seed=9)
    study.tables |= {f"{name}_b": table.iloc[:40] for name, table in other.tables.items()}
    study.content["external"] = {
        "Hospital B": {"tables": {name: f"{name}_b.csv" for name in other.tables}}
    }
    result = study.run()
    assert result.exit_code == 0, result.stderr
    table = pd.read_csv(study.out / "tables/performance.csv")
    external = table[table["validation"] == "external"]
    assert set(external["cohort"]) == {"Hospital B"}
    assert set(external["n_patients"]) == {40}
    # what concerns the development patients is what it is without the other hospital
    alone = pd.read_csv(finished.out / "tables/performance.csv")
    pd.testing.assert_frame_equal(
        table[table["validation"] != "external"].reset_index(drop=True), alone
    )
    document = json.loads((study.out / "study.json").read_text())
    assert document["patients"] == {"development": N_PATIENTS, "Hospital B": 40}
    shas = {e["file"]: e["sha256"] for e in document["inputs"] if e["cohort"] == "Hospital B"}
    content = (tmp_path / "clinical_b.csv").read_bytes()
    assert shas["clinical_b.csv"] == hashlib.sha256(content).hexdigest()
    predictions = pd.read_csv(study.out / "private/predictions.csv")
    theirs = predictions[predictions["cohort"] == "Hospital B"]
    assert theirs["patient"].str.startswith("EXT-").all()
    assert theirs["fold"].isna().all()
    flow = pd.read_csv(study.out / "tables/flow.csv")
    assert "clinical (Hospital B)" in set(flow["table"])
    for path, content in files(study.out).items():
        if not path.startswith("private/"):
            assert b"EXT-0" not in content, path


def test_binary_outcome_runs(tmp_path: Path) -> None:
    study = binary_study(tmp_path)
    result = study.run()
    assert result.exit_code == 0, result.stderr
    table = pd.read_csv(study.out / "tables/performance.csv")
    assert {"auc", "brier"} <= set(table["metric"])
    assert table["horizon"].isna().all()
    assert "risk" in pd.read_csv(study.out / "private/predictions.csv")
    assert not (study.out / "tables/survival.csv").exists()
