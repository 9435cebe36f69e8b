"""Cases per minute and peak memory of extraction, beside pyradiomics' own command.

    python benchmarks/extraction.py speed [--cases 10] [--settings log] [--jobs 1 2]
    python benchmarks/extraction.py memory

Drawn images of 240 x 240 x 155 voxels of 1 mm (as BraTS has them) with a tumour of 30 mm, written
to files first. `speed` runs both programs on the same files with the same settings, each from its
start to its table, and prints the largest relative difference of a feature by image type; on an
idle machine and with 10 cases or more. `memory` runs one case in a process of its own, with the
tumour and with the whole head as the region.
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
    """Run a command; return its seconds on the clock and of all its processes' CPU."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - start, cpu


def run_both(folder, cases, parameters, jobs):
    """Extract the cases by both programs; return seconds of clock and CPU, and the tables."""
    batch, manifest = folder / "batch.csv", folder / "manifest.csv"
    rows = [f"{case['image']},{case['tumour']}\n" for case in cases]
    batch.write_text("Image,Mask\n" + "".join(rows))
    manifest.write_text(
        "patient,image,mask\n" + "".join(f"P{k},{row}" for k, row in enumerate(rows))
    )
    theirs, ours = folder / f"theirs_{jobs}_{len(cases)}.csv", folder / f"ours_{jobs}.json"
    command = Path(sys.executable).with_name("pyradiomics")
    with_jobs = ["--jobs", str(jobs), "--out"]
    plain = run([command, batch, "--param", parameters, "--format", "csv", *with_jobs, theirs])
    files = ["--manifest", manifest, "--parameters", parameters]
    own = run([sys.executable, __file__, "table", *files, *with_jobs, ours])
    return {"pyradiomics": plain, "here": own}, theirs, ours


def speed(arguments):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cases = [write_case(folder, seed) for seed in range(arguments.cases)]
        parameters = folder / "settings.yaml"
        parameters.write_text(SETTINGS[arguments.settings])
        print(f"{arguments.settings}: {len(cases)} cases of {SHAPE}")
        for jobs in arguments.jobs:
            # one case a process first: what a program needs to start is not its speed
            start, _, _ = run_both(folder, cases[:jobs], parameters, jobs)
            whole, theirs, ours = run_both(folder, cases, parameters, jobs)
            rates = {}
            for program, (clock, cpu) in whole.items():
                rates[program] = 60 * (len(cases) - jobs) / (clock - start[program][0])
                print(
                    f"  {jobs} process(es), {program}: {clock:.1f} s in all, {cpu:.1f} s of CPU; "
                    f"once started {rates[program]:.1f} cases a minute"
                )
            print(f"  {rates['here'] / rates['pyradiomics']:.2f} times as fast", flush=True)
        print("  largest relative difference:", differences(theirs, ours))


def table(arguments):
    from omics.extraction import extract
    from omics.extraction_settings import read_settings
    from omics.manifest import read_manifest

    found = extract(
        read_manifest(arguments.manifest),
        read_settings(arguments.parameters),
        n_jobs=arguments.jobs[0],
    )
    assert found.failed.empty, found.failed  # noqa: S101
    columns = list(found.columns["name"])
    arguments.out.write_text(json.dumps(found.table[columns].to_dict("records")))


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
        paths = write_case(Path(name), 0)
        # textures and shape of four million voxels take minutes, and no memory worth the name
        few = "featureClass: {firstorder: [], glcm: [], ngtdm: []}\n"
        for region, settings in (
            ("tumour", SETTINGS["original"]),
            ("tumour", SETTINGS["log"]),
            ("head", SETTINGS["original"] + few),
            ("head", SETTINGS["log"] + few),
        ):
            parameters = Path(name) / "settings.yaml"
            parameters.write_text(settings)
            files = ["--manifest", paths["image"], "--parameters", parameters]
            out = subprocess.run(
                [sys.executable, __file__, "one", *files, "--out", paths[region]],
                check=True,
                capture_output=True,
                text=True,
            )
            kind = "LoG, wavelet" if "LoG" in settings else "original"
            print(f"{kind}, region {region}: {out.stdout.strip()}", flush=True)


def one(arguments):
    from omics.extraction_settings import read_settings
    from omics.images import read_image
    from omics.masks import read_masks
    from omics.pyradiomics_engine import extract_region

    image = read_image(arguments.manifest)
    (mask,) = read_masks(arguments.out, (), image=image).values()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    found = extract_region(image, mask, read_settings(arguments.parameters))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"{len(found)} features, {time.process_time() - start:.1f} s, "
        f"peak {peak / 1024**2:.2f} GB ({before / 1024**2:.2f} GB after reading)"
    )


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
