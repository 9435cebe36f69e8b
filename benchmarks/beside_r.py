"""Times of ours and of R in one run: the same data, one thread each, the median of several calls.

R's part is skipped, and its column left empty, where R or one of its packages is absent.
"""

import json
import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

TIMER = """
library(jsonlite)
seconds <- function(call, repeats) {
  run <- function() system.time(call())[["elapsed"]]
  once <- max(run(), 1e-6)
  if (repeats == 1 && once > 1) return(once)
  inner <- max(1, ceiling(0.05 / once))
  per <- sapply(seq_len(repeats), function(i)
    system.time(for (j in seq_len(inner)) call())[["elapsed"]] / inner)
  median(per)
}
"""


def time_here(call: Callable[[], object], repeats: int = 5) -> float:
    """Give the median seconds of one call; short calls are repeated to 50 ms."""
    start = time.perf_counter()
    call()
    once = max(time.perf_counter() - start, 1e-7)
    inner = max(1, int(np.ceil(0.05 / once)))
    found = []
    for _ in range(repeats):
        start = time.perf_counter()
        for _ in range(inner):
            call()
        found.append((time.perf_counter() - start) / inner)
    return float(np.median(found))


def time_in_r(
    data: Mapping[str, pd.DataFrame],
    setup: str,
    calls: Mapping[str, str],
    *,
    packages: Sequence[str],
    repeats: int = 5,
) -> dict[str, float]:
    """Give the median seconds of each R expression; empty where R or a package is absent.

    `data` come as data frames of their names; `setup` runs once before the calls. With
    `repeats=1` a call of more than a second runs once.
    """
    if shutil.which("Rscript") is None or not _installed([*packages, "jsonlite"]):
        return {}
    with tempfile.TemporaryDirectory() as folder:
        lines = [f"suppressPackageStartupMessages(library({name}))" for name in packages]
        lines += [TIMER]
        for name, table in data.items():
            table.to_csv(Path(folder) / f"{name}.csv", index=False)
            lines.append(f'{name} <- read.csv("{folder}/{name}.csv")')
        lines += [setup, "found <- list()"]
        lines += [
            f'found[["{name}"]] <- seconds(function() {{ {call} }}, {repeats})'
            for name, call in calls.items()
        ]
        lines.append(f'writeLines(toJSON(found, auto_unbox = TRUE, digits = NA), "{folder}/out")')
        script = Path(folder) / "timing.R"
        script.write_text("\n".join(lines), encoding="utf-8")
        subprocess.run(["Rscript", str(script)], check=True, capture_output=True)
        found = json.loads((Path(folder) / "out").read_text(encoding="utf-8"))
    return {name: float(seconds) for name, seconds in found.items()}


def versions(packages: Sequence[str]) -> str:
    """Name the machine, Python, numpy, R and the R packages a table was measured with."""
    here = f"{platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}"
    if shutil.which("Rscript") is None:
        return f"{here}; R absent"
    asked = ", ".join(f"as.character(packageVersion('{name}'))" for name in packages)
    call = f"cat(as.character(getRversion()), {asked})"
    text = subprocess.run(["Rscript", "-e", call], check=True, capture_output=True, text=True)
    r, *others = text.stdout.split()
    named = [f"{name} {version}" for name, version in zip(packages, others, strict=True)]
    return f"{here}; R {r}, {', '.join(named)}"


def table(here: Mapping[str, float], r: Mapping[str, float]) -> pd.DataFrame:
    """Set ours and R's seconds side by side; `ratio` above 1: ours is faster."""
    rows = [
        {
            "what": what,
            "ours": seconds,
            "R": r.get(what, np.nan),
            "ratio": r.get(what, np.nan) / seconds,
        }
        for what, seconds in here.items()
    ]
    return pd.DataFrame(rows)


def _installed(packages: Sequence[str]) -> bool:
    names = ", ".join(f"'{name}'" for name in packages)
    call = f"q(status = !all(sapply(c({names}), requireNamespace, quietly = TRUE)))"
    return subprocess.run(["Rscript", "-e", call], capture_output=True).returncode == 0
