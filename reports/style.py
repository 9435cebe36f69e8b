"""What the figures share: colours that a colour-blind reader can tell apart, fonts, sizes.

Every figure names its neutral colours by the constants below. The page swaps exactly these for
their partners in `DARK` when the reader's screen is dark, so that no figure needs a second version.

References
----------
Okabe M, Ito K. Color universal design (2008): the eight colours of `PALETTE` and `INK`.
Wong B. Points of view: color blindness. Nature Methods 2011;8:441. doi:10.1038/nmeth.1618
"""

import textwrap
from collections import Counter
from collections.abc import Iterable
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

INK = "#1d2730"
MUTED = "#5b6873"
LINE = "#98a4ae"
GRID = "#e5e9ec"
PAPER = "#ffffff"

BLUE = "#0072b2"
VERMILLION = "#d55e00"
GREEN = "#009e73"
PURPLE = "#cc79a7"
ORANGE = "#e69f00"
SKY = "#56b4e9"
YELLOW = "#c9b800"  # Okabe and Ito's #f0e442 vanishes on white paper; same hue, darker

PALETTE = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, YELLOW)
"""Colours of categories, in the order of use."""

DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
"""Line styles, so that curves stay apart in black and white."""

DARK = {
    INK: "#e4e9ed",
    MUTED: "#a3b0bb",
    LINE: "#66737f",
    GRID: "#2a343d",
    PAPER: "#141a1f",
    BLUE: "#4da6de",
    VERMILLION: "#f0894a",
    GREEN: "#34c39b",
    PURPLE: "#dd9fc2",
    ORANGE: "#f0b53c",
    SKY: "#8accf0",
    YELLOW: "#e3d54a",
}
"""Light colour -> its partner on a dark screen."""

SEQUENTIAL = [[0.0, PAPER], [1.0, BLUE]]
DIVERGING = [[0.0, BLUE], [0.5, PAPER], [1.0, VERMILLION]]

FONT = (
    '"Helvetica Neue", Helvetica, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", '
    "Arial, sans-serif"
)
SIZE = 13
SMALL = 12
TINY = 11
STRONG = 0.75

_AXIS = {
    "showline": True,
    "linecolor": LINE,
    "linewidth": 1,
    "ticks": "outside",
    "ticklen": 4,
    "tickcolor": LINE,
    "tickfont": {"size": SMALL, "color": MUTED},
    "title": {"font": {"size": SIZE, "color": INK}, "standoff": 10},
    "gridcolor": GRID,
    "gridwidth": 1,
    "zeroline": False,
    "automargin": True,
    "fixedrange": True,  # a finger that scrolls the page must not zoom a figure
}

TEMPLATE = go.layout.Template(
    layout={
        "font": {"family": FONT, "size": SIZE, "color": INK},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "colorway": list(PALETTE),
        "margin": {"l": 56, "r": 16, "t": 16, "b": 48},
        "xaxis": {**_AXIS, "showgrid": False, "tickangle": 0},
        "yaxis": _AXIS,
        "legend": {
            "orientation": "h",
            "traceorder": "normal",
            "x": 0,
            "y": 1.0,
            "xanchor": "left",
            "yanchor": "bottom",
            "font": {"size": SMALL},
            "bgcolor": "rgba(0,0,0,0)",
        },
        "hoverlabel": {
            "bgcolor": PAPER,
            "bordercolor": LINE,
            "align": "left",
            "font": {"family": FONT, "size": SMALL, "color": INK},
        },
        "annotationdefaults": {"font": {"size": SMALL, "color": INK}, "showarrow": False},
        "dragmode": False,
    }
)
"""The one plotly template."""


def new_figure(
    *, height: int, narrow: dict[str, Any] | None = None, max_width: int | None = None
) -> go.Figure:
    """Return an empty figure in the house style.

    Parameters
    ----------
    height : int
        Height in pixels; the width is that of the page.
    narrow : dict, optional
        Layout values, by dotted path (such as `margin.l`), that replace the figure's own where it
        is shown less than 520 pixels wide.
    max_width : int, optional
        Widest useful width in pixels (a square figure gains nothing from a wide page).

    Examples
    --------
    >>> figure = new_figure(height=300, narrow={"margin.l": 8})
    >>> figure.layout.height, figure.layout.meta
    (300, {'narrow': {'margin.l': 8}})
    """
    meta: dict[str, Any] = {"narrow": narrow or {}}
    if max_width is not None:
        meta["max_width"] = max_width
    return go.Figure(
        layout={"template": TEMPLATE, "height": height, "autosize": True, "meta": meta}
    )


def add_narrow(figure: go.Figure, changes: dict[str, Any]) -> None:
    """Add layout values for narrow screens to a figure made by `new_figure`."""
    meta = dict(figure.layout.meta)
    meta["narrow"] = {**meta["narrow"], **changes}
    figure.layout.meta = meta


