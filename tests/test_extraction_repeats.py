"""One row per patient out of an extraction, and the agreement of its readers: by hand, by icc."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from omics.extraction import Extraction
from omics.extraction_repeats import extraction_reliability, patient_rows
from omics.reliability import icc
from tests.made_extraction import FEATURES, made_extraction

FIRST = "core|original_firstorder_Entropy"


def read_twice(**options: object) -> Extraction:
    made = made_extraction(12, n_failed=0, readers=("A", "B"), **options)  # type: ignore[arg-type]
    table, rng = made.table.copy(), np.random.default_rng(5)
    second = table["reader"] == "B"
    own = rng.normal(size=(int(second.sum()), len(FEATURES)))
    table.loc[second, list(FEATURES)] = table.loc[~second, list(FEATURES)].to_numpy() + 0.3 * own
    return replace(made, table=table)


def test_agreement_is_that_of_the_readings() -> None:
    made = read_twice()
    found = extraction_reliability(made)
    assert found is not None
    assert (found.form, found.n_patients, found.n_readers) == ("ICC(A,1)", 12, 2)
    core = made.table.query("region == 'core'")
    readings = np.stack(
        [core.loc[core["reader"] == one, list(FEATURES)].to_numpy() for one in "AB"], axis=1
    )
    wanted = icc(readings, form="ICC(A,1)", names=list(FEATURES)).table
    ours = found.table[found.table["feature"].str.startswith("core|")]
    numbers = ["estimate", "lower", "upper"]
    np.testing.assert_allclose(ours[numbers].to_numpy(), wanted[numbers].to_numpy(), rtol=1e-10)
    assert len(found.table) == 2 * len(FEATURES)


def test_a_second_timepoint_adds_no_patient() -> None:
    made = read_twice(regions=("core",))
    later = made.table.assign(timepoint="2")
    later[list(FEATURES)] = 0.0
    both = pd.concat([made.table.assign(timepoint="1"), later], ignore_index=True)
    found, alone = extraction_reliability(replace(made, table=both)), extraction_reliability(made)
    assert found is not None
    assert alone is not None
    pd.testing.assert_frame_equal(found.table, alone.table)


def test_a_region_that_one_reader_did_not_draw_has_no_coefficient() -> None:
    made = read_twice()
    table = made.table.query("not (reader == 'B' and region == 'edema')")
    found = extraction_reliability(replace(made, table=table))
    assert found is not None
    estimates = found.table.set_index("feature")["estimate"]
    assert np.isfinite(estimates[FIRST])
    assert estimates.filter(like="edema|").isna().all()


@pytest.mark.parametrize("rows", ["reader == 'A'", "patient == 'SECRET-001'", "patient == ''"])
def test_too_little_to_compare(rows: str) -> None:
    made = read_twice()
    assert extraction_reliability(replace(made, table=made.table.query(rows))) is None
    assert extraction_reliability(made_extraction(5, n_failed=0)) is None


def test_rows_of_patients_keep_their_order_and_their_first_reading() -> None:
    made = read_twice()
    parts = patient_rows(made.table, list(FEATURES[:2]))
    assert list(parts) == ["core|", "edema|"]
    core = parts["core|"]
    assert list(core) == [f"core|{name}" for name in FEATURES[:2]]
    first = made.table.query("reader == 'A' and region == 'core'")
    assert core.index.tolist() == first["patient"].tolist()
    np.testing.assert_array_equal(core.to_numpy(), first[list(FEATURES[:2])].to_numpy())


def test_a_reader_of_few_patients_does_not_hide_the_others() -> None:
    made = read_twice()
    third = made.table.query("reader == 'A'").head(2).assign(reader="C")
    found = extraction_reliability(
        replace(made, table=pd.concat([made.table, third], ignore_index=True))
    )
    alone = extraction_reliability(made)
    assert found is not None
    assert alone is not None
    pd.testing.assert_frame_equal(found.table, alone.table)


def test_changed_copies_are_readings_without_a_reader_in_common() -> None:
    made = read_twice()
    drawn, copy = (made.table.query(f"reader == '{one}'").drop(columns="reader") for one in "AB")
    found = extraction_reliability(replace(made, table=drawn, perturbed=(copy,)))
    assert found is not None
    assert (found.form, found.n_patients, found.n_readers) == ("ICC(1)", 12, 2)
    core = [part.query("region == 'core'")[list(FEATURES)].to_numpy() for part in (drawn, copy)]
    wanted = icc(np.stack(core, axis=1), form="ICC(1)", names=list(FEATURES)).table
    ours = found.table[found.table["feature"].str.startswith("core|")]
    np.testing.assert_allclose(ours["lower"], wanted["lower"], rtol=1e-10)
