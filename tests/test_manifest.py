"""The manifest: cases as they are written, and every slip of a spreadsheet named."""

import re
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omics.case import Case
from omics.errors import StudyError
from omics.manifest import read_manifest
from omics.path_owners import _finder, suspect_rows
from tests.forbidden import forbid

FILES = ("P-001_T1", "P-001_seg", "P-002_T1", "P-002_seg", "a", "b", "c", "d")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "scans").mkdir()
    for name in FILES:
        (tmp_path / "scans" / f"{name}.nii").touch()
    return tmp_path


def written(folder: Path, text: str, name: str = "manifest.csv") -> Path:
    lines = [line.strip() for line in text.strip().splitlines()]
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / name


def test_cases_are_read_as_written(folder: Path) -> None:
    cases = read_manifest(
        written(
            folder,
            """patient,image,mask,label,timepoint,brain_mask
            007,scans/a.nii,scans/b.nii,1;2 ; 1 + 2+4,pre,scans/../scans/c.nii
            007,scans/a.nii,scans/b.nii,core + rim,pre,
            P-002,scans/P-002_T1.nii,scans/P-002_seg.nii,,post,""",
        )
    )
    assert cases[0] == Case(
        patient="007",
        image=folder / "scans/a.nii",
        mask=folder / "scans/b.nii",
        labels=("1", "2", "1+2+4"),
        timepoint="pre",
        brain_mask=folder / "scans/c.nii",
        row=1,
    )
    assert cases[1].labels == ("core + rim",)
    assert cases[1].brain_mask is None
    assert cases[2].labels == ()
    assert [case.row for case in cases] == [1, 2, 3]
    assert len({case.key for case in cases}) == 3


def test_a_union_has_one_name_however_it_is_written(folder: Path) -> None:
    row = "007,scans/a.nii,scans/b.nii,"
    text = f"patient,image,mask,label\n{row}2 + 01;4\n"
    assert read_manifest(written(folder, text))[0].labels == ("1+2", "4")
    for twice in ("1+2;2+1", "01;1", "1;1+1"):
        with pytest.raises(StudyError, match="a label must name each region once"):
            read_manifest(written(folder, f"patient,image,mask,label\n{row}{twice}\n"))


def test_regions_may_have_names(folder: Path) -> None:
    cases = read_manifest(
        written(
            folder,
            """patient,image,mask,label,region
            007,scans/a.nii,scans/b.nii,1;1+2+4,core; whole tumour
            007,scans/a.nii,scans/c.nii,,oedema
            007,scans/a.nii,scans/d.nii,1,""",
        )
    )
    assert [case.regions for case in cases] == [("core", "whole tumour"), ("oedema",), ("1",)]
    assert cases[0].name_of("1+2+4") == "whole tumour"
    assert cases[1].name_of("3") == "oedema"  # the only label of its mask
    assert cases[2].name_of("1") == "1"
    assert len({case.key for case in cases}) == 3


@pytest.mark.parametrize(("label", "region"), [("1;2", "core"), ("", "a;b"), ("1;2", "a;a")])
def test_every_label_needs_its_name(folder: Path, label: str, region: str) -> None:
    path = written(
        folder,
        f"""patient,image,mask,label,region
        007,scans/a.nii,scans/b.nii,{label},{region}""",
    )
    with pytest.raises(StudyError, match=f"region must name each label once.*{region!r}"):
        read_manifest(path)


def test_one_name_for_two_masks_of_a_case_is_refused(folder: Path) -> None:
    path = written(
        folder,
        """patient,image,mask,label,region
        007,scans/a.nii,scans/b.nii,1,core
        007,scans/a.nii,scans/c.nii,1,core""",
    )
    with pytest.raises(StudyError, match="every case must stand in one row, but 1 pair"):
        read_manifest(path)


def test_semicolons_part_cells_where_they_part_the_header(folder: Path) -> None:
    path = written(
        folder,
        """patient;image;mask;label
        1;scans/a.nii;scans/b.nii;"1;2"
        2;scans/c.nii;scans/d.nii;4""",
    )
    assert [case.labels for case in read_manifest(path)] == [("1", "2"), ("4",)]


