"""An organization, and short ways to send reports and to see what they did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import text

from sentrikat.infra.database.sessions import Database
from sentrikat.inventory.ingest import IngestResult, ingest
from sentrikat.inventory.receipts import accept

NOON = datetime(2026, 6, 2, 12, tzinfo=UTC)
DEBIAN = {"family": "linux", "name": "debian", "version": "12", "arch": "x86_64"}


def deb(name: str, version: str = "1.0-1", source: str | None = None) -> dict[str, str]:
    return {"type": "deb", "name": name, "version": version, "source_name": source or name}


def debs(count: int, *, start: int = 0, version: str = "1.0-1") -> list[dict[str, str]]:
    return [deb(f"package-{number:03}", version) for number in range(start, start + count)]


@dataclass
class Estate:
    """One organization's machines, as their reports make them."""

    database: Database
    organization_id: int
    sent: int = 0

    def report(self, software: list[dict[str, str]], host: str = "web1", **changed: Any) -> dict[str, Any]:
        """A complete report of a Debian 12 host, collected one minute after the one before."""
        self.sent += 1
        report: dict[str, Any] = {
            "report_id": f"report-{self.sent}",
            "agent_id": f"agent-{host}",
            "hostname": host,
            "machine_id": f"machine-{host}",
            "os": DEBIAN,
            "collected_at": (NOON + timedelta(minutes=self.sent)).isoformat(),
            "complete": True,
            "software": software,
        }
        report |= changed
        return {key: value for key, value in report.items() if value is not None}

    def deliver(
        self, body: bytes | dict[str, Any], *, at: datetime | None = None, hint: str | None = None
    ) -> int:
        """Send a report as its agent would; give the receipt."""
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        at = at or NOON + timedelta(hours=1, minutes=self.sent)
        with self.database.as_organization(self.organization_id) as session:
            return accept(session, self.organization_id, raw, now=at, asset_hint=hint).id

    def take_in(self, receipt_id: int) -> IngestResult:
        """Take a delivered report in, as the worker would."""
        with self.database.as_system() as session:
            return ingest(session, receipt_id, now=NOON + timedelta(hours=2))

    def send(self, software: list[dict[str, str]], host: str = "web1", **changed: Any) -> IngestResult:
        """Deliver a report and take it in."""
        return self.take_in(self.deliver(self.report(software, host, **changed)))

    def installed(self, asset_id: int) -> dict[str, str | None]:
        """What is installed on an asset now: name and version, without the operating system."""
        rows = self.rows(
            "select c.name, c.version from install i join component c on c.id = i.component_id"
            " where i.asset_id = :asset and i.removed_at is null and c.kind <> 'os' order by c.name, c.version",
            asset=asset_id,
        )
        return {name: version for name, version in rows}  # noqa: C416  # rows are no pairs to dict()

    def rows(self, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """Rows of a query that sees everything."""
        with self.database.as_system() as session:
            return [tuple(row) for row in session.execute(text(query), parameters)]

    def receipt(self, receipt_id: int) -> tuple[str, str | None]:
        """Status and detail of a receipt."""
        ((status, detail),) = self.rows("select status, detail from receipt where id = :id", id=receipt_id)
        return status, detail


@pytest.fixture
def new_organization(database: Database) -> Callable[[str], Estate]:
    """Make an organization."""

    def make(slug: str) -> Estate:
        with database.as_system() as session:
            organization_id = session.execute(
                text(
                    "insert into organization (slug, name, created_at) values (:slug, :slug, :now) returning id"
                ),
                {"slug": slug, "now": NOON},
            ).scalar_one()
        return Estate(database, organization_id)

    return make


@pytest.fixture
def estate(new_organization: Callable[[str], Estate]) -> Estate:
    """An organization without machines."""
    return new_organization("north")
