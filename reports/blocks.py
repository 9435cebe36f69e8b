"""What a page consists of: sections of text, figures, tables, findings and pictures."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go

from omics.errors import Finding
from reports.tables import TableRows


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