@pytest.mark.parametrize("sign", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["m.csv", "m.tsv", "m.txt"])
@pytest.mark.parametrize("start", ["", "\ufeff"])  # as Excel begins a file
def test_cells_may_be_parted_by_any_usual_sign(
    folder: Path, sign: str, name: str, start: str
) -> None:
    rows = [["patient", "image", "mask", "centre"], ["Ä 1", "scans/a.nii", "scans/b.nii", "Zürich"]]
    text = start + "\n".join(sign.join(row) for row in rows)
    (case,) = read_manifest(written(folder, text, name=name))
    assert (case.patient, case.centre, case.image.name) == ("Ä 1", "Zürich", "a.nii")


def test_a_workbook_with_several_sheets(folder: Path) -> None:
    cells = pd.DataFrame({"patient": [1], "image": ["scans/a.nii"], "mask": ["scans/b.nii"]})
    with pd.ExcelWriter(folder / "m.xlsx") as book:
        cells.to_excel(book, sheet_name="cases", index=False)
    assert read_manifest(folder / "m.xlsx")[0].patient == "1"
    with pd.ExcelWriter(folder / "m.xlsx") as book:
        for sheet in ("cases", "notes"):
            cells.to_excel(book, sheet_name=sheet, index=False)
    with pytest.raises(StudyError, match=r"2 sheets .*Keep the sheet of cases alone, or save it"):
        read_manifest(folder / "m.xlsx")


@pytest.mark.parametrize("name", ["m.maf", "m.h5mu", "m"])
def test_files_of_another_kind_are_no_manifest(folder: Path, name: str) -> None:
    told = r"path must end in one of \.csv, \.tsv, \.txt, \.xlsx, \.parquet, but is "
    with pytest.raises(StudyError, match=told):
        read_manifest(written(folder, "patient,image,mask", name=name))


