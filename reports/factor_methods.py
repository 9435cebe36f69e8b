"""What a methods section says of the factors: how they were learnt, placed, checked and read."""

from omics.mofa import FactorModel
from reports.factor_results import FactorResults
from reports.results import Results


def factors_text(factors: FactorResults) -> str:
    """Say how factors were learnt, and how patients were placed on them."""
    model = factors.model
    likelihoods = model.likelihoods or {}
    views = ", ".join(
        f"{view} ({likelihoods.get(view, 'gaussian')})"
        for view in dict.fromkeys(model.variance_explained_["view"])
    )
    engine = (
        "by mofapy2"
        if model.engine == "mofapy2"
        else "with mofapy2's variational updates in an engine of its own"
    )
    return (
        f"Factors. The views {views} were factorized by multi-omics factor analysis (MOFA), fitted "
        f"{engine}; {_groups(model)}, {_priors(model)}, {model.n_factors} factors, "
        f"{model.n_iterations_} iterations, seed {model.seed}.{_preparation(model)} Factor values "
        "of every patient, of the training patients too, are the posterior mean given the learned "
        f"weights; a missing view or value is left out of it{_held(model)}.{_policy(model)} The "
        "outcome was not used."
    )


def _groups(model: FactorModel) -> str:
    if not model.groups_:
        return "one group"
    new = "pooled ones" if model.new_group is None else f"those of {model.new_group}"
    varying = ", with a variance of each factor of its own" if model.ard_factors else ""
    return (
        f"{len(model.groups_)} groups ({model.groups}), each with means and noise of its own"
        f"{varying} (patients of no group took {new})"
    )


def _priors(model: FactorModel) -> str:
    named = [
        name
        for name, used in (("spike-and-slab", model.spike_slab), ("ARD", model.ard_weights))
        if used
    ]
    text = f"{' and '.join(named) or 'normal'} prior{'s' if len(named) == 2 else ''} on the weights"
    if model.weight_views:
        text += ", views weighted by the inverse of their number of features"
    if model.least_r2 is not None:
        text += f", factors dropped that explained at most {100 * model.least_r2:g} % of every view"
    return text


def _preparation(model: FactorModel) -> str:
    within = " within groups" if model.groups_ else ""
    scaled = {
        "feature": "each divided by its standard deviation",
        "view": "each view divided by its standard deviation",
        "none": "not scaled",
    }.get(str(model.scale), f"scaled by {model.scale}")
    if model.scale_groups:
        scaled += ", then each group by its own"
    filtered = (
        ""
        if model.max_features is None
        else f" Of each view at most {model.max_features} features, the most variable, entered."
    )
    return (
        f" Gaussian features were centred{within}, {scaled}; constant features were left "
        f"out.{filtered}"
    )


def _held(model: FactorModel) -> str:
    if model.reach is None:
        return ""
    return (
        f", and values more than {model.reach:g} range widths outside the training range are held "
        "there"
    )


def _policy(model: FactorModel) -> str:
    if model.least_information is None:
        return ""
    done = "were taken as missing" if model.low_information == "missing" else "were flagged"
    return (
        f" Factors of patients with less than {model.least_information:g} of information on their "
        f"best factor {done}."
    )


def meaning_text(factors: FactorResults) -> str:
    """Say how factors were tested against columns and gene sets; empty where they were not."""
    said = []
    if len(factors.associations):
        said.append(
            "Meaning of factors. Factors were tested against columns by the type of each: "
            "Spearman's correlation for numbers, the Mann-Whitney test for two levels, Kendall's "
            "tau-b for ordered levels, the Kruskal-Wallis test for other levels, the score test of "
            "a Cox model for survival; p values were adjusted over all pairs "
            "(Benjamini-Hochberg)."
        )
    if factors.gene_sets is not None:
        sets = factors.gene_sets
        low, high = sets.sizes
        said.append(
            f"Gene sets. Of {sets.n_sets} sets in {sets.source}, the {sets.n_tested} with {low} to "
            f"{high} genes among the {sets.n_universe} of {sets.view} were tested for "
            f"over-representation among {sets.rule} (one-sided hypergeometric test, "
            "Benjamini-Hochberg over factors, signs and sets)."
        )
    return "\n\n".join(said)


def quality_text(results: Results) -> str:
    """Say what was done to tell how far the factors can be trusted."""
    quality, said = results.factor_quality, []
    if quality is not None and quality.stability is not None:
        stability = quality.stability
        refits = dict(zip(stability.failures["kind"], stability.failures["refits"], strict=True))
        said.append(
            f"Stability of factors. MOFA was refitted to {refits.get('bootstrap', 0)} bootstrap "
            f"samples of the patients and from {refits.get('start', 0)} disturbed starts (seed "
            f"{stability.seed}); factors were matched one to one by the absolute correlation of "
            f"their scores over the original patients, and called stable where it was "
            f"{stability.limit:g} or more in at least {100 * stability.least_share:g}% of either."
        )
    if quality is not None and quality.held_out_error is not None:
        error = quality.held_out_error
        numbers = [str(k) for k in sorted(set(error.table["n_factors"])) if k]
        said.append(
            f"Number of factors. {', '.join(numbers)} factors were compared by "
            f"{error.n_folds}-fold cross-validation over observed values of the "
            "development patients (squared error in scaled units, Brier score for 0/1 values); the "
            "declared number was kept."
        )
    if quality is not None and quality.transductive is not None:
        said.append(
            "Transductive factors. Models with factors were validated a second time, on the same "
            "resamples, with factors learnt once from all patients including those validated; "
            "paired differences give the optimism. Headline figures are inductive."
        )
    return "\n\n".join(said)
