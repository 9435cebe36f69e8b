r"""Which parts of a tumour look alike on several sequences: habitats, learnt once, applied to all.

Voxels of the development patients are pooled, the same number of each, and every sequence is scaled
robustly,

.. math::

    z = (x - \mathrm{median}) \big/ (\mathrm{IQR} / 1.349)

k-means then finds `n_habitats` centres. A voxel of any patient belongs to the nearest centre, which
depends on that voxel alone. Habitats are numbered by the rising centre of the first sequence, so
that their numbers mean the same however k-means called them. Intensities must be comparable between
patients before (z-scored MRI, Hounsfield units): a shifted scanner shifts its patients' habitats.

Habitats are learnt from images, before a study's folds are drawn: fitted on all development
patients, they have seen the voxels (never the outcome) of those whom cross-validation then holds
out. External validation is untouched; where internal validation decides, fit on other patients.

`omics.region_masks` reads the scans from a manifest, and writes masks whose labels are habitats.

Considered and rejected: clustering every patient alone, because its habitat 1 would not be the next
patient's; taking all voxels, because large tumours would decide; choosing the number of habitats
automatically, because its criteria disagree: `omics.habitat_clusters.habitat_numbers` shows them.

References
----------
O'Connor JPB, et al. Imaging intratumor heterogeneity: role in therapy response, resistance, and
clinical outcome. Clinical Cancer Research 2015;21:249-257. doi:10.1158/1078-0432.CCR-14-0990
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from omics.checks import check_names, check_whole
from omics.errors import StudyError
from omics.habitat_clusters import (
    MOST_HABITATS,
    check_sampling,
    cluster,
    nearest_centre,
    robust_scale,
)
from omics.habitat_voxels import Scan, Scans, pooled_scans, scan_pairs, several_scans, voxels_of
from omics.messages import quoted

if TYPE_CHECKING:
    import SimpleITK as sitk

Matrix = NDArray[np.float64]

FORMAT, VERSION = "nomomics habitats", 1


@dataclass(frozen=True, eq=False, kw_only=True)
class HabitatSizes:
    """How much of every patient's region each habitat takes.

    Attributes
    ----------
    table : DataFrame, one row per patient and habitat
        Columns `patient`, `habitat` (1, 2, ...), `voxels`, `volume` (mm³) and `fraction` of the
        region, in [0, 1]; 0 where a patient has none of it.
    n_patients, n_habitats : int
    """

    table: pd.DataFrame
    n_patients: int
    n_habitats: int

    def __repr__(self) -> str:
        return f"HabitatSizes({self.n_patients} patients, {self.n_habitats} habitats)"

    @property
    def wide(self) -> pd.DataFrame:
        """One row per patient, columns such as ``habitat|1|fraction`` and ``habitat|1|volume``."""
        parts = []
        for what in ("fraction", "volume"):
            part = self.table.pivot(index="patient", columns="habitat", values=what)
            parts.append(part.set_axis([f"habitat|{name}|{what}" for name in part], axis=1))
        order = list(dict.fromkeys(self.table["patient"]))
        return pd.concat(parts, axis=1).loc[order]


class Habitats(BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """Habitats of a region over several sequences.

    Parameters
    ----------
    n_habitats : int
        From 2 to 255.
    voxels_per_patient : int
        Voxels of each patient that the centres are learnt from.
    n_starts : int
        Starts of k-means; the best is kept.
    seed : int

    Attributes
    ----------
    sequences_ : tuple of str
        As in the first scan of `fit`; the first one numbers the habitats.
    centre_, scale_ : ndarray of shape (n_sequences,)
        Median and interquartile range / 1.349 of the pooled voxels.
    centres_ : ndarray of shape (n_habitats, n_sequences)
        In scaled units.
    table_ : DataFrame, one row per habitat
        Columns `habitat`, `share` (of the pooled voxels) and the centre in each sequence's unit.
    within_ : float
        Sum of squares about the centres, of the pooled scaled voxels.
    n_patients_ : int

    Examples
    --------
    >>> rules = Habitats.from_plain({"format": "nomomics habitats", "version": 1, "seed": 1,
    ...     "n_habitats": 2, "voxels_per_patient": 100, "n_starts": 10, "sequences": ["T1c"],
    ...     "centre": [0.0], "scale": [2.0], "centres": [[-1.0], [1.0]], "shares": [0.5, 0.5],
    ...     "within": 3.0, "n_patients": 4})
    >>> rules.nearest(np.array([[-9.0], [0.1], [5.0]])).tolist()
    [1, 2, 2]
    >>> rules.table_["T1c"].tolist()
    [-2.0, 2.0]
    """

    sequences_: tuple[str, ...]
    centre_: Matrix
    scale_: Matrix
    centres_: Matrix
    table_: pd.DataFrame
    within_: float
    n_patients_: int

    def __init__(
        self,
        n_habitats: int = 3,
        *,
        voxels_per_patient: int = 2000,
        n_starts: int = 10,
        seed: int = 0,
    ) -> None:
        self.n_habitats = n_habitats
        self.voxels_per_patient = voxels_per_patient
        self.n_starts = n_starts
        self.seed = seed

    def fit(self, scans: Scans) -> Self:
        """Learn the habitats of development patients.

        Parameters
        ----------
        scans : mapping of patient to Scan, or iterable of (patient, Scan)
            Such as a dict, or a generator that reads one patient at a time; their order
            changes nothing but which sequence comes first, as the first scan has them.

        Returns
        -------
        Habitats

        Raises
        ------
        ValueError
            If a parameter is out of range, a patient comes twice, a sequence hardly varies, or
            there are fewer different voxels than habitats.
        CaseError
            If a scan cannot be used; the patient is named.
        """
        check_whole(self.n_habitats, "n_habitats", least=2, most=MOST_HABITATS)
        check_sampling(
            voxels_per_patient=self.voxels_per_patient, n_starts=self.n_starts, seed=self.seed
        )
        sequences, voxels, patient = pooled_scans(
            scans, per_patient=self.voxels_per_patient, seed=self.seed
        )
        self.sequences_ = sequences
        self.centre_, self.scale_ = robust_scale(voxels, sequences)
        scaled = (voxels - self.centre_) / self.scale_
        self.centres_, labels, self.within_ = cluster(
            scaled, self.n_habitats, n_starts=self.n_starts, seed=self.seed
        )
        self.n_patients_ = int(patient.max()) + 1
        self.table_ = self._described(np.bincount(labels, minlength=self.n_habitats) / len(labels))
        return self

    def nearest(self, voxels: Matrix) -> NDArray[np.uint8]:
        """Tell the habitat of each voxel.

        Parameters
        ----------
        voxels : ndarray of shape (n_voxels, n_sequences)
            In the units of the images; columns as `sequences_`.

        Returns
        -------
        uint8 ndarray of shape (n_voxels,)
            1, 2, ...; at equal distance the lower number.

        Raises
        ------
        ValueError
            If the voxels have another shape or are not finite.
        """
        check_is_fitted(self, "centres_")
        try:
            voxels = np.asarray(voxels, dtype=np.float64)
        except ValueError as error:
            raise ValueError(f"voxels must be numbers, but: {error}.") from error
        if voxels.ndim != 2 or voxels.shape[1] != len(self.sequences_):
            raise ValueError(
                f"voxels must have the shape (n_voxels, {len(self.sequences_)}), one column for "
                f"each of {quoted(self.sequences_)}, but it is {voxels.shape}."
            )
        if not np.isfinite(voxels).all():
            raise ValueError(
                f"voxels must be finite, but {int((~np.isfinite(voxels)).sum())} of {voxels.size} "
                "values are not. Leave those voxels out."
            )
        return nearest_centre((voxels - self.centre_) / self.scale_, self.centres_) + np.uint8(1)

    def label(self, scan: Scan) -> "sitk.Image":
        """Draw the habitats of one patient.

        Parameters
        ----------
        scan : Scan
            With the sequences of `fit`, in any order.

        Returns
        -------
        SimpleITK.Image
            uint8, on the grid of the mask: 1 to `n_habitats` inside the region, 0 outside. Saved as
            a file it is a mask whose labels are the habitats.

        Raises
        ------
        CaseError
            If the scan cannot be used.
        """
        import SimpleITK as sitk

        check_is_fitted(self, "centres_")
        if not isinstance(scan, Scan):
            raise TypeError(f"scan must be a Scan, but is of type {type(scan).__name__}.")
        drawn = (sitk.GetArrayViewFromImage(scan.mask) != 0).astype(np.uint8)
        drawn[drawn != 0] = self.nearest(voxels_of(scan, self.sequences_))
        image = sitk.GetImageFromArray(drawn)
        image.CopyInformation(scan.mask)
        return image

    def sizes(self, scans: Scans) -> HabitatSizes:
        """Measure the habitats of any patients, each by that patient's voxels alone.

        Parameters
        ----------
        scans : mapping of patient to Scan, or iterable of (patient, Scan)

        Returns
        -------
        HabitatSizes

        Raises
        ------
        CaseError
            If a scan cannot be used.
        """
        check_is_fitted(self, "centres_")
        parts: dict[str, pd.DataFrame] = {}
        for patient, scan in scan_pairs(scans):
            if patient in parts:
                raise ValueError(several_scans(patient))
            habitat = self.nearest(voxels_of(scan, self.sequences_))
            counts = np.bincount(habitat, minlength=self.n_habitats + 1)[1:]
            parts[patient] = pd.DataFrame(
                {
                    "patient": patient,
                    "habitat": np.arange(1, self.n_habitats + 1),
                    "voxels": counts,
                    "volume": counts * float(np.prod(scan.mask.GetSpacing())),
                    "fraction": counts / counts.sum(),
                }
            )
        if not parts:
            raise ValueError("scans must hold a patient, but there are none.")
        return HabitatSizes(
            table=pd.concat(parts.values(), ignore_index=True),
            n_patients=len(parts),
            n_habitats=self.n_habitats,
        )

    def save(self, path: str | Path) -> None:
        """Write the habitats as one JSON file, whole or not at all; no patient is in it.

        Raises
        ------
        StudyError
            If it cannot be written.
        """
        target = Path(path)
        part = target.with_name(f"{target.name}.part")
        text = json.dumps(self.plain(), indent=1, ensure_ascii=False, allow_nan=False)
        try:
            part.write_text(text, encoding="utf-8")
            os.replace(part, target)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise StudyError(
                f"the habitats {target} cannot be written: {error.strerror}."
            ) from error

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote; no code runs.

        Raises
        ------
        ValueError
            If the file cannot be read, is no such file, of another version, or incomplete.
        """
        try:
            document = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, json.JSONDecodeError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise StudyError(
                f"{Path(path).name} must be a JSON file of habitats, but cannot be read: {reason}."
            ) from error
        return cls.from_plain(document)

    def plain(self) -> dict[str, Any]:
        """Return all that labels a voxel as plain data, without any patient."""
        check_is_fitted(self, "centres_")
        return {
            "format": FORMAT,
            "version": VERSION,
            **{name: int(value) for name, value in self.get_params().items()},
            "sequences": list(self.sequences_),
            "centre": self.centre_.tolist(),
            "scale": self.scale_.tolist(),
            "centres": self.centres_.tolist(),
            "shares": self.table_["share"].tolist(),
            "within": self.within_,
            "n_patients": self.n_patients_,
        }

    @classmethod
    def from_plain(cls, document: Any) -> Self:
        """Build the habitats that `plain` described."""
        _check_document(document)
        model = cls(**{name: document[name] for name in cls().get_params()})
        k, names = model.n_habitats, document["sequences"]
        model.sequences_ = tuple(names)
        model.centre_ = _numbers(document, "centre", (len(names),))
        model.scale_ = _numbers(document, "scale", (len(names),), above=0)
        model.centres_ = _numbers(document, "centres", (k, len(names)))
        model.within_ = float(_numbers(document, "within", ()))
        model.n_patients_ = document["n_patients"]
        model.table_ = model._described(_numbers(document, "shares", (k,)))
        return model

    def _described(self, shares: Matrix) -> pd.DataFrame:
        centres = self.centres_ * self.scale_ + self.centre_
        table = pd.DataFrame(centres, columns=list(self.sequences_))
        table.insert(0, "habitat", np.arange(1, self.n_habitats + 1))
        table.insert(1, "share", shares)
        return table


