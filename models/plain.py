"""A fitted pipeline as plain data, and back: JSON for words, arrays for numbers, no code.

Only what stands in `ESTIMATORS` and `RECORDS` can be written or read, by name; their state is
numbers, text, None, lists, tuples, dicts, arrays, tables and, of boosted trees, XGBoost's own JSON.
Anything else is an error when it is written. What a fit keeps of its own patients is left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import numpy as np
import pandas as pd
import xgboost as xgb
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from models.axes import AxisGroup
from models.boosting import BoostedModel
from models.cox import CoxModel
from models.design import Design
from models.draws import DrawChain, DrawEquation, Variable
from models.imputation import Chain, Equation
from models.interactions import Interaction
from models.intervals import HazardSpread, StrataSpread
from models.logistic import LogisticModel
from models.named_columns import NamedColumns
from models.nomogram import Nomogram
from models.pipeline import RiskPipeline
from models.pipeline_parts import WithLearned
from models.pooled import PooledCox, PooledLogistic
from models.rounding import RoundingError
from models.rubin import Pooled
from models.signature import Signature
from models.terms import Term
from models.updated_model import Recalibration, UpdatedModel
from omics.covariates import Covariates
from omics.harmonise import ComBat
from omics.mofa import FactorModel
from omics.reliability import ReliabilityFilter

Arrays = dict[str, NDArray[Any]]

ESTIMATORS: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        *(RiskPipeline, WithLearned, Signature, ComBat),
        *(Design, CoxModel, LogisticModel, BoostedModel),
        *(PooledCox, PooledLogistic, UpdatedModel),
        *(ReliabilityFilter, NamedColumns),
    )
}
RECORDS: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        *(Term, Interaction, Chain, Equation),
        *(Nomogram, AxisGroup, RoundingError, HazardSpread, StrataSpread, Recalibration),
        *(Pooled, Variable, DrawEquation, DrawChain, Covariates),
    )
}
# what a fit keeps of its own patients, or what says nothing to a new one
NOT_KEPT = {
    "BoostedModel": {"inner_fold_", "unseen_margin_"},
    "Signature": {"cross_fitted_"},
    "ReliabilityFilter": {"reliability_"},
}
# parameters that scoring does without: what a step holds a fitted copy of, what it learned from
FORGOTTEN = {"WithLearned": {"step"}, "ReliabilityFilter": {"repeats"}}
INLINE = 100  # numbers up to which an array stands in the JSON, for the eye


@dataclass
class Writer:
    """Turns objects into JSON values; longer arrays go into `arrays`, by name.

    Attributes
    ----------
    left_out : frozenset of str
        Columns of the wide table that the pipeline does not need: they are forgotten.
    arrays : dict of ndarray
    """

    left_out: frozenset[str] = frozenset()
    arrays: Arrays = field(default_factory=dict)

    def write(self, value: object, where: str) -> Any:
        """Return `value` as JSON knows it.

        Parameters
        ----------
        value : object
        where : str
            How messages and arrays name it.

        Raises
        ------
        ValueError
            If the value, or a part of it, is nothing a passport may hold.
        """
        if value is None or isinstance(value, bool | np.bool_ | str | int | np.integer):
            return value.item() if isinstance(value, np.generic) else value
        if isinstance(value, float | np.floating):
            number = float(value)
            return number if np.isfinite(number) else {"type": "number", "value": str(number)}
        if isinstance(value, list | tuple | Mapping):
            return self._collection(value, where)
        if isinstance(value, np.ndarray | pd.DataFrame | pd.Series):
            return self._numbers(value, where)
        return self._object(value, where)

    def _collection(self, value: Any, where: str) -> Any:
        if isinstance(value, Mapping):
            entries = [
                [self.write(key, where), self.write(item, f"{where}.{key}")]
                for key, item in value.items()
            ]
            return {"type": "dict", "entries": entries}
        items = [self.write(item, f"{where}.{i}") for i, item in enumerate(value)]
        return items if isinstance(value, list) else {"type": "tuple", "items": items}

    def _numbers(self, value: Any, where: str) -> Any:
        if isinstance(value, pd.DataFrame):
            if not value.index.equals(pd.RangeIndex(len(value))):
                raise ValueError(f"{where} must have no row labels: they may be patients.")
            columns = [
                [str(name), self.write(column.to_numpy(), f"{where}.{name}")]
                for name, column in value.items()
            ]
            return {"type": "table", "columns": columns}
        if isinstance(value, pd.Series):
            labels = [str(label) for label in value.index]
            values = self.write(value.to_numpy(), where)
            return {"type": "series", "name": value.name, "labels": labels, "values": values}
        if value.dtype.kind == "O":
            return {"type": "objects", "items": self.write(value.tolist(), where)}
        if value.dtype.kind not in "biuf":
            raise ValueError(f"{where} must be numbers, but is an array of {value.dtype}.")
        if value.ndim == 1 and len(value) <= INLINE and np.isfinite(value).all():
            return {"type": "array", "dtype": value.dtype.str, "values": value.tolist()}
        name = f"array_{len(self.arrays)}"
        self.arrays[name] = np.ascontiguousarray(value)
        return {"type": "array", "name": name, "what": where}

    def _object(self, value: object, where: str) -> Any:
        name = type(value).__name__
        if isinstance(value, FactorModel):
            document, arrays = value.plain()
            return {
                "type": "factor model",
                "document": self.write(self._narrowed(document), where),
                "arrays": {key: self.write(a, f"{where}.{key}") for key, a in arrays.items()},
            }
        if isinstance(value, xgb.Booster):
            text = np.frombuffer(bytes(value.save_raw("json")), dtype=np.uint8)
            self.arrays[array := f"array_{len(self.arrays)}"] = text
            return {"type": "trees", "name": array, "what": f"{where}: XGBoost's JSON as bytes"}
        if is_dataclass(value) and RECORDS.get(name) is type(value):
            parts = {f.name: self.write(getattr(value, f.name), where) for f in fields(value)}
            return {"type": "record", "class": name, "fields": parts}
        if isinstance(value, BaseEstimator) and ESTIMATORS.get(name) is type(value):
            return self._estimator(value, name, where)
        raise ValueError(
            f"{where} must be plain data to stand in a passport, but it is a {name}. Use the "
            "models and steps of this program, unchanged."
        )

    def _estimator(self, value: Any, name: str, where: str) -> Any:
        parameters = value.get_params(deep=False)
        parameters |= dict.fromkeys(FORGOTTEN.get(name, ()))
        kept = {
            key: item
            for key, item in vars(value).items()
            if key not in parameters and key not in NOT_KEPT.get(name, ())
        }
        return {
            "type": "estimator",
            "class": name,
            "parameters": {k: self.write(v, f"{where}.{k}") for k, v in parameters.items()},
            "state": {k: self.write(v, f"{where}.{k}") for k, v in self._narrowed(kept).items()},
        }

    def _narrowed(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """Forget columns of the wide table that are not needed."""
        new = dict(state)
        for names_key, count_key in (
            ("feature_names_in_", "n_features_in_"),
            ("feature_names_in", "n_features_in"),
        ):
            names = new.get(names_key)
            if names is not None:
                kept = [str(name) for name in names if name not in self.left_out]
                as_list = isinstance(names, list)
                new[names_key] = kept if as_list else np.array(kept, dtype=object)
                new[count_key] = len(kept)
                if "positions" in new:
                    new["positions"] = [kept.index(name) for name in new["features"]]
        return new


def read_plain(value: Any, arrays: Mapping[str, NDArray[Any]]) -> Any:
    """Build the object that `Writer.write` wrote; only known classes are built, no code is run.

    Raises
    ------
    ValueError, KeyError, TypeError
        If the value is none that `Writer` writes.
    """
    if isinstance(value, list):
        return [read_plain(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    match value["type"]:
        case "number":
            return float(value["value"])
        case "tuple":
            return tuple(read_plain(value["items"], arrays))
        case "dict":
            return {key: read_plain(item, arrays) for key, item in value["entries"]}
        case "objects":
            return np.array([read_plain(item, arrays) for item in value["items"]], dtype=object)
        case "array":
            return _read_array(value, arrays)
        case "table":
            columns = {name: read_plain(column, arrays) for name, column in value["columns"]}
            return pd.DataFrame(columns)
        case "series":
            values = read_plain(value["values"], arrays)
            return pd.Series(values, index=value["labels"], name=value["name"])
        case _:
            return _read_object(value, arrays)


def _read_array(value: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    if "name" in value:
        return arrays[value["name"]]
    return np.array(value["values"], dtype=np.dtype(value["dtype"]))


def _read_object(value: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Any:
    match value["type"]:
        case "factor model":
            stored = {name: read_plain(item, arrays) for name, item in value["arrays"].items()}
            return FactorModel.from_plain(read_plain(value["document"], arrays), stored)
        case "trees":
            booster = xgb.Booster({"nthread": 1})
            booster.load_model(bytearray(arrays[value["name"]].tobytes()))
            return booster
        case "record":
            parts = {name: read_plain(item, arrays) for name, item in value["fields"].items()}
            return RECORDS[value["class"]](**parts)
        case "estimator":
            return _read_estimator(value, arrays)
        case other:
            raise ValueError(f"{other!r} is no type of value that a passport holds")


def _read_estimator(value: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Any:
    kind = ESTIMATORS[value["class"]]
    parameters = {name: read_plain(item, arrays) for name, item in value["parameters"].items()}
    made = kind(**_as_pairs(parameters))
    for name, item in value["state"].items():
        if hasattr(kind, name):
            raise ValueError(f"{name!r} is no state of a {kind.__name__}")
        setattr(made, name, read_plain(item, arrays))
    return made


def _as_pairs(parameters: dict[str, Any]) -> dict[str, Any]:
    """Make the steps of a pipeline pairs again."""
    return {
        name: [tuple(pair) for pair in item] if name == "steps" else item
        for name, item in parameters.items()
    }
