"""Where the ticks of an axis stand: round numbers, by the rule of R's `pretty`.

References
----------
Becker RA, Chambers JM, Wilks AR. The New S Language. Wadsworth & Brooks/Cole 1988
(function `pretty`).
"""

import math

import numpy as np
from numpy.typing import NDArray

_BIAS, _BIAS_OF_FIVE = 1.5, 2.75  # how far larger steps, and steps of 5, are preferred
_SHRINK = 0.75  # of the step, where the range is a single point
_SMALLEST_STEP = 1e-300
_FUZZ = 1e-10  # of a step: an end this close to a tick needs no further tick


def pretty(lowest: float, highest: float, *, n: int = 5) -> NDArray[np.float64]:
    """Choose about `n` equal steps of 1, 2 or 5 times a power of ten that cover a range.

    Parameters
    ----------
    lowest, highest : float
        Ends of the range, finite, `lowest <= highest`. The ticks may go past either.
    n : int
        Number of steps wished for, at least 1; between a third and about twice as many come.

    Returns
    -------
    ndarray of shape (n_ticks,)
        Increasing; the same values as R's `pretty(c(lowest, highest), n)`.

    Raises
    ------
    ValueError
        If the ends are not finite or stand in the wrong order, or `n` is below 1.

    Examples
    --------
    >>> pretty(17, 94, n=10).tolist()
    [10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 100.0]
    >>> pretty(0, 0.3, n=3).tolist()
    [0.0, 0.1, 0.2, 0.3]
    """
    if not (math.isfinite(lowest) and math.isfinite(highest) and lowest <= highest):
        raise ValueError(
            f"lowest and highest must be finite and in this order, but {lowest:g} and "
            f"{highest:g} came."
        )
    if n < 1:
        raise ValueError(f"n must be at least 1 step, but {n} came.")
    multiple, exponent = _step(max(_rough_step(lowest, highest, n), _SMALLEST_STEP))
    step = multiple * 10.0**exponent
    first = math.floor(lowest / step + _FUZZ)
    last = math.ceil(highest / step - _FUZZ)
    first, last = _widen(first, last, n // 3, lowest)
    counts = np.arange(first, last + 1, dtype=np.float64) * multiple
    return counts * 10.0**exponent if exponent >= 0 else counts / 10.0**-exponent


def _rough_step(lowest: float, highest: float, n: int) -> float:
    """Give the step before it is rounded."""
    span, size = highest - lowest, max(abs(lowest), abs(highest))
    if size == 0:
        return _shrunk(1.0, n)
    # A range this narrow, relative to its distance from zero, counts as a single point.
    resolution = 1 + 1 / (1 + _BIAS)
    if span < 3 * size * resolution * n * np.finfo(float).eps:
        return _shrunk(9 + size / 10 if size > 10 else size, n)
    return span / n


def _shrunk(size: float, n: int) -> float:
    return size * _SHRINK / max(n // 3, 1)


def _step(rough: float) -> tuple[int, int]:
    """Round a step to 1, 2, 5 or 10 times a power of ten: (multiple, exponent)."""
    exponent = math.floor(math.log10(rough))
    base = 10.0**exponent
    multiple = 1
    for larger, bias in ((2, _BIAS), (5, _BIAS_OF_FIVE), (10, _BIAS)):
        if larger * base - rough >= bias * (rough - multiple * base):
            break
        multiple = larger
    return multiple, exponent


def _widen(first: int, last: int, fewest: int, lowest: float) -> tuple[int, int]:
    """Add steps on both sides until there are enough, but none beyond an end at zero."""
    lacking = fewest - (last - first)
    if lacking <= 0:
        return first, last
    if first == 0 and lowest == 0 and last != 0:
        return first, last + lacking
    if last == 0 and first != 0:
        return first - lacking, last
    half, odd = divmod(lacking, 2)
    return (first - half - odd, last + half) if first >= 0 else (first - half, last + half + odd)
