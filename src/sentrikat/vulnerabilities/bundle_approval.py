"""A waiting bundle, looked at and decided by a second person in a browser or over the API; a job takes it in.

The approval is written down at once. What the job finds wrong, such as a file that was changed on the disk, stands with
the bundle, which then waits again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from sentrikat.audit.journal import record
from sentrikat.domain.errors import Conflict, SentriKatError
from sentrikat.domain.permissions import Caller, Permission
from sentrikat.feeds.bundle.manifest import refused
from sentrikat.infra.clock import Clock
from sentrikat.infra.database.sessions import Database
from sentrikat.infra.jobs.queue import enqueue
from sentrikat.infra.settings import Settings
from sentrikat.vulnerabilities.bundle_import import (
    GOOD,
    Offer,
    is_person,
    offered,
    reject,
    staged_file,
    take_in,
)
from sentrikat.vulnerabilities.canary import Limits
from sentrikat.vulnerabilities.run import AfterMerge


class Verdict(StrEnum):
    """What a second person says."""

    APPROVE = "approve"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Part:
    """What a bundle holds of one feed; `bytes` unpacked."""

    feed: str
    documents: int
    bytes: int


@dataclass(frozen=True, slots=True)
class OfferedBundle:
    """A bundle that was offered here, as the page and the API show it.

    `sha256` is of its manifest, which names every document with its digest; `bytes` is the file's size. `waits` says
    that a second person may decide. `may_approve`: the reader is not who brought it.
    """

    id: int
    maker: str
    origin: str
    sequence: int
    is_delta: bool
    made_at: datetime
    sha256: str
    bytes: int | None
    holds: tuple[Part, ...]
    state: str
    waits: bool
    may_approve: bool
    offered_at: datetime
    offered_by: str
    decided_at: datetime | None
    decided_by: str | None
    finished_at: datetime | None
    trouble: str | None
    not_taken_in: Mapping[str, str]


_OFFERED = text("""
select b.*, coalesce(r.name, left(b.origin, 8)) as maker,
    coalesce(brought.login, b.offered_by) as brought_by, coalesce(decided.login, b.decided_by) as decided_by_name
from bundle_import b
left join bundle_root r on r.origin = b.origin
left join user_account brought on 'user:' || brought.id = b.offered_by
left join user_account decided on 'user:' || decided.id = b.decided_by
order by (b.file is not null) desc, b.offered_at desc, b.id desc limit :limit
""")


def offered_bundles(session: Session, caller: Caller, *, limit: int = 100) -> list[OfferedBundle]:
    """Give the bundles offered here: those that wait first, then the newest."""
    caller.require(Permission.INSTALLATION_MANAGE)
    return [_shown(row, caller) for row in session.execute(_OFFERED, {"limit": limit})]


def _shown(row: Row[Any], caller: Caller) -> OfferedBundle:
    # What was taken in only in part may be tried again.
    waits = row.file is not None and (row.decided_by is None or row.state == "incomplete")
    return OfferedBundle(
        id=row.id,
        maker=row.maker,
        origin=row.origin,
        sequence=row.sequence,
        is_delta=row.base_sha256 is not None,
        made_at=row.made_at,
        sha256=row.sha256,
        bytes=row.bytes,
        holds=tuple(Part(**one) for one in row.holds),
        state=row.state,
        waits=waits,
        may_approve=waits and is_person(caller) and row.offered_by != caller.actor,
        offered_at=row.offered_at,
        offered_by=row.brought_by,
        decided_at=row.decided_at,
        decided_by=row.decided_by_name,
        finished_at=row.finished_at,
        trouble=row.trouble,
        not_taken_in={name: said for name, said in row.outcomes.items() if said not in GOOD},
    )


def count_waiting(session: Session) -> int:
    """Give how many bundles wait for a second person."""
    return (
        session.scalar(
            text(
                "select count(*) from bundle_import"
                " where file is not null and (decided_by is null or state = 'incomplete')"
            )
        )
        or 0
    )


def decide_on_bundle(
    database: Database, settings: Settings, caller: Caller, offer_id: int, verdict: Verdict, clock: Clock
) -> bool:
    """Reject now, or write the approval down and queue the import; give whether it takes a while."""
    if verdict is Verdict.REJECT:
        reject(database, settings, caller, offer_id, clock)
        return False
    with database.as_system() as session:
        _, sha256 = staged_file(session, settings, caller, offer_id)
        first = session.execute(
            text(
                "update bundle_import set decided_at = :now, decided_by = :actor, trouble = null"
                " where id = :id and (decided_by is null or state = 'incomplete') returning origin, sequence"
            ),
            {"now": clock.now(), "actor": caller.actor, "id": offer_id},
        ).one_or_none()
        if first is None:
            raise Conflict(
                f"Bundle {offer_id} was not approved: that has been done already.",
                hint="It is taken in by the next free worker. Nothing was changed.",
                code="bundle_decided",
            )
        record(
            session,
            replace(caller, organization_id=0),  # of the installation, whichever organization they look at
            "bundle.approved",
            f"bundle:{first.origin[:8]}/{first.sequence}",
            {"sha256": sha256},
            now=clock.now(),
        )
        enqueue(
            session,
            "import_bundle",
            queue="feeds",
            lock="import_bundle",
            offer_id=offer_id,
            sha256=sha256,
            actor=caller.actor,
            address=caller.address,
        )
    return True


def take_in_approved(
    database: Database,
    settings: Settings,
    caller: Caller,
    offer_id: int,
    sha256: str,
    clock: Clock,
    *,
    after: AfterMerge | None = None,
    limits: Limits | None = None,
) -> None:
    """Take in what `caller` approved; trouble stands with the bundle, which waits again."""
    with database.as_system() as session:
        approved = session.scalar(
            text(
                "select count(*) from bundle_import where id = :id and sha256 = :sha256 and file is not null"
                " and decided_by = :actor"
            ),
            {"id": offer_id, "sha256": sha256, "actor": caller.actor},
        )
    if not approved:
        return  # taken in meanwhile, rejected, or brought once more by somebody
    try:
        with staged_offer(database, settings, caller, offer_id, clock) as offer:
            take_in(
                database,
                caller,
                offer,
                clock,
                each=lambda _: nullcontext(),
                after=after,
                limits=limits,
            )
    except SentriKatError as trouble:
        with database.as_system() as session:
            session.execute(
                text(
                    "update bundle_import set trouble = :trouble, decided_at = null, decided_by = null where id = :id"
                ),
                {"trouble": f"{trouble.message} {trouble.hint or ''}".strip()[:1000], "id": offer_id},
            )


@contextmanager
def staged_offer(
    database: Database, settings: Settings, caller: Caller, offer_id: int, clock: Clock
) -> Iterator[Offer]:
    """Open the waiting file that `caller` may approve; it is thrown away once nothing of it is left to take in."""
    with database.as_system() as session:
        path, sha256 = staged_file(session, settings, caller, offer_id)
    with offered(database, caller, path, clock) as offer:
        if offer.sha256 != sha256:
            raise refused(
                f"the waiting file has the manifest {offer.sha256[:16]}, and {sha256[:16]} was offered",
                "Somebody changed it on this server's disk: reject it, and offer the original again.",
            )
        yield offer
    with database.as_system() as session:
        left: Any = session.scalar(
            text("select file from bundle_import where id = :id"),
            {"id": offer_id},
        )
    if left is None:
        path.unlink(missing_ok=True)
