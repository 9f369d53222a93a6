"""A person's word on software that is possibly affected: it is not, because. Audited, and kept over any matching."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.audit.journal import record
from sentrikat.domain.errors import InvalidInput, NotFound
from sentrikat.domain.permissions import Caller, Permission
from sentrikat.findings.queue import list_possible

SHORTEST_REASON = 10
LONGEST_REASON = 1_000

_SET_ASIDE = """
insert into dismissal (organization_id, vulnerability_id, component_kind, component_name, reason, by, at, exploited)
select :organization_id, v.id, c.kind, c.name, :reason, :by, :now,
    v.exploited_since is not null or v.enisa_exploited_since is not null
from vulnerability v, component c where v.id = :vulnerability_id and c.id = :component_id
on conflict (organization_id, vulnerability_id, component_kind, component_name) do update
    set reason = excluded.reason, by = excluded.by, at = excluded.at, exploited = excluded.exploited
"""

_TAKE_BACK = """
delete from dismissal d using component c
where d.organization_id = :organization_id and d.vulnerability_id = :vulnerability_id and c.id = :component_id
  and d.component_kind = c.kind and d.component_name = c.name
"""


def dismiss(
    session: Session, caller: Caller, vulnerability: str, component_id: int, *, reason: str, now: datetime
) -> None:
    """Take an entry out of the queue, for every version of the software, until the flaw becomes exploited."""
    caller.require(Permission.FINDINGS_TRIAGE)
    reason = reason.replace("\x00", "").strip()
    if not SHORTEST_REASON <= len(reason) <= LONGEST_REASON:
        raise InvalidInput(
            f"The entry was not dismissed: the reason has {len(reason)} characters,"
            f" and it takes {SHORTEST_REASON} to {LONGEST_REASON:,}.",
            hint="Say why the software is not affected; an auditor reads it. Nothing was changed.",
            fields={"reason": f"{SHORTEST_REASON} to {LONGEST_REASON:,} characters"},
        )
    number, name = _entry(session, caller, vulnerability, component_id, dismissed=False)
    session.execute(
        text(_SET_ASIDE),
        {
            "organization_id": caller.organization_id,
            "vulnerability_id": number,
            "component_id": component_id,
            "reason": reason,
            "by": caller.actor,
            "now": now,
        },
    )
    record(
        session,
        caller,
        "possibly_affected.dismissed",
        f"vulnerability:{number}",
        {"vulnerability": vulnerability, "software": name, "reason": reason},
        now=now,
    )


def restore(
    session: Session, caller: Caller, vulnerability: str, component_id: int, *, now: datetime
) -> None:
    """Put a dismissed entry back into the queue."""
    caller.require(Permission.FINDINGS_TRIAGE)
    number, name = _entry(session, caller, vulnerability, component_id, dismissed=True)
    session.execute(
        text(_TAKE_BACK),
        {
            "organization_id": caller.organization_id,
            "vulnerability_id": number,
            "component_id": component_id,
        },
    )
    record(
        session,
        caller,
        "possibly_affected.restored",
        f"vulnerability:{number}",
        {"vulnerability": vulnerability, "software": name},
        now=now,
    )


def _entry(
    session: Session, caller: Caller, vulnerability: str, component_id: int, *, dismissed: bool
) -> tuple[int, str]:
    """Give the flaw and the software of an entry; NotFound when the organization has no such entry."""
    number = session.scalar(
        text("select coalesce(same_as_id, id) from vulnerability where name = :name"), {"name": vulnerability}
    )
    rows = (
        list_possible(
            session,
            caller.organization_id,
            vulnerability_id=number,
            component_id=component_id,
            dismissed=dismissed,
            limit=1,
        )[0]
        if number is not None
        else []
    )
    if not rows:
        raise NotFound(
            f"{vulnerability[:100]} and software {component_id} are no "
            f"{'dismissed' if dismissed else 'open'} entry of the queue.",
            hint="It may have been decided, or the software removed. Nothing was changed.",
        )
    return rows[0].vulnerability_id, rows[0].component_name
