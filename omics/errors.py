"""Every error and warning category, and the finding: what a reader of the report must know."""

from dataclasses import dataclass
from typing import Literal


class StudyError(ValueError):
    """A mistake in a study file or its tables: the message names it, and the cure."""


class CaseError(ValueError):
    """The image or mask of one case cannot be used: the case is listed, the others go on."""


class FitError(ValueError):
    """A model cannot be fitted to these patients; in a resample it is counted, not fatal."""


class NomomicsWarning(UserWarning):
    """A result stands but needs care; every warning of ours also appears in the report."""


class ConvergenceWarning(NomomicsWarning):
    """An iterative fit stopped before it converged."""


class SmallViewWarning(NomomicsWarning):
    """A view has too few features for factors to be learnt from it."""


class ExtrapolationWarning(NomomicsWarning):
    """A prediction lies outside what the development patients covered."""


class NothingSelectedWarning(NomomicsWarning):
    """A penalised signature kept no feature: it gives every patient the same score."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing a reader of the report must know.

    Attributes
    ----------
    code : str
        Short stable name, such as `few_events`.
    severity : {"note", "caution", "serious"}
    where : str
        Table, column or model it concerns.
    message : str
        A full sentence for a clinician; holds no patient id.
    """

    code: str
    severity: Literal["note", "caution", "serious"]
    where: str
    message: str
