"""Small facts about processes that the supervisor and the embedded database share."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(number: signal.Signals) -> Callable[[], None]:
    """Return a `preexec_fn`: the child gets signal `number` when its parent dies, however it dies.

    Linux only; elsewhere a child of a killed parent is found and stopped at the next start.
    """
    parent = os.getpid()

    def ask_kernel() -> None:
        os.setpgid(0, 0)  # Ctrl-C at the terminal reaches the supervisor alone, which stops in order
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
            if os.getppid() != parent:  # it died between fork and here
                os._exit(1)

    return ask_kernel


def is_alive(pid: int) -> bool:
    """Say whether a process with this id exists and is not a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return True
    return status.rpartition(")")[2].split()[0] != "Z"


def working_in(directory: Path) -> list[int]:
    """Return the ids of all processes whose working directory is `directory` (Linux)."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "cwd").samefile(directory) and is_alive(int(entry.name)):
                found.append(int(entry.name))
        except OSError:
            continue  # ended meanwhile, or another user's
    return found


def send(pids: list[int], number: signal.Signals) -> None:
    """Send a signal to each of `pids` that still exists."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def stop(process: subprocess.Popen[bytes], number: signal.Signals, timeout_seconds: float) -> None:
    """Ask `process` to stop with signal `number`; kill it if it has not ended in time."""
    if process.poll() is not None:
        return
    process.send_signal(number)
    try:
        process.wait(timeout_seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
