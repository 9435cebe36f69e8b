"""Tables as tools write them: long radiomics, MAF, cBioPortal folders, .h5mu, decimal commas."""

import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from scipy.sparse import csc_matrix, csr_matrix

from omics.errors import StudyError
from omics.table_spec import PROTEIN_ALTERING, TableSpec
from omics.tables import View, read_table
from tests.realdata import DATA, needs_data


def read(path: Path, text: str | None = None, *, reserve: tuple[str, ...] = (), **o: Any) -> View:
    if text is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    o.setdefault("kind", "features")
    return read_table(TableSpec.model_validate({"path": path, **o}), name="t", reserve=reserve)


def message(view: View, code: str) -> str:
    return next(finding.message for finding in view.findings if finding.code == code)


# ---- long tables --------------------------------------------------------------------------------

LONG = """Patient,Sequence,ROI,Mask,original_firstorder_Mean,original_shape_MeshVolume,Site
P1,T1c,core,a,1.5,10,A
P1,T1c,edema,b,2.5,20,A
P1,T2,core,c,3.5,10,A
P2,T1c,core,d,4.5,30,B
P2,T2,core,e,,30,B
P3,T2,core,f,6.5,40,
"""
SPREAD = {"kind": "radiomics", "id": "Patient", "spread": ["Sequence", "ROI"]}


def test_long_table_is_spread_as_pandas_pivots_it(tmp_path: Path) -> None:
    view = read(tmp_path / "long.csv", LONG, reserve=("Site",), **SPREAD)
    long = pd.read_csv(tmp_path / "long.csv")
    pivot = long.pivot(
        index="Patient",
        columns=["Sequence", "ROI"],
        values=["original_firstorder_Mean", "original_shape_MeshVolume"],
    )
    pivot.columns = [f"{sequence}|{roi}|{feature}" for feature, sequence, roi in pivot.columns]
    pd.testing.assert_frame_equal(
        view.table, pivot[list(view.table)], check_names=False, check_index_type=False
    )
    assert view.table.shape == (3, 6)
    assert view.table.loc["P1", "T1c|edema|original_firstorder_Mean"] == 2.5
    assert view.reserved["Site"].tolist() == ["A", "B", None]
    assert list(view.provenance) == ["T1c|core|Mask", "T1c|edema|Mask", "T2|core|Mask"]
    assert "T1c|core (2), T1c|edema (1), T2|core (3)" in message(view, "rows_spread")
    assert "radiomics_names" not in [finding.code for finding in view.findings]


def test_options_of_a_long_table_take_its_names_and_the_new_ones(tmp_path: Path) -> None:
    view = read(
        tmp_path / "long.csv",
        LONG,
        columns=["original_shape_MeshVolume", "tumour|T2|original_firstorder_Mean"],
        rename={"original_shape_MeshVolume": "Volume"},
        transform={"Volume": "log2p1"},
        recode={"ROI": {"core": "tumour", "*": "around"}},
        **SPREAD | {"spread": ["ROI", "Sequence"]},
    )
    assert list(view.table) == [
        "tumour|T1c|Volume",
        "around|T1c|Volume",
        "tumour|T2|original_firstorder_Mean",
        "tumour|T2|Volume",
    ]
    assert view.table.loc["P1", "around|T1c|Volume"] == pytest.approx(np.log2(21))


def test_order_of_rows_does_not_matter(tmp_path: Path) -> None:
    view = read(tmp_path / "long.csv", LONG, drop=["Site"], **SPREAD)
    lines = LONG.splitlines()
    other = read(
        tmp_path / "turned.csv", "\n".join([lines[0], *lines[:0:-1]]), drop=["Site"], **SPREAD
    )
    pd.testing.assert_frame_equal(view.table, other.table.loc[view.table.index, list(view.table)])


