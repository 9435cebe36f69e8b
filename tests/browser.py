"""A headless browser that opens a file and tells what it drew, said and asked of the network."""

import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next((found for name in NAMES if (found := shutil.which(name))), None)
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-sync", "--disable-background-networking", "--disable-component-update"),
    *("--disable-extensions", "--hide-scrollbars", "--virtual-time-budget=10000"),
)


@dataclass(frozen=True, kw_only=True)
class Visit:
    """What a browser made of a page."""

    dom: str
    console: list[str]
    requests: list[str]


def visit(page: Path, *, width: int = 1280) -> Visit:
    """Open `page` from disk and let its scripts run."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "net.json"
        done = subprocess.run(
            [
                str(BROWSER), *QUIET, f"--user-data-dir={folder}/profile", f"--log-net-log={log}",
                f"--window-size={width},2000", "--enable-logging=stderr", "--v=0", "--dump-dom",
                page.resolve().as_uri(),
            ],
            capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        console = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
        return Visit(dom=done.stdout, console=console, requests=_requests(log))


def printed(page: Path) -> bytes:
    """Print `page` as PDF."""
    with tempfile.TemporaryDirectory() as folder:
        paper = Path(folder) / "page.pdf"
        subprocess.run(
            [
                str(BROWSER), *QUIET, f"--user-data-dir={folder}/profile",
                f"--print-to-pdf={paper}", page.resolve().as_uri(),
            ],
            capture_output=True, timeout=120, check=True,
        )  # fmt: skip
        return paper.read_bytes()


def _requests(log: Path) -> list[str]:
    """Addresses that the page asked for; what Chromium asks for itself has no origin."""
    text = log.read_text(encoding="utf-8").rstrip().rstrip(",")
    try:
        events = json.loads(text)["events"]
    except json.JSONDecodeError:  # the browser was quicker to leave than its log to close
        events = json.loads(text + "]}")["events"]
    asked = [event["params"] for event in events if "initiator" in event.get("params", {})]
    return [str(one["url"]) for one in asked if one["initiator"] != "not an origin"]


def main() -> None:
    """Open a report and fail if it complains, asks the network, or leaves a figure undrawn."""
    if BROWSER is None:
        sys.stdout.write("no Chromium is installed: the report was not opened\n")
        return
    seen = visit(Path(sys.argv[1]))
    drawn = seen.dom.count('class="plot-container')
    sys.stdout.write(f"{drawn} figures drawn, console {seen.console}, requests {seen.requests}\n")
    if seen.console or seen.requests or not drawn:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
