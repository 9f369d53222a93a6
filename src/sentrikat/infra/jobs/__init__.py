"""The queue: jobs are rows of PostgreSQL, written in the transaction of the change they follow."""

from __future__ import annotations

from sentrikat.infra.jobs.job import Job, Periodic
from sentrikat.infra.jobs.queue import enqueue

__all__ = ["Job", "Periodic", "enqueue"]
