"""The methods section says of the factors what was asked of them, and nothing else."""

import pandas as pd
import pytest

from omics.mofa import FactorModel
from reports.factor_methods import factors_text, meaning_text
from reports.factor_results import FactorResults
from tests.made_cohorts import made_cohort


def results(**options: object) -> FactorResults:
    X = made_cohort(80, seed=2).X
    model = FactorModel(views=["mri", "rna"], n_factors=2, **options).fit(X)  # type: ignore[arg-type]
    scores = model.transform(X)
    return FactorResults(
        model=model,
        scores=scores,
        information=model.information(X),
        associations=pd.DataFrame(),
        scatter=None,
        gene_sets=None,
    )


def test_the_plain_case() -> None:
    text = factors_text(results())
    assert "The views mri (gaussian), rna (gaussian) were factorized" in text
    assert "with mofapy2's variational updates in an engine of its own; one group, " in text
    assert "spike-and-slab and ARD priors on the weights, 2 factors, " in text
    assert "centred, each divided by its standard deviation; constant" in text
    assert "The outcome was not used." in text
    assert meaning_text(results()) == ""


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"engine": "mofapy2"}, "fitted by mofapy2; one group"),
        ({"groups": "clinical:Grade"}, "3 groups (clinical:Grade), each with means and noise"),
        ({"groups": "clinical:Grade"}, "(patients of no group took pooled ones)"),
        ({"groups": "clinical:Grade", "new_group": "3"}, "(patients of no group took those of 3)"),
        ({"groups": "clinical:Grade", "ard_factors": True}, "a variance of each factor of its own"),
        ({"groups": "clinical:Grade", "scale_groups": True}, "then each group by its own"),
        ({"spike_slab": False}, "ARD prior on the weights"),
        ({"spike_slab": False, "ard_weights": False}, "normal prior on the weights"),
        ({"weight_views": True}, "views weighted by the inverse of their number of features"),
        ({"least_r2": 0.01}, "factors dropped that explained at most 1 % of every view"),
        ({"least_information": 0.2}, "less than 0.2 of information on their best factor were flag"),
        ({"least_information": 0.2, "low_information": "missing"}, "were taken as missing"),
        ({"max_features": 5}, "at most 5 features, the most variable"),
        ({"scale": "none"}, "not scaled"),
    ],
)
def test_every_option_is_told(options: dict[str, object], words: str) -> None:
    assert words in factors_text(results(**options))
    assert words not in factors_text(results())
