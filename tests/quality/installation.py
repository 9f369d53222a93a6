"""An installation of SentriKat for one quality run: own data directory, loaded from the data pack, thrown away.

The product's own commands do all of it. The largest three sources are imported as documents that are put together
from the pack's lines, because making them in their upstream form first takes longer than importing them; all
others come through the mirror of the upstreams, which the pack's tools bring.
"""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.quality.reference import lines, the_file

MIRRORED = ("kev", "debian", "osv")
_PATIENCE = 120.0  # seconds for the mirror to answer; it indexes the pack at its first start


@dataclass(frozen=True, slots=True)
class Installation:
    """A data directory and how the product is called on it."""

    directory: Path
    feed_base_url: str | None = None

    def run(self, *arguments: str, output: Path | None = None) -> None:
        """Run a command of the product; its failure is ours."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SENTRIKAT_")}
        environment["SENTRIKAT_DATA_DIR"] = str(self.directory)
        environment["SENTRIKAT_LOG_LEVEL"] = "warning"
        environment["SENTRIKAT_HTTP_TIMEOUT_SECONDS"] = (
            "600"  # the mirror builds an archive when it is asked for
        )
        if self.feed_base_url:
            environment["SENTRIKAT_FEED_BASE_URL"] = self.feed_base_url
        command = [sys.executable, "-m", "sentrikat", *arguments]
        if output is None:
            subprocess.run(command, env=environment, check=True)
        else:
            with output.open("wb") as file:
                subprocess.run(command, env=environment, check=True, stdout=file)


def load(installation: Installation, data: Path, work: Path, tell: Callable[[str], None]) -> None:
    """Migrate and load every feed that the evaluation asks of."""
    installation.run("migrate")
    for name, write in (("nvd", write_nvd), ("overrides", write_records), ("vulnrichment", write_records)):
        started = time.monotonic()
        path = work / f"{name}.feed"
        write(data, name, path)
        installation.run("feeds", "import", str(path), "--feed", name)
        path.unlink()
        tell(f"{name} in {time.monotonic() - started:.0f} s")
    for name in MIRRORED:
        started = time.monotonic()
        installation.run("feeds", "refresh", name)
        tell(f"{name} in {time.monotonic() - started:.0f} s")


_RECORDS = {"overrides": "nvd/nvd-data-overrides_*.zst", "vulnrichment": "nvd/vulnrichment_*.zst"}


def write_nvd(data: Path, _: str, path: Path) -> None:
    """Put the pack's NVD records into one document of the form of a yearly file."""
    source = the_file(data, "nvd/cves-2.0.ndjson.zst")
    count = sum(1 for _ in lines(source))
    with path.open("wb", buffering=1 << 20) as out:
        out.write(
            b'{"resultsPerPage":%d,"startIndex":0,"totalResults":%d,"format":"NVD_CVE","version":"2.0",'
            b'"timestamp":"2026-03-13T00:00:00.000","vulnerabilities":[' % (count, count)
        )
        for number, line in enumerate(lines(source)):
            out.write((b',{"cve":' if number else b'{"cve":') + line.rstrip() + b"}")
        out.write(b"]}")


def write_records(data: Path, name: str, path: Path) -> None:
    """Put single records into an archive of the form of their repository."""
    with tarfile.open(path, "w") as archive:
        for line in lines(the_file(data, _RECORDS[name])):
            # {"_path":"data/1999/CVE-1999-0037.json","doc":{...}}
            head, _, rest = line.partition(b'","doc":')
            body = rest.rstrip()[:-1]
            member = tarfile.TarInfo("main/" + head.removeprefix(b'{"_path":"').decode())
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))


@contextmanager
def mirror(shared: Path, cache: Path) -> Iterator[str]:
    """Serve the pack as its upstreams would, on a free loopback port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "mirror.log").open("wb") as log:
        server = subprocess.Popen(
            [
                sys.executable,
                str(shared / "tools" / "upstream_mirror.py"),
                f"--port={port}",
                f"--data={shared / 'data'}",
                f"--cache={cache}",
            ],
            stdout=log,
            stderr=log,
        )
        try:
            _wait(server, port)
            yield address
        finally:
            server.terminate()
            server.wait(timeout=30)


def _wait(server: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise RuntimeError(f"the mirror ended with status {server.returncode}")
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"the mirror did not answer within {_PATIENCE:.0f} s")
