"""On which mask are habitats, or lesions one by one, measured? Masks and their manifest, written.

A manifest names the sequences of each patient and one mask for all of them. From it come the scans
that habitats are learnt from, one patient at a time; then a mask per patient whose labels are the
habitats, or the lesions, and a manifest with a row for each sequence, ready for the command. New
patients, of any hospital, go the same way with habitats that were read from a file.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from omics.case import PLACE, Case
from omics.errors import CaseError, StudyError
from omics.extras import needed
from omics.habitat_voxels import Scan
from omics.habitats import Habitats
from omics.image_steps import ImageSteps, prepare
from omics.images import read_image
from omics.lesions import lesions
from omics.masks import read_brain_mask, read_masks
from omics.messages import number_of, quoted

Drawing: TypeAlias = tuple[Case, ...]  # the cases of one mask: the sequences of a patient's scan
AS_IT_IS = ImageSteps()


@dataclass(frozen=True, eq=False, kw_only=True)
class RegionMasks:
    """Masks that were written, and the manifest that names them.

    Attributes
    ----------
    manifest : Path
        For `nomomics extract`.
    table : DataFrame, one row per case that is in it
        Its columns; `label` and `region` hold what that patient has.
    failed : DataFrame, one row per mask that could not be used
        `patient`, `timepoint`, `reader` and `reason`; they are not in the manifest.
    """

    manifest: Path
    table: pd.DataFrame
    failed: pd.DataFrame

    def __repr__(self) -> str:
        failed = f", {len(self.failed)} failed" if len(self.failed) else ""
        masks = number_of(self.table["mask"].nunique(), "mask")
        return f"RegionMasks({masks} of {number_of(len(self.table), 'case')}{failed})"


def manifest_scans(
    cases: Iterable[Case], *, steps: ImageSteps = AS_IT_IS
) -> Iterator[tuple[str, Scan]]:
    """Read the scans that habitats are learnt from, one patient at a time.

    Parameters
    ----------
    cases : iterable of Case
        As `omics.manifest.read_manifest` gives them; of each patient one timepoint and reader, and
        for every sequence one case with the same mask and region (`1+2+4` is one).
    steps : ImageSteps
        What is done to every image first; habitats need values that patients have in common, such
        as `ImageSteps(z_score="brain")`.

    Yields
    ------
    patient : str
    scan : Scan

    Raises
    ------
    StudyError
        If sequences of one scan are named twice or not at all, or differ in mask or region.
    CaseError
        If an image or a mask cannot be used; the row of the manifest is named.
    """
    for drawing in _drawings(cases, one_mask=True):
        yield drawing[0].patient, _scan(drawing, steps)


def write_habitats(
    habitats: Habitats, cases: Iterable[Case], folder: str | Path, *, steps: ImageSteps = AS_IT_IS
) -> RegionMasks:
    """Write a mask of habitats for every scan, and a manifest of all its sequences.

    Parameters
    ----------
    habitats : Habitats
        Fitted, or loaded.
    cases : iterable of Case
        As for `manifest_scans`, but any timepoints and readers, and any patients.
    folder : str or Path
        New or empty.
    steps : ImageSteps
        As when the habitats were learnt.

    Returns
    -------
    RegionMasks
        Labels are the habitats, named `habitat 1`, ... in the table that is extracted. One that a
        patient has not is not asked for.

    Raises
    ------
    StudyError
        If the folder holds files or cannot be written to, or as `manifest_scans`.
    """
    drawings = _drawings(cases, one_mask=True)
    return _write(
        drawings, folder, what="habitat", draw=lambda drawing: habitats.label(_scan(drawing, steps))
    )


def write_lesions(
    cases: Iterable[Case],
    folder: str | Path,
    *,
    smallest: float = 0.0,
    touching: Literal["faces", "corners"] = "corners",
    resample: bool = False,
) -> RegionMasks:
    """Write a mask for every mask of a manifest in which each lesion has a label of its own.

    Parameters
    ----------
    cases : iterable of Case
        Of each one region (`1+2+4` is one).
    folder : str or Path
        New or empty.
    smallest, touching
        As in `omics.lesions.lesions`.
    resample : bool
        Lay masks of another geometry on the image's grid.

    Returns
    -------
    RegionMasks
        Labels are the lesions, the largest first, named `lesion 1`, ... in the table.

    Raises
    ------
    StudyError
        If a case asks for several regions, or the folder holds files or cannot be written to.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import SimpleITK as sitk
    >>> with TemporaryDirectory() as here:
    ...     image, mask = Path(here) / "image.nii.gz", Path(here) / "mask.nii.gz"
    ...     grey, drawn = np.arange(108.0).reshape(3, 4, 9), np.zeros((3, 4, 9), dtype=np.uint8)
    ...     drawn[1, 1:3, [1, 2, 3, 6, 7]] = 1
    ...     sitk.WriteImage(sitk.GetImageFromArray(grey), str(image))
    ...     sitk.WriteImage(sitk.GetImageFromArray(drawn), str(mask))
    ...     case = Case(patient="P1", image=image, mask=mask, row=1)
    ...     found = write_lesions([case], f"{here}/new")
    >>> found
    RegionMasks(1 mask of 1 case)
    >>> found.table[["label", "region"]].values.tolist()
    [['1;2', 'lesion 1;lesion 2']]
    """

    def draw(drawing: Drawing) -> Any:
        mask = _region(drawing[0], read_image(drawing[0].image), resample=resample)
        return lesions(mask, smallest=smallest, touching=touching).labels

    return _write(_drawings(cases, one_mask=False), folder, what="lesion", draw=draw)


def _drawings(cases: Iterable[Case], *, one_mask: bool) -> list[Drawing]:
    """Put the cases of one mask together; or, with `one_mask`, those of one scan."""
    found: dict[tuple[object, ...], list[Case]] = {}
    for case in cases:
        if len(case.labels) > 1:
            raise StudyError(
                f"row {case.row} of the manifest must ask for one region, but asks for "
                f"{quoted(case.labels)}. Choose one; a union, such as 1+2+4, is one."
            )
        scan = (case.patient, case.timepoint, case.reader)
        mask = () if one_mask else (case.mask, case.labels)
        found.setdefault((*scan, *mask), []).append(case)
    if not found:
        raise StudyError("cases must hold at least one case, but there is none.")
    drawings = [tuple(together) for together in found.values()]
    if one_mask:
        for drawing in drawings:
            _check_scan(drawing)
    return drawings


def _check_scan(drawing: Drawing) -> None:
    rows = ", ".join(str(case.row) for case in drawing)
    sequences = [case.sequence for case in drawing]
    if len(set(sequences)) < len(sequences) or (len(sequences) > 1 and "" in sequences):
        raise StudyError(
            f"sequences of one scan must have names of their own, but rows {rows} of the manifest "
            f"have {quoted(sequences)}. Fill the column sequence, or tell timepoints and readers "
            "apart."
        )
    if len({(case.mask, case.labels) for case in drawing}) > 1:
        raise StudyError(
            f"sequences of one scan must have one mask and region in common, but rows {rows} of "
            "the manifest differ in them. Habitats are of one region: choose one."
        )


def _scan(drawing: Drawing, steps: ImageSteps) -> Scan:
    images = {}
    mask = None
    for case in drawing:
        with_row = f"row {case.row} of the manifest"
        try:
            image = read_image(case.image)
            brain = None
            if case.brain_mask is not None:
                brain = read_brain_mask(case.brain_mask, image=image, resample=steps.resample_mask)
            if mask is None:
                mask = _region(case, image, resample=steps.resample_mask)
            images[case.sequence or "image"] = prepare(image, brain_mask=brain, steps=steps)
        except CaseError as error:
            raise CaseError(f"{with_row}: {error}") from error
    return Scan(images=images, mask=mask)


def _region(case: Case, image: Any, *, resample: bool) -> Any:
    (mask,) = read_masks(case.mask, case.labels, image=image, resample=resample).values()
    return mask


def _write(
    drawings: Sequence[Drawing], folder: str | Path, *, what: str, draw: Callable[[Drawing], Any]
) -> RegionMasks:
    place = _new_folder(Path(folder))
    rows: list[dict[str, str]] = []
    failed: list[tuple[str, str, str, str]] = []
    for number, drawing in enumerate(drawings, start=1):
        # one word with the number: an id of the manifest must not seem to stand in it
        path = place / f"{what}s{number}.nii.gz"
        try:
            labels = _saved(draw(drawing), path)
        except CaseError as error:
            first = drawing[0]
            failed.append((first.patient, first.timepoint, first.reader, str(error)))
            continue
        rows += map(partial(_row, mask=path, labels=labels, what=what), drawing)
    if not rows:
        raise StudyError(f"no mask could be used of {len(drawings)} (first: {failed[0][3]})")
    table = pd.DataFrame(rows)
    table = table.loc[:, (table != "").any()]
    manifest = place / f"{what}s.csv"
    table.to_csv(manifest, index=False)
    return RegionMasks(
        manifest=manifest,
        table=table,
        failed=pd.DataFrame(failed, columns=["patient", "timepoint", "reader", "reason"]),
    )


def _row(case: Case, *, mask: Path, labels: Sequence[int], what: str) -> dict[str, str]:
    brain = "" if case.brain_mask is None else str(case.brain_mask.absolute())
    return {
        **{column: getattr(case, column) for column in PLACE},
        "image": str(case.image.absolute()),
        "mask": str(mask),
        "label": ";".join(map(str, labels)),
        "region": ";".join(f"{what} {label}" for label in labels),
        "brain_mask": brain,
    }


def _new_folder(folder: Path) -> Path:
    place = folder.absolute()
    try:
        place.mkdir(parents=True, exist_ok=True)
        here = sorted(path.name for path in place.iterdir())
    except OSError as error:
        raise StudyError(f"folder {folder} cannot be made: {error.strerror}.") from error
    if here:
        raise StudyError(
            f"folder must be new or empty, but {folder} holds {number_of(len(here), 'file')} "
            f"({quoted(here, limit=2)}). Choose another."
        )
    return place


def _saved(labels: Any, path: Path) -> list[int]:
    """Write a mask; return the labels that are in it."""
    sitk = needed("SimpleITK")
    there = np.unique(sitk.GetArrayViewFromImage(labels))
    try:
        sitk.WriteImage(labels, str(path))
    except RuntimeError as error:
        reason = str(error).strip().rpartition("\n")[2]
        raise StudyError(f"the mask {path} cannot be written: {reason}") from error
    return [int(label) for label in there if label]
