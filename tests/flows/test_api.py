"""The API as a program sees it: every answer is held against the model that describes it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response
from pydantic import BaseModel
from sqlalchemy import text

from sentrikat.api import assets, audit, feeds, findings, keys, me, possible, reports, vulnerabilities
from sentrikat.api.problems import Problem
from sentrikat.domain.permissions import KEY_SCOPES, Permission
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database
from tests.flows.estate import DEBIAN_12, WEB_03, Estate, key, session_of


def held(answer: Response, model: type[BaseModel], status: int = 200) -> dict[str, Any]:
    """The answer's JSON, once it fits its model."""
    assert answer.status_code == status, answer.text
    model.model_validate(answer.json())
    found: dict[str, Any] = answer.json()
    return found


def problem(answer: Response, status: int) -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return held(answer, Problem, status)


@pytest.fixture
def api(client: TestClient, database: Database, clock: FrozenClock, estate: Estate) -> TestClient:
    """A program with a key for everything a key can do."""
    made = key(database, clock, estate, *KEY_SCOPES)
    client.headers["Authorization"] = f"Bearer {made.secret}"
    return client


def a_report(hostname: str = "new-01", **changes: object) -> dict[str, Any]:
    return {
        "report_id": f"report-of-{hostname}",
        "agent_id": f"agent-{hostname}",
        "hostname": hostname,
        "os": DEBIAN_12,
        "collected_at": "2026-06-02T11:00:00Z",
        "complete": True,
        "software": WEB_03,
        **changes,
    }


def test_a_report_is_received_kept_and_queued(api: TestClient, database: Database) -> None:
    first = api.post("/api/v1/agent/reports", json=a_report())
    again = api.post("/api/v1/agent/reports", json=a_report())

    receipt = held(first, reports.ReceiptAnswer, 202)
    assert receipt["status"] == "received"
    assert held(again, reports.ReceiptAnswer, 202)["id"] == receipt["id"]
    assert held(api.get(first.headers["Location"]), reports.ReceiptAnswer)["report_id"] == "report-of-new-01"
    with database.engine.connect() as connection:
        queued = "select count(*) from procrastinate_jobs where task_name like '%ingest_report' and (args->>'receipt_id')::int = :id"
        assert connection.execute(text(queued), {"id": receipt["id"]}).scalar_one() == 1


def test_other_content_under_a_known_report_id_is_a_conflict(api: TestClient) -> None:
    api.post("/api/v1/agent/reports", json=a_report())

    answer = api.post("/api/v1/agent/reports", json=a_report(software=[]))

    assert problem(answer, 409)["code"] == "report_id_reused"


def test_a_report_may_be_compressed(api: TestClient) -> None:
    body = gzip.compress(json.dumps(a_report("packed-01")).encode())

    answer = api.post("/api/v1/agent/reports", content=body, headers={"Content-Encoding": "gzip"})

    held(answer, reports.ReceiptAnswer, 202)


def test_a_cyclonedx_document_is_filed_under_the_host_that_is_named(api: TestClient) -> None:
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "components": [
            {"type": "library", "name": "django", "version": "4.2", "purl": "pkg:pypi/django@4.2"}
        ],
    }
    answer = api.post(
        "/api/v1/agent/reports?asset=shop",
        content=json.dumps(document),
        headers={"Content-Type": "application/vnd.cyclonedx+json"},
    )

    receipt = held(answer, reports.ReceiptAnswer, 202)
    assert (receipt["form"], receipt["asset_hint"]) == ("cyclonedx", "shop")


BOMB = gzip.compress(bytes(40 * 1024 * 1024))


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"{", {}, 422, None),  # cut off
        (b"\xff\xfe", {}, 422, None),  # not UTF-8
        (b"", {}, 422, None),
        (b"[]", {}, 422, None),
        (json.dumps(a_report(complete="yes")).encode(), {}, 422, None),  # wrong type
        (json.dumps({**a_report(), "surprise": 1}).encode(), {}, 422, None),  # unknown field
        (BOMB, {"Content-Encoding": "gzip"}, 413, "too_large"),  # 40 kB that unpack to 40 MB
        (BOMB[:5000], {"Content-Encoding": "gzip"}, 400, "truncated"),
        (b"not gzip", {"Content-Encoding": "gzip"}, 400, "bad_gzip"),
        (b"{}", {"Content-Encoding": "br"}, 415, "unsupported_media_type"),
        (b"<bom/>", {"Content-Type": "application/vnd.cyclonedx+xml"}, 415, "unsupported_media_type"),
        (bytes(21 * 1024 * 1024), {}, 413, "too_large"),
    ],
)
def test_a_bad_report_is_refused_and_nothing_is_kept(
    api: TestClient, database: Database, body: bytes, headers: dict[str, str], status: int, code: str | None
) -> None:
    with database.as_system() as session:
        before = session.execute(text("select count(*) from receipt")).scalar_one()

    answer = api.post("/api/v1/agent/reports", content=body, headers=headers)

    if status == 422 and answer.status_code == 400:
        status = 400  # bytes that are no JSON at all
    said = problem(answer, status)
    assert code is None or said["code"] == code
    assert said["hint"]
    with database.as_system() as session:
        assert session.execute(text("select count(*) from receipt")).scalar_one() == before


