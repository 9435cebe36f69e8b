"""The page in a real browser: it draws every figure, says nothing, and asks the network nothing."""

import re
import shutil
import subprocess
from pathlib import Path

import plotly.graph_objects as go
import pytest

from reports.blocks import Figure, FigureGrid, Findings, Page, Section, Table, Text
from reports.html import write_page
from tests.browser import needs_browser, printed, visit
from tests.made_up_tables import all_figures, findings, performance_table

HOSTILE = "<script>alert(1)</script><img src=https://example.org/x.png onerror=alert(2)>"


def write(path: Path) -> Path:
    figure = go.Figure(go.Scatter(x=[1, 2], y=[1, 3], name=HOSTILE))
    blocks = [
        Text(text=HOSTILE),
        Figure(figure=figure, title=HOSTILE, caption=HOSTILE),
        FigureGrid(
            panels=[
                Figure(figure=all_figures()[name], title=f"{name} {HOSTILE}")
                for name in ("Calibration", "Decision curve", "Survival by risk group")
            ],
            title=HOSTILE,
            columns=3,
        ),
        Findings(findings=findings()),
        Table(table=performance_table().rename(columns={"model": HOSTILE}), title=HOSTILE),
    ]
    write_page(Page(title=HOSTILE, sections=[Section(id="a", title=HOSTILE, blocks=blocks)]), path)
    return path


@needs_browser
def test_the_page_draws_and_is_silent(tmp_path: Path) -> None:
    seen = visit(write(tmp_path / "page.html"))
    assert seen.console == []
    assert seen.requests == []
    assert seen.dom.count('data-drawn="') == 4
    assert seen.dom.count("main-svg") >= 4
    assert seen.dom.count('aria-label="Save figure') == 4
    assert "<img" not in seen.dom


@needs_browser
def test_a_table_says_that_it_is_wider_than_a_phone(tmp_path: Path) -> None:
    page = write(tmp_path / "page.html")
    assert 'data-wide=""' in visit(page, width=500).dom
    narrow = Table(table=performance_table()[["model", "estimate"]], title="Two columns")
    write_page(Page(title="P", sections=[Section(id="a", title="A", blocks=[narrow])]), page)
    assert 'data-wide=""' not in visit(page).dom


@needs_browser
def test_the_page_prints_on_a4(tmp_path: Path) -> None:
    paper = printed(write(tmp_path / "page.html"))
    boxes = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", paper)
    assert len(boxes) >= 2
    for width, height in boxes:  # in points
        assert abs(float(width) - 210 / 25.4 * 72) < 1
        assert abs(float(height) - 297 / 25.4 * 72) < 1


@needs_browser
@pytest.mark.parametrize("n_columns", [7, 10])
@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="pdftotext is not installed")
def test_a_wide_table_does_not_shrink_the_page(tmp_path: Path, n_columns: int) -> None:
    # Chromium shrinks a page whose content is wider than the sheet: its first letter moves in.
    wide = performance_table().head(3)[["model", "estimate", "lower", "upper"]]
    text = {f"A heading of some length {i}": "55.6 (42.8\u201372.1)" for i in range(n_columns)}
    block = Table(table=wide.assign(**text), title="Wide")
    page = tmp_path / "page.html"
    write_page(Page(title="Title", sections=[Section(id="a", title="A", blocks=[block])]), page)
    (tmp_path / "page.pdf").write_bytes(printed(page))
    boxes = subprocess.run(
        ["pdftotext", "-bbox", str(tmp_path / "page.pdf"), "-"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    left = min(float(x) for x in re.findall(r'xMin="([\d.]+)"[^>]*>Title<', boxes))
    assert abs(left - 14 / 25.4 * 72) < 3  # the margin of the sheet
    right = max(float(x) for x in re.findall(r'xMax="([\d.]+)"[^>]*>42', boxes) or [0])
    assert right < (210 - 13) / 25.4 * 72


@needs_browser
def test_a_request_or_a_script_of_a_strangers_page_would_be_seen(tmp_path: Path) -> None:
    # The two checks above can fail: this page asks for an image and complains.
    page = tmp_path / "bad.html"
    page.write_text("<img src='http://127.0.0.1:9/x.png'><script>console.error('no')</script>")
    seen = visit(page)
    assert any("127.0.0.1:9/x.png" in url for url in seen.requests)
    assert any("no" in line for line in seen.console)
