"""A bundle that one person brought is looked at, approved or rejected by another, in the browser and over the API."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from sentrikat.app import create_app
from sentrikat.domain.permissions import COMMAND_LINE, INSTALLATION_ADMINISTRATOR, Caller
from sentrikat.feeds.registry import feed
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database.sessions import Database
from sentrikat.infra.settings import Settings
from sentrikat.reactions import run_bundle
from sentrikat.vulnerabilities.bundle_export import export_bundle, keyring_of
from sentrikat.vulnerabilities.bundle_import import offered, stage
from sentrikat.vulnerabilities.bundle_trust import pin
from tests.builders import rows
from tests.flows.estate import Estate
from tests.flows.test_feed_decisions import installation_administrator, queued, signed_in
from tests.integration.vulnerabilities.small_internet import everything, serving


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """An installation that asks for two persons; the worker's jobs read the environment."""
    monkeypatch.setenv("SENTRIKAT_DATA_DIR", str(tmp_path / "data"))
    with serving(everything()) as internet:
        yield Settings(data_dir=tmp_path / "data", feed_base_url=internet.url, bundle_two_persons=True)


@pytest.fixture
def client(database: Database, clock: FrozenClock, settings: Settings) -> Iterator[TestClient]:
    app = create_app(settings, database.url, clock=clock)
    with TestClient(app, base_url="http://testserver", follow_redirects=False) as started:
        yield started


@pytest.fixture
def brought(
    database: Database, clock: FrozenClock, estate: Estate, settings: Settings, tmp_path: Path
) -> int:
    """A bundle that `admin` brought; its number."""
    ring = keyring_of(settings)
    ring.create("Example connected site", clock.now())
    with database.as_system() as session:
        chain, key = ring.roots_file.read_bytes(), ring.root().keys[0].id
        pin(session, COMMAND_LINE, chain, fingerprint=key, now=clock.now())
    path = tmp_path / "feeds.bundle"
    export_bundle(database, settings, clock, COMMAND_LINE, path, [feed("metasploit")])
    admin = Caller(0, f"user:{estate.users['admin']}", INSTALLATION_ADMINISTRATOR)
    with offered(database, admin, path, clock) as offer:
        return stage(database, settings, admin, offer, clock)


def state_of(database: Database, number: int) -> tuple[str, bool, bool]:
    (found,) = rows(
        database,
        "select state, file is not null, decided_by is not null from bundle_import where id = :id",
        id=number,
    )
    return found[0], found[1], found[2]


def staged(settings: Settings) -> list[Path]:
    return list((settings.data_dir / "bundles").iterdir())


def test_a_second_person_approves_and_a_worker_takes_it_in(
    client: TestClient,
    database: Database,
    clock: FrozenClock,
    estate: Estate,
    settings: Settings,
    brought: int,
) -> None:
    form = {"bundle": str(brought), "decision": "approve"}
    token = signed_in(client, database, clock, estate, "admin")
    own = client.get("/bundles").text
    assert "You brought it" in own
    assert "Approve: take it in" not in own
    alone = client.post("/bundles/decision", data={"csrf_token": token, **form})
    assert alone.status_code == 409
    assert "a second person decides" in alone.text

    token = installation_administrator(client, database, clock, estate)
    assert "1 bundle waits for a second person" in client.get("/feeds").text
    shown = client.get("/bundles").text
    (digest,) = rows(database, "select sha256 from bundle_import where id = :id", id=brought)[0]
    for words in ("Example connected site", "admin", digest, f"{staged(settings)[0].stat().st_size:,}"):
        assert words in shown, words
    assert client.post("/bundles/decision", data=form).status_code == 403  # no token
    assert queued(database, "import_bundle") == []

    answer = client.post("/bundles/decision", data={"csrf_token": token, **form})
    assert (answer.status_code, answer.headers["location"]) == (303, "/bundles?asked=approve")
    assert client.post("/bundles/decision", data={"csrf_token": token, **form}).status_code == 409  # once
    assert "Approved, waits for a worker" in client.get("/bundles").text
    (job,) = queued(database, "import_bundle")
    run_bundle(database, **job)

    assert state_of(database, brought) == ("imported", False, True)
    assert staged(settings) == []
    assert "Taken in" in client.get("/bundles").text
    assert rows(
        database, "select outcome from feed_run where feed = 'metasploit' and transport = 'bundle'"
    ) == [("succeeded",)]
    said = rows(
        database,
        "select action, actor from audit_entry where action like 'bundle.%' and organization_id = 0 order by id",
    )
    first, second = (f"user:{estate.users[who]}" for who in ("admin", "administrator"))
    assert [one for one in said if one[0] in ("bundle.offered", "bundle.approved", "bundle.imported")] == [
        ("bundle.offered", first),
        ("bundle.approved", second),
        ("bundle.imported", second),
    ]
    run_bundle(database, **job)  # twice is as once
    assert state_of(database, brought) == ("imported", False, True)


