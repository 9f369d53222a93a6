"""Keep a few child processes running, and stop them in order."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Protocol

import structlog

from sentrikat.infra import processes
from sentrikat.infra.database.embedded import EmbeddedPostgres

log = structlog.get_logger()

FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 30.0  # a part that crashes for ever costs two starts a minute
STABLE_SECONDS = 60.0  # after so long a crash counts as the first one again
LOOK_SECONDS = 0.2


class Part(Protocol):
    """Something that runs and may end unasked."""

    name: str

    def start(self) -> None:
        """Start it; it is not running."""

    def is_running(self) -> bool:
        """Say whether it runs."""

    def stop(self) -> None:
        """Stop it, cleanly if it can; nothing to do when it does not run."""


@dataclass
class ChildProcess:
    """A program of ours as a child that does not outlive us."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    grace_seconds: float
    inherit: tuple[int, ...] = ()  # file descriptors, such as the listening socket
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        """Start the program; it is told when this process dies, however it dies."""
        self.process = subprocess.Popen(
            list(self.command),
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            pass_fds=self.inherit,
            # Runs between fork and exec, and calls nothing that needs a lock.
            preexec_fn=processes.die_with_parent(signal.SIGTERM),  # noqa: PLW1509
        )

    def is_running(self) -> bool:
        """Say whether the program runs."""
        return self.process is not None and self.process.poll() is None

    def stop(self) -> None:
        """Ask the program to end; after its grace, kill it."""
        if self.process is not None:
            processes.stop(self.process, signal.SIGTERM, self.grace_seconds)


@dataclass
class DatabasePart:
    """The embedded server as a part of the whole."""

    server: EmbeddedPostgres
    name: str = "database"

    def start(self) -> None:
        """Start the server again after it ended unasked."""
        self.server.stop()  # lets the lock of the dead one go
        self.server.start()

    def is_running(self) -> bool:
        """Say whether the server runs."""
        return self.server.process is not None and self.server.process.poll() is None

    def stop(self) -> None:
        """Stop the server."""
        self.server.stop()


@dataclass
class _Life:
    part: Part
    started: float = 0.0
    crashes: int = 0
    not_before: float = 0.0
    down: bool = False


class Supervisor:
    """Watches parts; a part that ends is started again, later with each crash in a row."""

    def __init__(self, parts: Sequence[Part], *, now: Callable[[], float] = time.monotonic) -> None:
        """Take the parts in the order they start; they stop in the reverse order."""
        self._lives = [_Life(part) for part in parts]
        self._now = now
        self.stopping = False

    def request_stop(self, _number: int = 0, _frame: FrameType | None = None) -> None:
        """Let `run` end; fit for a signal handler."""
        self.stopping = True

    def start(self) -> None:
        """Start every part that does not run yet."""
        for life in self._lives:
            if not life.part.is_running():
                life.part.start()
            life.started = self._now()

    def look(self) -> None:
        """Look at every part once; start what ended and has waited long enough."""
        for life in self._lives:
            if not life.down and not life.part.is_running():
                self._note_crash(life)
            if life.down and self._now() >= life.not_before:
                try:
                    life.part.start()
                except Exception:
                    log.exception("part did not start", part=life.part.name)
                    self._note_crash(life)
                else:
                    life.started, life.down = self._now(), False

    def run(self) -> None:
        """Look after the parts until asked to stop, then stop them all."""
        try:
            while not self.stopping:
                self.look()
                time.sleep(LOOK_SECONDS)
        finally:
            self.stop()

    def stop(self) -> None:
        """Stop all parts, the last started first."""
        for life in reversed(self._lives):
            life.part.stop()

    def _note_crash(self, life: _Life) -> None:
        now = self._now()
        life.crashes = 1 if now - life.started > STABLE_SECONDS else life.crashes + 1
        wait = min(FIRST_WAIT_SECONDS * 2 ** (life.crashes - 1), LONGEST_WAIT_SECONDS)
        life.not_before, life.down = now + wait, True
        log.error("part ended unasked", part=life.part.name, again_in_seconds=wait, crashes=life.crashes)
