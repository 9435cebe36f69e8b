"""What scikit-learn asks of an estimator before `fit`, for those that cannot take its outcomes."""

from sklearn.base import BaseEstimator
from sklearn.utils import estimator_checks

MANNERS = (
    estimator_checks.check_no_attributes_set_in_init,
    estimator_checks.check_parameters_default_constructible,
    estimator_checks.check_get_params_invariance,
    estimator_checks.check_set_params,
    estimator_checks.check_estimator_cloneable,
    estimator_checks.check_estimator_repr,
)


def check_manners(estimator: BaseEstimator) -> None:
    """Run the checks that do not call `fit` with an outcome of their own."""
    for check in MANNERS:
        check(type(estimator).__name__, estimator)