def test_any_other_body_has_a_smaller_limit(api: TestClient, estate: Estate) -> None:
    url = f"/api/v1/assets/{estate.assets['web-03']}"

    answer = api.patch(
        url, content=b'{"exposure":"' + bytes(2 * 1024 * 1024), headers={"Content-Type": "application/json"}
    )

    assert problem(answer, 413)["code"] == "too_large"


def test_assets_are_listed_page_by_page(api: TestClient) -> None:
    seen: list[str] = []
    url = "/api/v1/assets?limit=1"
    for _ in range(10):
        answer = held(api.get(url), assets.Assets)
        seen += [asset["hostname"] for asset in answer["items"]]
        if answer["next_cursor"] is None:
            break
        url = f"/api/v1/assets?limit=1&cursor={answer['next_cursor']}"

    assert seen == sorted(seen)
    assert len(seen) == 3
    assert "theirs" not in seen


@pytest.mark.parametrize(
    "query",
    [
        "limit=201",  # more than a page holds
        "limit=0",
        "cursor=AAAA",
        "cursor=" + "A" * 1001,
        "surprise=1",
        "exposure=somewhat",
    ],
)
def test_a_list_cannot_be_asked_for_more_than_it_gives(api: TestClient, query: str) -> None:
    answer = api.get(f"/api/v1/assets?{query}")

    assert problem(answer, answer.status_code)["fields"]
    assert answer.status_code in {400, 422}


def test_a_cursor_of_another_list_is_refused(api: TestClient) -> None:
    cursor = held(api.get("/api/v1/assets?limit=1"), assets.Assets)["next_cursor"]

    assert problem(api.get(f"/api/v1/receipts?cursor={cursor}"), 400)["code"] == "bad_cursor"


def test_software_and_receipts_of_an_asset(api: TestClient, estate: Estate) -> None:
    asset = estate.assets["web-03"]

    found = held(api.get(f"/api/v1/assets/{asset}/software"), assets.Software)["items"]
    received = held(api.get(f"/api/v1/receipts?asset={asset}"), reports.Receipts)["items"]

    openssl = next(row for row in found if row["name"] == "openssl")
    assert openssl["binaries"] == ["libssl3"]
    assert {row["identified"] for row in found} == {"identified", "unidentified"}
    assert [row["status"] for row in received] == ["processed"]


def test_exposure_is_changed_deadlines_follow_and_the_log_says_so(
    api: TestClient, database: Database, estate: Estate
) -> None:
    asset = estate.assets["web-03"]
    due = text("select min(due_at) from finding where asset_id = :asset")
    with database.as_system() as session:
        before = session.execute(due, {"asset": asset}).scalar_one()

    change = api.patch(f"/api/v1/assets/{asset}", json={"exposure": "internal"})
    answer = held(change, assets.AssetAnswer)

    assert answer["exposure"] == "internal"
    log = held(api.get("/api/v1/audit"), audit.Entries)["items"]
    assert log[0]["action"] == "asset.changed"
    assert log[0]["detail"]["exposure"] == ["unknown", "internal"]
    assert held(api.get("/api/v1/audit/verification"), audit.Verification)["holds"]
    with database.as_system() as session:
        assert session.execute(due, {"asset": asset}).scalar_one() >= before


@pytest.mark.parametrize(
    "change",
    [
        {},  # nothing
        {"exposure": "somewhat"},
        {"criticality": 5},
        {"criticality": "2"},  # a number as text
        {"hostname": "other"},  # not for people to say
        [],
    ],
)
def test_a_change_that_means_nothing_is_refused(api: TestClient, estate: Estate, change: object) -> None:
    problem(api.patch(f"/api/v1/assets/{estate.assets['web-03']}", json=change), 422)