def _check_document(document: Any) -> None:
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError(f"the file must be of {FORMAT}, but says it is something else.")
    if document.get("version") != VERSION:
        raise ValueError(
            f"the file must be of version {VERSION}, but is of version "
            f"{document.get('version')!r}. Fit the habitats again."
        )
    needed = {"sequences", "centre", "scale", "centres", "shares", "within", "n_patients"}
    missing = sorted((needed | set(Habitats().get_params())) - set(document))
    if missing:
        raise ValueError(
            f"the file must hold every key, but lacks {quoted(missing)}. Save the habitats again."
        )
    check_whole(document["n_habitats"], "n_habitats of the file", least=2, most=MOST_HABITATS)
    check_whole(document["n_patients"], "n_patients of the file", least=1)
    check_sampling(**{key: document[key] for key in ("voxels_per_patient", "n_starts", "seed")})
    check_names(document["sequences"], "sequences of the file")


def _numbers(
    document: dict[str, Any], key: str, shape: tuple[int, ...], *, above: float = -np.inf
) -> Matrix:
    """Read an array of finite numbers."""
    try:
        array = np.asarray(document[key], dtype=np.float64)
    except (TypeError, ValueError):
        array = np.empty(0)
    if array.shape != shape or not (np.isfinite(array) & (array > above)).all():
        least = f" above {above:g}" if np.isfinite(above) else ""
        raise ValueError(
            f"the file must hold {key} of shape {shape}, finite numbers{least}, but holds "
            f"{str(document[key])[:40]}. Save the habitats again."
        )
    return array
