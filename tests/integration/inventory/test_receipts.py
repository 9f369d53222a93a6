"""The door of reports: idempotent, strict, and nothing stored of what is refused."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.domain.errors import Conflict, InvalidInput
from sentrikat.infra.clock import FrozenClock
from sentrikat.inventory.ingest import IngestResult
from sentrikat.inventory.jobs import ingest_report
from sentrikat.inventory.receipts import accept
from tests.integration.inventory.conftest import NOON, Estate, deb, debs

CONTRACT = Path(__file__).parents[3] / "contracts" / "agent-report"
SBOM = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.6",
    "metadata": {"component": {"type": "application", "name": "shop"}},
    "components": [
        {"type": "library", "name": "django", "version": "4.2.1", "purl": "pkg:pypi/django@4.2.1"},
        {"type": "file", "name": "/etc/passwd"},
    ],
}


def jobs(estate: Estate) -> int:
    """Count the ingest jobs, as the owner of the queue: neither role may read it."""
    with estate.database.engine.connect() as connection:
        query = text("select count(*) from procrastinate_jobs where task_name = 'ingest_report'")
        return int(connection.execute(query).scalar_one())


def test_nothing_is_stored_of_reports_that_are_refused(estate: Estate) -> None:
    for name in orjson.loads((CONTRACT / "bad" / "manifest.json").read_bytes()):
        with pytest.raises(InvalidInput):
            estate.deliver((CONTRACT / "bad" / f"{name}.json").read_bytes())

    assert estate.rows("select count(*) from receipt") == [(0,)]


def test_the_same_report_again_gets_its_first_receipt_and_no_second_job(estate: Estate) -> None:
    body = orjson.dumps(estate.report(debs(3)))
    before = jobs(estate)

    first = estate.deliver(body)
    second = estate.deliver(body, at=NOON + timedelta(days=1))

    assert first == second
    assert jobs(estate) == before + 1


def test_other_content_under_a_known_report_id_is_refused(estate: Estate) -> None:
    report = estate.report(debs(3))
    estate.deliver(report)

    with pytest.raises(Conflict) as refused:
        estate.deliver(report | {"software": []})

    assert refused.value.code == "report_id_reused"
    assert estate.rows("select count(*) from receipt") == [(1,)]


def test_the_report_is_kept_byte_for_byte(estate: Estate) -> None:
    body = b" " + orjson.dumps(estate.report(debs(3))) + b"\n"
    receipt_id = estate.deliver(body)

    ((kept,),) = estate.rows("select body from receipt where id = :id", id=receipt_id)
    assert zlib.decompress(kept) == body


def test_a_report_delivered_many_times_at_once_has_one_receipt(estate: Estate) -> None:
    body = orjson.dumps(estate.report(debs(3)))
    receipts: list[int] = []
    together = threading.Barrier(5)

    def deliver() -> None:
        together.wait()
        receipts.append(estate.deliver(body))

    run_together(deliver, times=5)

    assert len(receipts) == 5
    assert len(set(receipts)) == 1


def test_organizations_may_use_the_same_report_id_and_host_name(
    new_organization: Callable[[str], Estate],
) -> None:
    north, south = new_organization("north"), new_organization("south")
    one = north.send([deb("bash", "1.0")])
    two = south.send([deb("bash", "2.0")])

    assert one.asset_id != two.asset_id
    assert north.installed(one.asset_id) == {"bash": "1.0"}


def test_an_sbom_is_filed_under_its_subject_and_says_what_it_left_out(estate: Estate) -> None:
    receipt_id = estate.deliver(orjson.dumps(SBOM))
    result = estate.take_in(receipt_id)

    assert estate.installed(result.asset_id) == {"django": "4.2.1"}
    assert estate.rows("select hostname from asset") == [("shop",)]
    assert estate.receipt(receipt_id)[1] == "files left out: 1"


def test_one_sbom_filed_under_two_names_is_two_assets(estate: Estate) -> None:
    one = estate.take_in(estate.deliver(orjson.dumps(SBOM), hint="shop-1"))
    two = estate.take_in(estate.deliver(orjson.dumps(SBOM), hint="shop-2"))

    assert one.asset_id != two.asset_id


def test_an_sbom_of_a_host_with_an_agent_is_refused(estate: Estate) -> None:
    estate.send(debs(5), "web1")

    with pytest.raises(Conflict) as refused:
        estate.deliver(orjson.dumps(SBOM), hint="web1")

    assert refused.value.code == "host_has_agent"


def test_a_later_sbom_replaces_the_earlier_one(estate: Estate) -> None:
    estate.take_in(estate.deliver(orjson.dumps(SBOM)))
    newer = {**SBOM, "components": [{"type": "library", "name": "django", "purl": "pkg:pypi/django@5.0"}]}
    result = estate.take_in(estate.deliver(orjson.dumps(newer), at=NOON + timedelta(hours=4)))

    assert estate.installed(result.asset_id) == {"django": "5.0"}


# -- at the same time --


def run_together(work: Callable[[], None], *, times: int) -> None:
    failures: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=guarded) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failures == []


def take_in_together(estate: Estate, receipts: list[int]) -> list[IngestResult]:
    results: list[IngestResult] = []
    waiting = list(receipts)
    together = threading.Barrier(len(receipts))

    def take_in() -> None:
        receipt_id = waiting.pop()
        together.wait()
        results.append(estate.take_in(receipt_id))

    run_together(take_in, times=len(receipts))
    return results


def test_reports_of_one_new_host_at_the_same_time_make_one_asset(estate: Estate) -> None:
    receipts = [estate.deliver(estate.report(debs(40))) for _ in range(4)]

    results = take_in_together(estate, receipts)

    assert len({result.asset_id for result in results}) == 1
    assert len(estate.installed(results[0].asset_id)) == 40


def test_the_same_new_software_on_many_hosts_at_once_is_stored_once(estate: Estate) -> None:
    """Every report wants to insert the same components; their order of locking keeps them from a deadlock."""
    receipts = []
    for number in range(4):
        packages = debs(200)
        receipts.append(
            estate.deliver(estate.report(packages[number * 50 :] + packages[: number * 50], f"h{number}"))
        )

    results = take_in_together(estate, receipts)

    assert estate.rows("select count(*) from component where kind = 'deb'") == [(200,)]
    new = [component for result in results for component in result.new_component_ids]
    assert len(new) == len(set(new)) == 201  # each is new to exactly one report
    assert all(len(estate.installed(result.asset_id)) == 200 for result in results)


def test_one_receipt_taken_in_twice_at_once_is_taken_in_once(estate: Estate) -> None:
    receipt_id = estate.deliver(estate.report(debs(40)))

    results = take_in_together(estate, [receipt_id, receipt_id])

    assert sorted(result.changed for result in results) == [False, True]
    assert estate.rows("select count(*) from install") == [(41,)]


# -- the job --


def test_the_job_lets_its_follower_work_in_the_same_transaction(estate: Estate, clock: FrozenClock) -> None:
    receipt_id = estate.deliver(estate.report(debs(3)))

    def broken(_session: Session, result: IngestResult) -> None:
        raise RuntimeError(f"after {len(result.new_component_ids)} components")

    with pytest.raises(RuntimeError, match="after 4 components"):
        ingest_report(estate.database, clock, receipt_id=receipt_id, then=broken)

    assert estate.receipt(receipt_id)[0] == "received"
    assert estate.rows("select count(*) from install") == [(0,)]


def test_the_job_has_no_follower_for_an_unchanged_report(estate: Estate, clock: FrozenClock) -> None:
    estate.send(debs(3))
    receipt_id = estate.deliver(estate.report(debs(3)))

    def never(_session: Session, _result: IngestResult) -> None:
        pytest.fail("nothing changed")

    ingest_report(estate.database, clock, receipt_id=receipt_id, then=never)

    assert estate.receipt(receipt_id)[0] == "unchanged"


def test_a_stored_report_that_can_no_longer_be_read_fails_once_and_says_why(
    estate: Estate, clock: FrozenClock
) -> None:
    receipt_id = estate.deliver(estate.report(debs(3)))
    with estate.database.as_system() as session:
        session.execute(
            text("update receipt set body = :body where id = :id"),
            {"body": zlib.compress(b'{"report_id": 1}'), "id": receipt_id},
        )

    ingest_report(estate.database, clock, receipt_id=receipt_id, then=lambda _session, _result: None)

    status, detail = estate.receipt(receipt_id)
    assert status == "failed"
    assert "was not accepted: hostname is missing (6 problems in all)" in (detail or "")


def test_an_organization_cannot_accept_a_report_for_another(
    new_organization: Callable[[str], Estate],
) -> None:
    north, south = new_organization("north"), new_organization("south")
    body = orjson.dumps(north.report(debs(1)))

    with (
        pytest.raises(Exception, match="row-level security"),
        north.database.as_organization(north.organization_id) as session,
    ):
        accept(session, south.organization_id, body, now=NOON)
