"""What a job is: a plain function with a name, and how to treat it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Job:
    """A function the worker runs: `run(database, **args)`, with ids in and safe to run twice.

    A job may run again after a crash, so it must end in the same state when it does.
    """

    name: str  # stable: rows in the queue carry it over upgrades
    run: Callable[..., None]
    queue: str = "default"
    # A wait doubles with each try (4, 8, 16, 32 s): about a minute of a database restart or
    # a busy feed; what still fails then needs a person, and the schedule tries again anyway.
    max_attempts: int = 5
    first_wait_seconds: int = 4


@dataclass(frozen=True, slots=True)
class Periodic:
    """A job that the worker defers by the clock; once per tick, however many workers run."""

    job: str
    cron: str  # five fields, or six with seconds at the end; UTC
    args: dict[str, Any] = field(default_factory=dict)
    # Not queued again while one of the same lock still waits.
    queueing_lock: str | None = None
