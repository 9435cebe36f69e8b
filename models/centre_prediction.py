r"""Tell whether the centre shows in the features, before and after they are harmonised.

A ridge multinomial logistic regression tells the centre of patients it has not seen, by repeated
cross-validation stratified by centre. Harmonisation makes the centres of its own training patients
alike, whatever it does for others: learned on everyone it would look perfect. So it is learned anew
in the training folds, and held-out patients pass through the frozen transform, as in the models of
a study. Of a mark that is there, what empirical Bayes shrinks away stays, and can be told; where
nothing is left the figure falls below chance, since held-out patients carry in reverse what was
taken for a mark in the training patients: read it as chance.

A linear classifier sees levels, and spread only as far as it moves them;
`models.centre_differences` tests both. AUC is the mean over pairs of centres after Hand and Till,
.5 by chance; balanced accuracy is the mean over centres, one in the number of centres by chance.

Considered and rejected: showing the classifier each training patient as harmonised by the others,
because in simulations it moved the AUC by less than .01, at five times the cost.

References
----------
Hand DJ, Till RJ. A simple generalisation of the area under the ROC curve for multiple class
classification problems. Machine Learning 2001;45:171-186. doi:10.1023/A:1010920819831
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from omics.errors import FitError
from omics.harmonise import ComBat
from omics.messages import number_of

LEAST_PATIENTS = 10  # of a centre: with fewer, folds are left with one or two
PENALTY = 10.0  # of features in standard deviations, divided by the root of their number
STAGES = ("before", "after")

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]


@dataclass(frozen=True, eq=False, kw_only=True)
class CentrePrediction:
    """How well the centre is told from the features.

    Attributes
    ----------
    table : DataFrame, one row per stage and metric
        `stage` ("before", "after"), `metric` ("auc", "balanced_accuracy"), `estimate`, `lower`,
        `upper` (percentiles of bootstrap draws of patients), `chance`.
    n_patients : int
    n_features : int
    n_patients_of : dict of centre to int
    left_out : dict of centre to int
        Centres of too few patients.
    n_refused : int
        Patients of the other centres who are in no figure: in a fold, nobody of those it was
        learned from had their level of a covariate.
    folds, repeats, draws, seed : int
    level : float
        Of the intervals.
    """

    table: pd.DataFrame
    n_patients: int
    n_features: int
    n_patients_of: dict[str, int]
    left_out: dict[str, int]
    n_refused: int
    folds: int
    repeats: int
    draws: int
    seed: int
    level: float

    def __repr__(self) -> str:
        auc = self.table[self.table["metric"] == "auc"].set_index("stage")["estimate"]
        return (
            f"CentrePrediction({len(self.n_patients_of)} centres, {self.n_patients} patients, "
            f"AUC {auc['before']:.2f} before, {auc['after']:.2f} after)"
        )


def centre_prediction(
    X: pd.DataFrame,
    combat: ComBat,
    *,
    folds: int = 5,
    repeats: int = 5,
    draws: int = 200,
    seed: int = 0,
    level: float = 0.95,
) -> CentrePrediction:
    """Tell the centre from the features before and after harmonisation.

    Parameters
    ----------
    X : DataFrame of shape (n_patients, n_columns)
        The wide table of the development patients, with the column of the centre.
    combat : ComBat
        Fitted to them: its features are looked at, its settings are used.
    folds, repeats : int
    draws : int
        Bootstrap draws of patients, for the intervals.
    seed : int
    level : float

    Returns
    -------
    CentrePrediction

    Raises
    ------
    FitError
        If fewer than two centres, or not that of reference, have ten patients with values, or
        harmonisation cannot be learned in a fold.
    """
    features = combat.features_
    table = X.loc[X[features].notna().any(axis=1), [*features, *combat.reads]]
    centre = table[combat.centre].astype(str)
    counts = centre.value_counts().sort_index()
    kept = _large_enough(counts, max(LEAST_PATIENTS, folds), combat.reference)
    inside = centre.isin(kept.index).to_numpy()
    table, codes = table.loc[inside], kept.index.get_indexer(pd.Index(centre[inside]))
    generator = np.random.default_rng(seed)
    told = {stage: np.full((repeats, len(codes), len(kept)), np.nan) for stage in STAGES}
    for repeat in range(repeats):
        for train, held_out in _folds(codes, folds, generator):
            who, found = _held_out(combat, table, codes, train, held_out)
            for stage in STAGES:
                told[stage][repeat, who] = found[stage]
    accepted = ~np.isnan(told["after"]).any(axis=(0, 2))
    told, codes = {stage: found[:, accepted] for stage, found in told.items()}, codes[accepted]
    n_patients_of = np.bincount(codes, minlength=len(kept))
    if n_patients_of.min() == 0:
        raise FitError(
            f"no patient of {kept.index[int(n_patients_of.argmin())]!r} has levels of the "
            "covariates that others have."
        )
    return CentrePrediction(
        table=_table(told, codes, draws=draws, level=level, generator=generator),
        n_patients=len(codes),
        n_features=len(features),
        n_patients_of={
            str(name): int(n) for name, n in zip(kept.index, n_patients_of, strict=True)
        },
        left_out={str(name): int(n) for name, n in counts.items() if name not in kept.index},
        n_refused=int((~accepted).sum()),
        folds=folds,
        repeats=repeats,
        draws=draws,
        seed=seed,
        level=level,
    )


def _held_out(
    combat: ComBat,
    table: pd.DataFrame,
    codes: Codes,
    train: Codes,
    held_out: Codes,
) -> tuple[Codes, dict[str, Floats]]:
    """Tell the centre of those held out whom harmonisation does not refuse, at each stage."""
    frozen = _frozen(combat, table.iloc[train])
    held_out = held_out[~frozen.refused(table.iloc[held_out])]
    rows = table.iloc[np.concatenate([train, held_out])]
    found = {}
    for stage, seen in (("before", rows), ("after", frozen.transform(rows))):
        values = seen[combat.features_].to_numpy(dtype=np.float64)
        found[stage] = _probabilities(values[: len(train)], codes[train], values[len(train) :])
    return held_out, found


def _large_enough(counts: pd.Series, least: int, reference: str | None) -> pd.Series:
    """Give the centres of enough patients, which must be two at least and hold the reference."""
    kept = counts[counts >= least]
    if len(kept) < 2:
        raise FitError(
            f"two centres of {least} patients are needed, but {len(kept)} of {len(counts)} "
            f"{'has' if len(kept) == 1 else 'have'} them."
        )
    if reference is not None and reference not in kept.index:
        raise FitError(
            f"the centre of reference, {reference!r}, must have {least} patients, but has "
            f"{counts.get(reference, 0)}."
        )
    return kept


def _frozen(combat: ComBat, train: pd.DataFrame) -> ComBat:
    try:
        frozen: ComBat = clone(combat).fit(train)
    except FitError as error:
        raise FitError(
            f"harmonisation cannot be learned from the {number_of(len(train), 'patient')} of a "
            f"fold: {error}"
        ) from error
    return frozen


def _folds(
    codes: Codes, folds: int, generator: np.random.Generator
) -> Iterator[tuple[Codes, Codes]]:
    state = int(generator.integers(2**31))
    splitter = StratifiedKFold(folds, shuffle=True, random_state=state)
    yield from splitter.split(codes, codes)


def _probabilities(train: Floats, codes: Codes, held_out: Floats) -> Floats:
    """Fit the classifier, and give held-out patients the probability of each centre.

    Patients span all there is to learn: with more features than patients the fit is done in their
    principal axes, which leaves the ridge as it is.
    """
    median = np.nanmedian(train, axis=0)
    train, held_out = (np.where(np.isnan(x), median, x) for x in (train, held_out))
    mean, spread = train.mean(axis=0), train.std(axis=0)
    spread[spread == 0] = 1.0
    scale = spread * np.sqrt(train.shape[1])
    train, held_out = (train - mean) / scale, (held_out - mean) / scale
    if train.shape[1] > len(train):
        axes = np.linalg.svd(train, full_matrices=False)[2].T
        train, held_out = train @ axes, held_out @ axes
    model = LogisticRegression(C=PENALTY, max_iter=1000).fit(train, codes)
    return np.asarray(model.predict_proba(held_out))


def _table(
    told: dict[str, Floats],
    codes: Codes,
    *,
    draws: int,
    level: float,
    generator: np.random.Generator,
) -> pd.DataFrame:
    """Average each metric over repeats, with percentiles of bootstrap draws within centres."""
    n_centres = int(codes.max()) + 1
    counts = np.ones((draws + 1, len(codes)))  # the first row is everyone, once
    for code in range(n_centres):
        rows = np.flatnonzero(codes == code)
        share = np.full(len(rows), 1 / len(rows))
        counts[1:, rows] = generator.multinomial(len(rows), share, size=draws)
    ends = [(1 - level) / 2, (1 + level) / 2]
    rows_of_table = []
    for stage, probabilities in told.items():
        auc = np.mean([hand_till(one, codes, counts) for one in probabilities], axis=0)
        accuracy = _balanced_accuracy(probabilities, codes, counts)
        for metric, found, chance in (
            ("auc", auc, 0.5),
            ("balanced_accuracy", accuracy, 1 / n_centres),
        ):
            lower, upper = np.quantile(found[1:], ends)
            rows_of_table.append((stage, metric, found[0], lower, upper, chance))
    return pd.DataFrame(
        rows_of_table, columns=["stage", "metric", "estimate", "lower", "upper", "chance"]
    )


def _balanced_accuracy(probabilities: Floats, codes: Codes, counts: Floats) -> Floats:
    """Average the share of right guesses over centres, in each draw."""
    n_right = (probabilities.argmax(axis=2) == codes).sum(axis=0)  # over repeats: sums stay exact
    shares = [
        counts[:, rows] @ n_right[rows] / (len(probabilities) * len(rows))
        for rows in (np.flatnonzero(codes == code) for code in range(int(codes.max()) + 1))
    ]
    return np.asarray(np.mean(shares, axis=0))


def hand_till(probabilities: Floats, codes: Codes, counts: Floats) -> Floats:
    """Average the AUC over pairs of classes, each told by the probability of either.

    Parameters
    ----------
    probabilities : ndarray of shape (n_patients, n_classes)
    codes : ndarray of int, of shape (n_patients,)
        The class of each, from 0.
    counts : ndarray of shape (n_draws, n_patients)
        How often each draw holds each patient; each class once at least.

    Returns
    -------
    ndarray of shape (n_draws,)

    Examples
    --------
    >>> p = np.array([[0.8, 0.2], [0.4, 0.6], [0.5, 0.5], [0.1, 0.9]])
    >>> hand_till(p, np.array([0, 0, 1, 1]), np.array([[1, 1, 1, 1], [2, 0, 1, 1]])).tolist()
    [0.75, 1.0]
    """
    found = []
    for mine, theirs in permutations(range(probabilities.shape[1]), 2):
        rows = np.flatnonzero((codes == mine) | (codes == theirs))
        rows = rows[np.argsort(probabilities[rows, mine])]
        _, first = np.unique(probabilities[rows, mine], return_index=True)
        positive = np.add.reduceat(counts[:, rows] * (codes[rows] == mine), first, axis=1)
        negative = np.add.reduceat(counts[:, rows] * (codes[rows] == theirs), first, axis=1)
        below = np.cumsum(negative, axis=1) - negative / 2
        n_pairs = positive.sum(axis=1) * negative.sum(axis=1)
        found.append((positive * below).sum(axis=1) / n_pairs)
    return np.asarray(np.mean(found, axis=0))
