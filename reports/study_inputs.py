"""What the results of a study were computed from: its files, and the study as understood."""

import hashlib
import json
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from reports.analysis import PACKAGES
from reports.study_file import Study


def input_files(study: Study) -> list[tuple[str, str, Path]]:
    """List the cohort, the table and the path of every input file."""
    tables = [("development", name, spec) for name, spec in study.tables.items()]
    tables += [
        (cohort, name, study.tables[name].model_copy(update={"path": path}))
        for cohort, other in study.external.items()
        for name, path in other.tables.items()
    ]
    files = [
        (cohort, name, path)
        for cohort, name, spec in tables
        for path in (spec.path, *spec.companions)
    ]
    files += [
        ("development", f"{name}, repeats", reader.path)
        for name, repeated in study.repeatability.items()
        for reader in repeated.readers
        if reader.path is not None
    ]
    if study.factors is not None and study.factors.gene_sets is not None:
        files.append(("development", "gene sets", study.factors.gene_sets))
    return files


def input_hashes(study: Study) -> pd.DataFrame:
    """Fingerprint every input file; file names stand without their folders."""
    return pd.DataFrame(
        [
            {
                "table": name,
                "cohort": cohort,
                "file": path.name,
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            }
            for cohort, name, path in input_files(study)
        ]
    )


def understood(study: Study) -> dict[str, object]:
    """Write out the study as understood, every default written out, folders left out."""
    content = study.model_dump(mode="json")
    for spec in content["tables"].values():
        spec["path"] = Path(spec["path"]).name
        if spec["sample_map"] is not None:
            spec["sample_map"]["path"] = Path(spec["sample_map"]["path"]).name
        if isinstance(spec["profiled"], str):
            spec["profiled"] = Path(spec["profiled"]).name
    if study.factors is not None and study.factors.gene_sets is not None:
        content["factors"]["gene_sets"] = study.factors.gene_sets.name
    for spec in content["repeatability"].values():
        for reader in spec["readers"]:
            reader["path"] = None if reader["path"] is None else Path(reader["path"]).name
    for other in content["external"].values():
        other["tables"] = {name: Path(path).name for name, path in other["tables"].items()}
    return content


def fingerprint(study: Study, inputs: pd.DataFrame) -> str:
    """Tell apart, in one text, studies whose resamples may differ."""
    versions = {package: version(package) for package in PACKAGES}
    parts = [understood(study), inputs.to_dict("records"), versions]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
