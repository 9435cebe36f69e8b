"""How long whole studies take, and how much memory: wall time and peak memory of the command.

    python benchmarks/studies.py                    the demo
    python benchmarks/studies.py plgg ucsf_idh      real studies, where ../shared/data is there

Peak memory is the largest resident size of the whole process tree, sampled ten times a second.
"""

import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
STUDIES = ROOT / "tests" / "studies"


def tree_memory(root: int) -> int:
    """Resident bytes of a process and all its descendants (Linux)."""
    parents, sizes = {}, {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            pages = int((entry / "statm").read_text().split()[1])
        except OSError:  # it ended meanwhile
            continue
        parents[int(entry.name)] = int(fields[1])
        sizes[int(entry.name)] = pages * os.sysconf("SC_PAGE_SIZE")
    total = 0
    for process in sizes:
        ancestor: int | None = process
        while ancestor not in (None, 0, root):
            ancestor = parents.get(ancestor)
        total += sizes[process] if ancestor == root else 0
    return total


def measure(command: list[str]) -> tuple[float, float]:
    """Wall seconds and peak memory in GB."""
    began, peak = time.perf_counter(), 0
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        peak = max(peak, tree_memory(process.pid))
        time.sleep(0.1)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with status {process.returncode}")
    return time.perf_counter() - began, peak / 1e9


def main() -> None:
    command = [sys.executable, "-m", "reports.cli"]
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print("| study | wall time (s) | peak memory (GB) |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name in sys.argv[1:] or ["demo"]:
            what = ["demo"] if name == "demo" else ["run", str(STUDIES / f"{name}.toml")]
            seconds, memory = measure([*command, *what, "--out", f"{folder}/{name}"])
            print(f"| {name} | {seconds:.0f} | {memory:.1f} |", flush=True)


if __name__ == "__main__":
    main()
