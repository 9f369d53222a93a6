"""What the first start of an installation does, after the migrations: an explicit, ordered list.

Each step looks for itself whether it has been done, so a start that was cut short is
continued by the next one.
"""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console

from sentrikat.infra.database import Database
from sentrikat.infra.settings import Settings

Step = Callable[[Database, Settings, Console], None]

# In this order, at every installation's first start.
STEPS: list[Step] = []

# Besides, unless `--no-demo` was said.
DEMO_STEPS: list[Step] = []


def first_start(database: Database, settings: Settings, console: Console, *, demo: bool) -> None:
    """Do what has not been done yet."""
    for step in [*STEPS, *(DEMO_STEPS if demo else [])]:
        step(database, settings, console)
