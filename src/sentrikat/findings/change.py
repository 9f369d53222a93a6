"""What a change of knowledge does to findings, measured within its transaction: for the look before it goes live."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.findings.reconcile import Reconciled
from sentrikat.vulnerabilities.canary import FEWEST_FINDINGS, FindingsChange

_BEFORE = """
create temporary table pair_before on commit drop as
select component_id, vulnerability_id from (select distinct component_id, vulnerability_id from changed_match) s
where exists (
    select from finding f where f.component_id = s.component_id and f.vulnerability_id = s.vulnerability_id
      and f.closed_at is null)
"""

_MOVED = """
with now_open as (
    select component_id, vulnerability_id from (select distinct component_id, vulnerability_id from changed_match) s
    where exists (
        select from finding f where f.component_id = s.component_id and f.vulnerability_id = s.vulnerability_id
          and f.closed_at is null)
), opened as (
    select * from now_open except select * from pair_before
), closed as (
    select * from pair_before except select * from now_open
)
select (select count(*) from opened) as opened, (select count(*) from closed) as closed,
    (select count(*) from (select * from opened union all select * from closed) m
        join vulnerability v on v.id = m.vulnerability_id and coalesce(v.exploited_since, v.enisa_exploited_since) is not null) as exploited
"""

# A mark that came without a statement moves no finding, but people want to know how many it is about.
_MARKED = """
select count(distinct (f.component_id, f.vulnerability_id)) from newly_exploited n
join finding f on f.vulnerability_id = n.vulnerability_id and f.closed_at is null
"""


def remember_pairs(session: Session) -> None:
    """Note which pairs of component and flaw in `changed_match` have open findings, before they are reconciled."""
    session.execute(text("analyze changed_match"))
    session.execute(text(_BEFORE))


def pairs_moved(session: Session, reconciled: Reconciled) -> FindingsChange:
    """Say what reconciling did, since `remember_pairs`."""
    row = session.execute(text(_MOVED)).one()
    before = None
    if reconciled.opened + reconciled.closed >= FEWEST_FINDINGS:
        after = session.scalar(text("select count(*) from finding where closed_at is null")) or 0
        before = after - reconciled.opened + reconciled.closed
    return FindingsChange(
        opened=reconciled.opened,
        closed=reconciled.closed,
        pairs_opened=row.opened,
        pairs_closed=row.closed,
        exploited=row.exploited,
        open_before=before,
    )


def newly_marked(session: Session) -> int:
    """Give how many pairs with open findings became known to be exploited."""
    return session.scalar(text(_MARKED)) or 0
