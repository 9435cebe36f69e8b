"""From results to a folder with a report: what a notebook calls, and what `nomomics run` calls."""

from pathlib import Path

from reports.html import render
from reports.output import check_folder, write_output
from reports.results import Results
from reports.sections import page_of


def write_report(results: Results, folder: str | Path) -> Path:
    """Write the report and every number behind it; the files appear only when all are complete.

    Parameters
    ----------
    results : Results
        As `reports.analysis.analyse` gives them.
    folder : str or Path
        Made if it is not there. Patient ids stand in its folder `private` only.

    Returns
    -------
    Path
        Of `report.html`.

    Raises
    ------
    StudyError
        If the folder cannot be written to, or holds what no run of nomomics wrote.
    """
    folder = Path(folder)
    check_folder(folder)
    return write_output(results, folder, render=lambda found: render(page_of(found)))[0]
