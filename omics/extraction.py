"""From a manifest of images and masks to one table of radiomics features, case by case.

Every row says how it came about (settings, versions, voxel spacing, size of the region), every
column what it measures (image type, class, feature, IBSI code). A case that cannot be used is
listed with its reason and the others go on; a finished case is kept at once, so that a run which
is killed goes on where it was and ends with the same table.
"""

import hashlib
import json
import zipfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from omics.case import PLACE, Case
from omics.case_features import case_features, copy_of, preview_of
from omics.errors import StudyError
from omics.extraction_settings import ExtractionSettings
from omics.extras import needed
from omics.ibsi import ibsi_code
from omics.images import files_of
from omics.messages import number_of
from omics.parallel import Arrays, FolderStore, Progress, Store, in_parallel_kept
from omics.perturbing import Perturbing
from omics.preview import Preview
from omics.radiomics import feature_table
from omics.radiomics_names import PERTURBATION, REGION_VOLUME

__all__ = ["Extraction", "case_store", "extract"]

LOST = ("row", "region", "reason")  # of copies that could not be measured


@dataclass(frozen=True, eq=False, kw_only=True)
class Extraction:
    """Radiomics features of many cases.

    Attributes
    ----------
    table : DataFrame, one row per region of a finished case, in the order of the manifest
        `patient`; of `timepoint`, `reader`, `sequence` and `centre` those that any case has;
        `region`; then how the row came about: `diagnostics_Configuration_Hash` and
        `diagnostics_Configuration_Settings` (of the settings), `diagnostics_Versions` (JSON),
        `diagnostics_Image_Spacing` (mm), `diagnostics_Region_Voxels` and
        `diagnostics_Region_Volume` (mm3), both of the region as drawn; then the features.
    columns : DataFrame, one row per feature
        `name`, `image_type`, `feature_class`, `feature` and `ibsi` (None without a code).
    failed : DataFrame, one row per case or region that could not be used
        `row` of the manifest (1 is the first case), `patient`, `timepoint`, `reader`, `sequence`,
        `image`, `mask`, `region` (empty for the whole case) and `reason`.
    settings : ExtractionSettings
    n_cases : int
        Rows of the manifest.
    previews : dict of row of the manifest to Preview
        Of every case whose image and mask could be read.
    perturbed : tuple of DataFrame
        Like `table`, measured on the first, second, ... changed copy of every mask; they have
        `diagnostics_Perturbation` beside, how the copies were made (JSON).
    lost_copies : DataFrame, one row per copy of a region that could not be measured
        `row` of the manifest, `region` (with the number of the copy), `reason`; small regions lose
        copies, and count as repeated less often than others.
    perturbing : Perturbing or None
        How the copies were made.
    unions : DataFrame, one row per label that is joined to others, such as 4 of `1+2+4`
        `label`; `cases`, the masks of which it was asked; `absent`, those that lack it.
    unlabelled : DataFrame, one row per label that a blank label cell and no name led to
        `label`, the only one of the mask; `cases`, those whose mask could be read.
    """

    table: pd.DataFrame
    columns: pd.DataFrame
    failed: pd.DataFrame
    settings: ExtractionSettings
    n_cases: int
    previews: Mapping[int, Preview]
    perturbed: tuple[pd.DataFrame, ...] = ()
    lost_copies: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(LOST)))
    perturbing: Perturbing | None = None
    unions: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame(columns=["label", "cases", "absent"])
    )
    unlabelled: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame(columns=["label", "cases"])
    )

    @property
    def n_failed(self) -> int:
        """Number of cases of which a region, or all, could not be used."""
        return int(self.failed["row"].nunique())

    def __repr__(self) -> str:
        failed = f", {self.n_failed} with failures" if self.n_failed else ""
        return (
            f"Extraction({number_of(self.n_cases, 'case')}{failed}, "
            f"{number_of(len(self.table), 'region')}, {len(self.columns)} features, "
            f"settings {self.settings.name} {self.settings.digest})"
        )


