"""Hand the audit log on to a collector: every entry at least once, in the order of its chain.

How far each chain was handed on is stored; it moves after the collector has read a portion, so an entry may arrive
twice when somebody pulls a plug in between, and is never left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import islice

import structlog
from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from sentrikat.audit.checkpoints import chains
from sentrikat.audit.models import AuditDelivery, AuditDestination, AuditEntry
from sentrikat.audit.queries import stored_checkpoints, stored_entries
from sentrikat.audit.syslog import checkpoint_message, entry_message, framed, own_hostname
from sentrikat.domain.checkpoint import read_envelope
from sentrikat.domain.errors import Unavailable
from sentrikat.infra import syslog
from sentrikat.infra.clock import Clock
from sentrikat.infra.database.locks import try_advisory_lock
from sentrikat.infra.database.sessions import Database
from sentrikat.infra.settings import Settings

log = structlog.get_logger()

PORTION = 5_000  # messages of one connection: some five megabytes
PORTIONS = 20  # of one run of the job; the next minute brings the next


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the log is handed on to, and how that goes."""

    name: str
    delivered_at: datetime | None
    failing_since: datetime | None
    trouble: str | None
    waiting: int  # entries not handed on yet


def destination_of(settings: Settings) -> str | None:
    """Give the name of the collector, if there is one."""
    if settings.syslog_host is None:
        return None
    return f"syslog://{settings.syslog_host}:{settings.syslog_port}"


def deliver(database: Database, settings: Settings, clock: Clock) -> int:
    """Hand on what waits; give how many messages that were. Trouble is noted, and tried again by the next run."""
    name = destination_of(settings)
    if name is None:
        return 0
    sent = 0
    for _ in range(PORTIONS):
        try:
            with database.as_system() as session:
                if not try_advisory_lock(session, f"audit-delivery:{name}"):
                    return sent  # another worker is at it
                count = _deliver_portion(session, settings, name, clock)
        except Unavailable as trouble:
            log.warning("audit log not handed on", destination=name, reason=trouble.message)
            with database.as_system() as session:
                _note_trouble(session, name, trouble.message, clock.now())
            return sent
        sent += count
        if count == 0:
            break
    return sent


def state_of(session: Session, name: str) -> Destination:
    """Say how handing on goes."""
    held = session.get(AuditDestination, name)
    cursors = _cursors(session, name)
    waiting = sum(
        session.scalar(
            select(func.count())
            .select_from(AuditEntry)
            .where(AuditEntry.organization_id == chain, AuditEntry.id > cursors.get(chain, (0, 0))[0])
        )
        or 0
        for chain in chains(session)
    )
    if held is None:
        return Destination(name, None, None, None, waiting)
    return Destination(name, held.delivered_at, held.failing_since, held.trouble, waiting)


def _deliver_portion(session: Session, settings: Settings, name: str, clock: Clock) -> int:
    hostname, as_ocsf = own_hostname(), settings.syslog_content == "ocsf"
    cursors = _cursors(session, name)
    frames: list[bytes] = []
    moved: dict[int, tuple[int, int]] = {}
    for chain in chains(session):
        entry_id, checkpoint = cursors.get(chain, (0, 0))
        for entry in islice(stored_entries(session, chain, after=entry_id), PORTION - len(frames)):
            frames.append(framed(entry_message(entry, hostname, as_ocsf=as_ocsf)))
            entry_id = entry.id
        for number, envelope in stored_checkpoints(session, chain, after=checkpoint):
            _, signed = read_envelope(envelope)
            if signed.entry_id > entry_id:
                break  # after the entries it is about
            at = signed.at
            frames.append(framed(checkpoint_message(chain, number, envelope, hostname, at=at)))
            checkpoint = number
        if (entry_id, checkpoint) != cursors.get(chain, (0, 0)):
            moved[chain] = (entry_id, checkpoint)
        if len(frames) >= PORTION:
            break
    if not frames:
        return 0
    syslog.send(settings, frames)
    for chain, (entry_id, checkpoint) in moved.items():
        values = {"entry_id": entry_id, "checkpoint": checkpoint}
        session.execute(
            insert(AuditDelivery)
            .values(destination=name, organization_id=chain, **values)
            .on_conflict_do_update(index_elements=["destination", "organization_id"], set_=values)
        )
    session.execute(
        insert(AuditDestination)
        .values(name=name, delivered_at=clock.now())
        .on_conflict_do_update(
            index_elements=["name"],
            set_={"delivered_at": clock.now(), "failing_since": None, "trouble": None},
        )
    )
    return len(frames)


def _cursors(session: Session, name: str) -> dict[int, tuple[int, int]]:
    rows = session.execute(
        select(AuditDelivery.organization_id, AuditDelivery.entry_id, AuditDelivery.checkpoint).where(
            AuditDelivery.destination == name
        )
    )
    return {chain: (entry_id, checkpoint) for chain, entry_id, checkpoint in rows}


def _note_trouble(session: Session, name: str, words: str, now: datetime) -> None:
    session.execute(
        text(
            "insert into audit_destination (name, failing_since, trouble) values (:name, :now, :words)"
            " on conflict (name) do update set trouble = :words,"
            " failing_since = coalesce(audit_destination.failing_since, :now)"
        ),
        {"name": name, "now": now, "words": words[:1000]},
    )
