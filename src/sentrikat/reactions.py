"""What happens when: every job, its schedule, and which job follows which fact. One page.

Rooms never call upwards. A room that changes something returns or records the fact; the doors
and jobs that see it call a function of this page, which queues the work in the same
transaction.
"""

from __future__ import annotations

from sentrikat.infra.jobs import Job, Periodic

JOBS: list[Job] = []
SCHEDULE: list[Periodic] = []
