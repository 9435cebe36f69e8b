"""Packages that only images need: loaded when asked for, and named with the cure when absent."""

from importlib import import_module
from typing import Any

from omics.errors import StudyError


def needed(module: str) -> Any:
    """Import a module of the extra `extract`.

    Parameters
    ----------
    module : str
        Such as `SimpleITK` or `highdicom.seg`.

    Returns
    -------
    module

    Raises
    ------
    StudyError
        If its package is not installed.

    Examples
    --------
    >>> needed("no_such_package")
    Traceback (most recent call last):
    ...
    omics.errors.StudyError: Reading images needs the package no_such_package, which is not
    installed. Install it: pip install "nomomics[extract]".
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != package:
            raise
        raise StudyError(
            f"Reading images needs the package {package}, which is not installed. Install it: "
            'pip install "nomomics[extract]".'
        ) from error
