"""From the files of one case to its features: read, prepare, draw rings, extract, region by region.

What cannot be used is told with its reason, and ends this region or this case alone: a patient
whose tumour has no enhancing part still has a whole tumour.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from omics.case import Case
from omics.errors import CaseError
from omics.extraction_settings import ExtractionSettings
from omics.extras import needed
from omics.image_steps import ImageSteps, prepare
from omics.images import read_image
from omics.masks import check_region, read_brain_mask, read_masks
from omics.native import in_words
from omics.parallel import Arrays
from omics.perturbing import Perturbing
from omics.preview import Preview, preview
from omics.rings import ring, ring_name

Masks: TypeAlias = dict[str, Any]  # SimpleITK images by region
Row: TypeAlias = tuple[list[float], int]  # features and voxels
Reasons: TypeAlias = dict[str, str]  # by region; "" is the whole case
_UNION = re.compile(r"\d+(\+\d+)+")


def case_features(
    case: Case, settings: ExtractionSettings, perturbing: Perturbing | None = None
) -> Arrays:
    """Extract every region of a case.

    Parameters
    ----------
    case : Case
    settings : ExtractionSettings
    perturbing : Perturbing, optional
        Measures every region on changed copies of its mask, too.

    Returns
    -------
    dict of arrays, ready to be kept in a file
        `regions`, and row by row `values` (n_regions, n_features) and `voxels`; `spacing` (3,) in
        mm, NaN where no image could be read; `failed` regions and their `reasons`, with "" for the
        whole case; of a case that could be shown `grey`, `mask`, `shown` and `slice`, and `joined`
        and `absent`, the labels of unions and those of them that the mask lacks; of copy 1
        `1.regions`, `1.values` and `1.voxels`, and the regions and copies that were `lost`, and
        `why_lost`.
    """
    try:
        with _one_thread():
            return _extracted(case, settings, perturbing)
    # a damaged file may ask for more memory than there is, and SimpleITK raises RuntimeError over
    # a geometry it cannot work with: the case's fault, not the run's
    except (CaseError, OSError, MemoryError, RuntimeError) as error:
        return _arrays({}, failed={"": _reason(error)})


def preview_of(arrays: Arrays) -> Preview | None:
    """Return the preview of a case, or None if it could not be shown."""
    if "grey" not in arrays:
        return None
    return Preview(
        grey=arrays["grey"],
        mask=arrays["mask"],
        regions=tuple(str(name) for name in arrays["shown"]),
        slice=int(arrays["slice"]),
    )


def copy_of(arrays: Arrays, number: int) -> Arrays:
    """Return what was measured on a changed copy; nothing of a case that could not be read."""
    names, nothing = ("regions", "values", "voxels"), _measured({})
    return {name: arrays.get(f"{number}.{name}", nothing[name]) for name in names}


def _extracted(case: Case, settings: ExtractionSettings, perturbing: Perturbing | None) -> Arrays:
    image = read_image(case.image)
    regions, failed = _read_regions(case, image, settings.steps)
    brain = _brain_mask(case, image, settings.steps)
    image = prepare(image, brain_mask=brain, steps=settings.steps)
    rings, without_ring = _rings(regions, brain, settings.steps)
    rows, without_features = _rows(image, regions | rings, settings)
    failed |= without_ring | without_features
    copies: Arrays = {}
    if perturbing is not None:
        measured = partial(_rows_with_rings, brain=brain, settings=settings)
        copies = _copies(image, regions, perturbing.of(case), measured, failed=failed)
    seen = preview(image, regions | rings)
    return (
        _arrays(rows, failed=failed)
        | copies
        | {
            "spacing": np.array(image.GetSpacing()),
            "grey": seen.grey,
            "mask": seen.mask,
            "shown": np.array(seen.regions, dtype=np.str_),
            "slice": np.array(seen.slice),
            **_unions(case, image, settings.steps),
        }
    )


def _each(work: dict[str, Callable[[], Any]]) -> tuple[dict[str, Any], Reasons]:
    """Do the work of every region; of those that cannot be used give the reason."""
    done, failed = {}, {}
    for region, task in work.items():
        try:
            done[region] = task()
        except (CaseError, MemoryError, RuntimeError) as error:
            failed[region] = _reason(error)
    return done, failed


def _read_regions(case: Case, image: Any, steps: ImageSteps) -> tuple[Masks, Reasons]:
    """Read the regions asked for, by name; if one is not there, the others nevertheless."""
    found, failed = _read_labels(case, image, steps)
    regions = {case.name_of(label): mask for label, mask in found.items()}
    return regions, {case.name_of(label): reason for label, reason in failed.items()}


def _read_labels(case: Case, image: Any, steps: ImageSteps) -> tuple[Masks, Reasons]:
    read = partial(read_masks, case.mask, image=image, resample=steps.resample_mask)
    try:
        return read(case.labels), {}
    except CaseError:
        if len(case.labels) < 2:
            raise
    parts, failed = _each({label: partial(read, (label,)) for label in case.labels})
    if not parts and len(set(failed.values())) == 1:
        raise CaseError(failed[case.labels[0]])  # no fault of the labels: told once
    if not parts:
        raise CaseError(" ".join(f"{label}: {reason}" for label, reason in failed.items()))
    return {name: mask for found in parts.values() for name, mask in found.items()}, failed


def _unions(case: Case, image: Any, steps: ImageSteps) -> Arrays:
    """Say which labels of unions this mask lacks: a union is made of those that are there."""
    unions = [label for label in case.labels if _UNION.fullmatch(label)]
    parts = tuple(dict.fromkeys(part for label in unions for part in label.split("+")))
    read = partial(read_masks, case.mask, image=image, resample=steps.resample_mask)
    absent: Reasons = {}
    if parts:
        try:
            read(parts)
        except CaseError:
            _, absent = _each({part: partial(read, (part,)) for part in parts})
    return {
        "joined": np.array(parts, dtype=np.str_),
        "absent": np.array(list(absent), dtype=np.str_),
    }


def _brain_mask(case: Case, image: Any, steps: ImageSteps) -> Any | None:
    if case.brain_mask is None:
        return None
    return read_brain_mask(case.brain_mask, image=image, resample=steps.resample_mask)


def _rings(regions: Masks, brain: Any | None, steps: ImageSteps) -> tuple[Masks, Reasons]:
    return _each(
        {
            ring_name(name, inner, outer): partial(
                ring, mask, inner=inner, outer=outer, brain_mask=brain
            )
            for name, mask in regions.items()
            for inner, outer in steps.rings
        }
    )


def _rows(
    image: Any, regions: Masks, settings: ExtractionSettings
) -> tuple[dict[str, Row], Reasons]:
    return _each(
        {name: partial(_row, image, mask, name, settings) for name, mask in regions.items()}
    )


def _rows_with_rings(
    image: Any, regions: Masks, *, brain: Any | None, settings: ExtractionSettings
) -> tuple[dict[str, Row], Reasons]:
    rings, without_ring = _rings(regions, brain, settings.steps)
    rows, without_features = _rows(image, regions | rings, settings)
    return rows, without_ring | without_features


def _copies(
    image: Any,
    regions: Masks,
    perturbing: Perturbing,
    measured: Callable[..., Any],
    *,
    failed: Reasons,
) -> Arrays:
    """Measure every region on changed copies of its mask, and the rings around them.

    A copy that cannot be measured is no fault of the case: it is told apart, unless the region as
    drawn has `failed` already.
    """
    rows: list[dict[str, Row]] = [{} for _ in range(perturbing.n)]
    lost: Reasons = {}
    for name, mask in regions.items():  # one by one: copies of all regions need much memory
        for number, (changed, grey) in enumerate(perturbing.copies(mask, image)):
            found, without = measured(grey, {name: changed})
            rows[number] |= found
            lost |= {
                f"{one}, copy {number + 1}": reason
                for one, reason in without.items()
                if one not in failed
            }
    arrays = [_measured(one, prefix=f"{number}.") for number, one in enumerate(rows, start=1)]
    return {name: array for part in arrays for name, array in part.items()} | {
        "lost": np.array(list(lost), dtype=np.str_),
        "why_lost": np.array(list(lost.values()), dtype=np.str_),
    }


def _row(image: Any, mask: Any, name: str, settings: ExtractionSettings) -> Row:
    """Return the features of a region, and its voxels."""
    from omics.pyradiomics_engine import extract_region

    check_region(mask, name=name, flat=bool(settings.setting.get("force2D")))
    values = extract_region(image, mask, settings)
    voxels = needed("SimpleITK").GetArrayViewFromImage(mask)
    return list(values.values()), int(np.count_nonzero(voxels))


def _measured(rows: dict[str, Row], *, prefix: str = "") -> Arrays:
    return {
        f"{prefix}regions": np.array(list(rows), dtype=np.str_),
        f"{prefix}values": np.array([values for values, _ in rows.values()], dtype=np.float64),
        f"{prefix}voxels": np.array([voxels for _, voxels in rows.values()], dtype=np.int64),
    }


def _arrays(rows: dict[str, Row], *, failed: Reasons) -> Arrays:
    return _measured(rows) | {
        "spacing": np.full(3, np.nan),
        "failed": np.array(list(failed), dtype=np.str_),
        "reasons": np.array(list(failed.values()), dtype=np.str_),
    }


def _reason(error: Exception) -> str:
    """Say in a full sentence why a case cannot be used."""
    if isinstance(error, MemoryError):
        return "there is not enough memory for this image. Use fewer processes, or crop it."
    if isinstance(error, RuntimeError):
        return (
            f"the image or mask cannot be worked on ({in_words(str(error))}). Look at its size and "
            "spacing."
        )
    return " ".join(str(error).split()) or type(error).__name__


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let SimpleITK use one thread: the cases run side by side already."""
    sitk = needed("SimpleITK")
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)
