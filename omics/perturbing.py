"""How a manifest is measured again where there is no second reader: on changed copies of masks.

What one person drew for several sequences is changed alike in all of them; every patient is changed
in another way. The tables that come of it stand for further readers (`omics.perturbation`).
"""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import Any

from omics.case import Case
from omics.checks import check_whole
from omics.perturbation import PerturbationSettings, perturbations

# about what readers of one lesion differ by, in mm, and no more
AS_READERS = PerturbationSettings(shift=1.0, grow=(-1.0, 1.0), contour=1.0)


@dataclass(frozen=True, kw_only=True)
class Perturbing:
    """How many copies of each mask are measured, and how they are changed.

    Attributes
    ----------
    n : int
        Copies of each region, at least 1.
    seed : int
    settings : PerturbationSettings
        By default a shift of 1 mm, growth of -1 to 1 mm and a contour moved by 1 mm (one standard
        deviation). With noise every copy has an image of its own in memory.

    Raises
    ------
    ValueError
        If `n` is below 1, the seed is no whole number, or nothing would be changed.

    Examples
    --------
    >>> Perturbing(n=2).text
    '{"n": 2, "seed": 0, "settings": {"contour": 1.0, "grow": [-1.0, 1.0], "noise": 0.0, ...
    """

    n: int
    seed: int = 0
    settings: PerturbationSettings = AS_READERS

    def __post_init__(self) -> None:
        check_whole(self.n, "n, the copies of each region,", least=1)
        check_whole(self.seed, "seed")
        amounts = self.settings
        if not isinstance(amounts, PerturbationSettings):
            raise TypeError(f"settings must be PerturbationSettings, but {amounts!r} came.")
        if not any((amounts.shift, *amounts.grow, amounts.contour, amounts.noise)):
            raise ValueError(
                "shift, grow, contour or noise must be above 0, but all are 0: the copies would be "
                "the masks as drawn, and every feature would repeat. State an amount."
            )

    @property
    def text(self) -> str:
        """Everything that changes a number, as JSON."""
        return json.dumps(asdict(self), sort_keys=True)

    def of(self, case: Case) -> "Perturbing":
        """Give the same with the seed of a case: one for all that a reader drew of a patient."""
        drawn = json.dumps([self.seed, case.patient, case.timepoint, case.reader])
        seed = int.from_bytes(hashlib.sha256(drawn.encode()).digest()[:4], "big")
        return replace(self, seed=seed)

    def copies(self, mask: Any, image: Any) -> list[tuple[Any, Any]]:
        """Give `n` changed copies of a mask, each with its image; empty where nothing is left."""
        return perturbations(mask, image, n=self.n, seed=self.seed, settings=self.settings)
