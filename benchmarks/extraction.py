"""Cases per minute and peak memory of extraction, beside pyradiomics' own command.

    python benchmarks/extraction.py speed [--cases 10] [--settings log] [--jobs 1 2]
    python benchmarks/extraction.py memory

Drawn images of 240 x 240 x 155 voxels of 1 mm (as BraTS has them) with a tumour of 30 mm, written
to files first. `speed` runs both programs on the same files with the same settings, each from its
start to its table, prints the cases a minute once the processes are there, what a second process
adds, and the largest relative difference of a feature by image type; on an idle machine and with
12 cases or more. `memory` runs one case in a process of its own, with the tumour and with the whole
head as the region, and once with N4 and z-score before it.
"""

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import SimpleITK as sitk

SHAPE = (155, 240, 240)
SETTINGS = {
    "original": "imageType: {Original: {}}\nsetting: {binWidth: 25}\n",
    "log": (
        "imageType: {Original: {}, LoG: {sigma: [1.0, 3.0, 5.0]}, Wavelet: {}}\n"
        "setting: {binWidth: 25}\n"
    ),
    "resampled": (
        "imageType: {Original: {}, LoG: {sigma: [1.0, 3.0, 5.0]}, Wavelet: {}}\n"
        "setting: {binWidth: 25, resampledPixelSpacing: [2, 2, 2], padDistance: 10}\n"
    ),
}


def write_case(folder, seed):
    """Draw a head of smooth noise, with a tumour of 30 mm in it; return the files' paths."""
    rng = np.random.default_rng(seed)
    places = np.ogrid[tuple(slice(n) for n in SHAPE)]

    def ellipsoid(centre, radii):
        return sum(((p - c) / r) ** 2 for p, c, r in zip(places, centre, radii, strict=True)) < 1

    noise = sitk.GetImageFromArray(rng.normal(size=SHAPE).astype(np.float32))
    smooth = sitk.GetArrayFromImage(sitk.DiscreteGaussian(noise, 2.0))
    head = ellipsoid((77, 120, 120), (70, 95, 75))
    tumour = ellipsoid(rng.uniform((60, 90, 90), (95, 150, 150)), (15, 15, 15))
    grey = np.where(head, 500 + 900 * smooth + 60 * rng.normal(size=SHAPE), 0) + 150 * tumour
    paths = {}
    for name, array in (("image", grey), ("tumour", tumour), ("head", head)):
        kind = np.int16 if name == "image" else np.uint8
        paths[name] = folder / f"{name}_{seed}.nii.gz"
        sitk.WriteImage(sitk.GetImageFromArray(array.astype(kind)), str(paths[name]))
    return paths


def run(command):
    """Run a command; return its seconds on the clock, and what it says."""
    start = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return time.perf_counter() - start, done.stdout


def by_pyradiomics(folder, cases, parameters, jobs):
    """Extract by pyradiomics' command; return seconds from start to table, and the table."""
    batch, table = folder / "batch.csv", folder / "theirs.csv"
    rows = [f"{case['image']},{case['tumour']}\n" for case in cases]
    batch.write_text("Image,Mask\n" + "".join(rows))
    table.unlink(missing_ok=True)
    command = Path(sys.executable).with_name("pyradiomics")
    files = [batch, "--param", parameters, "--format", "csv", "--out", table]
    return run([command, *files, "--jobs", str(jobs)])[0], table


def here(folder, cases, parameters, jobs):
    """Extract here; return seconds from start to table, those once started, and the table."""
    manifest, table = folder / "manifest.csv", folder / "ours.json"
    rows = [f"P{k},{case['image']},{case['tumour']}\n" for k, case in enumerate(cases)]
    manifest.write_text("patient,image,mask\n" + "".join(rows))
    files = ["--manifest", manifest, "--parameters", parameters, "--out", table]
    whole, said = run([sys.executable, __file__, "table", *files, "--jobs", str(jobs)])
    return whole, float(said), table


