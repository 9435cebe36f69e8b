"""What the factors of a study mean: what they go with, their gene sets, and a look at patients."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.associations import OUTCOME, associations
from models.factor_findings import active_factors
from omics.cohort import Cohort
from omics.errors import Finding, StudyError
from omics.gene_sets import GeneSetResult, GeneSets, gene_set_enrichment, sets_in_range
from omics.messages import nearest
from omics.mofa import FactorModel
from omics.outcome import is_survival


@dataclass(frozen=True, eq=False, kw_only=True)
class GeneSetTest:
    """Which gene sets are looked for, and where.

    Attributes
    ----------
    sets : GeneSets
    view : str
        View that holds genes, one of those that MOFA learns from.
    n_top : int
        Top genes of each factor and sign.
    sizes : pair of int
        Smallest and largest set tested, in genes of the view.
    """

    sets: GeneSets
    view: str
    n_top: int = 50
    sizes: tuple[int, int] = (5, 500)

    def of(self, model: FactorModel) -> GeneSetResult:
        """Test the sets on the factors of a fitted model; those switched off are left out."""
        return gene_set_enrichment(
            model.loadings_,
            self.sets,
            view=self.view,
            n_top=self.n_top,
            min_size=self.sizes[0],
            max_size=self.sizes[1],
            factors=[name.partition(":")[2] for name in ordered_active(model)],
        )

    def check(self, cohort: Cohort) -> None:
        """Refuse sets that the view's columns cannot be tested for, before anything is fitted.

        Raises
        ------
        StudyError
            If no gene is found, no set is of a size to test, or there are too few genes.
        """
        genes = [str(c).partition(":")[2] for c in cohort.X if str(c).startswith(f"{self.view}:")]
        low, high = self.sizes
        sets_in_range(self.sets, genes, view=self.view, min_size=low, max_size=high)
        if self.n_top >= len(genes):
            raise StudyError(
                f"the top genes must be some of the {len(genes)} genes of view {self.view!r}, but "
                f"{self.n_top} are asked for: nothing can stand out. Ask for fewer "
                "(gene_sets_top)."
            )


@dataclass(frozen=True, eq=False, kw_only=True)
class FactorScatter:
    """Development patients on two factors, coloured by the column that goes with them most.

    Attributes
    ----------
    scores : DataFrame of shape (n_patients, 2)
    values : Series of shape (n_patients,)
        Numbers or levels of the same patients.
    name : str
        What the values are called.
    p_adjusted : float
        Of the closest association of the column with one of the two factors.
    """

    scores: pd.DataFrame
    values: pd.Series
    name: str
    p_adjusted: float

    def __repr__(self) -> str:
        return f"FactorScatter({list(self.scores)}, by {self.name!r})"


def ordered_active(model: FactorModel) -> list[str]:
    """Name the factors that explain something, in the order of the model."""
    active = set(active_factors(model))
    return [str(name) for name in model.get_feature_names_out() if name in active]


def gene_set_results(
    test: GeneSetTest | None, model: FactorModel
) -> tuple[GeneSetResult | None, list[Finding]]:
    """Test gene sets; where MOFA kept too few genes for that, a finding says so."""
    if test is None:
        return None, []
    try:
        return test.of(model), []
    except StudyError as error:
        finding = Finding(
            code="no_gene_sets", severity="serious", where=test.view, message=str(error)
        )
        return None, [finding]


def columns_to_test(
    cohort: Cohort, columns: Sequence[str], *, ordered: Sequence[str] = ()
) -> pd.DataFrame:
    """Take the columns that factors are tested against, levels in order where that is declared.

    Parameters
    ----------
    cohort : Cohort
    columns : sequence of str
    ordered : sequence of str
        Those of them whose levels rise from the first declared to the last.

    Raises
    ------
    StudyError
        If one of `ordered` is none of the columns, or has no levels.
    """
    table = cohort.X[list(columns)]
    for name in ordered:
        if name not in table:
            raise StudyError(
                "[factors] ordered must name columns that factors are tested against, but "
                f"{name!r} is none of {len(columns)}. {nearest(name, columns)} "
                "Columns of other tables come in by associations."
            )
        if not isinstance(table[name].dtype, pd.CategoricalDtype):
            raise StudyError(
                f"[factors] ordered must name columns with levels, but {name!r} holds numbers, "
                "which are tested by their ranks anyhow. Take it out, or declare its levels "
                f"(categories) in table {name.partition(':')[0]!r}."
            )
    return table.assign(**{name: table[name].cat.as_ordered() for name in ordered})


def factor_associations(
    cohort: Cohort,
    model: FactorModel,
    scores: pd.DataFrame,
    columns: Sequence[str],
    *,
    ordered: Sequence[str] = (),
) -> pd.DataFrame:
    """Test factors against columns and the outcome, development patients; see `associations`."""
    development = cohort.development
    return associations(
        scores.loc[development.X.index],
        columns_to_test(development, columns, ordered=ordered),
        outcome=development.y,
        outcome_name=f"{cohort.outcome.label} (outcome)",
        learned_from=frozenset(model.features_),
    )


def factor_scatter(
    cohort: Cohort, model: FactorModel, scores: pd.DataFrame, tested: pd.DataFrame
) -> FactorScatter | None:
    """Choose what colours the first two active factors; None where there are no two, or nothing.

    Columns that the factors were learnt from are passed over: they go with them as a matter of
    course.
    """
    axes = ordered_active(model)[:2]
    rows = tested[tested["factor"].isin(axes) & ~tested["learned_from"].astype(bool)]
    rows = rows.dropna(subset=["p_value"]).sort_values("p_value", kind="stable")
    if len(axes) < 2 or rows.empty:
        return None
    first = rows.iloc[0]
    development = cohort.development
    column = str(first["column"])
    if column.startswith(f"{OUTCOME}:") and column not in development.X:
        name, values = _outcome_levels(development)
    else:
        name, values = column.partition(":")[2], _levels_of_two(development.X[column])
    shown = scores.loc[development.X.index, axes].dropna()  # who says too little has none
    return FactorScatter(
        scores=shown,
        values=values.loc[shown.index],
        name=name,
        p_adjusted=float(first["p_adjusted"]),
    )


def _levels_of_two(values: pd.Series) -> pd.Series:
    """Make two numbers, such as 0 and 1, two levels; leave all else."""
    known = values.dropna()
    if isinstance(values.dtype, pd.CategoricalDtype) or known.nunique() != 2:
        return values
    texts = values.map("{:g}".format, na_action="ignore")
    levels = [f"{value:g}" for value in sorted(known.unique())]
    return pd.Series(pd.Categorical(texts, categories=levels), index=values.index)


def _outcome_levels(development: Cohort) -> tuple[str, pd.Series]:
    """Return the outcome as two levels; of survival, whether the event was observed."""
    survival = is_survival(development.y)
    event = development.y["event"] if survival else development.y
    labels = ["no event observed", "event observed"] if survival else ["no", "yes"]
    outcome = development.outcome
    values = pd.Categorical(np.array(labels, dtype=object)[event.astype(int)], categories=labels)
    name = outcome.label if survival else outcome.statement
    return name, pd.Series(values, index=development.X.index)