def test_spellings_that_differ_by_case_are_named(tmp_path: Path) -> None:
    view = read(tmp_path / "long.csv", "ID,S,x\nP1,T1c,1\nP2,T1C,2\n", spread=["S"])
    assert "'T1c', 'T1C'" in message(view, "spread_spelling")


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        (
            "ID,S,R,x\nP1,a,b,1\nP1,a,b,2\nP1,a,c,3\nP2,a,b,4\nP2,a,b,5\n",
            {"spread": ["S", "R"]},
            r"one row for each combination of 'S', 'R', but 2 have several \(4 rows of 2 patients; "
            r"first: 'P1', 'a\|b' in row 2, row 3\)",
        ),
        (
            "ID,S,x\n P1,a,1\nP1,a,2\n",
            {"spread": ["S"], "id_rules": ["strip"]},
            r"1 have several \(2 rows of 1 patients",
        ),
        (
            "ID,S,x\nP1,a,1\nP2,,2\n",
            {"spread": ["S"]},
            r"say its 'S'.*1 of 2 do not \(first: row 3",
        ),
        ("ID,Sequence,x\nP1,a,1\n", {"spread": ["Sequenz"]}, "Did you mean 'Sequence'"),
        ("ID,S,x\nP1,a,1\nP1,b,zz\n", {"spread": ["S"]}, r"column 'b\|x'.*one of row 2 to row 3"),
        ("ID,S,x\nP1,a,1\n", {"spread": ["S"], "drop": ["y"]}, "drop names column 'y'"),
        ("ID,S,R,x\nP1,a|b,c,1\nP2,a,b|c,1\n", {"spread": ["S", "R"]}, r"both called 'a\|b\|c'"),
    ],
)
def test_long_tables_that_are_refused(
    tmp_path: Path, text: str, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(StudyError, match=words):
        read(tmp_path / "long.csv", text, **options)


def test_rows_of_a_patient_must_share_the_outcome(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"agree in column 'Site'.*'A', 'B'"):
        read(tmp_path / "l.csv", LONG.replace("edema,b,2.5,20,A", "edema,b,2.5,20,B"),
             reserve=("Site",), **SPREAD)  # fmt: skip


# ---- MAF ----------------------------------------------------------------------------------------

MAF = """#version 2.4
#sequenced_samples: S1 S2 S3 S4
Hugo_Symbol\tChromosome\tVariant_Classification\tTumor_Sample_Barcode\tMutation_Status
IDH1\t2\tMissense_Mutation\tS1\tSomatic
TP53\t17\tSilent\tS1\tSomatic
TP53\t17\tNonsense_Mutation\tS2\tSomatic
TP53\t17\tFrame_Shift_Del\tS2\tSomatic
TERT\t5\t5'Flank\tS1\tSomatic
ATRX\tX\tSplice_Site\tS3\tGermline
IDH1\t2\tMissense_Mutation\tS3\tWildtype
EGFR\t7\tIntron\tS3\tSomatic
Unknown\t7\tMissense_Mutation\tS3\tSomatic
"""
AS_MAF = {"kind": "mutations", "layout": "maf"}


def test_maf_by_hand(tmp_path: Path) -> None:
    view = read(tmp_path / "m.maf", MAF, profiled="header", **AS_MAF)
    expected = pd.DataFrame(
        {"IDH1": [1, 0, 0, 0], "TP53": [0, 1, 0, 0], "ATRX": [0, 0, 1, 0]},
        index=["S1", "S2", "S3", "S4"],
        dtype=float,
    )
    pd.testing.assert_frame_equal(view.table, expected, check_names=False)
    assert "5 of 9 variants" in message(view, "maf_not_counted")
    assert "'Germline' (1)" in message(view, "maf_status")
    # the second witness: pandas' own table of counts
    rows = pd.read_csv(tmp_path / "m.maf", sep="\t", comment="#")
    rows = rows[rows["Variant_Classification"].isin(PROTEIN_ALTERING)]
    rows = rows[(rows["Mutation_Status"] != "Wildtype") & (rows["Hugo_Symbol"] != "Unknown")]
    pivot = pd.crosstab(rows["Tumor_Sample_Barcode"], rows["Hugo_Symbol"]).clip(upper=1)
    np.testing.assert_array_equal(view.table.loc[pivot.index, list(pivot)], pivot)


def test_maf_without_profiled_samples_knows_those_with_a_row_alone(tmp_path: Path) -> None:
    view = read(tmp_path / "m.txt", MAF, **AS_MAF)
    assert view.table.index.tolist() == ["S1", "S2", "S3"]
    assert "not declare who was profiled" in message(view, "maf_profiled")


def test_maf_genes_classes_and_ids_are_declared(tmp_path: Path) -> None:
    text = re.sub(r"\tS(\d)", r"\tTCGA-0\1", MAF)
    (tmp_path / "ids.txt").write_text("TCGA-09\nTCGA-01\nTCGA-02\nTCGA-03\n")
    view = read(
        tmp_path / "m.maf",
        text,
        columns=["TERT", "IDH1", "BRAF"],
        extra_variants={"TERT": ["5'Flank"]},
        profiled="ids.txt",
        id_rules=[{"regex": "-0(.)"}],
        **AS_MAF,
    )
    assert view.table.to_dict("index") == {
        "1": {"TERT": 1, "IDH1": 1, "BRAF": 0},
        "2": {"TERT": 0, "IDH1": 0, "BRAF": 0},
        "3": {"TERT": 0, "IDH1": 0, "BRAF": 0},
        "9": {"TERT": 0, "IDH1": 0, "BRAF": 0},
    }
    assert "'BRAF'" in message(view, "maf_gene_absent")
    silent = read(tmp_path / "m.maf", variant_classes=["Silent"], **AS_MAF)
    assert list(silent.table) == ["TP53"]


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        (
            MAF.replace("Tumor_Sample_Barcode", "Tumor_Sample_UUID"),
            {},
            r"must have the columns 'Tumor_Sample_Barcode', 'Hugo_Symbol', "
            r"'Variant_Classification' .*lacks 'Tumor_Sample_Barcode' among 5 columns\. For "
            r"'Tumor_Sample_Barcode': Did you mean 'Tumor_Sample_UUID'.*id",
        ),
        (MAF, {"profiled": ["S1", "S2"]}, r"1 of 3 are not in it \('S3'; it lists 'S1', 'S2'\)"),
        (MAF, {"profiled": ["S1", "S1"]}, "names 1 twice"),
        (MAF, {"profiled": "list.txt"}, r"profiled list\.txt: there is no file 'list.txt'"),
        (MAF.partition("\n")[2].partition("\n")[2], {"profiled": "header"}, "no line #sequenced"),
        (MAF, {"variant_classes": ["missense"]}, r"no row of 9 counts.*'Missense_Mutation' \(2\)"),
        (MAF + "TP53\t17\n", {}, "row 13 has 2 cells"),
        ("", {}, "the file is empty"),
    ],
)
def test_mafs_that_are_refused(
    tmp_path: Path, text: str, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(StudyError, match=words):
        read(tmp_path / "m.maf", text, **AS_MAF, **options)


# ---- a cBioPortal study -------------------------------------------------------------------------

PATIENTS = """#Patient Identifier\tAge\tOverall status
#The patient\tAge at diagnosis\tStatus
#STRING\tNUMBER\tSTRING
#1\t1\t1
PATIENT_ID\tAGE\tOS_STATUS
P1\t61\t1:DECEASED
P2\t[Not Available]\t0:LIVING
"""
SAMPLES = """#Patient Identifier\tSample Identifier\tType
#1\t1\t1
PATIENT_ID\tSAMPLE_ID\tSAMPLE_TYPE
P1\tS1\tPrimary
P2\tS2\tPrimary
P1\tS3\tRecurrence
P3\tS4\tPrimary
"""
MRNA = """Hugo_Symbol\tEntrez_Gene_Id\tS2\tS1
EGFR\t1956\t3\t0
\t999\t1\t1
TP53\t7157\t1\t7
TP53\t7158\t5\t5
"""


@pytest.fixture
def portal(tmp_path: Path) -> Path:
    (tmp_path / "data_clinical_patient.txt").write_text(PATIENTS)
    (tmp_path / "data_clinical_sample.txt").write_text(SAMPLES)
    (tmp_path / "data_mrna_seq_v2_rsem.txt").write_text(MRNA)
    (tmp_path / "data_mutations.txt").write_text(MAF)
    (tmp_path / "case_lists").mkdir()
    (tmp_path / "case_lists" / "cases_sequenced.txt").write_text(
        "cancer_study_identifier: x\ncase_list_ids: S1\tS2\tS3\tS4\n"
    )
    return tmp_path


PRIMARY = {"path": "data_clinical_sample.txt", "only": {"SAMPLE_TYPE": ["Primary"]}}


def test_cbioportal_study(portal: Path) -> None:
    clinical = read(
        portal / "data_clinical_patient.txt",
        kind="clinical",
        comment="#",
        id="PATIENT_ID",
        unknown=["[Not Available]"],
        reserve=("OS_STATUS",),
    )
    np.testing.assert_array_equal(clinical.table["AGE"], [61, np.nan])
    assert clinical.reserved["OS_STATUS"].tolist() == ["1:DECEASED", "0:LIVING"]
    mutations = read(
        portal / "data_mutations.txt",
        profiled="case_lists/cases_sequenced.txt",
        sample_map=PRIMARY,
        **AS_MAF,
    )
    assert mutations.table.to_dict("index") == {
        "P1": {"IDH1": 1, "TP53": 0, "ATRX": 0},
        "P2": {"IDH1": 0, "TP53": 1, "ATRX": 0},
        "P3": {"IDH1": 0, "TP53": 0, "ATRX": 0},
    }
    assert "1 of 4 samples" in message(mutations, "samples_left_out")
    mrna = read(
        portal / "data_mrna_seq_v2_rsem.txt",
        kind="expression",
        patients="columns",
        drop=["Entrez_Gene_Id"],
        repeated="first",
        sample_map="data_clinical_sample.txt",
        transform={"*": "log2p1"},
    )
    assert mrna.table.to_dict("index") == {
        "P2": {"EGFR": 2.0, "TP53": 1.0},
        "P1": {"EGFR": 0.0, "TP53": 3.0},
    }
    assert "2 of 4 rows" in message(mrna, "features_left_out")


def test_the_lists_beside_a_table_lie_in_its_folder(portal: Path) -> None:
    spec = TableSpec(
        path=portal / "data_mutations.txt",
        kind="mutations",
        layout="maf",
        profiled="case_lists/cases_sequenced.txt",
        sample_map="data_clinical_sample.txt",
    )
    other = spec.model_copy(update={"path": Path("other") / "data_mutations.txt"})
    assert all(path.is_file() for path in spec.companions)
    assert other.companions == (
        Path("other/data_clinical_sample.txt"),
        Path("other/case_lists/cases_sequenced.txt"),
    )
    assert spec.model_copy(update={"profiled": "header"}).companions[1:] == ()


def test_several_samples_of_a_patient_are_refused_or_reduced(portal: Path) -> None:
    options = {**AS_MAF, "profiled": "header", "sample_map": "data_clinical_sample.txt"}
    with pytest.raises(StudyError, match=r"1 has several.*'P1' stands in sample 'S1', sample 'S3'"):
        read(portal / "data_mutations.txt", **options)
    view = read(portal / "data_mutations.txt", reduce="first", **options)
    assert view.table.loc["P1"].tolist() == [1, 0, 0]
    assert view.notes.n_merged == 1


@pytest.mark.parametrize(
    ("file", "options", "words"),
    [
        ("data_clinical_patient.txt", {"kind": "clinical"}, 'state comment = "#"'),
        ("data_mrna_seq_v2_rsem.txt", {"patients": "columns"}, 'repeated = "first" or "drop"'),
        ("data_mutations.txt", {**AS_MAF, "sample_map": "samples.txt"}, "no file 'samples.txt'"),
        (
            "data_mutations.txt",
            {**AS_MAF, "sample_map": {"path": "data_clinical_sample.txt", "patient": "PATIENT"}},
            "no column 'PATIENT' among 3 columns. Did you mean 'PATIENT_ID'",
        ),
        (
            "data_mutations.txt",
            {**AS_MAF, "profiled": ["S1", "S2", "S3", "S9"], "sample_map": PRIMARY},
            r"1 of 4 do not \('S9'\)",
        ),
    ],
)
def test_cbioportal_files_that_are_refused(
    portal: Path, file: str, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(StudyError, match=words):
        read(portal / file, **options)


# ---- .h5mu --------------------------------------------------------------------------------------


def write_frame(group: h5py.Group, index: list[str]) -> None:
    group.attrs["_index"] = "names"
    group["names"] = np.array(index, dtype=object)


@pytest.fixture
def mudata(tmp_path: Path) -> Path:
    values = np.array([[1.0, 0, 2], [0, 0, 3]])
    with h5py.File(tmp_path / "m.h5mu", "w") as file:
        obs = file.create_group("obs")
        write_frame(obs, ["P1", "P2", "P3"])
        obs["age"] = [61.0, np.nan, 40.0]
        obs["sex/codes"], obs["sex/categories"] = np.array([1, -1, 0]), np.array(["f", "m"], "O")
        obs["dead/values"], obs["dead/mask"] = [True, False, True], [False, False, True]
        obs["centre"] = np.array([0, 1, -1])
        obs["__categories/centre"] = np.array(["A", "B"], dtype=object)
        obs["centre"].attrs["categories"] = "__categories/centre"
        obs.attrs["column-order"] = np.array(["age", "sex", "dead", "centre"], dtype=object)
        for name, make in (("dense", None), ("rows", csr_matrix), ("columns", csc_matrix)):
            part = file.create_group(f"mod/{name}")
            write_frame(part.create_group("obs"), ["P1", "P2"])
            write_frame(part.create_group("var"), ["a", "b", "c"])
            if make is None:
                part["X"] = values
                continue
            sparse, group = make(values), part.create_group("X")
            group.attrs["encoding-type"] = "csr_matrix" if name == "rows" else "csc_matrix"
            group.attrs["shape"] = values.shape
            for key in ("data", "indices", "indptr"):
                group[key] = getattr(sparse, key)
    return tmp_path / "m.h5mu"


@pytest.mark.parametrize("modality", ["dense", "rows", "columns"])
def test_modality(mudata: Path, modality: str) -> None:
    view = read(mudata, modality=modality)
    assert view.table.to_dict("index") == {
        "P1": {"a": 1, "b": 0, "c": 2},
        "P2": {"a": 0, "b": 0, "c": 3},
    }


def test_obs(mudata: Path) -> None:
    view = read(
        mudata, kind="clinical", obs=True, categories={"sex": "f"}, reserve=("dead", "centre")
    )
    np.testing.assert_array_equal(view.table["age"], [61, np.nan, 40])
    assert view.table["sex"].astype(object).where(view.table["sex"].notna(), None).tolist() == [
        "m",
        None,
        "f",
    ]
    assert view.reserved["dead"].tolist() == [True, False, None]
    assert view.reserved["centre"].tolist() == ["A", "B", None]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {},
            r"has 3 modalities \('columns', 'dense', 'rows'\).*modality = \"columns\".*obs = true",
        ),
        (
            {"modality": "dens"},
            r"no modality 'dens'\. Its modalities are: 'columns', 'dense', 'rows'",
        ),
    ],
)
def test_modality_that_is_not_there(mudata: Path, options: dict[str, Any], words: str) -> None:
    with pytest.raises(StudyError, match=words):
        read(mudata, **options)


