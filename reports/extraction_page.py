"""The page beside an extracted table: what was asked, what failed, what it looks like."""

from pathlib import Path

from omics.extraction import Extraction
from reports.extraction_section import extraction_page
from reports.html import write_page


def write_extraction_page(extraction: Extraction, path: Path) -> None:
    """Write the page; the file appears only when it is complete.

    Parameters
    ----------
    extraction : Extraction
    path : Path
        In a folder that exists; an older file of this name is replaced.
    """
    write_page(extraction_page(extraction), path)