def test_bad_json_is_named(api: TestClient, estate: Estate) -> None:
    answer = api.patch(
        f"/api/v1/assets/{estate.assets['web-03']}",
        content=b"{",
        headers={"Content-Type": "application/json"},
    )

    assert problem(answer, 400)["code"] == "bad_json"


def test_every_feed_is_listed_loaded_or_not(api: TestClient) -> None:
    found = {row["name"]: row for row in held(api.get("/api/v1/feeds"), feeds.Feeds)["items"]}

    assert found["kev"]["state"] == "shrunken"  # a sample: a whole catalog has a thousand entries and more
    assert "a whole one has at least 1,000" in found["kev"]["problems"][0]
    assert found["osv"]["state"] == "never loaded"


def test_keys_are_made_listed_and_revoked(
    client: TestClient, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    client.cookies.set("sentrikat_session", session_of(database, clock, estate, "administrator"))
    token = held(client.get("/api/v1/me"), me.Me)["csrf_token"]
    headers = {"X-CSRF-Token": token}
    wanted = {
        "name": "agents",
        "scopes": ["agent:report"],
        "expires_at": (clock.now() + timedelta(days=1)).isoformat(),
    }

    made = held(client.post("/api/v1/api-keys", json=wanted, headers=headers), keys.MadeKey, 201)
    listed = held(client.get("/api/v1/api-keys"), keys.Keys)["items"]
    assert made["key"] not in json.dumps(listed)
    assert listed[0]["prefix"] == made["prefix"]

    mine = {"Authorization": f"Bearer {made['key']}"}
    held(client.post("/api/v1/agent/reports", json=a_report(), headers=mine), reports.ReceiptAnswer, 202)
    assert problem(client.get("/api/v1/assets", headers=mine), 403)["code"] == "key_scope"

    assert client.delete(f"/api/v1/api-keys/{made['id']}", headers=headers).status_code == 204
    assert problem(client.get("/api/v1/me", headers=mine), 401)["code"] == "key_revoked"


def test_a_cookie_alone_changes_nothing(
    client: TestClient, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    client.cookies.set("sentrikat_session", session_of(database, clock, estate, "administrator"))
    url = f"/api/v1/assets/{estate.assets['web-03']}"

    answers = [
        client.patch(url, json={"exposure": "public"}),
        client.patch(url, json={"exposure": "public"}, headers={"X-CSRF-Token": "guess"}),
    ]

    assert [problem(answer, 403)["code"] for answer in answers] == ["csrf", "csrf"]


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "key_missing"),
        ({"Authorization": "Bearer "}, "key_malformed"),
        ({"Authorization": "Basic YTpi"}, "key_malformed"),
        ({"Authorization": "Bearer sk_aaaaaaaaaa_" + "A" * 43}, "key_unknown"),
        ({"Cookie": "sentrikat_session=guess"}, "session_ended"),
    ],
)
def test_each_way_of_not_being_let_in_says_which(
    client: TestClient, headers: dict[str, str], code: str
) -> None:
    answer = client.get("/api/v1/me", headers=headers)

    assert problem(answer, 401)["code"] == code
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_health_needs_nobody(client: TestClient) -> None:
    assert client.get("/api/v1/health/live").json() == {"status": "ok"}
    assert client.get("/api/v1/health/ready").json() == {"status": "ok"}
    assert client.get("/healthz").status_code == 200


def test_an_unknown_address_and_a_wrong_method_are_problems(client: TestClient) -> None:
    assert problem(client.get("/api/v1/nothing"), 404)["code"] == "not_found"
    assert problem(client.delete("/api/v1/health/live"), 405)["code"] == "method_not_allowed"


