"""The published external validation of a breast cancer model: its development cohort."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from omics.outcome import survival_outcome
from tests.realdata import DATA


def rotterdam(*, censor_at: float = np.inf) -> tuple[pd.DataFrame, NDArray[Any]]:
    """Give size in classes, nodes as a spline with knots 0, 1, 9, grade 3; years and recurrence."""
    table = pd.read_csv(DATA / "survival" / "rotterdam.csv")
    died_first = (table["recur"] == 0) & (table["death"] == 1) & (table["rtime"] < table["dtime"])
    days = table["rtime"].where(~died_first, table["dtime"])
    event = table[["recur", "death"]].max(axis=1) == 1
    years = days / 365.25
    nodes = table["nodes"].clip(upper=19).astype(float)
    cubes = [np.maximum(nodes - knot, 0) ** 3 for knot in (0, 1, 9)]
    design = pd.DataFrame(
        {
            "size=20-50": (table["size"] == "20-50").astype(float),
            "size=>50": (table["size"] == ">50").astype(float),
            "nodes": nodes,
            "nodes'": (cubes[0] - cubes[1] * 9 / 8 + cubes[2] * 1 / 8) / 81,
            "grade=3": (table["grade"] == 3).astype(float),
        }
    )
    return design, survival_outcome(np.minimum(years, censor_at), event & (years <= censor_at))
