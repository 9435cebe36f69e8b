"""Would these radiomics values be the same on another centre's scanner? ComBat takes out the mark.

Each feature's shift and scale at each centre are estimated by empirical Bayes (`omics.combat`) from
training patients and frozen: a patient of a known centre is harmonised by what was learnt, whoever
comes along. The outcome is never looked at. What is done with a patient of a *new* centre has no
default: it is refused, its values stay as they are, or the new centre's shift and scale are
estimated from its patients together, which is transductive.

References
----------
Johnson WE, Li C, Rabinovic A. Adjusting batch effects in microarray expression data using empirical
Bayes methods. Biostatistics 2007;8:118-127. doi:10.1093/biostatistics/kxj037

Orlhac F, Eertink JJ, Cottereau AS, et al. A guide to ComBat harmonization of imaging biomarkers in
multicenter studies. Journal of Nuclear Medicine 2022;63:172-179. doi:10.2967/jnumed.121.262464
"""

from collections.abc import Sequence
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from omics.checks import check_flag, check_frame, check_name, check_names
from omics.combat import NO_SPREAD, Floats, Moments, Standard, estimable, shrunken, standard
from omics.covariates import check_covariates, fit_covariates
from omics.errors import FitError
from omics.harmonise_checks import (
    NewCentre,
    check_columns,
    check_finite_numbers,
    check_policy,
    harmonised_numbers,
    known_centres,
)
from omics.messages import counted, nearest, number_of, quoted

CENTRE = "meta:centre"  # the column of the wide table that says where a patient was examined