def test_files_that_are_no_mudata(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"cannot be read as MuData"):
        read(tmp_path / "text.h5mu", "ID,x\nP1,1\n", modality="x")
    with h5py.File(tmp_path / "ann.h5mu", "w") as file:
        file["X"] = [1.0]
    with pytest.raises(StudyError, match=r"no MuData: it has no group 'mod'. It holds: 'X'"):
        read(tmp_path / "ann.h5mu", modality="x")


@needs_data("cll")
def test_cll_is_read_as_h5py_reads_it() -> None:
    path = DATA / "cll" / "cll.h5mu"
    view = read(path, kind="expression", modality="mRNA")
    with h5py.File(path) as file:
        part = file["mod/mRNA"]
        np.testing.assert_array_equal(view.table, part["X"][:])
        assert view.table.index.tolist() == part["obs/dim_1"].asstr()[:].tolist()
        assert list(view.table) == part["var/dim_0"].asstr()[:].tolist()
        gender = file["obs/Gender/categories"].asstr()[:][file["obs/Gender/codes"][:]]
        known = ~file["obs/treatedAfter/mask"][:]
        treated = file["obs/treatedAfter/values"][:][known]
    clinical = read(path, kind="clinical", obs=True, columns=["age", "Gender"],
                    categories={"Gender": "f"}, reserve=("treatedAfter",))  # fmt: skip
    assert clinical.table["Gender"].tolist() == gender.tolist()
    assert clinical.reserved["treatedAfter"][known].tolist() == treated.tolist()
    assert clinical.reserved["treatedAfter"][~known].isna().all()


