"""Which patient, when, drawn by whom, on which sequence: one case is one row of the manifest."""

import json
from dataclasses import dataclass
from pathlib import Path

PLACE = ("patient", "timepoint", "reader", "sequence", "centre")


@dataclass(frozen=True, kw_only=True)
class Case:
    """An image, a mask on it, and the regions of the mask that are asked for.

    Attributes
    ----------
    patient : str
        As written: `007` stays `007`.
    image, mask : Path
        A file, or a folder with one DICOM series.
    labels : tuple of str
        The regions: each a label (`1`), a union of labels (`1+2+4`), or the number or name of a
        DICOM segment or structure. Empty means the only label there is.
    names : tuple of str
        What the table calls the regions, one for each label; empty means by their labels.
    timepoint, reader, sequence, centre : str
        Empty where the manifest has no such column.
    brain_mask : Path or None
    row : int
        Line of the manifest; 1 is the first case.

    Examples
    --------
    >>> case = Case(patient="007", image=Path("t1.nii"), mask=Path("seg.nii"), row=1)
    >>> case.key
    '["007", "", "", "", [], []]'
    """

    patient: str
    image: Path
    mask: Path
    labels: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    timepoint: str = ""
    reader: str = ""
    sequence: str = ""
    centre: str = ""
    brain_mask: Path | None = None
    row: int

    @property
    def key(self) -> str:
        """What tells this case from every other of its manifest, as JSON text."""
        place = [self.patient, self.timepoint, self.reader, self.sequence]
        return json.dumps([*place, list(self.labels), list(self.names)], ensure_ascii=False)

    @property
    def files(self) -> dict[str, Path]:
        """The image, the mask and, if there is one, the brain mask, by the name of the column."""
        paths = {"image": self.image, "mask": self.mask, "brain_mask": self.brain_mask}
        return {name: path for name, path in paths.items() if path is not None}

    @property
    def regions(self) -> tuple[str, ...]:
        """What the table calls the regions, as far as the manifest says it."""
        return self.names or self.labels

    def name_of(self, label: str) -> str:
        """Return what the table calls the region of a label.

        Parameters
        ----------
        label : str
            As it stands in `labels`; where these are empty, the only label of the mask.
        """
        return dict(zip(self.labels or (label,), self.names, strict=False)).get(label, label)
