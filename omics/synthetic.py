r"""A synthetic glioma cohort whose truth is known: for the demo, the tests and the notebooks.

Every patient is simulated; no value was measured. Five latent factors :math:`z` drive the tables

=================  =========================================================
aggressiveness     radiomics (heterogeneity), expression, mutations (IDH)
proliferation      radiomics (intensity), expression, Ki-67
volume             radiomics only: shape, and the counts that grow with size
immunity           expression only
texture            radiomics only: fine runs and wavelets
=================  =========================================================

and overall survival follows a Weibull proportional hazards model in age, KPS, resection,
aggressiveness and proliferation. Volume, immunity, texture and the table `proteomics`, pure noise,
say nothing about survival.

References
----------
Gonen M, Heller G. Concordance probability and discriminatory power in proportional hazards
regression. Biometrika 2005;92:965-970. doi:10.1093/biomet/92.4.965
"""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from omics.synthetic_names import (
    ALTERATIONS,
    GENE_BLOCKS,
    RADIOMICS_BLOCKS,
    RATIO_FEATURES,
    SIGNED_FEATURES,
    VOLUME_FEATURES,
)
from omics.synthetic_study import SyntheticStudy, Truth

FACTORS = ("aggressiveness", "proliferation", "volume", "immunity", "texture")
CENTRES = ("Centre A", "Centre B", "Centre C")
CENTRE_SHARES = (0.40, 0.32, 0.28)
COEFFICIENTS = {  # log hazard ratios
    "years above 40": 0.022,
    "KPS": -0.016,
    "Resection=STR": 0.30,
    "Resection=biopsy": 0.60,
    "aggressiveness": 0.55,
    "proliferation": 0.52,
    "volume": 0.0,
    "immunity": 0.0,
    "texture": 0.0,
}
ABSENT = {  # share of patients without the table
    "radiomics": 0.02,
    "expression": 0.15,
    "mutations": 0.07,
    "proteomics": 0.10,
    "pathology": 0.03,
}


def synthetic_cohort(n_patients: int = 360, *, seed: int) -> SyntheticStudy:
    """Simulate a glioma study from three centres, the third one external.

    Parameters
    ----------
    n_patients : int, default=360
        At least 30.
    seed : int

    Returns
    -------
    SyntheticStudy

    Raises
    ------
    ValueError
        If there are fewer than 30 patients.

    Examples
    --------
    >>> study = synthetic_cohort(60, seed=2)
    >>> study.truth
    Truth(60 synthetic patients, 5 factors, true C 0.7...)
    >>> study.tables["followup"].columns.tolist()
    ['patient', 'Centre', 'Status', 'OS days']
    """
    if n_patients < 30:
        raise ValueError(f"n_patients must be at least 30, but {n_patients} came.")
    rng = np.random.default_rng(seed)
    patient = pd.Index([f"SYN-{i + 1:04d}" for i in range(n_patients)], name="patient")
    factors = pd.DataFrame(
        rng.standard_normal((n_patients, len(FACTORS))), index=patient, columns=list(FACTORS)
    )
    centre = rng.choice(CENTRES, size=n_patients, p=CENTRE_SHARES)
    clinical = _clinical(rng, factors)
    linear_predictor = _linear_predictor(clinical, factors)

    loadings: dict[str, pd.DataFrame] = {}
    tables: dict[str, pd.DataFrame] = {}
    tables["radiomics"], loadings["radiomics"] = _radiomics(rng, factors, centre)
    tables["expression"], loadings["expression"] = _expression(rng, factors)
    tables["mutations"], loadings["mutations"] = _mutations(rng, factors)
    tables["proteomics"], loadings["proteomics"] = _proteomics(rng, factors)
    tables["pathology"] = _pathology(rng, factors)
    tables["clinical"] = clinical.mask(_holes(rng, clinical, {"KPS": 0.03}))
    tables["followup"] = _followup(rng, linear_predictor, centre)

    absent = pd.DataFrame(
        {name: rng.random(n_patients) < ABSENT.get(name, 0.0) for name in tables}, index=patient
    )
    kept = {
        name: table.loc[rng.permutation(patient[~absent[name].to_numpy()])].reset_index()
        for name, table in tables.items()
    }
    truth = Truth(
        factors=factors,
        loadings=loadings,
        volume_features=tuple(VOLUME_FEATURES),
        noise_view="proteomics",
        linear_predictor=linear_predictor,
        c_index=_concordance(linear_predictor),
        coefficients=pd.Series(COEFFICIENTS, name="log_hazard_ratio"),
        absent=absent,
    )
    return SyntheticStudy(tables=kept, truth=truth, seed=seed)


def _holes(
    rng: np.random.Generator, table: pd.DataFrame, shares: Mapping[str, float]
) -> pd.DataFrame:
    """Return True at single values to be lost: a share of each column named."""
    share = np.array([shares.get(str(column), 0.0) for column in table.columns])
    return pd.DataFrame(rng.random(table.shape) < share, table.index, table.columns)


