"""The page: parsed, counted, and attacked."""

import json
import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
from plotly.offline import get_plotlyjs

from reports.blocks import Block, Figure, FigureGrid, Findings, Page, Section, Table, Text
from reports.html import render, write_page
from reports.jupyter import DRAWN, notebook_html, register
from reports.style import DARK
from reports.tables import TableRows
from tests.made_up_tables import HOSTILE, all_figures, coefficients_table, findings

VOID = {"meta", "link", "br", "img", "input", "hr"}
ADDRESSES = {"src", "href", "action", "srcset", "data", "poster", "formaction", "background"}


class Parsed(HTMLParser):
    """Every element with its attributes, the text of each script, and all text outside them."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(document)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            attributes, text = self.scripts[-1]
            self.scripts[-1] = (attributes, text + data)
        elif self.open and self.open[-1] != "style":
            self.text += data

    def values(self, name: str) -> list[str]:
        return [str(attrs[name]) for _, attrs in self.elements if name in attrs]

    def code(self) -> list[str]:
        return [text for attrs, text in self.scripts if "type" not in attrs]

    def data(self, name: str) -> str:
        return next(text for attrs, text in self.scripts if attrs.get("id") == name)


def page(name: str = "Age") -> Page:
    figures = all_figures()
    table = coefficients_table().assign(term=name).rename(columns={"coefficient": name})
    blocks = [
        Text(text=f"First of {name}.\n\nSecond.\n\n- one\n- two", heading=name),
        Findings(findings=findings()),
        Figure(figure=figures["Nomogram"], title=name, caption=name),
        Table(table=table, title=f"{name}.", note=name),
    ]
    loadings = Figure(figure=figures["Loadings"], title="Loadings")
    return Page(
        title=name,
        subtitle=name,
        banner=name,
        facts=[(name, name)],
        footer=name,
        sections=[
            Section(
                id="models",
                title=name,
                blocks=blocks,
                sections=[Section(id="model-a", title=name, blocks=[loadings])],
            ),
            Section(id="end", title="End", blocks=[Table(table=table, title="Again")]),
        ],
    )


def of(*blocks: Block) -> Parsed:
    return Parsed(render(Page(title="P", sections=[Section(id="s", title="S", blocks=blocks)])))


@pytest.fixture(scope="module")
def parsed() -> Parsed:
    return Parsed(render(page()))


def test_ids_are_unique_and_the_contents_lead_to_them(parsed: Parsed) -> None:
    ids = parsed.values("id")
    assert len(ids) == len(set(ids))
    links = [str(attrs["href"]) for tag, attrs in parsed.elements if tag == "a"]
    assert links == ["#models", "#model-a", "#end"]
    assert {link[1:] for link in links} <= set(ids)


def test_figures_and_tables_are_numbered_in_order(parsed: Parsed) -> None:
    found = re.findall(r"(Figure|Table) (\d)\.", parsed.text)
    assert found == [("Figure", "1"), ("Table", "1"), ("Figure", "2"), ("Table", "2")]
    assert {"figure-1", "figure-2", "table-1", "table-2"} <= set(parsed.values("id"))


def test_every_plot_has_its_data(parsed: Parsed) -> None:
    plots = [attrs for _, attrs in parsed.elements if attrs.get("class") == "plot"]
    assert len(plots) == 2
    for plot in plots:
        figure = json.loads(parsed.data(str(plot["data-figure"])))
        assert len(figure["data"]) >= 2
        assert f"height:{figure['layout']['height']}px" in str(plot["style"])
    assert json.loads(parsed.data("dark-colours")) == DARK


def test_numbers_of_a_table_stand_in_the_page(parsed: Parsed) -> None:
    assert "2.96 (1.60–5.40)" in parsed.text
    assert "<0.001" in parsed.text


def test_findings_are_sorted_by_severity(parsed: Parsed) -> None:
    order = re.findall(r"finding (serious|caution|note)", " ".join(parsed.values("class")))
    assert order == ["serious", "caution", "note"]


def test_plotly_stands_in_the_page_once() -> None:
    assert render(page()).count(get_plotlyjs()) == 1


def test_a_page_without_a_figure_does_without_plotly() -> None:
    section = Section(id="words", title="Words", blocks=[Text(text="No figure here.")])
    assert len(render(Page(title="Words", sections=[section]))) < 100_000
    outer = Section(id="outer", title="Outer", sections=[page().sections[0]])
    assert render(Page(title="Inner", sections=[outer])).count(get_plotlyjs()) == 1


def test_policy_allows_the_two_scripts_and_nothing_else(parsed: Parsed) -> None:
    policy = next(
        str(attrs["content"])
        for _, attrs in parsed.elements
        if attrs.get("http-equiv") == "Content-Security-Policy"
    )
    rules = dict(rule.strip().partition(" ")[::2] for rule in policy.split(";"))
    code = parsed.code()
    assert len(code) == 2
    hashes = {f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in code}
    assert set(rules["script-src"].split()) == hashes
    for directive in ("default-src", "connect-src", "base-uri", "form-action"):
        assert rules[directive] == "'none'"
    assert rules["img-src"] == "data: blob:"
    assert "unsafe-eval" not in policy
    assert "http" not in policy


def test_no_address_leads_out_of_the_page(parsed: Parsed) -> None:
    for tag, attrs in parsed.elements:
        for name, value in attrs.items():
            assert not name.startswith("on"), f"{tag} has a handler {name}"
            assert "url(" not in str(value)
            if name in ADDRESSES:
                assert str(value).startswith(("#", "data:")), f"{tag} {name}={value}"
    css = (Path(__file__).parents[1] / "reports/templates/report.css").read_text(encoding="utf-8")
    assert "url(" not in css
    assert "@import" not in css


@pytest.mark.parametrize(
    "hostile", [HOSTILE, "'\"><img src=x onerror=alert(1)>", "</script><!--", "{{ 7 * 7 }}"]
)
def test_a_hostile_name_is_only_text_everywhere(hostile: str, parsed: Parsed) -> None:
    attacked = Parsed(render(page(hostile)))
    assert [tag for tag, _ in attacked.elements] == [tag for tag, _ in parsed.elements]
    assert attacked.text.count(hostile) >= 10
    assert attacked.code() == parsed.code()


def test_a_hostile_name_in_a_figure_cannot_close_its_script() -> None:
    figure = all_figures()["Loadings"]
    figure.data[0].hovertext = ["</script><script>alert(1)</script>\u2028"] * 4
    found = of(Figure(figure=figure, title="F"))
    data = found.data("figure-1-data")
    assert not set("<>&\u2028") & set(data)
    assert json.loads(data)["data"][0]["hovertext"][0].startswith("</script>")
    assert len(found.code()) == 2


def test_equal_pages_are_equal_text() -> None:
    assert render(page()) == render(page())


def test_wrong_ids_are_named() -> None:
    twice = [Section(id="a", title="A"), Section(id="a", title="B")]
    with pytest.raises(ValueError, match=r"\['a'\] come more than once"):
        render(Page(title="P", sections=twice))
    with pytest.raises(ValueError, match=r"1 of 1 are not.*'A b'"):
        render(Page(title="P", sections=[Section(id="A b", title="A")]))


def test_no_findings_are_said() -> None:
    assert "No findings." in of(Findings(findings=())).text


def test_page_is_written_whole(tmp_path: Path) -> None:
    write_page(page(), tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == render(page())


def test_a_notebook_gets_one_frame_that_holds_the_page() -> None:
    section = page().sections[0]
    (frame,) = Parsed(notebook_html(section)).elements
    assert frame[0] == "iframe"
    inner = Parsed(str(frame[1]["srcdoc"]))
    assert inner.code()[0] == get_plotlyjs()
    assert len(inner.code()) == 2
    assert "nav" not in [tag for tag, _ in inner.elements]
    assert "Figure 1." in inner.text


def test_a_notebook_learns_sections_and_pages() -> None:
    known: dict[type, object] = {}

    class Formatter:
        def for_type(self, kind: type, draw: object) -> None:
            known[kind] = draw

    class Shell:
        display_formatter = type("Display", (), {"formatters": {"text/html": Formatter()}})()

    register(Shell())
    assert {kind: known[kind] for kind in (Section, Page)} == dict.fromkeys(
        (Section, Page), notebook_html
    )
    assert set(known) == {Section, Page, *DRAWN}


def test_an_indented_cell_is_set_in() -> None:
    table = pd.DataFrame({"column": ["Sex", "  Female"], "count": [2, 1]})
    found = of(Table(table=table, title="One"))
    rows = [attrs.get("class") for _, attrs in found.elements if attrs.get("scope") == "row"]
    assert rows == ["short", "indent short"]


def grid(name: str = "A cohort") -> FigureGrid:
    figures = all_figures()
    panels = [
        Figure(figure=figures["Calibration"], title=f"{name}, by 12 months"),
        Figure(figure=figures["Decision curve"], title=f"{name}, by 24 months"),
    ]
    return FigureGrid(panels=panels, title=name, caption=name, height=300)


def test_panels_share_a_number_a_caption_and_a_legend() -> None:
    parsed = of(grid(), Figure(figure=all_figures()["Loadings"], title="Next"))
    assert {"figure-1", "figure-1a", "figure-1b", "figure-1a-plot", "figure-2"} <= set(
        parsed.values("id")
    )
    assert re.findall(r"Figure (\d+)\.", parsed.text) == ["1", "2"]
    assert re.search(r"A A cohort, by 12 months\s+B A cohort, by 24 months", parsed.text)
    drawn = [json.loads(parsed.data(f"figure-1{letter}-data"))["layout"] for letter in "ab"]
    assert [layout["showlegend"] for layout in drawn] == [False, False]
    assert [layout["height"] for layout in drawn] == [300, 300]
    legend = parsed.text[: parsed.text.index("A A cohort")].split()
    assert " ".join(legend).endswith(
        "Out of fold Clinical Clinical + factors Apparent Ideal Treat all Treat none"
    )
    swatches = [str(a["style"]) for tag, a in parsed.elements if a.get("class") == "swatch"]
    assert len(swatches) == 7
    assert "--light:#0072b2;--dark:#4da6de" in swatches


def test_panels_leave_their_figures_as_they_were() -> None:
    block = grid()
    before = [panel.figure.to_json() for panel in block.panels]
    of(block)
    assert [panel.figure.to_json() for panel in block.panels] == before


def test_a_hostile_name_is_only_text_in_a_grid() -> None:
    attacked, plain = of(grid(HOSTILE)), of(grid())
    assert [tag for tag, _ in attacked.elements] == [tag for tag, _ in plain.elements]
    assert attacked.text.count(HOSTILE) == 4


@pytest.mark.parametrize(("n_panels", "columns"), [(0, 2), (27, 2), (2, 4)])
def test_impossible_grids_are_refused(n_panels: int, columns: int) -> None:
    panel = Figure(figure=all_figures()["Loadings"], title="One")
    with pytest.raises(ValueError, match="1 to 26 panels in 1 to 3 columns"):
        of(FigureGrid(panels=[panel] * n_panels, title="T", columns=columns))


def test_notes_are_folded_below_what_is_urgent() -> None:
    parsed = of(Findings(findings=findings()))
    details = [attrs for tag, attrs in parsed.elements if tag == "details"]
    assert "open" in details[0]  # the contents
    assert details[1] == {"class": "notes"}
    assert parsed.text.index("few_events") < parsed.text.index("1 note\n")
    assert parsed.text.index("1 note\n") < parsed.text.index("constant")
    only_notes = of(Findings(findings=findings()[:1]))
    assert "open" in [attrs for tag, attrs in only_notes.elements if tag == "details"][1]


def test_every_plot_is_named_and_described_by_its_caption() -> None:
    parsed = of(grid("Replicate"), Figure(figure=all_figures()["Loadings"], title="Loadings"))
    plots = [attrs for _, attrs in parsed.elements if attrs.get("class") == "plot"]
    assert [plot["aria-label"] for plot in plots] == [
        "Figure 1A. Replicate Replicate, by 12 months",
        "Figure 1B. Replicate Replicate, by 24 months",
        "Figure 2. Loadings",
    ]
    assert {plot["role"] for plot in plots} == {"img"}
    assert {str(plot["aria-describedby"]) for plot in plots} <= set(parsed.values("id"))


def test_headings_come_in_order(parsed: Parsed) -> None:
    levels = [int(tag[1]) for tag, _ in parsed.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert len(levels) >= 5


def test_a_group_heads_its_rows() -> None:
    rows = TableRows(
        header=("Metric", "A"),
        rows=(("By 12 months", ""), ("  AUC", "0.70")),
        numeric=(False, True),
        groups=(0,),
    )
    found = of(Table(table=rows, title="T"))
    (group,) = [attrs for _, attrs in found.elements if attrs.get("scope") == "rowgroup"]
    assert group["colspan"] == "2"


def ratio(one: str, other: str) -> float:
    """WCAG's contrast."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_has_the_contrast_of_wcag_aa(scheme: int) -> None:
    css = (Path(__file__).parents[1] / "reports/templates/report.css").read_text(encoding="utf-8")
    found = re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", css)
    half = len(found) // 2 if len(found) % 2 == 0 else 0
    colours = dict(found[half:] if scheme else found[:half])
    assert {"paper", "ink", "muted", "accent"} <= set(colours)
    for text in ("ink", "muted", "accent"):
        for paper in ("paper", "raised"):
            assert ratio(colours[text], colours[paper]) >= 4.5
    for tone in ("serious", "caution", "note"):
        for text in (tone, "ink"):
            assert ratio(colours[text], colours[f"{tone}-paper"]) >= 4.5
    assert ratio(colours["muted"], colours["hair"]) >= 4.5  # the code of a finding
