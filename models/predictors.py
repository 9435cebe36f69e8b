"""Which columns of the wide table a predictor names: one, or all that a pattern fits."""

import difflib
import re
from collections.abc import Iterable, Sequence


def select_columns(columns: Iterable[str], predictors: Sequence[str]) -> list[str]:
    """Resolve predictors, of which `*` stands for any text, to the columns they name.

    Parameters
    ----------
    columns : iterable of str
    predictors : sequence of str

    Returns
    -------
    list of str
        In the order of `predictors`, and within a pattern in the order of `columns`.

    Raises
    ------
    ValueError
        If a predictor matches no column, or a column is named twice.

    Examples
    --------
    >>> select_columns(["clinical:Age", "flags:BRAF", "clinical:Sex"], ["flags:BRAF", "clinical:*"])
    ['flags:BRAF', 'clinical:Age', 'clinical:Sex']
    """
    if isinstance(predictors, str):
        raise ValueError(f"predictors must be a list of names, but the text {predictors!r} came.")
    known = dict.fromkeys(columns)
    named_by: dict[str, str] = {}
    for predictor in predictors:
        found = matching(predictor, known)
        if not found:
            raise ValueError(
                f"predictors must name columns of the table, but {predictor!r} matches none of "
                f"{len(known)}. {suggestion(predictor, known)}"
            )
        for name in found:
            if name in named_by:
                raise ValueError(
                    f"predictors must name a column once, but {name!r} is named by "
                    f"{named_by[name]!r} and {predictor!r}. Remove one."
                )
            named_by[name] = predictor
    return list(named_by)


def matching(predictor: str, known: Iterable[str]) -> list[str]:
    """Give the columns that a predictor names; `*` stands for any text.

    Examples
    --------
    >>> matching("mri:*_Mean", ["mri:t1_Mean", "mri:t1_Max", "rna:t1_Mean"])
    ['mri:t1_Mean']
    """
    if "*" not in predictor:
        return [predictor] if predictor in known else []
    pattern = re.compile(".*".join(map(re.escape, predictor.split("*"))), re.DOTALL)
    return [name for name in known if pattern.fullmatch(name)]


def suggestion(name: str, known: Iterable[str]) -> str:
    """Say which column, or whole view, may have been meant."""
    views = sorted({column.partition(":")[0] for column in known if ":" in column})
    choices = [f"{view}:*" for view in views] if name.endswith(":*") else known
    by_lower_case = {choice.casefold(): choice for choice in choices}
    near = difflib.get_close_matches(name.casefold(), by_lower_case, n=1)
    if near:
        return f"Did you mean {by_lower_case[near[0]]!r}?"
    return f"The table has the views {', '.join(views)}." if views else "Check the spelling."
