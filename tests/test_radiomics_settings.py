"""Features extracted with different settings are not joined, unless that is declared."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omics.errors import StudyError
from omics.extraction_settings import settings_digest, settings_from_text
from omics.radiomics_settings import (
    HASH,
    SETTINGS,
    compare_settings,
    other_settings,
    stated_settings,
)
from omics.table_spec import TableSpec
from omics.tables import read_table
from reports.study import load_cohort
from reports.study_file import read_study
from tests.realdata import DATA, needs_data
from tests.small_study import SmallStudy, command, small_study

WIDE = settings_from_text("setting: {binWidth: 25}", name="wide").text
NARROW = settings_from_text("setting: {binWidth: 5}", name="narrow").text
SQUARED = settings_from_text("imageType: {Original: {}, Square: {}}", name="squared").text
THEIRS = {"minimumROIDimensions": 2, "binWidth": 25, "label": 1, "additionalInfo": True}


def provenance(*texts: object, column: str = SETTINGS) -> pd.DataFrame:
    index = pd.Index([f"P{number}" for number in range(len(texts))], name="patient")
    return pd.DataFrame({column: pd.Series(texts, index=index, dtype=object)})


# ---- one table ----------------------------------------------------------------------------------


def test_the_same_settings_pass_and_tell_nothing() -> None:
    assert compare_settings({"radiomics": provenance(WIDE, WIDE)}) == []


def test_different_settings_of_one_table_are_refused_with_the_difference() -> None:
    expected = (
        "radiomics features must be extracted with the same settings to be joined, but 1 row of "
        "table 'mri' has others than 3 rows of table 'mri' (binWidth: 5 here, 25 there). Extract "
        "them again with the same settings, or state different_settings = true in [tables.mri]."
    )
    with pytest.raises(StudyError, match=f"^{re.escape(expected)}$"):
        compare_settings({"mri": provenance(WIDE, WIDE, NARROW, WIDE)})


def test_a_spread_table_is_compared_across_sequences_and_regions() -> None:
    table = provenance(WIDE, WIDE, column=f"T1c|core|{SETTINGS}")
    table[f"FLAIR|1+2|{SETTINGS}"] = [WIDE, SQUARED]
    with pytest.raises(StudyError, match=r"1 row .* others than 3 rows .*Square: computed here"):
        compare_settings({"mri": table})


def test_rows_that_say_nothing_are_passed_over() -> None:
    assert compare_settings({"mri": provenance(None, WIDE, np.nan, " ")}) == []
    assert compare_settings({"mri": pd.DataFrame({"Image": ["a", "b"]}), "ct": provenance()}) == []


@given(st.lists(st.sampled_from([WIDE, NARROW, SQUARED, None]), min_size=1, max_size=8))
def test_refused_exactly_when_two_rows_differ_in_any_order(texts: list[str | None]) -> None:
    differ = len({text for text in texts if text is not None}) > 1
    for order in (texts, texts[::-1]):
        if differ:
            with pytest.raises(StudyError, match="same settings"):
                compare_settings({"mri": provenance(*order)})
        else:
            assert compare_settings({"mri": provenance(*order)}) == []


def test_what_was_declared_to_differ_is_told() -> None:
    (finding,) = compare_settings({"mri": provenance(WIDE, NARROW, NARROW)}, may_differ=["mri"])
    assert (finding.code, finding.severity, finding.where) == (
        "radiomics_settings",
        "caution",
        "mri",
    )
    assert "1 row of table 'mri' against 2 rows of table 'mri' (binWidth: 25 here, 5 there)" in (
        finding.message
    )
    assert compare_settings({"mri": provenance(WIDE, WIDE)}, may_differ=["mri"]) == []


# ---- rows that kept the digest alone ------------------------------------------------------------


def hashed(text: object, *digests: object) -> pd.DataFrame:
    """State a text in the first row, and only digests in the others."""
    frame = provenance(text, *[None] * len(digests))
    own = settings_digest(text) if isinstance(text, str) else None
    return frame.assign(**{HASH: [own, *digests]})


def test_rows_without_settings_are_compared_by_their_digest() -> None:
    wide, narrow = settings_digest(WIDE), settings_digest(NARROW)
    assert compare_settings({"mri": hashed(WIDE, wide, wide, None, " ")}) == []
    expected = (
        "but 2 rows of table 'mri' have others than 1 row of table 'mri' "
        f"(digest: {narrow} here, {wide} there; what differs is not stated). Extract them again"
    )
    with pytest.raises(StudyError, match=re.escape(expected)):
        compare_settings({"mri": hashed(WIDE, narrow, narrow)})
    with pytest.raises(StudyError, match=rf"digest: {wide} here, {narrow} there"):
        compare_settings({"a": provenance(NARROW), "b": hashed(None, wide).drop(columns=SETTINGS)})
    spread = hashed(None, narrow).rename(columns=lambda name: f"T1c|1|{name}")
    with pytest.raises(StudyError, match=rf"digest: {narrow} here, {wide} there"):
        compare_settings({"mri": hashed(WIDE), "flair": spread})


def test_a_digest_says_nothing_beside_settings_of_pyradiomics_own() -> None:
    frames = {"a": hashed(None, settings_digest(WIDE)), "b": provenance(theirs())}
    assert compare_settings(frames) == []


def test_digests_are_known_to_new_patients() -> None:
    known = stated_settings({"mri": provenance(WIDE)})
    new = hashed(None, settings_digest(WIDE), settings_digest(NARROW))
    ((count, difference),) = other_settings(new, known)
    assert count == 1
    assert difference[0].startswith(f"digest: {settings_digest(NARROW)} here")
    assert other_settings(provenance(NARROW, WIDE), stated_settings({"mri": hashed(None, "ab")}))


# ---- several tables and cohorts -----------------------------------------------------------------


def test_tables_of_one_study_must_share_their_settings() -> None:
    tables = {"t1": provenance(WIDE), "flair": provenance(NARROW)}
    with pytest.raises(StudyError, match=r"1 row of table 'flair' has others .* table 't1' \(binW"):
        compare_settings(tables)
    (finding,) = compare_settings(tables, may_differ=["flair"])
    assert finding.where == "flair"
    assert "1 row of table 't1'" in finding.message


def test_cohorts_are_named() -> None:
    cohort = pd.Series(["development", "development", "Replicate"], index=["P0", "P1", "P2"])
    with pytest.raises(
        StudyError,
        match=r"1 row of table 'mri' \(Replicate\) has others than 2 rows of table 'mri' "
        r"\(development\) \(binWidth: 5 here, 25 there\)",
    ):
        compare_settings({"mri": provenance(WIDE, WIDE, NARROW)}, cohort=cohort)


# ---- pyradiomics' own tables --------------------------------------------------------------------


def theirs(**changes: object) -> str:
    return str({**THEIRS, **changes})


def test_pyradiomics_own_settings_are_read() -> None:
    same = provenance(theirs(), theirs(label=2, additionalInfo=False))
    assert compare_settings({"mri": same}) == []  # the label is the region's, not the settings'
    with pytest.raises(StudyError, match=r"\(binCount: 32 here, none there\)"):
        compare_settings({"mri": provenance(theirs(), theirs(binCount=32))})


def test_pyradiomics_own_image_types_are_compared() -> None:
    table = provenance(theirs(), theirs())
    table["diagnostics_Configuration_EnabledImageTypes"] = [
        "{'Original': {}}",
        "{'Original': {}, 'Wavelet': {'level': 1}}",
    ]
    with pytest.raises(StudyError, match=r"Wavelet: computed here, none there, Wavelet\.level: 1 "):
        compare_settings({"mri": table})
    table["diagnostics_Configuration_EnabledImageTypes"] = "OrderedDict([('Original', {})])"
    assert compare_settings({"mri": table}) == []


def test_ours_and_pyradiomics_own_are_compared_in_what_both_state() -> None:
    assert compare_settings({"a": provenance(WIDE), "b": provenance(theirs())}) == []
    with pytest.raises(StudyError, match=r"\(binWidth: 10 here, 25 there\)"):
        compare_settings({"a": provenance(WIDE), "b": provenance(theirs(binWidth=10))})


def test_settings_that_are_no_dictionary_are_compared_as_text() -> None:
    assert compare_settings({"a": provenance("exampleMR", "exampleMR")}) == []
    with pytest.raises(StudyError, match=r"\(text: exampleCT here, exampleMR there\)"):
        compare_settings({"a": provenance("exampleMR", "exampleCT")})


def test_versions_that_differ_are_told() -> None:
    ours = json.dumps({"pyradiomics-cuda": "1.0.4", "SimpleITK": "2.5.7"})
    older = json.dumps({"pyradiomics-cuda": "1.0.4", "SimpleITK": "2.4.0"})
    (finding,) = compare_settings({"a": provenance(ours, older, column="diagnostics_Versions")})
    assert (finding.code, finding.severity) == ("radiomics_versions", "note")
    assert finding.message.endswith("several versions of SimpleITK '2.4.0', '2.5.7'.")
    column = "diagnostics_Versions_PyRadiomics"
    (finding,) = compare_settings({"a": provenance("v3.0", "3.0", "v3.1.0", column=column)})
    assert finding.message.endswith("several versions of pyradiomics '3.0', '3.1.0'.")


@needs_data("ucsf_pdgm")
def test_the_table_of_ucsf_is_of_one_extraction() -> None:
    path = DATA / "ucsf_pdgm" / "radiomic_features_T1gad_bias.csv"
    table = pd.read_csv(path, index_col="ID").filter(like="diagnostics_")
    assert compare_settings({"radiomics": table}) == []
    table.iloc[7, list(table).index(SETTINGS)] = table[SETTINGS].iloc[7].replace("25", "26")
    with pytest.raises(StudyError, match=r"1 row .* than 7 rows|1 row .* than 500 rows"):
        compare_settings({"radiomics": table})


# ---- in a study ---------------------------------------------------------------------------------


def study_with(folder: Path, texts: list[str]) -> SmallStudy:
    study = small_study(folder)
    study.tables["radiomics"][SETTINGS] = texts
    return study


def test_a_study_refuses_to_join_and_says_so(tmp_path: Path) -> None:
    result = study_with(tmp_path, [WIDE] * 50 + [NARROW] * 10).check()
    assert result.exit_code == 2
    assert "10 rows of table 'radiomics' have others than 50 rows" in result.stderr
    assert "(binWidth: 5 here, 25 there)" in result.stderr


def test_a_study_refuses_to_join_rows_of_other_digests(tmp_path: Path) -> None:
    study = small_study(tmp_path)
    # digests that a spreadsheet may take for numbers
    study.tables["radiomics"][HASH] = ["123456789012"] * 50 + ["1234567890e1"] * 10
    result = study.check()
    assert result.exit_code == 2
    assert "10 rows of table 'radiomics' have others than 50 rows" in result.stderr
    assert "(digest: 1234567890e1 here, 123456789012 there; what differs" in result.stderr
    study.tables["radiomics"][HASH] = "123456789012"
    assert study.check().exit_code == 0


def test_a_study_that_declares_it_is_told(tmp_path: Path) -> None:
    study = study_with(tmp_path, [WIDE] * 50 + [NARROW] * 10)
    study.content["tables"]["radiomics"]["different_settings"] = True
    cohort = load_cohort(read_study(study.write()))
    assert [item.code for item in cohort.findings].count("radiomics_settings") == 1
    assert "radiomics_settings" not in {
        item.code
        for item in load_cohort(
            read_study(study_with(tmp_path / "s", [WIDE] * 60).write())
        ).findings
    }


def test_an_external_cohort_of_other_settings_is_refused(tmp_path: Path) -> None:
    ours = study_with(tmp_path, [WIDE] * 60)
    other = study_with(tmp_path / "other", [NARROW] * 60)
    for table in other.tables.values():
        table["ID"] = "X" + table["ID"]
    other.write()
    paths = {name: f"other/{name}.csv" for name in other.tables}
    ours.content["external"] = {"Elsewhere": {"tables": paths}}
    result = ours.check()
    assert result.exit_code == 2
    assert (
        "60 rows of table 'radiomics' (Elsewhere) have others than 60 rows of table 'radiomics' "
        "(development) (binWidth: 5 here, 25 there)"
    ) in result.stderr
    ours.content["tables"]["radiomics"]["different_settings"] = True
    findings = load_cohort(read_study(ours.write())).findings
    (told,) = [item for item in findings if item.code == "radiomics_settings"]
    assert "(Elsewhere)" in told.message


def test_two_tables_of_a_study_are_compared(tmp_path: Path) -> None:
    study = study_with(tmp_path, [WIDE] * 60)
    study.tables["second"] = study.tables["radiomics"].assign(**{SETTINGS: NARROW})
    study.content["tables"]["second"] = {
        **study.content["tables"]["radiomics"],
        "path": "second.csv",
    }
    result = study.check()
    assert result.exit_code == 2
    assert "60 rows of table 'second' have others than 60 rows of table 'radiomics'" in (
        result.stderr
    )


def test_rows_that_a_mean_would_merge_are_compared_before(tmp_path: Path) -> None:
    text = f"ID,{SETTINGS},original_firstorder_Mean\nP1,{{}},1\nP1,\"{{'binWidth': 5}}\",2\n"
    (tmp_path / "t.csv").write_text(text)
    spec = TableSpec(path=tmp_path / "t.csv", kind="radiomics", reduce="mean")
    with pytest.raises(StudyError, match="binWidth"):
        read_table(spec, name="t")


def test_only_radiomics_has_such_settings() -> None:
    with pytest.raises(ValueError, match='different_settings is for tables of kind "radiomics"'):
        TableSpec(path="a.csv", kind="clinical", different_settings=True)


def test_a_second_reader_of_other_settings_is_refused(tmp_path: Path) -> None:
    study = study_with(tmp_path, [WIDE] * 60)
    study.tables["second"] = study.tables["radiomics"].assign(**{SETTINGS: NARROW})
    study.content["repeatability"] = {
        "radiomics": {"readers": ["second.csv"], "form": "ICC(C,1)", "least": 0.5}
    }
    study.content["models"][0]["predictors"] = ["radiomics:original_shape_Sphericity"]
    result = study.check()
    assert result.exit_code == 2
    assert (
        "[repeatability.radiomics] radiomics features must be extracted with the same settings to "
        "be joined, but 60 rows of table 'radiomics' (reader 2) have others than 60 "
        "rows of table 'radiomics' (the study) (binWidth: 5 here, 25 there)"
    ) in result.stderr
    study.tables["second"][SETTINGS] = WIDE
    assert study.check().exit_code == 0


def test_a_new_patient_of_other_settings_is_refused_by_the_passport(tmp_path: Path) -> None:
    study = study_with(tmp_path, [WIDE] * 60)
    study.content["models"][0]["predictors"] = ["radiomics:original_shape_Sphericity"]
    result = study.run()
    assert result.exit_code == 0, result.stderr
    new = study.tables["radiomics"].head(3).assign(**{SETTINGS: [WIDE, NARROW, WIDE]})

    def scored(table: pd.DataFrame) -> tuple[int, str]:
        table.to_csv(tmp_path / "new.csv", index=False)
        out = tmp_path / "scored.csv"
        result = command("score", study.out, tmp_path / "new.csv", "--id", "ID", "--out", out)
        return result.exit_code, " ".join(result.stderr.split())

    status, words = scored(new)
    assert status == 2
    assert "other settings" in words
    assert "binWidth: 5 here, 25 there" in words
    assert not (tmp_path / "scored.csv").exists()
    status, words = scored(new.assign(**{SETTINGS: WIDE}))
    assert (status, "settings" in words) == (0, False)
    status, words = scored(new.drop(columns=SETTINGS))
    assert status == 0
    assert "does not say with which settings its features were extracted" in words
