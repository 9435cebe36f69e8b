"""How repeatability is summed up: by class of features, in words, always by the lower bound.

References
----------
Koo TK, Li MY. A guideline of selecting and reporting intraclass correlation coefficients for
reliability research. Journal of Chiropractic Medicine 2016;15:155-163.
doi:10.1016/j.jcm.2016.02.012
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

GOOD, EXCELLENT = 0.75, 0.9
BANDS = {"poor": -np.inf, "moderate": 0.5, "good": GOOD, "excellent": EXCELLENT}
"""Koo and Li's words, each from the number given up to the next; applied to the lower bound."""


def bands(lower: NDArray[np.float64]) -> NDArray[np.object_]:
    """Give Koo and Li's word for each lower bound; "" where there is none.

    Examples
    --------
    >>> bands(np.array([0.4, 0.75, np.nan])).tolist()
    ['poor', 'good', '']
    """
    words = np.array([*BANDS, ""], dtype=object)
    place = np.searchsorted(list(BANDS.values()), lower, side="right") - 1
    result: NDArray[np.object_] = words[np.where(np.isnan(lower), len(BANDS), place)]
    return result


def by_class(table: pd.DataFrame) -> pd.DataFrame:
    """Sum up each class of features, then all; see `omics.reliability.Reliability.by_class`."""
    parts = [*table.groupby("feature_class", sort=False), ("all", table)]
    return pd.DataFrame([_summary(str(name), part) for name, part in parts])


def _summary(name: str, part: pd.DataFrame) -> dict[str, object]:
    known = part[part["lower"].notna()]
    return {
        "feature_class": name,
        "n_features": len(part),
        "n_unknown": len(part) - len(known),
        "median": known["estimate"].median(),
        "median_lower": known["lower"].median(),
        "share_good": float((part["lower"] >= GOOD).mean()),
        "share_excellent": float((part["lower"] >= EXCELLENT).mean()),
        **{band: int((part["band"] == band).sum()) for band in BANDS},
    }


def spread(table: pd.DataFrame) -> pd.DataFrame:
    """Say how estimates and lower bounds spread in a class; see `Reliability.spread`."""
    known = table[table["lower"].notna()]
    points = ["lowest", "lower_quartile", "median", "upper_quartile", "highest"]
    rows = [
        {
            "feature_class": name,
            "what": what,
            **dict(zip(points, part[column].quantile([0, 0.25, 0.5, 0.75, 1]), strict=True)),
            "n": len(part),
        }
        for name, part in known.groupby("feature_class", sort=False)
        for what, column in (("estimate", "estimate"), ("lower bound", "lower"))
    ]
    return pd.DataFrame(rows, columns=["feature_class", "what", *points, "n"])
