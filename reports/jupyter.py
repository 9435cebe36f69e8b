"""How a notebook shows a section: as the page would, in a frame of its own.

A frame keeps the report's style and scripts from meeting the notebook's, so a section looks the
same in both. Considered and rejected: bare HTML in the cell, because its style sheet would reach
the notebook, and the two would share one plotly.
"""

from html import escape
from typing import Any

from reports.html import Page, Section, render


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


def register(shell: Any) -> None:
    """Teach a notebook to draw sections and pages as HTML.

    Parameters
    ----------
    shell : InteractiveShell
        What `%load_ext reports` hands to the loader.
    """
    formatter = shell.display_formatter.formatters["text/html"]
    formatter.for_type(Section, notebook_html)
    formatter.for_type(Page, notebook_html)
