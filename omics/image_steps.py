r"""What is done to an image before features are computed: bias correction, then z-scores.

N4 divides the image by the smooth field :math:`b` that a coil lays on it,

.. math::

    v(x) = u(x) \, e^{\log b(x)} + n(x)

learnt on a grid of about 4 mm and applied to every voxel; the z-score is
:math:`(v - \bar v) / s` with the mean and the standard deviation (1/n) of the voxels of the brain
mask, or of all voxels. Both change absolute numbers: CT, whose numbers have a unit, needs neither.

References
----------
Tustison NJ, et al. N4ITK: improved N3 bias correction. IEEE TMI 2010;29:1310-1320.
doi:10.1109/TMI.2010.2046908
Carré A, et al. Standardization of brain MR images across machines and protocols: bridging the gap
for MRI-based radiomics. Scientific Reports 2020;10:12340. doi:10.1038/s41598-020-69298-z
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np

from omics.errors import CaseError
from omics.extras import needed
from omics.geometry import grid_text, same_grid

if TYPE_CHECKING:
    import SimpleITK as sitk

ZScore: TypeAlias = Literal["none", "brain", "image"]

_N4_GRID = 4.0  # mm: the field is smooth, and learning it voxel by voxel takes minutes
_N4_ITERATIONS = (50, 50, 50, 50)
_N4_CONVERGENCE = 1e-3
_FEWEST = 8  # voxels along an axis that thinning leaves
_UNKNOWNS = 64  # 4 x 4 x 4 control points of the coarsest field: fewer voxels do not determine it


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
        of all voxels, background included.
    resample_mask : bool
        Lay a mask of another geometry on the image's grid (nearest neighbour) instead of refusing.
    rings : tuple of (float, float)
        From and to, in mm, of the rings around each region.

    Raises
    ------
    ValueError
        If `z_score` is another word, or a ring does not go outwards from 0 mm or more to a
        finite distance.

    Examples
    --------
    >>> ImageSteps(z_score="brain").recorded["z_score"]
    'brain'
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
        wrong = [
            ring for ring in self.rings if len(ring) != 2 or not 0 <= ring[0] < ring[1] < math.inf
        ]
        if wrong:
            raise ValueError(
                "rings must go outwards from 0 mm or more to a finite distance, but "
                f"{len(wrong)} of {len(self.rings)} do not (first: {wrong[0]}). State each as "
                "[from, to], such as [0, 5]."
            )

    @property
    def recorded(self) -> dict[str, Any]:
        """Everything of the steps that changes a number, ready for JSON."""
        bias = {
            "grid_mm": _N4_GRID,
            "iterations": list(_N4_ITERATIONS),
            "convergence": _N4_CONVERGENCE,
        }
        return {
            "n4": bias if self.n4 else False,
            "z_score": self.z_score,
            "resample_mask": self.resample_mask,
            "rings": [[float(edge) for edge in ring] for ring in self.rings],
        }


def prepare(
    image: "sitk.Image", *, brain_mask: "sitk.Image | None", steps: ImageSteps
) -> "sitk.Image":
    """Correct the bias field of an image, then make z-scores of it, as asked.

    Parameters
    ----------
    image : SimpleITK.Image
    brain_mask : SimpleITK.Image or None
        0 and 1, on the grid of the image.
    steps : ImageSteps

    Returns
    -------
    SimpleITK.Image
        64-bit floats if a step was taken, else the image itself.

    Raises
    ------
    CaseError
        If z-scores inside the brain are asked for without a brain mask, the mask is empty or on
        another grid, its voxels are all alike, or N4 finds no value above 0, one slice only, or
        fewer voxels to learn from than its field has unknowns.
    """
    if steps.z_score == "brain" and brain_mask is None:
        raise CaseError(
            "brain_mask must be stated for z-scores inside the brain, but is blank. Fill the "
            "column brain_mask of the manifest, or set z_score to image."
        )
    if brain_mask is not None:
        _check_brain(brain_mask, image)
    if steps.n4:
        image = _unbiased(image, brain_mask)
    if steps.z_score != "none":
        image = _z_scored(image, brain_mask if steps.z_score == "brain" else None)
    return image


def _check_brain(brain_mask: "sitk.Image", image: "sitk.Image") -> None:
    if not same_grid(image, brain_mask):
        raise CaseError(
            f"brain_mask must lie on the grid of its image, but the image has {grid_text(image)}, "
            f"and the brain mask {grid_text(brain_mask)}. Correct the manifest."
        )
    if not (needed("SimpleITK").GetArrayViewFromImage(brain_mask) > 0).any():
        raise CaseError("brain_mask must hold the brain, but is empty. Draw it anew.")


def _unbiased(image: "sitk.Image", brain_mask: "sitk.Image | None") -> "sitk.Image":
    """Divide by the bias field of N4, on one thread: sums of several differ from run to run."""
    sitk = needed("SimpleITK")
    if min(image.GetSize()) < 2:
        raise CaseError(
            "image must have several slices along every axis for N4, but has "
            f"{' x '.join(map(str, image.GetSize()))} voxels. Set n4 to false, or take the image "
            "out."
        )
    image = sitk.Cast(image, sitk.sitkFloat64)
    inside = sitk.OtsuThreshold(image, 0, 1) if brain_mask is None else brain_mask > 0
    inside.CopyInformation(image)
    positive = sitk.GetArrayViewFromImage(image)[sitk.GetArrayViewFromImage(inside) > 0] > 0
    if not positive.any():
        raise CaseError(
            "image must hold values above 0 inside the brain for N4, but holds none. Set n4 to "
            "false: z-scores and CT need no correction of a coil's bias."
        )
    thinning = _thinning(image)
    correction = sitk.N4BiasFieldCorrectionImageFilter()
    correction.SetMaximumNumberOfIterations(_N4_ITERATIONS)
    correction.SetConvergenceThreshold(_N4_CONVERGENCE)
    correction.SetNumberOfThreads(1)
    thin, where = sitk.Shrink(image, thinning), sitk.Shrink(inside, thinning)
    _check_enough(thin, where, what="Otsu's foreground" if brain_mask is None else "brain_mask")
    correction.Execute(thin, where)
    return image / sitk.Exp(sitk.Cast(correction.GetLogBiasFieldAsImage(image), sitk.sitkFloat64))


def _check_enough(image: "sitk.Image", inside: "sitk.Image", *, what: str) -> None:
    """Refuse what N4 cannot learn from: it would change nothing, or make a field of chance."""
    sitk = needed("SimpleITK")
    learnt = (sitk.GetArrayViewFromImage(inside) > 0) & (sitk.GetArrayViewFromImage(image) > 0)
    found = int(np.count_nonzero(learnt))
    if found < _UNKNOWNS:
        raise CaseError(
            f"{what} must hold at least {_UNKNOWNS} voxels above 0 on N4's grid of about "
            f"{_N4_GRID:g} mm, but holds {found}: too few to learn a bias field from. Draw the "
            "whole brain, or set n4 to false."
        )


def _thinning(image: "sitk.Image") -> list[int]:
    """Return the factor of each axis that leads to voxels of about 4 mm, but not to too few."""
    return [
        max(1, min(int(_N4_GRID / spacing + 0.5), size // _FEWEST))
        for spacing, size in zip(image.GetSpacing(), image.GetSize(), strict=True)
    ]


def _z_scored(image: "sitk.Image", brain_mask: "sitk.Image | None") -> "sitk.Image":
    sitk = needed("SimpleITK")
    values = sitk.GetArrayFromImage(image).astype(np.float64)
    counted = values if brain_mask is None else values[sitk.GetArrayViewFromImage(brain_mask) > 0]
    spread = float(counted.std())
    if spread == 0:
        where = "the image" if brain_mask is None else "the brain mask"
        raise CaseError(
            f"image must hold different values for z-scores, but all {counted.size} voxels of "
            f"{where} are {counted.flat[0]:g}. Correct the manifest."
        )
    scored = sitk.GetImageFromArray((values - float(counted.mean())) / spread)
    scored.CopyInformation(image)
    return scored
