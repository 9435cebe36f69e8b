"""A study whose model has an interaction, and a nomogram with ticks of its own, file to score."""

from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pandas as pd
import pytest

from models.passport import read_passport
from omics.errors import StudyError
from reports.study import load_cohort
from reports.study_file import parse_study, read_study
from tests.small_study import SmallStudy, small_study

PAIR = ["clinical:Age", "clinical:Sex"]


def interacting(folder: Path, **changes: Any) -> SmallStudy:
    study = small_study(folder)
    ticks = {"clinical:Age": [20, 40, 60, 90], "risks": [0.1, 0.25, 0.5, 0.75]}
    study.content["models"][0] |= {"interactions": [PAIR], "nomogram": ticks} | changes
    return study


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> SmallStudy:
    study = interacting(tmp_path_factory.mktemp("interaction"))
    result = study.run()
    assert result.exit_code == 0, result.output
    return study


def test_the_nomogram_has_an_axis_per_level_and_the_ticks_asked_for(ran: SmallStudy) -> None:
    (path,) = ran.out.rglob("nomogram_Clinical.csv")
    table = pd.read_csv(path)
    drawn = table[table["kind"] == "predictor"]
    assert drawn["axis"].unique().tolist() == [
        "clinical:Age (clinical:Sex=female)", "clinical:Age (clinical:Sex=male)"
    ]  # fmt: skip
    assert drawn.groupby("axis")["value"].agg(list).tolist() == [[20, 40, 60, 90]] * 2
    assert set(table.loc[table["kind"] == "risk", "value"]) <= {0.1, 0.25, 0.5, 0.75}


def test_the_report_names_the_interaction_and_states_the_rounding_error(ran: SmallStudy) -> None:
    page = (ran.out / "report.html").read_text()
    assert "Interactions (full products of columns): Age and Sex." in page
    assert "Age × Sex=male" in page
    assert "points rounded to whole numbers, the risk by" in page
    assert "the ratio of a predictor that interacts holds where the other one is 0" in page


def test_the_passport_scores_by_the_product(ran: SmallStudy) -> None:
    passport = read_passport(ran.out)
    table = ran.tables["clinical"].set_index("ID")
    scored = passport.score(table).table
    frozen = passport.models["Clinical"]
    model, chart = frozen.pipeline.model, frozen.nomogram
    male = (table["Sex"] == "male").to_numpy(dtype=float)
    columns = np.column_stack([table["Age"], male, table["Age"] * male])
    expected = (columns - model.means_) @ model.coef_
    np.testing.assert_allclose(scored["linear_predictor"], expected, atol=1e-9)
    assert chart is not None
    read = chart.total_to_linear_predictor(scored["points"])
    np.testing.assert_allclose(read, expected, atol=1e-9)
    assert chart.rounding is not None
    assert chart.rounding.n_patients == 60
    with pytest.raises(StudyError, match="unseen category"):
        passport.score(table.assign(Sex="unknown sex"))
    assert "[clinical:Age * clinical:Sex=male] is the product of" in _readme(ran)


def _readme(study: SmallStudy) -> str:
    with ZipFile(study.out / "passport.zip") as file:
        return file.read("README.txt").decode()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"interactions": [["clinical:Age", "clinical:Sxe"]]},
         "'clinical:Sxe' is none of 2.*Did you mean 'clinical:Sex'"),
        ({"interactions": [["clinical:Age", "clinical:Grade"]]}, "Add it to predictors"),
        ({"interactions": [PAIR, PAIR[::-1]]}, "must name a pair once"),
        ({"interactions": [["clinical:Age"]]}, "pairs of two different predictors"),
        ({"interactions": [["clinical:Age", "clinical:*"]], "predictors": ["clinical:*"]},
         "Name each column itself"),
        ({"nomogram": {"clinical:Agee": [1, 2]}}, "Did you mean 'clinical:Age'"),
        ({"nomogram": {"riskss": [0.5]}}, "Did you mean 'risks'"),
        ({"nomogram": {"risks": [1.5]}}, "risk_at must be a probability"),
        ({"nomogram": {"clinical:Age": [50]}}, "must hold 2 or more different values"),
        ({"kind": "xgboost", "nomogram": False}, "are for regressions, but kind is 'xgboost'"),
    ],
)  # fmt: skip
def test_wrong_entry_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    study = interacting(tmp_path, **changes)
    with pytest.raises(StudyError, match=message):
        parse_study(study.content, folder=tmp_path, source="study.toml")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"nomogram": {"clinical:Sex": [1, 2]}}, "nomogram names 'clinical:Sex', which is no num"),
        ({"predictors": ["clinical:*"], "interactions": [["clinical:Age", "clinical:Sx"]]},
         "interactions name 'clinical:Sx'.*Did you mean 'clinical:Sex'"),
    ],
)  # fmt: skip
def test_what_only_the_table_shows_is_named_before_anything_is_fitted(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    study = interacting(tmp_path, **changes)
    with pytest.raises(StudyError, match=message):
        load_cohort(read_study(study.write()))
