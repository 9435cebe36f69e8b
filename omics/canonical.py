"""When two cells say the same: values written in one way, and matched with those declared.

Values are compared as a clinician would: `true`, `"True"` and, in a column of 0 and 1, `1` are one
value, and so are `1`, `1.0` and `"1"`. A column of 1 and 2 never matches `true`: that would be a
guess.
"""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from omics.errors import StudyError
from omics.messages import counted
from omics.outcome import Value

MISSING_WORDS = frozenset({"", "NA", "NaN", "nan"})
TRUTH = {"true": "1", "false": "0"}


def canonical_values(values: pd.Series) -> pd.Series:
    """Write raw values in one way, so that `1`, `1.0`, `"1 "` and `"1"` are equal; missing is None.

    Examples
    --------
    >>> canonical_values(pd.Series([1, "1.0", True, " alive", "NA"], dtype=object)).tolist()
    ['1', '1', 'true', 'alive', None]
    """
    written = [canonical(value) for value in values.tolist()]
    return pd.Series(written, index=values.index, dtype=object, name=values.name)


def canonical(value: object) -> str | None:
    """Write one raw value in the way that `canonical_values` does."""
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, int | float | np.integer | np.floating):
        return None if math.isnan(value) else _write_number(float(value))
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    text = str(value).strip()
    if text in MISSING_WORDS:
        return None
    if text.casefold() in TRUTH:
        return text.casefold()
    number = as_number(text)
    return text if number is None else _write_number(number)


def _write_number(number: float) -> str:
    """Write a number so that it reads back exactly; a whole one without its point."""
    return repr(number + 0.0).removesuffix(".0")  # + 0.0: -0 is 0


def shorten(value: object) -> str:
    """Quote a value, its first 40 characters at most: it may be a long note."""
    return repr(str(value)[:40])


def as_number(text: str) -> float | None:
    """Return the finite number that `text` writes, else None."""
    try:
        number = float(text)
    except ValueError:
        return None
    # float() also takes "1_000", "nan" and "inf", which no one writes as a time or a class
    return number if math.isfinite(number) and "_" not in text else None


def match_values(
    values: pd.Series, declared: Sequence[Value], *, role: str, where: str, required: bool = True
) -> NDArray[np.bool_]:
    """Tell which patients hold one of the declared values.

    Parameters
    ----------
    values : Series of shape (n_patients,)
        Raw values of the column.
    declared : sequence of values
        As the study states them.
    role, where : str
        The key of the study, and the column, for the message.
    required : bool
        True if each of them must occur.

    Returns
    -------
    ndarray of shape (n_patients,)

    Raises
    ------
    StudyError
        If a required value never occurs.

    Examples
    --------
    >>> match_values(pd.Series(["1", "0", None]), [True], role="event_value", where="dead").tolist()
    [True, False, False]
    """
    written = canonical_values(values)
    wanted = [canonical(value) for value in declared]
    if set(written.dropna()) <= {"0", "1", "true", "false"}:
        written = written.replace(TRUTH)
        wanted = [TRUTH.get(str(value), value) for value in wanted]
    present = set(written.dropna())
    for value, stated in zip(wanted, declared, strict=True):
        if required and value not in present:
            raise StudyError(
                f"{role} must occur in {where}, but {stated!r} does not: it holds "
                f"{count_values(values)}. State the value as the table writes it."
            )
    return written.isin(wanted).to_numpy()


def count_values(values: pd.Series) -> str:
    """Quote the commonest values with their counts, such as "'alive' (113), 'dead' (47)"."""
    return counted(canonical_values(values).dropna()) or "no value"
