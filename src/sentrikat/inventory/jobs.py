"""What the worker runs for this room."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.domain.errors import InvalidInput
from sentrikat.infra.clock import Clock
from sentrikat.infra.database.sessions import Database
from sentrikat.inventory.ingest import IngestResult, ingest

# Plans are kept: these statements are the same for every report, and planning one costs more than running it.
# A crash may lose the last moments of what was derived, never a receipt: those are on the disk before the agent is
# answered. The queue then runs the job again, for its mark that a job is done reaches the disk after the job's work.
_PREPARE = text(
    "select set_config('plan_cache_mode', 'force_generic_plan', true), set_config('synchronous_commit', 'off', true)"
)
_FAILED = text("update receipt set status = 'failed', detail = :detail, processed_at = :now where id = :id")


def ingest_report(
    database: Database, clock: Clock, *, receipt_id: int, then: Callable[[Session, IngestResult], None]
) -> None:
    """Take a received report in, and let `then` follow in the same transaction if it changed anything."""
    try:
        with database.as_system() as session:
            session.execute(_PREPARE)
            result = ingest(session, receipt_id, now=clock.now())
            if result.changed:
                then(session, result)
    except InvalidInput as refused:
        # It was readable when it arrived, so our reader has changed since; trying again would not help.
        with database.as_system() as session:
            session.execute(_FAILED, {"id": receipt_id, "detail": refused.message, "now": clock.now()})
