"""How sections become one page: a file that opens offline and runs only our own two scripts.

Everything a study's tables may say (names of columns, levels, cohorts) is text to this page: the
template escapes it, figures travel as JSON in which no tag can close, and the page's own security
policy allows no script but the two whose sha256 it names, no address, no form and no frame.

References
----------
Content Security Policy Level 3. https://www.w3.org/TR/CSP3/
"""

import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from string import ascii_uppercase
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from omics.errors import Finding
from reports.files import write_text
from reports.legend import entries
from reports.style import DARK
from reports.tables import TableRows, table_rows

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, kw_only=True)
class Text:
    """Plain text.

    Attributes
    ----------
    text : str
        Paragraphs, an empty line between them; lines that start with `- ` make a list.
    heading : str
        Stands above the text; empty for none.
    """

    text: str
    heading: str = ""


@dataclass(frozen=True, eq=False, kw_only=True)
class Figure:
    """A plotly figure with its caption; the page numbers it.

    Attributes
    ----------
    figure : plotly Figure
    title : str
        What it shows, in bold before the caption.
    caption : str
    """

    figure: go.Figure
    title: str
    caption: str = ""


@dataclass(frozen=True, eq=False, kw_only=True)
class FigureGrid:
    """Figures of one kind side by side: panels A, B, C under one number and one legend.

    Attributes
    ----------
    panels : sequence of Figure
        Their titles stand above them; their captions are not shown.
    title : str
        What all of them show, in bold before the caption.
    caption : str
    columns : int
        Panels beside each other on a wide page, 1 to 3; a phone stacks them.
    height : int, optional
        Of every panel, in pixels; left out: that of the tallest.
    """

    panels: Sequence[Figure]
    title: str
    caption: str = ""
    columns: int = 2
    height: int | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Table:
    """A table with its caption; the page numbers it.

    Attributes
    ----------
    table : DataFrame or TableRows
        A DataFrame is formatted by `table_rows`; a first cell that starts with two spaces is
        indented.
    title : str
        What it shows, in bold before the caption.
    caption : str
    note : str
        Stands under the table.
    """

    table: pd.DataFrame | TableRows
    title: str
    caption: str = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What a reader must know, the serious first."""

    findings: tuple[Finding, ...]


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A small picture with outlines on it.

    Attributes
    ----------
    png : bytes
        A PNG file.
    width, height : int
        In pixels.
    label : str
        Stands beneath the picture.
    outlines : sequence of (str, str)
        Path of SVG, in pixels of the picture, and its colour (`#rrggbb`).
    """

    png: bytes
    width: int
    height: int
    label: str
    outlines: Sequence[tuple[str, str]] = ()

    @property
    def source(self) -> str:
        """The picture as an address that holds it."""
        return f"data:image/png;base64,{b64encode(self.png).decode()}"


@dataclass(frozen=True, eq=False, kw_only=True)
class Pictures:
    """Many small pictures under one number, folded away until they are asked for.

    Attributes
    ----------
    pictures : sequence of Picture
    title : str
        What all of them show, in bold before the caption.
    caption : str
    legend : sequence of (str, str)
        Name and colour (`#rrggbb`) of the outlines.
    folded : bool
        False shows them at once.
    """

    pictures: Sequence[Picture]
    title: str
    caption: str = ""
    legend: Sequence[tuple[str, str]] = ()
    folded: bool = True


Block = Text | Figure | FigureGrid | Table | Findings | Pictures


@dataclass(frozen=True, eq=False, kw_only=True)
class Section:
    """A titled part of the page.

    Attributes
    ----------
    id : str
        Anchor: lower-case letters, digits and hyphens, unique in the page.
    title : str
    blocks : sequence of Text, Figure, FigureGrid, Table, Findings and Pictures
    sections : sequence of Section
        Parts of this one, one level deep (each model of a study, say).
    """

    id: str
    title: str
    blocks: Sequence[Block] = ()
    sections: Sequence["Section"] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class Page:
    """A whole report.

    Attributes
    ----------
    title, subtitle : str
    sections : sequence of Section
    facts : sequence of (str, str)
        Name and value of what is seen first, such as the number of patients.
    banner : str
        A warning above everything, such as that the patients are synthetic; empty for none.
    footer : str
    """

    title: str
    sections: Sequence[Section]
    subtitle: str = ""
    facts: Sequence[tuple[str, str]] = ()
    banner: str = ""
    footer: str = ""


def render(page: Page, *, framed: bool = False) -> str:
    """Return the page as one self-contained HTML document; equal pages give equal text.

    Parameters
    ----------
    page : Page
    framed : bool
        True for a page that stands inside another one (a notebook): light, no table of contents.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If two sections have one id, or an id is not made of lower-case letters, digits and hyphens.
    """
    _check_ids(page.sections)
    # 4.8 MB that a page of tables and pictures has no use for
    plotly = Markup(get_plotlyjs() if _draws(page.sections) else "")
    renderer = Markup(_read("report.js"))
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src {source_hash(plotly)} {source_hash(renderer)}",
            "style-src 'unsafe-inline'",
            "img-src data: blob:",
            "font-src data:",
            "connect-src 'none'",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    numbers = {"figure": 0, "table": 0}
    return (
        _environment()
        .get_template("report.html")
        .render(
            page=page,
            framed=framed,
            policy=policy,
            sections=[_prepare(section, numbers) for section in page.sections],
            css=Markup(_read("report.css")),
            plotly=plotly,
            renderer=renderer,
            dark_colours=script_json(json.dumps(DARK)),
        )
    )