class ComBat(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Take the centre's shift and scale out of the numbers of some tables.

    A feature is left as it is in everyone (`unadjusted_`) if at a centre all its values are one, as
    R's sva leaves it, or is known in too few patients there (two are needed, one where means alone
    are harmonised), or has no spread, or if those who have it do not tell its centres and
    covariates apart, as if all are of one sex; sva stops at the last two. If a centre has a
    single patient all centres are harmonised in their means alone, as by sva. Patients without any
    value of the tables are not looked at; other gaps stay gaps. Copies of a patient, as in a
    bootstrap sample, share their index label and are one patient.

    Parameters
    ----------
    tables : sequence of str
        The tables whose numbers are harmonised, such as `["radiomics"]`.
    new_centre : {"refuse", "pass_through", "estimate"}
        What is done with patients of a centre that the training patients lack. `refuse` raises.
        `pass_through` leaves their values exactly as they are: right only if the new centre
        measures as the average of the others does (as the reference, if there is one). `estimate`
        learns the new centre's shift and scale from all its patients in the table to be
        transformed: their values then depend on each other, and an evaluation is transductive.
    least_patients : int, optional
        Needed for `estimate`, at least 2: a new centre with fewer patients is refused, and one
        that has a feature in fewer of them, or (unless means alone are taken out) the same in all.
    covariates : sequence of str
        Columns, numbers or categories, whose effect is preserved; never the outcome.
    parametric : bool
        Shrink under a normal and an inverse gamma prior, or under the features' own distribution:
        each feature then takes the estimates of the others that fit it, which needs many features
        whose marks are alike.
    mean_only : bool
        Take out shifts and leave scales.
    reference : str, optional
        A centre that stays as it is; the others come to be like it.
    centre : str
        Column of the centre.

    Attributes
    ----------
    features_, unadjusted_ : list of str
        Columns that are harmonised, and those of the tables that are left as they are.
    n_patients_ : dict of centre to int
        Distinct training patients with values.
    mean_only_ : bool
        Whether scales were left, by the parameter or for a centre with a single patient.
    gamma_, delta_ : ndarray of shape (n_centres, n_features)
        Shift in pooled standard deviations and variance relative to the pooled, centres in the
        order of `n_patients_`.
    mean_, scale_, coef_ : ndarray
        See `omics.combat.Standard`.

    Examples
    --------
    >>> X = pd.DataFrame({"mri:a": [1.0, 2.0, 3.0, 5.0, 6.0, 7.0], "mri:b": [4, 2, 3.0, 8, 6, 7],
    ...                   "meta:centre": ["A", "A", "A", "B", "B", "B"]})
    >>> combat = ComBat(["mri"], reference="A", new_centre="refuse").fit(X)
    >>> combat
    ComBat(new_centre='refuse', reference='A', tables=['mri'])
    >>> combat.transform(X)["mri:a"].round(2).tolist()
    [1.0, 2.0, 3.0, 1.18, 2.0, 2.82]
    """

    def __init__(
        self,
        tables: Sequence[str],
        *,
        new_centre: NewCentre,
        least_patients: int | None = None,
        covariates: Sequence[str] = (),
        parametric: bool = True,
        mean_only: bool = False,
        reference: str | None = None,
        centre: str = CENTRE,
    ) -> None:
        self.tables = tables
        self.new_centre = new_centre
        self.least_patients = least_patients
        self.covariates = covariates
        self.parametric = parametric
        self.mean_only = mean_only
        self.reference = reference
        self.centre = centre

    @property
    def drops_columns(self) -> bool:
        """False: every column stays."""
        return False

    @property
    def reads(self) -> list[str]:
        """The columns beside the features that every patient must have."""
        return [self.centre, *self.covariates]

    def fit(self, X: pd.DataFrame, y: object = None) -> Self:
        """Learn from training patients; the outcome is not looked at.

        Parameters
        ----------
        X : DataFrame of shape (n_patients, n_columns)
            The wide table, columns `table:feature`, and the column of the centre.
        y : ignored

        Raises
        ------
        FitError
            If there is one centre only, no number of a table, or a covariate that cannot be told
            from the centre.
        ValueError
            If a parameter or a column is not as it must be.
        """
        self._check()
        check_frame(X, "X")
        features = harmonised_numbers(X, self.tables, beside=self.reads)
        table = X.loc[_with_values(X, features)]
        centre = known_centres(table[self.centre])
        self._count(table, centre)
        coding = fit_covariates(table, self.covariates)
        codes = np.array([list(self.n_patients_).index(name) for name in centre], dtype=np.intp)
        coded = coding.code(table)
        check_covariates(coding, coded, codes)
        values = table[features].to_numpy(dtype=np.float64)
        usable = self._usable(values, codes, table.index) & estimable(values, coded, codes)
        self._learn(values, coded, codes, features, usable)
        self.coding_ = coding
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.n_features_in_ = X.shape[1]
        return self

    def _check(self) -> None:
        check_names(self.tables, "tables")
        check_names(self.covariates, "covariates")
        check_name(self.centre, "centre")
        if self.reference is not None:
            check_name(self.reference, "reference")
        check_flag(self.parametric, "parametric")
        check_flag(self.mean_only, "mean_only")
        check_policy(self.new_centre, self.least_patients)

    def _count(self, table: pd.DataFrame, centre: NDArray[np.object_]) -> None:
        """Count distinct patients by centre; decide whether scales can be learnt."""
        seen = pd.Series(centre).groupby(centre).indices
        self.n_patients_ = {
            str(name): int(table.index[rows].nunique()) for name, rows in sorted(seen.items())
        }
        if table.empty:
            raise FitError(
                "ComBat needs patients with values of the tables, but there are none. Name other "
                "tables, or leave harmonisation out."
            )
        if len(self.n_patients_) < 2:
            raise FitError(
                f"ComBat needs patients of two centres at least, but all {len(table)} are of "
                f"{quoted(self.n_patients_)}. Leave harmonisation out, or name another column of "
                "centres."
            )
        if self.reference is not None and self.n_patients_.get(self.reference, 0) < 2:
            raise FitError(
                f"reference must be a centre of two patients at least, but {self.reference!r} has "
                f"{self.n_patients_.get(self.reference, 0)}. "
                f"{nearest(self.reference, self.n_patients_)}"
            )
        self.mean_only_ = bool(self.mean_only or 1 in self.n_patients_.values())

    def _learn(
        self,
        values: Floats,
        coded: Floats,
        codes: NDArray[np.intp],
        features: Sequence[str],
        usable: NDArray[np.bool_],
    ) -> None:
        """Standardise, then estimate the shift and scale of each centre."""
        reference = None if self.reference is None else [*self.n_patients_].index(self.reference)
        common = standard(values[:, usable], coded, codes, reference=reference)
        spread = np.nanstd(values[:, usable], axis=0)
        varied = common.scale > NO_SPREAD * spread
        usable[usable] = varied
        common = Standard(
            mean=common.mean[varied], scale=common.scale[varied], coef=common.coef[:, varied]
        )
        if usable.sum() < 2:
            raise FitError(
                "ComBat learns from features together and needs two at least, but "
                f"{usable.sum()} of {len(features)} vary at every centre. Name tables of more, "
                "or let filters keep more."
            )
        z = common.standardised(values[:, usable], coded)
        shifts = [self._shrunken(z[codes == code]) for code in range(len(self.n_patients_))]
        if reference is not None:
            shifts[reference] = np.zeros(z.shape[1]), np.ones(z.shape[1])
        self.features_ = [name for name, use in zip(features, usable, strict=True) if use]
        self.unadjusted_ = [name for name, use in zip(features, usable, strict=True) if not use]
        self.mean_, self.scale_, self.coef_ = common.mean, common.scale, common.coef
        self.gamma_ = np.array([gamma for gamma, _ in shifts])
        self.delta_ = np.array([delta for _, delta in shifts])

    def _shrunken(self, z: Floats) -> tuple[Floats, Floats]:
        return shrunken(Moments.of(z), parametric=self.parametric, mean_only=self.mean_only_)

    def _usable(
        self, values: Floats, codes: NDArray[np.intp], patients: pd.Index
    ) -> NDArray[np.bool_]:
        """Tell the features whose shift and, where it is taken out, scale each centre shows."""
        usable = np.ones(values.shape[1], dtype=np.bool_)
        for code in range(len(self.n_patients_)):
            here = values[codes == code]
            enough = _varies(here)
            if self.mean_only_:  # one patient then is enough, and copies are one patient
                known = pd.DataFrame(~np.isnan(here)).groupby(patients[codes == code]).any()
                enough |= known.sum().to_numpy() == 1
            usable &= enough
        return usable

    def refused(self, X: pd.DataFrame) -> NDArray[np.bool_]:
        """Tell which patients are not harmonised but refused, shape (n_patients,)."""
        return np.asarray(self.refusals(X) != "")

    def refusals(self, X: pd.DataFrame) -> NDArray[np.object_]:
        """Tell why patients are not harmonised but refused.

        Returns
        -------
        ndarray of str, of shape (n_patients,)
            "centre": with values, of a centre that the policy does not let through; "covariate":
            of another centre, with a covariate that is missing or of a level that no training
            patient had; "" for all others.
        """
        check_is_fitted(self, "gamma_")
        check_frame(X, "X")
        check_columns(X, [*self.reads, *(self.features_ if self.new_centre == "estimate" else [])])
        check_finite_numbers(X, list(self.coding_.numbers))
        there = [name for name in self.features_ if name in X.columns]
        reasons = np.where(self._of_refused_centre(X), "centre", "covariate").astype(object)
        lost = self._of_refused_centre(X) | ~self.coding_.known(X)
        reasons[~(lost & _with_values(X, there))] = ""
        return reasons

    def _new(self, X: pd.DataFrame) -> pd.Series:
        """Give the centre of patients of new centres, "" where it is missing, else NaN."""
        names = X[self.centre].astype(object)
        names = names.where(names.isna(), names.map(str)).where(names.notna(), "")
        return names.where(~names.isin(list(self.n_patients_)))

    def _of_refused_centre(self, X: pd.DataFrame) -> NDArray[np.bool_]:
        new = self._new(X)
        is_new = new.notna().to_numpy()
        if self.new_centre == "pass_through":
            return np.zeros(len(X), dtype=np.bool_)
        if self.new_centre == "refuse":
            return is_new
        lacking = [name for name, why in self._why_not_estimated(X).items() if why]
        return np.asarray(new.isin(lacking).to_numpy())

    def _why_not_estimated(self, X: pd.DataFrame) -> dict[str, str]:
        """Say why the shift and scale of a new centre cannot be estimated; "" where they can.

        Every feature that patients of the centre have must be known in enough of them: left as it
        is, it would stand on the old scale among others on the new one.
        """
        new = self._new(X)
        counts = _with_values(X, self.features_) & self.coding_.known(X)
        return {
            str(name): self._why_too_little(X.loc[counts & (new == name).to_numpy()], str(name))
            for name in new.dropna().unique()
        }

    def _why_too_little(self, X: pd.DataFrame, name: str) -> str:
        values = X[self.features_].to_numpy(dtype=np.float64)
        known, least = (~np.isnan(values)).sum(axis=0), self.least_patients or 2
        if not name:
            return "nobody knows which centre it is"
        if len(X) < least:
            return f"{number_of(len(X), 'patient')} came, and {least} are needed"
        if (known > 0).sum() < 2:
            return "fewer than two features are known"
        few = np.flatnonzero((known > 0) & (known < least))
        if len(few):
            first = f"first: {self.features_[few[0]]!r} in {known[few[0]]}"
            return f"{self._some(few)} known in fewer than {least} of its patients ({first})"
        alike = np.flatnonzero((known > 0) & ~_varies(values))
        if len(alike) and not self.mean_only_:
            return f"{self._some(alike)} the same in all ({self.features_[alike[0]]!r})"
        return ""

    def _some(self, which: NDArray[np.intp]) -> str:
        verb = "is" if len(which) == 1 else "are"
        return f"{len(which)} of {len(self.features_)} features {verb}"

    def new_centres(self, X: pd.DataFrame) -> pd.DataFrame:
        """Say what happens to patients of centres that the training patients lack.

        Returns
        -------
        DataFrame, one row per new centre
            `centre` ("" where it is missing), `n_patients` (with values), `what` ("refused", "left
            as they are" or "estimated from these patients together") and `why` (what the estimate
            lacks, else "").
        """
        check_is_fitted(self, "gamma_")
        there = [name for name in self.features_ if name in X.columns]
        new = self._new(X)[_with_values(X, there)].dropna()
        done = {"refuse": "refused", "pass_through": "left as they are"}
        lacking = self._why_not_estimated(X) if self.new_centre == "estimate" else {}
        rows = []
        for name, n in new.groupby(new).size().items():
            why = lacking.get(str(name), "")
            by_size = "refused" if why else "estimated from these patients together"
            rows.append((str(name), int(n), done.get(self.new_centre, by_size), why))
        return pd.DataFrame(rows, columns=["centre", "n_patients", "what", "why"])

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Harmonise any patients by what was learnt.

        Features that `X` lacks are not looked at, except under `estimate`, which needs all of them.

        Raises
        ------
        ValueError
            If a patient is `refused`, or a value is no finite number.
        """
        if self.refused(X).any():
            raise ValueError(self.why_refused(X))
        there = [position for position, name in enumerate(self.features_) if name in X.columns]
        names = [self.features_[position] for position in there]
        check_finite_numbers(X, names)
        values = X[names].to_numpy(dtype=np.float64)
        rows = _with_values(X, names)
        harmonised = values.copy()
        harmonised[rows] = self._harmonised(X.loc[rows], values[rows], np.array(there, dtype=int))
        new = pd.DataFrame(harmonised, index=X.index, columns=names)
        whole = pd.concat([X.drop(columns=names), new], axis=1)
        return whole[list(X.columns)]

    def _harmonised(self, X: pd.DataFrame, values: Floats, there: NDArray[np.intp]) -> Floats:
        """Give the values of patients, every one of whom has some."""
        found = values.copy()
        centre = np.array([str(name) for name in X[self.centre]], dtype=object)
        common = Standard(
            mean=self.mean_[there], scale=self.scale_[there], coef=self.coef_[:, there]
        )
        for code, name in enumerate(self.n_patients_):
            here = np.flatnonzero(centre == name)
            if name == self.reference or not len(here):
                continue
            expected = common.expected(self.coding_.code(X.iloc[here]))
            shift = common.scale * self.gamma_[code, there]
            residuals = values[here] - expected - shift
            found[here] = expected + residuals / np.sqrt(self.delta_[code, there])
        if self.new_centre == "estimate":
            for name in dict.fromkeys(centre):
                if name not in self.n_patients_:
                    here = np.flatnonzero(centre == name)
                    found[here] = self._estimated(values[here], self.coding_.code(X.iloc[here]))
        return found

    def _estimated(self, values: Floats, coded: Floats) -> Floats:
        """Harmonise the patients of one new centre by their own shift and scale."""
        usable = ~np.isnan(values).all(axis=0)
        found = values.copy()
        common = Standard(
            mean=self.mean_[usable], scale=self.scale_[usable], coef=self.coef_[:, usable]
        )
        gamma, delta = self._shrunken(common.standardised(values[:, usable], coded))
        expected = common.expected(coded)
        residuals = values[:, usable] - expected - common.scale * gamma
        found[:, usable] = expected + residuals / np.sqrt(delta)
        return found

    def why_refused(self, X: pd.DataFrame) -> str:
        """Say why patients of a table are refused, for their centre and for a covariate apart."""
        reasons = self.refusals(X)
        said = []
        if (reasons == "centre").any():
            said.append(self._why_centre(X.loc[reasons == "centre"], n_patients=len(X)))
        if (reasons == "covariate").any():
            mine = X.loc[reasons == "covariate"]
            said.append(self.coding_.why_unknown(mine, n_patients=len(X)))
        return " ".join(said)

    def _why_centre(self, refused: pd.DataFrame, *, n_patients: int) -> str:
        names = self._new(refused).replace("", "(unknown)")
        lacking = self._why_not_estimated(refused) if self.new_centre == "estimate" else {}
        why = "".join(f" Of {name or '(unknown)'!r}, {why}." for name, why in lacking.items())
        cure = (
            f"give {self.least_patients} patients of it or more, with every feature that any has"
            if self.new_centre == "estimate"
            else "state new_centre = 'pass_through' or 'estimate'"
        )
        return (
            f"X must hold patients of the centres {quoted(self.n_patients_)}, but {len(refused)} "
            f"of {n_patients} are of others: {counted(names)}.{why} Leave them out, harmonise with "
            f"training patients of their centre, or {cure}."
        )


def _with_values(X: pd.DataFrame, features: Sequence[str]) -> NDArray[np.bool_]:
    """Tell who has any value of the features."""
    return np.asarray(X[list(features)].notna().to_numpy().any(axis=1))


def _varies(values: Floats) -> NDArray[np.bool_]:
    """Tell the features of which two known values differ."""
    known = ~np.isnan(values)
    low = np.min(values, axis=0, where=known, initial=np.inf)
    high = np.max(values, axis=0, where=known, initial=-np.inf)
    return np.asarray(low < high)
