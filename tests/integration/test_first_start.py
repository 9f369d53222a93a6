"""What the first start takes in stands as if people had done it: prices follow what is known of an asset."""

from __future__ import annotations

import orjson
import pytest
from sqlalchemy import text

from sentrikat.domain.advisory import DecisionPoints, Enrichment
from sentrikat.findings.prioritize import prioritize_all
from sentrikat.first_start import _take_in
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database.sessions import Database
from tests.builders import DEBIAN_12, NOON, advisory, deb, new_organization, publish, rows, statement

FLAW = "CVE-2026-1001"


@pytest.mark.parametrize("exposure", ["public", "internal", None])
def test_a_sample_machine_is_priced_by_its_exposure(
    database: Database, clock: FrozenClock, exposure: str | None
) -> None:
    publish(database, clock, "debian", advisory(FLAW, statement("debian:12", "anvil", fixed="2.0-1")))
    points = DecisionPoints("none", automatable=False, technical_impact="total")
    publish(database, clock, "vulnrichment", Enrichment("vulnrichment", FLAW, decision_points=points))
    body = {
        "report_id": "sample-1",
        "agent_id": "sample",
        "hostname": "sample",
        "os": DEBIAN_12,
        "collected_at": NOON.isoformat(),
        "complete": True,
        "software": [deb("anvil", "1.0-1")],
    }

    assert _take_in(database, new_organization(database), orjson.dumps(body), exposure=exposure)

    assert rows(database, "select exposure from asset") == [(exposure or "unknown",)]
    outcomes = {"internal": "next_upgrade", "public": "14_days", None: "14_days"}
    assert rows(database, "select outcome from finding") == [(outcomes[exposure],)]
    with database.as_system() as session:
        assert prioritize_all(session, now=NOON, cause="policy") == 0
        told = session.scalar(text("select count(*) from audit_entry where action = 'asset.changed'"))
    assert told == (0 if exposure is None else 1)
