"""Have muon itself learn factors and write them: `muon.h5mu` (run with muon 0.1.9, mudata 0.3.10).

python tests/reference/muon_files.py, in an environment of its own (muon brings scanpy); MOFA is
mofapy2 0.7.5. The views do not stand in the order of the alphabet, and the patients of the two
groups alternate: muon itself joins both by name. `muon_expected.json` holds what mofapy2's own file
of the same fit says.
"""

import json
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import anndata
import h5py
import mudata
import muon
import numpy as np
import pandas as pd

HERE = Path(__file__).parent
FEATURES = {"rna": [f"G{i}" for i in range(5)], "flags": [f"M{i}" for i in range(3)]}


def made_up() -> mudata.MuData:
    rng = np.random.default_rng(3)
    patients = [f"P{i:02d}" for i in range(24)]
    z = rng.normal(size=(24, 2))
    values = {
        "rna": z @ rng.normal(size=(2, 5)) + 0.3 * rng.normal(size=(24, 5)),
        "flags": (z @ rng.normal(size=(2, 3)) + rng.normal(size=(24, 3)) > 0).astype(float),
    }
    modalities = {
        view: anndata.AnnData(
            X=values[view],
            obs=pd.DataFrame(index=patients),
            var=pd.DataFrame(index=features),
        )
        for view, features in FEATURES.items()
    }
    data = mudata.MuData(modalities)
    data.obs["centre"] = pd.Categorical(["south", "north"] * 12)
    return data


def texts(values: h5py.Dataset) -> list[str]:
    return [value.decode() for value in values[:]]


def main() -> None:
    warnings.simplefilter("ignore")
    data = made_up()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.hdf5"
        muon.tl.mofa(
            data, groups_label="centre", n_factors=2, outfile=str(path), seed=1, n_iterations=50
        )
        with h5py.File(path) as file:
            groups, views = texts(file["groups/groups"]), texts(file["views/views"])
            expected = {
                "factors": {
                    group: {
                        patient: file[f"expectations/Z/{group}"][:, i].tolist()
                        for i, patient in enumerate(texts(file[f"samples/{group}"]))
                    }
                    for group in groups
                },
                "loadings": {
                    view: {
                        feature: file[f"expectations/W/{view}"][:, i].tolist()
                        for i, feature in enumerate(texts(file[f"features/{view}"]))
                    }
                    for view in views
                },
                "variance_explained": {
                    group: dict(
                        zip(
                            views,
                            file[f"variance_explained/r2_per_factor/{group}"][:].tolist(),
                            strict=True,
                        )
                    )
                    for group in groups
                },
                "likelihoods": dict(
                    zip(views, texts(file["model_options/likelihoods"]), strict=True)
                ),
            }
    data.write(HERE / "muon.h5mu")
    text = json.dumps(expected, indent=1)
    (HERE / "muon_expected.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
