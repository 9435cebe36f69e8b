"""How a notebook shows a section: as the page would, in a frame of its own.

A frame keeps the report's style and scripts from meeting the notebook's, so a section looks the
same in both. Considered and rejected: bare HTML in the cell, because its style sheet would reach
the notebook, and the two would share one plotly.
"""

from html import escape
from typing import Any

from models.calibration_curves import Calibration
from models.decision import DecisionCurve
from models.nomogram import Nomogram
from models.performance import Performance
from models.signature import Signature
from omics.cohort import Cohort
from omics.mofa import FactorModel
from reports.analysis import Results
from reports.figures.calibration import draw_calibration
from reports.figures.decision_curve import draw_decision_curve
from reports.html import Figure, Page, Section, render
from reports.model_sections import comparison_section, nomogram_blocks
from reports.sections import factor_model_blocks, flow_section, page_of
from reports.signature_sections import signature_blocks
from reports.tables import format_number


def notebook_html(part: Section | Page) -> str:
    """Return a section or a page as HTML for the output of a notebook's cell.

    Parameters
    ----------
    part : Section or Page

    Returns
    -------
    str
        One iframe; plotly stands in it once.
    """
    page = part if isinstance(part, Page) else Page(title="", sections=(part,))
    document = escape(render(page, framed=True), quote=True)
    return (
        '<iframe style="width:100%;height:640px;border:0;background:#fff" '
        f'title="{escape(page.title or page.sections[0].title, quote=True)}" '
        f'srcdoc="{document}"></iframe>'
    )


def drawn(result: Any) -> Section | Page:
    """Arrange one result as the report would.

    Parameters
    ----------
    result : Results, Cohort, FactorModel, Performance, Signature, Nomogram, Calibration or
        DecisionCurve

    Returns
    -------
    Section or Page
    """
    match result:
        case Results():
            return page_of(result)
        case Cohort():
            return flow_section(result)
        case Performance():
            return comparison_section(result)
        case FactorModel():
            return Section(id="factors", title="Factors", blocks=factor_model_blocks(result))
        case Signature():
            blocks = list(signature_blocks(result))
            return Section(id="signature", title=result.name, blocks=blocks)
        case Nomogram():
            return Section(id="nomogram", title="Nomogram", blocks=nomogram_blocks(result))
        case Calibration():
            figure = draw_calibration(result.table, label="observed", horizon=result.horizon)
            title = f"Calibration, ICI {format_number(result.ici)}."
            block = Figure(figure=figure, title=title)
            return Section(id="calibration", title="Calibration", blocks=[block])
        case DecisionCurve():
            figure = draw_decision_curve({"Model": result.table}, horizon=result.horizon)
            block = Figure(figure=figure, title="Decision curve.")
            return Section(id="decision", title="Decision curve", blocks=[block])
        case _:
            raise TypeError(f"result must be one of {NAMES}, but is a {type(result).__name__}.")


DRAWN = (
    *(Results, Cohort, FactorModel, Signature, Performance),
    *(Nomogram, Calibration, DecisionCurve),
)
NAMES = ", ".join(kind.__name__ for kind in DRAWN)


def register(shell: Any) -> None:
    """Teach a notebook to draw results, sections and pages as HTML.

    Parameters
    ----------
    shell : InteractiveShell
        What `%load_ext reports` hands to the loader.
    """
    formatter = shell.display_formatter.formatters["text/html"]
    formatter.for_type(Section, notebook_html)
    formatter.for_type(Page, notebook_html)
    for kind in DRAWN:
        formatter.for_type(kind, _result_html)


def _result_html(result: Any) -> str | None:
    """Draw a result; what is not fitted yet has nothing to show."""
    if isinstance(result, FactorModel) and not hasattr(result, "loadings_"):
        return None
    if isinstance(result, Signature) and not hasattr(result, "coef_"):
        return None
    return notebook_html(drawn(result))
