"""What an administrator decides about a feed in the browser and over the API, and who may not."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy import text

from sentrikat.feeds.registry import feed
from sentrikat.feeds.transports.memory import DictTransport
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database.sessions import Database
from sentrikat.reactions import following, run_approval, run_rollback
from sentrikat.vulnerabilities.run import run_feed
from tests.builders import advisory, publish, rows, statement
from tests.flows.estate import Estate, session_of

# The furnished database is shared by the tests, so each holds a run of a feed of its own.
FLAWS = [
    advisory(f"CVE-2026-8{n:03}", statement("pypi", "anvil", fixed="2.0"), source="alpine")
    for n in range(100)
]


def hold(database: Database, clock: FrozenClock, name: str) -> int:
    """Let a feed lose most of its records; give the number of the run that is held."""
    flaws = [replace(one, source=name) for one in FLAWS]
    publish(database, clock, name, *flaws, complete=True)
    clock.advance(timedelta(hours=1))
    assert publish(database, clock, name, *flaws[:40], complete=True).outcome == "held"
    return int(rows(database, "select feed_run_id from feed_candidate where feed = :feed", feed=name)[0][0])


def hold_catalog(database: Database, clock: FrozenClock) -> int:
    """Let CISA's catalog, as it is published, lose most of its entries; give the number of the run that is held."""
    outcomes = []
    for count in (100, 40):
        clock.advance(timedelta(hours=1))
        entries = [
            {
                "cveID": f"CVE-2026-8{n:03}",
                "dateAdded": "2026-06-01",
                "dueDate": "2026-06-22",
                "requiredAction": "Update.",
            }
            for n in range(count)
        ]
        catalog = {"dateReleased": clock.now().isoformat(), "count": count, "vulnerabilities": entries}
        transport = DictTransport({feed("kev").sources[0]: json.dumps(catalog).encode()})
        accepted = "cli" if count == 100 else None  # the catalog of the estate is another one
        done = run_feed(database, feed("kev"), transport, clock, after=following(clock), accepted_by=accepted)
        outcomes.append(done.outcome)
    assert outcomes == ["succeeded", "held"]
    return int(rows(database, "select feed_run_id from feed_candidate where feed = 'kev'")[0][0])


def queued(database: Database, task: str) -> list[dict[str, Any]]:
    """The arguments of the jobs of a kind that wait, which the roles may not read."""
    with database.engine.connect() as connection:
        query = text("select args from procrastinate_jobs where task_name = :task")
        return list(connection.execute(query, {"task": task}).scalars())


def signed_in(client: TestClient, database: Database, clock: FrozenClock, estate: Estate, who: str) -> str:
    """Sign somebody in; give the token of their forms."""
    client.cookies.set("sentrikat_session", session_of(database, clock, estate, who))
    return str(client.get("/api/v1/me").json()["csrf_token"])


def installation_administrator(
    client: TestClient, database: Database, clock: FrozenClock, estate: Estate
) -> str:
    with database.as_system() as session:
        session.execute(
            text("update user_account set installation_admin = true where login = 'administrator'")
        )
    return signed_in(client, database, clock, estate, "administrator")


def test_a_held_run_is_shown_on_every_page_and_approved_by_a_button(
    client: TestClient, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    held = hold_catalog(database, clock)
    token = installation_administrator(client, database, clock, estate)
    assert "An update waits for approval" in client.get("/assets").text
    shown = client.get("/feeds/kev").text
    assert f"Run {held} is held" in shown
    assert "60 of 100 records would be withdrawn" in shown

    form = {"csrf_token": token, "feed": "kev", "decision": "approve", "run": str(held)}
    answer = client.post("/feeds/decision", data=form, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/feeds/kev?asked=approve")
    assert "it goes live with the next free worker" in client.get("/feeds/kev").text
    assert queued(database, "approve_feed") == [{"name": "kev", "run_id": held}]
    run_approval(database, name="kev", run_id=held)

    assert rows(database, "select count(*) from enrichment where source = 'kev' and valid_to is null") == [
        (40,)
    ]
    assert rows(database, "select organization_id, action from audit_entry where action like 'feed.%'") == [
        (0, "feed.approved")
    ]
    # Roll it back again, by the button of the first run.
    (first,) = re.findall(
        r'name="decision" value="rollback"><input type="hidden" name="run" value="(\d+)"',
        client.get("/feeds/kev").text,
    )
    answer = client.post(
        "/feeds/decision", data={**form, "decision": "rollback", "run": first}, follow_redirects=False
    )
    assert answer.status_code == 303
    (arguments,) = queued(database, "roll_back_feed")
    run_rollback(database, **arguments)
    assert rows(database, "select count(*) from enrichment where source = 'kev' and valid_to is null") == [
        (100,)
    ]
    assert "Rolled back, not updated" in client.get("/assets").text

    answer = client.post(
        "/feeds/decision", data={**form, "decision": "release", "run": ""}, follow_redirects=False
    )
    assert answer.status_code == 303
    assert rows(database, "select rolled_back_at from feed where name = 'kev'") == [(None,)]


def test_the_api_decides_the_same_and_lists_the_runs(
    client: TestClient, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    held = hold(database, clock, "almalinux")
    headers = {"X-CSRF-Token": installation_administrator(client, database, clock, estate)}
    shown = next(one for one in client.get("/api/v1/feeds").json()["items"] if one["name"] == "almalinux")
    assert (shown["state"], shown["held"]["run_id"]) == ("held", held)

    wrong = client.post("/api/v1/feeds/almalinux/reject", json={"run_id": held + 1}, headers=headers)
    assert wrong.status_code == 409
    done = client.post("/api/v1/feeds/almalinux/reject", json={"run_id": held}, headers=headers)
    assert (done.status_code, done.json()) == (202, {"under_way": False})

    runs = client.get("/api/v1/feeds/almalinux/runs").json()["items"]
    assert [run["outcome"] for run in runs] == ["rejected", "succeeded"]
    assert client.post("/api/v1/feeds/almalinux/rollback", headers=headers).status_code == 409


def test_nobody_else_decides_and_no_foreign_form_does(
    client: TestClient, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    held = hold(database, clock, "amazon")
    token = signed_in(client, database, clock, estate, "manager")
    form = {"feed": "amazon", "decision": "approve", "run": str(held)}
    assert client.post("/feeds/decision", data={**form, "csrf_token": token}).status_code == 403
    assert "An administrator of the installation decides" in client.get("/feeds/amazon").text

    token = installation_administrator(client, database, clock, estate)
    assert client.post("/feeds/decision", data=form).status_code == 403
    bad = {**form, "decision": "burn", "csrf_token": token}
    assert client.post("/feeds/decision", data=bad).status_code == 422
    assert rows(database, "select decision from feed_candidate where feed = 'amazon'") == [(None,)]