def test_a_file_that_was_changed_is_not_taken_in_and_says_so(
    client: TestClient,
    database: Database,
    clock: FrozenClock,
    estate: Estate,
    settings: Settings,
    brought: int,
) -> None:
    headers = {"X-CSRF-Token": installation_administrator(client, database, clock, estate)}
    (listed, *_) = client.get("/api/v1/bundles").json()["items"]
    assert (listed["id"], listed["waits"], listed["may_approve"], listed["offered_by"]) == (
        brought,
        True,
        True,
        "admin",
    )
    assert [one["feed"] for one in listed["holds"]] == ["metasploit"]
    approved = client.post(f"/api/v1/bundles/{brought}/approve", headers=headers)
    assert (approved.status_code, approved.json()) == (202, {"under_way": True})

    (file,) = staged(settings)
    file.write_bytes(file.read_bytes()[:-100])
    run_bundle(database, **queued(database, "import_bundle")[-1])

    assert state_of(database, brought) == ("pending", True, False)
    assert "not taken in." in client.get("/bundles").text
    assert client.post(f"/api/v1/bundles/{brought}/reject", headers=headers).json() == {"under_way": False}
    assert state_of(database, brought) == ("rejected", False, True)
    assert staged(settings) == []
    # One chain of the installation has them all, whichever organization the second person looked at.
    assert rows(
        database, "select distinct organization_id from audit_entry where action like 'bundle.%'"
    ) == [(0,)]
    gone = client.post(f"/api/v1/bundles/{brought}/reject", headers=headers)
    assert gone.status_code == 404


def test_a_bundle_brought_again_by_the_approver_waits_for_somebody_else(
    client: TestClient,
    database: Database,
    clock: FrozenClock,
    estate: Estate,
    settings: Settings,
    brought: int,
    tmp_path: Path,
) -> None:
    """Else one person could bring the file after their own approval of another's."""
    headers = {"X-CSRF-Token": installation_administrator(client, database, clock, estate)}
    assert client.post(f"/api/v1/bundles/{brought}/approve", headers=headers).status_code == 202
    second = Caller(0, f"user:{estate.users['administrator']}", INSTALLATION_ADMINISTRATOR)
    with offered(database, second, tmp_path / "feeds.bundle", clock) as offer:
        stage(database, settings, second, offer, clock)

    run_bundle(database, **queued(database, "import_bundle")[-1])

    assert state_of(database, brought) == ("pending", True, False)
    (listed, *_) = client.get("/api/v1/bundles").json()["items"]
    assert (listed["waits"], listed["may_approve"]) == (True, False)


def test_whoever_does_not_manage_the_installation_sees_no_bundles(
    client: TestClient, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    signed_in(client, database, clock, estate, "analyst")

    assert client.get("/bundles").status_code == 403
    assert client.get("/api/v1/bundles").status_code == 403
    assert "/bundles" not in client.get("/feeds").text