# ---- decimal comma and semicolon ----------------------------------------------------------------

GERMAN = 'ID;Ki-67;Alter;Befund\nP1;"5,5 %";61,5;"groß; rund, ""scharf"""\nP2;<1 %;47;"NA"\n'


def test_semicolons_and_decimal_commas(tmp_path: Path) -> None:
    view = read(tmp_path / "g.csv", GERMAN, kind="pathology", separator=";", decimal=",",
                unit={"Alter": "number"}, drop=["Befund"])  # fmt: skip
    np.testing.assert_array_equal(view.table["Ki-67"], [5.5, 0.5])
    np.testing.assert_array_equal(view.table["Alter"], [61.5, 47])
    words = read(tmp_path / "g.csv", kind="clinical", separator=";", decimal=",",
                 columns=["Alter"], reserve=("Befund",))  # fmt: skip
    assert words.reserved["Befund"].tolist() == ['groß; rund, "scharf"', None]


def test_workbook_with_decimal_commas_as_text(tmp_path: Path) -> None:
    pd.DataFrame({"ID": ["P1", "P2"], "x": ["1,5", 2]}).to_excel(tmp_path / "g.xlsx", index=False)
    np.testing.assert_array_equal(read(tmp_path / "g.xlsx", decimal=",").table["x"], [1.5, 2])
    with pytest.raises(StudyError, match='decimal commas: state decimal = ","'):
        read(tmp_path / "g.xlsx")


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("ID;x\nP1;1,5\n", {"separator": ";"}, 'decimal commas: state decimal = ","'),
        ("ID;x\nP1;1.234,5\n", {"separator": ";", "decimal": ","}, "'1.234,5' in row 2"),
        ("ID;x\nP1;1,234,5\n", {"separator": ";", "decimal": ","}, "'1,234,5' in row 2"),
        ("ID;x\nP1;1 234\n", {"separator": ";", "decimal": ","}, "'1 234' in row 2"),
    ],
)
def test_numbers_that_are_not_guessed(
    tmp_path: Path, text: str, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(StudyError, match=words):
        read(tmp_path / "g.csv", text, **options)


# ---- what a study may declare -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"path": "a.csv", "modality": "x"}, "for .h5mu files only"),
        ({"path": "a.csv", "obs": True}, "for .h5mu files only"),
        ({"path": "a.xlsx", "comment": "#"}, "comment is for text files"),
        ({"path": "a.csv", "repeated": "first"}, "repeated is for tables with patients"),
        ({"path": "a.csv", "spread": ["S"], "reduce": "first"}, "spread and reduce both"),
        ({"path": "a.txt", "layout": "maf"}, 'of kind "mutations"'),
        ({"path": "a.maf"}, 'needs layout = "maf"'),
        ({"path": "a.txt", "profiled": "header"}, 'profiled is for layout = "maf" only'),
        ({"path": "a.xlsx", **AS_MAF}, "text files with tabs"),
    ],
)
def test_options_that_do_not_fit(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        TableSpec.model_validate({"kind": "features", **options})
