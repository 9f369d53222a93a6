"""What was open on a past day is answered from the findings' own dates."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import text

from sentrikat.findings.queries import FindingFilters, list_findings
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database.sessions import Database


def test_a_past_day_shows_what_was_open_then(database: Database, clock: FrozenClock) -> None:
    opened, closed = clock.now() - timedelta(days=10), clock.now() - timedelta(days=5)
    with database.as_system() as session:
        organization = session.execute(
            text("insert into organization (slug, name, created_at) values ('o', 'O', :now) returning id"),
            {"now": opened},
        ).scalar_one()
        asset = session.execute(
            text(
                "insert into asset (organization_id, hostname, os_family, os, first_seen_at, last_report_at)"
                " values (:o, 'h', 'linux', '{}', :now, :now) returning id"
            ),
            {"o": organization, "now": opened},
        ).scalar_one()
        component = session.execute(
            text(
                "insert into component (identity, kind, namespace, name, version)"
                " values ('x', 'deb', 'debian:12', 'openssl', '1') returning id"
            )
        ).scalar_one()
        flaw = session.execute(
            text("insert into vulnerability (name) values ('CVE-2026-1') returning id")
        ).scalar_one()
        session.execute(
            text(
                "insert into finding (organization_id, asset_id, component_id, vulnerability_id, match_id, verdict,"
                " opened_at, closed_at, close_reason) values (:o, :a, :c, :v, 0, 'affected', :opened, :closed, 'upgraded')"
            ),
            {"o": organization, "a": asset, "c": component, "v": flaw, "opened": opened, "closed": closed},
        )

        def count(days_ago: int) -> int:
            moment = clock.now() - timedelta(days=days_ago)
            return list_findings(session, organization, FindingFilters(as_of=moment)).total

        assert count(11) == 0  # not yet there
        assert count(7) == 1
        assert count(1) == 0  # repaired by then
