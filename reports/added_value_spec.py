"""The section `[added_value]`: what each kind of table adds, model against model."""

from typing import Literal, Self

from pydantic import Field, model_validator

from models.predictors import matching
from reports.model_specs import ModelSpec, Policy
from reports.spec import Spec


class AddedValueSpec(Spec):
    """The section `[added_value]`: what each kind of table adds, model against model.

    `clinical`, `radiomics` and `molecular` each add a regression on these predictors alone, named
    `Clinical`, `Radiomics` and `Molecular`; two or more of them also `Combined`, on all of theirs.
    Every model of the study, and tumour volume alone, is then compared with `reference`.
    """

    clinical: list[str] = Field(default=[])
    radiomics: list[str] = Field(default=[])
    molecular: list[str] = Field(default=[])
    ridge: float | Literal["aic"] | dict[str, float | Literal["aic"]] | None = Field(
        default=None, description="of the added models, or of each by its name; as for [[models]]"
    )
    missing: Policy | None = Field(
        default=None, description="of the added models; as for [[models]]"
    )
    splines: dict[str, int | list[float]] = Field(
        default={}, description="of each added model that has the column"
    )
    nomograms: list[str] = Field(default=[], description="added models to draw a nomogram of")
    reference: str | None = Field(
        default=None, description="by default 'Clinical' where it is added, else the first model"
    )
    thresholds: list[float] | None = Field(
        default=None, description="of net benefit; by default each tenth within [report] thresholds"
    )
    reclassification: bool = Field(
        default=False, description="give NRI and IDI too, with their warning"
    )
    categories: list[float] = Field(
        default=[], description="risks at which categories part, for a category NRI"
    )

    @model_validator(mode="after")
    def _thresholds_rise(self) -> Self:
        levels = self.thresholds
        if levels is not None and not (
            levels and sorted(set(levels)) == levels and levels[0] > 0 and levels[-1] < 1
        ):
            raise ValueError(f"thresholds must rise between 0 and 1, but {levels} came")
        parts = self.categories
        if sorted(set(parts)) != parts or not all(0 < part < 1 for part in parts):
            raise ValueError(f"categories must rise between 0 and 1, but {parts} came")
        if parts and not self.reclassification:
            raise ValueError("categories are given, but reclassification = true is not: add it")
        return self

    @model_validator(mode="after")
    def _names_are_of_added_models(self) -> Self:
        names = list(self.blocks)
        by_name = self.ridge if isinstance(self.ridge, dict) else {}
        for key, given in (("nomograms", self.nomograms), ("ridge", list(by_name))):
            for name in given:
                if name not in names:
                    raise ValueError(
                        f"{key} must name models that this section adds, but {name!r} is none of "
                        f"{names}"
                    )
        ridges = by_name.values() if by_name else [self.ridge]
        if any(isinstance(ridge, int | float) and ridge < 0 for ridge in ridges):
            raise ValueError(f"ridge must not be negative, but {self.ridge} came")
        return self

    @property
    def blocks(self) -> dict[str, list[str]]:
        """Predictors of each model that the section adds, by its name."""
        kinds = ("clinical", "radiomics", "molecular")
        given = {kind.capitalize(): getattr(self, kind) for kind in kinds if getattr(self, kind)}
        if len(given) > 1:
            given["Combined"] = [name for predictors in given.values() for name in predictors]
        return given

    def models(self, kind: Literal["cox", "logistic"]) -> list[ModelSpec]:
        """Write the added models out, as `[[models]]` would."""
        return [
            ModelSpec(
                name=name,
                kind=kind,
                predictors=predictors,
                ridge=self.ridge.get(name) if isinstance(self.ridge, dict) else self.ridge,
                missing=self.missing,
                nomogram=name in self.nomograms,
                splines={
                    column: knots
                    for column, knots in self.splines.items()
                    if any(matching(predictor, [column]) for predictor in predictors)
                },
            )
            for name, predictors in self.blocks.items()
        ]
