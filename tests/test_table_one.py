"""Table one as printed: cells beside the names they belong to, and what its caption says."""

from html.parser import HTMLParser

import numpy as np
import pandas as pd

from models.description import TableOne, table_one
from omics.cohort import Cohort
from reports.blocks import Page, Section, Table, Text
from reports.html import render
from reports.table_one import table_one_blocks, table_one_rows
from tests.made_cohorts import made_cohort, with_table

COLUMNS = ["clinical:Age", "clinical:Grade"]


def three_arms() -> Cohort:
    cohort = made_cohort(60)
    arm = pd.Categorical(np.array(["a", "b", "c"])[np.arange(60) % 3])
    X = cohort.X.assign(**{"clinical:Arm": arm})
    X.loc[X.index[:2], "clinical:Arm"] = np.nan
    X.loc[X.index[5], "clinical:Grade"] = np.nan
    return with_table(cohort, X)


def caption(found: TableOne) -> str:
    (block,) = table_one_blocks(found)
    assert isinstance(block, Table)
    return block.caption


def test_differences_and_p_stand_beside_the_name_of_a_column() -> None:
    found = table_one(three_arms(), COLUMNS, by="clinical:Arm", tests="rank")
    rows = table_one_rows(found)
    assert rows.header[-2:] == ("SMD, mean (largest)", "p")
    assert [head.partition(" ")[0] for head in rows.header[1:4]] == ["a", "b", "c"]
    assert found.balance is not None
    assert found.tests is not None
    wanted = found.balance.summary.set_index("column")
    cells = {row[0]: row[-2:] for row in rows.rows}
    for name, column in (("Age, median (quartiles)", COLUMNS[0]), ("Grade", COLUMNS[1])):
        mean, largest = wanted.loc[column, ["mean", "largest"]]
        assert cells[name][0] == f"{mean:.2f} ({largest:.2f})"
        p_value = found.tests.set_index("column").loc[column, "p_value"]
        assert cells[name][1] == f"{p_value:.2f}"
    assert {name: cells[name] for name in ("  2", "  4", "  missing")} == dict.fromkeys(
        ("  2", "  4", "  missing"), ("", "")
    )
    assert [rows.rows[position][0] for position in rows.groups] == ["Grade"]
    assert len({len(row) for row in [rows.header, *rows.rows]}) == 1


def test_moments_stand_on_the_first_level() -> None:
    found = table_one(three_arms(), COLUMNS, by="clinical:Arm")
    rows = table_one_rows(found, known={"clinical:Grade": "surgery"})
    known = {row[0]: row[1] for row in rows.rows}
    assert known == {
        "Age, median (quartiles)": "–",
        **{"Grade": "", "  2": "surgery", "  3": "", "  4": "", "  missing": ""},
    }


def test_the_caption_says_what_was_done() -> None:
    by_cohort = caption(table_one(made_cohort(60, external=20), COLUMNS))
    assert by_cohort == (
        "Median (quartiles) for numbers, count (share of the known) for categories. SMD: "
        "standardised mean difference, of categories by Mahalanobis' distance."
    )
    by_arm = caption(table_one(three_arms(), COLUMNS, by="clinical:Arm", tests="rank"))
    assert "Development patients by Arm; 2 whose Arm is unknown are left out." in by_arm
    assert "mean and largest of all pairs of groups." in by_arm
    assert "p of Kruskal-Wallis, Fisher's exact tests, not adjusted" in by_arm
    assert "answer no question of this study" in by_arm
    assert "SMD" not in caption(table_one(made_cohort(60), COLUMNS))


def test_no_column_is_said_in_words() -> None:
    (block,) = table_one_blocks(table_one(made_cohort(20, external=5), []))
    assert block == Text(text="The study has no clinical or pathology column.")


class Rows(HTMLParser):
    """The rows of a page's table: class, then cells."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self.rows[-1].append(str(dict(attrs).get("colspan", "1")))


def test_a_heading_spans_its_row_only_where_nothing_stands_beside_it() -> None:
    found = table_one(three_arms(), COLUMNS, by="clinical:Arm")
    alone = table_one(three_arms(), COLUMNS, by="clinical:Arm", differences=False)
    for one, spans in ((found, ["1"] * 5), (alone, ["4"])):
        parser = Rows()
        blocks = table_one_blocks(one)
        parser.feed(render(Page(title="P", sections=[Section(id="s", title="S", blocks=blocks)])))
        assert parser.rows[2] == spans
