"""Where the real data lies, and the mark of a test that needs it."""

from pathlib import Path
from typing import Literal

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared" / "data"


def needs_data(folder: str) -> pytest.MarkDecorator:
    """Skip, saying why, where `../shared/data/<folder>` is absent."""
    return pytest.mark.skipif(
        not (DATA / folder).is_dir(), reason=f"real data is absent: ../shared/data/{folder}"
    )


def cll_matrices() -> tuple[list[np.ndarray], list[Literal["gaussian", "bernoulli"]]]:
    """Return the four CLL views, (200, n_features) each, gaussian ones centred; NaN is missing."""
    import h5py

    views = []
    names = ("Drugs", "Methylation", "mRNA", "Mutations")
    with h5py.File(DATA / "cll" / "cll.h5mu") as file:
        patients = list(file["obs/_index"].asstr()[:])
        place = {patient: i for i, patient in enumerate(patients)}
        for name in names:
            part = file["mod"][name]
            view = np.full((len(patients), part["X"].shape[1]), np.nan)
            view[[place[patient] for patient in part["obs/dim_1"].asstr()[:]]] = part["X"][:]
            views.append(view if name == "Mutations" else view - np.nanmean(view, axis=0))
    return views, ["gaussian", "gaussian", "gaussian", "bernoulli"]
