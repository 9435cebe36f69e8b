"""Where the ticks of an axis stand: round numbers by the rule of R's `pretty`, or as asked for.

References
----------
Becker RA, Chambers JM, Wilks AR. The New S Language. Wadsworth & Brooks/Cole 1988
(function `pretty`).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from omics.checks import check_numbers

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


@dataclass(frozen=True, eq=False, kw_only=True)
class AxisTicks:
    """Ticks asked for, in place of those that a nomogram chooses (rms: `...`, `fun.at`, `lp.at`).

    Attributes
    ----------
    settings : mapping of predictor to sequence of float
        Values of a number, in its unit; of a number that interacts and has an axis per value,
        these values. Zero points stand at the lowest contribution among them.
    risk_at : sequence of float, optional
        Risks, between 0 and 1; left out: .01, .05, .1, .2, ... .9, .95, .99, or round values where
        fewer than two of these can be reached.
    median_at : sequence of float, optional
        Median survivals, in the unit of time.
    total_points_at : sequence of float, optional
        Total points, from 0 up; risks end where they do.
    linear_predictor_at : sequence of float, optional
        Linear predictors; risks end where they do.

    Examples
    --------
    >>> AxisTicks(settings={"clinical:Age": [80, 20, 50]}, risk_at=[0.5, 0.1]).checked().risk_at
    array([0.1, 0.5])
    """

    settings: Mapping[str, Sequence[float]] | None = None
    risk_at: ArrayLike | None = None
    median_at: ArrayLike | None = None
    total_points_at: ArrayLike | None = None
    linear_predictor_at: ArrayLike | None = None

    def checked(self) -> "CheckedTicks":
        """Return arrays of increasing, different values.

        Raises
        ------
        ValueError
            If there are fewer than two settings, total points or linear predictors, a value is not
            finite, a risk not above 0 and below 1, or total points are below 0.
        """
        total = _ticks_or_none(self.total_points_at, "total_points_at", fewest=2)
        if total is not None and total[0] < 0:
            raise ValueError(
                f"total_points_at must be 0 or more, but {total[0]:g} came. Points start at zero."
            )
        return CheckedTicks(
            settings={
                name: _ticks(values, f"settings of {name!r}", fewest=2)
                for name, values in (self.settings or {}).items()
            },
            risk_at=None if self.risk_at is None else _risks(self.risk_at),
            median_at=_ticks_or_none(self.median_at, "median_at", fewest=1),
            total_points_at=total,
            linear_predictor_at=_ticks_or_none(
                self.linear_predictor_at, "linear_predictor_at", fewest=2
            ),
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class CheckedTicks:
    """`AxisTicks` as arrays of increasing, different values; None where none are asked for."""

    settings: dict[str, NDArray[np.float64]]
    risk_at: NDArray[np.float64] | None
    median_at: NDArray[np.float64] | None
    total_points_at: NDArray[np.float64] | None
    linear_predictor_at: NDArray[np.float64] | None


def _ticks_or_none(
    values: ArrayLike | None, name: str, *, fewest: int
) -> NDArray[np.float64] | None:
    return None if values is None else _ticks(values, name, fewest=fewest)


def _ticks(values: ArrayLike, name: str, *, fewest: int) -> NDArray[np.float64]:
    ticks = np.unique(check_numbers(values, name))
    if len(ticks) < fewest:
        raise ValueError(
            f"{name} must hold {fewest} or more different values, but {ticks.tolist()} came. "
            "Leave it out for the usual ticks."
        )
    return ticks


def _risks(risk_at: ArrayLike) -> NDArray[np.float64]:
    risks = np.unique(check_numbers(risk_at, "risk_at"))
    if len(risks) == 0 or risks[0] <= 0 or risks[-1] >= 1:
        raise ValueError(
            f"risk_at must hold risks above 0 and below 1, but {risks.tolist()} came. "
            "Leave it out for the usual ticks."
        )
    return risks
