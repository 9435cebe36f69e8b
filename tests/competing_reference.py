"""R's figures where causes compete (competing_risks.R), its simulated patients, and drawn ones."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

R: dict[str, Any] = json.loads(
    (Path(__file__).parent / "reference" / "competing_risks.json").read_text()
)
TIME = np.array(R["data"]["time"], dtype=float)
CAUSE = np.array(R["data"]["cause"])
GROUP = np.array(R["data"]["group"])
CENTRE = np.array(R["data"]["centre"])
UNTIED = np.array(R["data"]["untied"])
AT = np.array(R["data"]["at"])


class Competing(NamedTuple):
    time: NDArray[np.float64]
    cause: NDArray[np.int64]
    group: NDArray[np.int64]


@st.composite
def competing(draw: st.DrawFn, *, min_size: int = 2, max_size: int = 25) -> Competing:
    """Draw patients with many tied times, two causes and up to three groups."""
    n = draw(st.integers(min_size, max_size))
    times = draw(st.lists(st.integers(1, 8), min_size=n, max_size=n))
    causes = draw(st.lists(st.integers(0, 2), min_size=n, max_size=n))
    groups = draw(st.lists(st.integers(0, 2), min_size=n, max_size=n))
    return Competing(np.array(times, float), np.array(causes), np.array(groups))
