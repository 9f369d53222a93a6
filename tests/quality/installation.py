"""An installation of SentriKat for one quality run: own data directory, loaded from the data pack, thrown away.

The product's own commands do all of it. Each feed is imported as one document in its source's form, put together from
those lines of the pack that the evaluation can be touched by (`selection`). What the pack holds in another form than
the source (Ubuntu, Debian) is taken from the mirror of the upstreams, which the pack's tools bring.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.quality.documents import DOCUMENTS, Source
from tests.quality.selection import Selection

_PATIENCE = 120.0  # seconds for the mirror to answer; it indexes the pack at its first start


@dataclass(frozen=True, slots=True)
class Installation:
    """A data directory and how the product is called on it."""

    directory: Path

    def run(self, *arguments: str, output: Path | None = None) -> None:
        """Run a command of the product; its failure is ours."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SENTRIKAT_")}
        environment["SENTRIKAT_DATA_DIR"] = str(self.directory)
        environment["SENTRIKAT_LOG_LEVEL"] = "warning"
        command = [sys.executable, "-m", "sentrikat", *arguments]
        if output is None:
            subprocess.run(command, env=environment, check=True)
        else:
            with output.open("wb") as file:
                subprocess.run(command, env=environment, check=True, stdout=file)


def load(
    installation: Installation,
    data: Path,
    mirror: str,
    work: Path,
    chosen: Selection,
    tell: Callable[[str], None],
) -> None:
    """Migrate and load every feed that the evaluation asks of."""
    installation.run("migrate")
    source = Source(data, mirror, chosen)
    for name, write in DOCUMENTS.items():
        started = time.monotonic()
        path = work / f"{name}.feed"
        write(source, path)
        written = time.monotonic()
        installation.run("feeds", "import", str(path), "--feed", name.partition(" ")[0])
        path.unlink()
        tell(f"{name}: written in {written - started:.0f} s, imported in {time.monotonic() - written:.0f} s")


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
