"""Pages of lists over HTTP, from a web process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx2 as httpx
from sqlalchemy import text

from benchmarks.estate import Estate
from benchmarks.measure import Row, milliseconds, peak_megabytes, watch
from sentrikat.domain.permissions import INSTALLATION_ADMINISTRATOR, KEY_SCOPES, Caller
from sentrikat.identity.api_keys import create_key
from sentrikat.infra.clock import SystemClock
from sentrikat.infra.database.sessions import Database
from sentrikat.infra.encryption import open_pepper
from sentrikat.infra.settings import Settings

_START_SECONDS = 60.0

# What people open, sort and search by.
PAGES = (
    "/api/v1/findings?limit=100",
    "/api/v1/findings?limit=100&exploited=true",
    "/api/v1/findings?limit=100&severity=critical",
    "/api/v1/findings?limit=100&sort=due",
    "/api/v1/findings?limit=100&software=open",
    "/api/v1/assets?limit=100",
    "/api/v1/vulnerabilities?limit=100",
)


def lists(database: Database, estate: Estate, directory: Path, pages: int) -> list[Row]:
    """Walk the pages of every list."""
    with database.as_system() as session:
        findings = session.scalar(text("select count(*) from finding where closed_at is null")) or 0
    clock = SystemClock()
    with database.as_organization(estate.organization_id) as session:
        caller = Caller(estate.organization_id, "benchmark", INSTALLATION_ADMINISTRATOR)
        made = create_key(
            session,
            caller,
            pepper=open_pepper(Settings(data_dir=directory)),
            name=f"benchmark {time.time()}",
            scopes=KEY_SCOPES,
            expires_at=None,
            now=clock.now(),
        )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "SENTRIKAT_DATA_DIR": str(directory),
        "SENTRIKAT_PORT": str(port),
        "SENTRIKAT_LOG_LEVEL": "warning",
        "SENTRIKAT_RATE_LIMIT_API_PER_HOUR": "0",
        "SENTRIKAT_RATE_LIMIT_API_PER_DAY": "0",
    }
    web = subprocess.Popen([sys.executable, "-m", "sentrikat", "serve"], env=environment)
    rows = []
    try:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}",
            headers={"Authorization": f"Bearer {made.secret}"},
            timeout=60.0,
        ) as client:
            _wait(client)
            for page in PAGES:
                taken = _walk(client, page, pages)
                rows.append(
                    Row(
                        f"`{page}`, {len(taken)} pages, {estate.size.assets:,} assets, {findings:,} open findings",
                        "p95 < 150 ms",
                        milliseconds(taken),
                    )
                )
        rows.append(
            Row("memory of the web process", "< 200 MB", f"{peak_megabytes(web.pid):.0f} MB at its peak")
        )
    finally:
        web.terminate()
        web.wait(timeout=60)
    return rows


def _walk(client: httpx.Client, page: str, count: int) -> list[float]:
    """Read page after page, as far as there are."""
    taken = []
    cursor: str | None = None
    for _ in range(count):
        with watch() as reading:
            answer = client.get(f"{page}&cursor={cursor}" if cursor else page)
        answer.raise_for_status()
        taken.append(reading.seconds)
        cursor = answer.json().get("next_cursor")
        if cursor is None:
            break
    return taken


def _wait(client: httpx.Client) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        try:
            if client.get("/api/v1/health/ready").status_code == 200:
                return
        except httpx.TransportError:
            pass  # it is not listening yet
        time.sleep(0.1)
    raise RuntimeError("the web process did not become ready")
