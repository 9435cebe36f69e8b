"""mofapy2 run by hand, its lower bound noted at every sweep: the witness of our own engine."""

import io
import warnings
from contextlib import redirect_stdout
from dataclasses import dataclass

import numpy as np

from omics.mofa_fit import Likelihood, MofaOptions


@dataclass(frozen=True, eq=False)
class Witness:
    elbo: np.ndarray  # (n_sweeps + 1,), the start first
    factors: np.ndarray  # (n_patients, n_factors), as mofapy2 orders them
    weights: list[np.ndarray]  # (n_features, n_factors) each


def run_mofapy2(
    views: list[np.ndarray],
    likelihoods: list[Likelihood],
    groups: np.ndarray,
    options: MofaOptions,
    *,
    n_sweeps: int,
) -> Witness:
    """Make `n_sweeps` sweeps; patients must stand group by group."""
    state = np.random.get_state()  # noqa: NPY002 - mofapy2 seeds the global generator
    with redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mofapy2.run.entry_point import entry_point

        entry = entry_point()
        entry.set_data_options(scale_views=False, scale_groups=False, center_groups=False)
        entry.set_data_matrix(
            [[view[groups == g].copy() for g in range(groups.max() + 1)] for view in views],
            likelihoods=list(likelihoods),
        )
        entry.set_model_options(
            factors=options.n_factors,
            spikeslab_weights=options.spike_slab,
            ard_weights=options.ard_weights,
            ard_factors=options.ard_factors,
        )
        entry.set_train_options(
            iter=n_sweeps + 1,
            seed=options.seed,
            freqELBO=1,
            nostop=True,
            quiet=True,
            dropR2=options.least_r2,
            weight_views=options.weight_views,
        )
        entry.build()
        entry.model.setTrainOptions(entry.train_opts)
        entry.model.iterate()
    np.random.set_state(state)  # noqa: NPY002
    return Witness(
        elbo=entry.model.train_stats["elbo"][: n_sweeps + 1],
        factors=np.array(entry.model.nodes["Z"].getExpectation()),
        weights=[np.array(w) for w in entry.model.nodes["W"].getExpectation()],
    )