def test_a_key_acts_only_where_it_is_from(
    client: TestClient, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    made = key(database, clock, estate, Permission.INVENTORY_READ, organization_id=estate.other)
    headers = {"Authorization": f"Bearer {made.secret}"}

    found = held(client.get("/api/v1/assets", headers=headers), assets.Assets)["items"]

    assert [row["hostname"] for row in found] == ["theirs"]
    problem(client.get(f"/api/v1/assets/{estate.assets['web-03']}", headers=headers), 404)


def test_findings_come_in_the_published_order_and_explain_themselves(api: TestClient) -> None:
    listed = held(api.get("/api/v1/findings"), findings.Findings)

    assert listed["total"] == len(listed["items"]) == 6
    assert not listed["total_is_capped"]
    first = listed["items"][0]
    assert (first["vulnerability"], first["exploited_since"]) == ("CVE-2023-5217", "2026-05-25")
    detail = held(api.get(f"/api/v1/findings/{first['id']}"), findings.FindingDetail)
    steps = [step["title"] for step in detail["explanation"]["chain"]]
    assert steps[:3] == ["Inventory", "Identity", "Statement"]
    assert "1.12.0-1 < 1.12.0-1+deb12u2" in detail["sentence"]


def test_what_a_program_holds_is_not_sent_again(api: TestClient, estate: Estate) -> None:
    path = f"/api/v1/assets/{estate.assets['web-03']}"
    first = api.get(path)
    tag = first.headers["etag"]

    again = api.get(path, headers={"If-None-Match": f'"other", W/{tag}'})

    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert again.headers["content-security-policy"]
    assert api.get(path, headers={"If-None-Match": '"other"'}).json() == first.json()
    assert "etag" not in api.get("/api/v1/assets").headers
    assert api.get("/api/v1/assets/999999", headers={"If-None-Match": "*"}).status_code == 404


def test_a_finding_can_be_explained_as_of_a_past_day(api: TestClient) -> None:
    first = held(api.get("/api/v1/findings"), findings.Findings)["items"][0]
    before = held(
        api.get(f"/api/v1/findings/{first['id']}?as_of=2020-01-01T00:00:00Z"), findings.FindingDetail
    )["explanation"]
    now = held(
        api.get(
            f"/api/v1/assets/{first['asset_id']}/explanations/{first['vulnerability']}?as_of=2026-06-03T12:00:00Z"
        ),
        findings.Explanations,
    )["items"]

    assert before["as_of"] == "2020-01-01T00:00:00Z"
    assert "nothing was held then" in before["sentence"]
    assert [one["verdict"] for one in now] == ["affected"]
    assert now[0]["sentence"].startswith("On 3 June 2026 at ")


@pytest.fixture
def possibly_affected(database: Database, clock: FrozenClock, estate: Estate) -> Iterator[None]:
    """A name that means something installed, as `findings.possible` would leave it."""
    with database.as_system() as session:
        session.execute(
            text(
                "insert into possible (component_id, vulnerability_id, basis, source, vendor, product, since)"
                " select i.component_id, v.id, 'catalog', 'kev', 'Maker', 'Thing', :now from install i"
                " join vulnerability v on not exists (select from match m"
                "   where m.component_id = i.component_id and m.vulnerability_id = v.id)"
                " where i.asset_id = :asset and i.removed_at is null order by i.component_id, v.id limit 1"
            ),
            {"now": clock.now(), "asset": estate.assets["web-03"]},
        )
    yield
    with database.as_system() as session:
        session.execute(text("delete from possible"))


@pytest.mark.usefixtures("possibly_affected")
def test_what_is_possibly_affected_is_listed_dismissed_and_put_back(api: TestClient) -> None:

    def entries(query: str = "") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = held(
            api.get(f"/api/v1/possibly-affected{query}"), possible.PossiblyAffected
        )["items"]
        return found

    first = entries()[0]
    entry = {"vulnerability": first["vulnerability"], "component_id": first["component_id"]}
    path = "/api/v1/possibly-affected"

    assert problem(api.post(f"{path}/dismissals", json={**entry, "reason": "no"}), 422)
    assert (
        api.post(f"{path}/dismissals", json={**entry, "reason": "That part is not used."}).status_code == 204
    )
    assert first["component_id"] not in [one["component_id"] for one in entries()]
    assert [one["dismissed_because"] for one in entries("?dismissed=true")] == ["That part is not used."]
    assert problem(api.post(f"{path}/dismissals", json={**entry, "reason": "Twice is too much."}), 404)
    assert api.post(f"{path}/restorals", json=entry).status_code == 204
    assert entries()[0] == first


def test_a_list_is_counted_once_and_its_pages_repeat_the_figure(api: TestClient) -> None:
    first = held(api.get("/api/v1/findings?limit=2&severity=high"), findings.Findings)
    second = held(
        api.get(f"/api/v1/findings?limit=2&severity=high&cursor={first['next_cursor']}"), findings.Findings
    )

    assert first["total"] == second["total"] > 2
    assert not second["total_is_capped"]
    assert {row["severity"] for row in first["items"] + second["items"]} == {"high"}


@pytest.mark.parametrize(
    "narrowed",
    [
        "severity=critical",
        "severity=high",
        "severity=medium",
        "exposure=public",
        "exposure=unknown",
        "ransomware=false",
        "hostname=WEB-",
        "software=LIBVPX",
        "software=%25",  # a sign of patterns is a letter like any other
    ],
)
def test_what_the_index_narrows_is_what_the_rows_say(api: TestClient, narrowed: str) -> None:
    name, _, value = narrowed.partition("=")
    every = held(api.get("/api/v1/findings"), findings.Findings)["items"]
    column = {"software": "component_name"}.get(name, name)
    wanted = [
        row["id"]
        for row in every
        if (
            value.lower() in row[column]
            if name in {"hostname", "software"}
            else str(row[column]).lower() == value
        )
    ]

    answer = held(api.get(f"/api/v1/findings?{narrowed}"), findings.Findings)

    assert [row["id"] for row in answer["items"]] == wanted
    assert answer["total"] == len(wanted)


@pytest.mark.parametrize("sort", ["priority", "due", "opened"])
def test_pages_of_findings_hold_each_once(api: TestClient, sort: str) -> None:
    whole = [row["id"] for row in held(api.get(f"/api/v1/findings?sort={sort}"), findings.Findings)["items"]]
    seen: list[int] = []
    cursor = ""
    while True:
        answer = held(api.get(f"/api/v1/findings?sort={sort}&limit=2{cursor}"), findings.Findings)
        seen += [row["id"] for row in answer["items"]]
        if answer["next_cursor"] is None:
            break
        cursor = f"&cursor={answer['next_cursor']}"

    assert seen == whole


@pytest.mark.parametrize(
    ("query", "flaws"),
    [
        ("exploited=true", {"CVE-2023-5217"}),
        ("exploited=false&hostname=WEB-", {"CVE-2024-0727", "CVE-2023-38545", "CVE-2024-6387"}),
        ("severity=critical", {"CVE-2023-38545"}),
        ("software=ssh", {"CVE-2024-6387"}),
        ("vulnerability=CVE-2024-0727", {"CVE-2024-0727"}),
        ("vulnerability=CVE-0000-0000", set()),
        ("due_before=2026-06-09T00:00:00Z", {"CVE-2023-5217"}),
        ("state=closed", set()),
        ("verdict=unknown", set()),
        ("ransomware=true", {"CVE-2023-5217"}),
    ],
)
def test_findings_are_narrowed(api: TestClient, query: str, flaws: set[str]) -> None:
    found = held(api.get(f"/api/v1/findings?{query}"), findings.Findings)["items"]

    assert {row["vulnerability"] for row in found} == flaws


def test_vulnerabilities_that_concern_the_organization(api: TestClient) -> None:
    found = held(api.get("/api/v1/vulnerabilities"), vulnerabilities.Vulnerabilities)["items"]

    assert found[0]["name"] == "CVE-2023-5217"
    assert (found[0]["open_findings"], found[0]["assets"]) == (2, 2)
    detail = held(api.get("/api/v1/vulnerabilities/CVE-2023-5217"), vulnerabilities.VulnerabilityDetailAnswer)
    assert [score["score"] for score in detail["scores"]] == [8.8]
    assert {statement["source"] for statement in detail["statements"]} == {"debian"}
    problem(api.get("/api/v1/vulnerabilities/CVE-0000-0000"), 404)


def test_not_affected_is_explained_too(api: TestClient, estate: Estate) -> None:
    url = f"/api/v1/assets/{estate.assets['clean-01']}/explanations/CVE-2023-38545"

    (answer,) = held(api.get(url), findings.Explanations)["items"]

    assert answer["verdict"] == "not_affected"
    assert any("past the range" in step["text"] for step in answer["chain"])


@pytest.mark.parametrize(
    "path",
    [
        "/vulnerabilities/CVE-%00",
        "/findings?software=%00",
        "/findings?hostname=%00",
        "/assets?hostname=%00",
        "/findings/99999999999999999999",
        "/assets/9223372036854775808",
        "/receipts/-1",
    ],
)
def test_what_the_database_cannot_hold_is_refused_before_it(api: TestClient, path: str) -> None:
    answer = api.get(f"/api/v1{path}")

    problem(answer, answer.status_code)
    assert answer.status_code in {400, 404, 422}