def test_absolute_paths_stay(folder: Path) -> None:
    (folder / "elsewhere").mkdir()
    path = written(
        folder,
        f"patient,image,mask\n1,{folder}/scans/a.nii,{folder}/scans/b.nii",
        name="elsewhere/manifest.csv",
    )
    assert read_manifest(path)[0].image == folder / "scans/a.nii"
    assert read_manifest(str(path)) == read_manifest(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "patient,image,mask,labels\n1,scans/a.nii,scans/b.nii,1",
            r"1 of 4 are not: 'labels'\. Did you mean 'label'\?",
        ),
        ("patient,image\n1,scans/a.nii", r"'mask' is not among 'image', 'patient'"),
        (
            "patient,image,mask\n1,scans/a.nii,scans/b.nii\n2,,scans/d.nii\n3,,scans/d.nii",
            r"column 'image' must be filled in every row, but 2 of 3 are blank \(row 3, row 4\)",
        ),
        (
            """patient,image,mask,reader
            1,scans/a.nii,scans/b.nii,A
            2,scans/c.nii,scans/d.nii,""",
            r"column 'reader' .* 1 of 2 are blank \(row 3\).*take the column out",
        ),
        (
            """patient,image,mask,timepoint
            1,scans/a.nii,scans/b.nii,pre
            1,scans/c.nii,scans/b.nii,pre""",
            r"1 pair of rows have the same.*\(row 2 and row 3: 1, pre\)",
        ),
        (
            """patient,image,mask,label
            1,scans/a.nii,scans/b.nii,1;2
            1,scans/a.nii,scans/d.nii,2""",
            "every case must stand in one row",
        ),
        (
            "patient,image,mask\n1,scans/a.nii,scans/b.nii\n2,scans/z.nii,scans/y.nii",
            r"2 paths of 2 rows lead nowhere \(row 3, image: .*z\.nii; row 3, mask: .*y\.nii\)",
        ),
        (
            """patient,image,mask
            P-001,scans/P-001_T1.nii,scans/P-002_seg.nii
            P-002,scans/P-002_T1.nii,scans/P-001_seg.nii""",
            r"2 of 2 rows do not \(row 2: mask of 'P-001' names 'P-002'; row 3: mask of 'P-002'",
        ),
        (
            """patient,image,mask
            P-001,scans/a.nii,scans/b.nii
            P-002,scans/P-001_T1.nii,scans/d.nii""",
            r"1 of 2 rows do not \(row 3: image of 'P-002' names 'P-001'\)",
        ),
        (
            "patient,image,mask\n1,scans/a.nii,scans/b.nii\n2,scans/c.nii,scans/b.nii",
            r"one patient, but 1 of 2 rows do not \(row 3, mask: b\.nii is that of '1' in row 2\)",
        ),
        (
            "patient,image,mask\n1,scans/a.nii,scans/b.nii\n2,scans/a.nii,scans/b.nii",
            r"1 of 2 rows do not \(row 3, image: a\.nii is that of '1' in row 2\)",
        ),
        ("patient,image,mask\n1,scans/a.nii,scans/a.nii", "must be different files, but 1 of 1"),
        (
            "patient,image,mask,brain_mask\n1,scans/a.nii,scans/b.nii,scans/b.nii",
            r"image, mask and brain mask must be different files, but 1 .* \(row 2\)",
        ),
        ("patient,image,mask\n1,~/no.nii,scans/b.nii", re.escape(f"{Path.home()}/no.nii")),
        ("patient,image,mask,label\n1,scans/a.nii,scans/b.nii,1;1", "each region once.*row 2"),
        ("patient,image,mask,label\n1,scans/a.nii,scans/b.nii,1;", "each region once.*'1;'"),
        ("patient,image,mask", "a header, but no row"),
        ("", "the file is empty"),
        (
            """patient,sequence,image,mask
            1,T1c,scans/a.nii,scans/b.nii
            2,T1C,scans/c.nii,scans/d.nii""",
            r"column 'sequence' .* one way, but has 'T1c' in row 2 and 'T1C' in row 3\. Correct",
        ),
        (
            """patient,image,mask,region
            1,scans/a.nii,scans/b.nii,Ödem
            2,scans/c.nii,scans/d.nii,O\u0308dem""",
            "column 'region' must write each value in one way",
        ),
        ("patient,image,mask\np1,scans/a.nii,scans/b.nii\nP1,a,b", "has 'p1' in row 2 and 'P1'"),
        ("sep=;\npatient;image;mask\n1;a;b", "but is 'sep=;', which only Excel reads. Delete"),
        ("patient\n1", r"'image', 'mask' are not among 'patient'"),
        (
            "patient;image;mask;label\n1;scans/a.nii;scans/b.nii;1;2",
            r"row 2 has 5\. Quote cells that hold the separator, such as \"1;2\" in the column la",
        ),
        ("# a\n# b\npatient,image,mask\n1,a,b", r"first 2 begin with '#'\. Delete these lines\."),
        (
            "patient,image,mask\nNA,scans/a.nii,scans/b.nii",
            r"1 of 1 are blank \(NA counts as blank\) \(row 2\)\. Fill them in",
        ),
        (
            "patient,image,mask\n1,scans/a.nii,scans/b.nii\n,scans/c.nii,scans/d.nii",
            r"patient of every row, but 1 of 2 are blank \(row 3\)",
        ),
        (
            "patient,image,image,mask\n1,scans/a.nii,scans/a.nii,scans/b.nii",
            r"1 name stands over several \('image'\)\. Rename or remove",
        ),
    ],
)
def test_slips_are_named(folder: Path, text: str, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        read_manifest(written(folder, text))


def test_many_mismatches_are_counted_and_three_shown(tmp_path: Path) -> None:
    rows = ["patient,image,mask"]
    for n in range(10):
        for what, whose in (("T1", n), ("seg", (n + 1) % 10)):
            (tmp_path / f"ID{whose:03d}_{what}.nii").touch()
        rows.append(f"ID{n:03d},ID{n:03d}_T1.nii,ID{(n + 1) % 10:03d}_seg.nii")
    with pytest.raises(StudyError, match=r"10 of 10 rows do not .*row 4.*and 7 more"):
        read_manifest(written(tmp_path, "\n".join(rows)))


def test_what_may_not_be_read_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(folder, "patient,image,mask\n1,scans/a.nii,scans/b.nii\n2,c.nii,d.nii")
    for name in ("c", "d"):
        (folder / f"{name}.nii").touch()
    with monkeypatch.context() as patched:
        forbid(patched, path)
        with pytest.raises(StudyError, match=r"manifest\.csv may not be read: the right to read"):
            read_manifest(path)
    forbid(monkeypatch, folder / "scans")
    told = r"folder that may be opened, but 2 paths of 2 rows are not \(row 2, image: .*a\.nii; "
    with pytest.raises(StudyError, match=told):
        read_manifest(path)


def test_the_file_that_was_meant_is_named(folder: Path) -> None:
    (folder / "scans" / "t1_brain.nii.gz").touch()
    text = "patient,image,mask\n1,scans/t1_brain.nii,scans/b.nii\n2,scans/c.nii,no/d.nii"
    told = r"2 paths of 2 rows .*Did you mean 't1_brain\.nii\.gz'\? Paths are relative"
    with pytest.raises(StudyError, match=told):
        read_manifest(written(folder, text))


def test_paths_as_windows_writes_them(folder: Path) -> None:
    path = written(folder, "patient,image,mask\n1,scans\\a.nii,scans/b.nii")
    with pytest.raises(StudyError, match=r"1 path of 1 row leads nowhere .*parted by / here"):
        read_manifest(path)


def test_no_manifest_says_what_is_there(folder: Path) -> None:
    path = written(folder, "patient,image,mask\n1,scans/a.nii,scans/b.nii")
    with pytest.raises(StudyError, match=re.escape("Did you mean 'manifest.csv'?")):
        read_manifest(path.with_name("manifst.csv"))


def test_ids_in_folders_that_all_paths_share_mean_nothing(tmp_path: Path) -> None:
    (tmp_path / "P-001").mkdir()
    for name in ("a", "b", "c", "d"):
        (tmp_path / "P-001" / f"{name}.nii").touch()
    text = "patient,image,mask\nP-001,P-001/a.nii,P-001/b.nii\nP-002,P-001/c.nii,P-001/d.nii"
    assert len(read_manifest(written(tmp_path, text))) == 2


def test_rows_of_short_ids_are_not_looked_at(tmp_path: Path) -> None:
    for name in ("7_site_100", "7_seg", "100_T1", "100_seg"):
        (tmp_path / f"{name}.nii").touch()
    text = "patient,image,mask\n7,7_site_100.nii,7_seg.nii\n100,100_T1.nii,100_seg.nii"
    cases = read_manifest(written(tmp_path, text))
    assert [case.patient for case in cases] == ["7", "100"]


def manifest_of(folder: Path, rows: list[str]) -> Path:
    """Write a manifest of `patient,image,mask`, and the files that it names."""
    for row in rows:
        for name in row.split(",")[1:]:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()
    return written(folder, "\n".join(["patient,image,mask", *rows]))


OWN = ["pat{0},pat{0}/t1.nii,pat{0}/seg.nii".format(f"{number:03d}") for number in range(2, 6)]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("pat001,pat001/t1.nii,pat009/seg.nii", "mask of 'pat001' does not name the patient"),
        ("pat001,pat009/t1.nii,pat001/seg.nii", "image of 'pat001' does not name the patient"),
    ],
)
def test_a_file_of_somebody_who_is_not_in_the_manifest(
    tmp_path: Path, row: str, message: str
) -> None:
    path = manifest_of(tmp_path, [row, *OWN])
    with pytest.raises(StudyError, match=rf"1 of 5 rows .*row 2: {message}, as 4 of 5 do"):
        read_manifest(path)
    assert len(read_manifest(path, trust_paths=True)) == 5


