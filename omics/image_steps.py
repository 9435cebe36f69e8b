"""What is done to an image before features are computed: bias correction, then z-scores."""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

ZScore: TypeAlias = Literal["none", "brain", "image"]


@dataclass(frozen=True, kw_only=True)
class ImageSteps:
    """The steps between reading a case and computing its features, in this order.

    Attributes
    ----------
    n4 : bool
        N4 bias field correction, with the field learnt inside the brain mask or, without one,
        inside Otsu's foreground.
    z_score : {"none", "brain", "image"}
        Subtract the mean and divide by the standard deviation of the voxels of the brain mask, or
        of all voxels.
    resample_mask : bool
        Lay a mask of another geometry on the image's grid (nearest neighbour) instead of refusing.
    rings : tuple of (float, float)
        From and to, in mm, of the rings around each region.

    Raises
    ------
    ValueError
        If `z_score` is another word, or a ring does not go outwards from 0 mm or more.
    """

    n4: bool = False
    z_score: ZScore = "none"
    resample_mask: bool = False
    rings: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        if self.z_score not in get_args(ZScore):
            raise ValueError(
                f"z_score must be one of {', '.join(get_args(ZScore))}, but is {self.z_score!r}."
            )
        wrong = [ring for ring in self.rings if len(ring) != 2 or not 0 <= ring[0] < ring[1]]
        if wrong:
            raise ValueError(
                f"rings must go outwards from 0 mm or more, but {len(wrong)} of {len(self.rings)} "
                f"do not (first: {wrong[0]}). State each as [from, to], such as [0, 5]."
            )

    @property
    def recorded(self) -> dict[str, Any]:
        """Everything of the steps that changes a number, ready for JSON."""
        return {
            "n4": self.n4,
            "z_score": self.z_score,
            "resample_mask": self.resample_mask,
            "rings": [list(ring) for ring in self.rings],
        }
