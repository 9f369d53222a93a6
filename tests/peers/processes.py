"""Programs beside the tests: found or the test is skipped by name, started, waited for, ended."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from sentrikat.infra.processes import die_with_parent

_SEARCH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


def program(name: str) -> str:
    """Give where a program is; skip the test, saying how to get it, where it is not installed."""
    found = shutil.which(name, path=_SEARCH)
    if found is None:
        pytest.skip(f"needs {name}: make peers")
    return found


def free_port(host: str = "127.0.0.1") -> int:
    """Give a port that nobody listens on."""
    with socket.create_server((host, 0)) as listening:
        return int(listening.getsockname()[1])


@contextmanager
def started(
    command: Sequence[str],
    *,
    listens: tuple[str, int],
    log: Path,
    env: Mapping[str, str] | None = None,
    seconds: float = 30,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends; enter it when the server accepts connections."""
    with (
        log.open("ab") as output,
        subprocess.Popen(
            list(command),
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            env=dict(env) if env is not None else None,
            preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509 - so it ends when the tests are killed, too
        ) as process,
    ):
        try:
            _wait(process, listens, log, seconds)
            yield process
        finally:
            for ending in (signal.SIGTERM, signal.SIGKILL):
                try:
                    os.killpg(process.pid, ending)
                    process.wait(10)
                    break
                except ProcessLookupError:
                    break
                except subprocess.TimeoutExpired:
                    continue


def _wait(process: subprocess.Popen[bytes], listens: tuple[str, int], log: Path, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            socket.create_connection(listens, timeout=1).close()
            return
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.05)
    pytest.fail(f"{process.args!r} does not listen on {listens}:\n{log.read_text(errors='replace')[-2000:]}")
