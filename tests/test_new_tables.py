"""Tables of new patients as they were written: laid out as the study's own were, cell by cell."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from omics.centres import centre_rules
from omics.errors import StudyError
from omics.new_patients import NewPatients, raw_table, read_new_patients, reading_rules
from omics.new_tables import read_new_tables
from omics.reading import read_raw
from omics.table_layout import GivenTable, is_long, layout_at, layout_of
from omics.table_spec import TableSpec
from omics.tables import read_table

SEQUENCES, REGIONS = ("T1c", "FLAIR"), ("1", "1+2")


def rows(n_patients: int = 6, *, seed: int = 1) -> pd.DataFrame:
    """Two readers, two timepoints, two sequences and two regions of each patient."""
    rng = np.random.default_rng(seed)
    keys = [
        (f"P{patient}_MR", reader, when, sequence, region)
        for patient in range(1, n_patients + 1)
        for reader in ("A", "B")
        for when in ("pre", "post")
        for sequence in SEQUENCES
        for region in REGIONS
    ]
    table = pd.DataFrame(keys, columns=["patient", "reader", "timepoint", "sequence", "region"])
    table["day"] = np.where(table["timepoint"] == "pre", 0, 90)
    table["diagnostics_Configuration_Settings"] = '{"setting": {"binWidth": 25}}'
    table["note"] = "text"
    for name in ("Mean", "Energy", "Volume"):
        table[name] = [f"{v:.3f}".replace(".", ",") for v in rng.uniform(1, 100, len(table))]
    table.loc[2, "Mean"] = "-99"
    table.loc[5, "Energy"] = ""
    return table


def one_each(table: pd.DataFrame, **chosen: str) -> pd.DataFrame:
    """Keep the rows with these values, without the columns that say so."""
    for column, value in chosen.items():
        table = table[table[column] == value].drop(columns=column)
    return table


SPREAD: dict[str, Any] = {"spread": ["sequence", "region"]}
DELTA: dict[str, Any] = {"column": "timepoint", "from": "pre", "to": "post"}
LESIONS = {"reader": "A", "timepoint": "pre", "sequence": "T1c"}
CASES: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "spread": ({"reader": "A", "timepoint": "pre"}, {**SPREAD, "drop": ["note", "day"]}),
    "only": (
        {},
        {
            **SPREAD,
            "only": {"reader": ["B"], "timepoint": ["post"]},
            "columns": ["Mean", "Volume"],
        },
    ),
    "named anew": (
        {"reader": "A", "timepoint": "pre"},
        {
            **SPREAD,
            "columns": ["Mean", "Energy"],
            "rename": {"Mean": "Average"},
            "recode": {"sequence": {"T1c": "T1 CE", "*": "other"}},
            "transform": {"Energy": "log2p1"},
        },
    ),
    "absolute": (
        {"reader": "A"},
        {**SPREAD, "drop": ["note", "day"], "delta": {**DELTA, "kind": "absolute"}},
    ),
    "relative": (
        {"reader": "A", "region": "1"},
        {
            "spread": ["sequence"],
            "columns": ["Mean", "Energy"],
            "rename": {"Mean": "Average"},
            "delta": {**DELTA, "kind": "relative"},
        },
    ),
    "per day": (
        {"reader": "B", "region": "1", "sequence": "T1c"},
        {"drop": ["note"], "delta": {**DELTA, "kind": "per_day", "days": "day"}},
    ),
    "first": (LESIONS, {"reduce": "first", "drop": ["note", "region"]}),
    "mean": (LESIONS, {"reduce": "mean", "columns": ["Mean", "Energy"]}),
    "largest": (LESIONS, {"reduce": {"largest": "Volume"}, "columns": ["Mean"]}),
    "weighted": (
        LESIONS,
        {
            "reduce": {"weighted": "Size", "total": ["Volume"], "count": "lesions"},
            "rename": {"Volume": "Size"},
            "columns": ["Mean", "Size"],
        },
    ),
}


def study_of(case: str, folder: Path, *, n_patients: int = 6) -> tuple[TableSpec, pd.DataFrame]:
    """Write the table of a case, and read it as a study does."""
    chosen, options = CASES[case]
    path = folder / "ours.csv"
    one_each(rows(n_patients), **chosen).to_csv(path, index=False, sep=";", decimal=",")
    spec = TableSpec(
        path=path,
        kind="radiomics",
        id="patient",
        id_rules={"regex": "^(.+)_MR$"},
        separator=";",
        decimal=",",
        unknown=[-99],
        **options,
    )
    return spec, read_table(spec, name="radiomics").table


def given(spec: TableSpec, path: Path) -> GivenTable:
    layout = layout_of(spec)
    assert layout is not None
    raw = read_raw(layout_at(layout, path), name="radiomics", title="new")
    return GivenTable(raw=raw, title="new", name="radiomics", layout=layout)


def read(spec: TableSpec, table: pd.DataFrame, path: Path) -> NewPatients:
    return read_new_tables(
        [given(spec, path)],
        {"radiomics": reading_rules(spec, table)},
        [f"radiomics:{name}" for name in table.columns],
    )


@pytest.mark.parametrize("case", CASES)
def test_rows_become_the_patients_of_the_study(case: str, tmp_path: Path) -> None:
    spec, table = study_of(case, tmp_path)
    assert table.notna().to_numpy().any()
    found = read(spec, table, spec.path)
    assert found.ids == tuple(table.index) == tuple(f"P{n}" for n in range(1, 7))
    assert (found.missing, found.lacking, dict(found.wrong)) == ((), {}, {})
    expected = table.add_prefix("radiomics:").reset_index(drop=True)
    pd.testing.assert_frame_equal(found.X.reset_index(drop=True), expected, check_names=False)
    assert [name for name in found.provenance if name.endswith("Configuration_Settings")]


@pytest.mark.parametrize("case", CASES)
def test_patients_are_read_alone_and_in_any_order_alike(case: str, tmp_path: Path) -> None:
    spec, table = study_of(case, tmp_path)
    text = spec.path.read_text().splitlines()
    of_one = [line for line in text if line.startswith("P4_MR")]
    path = tmp_path / "theirs.csv"
    path.write_text("\n".join([text[0], *of_one[::-1]]))
    found = read(spec, table, path)
    assert found.ids == ("P4",)
    if case == "first":  # the order of lesions is what it goes by
        return
    expected = table.loc[["P4"]].add_prefix("radiomics:").reset_index(drop=True)
    pd.testing.assert_frame_equal(found.X.reset_index(drop=True), expected, check_names=False)


@pytest.mark.parametrize("case", [name for name in CASES if name != "named anew"])
def test_a_wide_table_is_taken_as_it_is(case: str, tmp_path: Path) -> None:
    spec, table = study_of(case, tmp_path)
    path = tmp_path / "theirs.csv"
    wide = table.set_axis(table.index + "_MR").rename_axis("patient").drop(index="P2_MR")
    wide.to_csv(path, sep=";", decimal=",")
    found = read(spec, table, path)
    assert found.ids == ("P1", "P3", "P4", "P5", "P6")
    assert not is_long(given(spec, path), {"radiomics": reading_rules(spec, table)}, [*found.X])
    expected = table.drop(index="P2").add_prefix("radiomics:").reset_index(drop=True)
    pd.testing.assert_frame_equal(
        found.X.reset_index(drop=True), expected, check_names=False, rtol=1e-12
    )


def test_a_wide_table_has_the_renames_and_transforms_of_the_study(tmp_path: Path) -> None:
    """Options of a table that is spread name a feature once for all sequences and regions."""
    spec, table = study_of("named anew", tmp_path)
    assert list(table.columns)[:2] == ["T1 CE|1|Average", "T1 CE|1|Energy"]
    long = one_each(rows(), reader="A", timepoint="pre")
    long["sequence"] = long["sequence"].replace({"T1c": "T1 CE", "FLAIR": "other"})
    wide = long.pivot(index="patient", columns=["sequence", "region"], values=["Mean", "Energy"])
    wide.columns = [f"{sequence}|{region}|{name}" for name, sequence, region in wide.columns]
    wide.index = wide.index.str.removesuffix("_MR")
    columns = [f"radiomics:{name}" for name in table.columns]
    rules = {"radiomics": reading_rules(spec, table)}
    assert rules["radiomics"].transform["other|1+2|Energy"] == "log2p1"
    found = read_new_patients(raw_table(wide), rules, columns, title="new")
    assert (found.missing, found.extra) == ((), ())
    expected = table.add_prefix("radiomics:").reset_index(drop=True)
    pd.testing.assert_frame_equal(found.X.reset_index(drop=True), expected, check_names=False)
    assert found.X["radiomics:T1 CE|1+2|Energy"].iloc[3] == pytest.approx(
        np.log2(1 + float(wide["T1 CE|1+2|Energy"].iloc[3].replace(",", "."))), rel=1e-12
    )


def test_a_layout_holds_no_path_and_no_patient(tmp_path: Path) -> None:
    spec, _ = study_of("weighted", tmp_path)
    layout = layout_of(spec)
    assert layout is not None
    text = layout.model_dump_json()
    assert str(tmp_path) not in text
    assert "P1" not in text
    assert layout.path.name == "new.csv"
    # as JSON and back, as in a passport
    again = TableSpec.model_validate(layout.model_dump(mode="json", exclude_defaults=True))
    assert again == layout
    maf = TableSpec(path="a.maf", kind="mutations", layout="maf")
    assert layout_of(maf) is None


def spoilt(case: str, folder: Path, table: pd.DataFrame, *, n_patients: int = 6) -> NewPatients:
    spec, ours = study_of(case, folder, n_patients=n_patients)
    path = folder / "theirs.csv"
    table.to_csv(path, index=False, sep=";", decimal=",")
    return read(spec, ours, path)


def test_a_lacking_sequence_is_named_once(tmp_path: Path) -> None:
    table = one_each(rows(), reader="A", timepoint="pre")
    found = spoilt("spread", tmp_path, table[table["sequence"] != "FLAIR"])
    why = "no row of the table is of {!r}; there are rows of 'T1c|1', 'T1c|1+2'"
    assert found.lacking == {
        f"radiomics:FLAIR|{region}|": why.format(f"FLAIR|{region}") for region in REGIONS
    }
    assert len(found.missing) == 6
    # of one patient alone it is missing values, and counted
    first = table[~((table["sequence"] == "FLAIR") & (table["patient"] == "P1_MR"))]
    found = spoilt("spread", tmp_path, first)
    assert found.lacking == {}
    assert found.X.iloc[0].isna().tolist() == [n.startswith("radiomics:FLAIR") for n in found.X]
    assert "T1c|1 (6), T1c|1+2 (6), FLAIR|1 (5), FLAIR|1+2 (5)" in found.findings[-1].message


def test_a_lacking_region_of_one_timepoint_is_named(tmp_path: Path) -> None:
    table = one_each(rows(), reader="A")
    gone = (table["timepoint"] == "post") & (table["region"] == "1+2")
    found = spoilt("absolute", tmp_path, table[~gone])
    assert list(found.lacking) == ["radiomics:delta|T1c|1+2|", "radiomics:delta|FLAIR|1+2|"]
    assert "no row of the table is of 'post|T1c|1+2'" in next(iter(found.lacking.values()))
    assert all("1+2" in name for name in found.missing)


def test_who_has_no_second_image_has_no_change_and_is_counted(tmp_path: Path) -> None:
    table = one_each(rows(), reader="A")
    gone = (table["timepoint"] == "post") & (table["patient"] == "P3_MR")
    found = spoilt("absolute", tmp_path, table[~gone])
    assert found.ids == tuple(f"P{n}" for n in range(1, 7))
    assert found.X.iloc[2].isna().all()
    assert any("no values at 'post' (1)" in finding.message for finding in found.findings)


def test_one_reader_needs_no_column_of_readers(tmp_path: Path) -> None:
    table = rows()
    expected = spoilt("only", tmp_path, table).X
    alone = one_each(table, reader="B")
    found = spoilt("only", tmp_path, alone)
    pd.testing.assert_frame_equal(found.X.reset_index(drop=True), expected.reset_index(drop=True))
    assert "all rows were taken: the table has no column 'reader'" in found.findings[0].message
    with pytest.raises(StudyError, match=r"column 'reader' holds 'B', but no row does.*'C' \(48\)"):
        spoilt("only", tmp_path, alone.assign(reader="C"))


@pytest.mark.parametrize(
    ("case", "spoil", "message"),
    [
        ("spread", lambda t: t.drop(columns=["sequence"]), "spread names column 'sequence'"),
        (
            "spread",
            lambda t: t.drop(columns=["sequence", "region"]),
            r"must have the columns 'sequence', 'region'.*or one row per patient",
        ),
        ("spread", lambda t: pd.concat([t, t.iloc[:1]]), "one row for each combination"),
        ("absolute", lambda t: t[t["timepoint"] == "pre"], "no row is of 'post'"),
        ("weighted", lambda t: t.drop(columns="Volume"), "reduce needs column 'Size'"),
        ("spread", lambda t: t.assign(patient=""), "no row has an id"),
        ("spread", lambda t: t.assign(patient="P1"), "must match the regex"),
    ],
)
def test_what_cannot_be_laid_out_is_refused(
    case: str, spoil: Any, message: str, tmp_path: Path
) -> None:
    chosen, _ = CASES[case]
    with pytest.raises(StudyError, match=message):
        spoilt(case, tmp_path, spoil(one_each(rows(), **chosen)))


def test_lesions_measured_with_different_settings_are_no_mean(tmp_path: Path) -> None:
    table = one_each(rows(), **LESIONS)
    table.loc[table.index[1], "diagnostics_Configuration_Settings"] = '{"setting": {"binWidth": 5}}'
    with pytest.raises(StudyError, match="binWidth: 5 here, 25 there"):
        spoilt("weighted", tmp_path, table)


def clinical(ids: list[str]) -> GivenTable:
    table = pd.DataFrame({"Age": [50.0 + i for i in range(len(ids))]}, index=ids)
    return GivenTable(raw=raw_table(table), title="clinical.csv", name="clinical")


def test_tables_are_joined_by_patient(tmp_path: Path) -> None:
    spec, table = study_of("spread", tmp_path)
    rules = {
        "radiomics": reading_rules(spec, table),
        "clinical": TableSpec(path="new.csv", kind="clinical"),
    }
    columns = ["clinical:Age", *(f"radiomics:{name}" for name in table.columns)]
    both = [clinical(["P9", "P2", "P1"]), given(spec, spec.path)]
    found = read_new_tables(both, rules, columns)
    assert found.ids == ("P9", "P2", "P1", "P3", "P4", "P5", "P6")
    assert list(found.X.columns) == columns
    known = found.X.set_axis(list(found.ids))
    assert known["clinical:Age"].dropna().to_dict() == {"P9": 50.0, "P2": 51.0, "P1": 52.0}
    assert known.loc["P9"].isna().sum() == table.shape[1]
    pd.testing.assert_frame_equal(
        known.loc[table.index, columns[1:]], table.add_prefix("radiomics:"), check_names=False
    )
    assert found.X.index[0] == "row 1 of clinical.csv"
    lost = [finding for finding in found.findings if finding.code == "no_row"]
    assert [(finding.where, finding.message[:8]) for finding in lost] == [
        ("clinical", "4 of 7 p"),
        ("radiomics", "1 of 7 p"),
    ]
    # in any order of the files the same patients
    other = read_new_tables(both[::-1], rules, columns)
    again = other.X.set_axis(list(other.ids)).loc[list(found.ids)]
    pd.testing.assert_frame_equal(again, known)


def test_a_table_that_is_not_given_is_refused_unless_models_do_without(tmp_path: Path) -> None:
    spec, table = study_of("spread", tmp_path)
    rules = {
        "radiomics": reading_rules(spec, table),
        "clinical": TableSpec(path="new.csv", kind="clinical"),
    }
    names = [f"radiomics:{name}" for name in table.columns]
    columns = ["clinical:Age", *names]
    found = read_new_tables([given(spec, spec.path)], rules, columns)
    assert found.missing == ("clinical:Age",)
    assert found.lacking == {"clinical:": "the table was not given"}
    found = read_new_tables([clinical(["A"])], rules, columns, optional=names)
    assert (found.absent, found.missing, dict(found.lacking)) == (("radiomics",), (), {})
    assert list(found.X.columns) == columns
    for twice, message in (
        ([clinical(["A"]), clinical(["B"])], "'clinical' came 2 times"),
        ([GivenTable(raw=raw_table(table), title="x", name="rna")], "'rna' is none"),
    ):
        with pytest.raises(StudyError, match=message):
            read_new_tables(twice, rules, columns)


def test_a_table_of_which_the_centre_alone_is_needed_may_be_given() -> None:
    long = one_each(rows(4), reader="A", timepoint="pre").assign(centre="Graz")
    long.loc[long["patient"] == "P2_MR", "centre"] = "Essen"
    spec = TableSpec(path=Path("radiomics.csv"), kind="radiomics", id="patient", **SPREAD)
    ages = pd.DataFrame({"Age": [61.0, 52.0, 70.0, 44.0]})
    rules = {
        "clinical": reading_rules(TableSpec(path=Path("c.csv"), kind="clinical"), ages),
        "meta": centre_rules("radiomics:centre"),
    }
    clinical = ages.assign(patient=long["patient"].unique())
    given = [
        GivenTable(raw=raw_table(clinical, id="patient"), title="clinical", name="clinical"),
        GivenTable(
            raw=raw_table(long, id="patient"),
            title="radiomics",
            name="radiomics",
            layout=layout_of(spec),
        ),
    ]
    found = read_new_tables(given, rules, ["clinical:Age", "meta:centre"])
    assert found.X["clinical:Age"].tolist() == ages["Age"].tolist()
    assert found.X["meta:centre"].tolist() == ["Graz", "Essen", "Graz", "Graz"]
    stranger = [replace(given[0], name="pathology")]
    with pytest.raises(StudyError, match=r"'pathology' is none\. .*'clinical'"):
        read_new_tables(stranger, rules, ["clinical:Age", "meta:centre"])