def test_where_many_masks_name_nobody_it_is_no_slip(tmp_path: Path) -> None:
    nobody = [f"pat{n},pat{n}/t1.nii,masks/{n - 100}.nii" for n in (101, 102)]
    assert len(read_manifest(manifest_of(tmp_path, [*nobody, *OWN]))) == 6
    far = ["pat001,far/t1.nii,far/seg.nii", *OWN]  # elsewhere, but together
    assert len(read_manifest(manifest_of(tmp_path / "far", far))) == 5


def numbered(numbers: dict[int, int]) -> list[str]:
    return [f"{patient},scan_{n}.nii,seg_{n}.nii" for patient, n in numbers.items()]


def test_numbers_of_scans_are_no_ids_where_most_are_nobodys(tmp_path: Path) -> None:
    few = numbered({101: 102, 102: 301, 205: 302, 317: 303})
    assert len(read_manifest(manifest_of(tmp_path, few))) == 4
    chance = numbered({101: 102, 102: 101, 205: 205, 400: 303, 401: 304, 402: 305, 403: 306})
    assert len(read_manifest(manifest_of(tmp_path / "chance", chance))) == 7
    crossed = [*few[1:], "101,scan_102.nii,seg_205.nii"]
    with pytest.raises(StudyError, match="row 5: image names '102', mask names '205'"):
        read_manifest(manifest_of(tmp_path / "crossed", crossed))