def _load(
    rng: np.random.Generator, factors: pd.DataFrame, blocks: Mapping[str, tuple[str, ...]]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw features of unit variance, each on the factor of its block; and their loadings."""
    names = [name for block in blocks.values() for name in block]
    loadings = pd.DataFrame(0.0, index=[n.removeprefix("-") for n in names], columns=list(FACTORS))
    for factor, block in blocks.items():
        for name in block if factor in FACTORS else ():
            size = rng.uniform(0.65, 0.90)
            loadings.loc[name.removeprefix("-"), factor] = -size if name[0] == "-" else size
    noise = rng.standard_normal((len(factors), len(names)))
    spread = np.sqrt(1 - (loadings.to_numpy() ** 2).sum(axis=1))
    values = factors.to_numpy() @ loadings.to_numpy().T + spread * noise
    return pd.DataFrame(values, index=factors.index, columns=loadings.index), loadings


def _radiomics(
    rng: np.random.Generator, factors: pd.DataFrame, centre: NDArray[np.str_]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw the radiomics table: blocks, a modest scanner effect, the volume block, diagnostics."""
    z, loadings = _load(rng, factors, RADIOMICS_BLOCKS)
    for name in CENTRES[1:]:  # a scanner moves each feature a little
        z.loc[centre == name] += 0.25 * rng.standard_normal(z.shape[1])
    features = z.apply(lambda column: _radiomics_scale(rng, column))

    for name, (typical, power) in VOLUME_FEATURES.items():
        size = rng.uniform(0.95, 0.99)
        noise = np.sqrt(1 - size**2) * rng.standard_normal(len(factors))
        loadings.loc[name] = [np.sign(power) * size * (f == "volume") for f in FACTORS]
        log_volume = size * factors["volume"] + np.sign(power) * noise
        features[name] = typical * np.exp(0.5 * power * log_volume)
    features = _significant(features.sort_index(axis=1))
    features = features.mask(_holes(rng, features, dict.fromkeys(features.columns, 0.004)))

    volume = features["original_shape_VoxelVolume"].fillna(0)
    set_aside = pd.DataFrame(
        {
            "Image": [f"{patient}_FLAIR.nii.gz" for patient in factors.index],
            "Mask": [f"{patient}_tumour.nii.gz" for patient in factors.index],
            "diagnostics_Versions_PyRadiomics": "none: simulated values",
            "diagnostics_Image-original_Spacing": "(1.0, 1.0, 1.0)",
            "diagnostics_Mask-original_VoxelNum": volume.round().astype(int),
        },
        index=factors.index,
    )
    return pd.concat([set_aside, features], axis=1), loadings.loc[features.columns]


def _radiomics_scale(rng: np.random.Generator, z: "pd.Series[float]") -> "pd.Series[float]":
    """Put a standardised feature on a scale such as pyradiomics gives it."""
    feature = str(z.name).rpartition("_")[2]
    if feature in RATIO_FEATURES:
        return pd.Series(expit(rng.uniform(-1.5, 1.0) + 0.4 * z), index=z.index)
    if feature in SIGNED_FEATURES:
        return rng.uniform(-1, 1) + rng.uniform(0.5, 50) * z
    typical = np.log(4.0) if feature.endswith("Entropy") else rng.uniform(1, 6)
    spread = 0.12 if feature.endswith("Entropy") else 0.3
    return pd.Series(np.exp(typical + spread * z), index=z.index)


def _significant(table: pd.DataFrame, digits: int = 6) -> pd.DataFrame:
    """Round to `digits` significant digits, as software writes them."""
    values = table.to_numpy(dtype=np.float64)
    factor = 10.0 ** (digits - 1 - np.floor(np.log10(np.abs(values))))
    return pd.DataFrame(np.round(values * factor) / factor, table.index, table.columns)


def _expression(
    rng: np.random.Generator, factors: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    z, loadings = _load(rng, factors, GENE_BLOCKS)
    level = rng.uniform(4.0, 11.0, size=z.shape[1])
    spread = rng.uniform(0.6, 1.4, size=z.shape[1])
    table = (z * spread + level).clip(lower=0.0).round(4)
    return table.mask(_holes(rng, table, dict.fromkeys(table.columns, 0.004))), loadings


def _mutations(
    rng: np.random.Generator, factors: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw IDH from aggressiveness, 1p/19q codeletion only where IDH is mutant, then the rest."""
    severity = factors["aggressiveness"].to_numpy()
    idh = rng.random(len(factors)) < expit(-0.5 - 2.6 * severity)
    codeleted = idh & (rng.random(len(factors)) < 0.42)
    table = {"IDH": idh, "1p/19q codeletion": codeleted}
    loading = {"IDH": -2.6, "1p/19q codeletion": 0.0}
    kind = idh.astype(int) + codeleted  # 0 wildtype, 1 mutant, 2 mutant and codeleted
    for name, (*shares, slope) in ALTERATIONS.items():
        table[name] = rng.random(len(factors)) < expit(
            logit(np.array(shares))[kind] + slope * severity
        )
        loading[name] = slope
    genes = pd.DataFrame(table, index=factors.index).astype("Int64")
    loadings = pd.DataFrame(0.0, index=list(table), columns=list(FACTORS))
    loadings["aggressiveness"] = pd.Series(loading)
    return genes.mask(_holes(rng, genes, dict.fromkeys(genes.columns, 0.01))), loadings


def _proteomics(
    rng: np.random.Generator, factors: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    names = tuple(f"protein_{i + 1:02d}" for i in range(40))
    z, loadings = _load(rng, factors, {"none": names})
    return z.round(4), loadings


def _pathology(rng: np.random.Generator, factors: pd.DataFrame) -> pd.DataFrame:
    """Draw Ki-67 in per cent and write it as pathologists do."""
    log_percent = (
        np.log(7.0)
        + 0.55 * factors["proliferation"]
        + 0.30 * factors["aggressiveness"]
        + 0.70 * rng.standard_normal(len(factors))
    )
    percent = np.exp(log_percent.clip(np.log(0.2), np.log(90.0)))
    style = rng.choice(4, size=len(factors), p=(0.45, 0.2, 0.25, 0.1))
    text = [_as_written(value, int(s)) for value, s in zip(percent, style, strict=True)]
    table = pd.DataFrame({"Ki-67": text}, index=factors.index)
    return table.mask(_holes(rng, table, {"Ki-67": 0.03}), "not done")


def _as_written(percent: float, style: int) -> str:
    if percent < 1:
        return "<1%"
    whole = round(percent)
    low = whole // 5 * 5
    forms: tuple[Callable[[], str], ...] = (
        lambda: f"{whole}%",
        lambda: f"{whole} %",
        lambda: f"{max(low, 1)}-{low + 5}%",
        lambda: f"{whole}",
    )
    return forms[style]()


def _clinical(rng: np.random.Generator, factors: pd.DataFrame) -> pd.DataFrame:
    n, severity = len(factors), factors["aggressiveness"]
    age = (53 + 5 * severity + 11 * rng.standard_normal(n)).clip(18, 88).round().astype(int)
    kps = (86 - 3 * severity - 0.2 * (age - 53) + 10 * rng.standard_normal(n)) / 10
    grade = 3.1 + 0.75 * severity + 0.45 * rng.standard_normal(n)
    return pd.DataFrame(
        {
            "Age": age,
            "Sex": rng.choice(("female", "male"), size=n, p=(0.43, 0.57)),
            "KPS": kps.clip(4, 10).round() * 10,
            "Resection": rng.choice(("GTR", "STR", "biopsy"), size=n, p=(0.46, 0.36, 0.18)),
            "WHO grade": "grade " + grade.round().clip(2, 4).astype(int).astype(str),
        },
        index=factors.index,
    )


def _linear_predictor(clinical: pd.DataFrame, factors: pd.DataFrame) -> "pd.Series[float]":
    design = factors.assign(
        **{
            "years above 40": (clinical["Age"] - 40).clip(lower=0),
            "KPS": clinical["KPS"],
            "Resection=STR": clinical["Resection"] == "STR",
            "Resection=biopsy": clinical["Resection"] == "biopsy",
        }
    ).astype(float)
    weights = pd.Series(COEFFICIENTS)
    lp = (design[weights.index] @ weights).rename("linear_predictor")
    return lp - lp.mean()


def _followup(
    rng: np.random.Generator, linear_predictor: "pd.Series[float]", centre: NDArray[np.str_]
) -> pd.DataFrame:
    """Draw Weibull death times, the close of the study and loss to follow-up; whole days."""
    n = len(linear_predictor)
    death = 1150 * (rng.exponential(size=n) / np.exp(linear_predictor)) ** (1 / 1.25)
    closed = rng.uniform(365, 6 * 365, size=n)  # patients were accrued over five years
    lost = rng.exponential(12 * 365, size=n)
    last = np.minimum(closed, lost)
    table = pd.DataFrame(
        {
            "Centre": centre,
            "Status": np.where(death <= last, "dead", "alive"),
            "OS days": np.ceil(np.minimum(death, last)).astype(int),
        },
        index=linear_predictor.index,
    )
    unknown = _holes(rng, table, {"OS days": 0.01})["OS days"]
    return table.assign(**{"OS days": table["OS days"].astype("Int64").mask(unknown)})


def _concordance(linear_predictor: ArrayLike) -> float:
    """Return P(the patient with the higher predictor dies first), averaged over all pairs."""
    lp = np.asarray(linear_predictor, dtype=np.float64)
    first, second = np.triu_indices(len(lp), k=1)
    return float(expit(np.abs(lp[first] - lp[second])).mean())
