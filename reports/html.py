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
from functools import cache
from hashlib import sha256
from pathlib import Path
from string import ascii_uppercase
from typing import Any

import plotly.graph_objects as go
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from omics.errors import Finding
from reports.blocks import (
    Block,
    Figure,
    FigureGrid,
    Findings,
    Page,
    Pictures,
    Section,
    Table,
    Text,
)
from reports.files import write_text
from reports.legend import entries
from reports.style import DARK
from reports.tables import TableRows, table_rows

TEMPLATES = Path(__file__).parent / "templates"


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
