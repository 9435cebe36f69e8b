"""The command as a process of its own, for tests that stop it halfway."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.realdata import ROOT


@contextmanager
def in_the_middle(
    arguments: Sequence[object], *, folder: Path, work: Path
) -> Iterator[subprocess.Popen[str]]:
    """Start `nomomics` in a folder, and go on once three of its tasks are kept in `work`."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-c", "from reports.cli import main; main()"),
            *map(str, arguments),
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 60
        while len(list(work.glob("*.npz"))) < 3:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline, "the command did not come to its tasks"
            time.sleep(0.01)
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