def extract(
    cases: Iterable[Case],
    settings: ExtractionSettings,
    *,
    perturbing: Perturbing | None = None,
    n_jobs: int = 1,
    store: Store | None = None,
    progress: Progress | None = None,
) -> Extraction:
    """Extract radiomics features of every region of every case.

    Inside `joblib.parallel_config(backend="dask")` the cases run on the Dask cluster whose client
    was made last; its workers must see the images under the same paths. In a script everything
    stands below `if __name__ == "__main__":`, since each worker process reads the script again:

    .. code-block:: python

        if __name__ == "__main__":
            with LocalCluster(n_workers=2, threads_per_worker=1) as cluster, Client(cluster):
                with joblib.parallel_config(backend="dask"):
                    found = extract(read_manifest("manifest.csv"), read_settings("mri"))

    Parameters
    ----------
    cases : iterable of Case
        As `omics.manifest.read_manifest` gives them.
    settings : ExtractionSettings
        As `omics.extraction_settings.read_settings` gives them.
    perturbing : Perturbing, optional
        Measures every region on changed copies of its mask as well, which stand for further
        readers where there are none.
    n_jobs : int
        Processes; -1 takes every core. The numbers do not depend on it.
    store : Store, optional
        Keeps each finished case, as `case_store` does. A case is extracted again when a byte of
        its files, the settings or a version has changed, or a region of it had failed.
    progress : callable(what, done, total), optional

    Returns
    -------
    Extraction

    Raises
    ------
    TypeError
        If `settings` are the name of a preset or a path.
    StudyError
        If there is no case or two are the same, pyradiomics is not installed, a process was ended
        from outside, or the store is full.
    """
    if not isinstance(settings, ExtractionSettings):
        raise TypeError(
            f"settings must be ExtractionSettings, but is {settings!r}. Read them: read_settings("
            '"mri").'
        )
    cases = list(cases)
    if not cases:
        raise StudyError("cases must hold at least one case, but there is none.")
    needed("SimpleITK")
    from omics.pyradiomics_engine import expected_features

    features = expected_features(settings)
    names = [case.key for case in cases] if store is None else _identities(cases, progress)
    try:
        found = in_parallel_kept(
            _tasks(cases, names, settings, perturbing),
            what="cases",
            n_jobs=n_jobs,
            store=None if store is None else _WholeCases(store),
            progress=progress,
        )
    except BrokenProcessPool as error:
        raise StudyError(
            "a process was ended from outside, most likely because memory ran out. Use fewer of "
            "them, such as --jobs 1: what is finished and kept is not done again."
        ) from error
    return Extraction(
        table=_table(cases, found, settings),
        columns=_columns(features),
        failed=_failed(cases, found),
        settings=settings,
        n_cases=len(cases),
        previews={
            case.row: seen
            for case, arrays in zip(cases, found, strict=True)
            if (seen := preview_of(arrays)) is not None
        },
        unions=_unions(found),
        unlabelled=_unlabelled(cases, found),
        lost_copies=_lost_copies(cases, found),
        perturbing=perturbing,
        perturbed=() if perturbing is None else _perturbed(cases, found, settings, perturbing),
    )


def _tasks(
    cases: Sequence[Case],
    names: Sequence[str],
    settings: ExtractionSettings,
    perturbing: Perturbing | None,
) -> dict[str, partial[Arrays]]:
    """Name the work of every case by all that its numbers depend on beside the settings."""
    copies = "" if perturbing is None else f"|{perturbing.text}"
    tasks = {
        f"{name}{copies}": partial(case_features, case, settings, perturbing)
        for name, case in zip(names, cases, strict=True)
    }
    if len(tasks) < len(cases):
        raise StudyError(
            f"cases must differ in patient, timepoint, reader, sequence or labels, but "
            f"{len(cases) - len(tasks)} of {len(cases)} are there already. Take them out."
        )
    return tasks


def case_store(folder: Path, settings: ExtractionSettings) -> FolderStore:
    """Keep finished cases in a folder, by the settings and versions they were extracted with."""
    return FolderStore(folder, f"{settings.digest}|{_versions()}")


