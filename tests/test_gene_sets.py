"""Gene sets: the file, and over-representation against R, scipy and hand-worked counts."""

import json
from math import comb
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from omics.errors import StudyError
from omics.gene_sets import GeneSets, gene_set_enrichment, read_gmt

R = json.loads((Path(__file__).parent / "reference" / "meaning.json").read_text())
GENES = [f"GENE{i}" for i in range(40)]


def made_loadings(seed: int = 0, n_factors: int = 2) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    wide = pd.DataFrame(
        rng.normal(size=(40, n_factors)), columns=[f"F{k + 1}" for k in range(n_factors)]
    )
    wide.insert(0, "view", "rna")
    wide.insert(1, "feature", GENES)
    table = wide.melt(["view", "feature"], var_name="factor", value_name="loading")
    other = pd.DataFrame({"view": "mri", "feature": ["volume"], "factor": "F1", "loading": [9.0]})
    return pd.concat([table, other], ignore_index=True)


def made_sets(seed: int = 1, n: int = 6) -> GeneSets:
    rng = np.random.default_rng(seed)
    named = [*GENES, *(f"ELSEWHERE{i}" for i in range(20))]
    return GeneSets(
        source="made.gmt",
        genes={f"SET{i}": tuple(rng.choice(named, 8 + i, replace=False)) for i in range(n)},
    )


def written(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "made.gmt"
    path.write_bytes(text.encode(encoding))
    return path


# the file -------------------------------------------------------------------------------------


def test_a_gmt_file_is_read_as_written(tmp_path: Path) -> None:
    path = written(
        tmp_path, "CYCLE\thttp://x\tCDK1\tcdk1\tCCNB1\tCDK1\n\nREPAIR\t\tBRCA1\t\tRAD51\t\r\n"
    )
    sets = read_gmt(path)
    assert sets.genes == {"CYCLE": ("CDK1", "cdk1", "CCNB1"), "REPAIR": ("BRCA1", "RAD51")}
    assert repr(sets) == "GeneSets('made.gmt', 2 sets)"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("CYCLE\tx\tCDK1\nREPAIR BRCA1\n", r"made.gmt, line 2 .* no tab: 'REPAIR BRCA1'.*GMT"),
        ("CYCLE\tx\tA\n\nCYCLE\tx\tB\n", r"line 3: set 'CYCLE' stands on line 1 already"),
        ("CYCLE\tCDK1\n", r"line 1: set 'CYCLE' has no gene \(the second cell"),
        ("CYCLE\tx\t \t\n", r"line 1: set 'CYCLE' has no gene"),
        ("\tx\tCDK1\n", r"line 1 has no name before its first tab"),
        ("\n \n", r"holds no set"),
    ],
)
def test_a_bad_gmt_file_is_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=message):
        read_gmt(written(tmp_path, text))


def test_a_file_in_another_encoding_or_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"not text in UTF-8 \(byte 6\)\. Unpack it"):
        read_gmt(written(tmp_path, "CYCLE\té\tCDK1\n", "latin-1"))
    with pytest.raises(StudyError, match=r"nowhere.gmt cannot be opened: No such file"):
        read_gmt(tmp_path / "nowhere.gmt")


# the test -------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", R["gene_sets"], ids=lambda c: f"{c['n_overlap']}of{c['n_set']}")
def test_chances_are_those_of_r(case: dict[str, float]) -> None:
    k, n_set, n, n_top = (int(case[name]) for name in ("n_overlap", "n_set", "n_universe", "n_top"))
    genes = [f"G{i}" for i in range(n)]
    loadings = pd.DataFrame(
        {"view": "rna", "feature": genes, "factor": "F1", "loading": np.arange(n, 0, -1.0)}
    )
    chosen = (*genes[:k], *genes[n_top : n_top + n_set - k])
    sets = GeneSets(source="made.gmt", genes={"S": chosen})
    found = gene_set_enrichment(loadings, sets, view="rna", n_top=n_top)
    row = found.table.iloc[0]
    assert (len(found.table), row["n_overlap"], row["n_set"], row["n_top"]) == (1, k, n_set, n_top)
    assert row["p_value"] == pytest.approx(case["phyper"], rel=1e-10)
    assert row["p_value"] == pytest.approx(case["fisher"], rel=1e-7)
    by_hand = sum(
        comb(n_set, j) * comb(n - n_set, n_top - j) for j in range(k, min(n_set, n_top) + 1)
    )
    assert row["p_value"] == pytest.approx(by_hand / comb(n, n_top), rel=1e-9)


def test_every_row_is_fishers_exact_test() -> None:
    loadings, sets = made_loadings(), made_sets()
    found = gene_set_enrichment(loadings, sets, view="rna", n_top=9, min_size=2)
    table = found.table
    assert len(table) == 2 * 2 * 6
    for row in table.itertuples():
        sign = 1 if row.sign == "positive" else -1
        mine = loadings.query("view == 'rna' and factor == @row.factor").set_index("feature")
        top = (sign * mine["loading"]).nlargest(9).index
        inside = set(sets.genes[row.gene_set]) & set(GENES)
        both = [gene for gene in top if gene in inside]
        assert row.genes == " ".join(both)
        assert (row.n_set, row.n_top, row.n_overlap) == (len(inside), 9, len(both))
        k, n_set = len(both), len(inside)
        square = [[k, 9 - k], [n_set - k, 40 - 9 - n_set + k]]
        odds, p_value = stats.fisher_exact(square, alternative="greater")
        assert row.p_value == pytest.approx(p_value, rel=1e-10)
        assert row.odds_ratio == pytest.approx(odds, rel=1e-12)
        assert row.expected == pytest.approx(9 * n_set / 40)
    adjusted = multipletests(table["p_value"], method="fdr_bh")[1]
    np.testing.assert_allclose(table["p_adjusted"], adjusted, rtol=1e-12)


