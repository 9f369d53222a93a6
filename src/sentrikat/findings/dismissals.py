"""A person's word on software that is possibly affected: it is not, because. Audited, and kept over any matching."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.audit.journal import record
from sentrikat.domain.errors import InvalidInput, NotFound
from sentrikat.domain.permissions import Caller, Permission
from sentrikat.findings.queries import LARGEST_PAGE
from sentrikat.findings.queue import QueueRow, list_possible

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


Entry = tuple[str, int]
"""A vulnerability by its name, and a component by its number."""


def dismiss(
    session: Session, caller: Caller, entries: Sequence[Entry], *, reason: str, now: datetime
) -> None:
    """Take entries out of the queue, for every version of the software, until the flaw becomes exploited."""
    caller.require(Permission.FINDINGS_TRIAGE)
    reason = reason.replace("\x00", "").strip()
    if not SHORTEST_REASON <= len(reason) <= LONGEST_REASON:
        raise InvalidInput(
            f"Nothing was dismissed: the reason has {len(reason)} characters,"
            f" and it takes {SHORTEST_REASON} to {LONGEST_REASON:,}.",
            hint="Say why the software is not affected; an auditor reads it. Nothing was changed.",
            fields={"reason": f"{SHORTEST_REASON} to {LONGEST_REASON:,} characters"},
        )
    for row in _rows(session, caller, entries, dismissed=False):
        session.execute(
            text(_SET_ASIDE),
            {
                "organization_id": caller.organization_id,
                "vulnerability_id": row.vulnerability_id,
                "component_id": row.component_id,
                "reason": reason,
                "by": caller.actor,
                "now": now,
            },
        )
        _log(session, caller, "possibly_affected.dismissed", row, {"reason": reason}, now)


def restore(session: Session, caller: Caller, entries: Sequence[Entry], *, now: datetime) -> None:
    """Put dismissed entries back into the queue."""
    caller.require(Permission.FINDINGS_TRIAGE)
    for row in _rows(session, caller, entries, dismissed=True):
        session.execute(
            text(_TAKE_BACK),
            {
                "organization_id": caller.organization_id,
                "vulnerability_id": row.vulnerability_id,
                "component_id": row.component_id,
            },
        )
        _log(session, caller, "possibly_affected.restored", row, {}, now)


def _log(
    session: Session, caller: Caller, action: str, row: QueueRow, more: dict[str, str], now: datetime
) -> None:
    detail = {"vulnerability": row.vulnerability, "software": row.component_name, **more}
    record(session, caller, action, f"vulnerability:{row.vulnerability_id}", detail, now=now)


def _rows(session: Session, caller: Caller, entries: Sequence[Entry], *, dismissed: bool) -> list[QueueRow]:
    """Give the entries; NotFound when the organization lacks one of them, so that all are decided or none."""
    if not 0 < len(entries) <= LARGEST_PAGE:
        raise InvalidInput(
            f"Nothing was decided: {len(entries):,} entries were chosen, and it takes 1 to {LARGEST_PAGE:,}.",
            hint="Tick what the decision is about. Nothing was changed.",
            fields={"entry": f"1 to {LARGEST_PAGE:,}"},
        )
    numbers = {
        row.name: row.id
        for row in session.execute(
            text("select name, coalesce(same_as_id, id) as id from vulnerability where name = any(:names)"),
            {"names": [name for name, _ in entries]},
        )
    }
    wanted = {(numbers[name], component): name for name, component in entries if name in numbers}
    rows, _ = list_possible(
        session, caller.organization_id, entries=list(wanted), dismissed=dismissed, limit=LARGEST_PAGE
    )
    found = {(row.vulnerability_id, row.component_id) for row in rows}
    for name, component in entries:
        if (numbers.get(name), component) not in found:
            raise NotFound(
                f"{name[:100]} and software {component} are no "
                f"{'dismissed' if dismissed else 'open'} entry of the queue.",
                hint="It may have been decided, or the software removed. Nothing was changed.",
            )
    return rows