def _draws(sections: Sequence[Section]) -> bool:
    """Tell whether a figure of plotly stands anywhere in the sections."""
    return any(
        isinstance(block, Figure | FigureGrid) for section in sections for block in section.blocks
    ) or any(_draws(section.sections) for section in sections)


def write_page(page: Page, path: Path) -> None:
    """Write the page; the file appears only when it is complete."""
    write_text(render(page), path)


def source_hash(script: str) -> str:
    """Return the source expression with which a security policy allows one inline script.

    Examples
    --------
    >>> source_hash("alert('Hello, world.');")
    "'sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng='"
    """
    return f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'"


def script_json(text: str) -> Markup:
    r"""Return JSON that may stand inside a script element: no `<`, `>` or `&` is left in it.

    Examples
    --------
    >>> print(script_json('{"name": "</script>"}'))
    {"name": "\u003c/script\u003e"}
    """
    for character in "<>&\N{LINE SEPARATOR}\N{PARAGRAPH SEPARATOR}":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


@cache
def _read(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _check_ids(sections: Sequence[Section]) -> None:
    ids = [part.id for section in sections for part in (section, *section.sections)]
    wrong = [
        name for name in ids if not name or set(name) - set("abcdefghijklmnopqrstuvwxyz0123456789-")
    ]
    if wrong:
        raise ValueError(
            f"the id of a section must be made of lower-case letters, digits and hyphens, but "
            f"{len(wrong)} of {len(ids)} are not (first: {wrong[0]!r})."
        )
    twice = sorted({name for name in ids if ids.count(name) > 1})
    if twice:
        raise ValueError(f"the ids of sections must differ, but {twice} come more than once.")


def _prepare(section: Section, numbers: dict[str, int]) -> dict[str, Any]:
    """Return a section as the template takes it; figures and tables get their numbers."""
    return {
        "id": section.id,
        "title": section.title,
        "blocks": [_block(block, numbers) for block in section.blocks],
        "sections": [_prepare(part, numbers) for part in section.sections],
    }


def _block(block: Block, numbers: dict[str, int]) -> dict[str, Any]:
    match block:
        case Text():
            return {"type": "text", "heading": block.heading, "parts": _paragraphs(block.text)}
        case Findings():
            return {"type": "findings", **_by_severity(block.findings)}
        case Figure():
            numbers["figure"] += 1
            return {"type": "figure", **_figure(block, str(numbers["figure"]))}
        case FigureGrid():
            numbers["figure"] += 1
            return _grid(block, numbers["figure"])
        case Pictures():
            numbers["figure"] += 1
            return {"type": "pictures", "number": str(numbers["figure"]), "block": block}
        case Table():
            numbers["table"] += 1
            rows = block.table if isinstance(block.table, TableRows) else table_rows(block.table)
            return {"type": "table", "number": numbers["table"], "block": block, "rows": rows}


def _by_severity(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return what must be seen, the serious first, apart from notes, which may be folded away."""
    urgent = [
        finding
        for severity in ("serious", "caution")
        for finding in findings
        if finding.severity == severity
    ]
    notes = [finding for finding in findings if finding.severity == "note"]
    return {"urgent": urgent, "notes": notes}


def _figure(block: Figure, number: str) -> dict[str, Any]:
    meta = block.figure.layout.meta or {}
    return {
        "number": number,
        "id": f"figure-{number.lower()}",
        "block": block,
        "height": int(block.figure.layout.height or 400),
        "max_width": meta.get("max_width"),
        "json": script_json(block.figure.to_json()),
    }


def _grid(block: FigureGrid, number: int) -> dict[str, Any]:
    """Return the panels as the template takes them; the page draws their legend."""
    if not 1 <= len(block.panels) <= 26 or block.columns not in (1, 2, 3):
        raise ValueError(
            f"a grid must have 1 to 26 panels in 1 to 3 columns, but has {len(block.panels)} in "
            f"{block.columns}. Spread them over several grids."
        )
    heights = [int(panel.figure.layout.height or 400) for panel in block.panels]
    height = block.height or max(heights)
    legend = entries(panel.figure for panel in block.panels)
    panels = []
    for letter, panel in zip(ascii_uppercase, block.panels, strict=False):
        drawn = go.Figure(panel.figure)
        drawn.update_layout(height=height, showlegend=False, margin={"t": 12})
        small = Figure(figure=drawn, title=panel.title)
        panels.append({"letter": letter, **_figure(small, f"{number}{letter}")})
    return {
        "type": "grid",
        "number": number,
        "block": block,
        "panels": panels,
        "legend": legend if len(legend) > 1 else [],
    }


def _paragraphs(text: str) -> list[dict[str, Any]]:
    """Return the paragraphs and lists of a text."""
    parts = []
    for paragraph in text.strip().split("\n\n"):
        lines = [line.strip() for line in paragraph.strip().splitlines()]
        if lines and all(line.startswith("- ") for line in lines):
            parts.append({"items": [line[2:] for line in lines], "text": ""})
        elif lines:
            parts.append({"items": [], "text": " ".join(lines)})
    return parts
