"""What a report says of a study beside its numbers, and which of them it shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from models.decision import Quantity, Setting
from models.description import TableOneAsked
from models.subgroups import Splits
from models.ticks import AxisTicks
from omics.moment import Moment
from reports.added_value import AddedValue
from reports.factor_meaning import GeneSetTest
from reports.factor_quality import FactorChecks


@dataclass(frozen=True, kw_only=True)
class Updates:
    """Which models are updated in which external cohort.

    Attributes
    ----------
    cohort : str
    models : sequence of str
    """

    cohort: str
    models: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class About:
    """What a report says of a study beside its numbers, and which of them it shows.

    Attributes
    ----------
    title, description : str
    synthetic : bool
        True marks every page as made-up data.
    thresholds : pair of float
        From and to, of the decision curves.
    setting : Setting
        Prevalence and harm, where the decision curves are to know them.
    classify_at : sequence of float
        Frozen thresholds of risk at which patients are classified.
    quantities : sequence of str
        What decision curves show beside net benefit: `standardised_net_benefit`,
        `interventions_avoided`.
    nomograms : sequence of str, optional
        Models to draw a nomogram of; by default every regression.
    nomogram_ticks : mapping of model to AxisTicks
        Ticks of a nomogram that its author chooses.
    table_one : TableOneAsked
        Columns of table one, by default the clinical and pathology ones; its groups, and what is
        said of their differences.
    added_value : AddedValue, optional
        Given, every model is compared with one of them, and tumour volume alone is validated too
        where a radiomics table has a volume feature.
    subgroups : mapping of column to "levels" or rising cuts
        Every figure is given for each of them, and for each centre.
    subgroup_models : sequence of str, optional
        Models for which it is; by default all.
    moment : {"baseline", "surgery", "pathology", "follow_up"}, optional
        When predictions are made; a model that reads what is known later is refused.
    factor_checks : FactorChecks
        What to find out about the factors: stability, number, optimism of transductive ones.
    factor_columns : sequence of str
        Columns that factors are tested against, beside the clinical and pathology ones and the
        outcome; such as chosen mutations.
    ordered_columns : sequence of str
        Those of them whose declared levels rise from the first to the last.
    gene_sets : GeneSetTest, optional
        Gene sets to look for among the top genes of the factors.
    updates : Updates, optional
        Models to update in an external cohort.
    assumptions : bool
        Whether to examine the assumptions of Cox and logistic models.
    calibration_groups : int
        Groups of patients drawn as points beside calibration curves; 0 for none.
    hosmer_lemeshow : bool
        Whether to give the test, with its warning.
    """

    title: str
    description: str = ""
    synthetic: bool = False
    thresholds: tuple[float, float] = (0.05, 0.6)
    setting: Setting = field(default_factory=Setting)
    classify_at: Sequence[float] = ()
    quantities: Sequence[Quantity] = ()
    nomograms: Sequence[str] | None = None
    nomogram_ticks: Mapping[str, AxisTicks] = field(default_factory=dict)
    table_one: TableOneAsked = field(default_factory=TableOneAsked)
    added_value: AddedValue | None = None
    subgroups: Splits = field(default_factory=dict)
    subgroup_models: Sequence[str] | None = None
    moment: Moment | None = None
    factor_checks: FactorChecks = field(default_factory=FactorChecks)
    factor_columns: Sequence[str] = ()
    ordered_columns: Sequence[str] = ()
    gene_sets: GeneSetTest | None = None
    updates: Updates | None = None
    assumptions: bool = True
    calibration_groups: int = 5
    hosmer_lemeshow: bool = False