def speed(arguments):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cases = [write_case(folder, seed) for seed in range(arguments.cases)]
        parameters = folder / "settings.yaml"
        parameters.write_text(SETTINGS[arguments.settings])
        print(f"{arguments.settings}: {len(cases)} cases of {SHAPE}")
        rates = {}
        for jobs in arguments.jobs:
            # what a program needs to start is not its speed: one case a process, then all
            start, _ = by_pyradiomics(folder, cases[:jobs], parameters, jobs)
            theirs, plain = by_pyradiomics(folder, cases, parameters, jobs)
            ours, once_started, table = here(folder, cases, parameters, jobs)
            left = len(cases) - jobs
            rates["pyradiomics", jobs] = 60 * left / (theirs - start)
            rates["here", jobs] = 60 * left / once_started
            for program, seconds in (("pyradiomics", theirs), ("here", ours)):
                print(
                    f"  {jobs} process(es), {program}: {seconds:.1f} s from start to table; "
                    f"once started {rates[program, jobs]:.1f} cases a minute"
                )
            print(
                f"  {rates['here', jobs] / rates['pyradiomics', jobs]:.2f} times as fast once "
                f"started, {theirs / ours:.2f} times from start to table",
                flush=True,
            )
        first, *more = arguments.jobs
        for jobs in more:
            for program in ("pyradiomics", "here"):
                gain = rates[program, jobs] / rates[program, first]
                print(f"  {program}: {jobs} processes, {gain:.2f} times as many as {first}")
        print("  largest relative difference:", differences(plain, table))


def table(arguments):
    from omics.extraction import extract
    from omics.extraction_settings import read_settings
    from omics.manifest import read_manifest

    jobs = arguments.jobs[0]
    cases, settings = read_manifest(arguments.manifest), read_settings(arguments.parameters)
    first = extract(cases[:jobs], settings, n_jobs=jobs)  # one case to every process
    start = time.perf_counter()
    rest = extract(cases[jobs:], settings, n_jobs=jobs)
    print(time.perf_counter() - start)
    rows = []
    for found in (first, rest):
        assert found.failed.empty, found.failed  # noqa: S101
        rows += found.table[list(found.columns["name"])].to_dict("records")
    arguments.out.write_text(json.dumps(rows))


def differences(theirs, ours):
    """Compare every feature of every case; return the largest difference by image type."""
    with theirs.open() as file:
        plain = list(csv.DictReader(file))
    worst = {}
    for there, here in zip(plain, json.loads(ours.read_text()), strict=True):
        for name, value in here.items():
            other = float(there[name])
            image_type = name.partition("_")[0].partition("-")[0]
            apart = 0.0 if value == other else abs(value - other) / max(abs(other), 1e-12)
            worst[image_type] = max(worst.get(image_type, 0.0), apart)
    return {image_type: f"{apart:.1e}" for image_type, apart in worst.items()}


def memory(_):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = write_case(folder, 0)
        # textures and shape of four million voxels take minutes, and no memory worth the name
        few = "featureClass: {firstorder: [], glcm: [], ngtdm: []}\n"
        steps = "preprocess: {n4: true, z_score: brain}\n"
        for what, region, text in (
            ("original", "tumour", SETTINGS["original"]),
            ("LoG, wavelet", "tumour", SETTINGS["log"]),
            ("N4, z-score, LoG, wavelet", "tumour", SETTINGS["log"] + steps),
            ("original", "head", SETTINGS["original"] + few),
            ("LoG, wavelet", "head", SETTINGS["log"] + few),
        ):
            manifest, parameters = folder / "manifest.csv", folder / "settings.yaml"
            brain = "" if region == "head" else paths["head"]
            row = f"P,{paths['image']},{paths[region]},{brain}"
            manifest.write_text(f"patient,image,mask,brain_mask\n{row}\n")
            parameters.write_text(text)
            files = ["--manifest", manifest, "--parameters", parameters]
            _, said = run([sys.executable, __file__, "one", *files])
            print(f"{what}, region {region}: {said.strip()}", flush=True)


def one(arguments):
    from omics.case_features import case_features
    from omics.extraction_settings import read_settings
    from omics.manifest import read_manifest

    (case,) = read_manifest(arguments.manifest)
    start = time.process_time()
    found = case_features(case, read_settings(arguments.parameters))
    assert not found["failed"].size, found["reasons"]  # noqa: S101
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = time.process_time() - start
    print(f"{found['values'].shape[1]} features, {seconds:.1f} s, peak {peak / 1024**2:.2f} GB")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["speed", "memory", "table", "one"])
    parser.add_argument("--cases", type=int, default=10)
    parser.add_argument("--settings", choices=SETTINGS, default="log")
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    for path in ("--manifest", "--parameters", "--out"):
        parser.add_argument(path, type=Path)
    arguments = parser.parse_args()
    {"speed": speed, "memory": memory, "table": table, "one": one}[arguments.what](arguments)


if __name__ == "__main__":
    main()