class _WholeCases:
    """Keeps the cases of which nothing failed: the others are tried again."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, key: str) -> Arrays | None:
        """Return a case, unless a loss of power cut its file short."""
        try:
            return self._store.get(key)
        except (EOFError, zipfile.BadZipFile):
            return None

    def put(self, key: str, arrays: Arrays) -> None:
        """Keep a whole case."""
        if arrays["failed"].size:
            return
        try:
            self._store.put(key, arrays)
        except OSError as error:
            raise StudyError(
                f"a finished case cannot be kept: {error.strerror}. Make room, or choose another "
                "folder; the cases kept so far are not done again."
            ) from error


def _versions() -> str:
    needed("SimpleITK")
    from omics.pyradiomics_engine import engine_versions

    return json.dumps({"nomomics": version("nomomics"), **engine_versions()}, sort_keys=True)


def _identities(cases: Sequence[Case], progress: Progress | None) -> list[str]:
    """Name every case by what it asks for and by the bytes of its files.

    Considered and rejected: size and time of change. A mask that a reader corrects keeps its size,
    a copy that keeps times hides the change, and reading costs little beside extraction.
    """
    files = sorted({path for case in cases for path in case.files.values()})
    digests: dict[Path, str] = {}
    pool = ThreadPoolExecutor()
    try:
        for path, digest in zip(files, pool.map(_digest, files), strict=True):
            digests[path] = digest
            if progress is not None:
                progress("files", len(digests), len(files))
    finally:
        pool.shutdown(cancel_futures=True)  # whoever interrupts does not wait for all files
    return [
        "|".join([case.key, *(digests[path] for path in case.files.values())]) for case in cases
    ]


def _digest(path: Path) -> str:
    """Return the sha256 of a file and of those it names, or of all in a folder."""
    total = hashlib.sha256()
    try:
        for part in files_of(path):
            with part.open("rb") as file:
                total.update(hashlib.file_digest(file, "sha256").digest())
    except OSError:  # told when the case is read
        return "unreadable"
    return total.hexdigest()


def _perturbed(
    cases: Sequence[Case],
    found: Sequence[Arrays],
    settings: ExtractionSettings,
    perturbing: Perturbing,
) -> tuple[pd.DataFrame, ...]:
    """Lay out the copies, one table for each."""
    tables = []
    for number in range(1, perturbing.n + 1):
        copies = [arrays | copy_of(arrays, number) for arrays in found]
        table = _table(cases, copies, settings)
        after = list(table).index("region") + 1
        table.insert(after, PERTURBATION, perturbing.text)
        tables.append(table)
    return tuple(tables)


def _table(
    cases: Sequence[Case], found: Sequence[Arrays], settings: ExtractionSettings
) -> pd.DataFrame:
    from omics.pyradiomics_engine import expected_features

    features = expected_features(settings)
    counts = [len(arrays["regions"]) for arrays in found]
    rows = [case for case, count in zip(cases, counts, strict=True) for _ in range(count)]
    spacing = np.repeat([arrays["spacing"] for arrays in found], counts, axis=0)
    voxels = np.concatenate([arrays["voxels"] for arrays in found])
    place = {
        column: [getattr(case, column) for case in rows]
        for column in PLACE
        if column == "patient" or any(getattr(case, column) for case in cases)
    }
    place["region"] = [str(region) for arrays in found for region in arrays["regions"]]
    origin = pd.DataFrame(
        {
            **{column: pd.Series(texts, dtype=object) for column, texts in place.items()},
            "diagnostics_Configuration_Hash": settings.digest,
            "diagnostics_Configuration_Settings": settings.text,
            "diagnostics_Versions": _versions(),
            "diagnostics_Image_Spacing": [_millimetres(one) for one in spacing],
            "diagnostics_Region_Voxels": voxels,
            REGION_VOLUME: voxels * spacing.prod(axis=1),
        }
    )
    values = np.concatenate([arrays["values"].reshape(-1, len(features)) for arrays in found])
    return pd.concat([origin, pd.DataFrame(values, columns=features)], axis=1)


def _millimetres(spacing: Sequence[float]) -> str:
    return " x ".join(f"{side:.6g}" for side in spacing) + " mm"


def _columns(features: list[str]) -> pd.DataFrame:
    table = feature_table(features)[["name", "image_type", "feature_class", "feature"]]
    return table.assign(ibsi=pd.Series([ibsi_code(name) for name in features], dtype=object))


def _unions(found: Sequence[Arrays]) -> pd.DataFrame:
    """Count the masks that lack a label of a union."""
    asked = Counter(str(one) for arrays in found for one in arrays.get("joined", ()))
    lacking = Counter(str(one) for arrays in found for one in arrays.get("absent", ()))
    rows = [(label, count, lacking[label]) for label, count in asked.items()]
    return pd.DataFrame(rows, columns=["label", "cases", "absent"])


def _unlabelled(cases: Sequence[Case], found: Sequence[Arrays]) -> pd.DataFrame:
    """Count the labels that were the only ones in masks of which none was asked for."""
    met = Counter(
        str(arrays["shown"][0])  # the region, before its rings
        for case, arrays in zip(cases, found, strict=True)
        if not case.regions and "shown" in arrays
    )
    return pd.DataFrame(met.most_common(), columns=["label", "cases"])


def _lost_copies(cases: Sequence[Case], found: Sequence[Arrays]) -> pd.DataFrame:
    rows = [
        (case.row, str(region), str(reason))
        for case, arrays in zip(cases, found, strict=True)
        for region, reason in zip(arrays.get("lost", ()), arrays.get("why_lost", ()), strict=True)
    ]
    return pd.DataFrame(rows, columns=list(LOST))


def _failed(cases: Sequence[Case], found: Sequence[Arrays]) -> pd.DataFrame:
    place = ["row", "patient", "timepoint", "reader", "sequence", "image", "mask"]
    rows = [
        [*(getattr(case, column) for column in place), str(region), str(reason)]
        for case, arrays in zip(cases, found, strict=True)
        for region, reason in zip(arrays["failed"], arrays["reasons"], strict=True)
    ]
    table = pd.DataFrame(rows, columns=[*place, "region", "reason"], dtype=object)
    return table.assign(image=table["image"].map(str), mask=table["mask"].map(str)).astype(
        {"row": np.int64}
    )