def test_a_column_of_patients_sorted_alone_is_told_with_the_way_out(tmp_path: Path) -> None:
    path = manifest_of(tmp_path, numbered({101: 102, 102: 103, 103: 104}))
    told = r"2 of 3 rows do not \(row 2: image of '101' names '102'; .*paths number something else"
    with pytest.raises(StudyError, match=rf"{told}, say --trust-paths\."):
        read_manifest(path)
    assert [case.patient for case in read_manifest(path, trust_paths=True)] == ["101", "102", "103"]


def test_ids_glued_to_other_words_are_known(tmp_path: Path) -> None:
    rows = ["pat001,pat001T1.nii,pat002seg.nii", "pat002,pat002T1.nii,pat001seg.nii"]
    with pytest.raises(StudyError, match="row 2: mask of 'pat001' names 'pat002'"):
        read_manifest(manifest_of(tmp_path, rows))


@pytest.mark.parametrize(
    ("folder", "session", "ids"), [("P{}", "2", ["P1", "P2"]), ("sub-{}", "pre", ["1", "2"])]
)
def test_short_ids_are_compared_by_the_folders_of_image_and_mask(
    tmp_path: Path, folder: str, session: str, ids: list[str]
) -> None:
    for number in (1, 2):
        there = tmp_path / folder.format(number) / session
        there.mkdir(parents=True)
        for name in ("t1", "seg"):
            (there / f"{name}.nii").touch()

    def manifest(masks: tuple[int, int]) -> Path:
        rows = [
            f"{one},{folder.format(n)}/{session}/t1.nii,{folder.format(mask)}/{session}/seg.nii"
            for one, n, mask in zip(ids, (1, 2), masks, strict=True)
        ]
        return written(tmp_path, "\n".join(["patient,image,mask", *rows]))

    assert len(read_manifest(manifest((1, 2)))) == 2
    told = f"2 of 2 rows .*folder of '{ids[0]}', mask in one of '{ids[1]}'"
    with pytest.raises(StudyError, match=told):
        read_manifest(manifest((2, 1)))


@pytest.mark.parametrize(
    ("ids", "text", "found"),
    [
        (["p-1", "p-1-2"], "x/p-1-2_t1.nii", {"p-1-2"}),  # the longest
        (["001", "002"], "sub-001_ses-002.nii", {"001", "002"}),
        (["001"], "10010/img001.nii", set()),  # no word of its own
        (["pat001", "pat002"], "x/pat001T1.nii", {"pat001"}),
        (["pat001"], "x/mypat001.nii", set()),
        (["pat001"], "x/pat0012.nii", set()),
        (["a b"], "scans/a b/t1.nii", {"a b"}),
        ([], "x/y.nii", set()),
    ],
)
def test_ids_are_found_as_whole_words(ids: list[str], text: str, found: set[str]) -> None:
    assert _finder(ids)(text) == found


@given(st.lists(st.from_regex("[a-z]{2}[0-9]{2}", fullmatch=True), max_size=9, unique=True))
def test_every_id_is_found_in_its_own_path(ids: list[str]) -> None:
    find = _finder(ids)
    assert all(find(f"data/{one}/{one}_t1.nii") == {one} for one in ids)


@given(
    ids=st.lists(st.from_regex("[a-z]{2}[0-9]{2}", fullmatch=True), min_size=2, unique=True),
    data=st.data(),
)
def test_masks_that_changed_places_are_found_and_no_others(
    ids: list[str], data: st.DataObject
) -> None:
    one, other = data.draw(st.permutations(range(len(ids))))[:2]

    def suspected(masks: list[str]) -> list[str]:
        cases = [
            Case(patient=own, image=Path(f"/d/{own}_t1.nii"), mask=Path(f"/d/m/{whose}.nii"), row=1)
            for own, whose in zip(ids, masks, strict=True)
        ]
        found = suspect_rows(cases, [f"row {n}" for n in range(len(ids))])
        return sorted(text.partition(":")[0] for text in found)

    assert suspected(ids) == []
    masks = ids.copy()
    masks[one], masks[other] = ids[other], ids[one]
    assert suspected(masks) == sorted([f"row {one}", f"row {other}"])
