"""The full import of NVD, as a process of its own, so that its memory is its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.measure import Row, peak_megabytes, watch


def full_import(document: Path, directory: Path) -> list[Row]:
    """Import a document of all NVD records into an empty installation."""
    environment = os.environ | {"SENTRIKAT_DATA_DIR": str(directory), "SENTRIKAT_LOG_LEVEL": "warning"}
    command = [sys.executable, "-m", "sentrikat"]
    subprocess.run([*command, "migrate"], env=environment, check=True, stdout=subprocess.DEVNULL)
    memory = 0.0
    with watch() as ours:
        process = subprocess.Popen(
            [*command, "feeds", "import", str(document), "--feed=nvd"],
            env=environment,
            stdout=subprocess.PIPE,
        )
        while process.poll() is None:
            memory = max(memory, peak_megabytes(process.pid))
            time.sleep(0.5)
    said = (process.stdout.read() if process.stdout else b"").decode()
    if process.returncode:
        raise RuntimeError(f"the import ended with status {process.returncode}: {said}")
    size = document.stat().st_size / 1024**2
    records = said.partition(" records")[0].partition(": ")[2]
    return [
        Row(
            f"full import of NVD: {records} CVEs, {size:,.0f} MB of JSON",
            "< 180 s, < 400 MB resident",
            f"{ours.seconds:.0f} s, {memory:.0f} MB resident at its peak",
            f"{size / ours.seconds:.1f} MB a second",
        )
    ]
