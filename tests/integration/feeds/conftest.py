"""The upstreams, served by their mirror on a loopback port, with faults on demand."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from sentrikat.feeds.transports.http import HttpTransport

NOW = datetime(2026, 6, 10, 12, tzinfo=UTC)
BUILDING_SECONDS = 300.0  # the mirror builds some documents at their first request and keeps them


@dataclass(frozen=True)
class Mirror:
    """A running mirror. `control` changes what it serves and how badly."""

    url: str
    client: httpx2.Client

    def control(self, **change: Any) -> None:
        self.client.post(f"{self.url}/_control", json=change).raise_for_status()

    def requests(self, prefix: str) -> list[dict[str, Any]]:
        answer = self.client.get(f"{self.url}/_log", params={"prefix": prefix})
        return list(answer.json()["requests"])


@pytest.fixture(scope="session")
def running_mirror(shared_data: Path) -> Iterator[Mirror]:
    """The mirror of this run; what it builds is kept in its cache between runs."""
    program = shared_data / "tools" / "upstream_mirror.py"
    environment = {
        name: value
        for name, value in os.environ.items()
        if name in {"PATH", "HOME", "TMPDIR", "SENTRIKAT_MIRROR_CACHE"}
    }
    process = subprocess.Popen(
        [sys.executable, str(program), "--port", "0"], stdout=subprocess.PIPE, env=environment, text=True
    )
    assert process.stdout is not None
    url = process.stdout.readline().split()[-1]
    with process.stdout, httpx2.Client(timeout=BUILDING_SECONDS) as client:
        yield Mirror(url, client)
        process.terminate()
        process.wait(10)


@pytest.fixture
def mirror(running_mirror: Mirror) -> Iterator[Mirror]:
    """The mirror without faults and with an empty log; faults end with the test."""
    running_mirror.control(reset=True)
    running_mirror.control(clear_log=True)
    yield running_mirror
    running_mirror.control(reset=True)


@pytest.fixture
def transport(mirror: Mirror, tmp_path: Path) -> Iterator[HttpTransport]:
    """The product's own transport, pointed at the mirror."""
    with (
        httpx2.Client(timeout=BUILDING_SECONDS) as client,
        HttpTransport(
            client,
            now=lambda: NOW,
            base=mirror.url,
            folder=tmp_path,
            attempts=4,
            first_wait_seconds=0.01,
        ) as opened,
    ):
        yield opened