def cell_labels(
    text: list[list[str]], strength: NDArray[np.float64], *, size: int, xaxis: str = "x"
) -> list[dict[str, Any]]:
    """Return the numbers written into the cells of a heat map, as annotations.

    Parameters
    ----------
    text : list of rows of str
        Ready for plotly; an empty cell is left out.
    strength : ndarray of shape (n_rows, n_columns)
        How far each cell's colour is from paper, in [0, 1]: on strong cells the text is pale.
    size : int
    xaxis : str
        The horizontal axis of the heat map.
    """
    return [
        {
            "x": column,
            "y": row,
            "xref": xaxis,
            "text": words,
            "showarrow": False,
            "font": {"size": size, "color": PAPER if strength[row, column] > STRONG else INK},
        }
        for row, line in enumerate(text)
        for column, words in enumerate(line)
        if words
    ]


def colours(names: Iterable[str]) -> dict[str, str]:
    """Return one colour per name, in the order of first appearance.

    Examples
    --------
    >>> colours(["radiomics", "flags", "radiomics"])
    {'radiomics': '#0072b2', 'flags': '#d55e00'}
    """
    unique = list(dict.fromkeys(names))
    return {name: PALETTE[position % len(PALETTE)] for position, name in enumerate(unique)}


def model_line(colour: str, position: int) -> dict[str, Any]:
    """Return the line of a model: dashes tell apart what colours do not, in print and by eye.

    Examples
    --------
    >>> model_line(VERMILLION, 1)
    {'color': '#d55e00', 'width': 2.4, 'dash': 'dash'}
    """
    return {"color": colour, "width": 2.4, "dash": DASHES[position % len(DASHES)]}


def faded(colour: str, opacity: float) -> str:
    """Return `colour` (`#rrggbb`) with an opacity in [0, 1].

    Examples
    --------
    >>> faded("#0072b2", 0.2)
    'rgba(0,114,178,0.2)'
    """
    red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"


def plain(text: object) -> str:
    """Return `text` as plotly shows it letter by letter: no tag, link or entity of it takes effect.

    Examples
    --------
    >>> plain("Ki-67 <1% & low")
    'Ki-67 &lt;1% &amp; low'
    """
    return escape(str(text), quote=False)


def shorten(text: object, length: int) -> str:
    """Return at most `length` characters, the middle left out, since names differ at their ends.

    Examples
    --------
    >>> shorten("original_glrlm_ShortRunEmphasis", 19)
    'original_…nEmphasis'
    """
    text = str(text)
    if len(text) <= length:
        return text
    head = length // 2
    return f"{text[:head]}…{text[head + 1 - length :]}"


def wrapped(text: object, width: int, *, max_lines: int = 99) -> str:
    """Return `text` for plotly, broken into lines of at most `width` characters.

    Examples
    --------
    >>> wrapped("no outcome, not in a declared cohort", 20)
    'no outcome, not in a<br>declared cohort'
    """
    lines = textwrap.wrap(str(text), width, max_lines=max_lines, placeholder=" …")
    return "<br>".join(plain(line) for line in lines)


def feature_name(column: object) -> str:
    """Return the feature's part of a `view:feature` column, as a reader sees it.

    Examples
    --------
    >>> feature_name("clinical:Age at Diagnosis")
    'Age at Diagnosis'
    >>> feature_name("mri:T1c|core|original_glcm_Contrast")
    'T1c · core · original_glcm_Contrast'
    >>> feature_name("clinical:Age * clinical:Sex=male")
    'Age \u00d7 Sex=male'
    """
    parts = str(column).split(" * ")
    names = [(text.partition(":")[2] or text).replace("|", " · ") for text in parts]
    return " \u00d7 ".join(names)


def shown_names(columns: Iterable[object]) -> dict[str, str]:
    """Return each `view:feature` column as a reader sees it: the view is named where it must be.

    Examples
    --------
    >>> shown_names(["clinical:Age", "clinical:Ki-67", "pathology:Ki-67"])
    {'clinical:Age': 'Age',
     'clinical:Ki-67': 'Ki-67 (clinical)',
     'pathology:Ki-67': 'Ki-67 (pathology)'}
    """
    unique = list(dict.fromkeys(str(column) for column in columns))
    count = Counter(feature_name(column) for column in unique)
    return {
        column: name if count[name] == 1 else f"{name} ({column.partition(':')[0]})"
        for column in unique
        for name in [feature_name(column)]
    }


def check_columns(table: Any, columns: Iterable[str], name: str) -> None:
    """Raise unless `table` has every one of `columns`, and at least one row."""
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise ValueError(
            f"{name} must have the columns {list(columns)}, but lacks {missing} "
            f"(it has {[str(column) for column in table.columns][:12]})."
        )
    if len(table) == 0:
        raise ValueError(
            f"{name} must have at least one row, but is empty: there is nothing to draw."
        )
