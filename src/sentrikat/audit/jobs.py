"""What the worker does for the audit log."""

from __future__ import annotations

from sentrikat.audit.checkpoints import sign_all
from sentrikat.audit.delivery import deliver
from sentrikat.audit.signing_key import signing_key
from sentrikat.infra.clock import Clock
from sentrikat.infra.database.sessions import Database
from sentrikat.infra.settings import Settings


def sign_audit_log(database: Database, settings: Settings, clock: Clock) -> None:
    """Make a checkpoint of every chain."""
    sign_all(database, signing_key(settings), now=clock.now())


def deliver_audit_log(database: Database, settings: Settings, clock: Clock) -> None:
    """Hand on what waits for the collector, if there is one."""
    deliver(database, settings, clock)
