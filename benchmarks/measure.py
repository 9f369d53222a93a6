"""How things are timed and how results are told."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: the work, its budget, what was measured, and how that relates to another doing it."""

    work: str
    budget: str
    figure: str
    ratio: str = ""


@dataclass(slots=True)
class Watch:
    """A stopwatch whose time can be read during and after its block."""

    started: float = field(default_factory=time.perf_counter)
    stopped: float | None = None

    @property
    def seconds(self) -> float:
        """Give the seconds so far, or of the whole block."""
        return (self.stopped or time.perf_counter()) - self.started


@contextmanager
def watch() -> Iterator[Watch]:
    """Time a block."""
    running = Watch()
    try:
        yield running
    finally:
        running.stopped = time.perf_counter()


def quantile(values: Sequence[float], share: float) -> float:
    """Give the value below which `share` of the measurements lie: the nearest one, never between two."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def times(work: Callable[[int], None], count: int) -> list[float]:
    """Do `work` so many times; give the seconds of each."""
    found = []
    for number in range(count):
        with watch() as running:
            work(number)
        found.append(running.seconds)
    return found


def milliseconds(values: Sequence[float]) -> str:
    """Tell median and 95th percentile."""
    return f"p50 {1000 * quantile(values, 0.5):.1f} ms, p95 {1000 * quantile(values, 0.95):.1f} ms"


def peak_megabytes(process: int | str = "self") -> float:
    """Give the largest resident size a process had."""
    for line in Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def machine() -> str:
    """Describe the machine in a line."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return f"{os.cpu_count()} cores ({model}), {memory:.0f} GiB, Python {platform.python_version()}"


def table(rows: Sequence[Row]) -> str:
    """Lay the rows out as Markdown."""
    lines = ["| work | budget | figure | next to it |", "|---|---|---|---|"]
    lines += [f"| {row.work} | {row.budget} | {row.figure} | {row.ratio} |" for row in rows]
    return "\n".join(lines)