def test_the_result_counts_what_was_looked_at() -> None:
    sets = GeneSets(
        source="made.gmt",
        genes={"SMALL": ("GENE1", "X"), "RIGHT": ("GENE1", "GENE2", "Y"), "ALL": tuple(GENES)},
    )
    found = gene_set_enrichment(made_loadings(), sets, view="rna", n_top=5, min_size=2, max_size=30)
    assert (found.n_sets, found.n_tested, found.n_universe) == (3, 1, 40)
    assert (found.n_genes, found.n_found) == (42, 40)
    assert set(found.table["gene_set"]) == {"RIGHT"}
    assert repr(found).startswith("GeneSetResult('rna', 1 of 3 sets tested, ")


def test_a_threshold_takes_the_loadings_that_reach_it_and_zeros_are_never_top() -> None:
    loadings = pd.DataFrame(
        {
            "view": "rna",
            "feature": list("ABCDEFGH"),
            "factor": "F1",
            "loading": [2.0, 1.0, 0.99, 0.0, 0.0, -1.0, -3.0, 0.0],
        }
    )
    sets = GeneSets(source="made.gmt", genes={"S": ("A", "B", "G")})
    found = gene_set_enrichment(loadings, sets, view="rna", least_loading=1.0, min_size=1)
    rows = found.table.set_index("sign")
    assert rows["genes"].to_dict() == {"positive": "A B", "negative": "G"}
    assert rows["n_top"].to_dict() == {"positive": 2, "negative": 2}
    assert rows.loc["positive", "p_value"] == pytest.approx(3 / 28)  # choose(3,2) / choose(8,2)
    counted = gene_set_enrichment(loadings, sets, view="rna", n_top=5, min_size=1).table
    assert counted.set_index("sign")["n_top"].to_dict() == {"positive": 3, "negative": 2}


def test_odds_are_infinite_where_no_gene_is_out_of_step() -> None:
    loadings = made_loadings(n_factors=1)
    top = loadings.query("view == 'rna'").nlargest(6, "loading")["feature"]
    sets = GeneSets(source="made.gmt", genes={"S": tuple(top)})
    found = gene_set_enrichment(loadings, sets, view="rna", n_top=6)
    assert found.table.set_index("sign").loc["positive", "odds_ratio"] == np.inf


def test_a_factor_without_loadings_of_a_sign_has_no_row_of_it() -> None:
    loadings = made_loadings().assign(loading=lambda t: t["loading"].abs())
    loadings.loc[loadings["factor"] == "F2", "loading"] = 0.0
    found = gene_set_enrichment(loadings, made_sets(), view="rna", n_top=5, min_size=2)
    assert set(zip(found.table["factor"], found.table["sign"], strict=True)) == {("F1", "positive")}


@given(seed=st.integers(0, 30))
def test_turning_a_factor_exchanges_the_signs(seed: int) -> None:
    loadings, sets = made_loadings(seed), made_sets(seed)
    turned = loadings.assign(loading=-loadings["loading"])
    key = ["factor", "gene_set", "sign"]
    one, two = (
        gene_set_enrichment(table, sets, view="rna", n_top=7, min_size=2).table
        for table in (loadings, turned)
    )
    two["sign"] = two["sign"].map({"positive": "negative", "negative": "positive"})
    pd.testing.assert_frame_equal(
        one.sort_values(key, ignore_index=True), two.sort_values(key, ignore_index=True)
    )


# what cannot be tested ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "either n_top or least_loading must be given, but neither"),
        ({"n_top": 5, "least_loading": 1.0}, "but both came"),
        ({"n_top": 0}, "n_top must be at least 1, but is 0"),
        ({"least_loading": 0.0}, "least_loading must be above 0"),
        ({"n_top": 5, "min_size": 9, "max_size": 8}, "must rise from 1, but 9 and 8"),
    ],
)
def test_bad_options_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        gene_set_enrichment(made_loadings(), made_sets(), view="rna", **options)  # type: ignore[arg-type]


def test_genes_that_no_view_holds_are_refused_with_the_first_names_of_both() -> None:
    loadings = made_loadings()
    other = GeneSets(source="made.gmt", genes={"S": ("ENSG01", "ENSG02"), "T": ("ENSG03",)})
    with pytest.raises(
        StudyError,
        match=r"none of their 3 genes is among the 40 features of view 'rna'. The sets name "
        r"'ENSG01', 'ENSG02', 'ENSG03'; the view holds 'GENE0', .*Name both by the same symbols",
    ):
        gene_set_enrichment(loadings, other, view="rna", n_top=5)
    mouse = GeneSets(source="made.gmt", genes={"S": ("Gene1", "Gene2")})
    with pytest.raises(StudyError, match="differ in capital letters alone"):
        gene_set_enrichment(loadings, mouse, view="rna", n_top=5)


def test_views_sizes_and_rules_that_leave_nothing_are_refused() -> None:
    loadings, sets = made_loadings(), made_sets()
    with pytest.raises(StudyError, match=r"'rma' is none of 2\. Did you mean 'rna'\?"):
        gene_set_enrichment(loadings, sets, view="rma", n_top=5)
    with pytest.raises(StudyError, match=r"no set has 30 to 500 genes .*the largest has \d+"):
        gene_set_enrichment(loadings, sets, view="rna", n_top=5, min_size=30)
    with pytest.raises(StudyError, match=r"must be some of the view's 40, but all are"):
        gene_set_enrichment(loadings.assign(loading=1.0), sets, view="rna", n_top=40, min_size=2)
