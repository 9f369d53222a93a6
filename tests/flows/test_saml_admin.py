"""Administrators set up a SAML provider from its metadata, read what went wrong, and change our keys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from fastapi.testclient import TestClient
from pydantic import SecretStr

from sentrikat.app import create_app
from sentrikat.cli import run
from sentrikat.domain.permissions import COMMAND_LINE
from sentrikat.identity.accounts import create_account
from sentrikat.identity.models import UserAccount
from sentrikat.identity.saml.certificates import make_key_pair
from sentrikat.identity.web_sessions import open_session
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database
from sentrikat.infra.settings import Settings
from tests.flows.conftest import NOON
from tests.flows.estate import LIMITS, PASSWORD, Estate, session_of
from tests.identity_provider import keys

SETTINGS = Settings(
    public_url="http://testserver",
    encryption_keys=SecretStr(Fernet.generate_key().decode()),
    cookie_secure=False,
    second_factor="optional",
)
METADATA = f"""<?xml version="1.0"?>
<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://idp.example.org/">
<IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><KeyDescriptor use="signing">
<KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>{keys("idp").certificate.body}
</X509Certificate></X509Data></KeyInfo></KeyDescriptor><SingleSignOnService
Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.example.org/sso"/>
</IDPSSODescriptor></EntityDescriptor>"""


@pytest.fixture
def client(database: Database, clock: FrozenClock, estate: Estate) -> Iterator[TestClient]:
    """A browser of the installation administrator."""
    with TestClient(create_app(SETTINGS, database.url, clock=clock), follow_redirects=False) as started:
        started.cookies.set("sentrikat_session", session_of(database, clock, estate, "admin"))
        started.headers["X-CSRF-Token"] = started.get("/api/v1/me").json()["csrf_token"]
        yield started


def form(name: str, **changes: str) -> dict[str, str]:
    return {
        "name": name,
        "entity_id": "https://idp.example.org/",
        "sso_url": "https://idp.example.org/sso",
        "certificates": keys("idp").certificate.pem,
        "groups_attribute": "groups",
        "signed_response": "yes",
        "skew_seconds": "60",
        **changes,
    }


def test_pasted_metadata_fills_the_form_and_saves_nothing(client: TestClient) -> None:
    page = client.post(
        "/identity-providers/saml", data={"action": "read", "metadata": METADATA, "name": "Not saved"}
    )

    assert page.status_code == 200
    assert "https://idp.example.org/sso" in page.text
    assert keys("idp").certificate.body[:60] in page.text
    assert "Not saved" not in client.get("/identity-providers").text


@pytest.mark.parametrize(
    "content",
    [
        METADATA.encode(),
        b"\xef\xbb\xbf" + METADATA.encode(),  # as Windows saves it
    ],
    ids=["plain", "with a mark of its bytes"],
)
def test_a_file_of_metadata_fills_the_form_and_saves_nothing(client: TestClient, content: bytes) -> None:
    csrf = client.get("/api/v1/me").json()["csrf_token"]
    page = client.post(
        "/identity-providers/saml",
        data={"csrf_token": csrf, "name": "Not saved", "metadata": "<html/>"},
        files={"metadata_file": ("idp.xml", content, "text/xml")},
    )

    assert page.status_code == 200, page.text
    assert 'value="https://idp.example.org/sso"' in page.text
    assert "Not saved" not in client.get("/identity-providers").text


@pytest.mark.parametrize(
    ("fields", "files", "status"),
    [
        ({}, [("metadata_file", ("a.xml", b"\x00\xff no document", "text/xml"))], 422),
        ({"csrf_token": "wrong"}, [("metadata_file", ("a.xml", METADATA.encode(), "text/xml"))], 403),
        ({}, [("metadata_file", ("a.xml", b"<a/>", "text/xml"))] * 2, 400),  # one is enough
    ],
    ids=["no metadata", "without its token", "two files"],
)
def test_a_file_that_does_not_fit_is_refused_in_words(
    client: TestClient,
    fields: dict[str, str],
    files: list[tuple[str, tuple[str, bytes, str]]],
    status: int,
) -> None:
    csrf = client.get("/api/v1/me").json()["csrf_token"]
    page = client.post("/identity-providers/saml", data={"csrf_token": csrf, **fields}, files=files)

    assert page.status_code == status, page.text


def test_other_forms_still_take_no_file(client: TestClient) -> None:
    csrf = client.get("/api/v1/me").json()["csrf_token"]
    page = client.post("/users", data={"csrf_token": csrf, "login": "x"}, files={"f": ("a", b"x")})

    assert page.status_code in {400, 422}


def test_metadata_that_is_none_is_said_beside_its_field(client: TestClient) -> None:
    page = client.post("/identity-providers/saml", data={"action": "read", "metadata": "<html/>"})

    assert page.status_code == 422
    assert "describes 0 identity providers" in page.text


def test_a_provider_is_added_and_shows_what_it_wants_to_be_told(client: TestClient) -> None:
    made = client.post("/identity-providers/saml", data=form("Head office"))
    page = client.get(made.headers["location"])
    number = made.headers["location"].split("/")[2]

    for ours in ("metadata", "acs", "logout"):
        assert f"http://testserver/saml/{number}/{ours}" in page.text
    assert keys("idp").certificate.fingerprint in page.text
    assert "Head office" in client.get("/identity-providers").text
    assert f'href="/identity-providers/{number}/saml"' in client.get(f"/identity-providers/{number}").text


def test_enter_in_a_field_saves_although_the_first_button_reads(client: TestClient) -> None:
    assert client.post("/identity-providers/saml", data=form("Entered", action="read")).status_code == 303


def test_what_cannot_be_saved_is_said_beside_each_field(client: TestClient) -> None:
    page = client.post(
        "/identity-providers/saml", data=form("", sso_url="http://elsewhere", skew_seconds="x")
    )

    assert page.status_code == 422
    for sentence in ("Give it a name", "It must begin with https://", "Give 0 to 300 seconds"):
        assert sentence in page.text


def test_two_providers_cannot_have_one_name(client: TestClient) -> None:
    assert client.post("/identity-providers/saml", data=form("Twice")).status_code == 303
    assert client.post("/identity-providers/saml", data=form("Twice")).status_code == 409


def test_a_provider_gets_a_second_certificate_and_is_switched_off(client: TestClient) -> None:
    place = client.post("/identity-providers/saml", data=form("Changing")).headers["location"]
    both = keys("idp").certificate.pem + keys("old").certificate.pem

    changed = client.post(place, data=form("Changing", certificates=both))

    assert changed.status_code == 303
    assert keys("old").certificate.fingerprint in client.get(place).text
    assert "Sign in with Changing" not in client.get("/sign-in").text


API = "/api/v1/identity-providers"


def vouched_for(database: Database, clock: FrozenClock, provider_id: int, login: str) -> str:
    """Somebody the provider vouches for, who is signed in; give their cookie."""
    now = clock.now()
    with database.as_system() as session:
        made = create_account(
            session, COMMAND_LINE, login=login, display_name=login, password=PASSWORD, now=now
        )
        user = session.get_one(UserAccount, made.id)
        user.provider_id, user.external_id = provider_id, login
        opened = open_session(
            session, user, None, LIMITS, now=now, address="127.0.0.1", user_agent="test", method="saml"
        )
    return opened.token


def is_signed_in(client: TestClient, cookie: str) -> bool:
    answer = client.get("/api/v1/me", headers={"Cookie": f"sentrikat_session={cookie}"})
    return answer.status_code == 200


def test_a_provider_is_added_and_changed_over_the_api(client: TestClient) -> None:
    attributes = {"groups_attribute": "memberOf", "login_attribute": "uid"}
    made = client.post(
        API, json={"kind": "saml", "name": "By API", "settings": {"metadata": METADATA, **attributes}}
    )
    assert made.status_code == 201, made.text
    place, settings = f"{API}/{made.json()['id']}", made.json()["settings"]
    assert settings["sso_url"] == "https://idp.example.org/sso"
    assert settings["certificates"] == [keys("idp").certificate.body]
    assert (settings["groups_attribute"], "metadata" in settings) == ("memberOf", False)

    both = [keys("idp").certificate.pem, keys("old").certificate.body]
    changed = client.patch(place, json={"settings": {**settings, "certificates": both, "skew_seconds": 5}})
    assert changed.status_code == 204, changed.text
    stored = client.get(place).json()["settings"]
    assert stored["certificates"] == [keys(name).certificate.body for name in ("idp", "old")]
    assert stored["skew_seconds"] == 5
    assert (
        keys("old").certificate.fingerprint
        in client.get(f"/identity-providers/{made.json()['id']}/saml").text
    )


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"settings": {"metadata": "<html/>"}}, "metadata"),
        ({"settings": {}}, "certificates"),
        ({"settings": {"metadata": METADATA, "sso_url": "http://elsewhere"}}, "sso_url"),
        ({"settings": {"metadata": METADATA, "sso_adress": "https://elsewhere"}}, "sso_adress"),
        ({"settings": {"metadata": METADATA, "skew_seconds": 900}}, "skew_seconds"),
        ({"settings": {"metadata": METADATA}, "secret": "hush"}, "secret"),  # there is none to keep
    ],
)
def test_what_cannot_work_is_refused_over_the_api_by_field(
    client: TestClient, body: dict[str, object], field: str
) -> None:
    answer = client.post(API, json={"kind": "saml", "name": "Refused", **body})

    assert answer.status_code == 422
    assert field in answer.text
    assert "Refused" not in client.get(API).text


@pytest.mark.parametrize("way", ["page", "removed on its page", "api"])
def test_a_provider_that_is_switched_off_ends_the_sessions_of_its_people_at_once(
    client: TestClient, database: Database, clock: FrozenClock, way: str
) -> None:
    name = f"Switched off by {way}"
    made = client.post(API, json={"kind": "saml", "name": name, "settings": {"metadata": METADATA}}).json()[
        "id"
    ]
    cookie = vouched_for(database, clock, made, f"jane-{made}")
    own = dict(client.cookies)
    assert is_signed_in(client, cookie)

    place = f"/identity-providers/{made}/saml"
    assert client.post(place, data=form(name, enabled="yes")).status_code == 303
    assert is_signed_in(client, cookie)  # any other change leaves them
    if way == "page":
        assert client.post(place, data=form(name)).status_code == 303
    elif way == "api":
        assert client.patch(f"{API}/{made}", json={"enabled": False}).status_code == 204
    else:
        assert client.post(f"/identity-providers/{made}/delete", data={"name": name}).status_code == 303

    assert not is_signed_in(client, cookie)
    assert dict(client.cookies) == own
    assert is_signed_in(client, own["sentrikat_session"])  # of somebody else


def test_a_provider_is_added_changed_and_switched_off_by_command(
    client: TestClient,
    database: Database,
    clock: FrozenClock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SENTRIKAT_DATABASE_URL", database.url)
    monkeypatch.setenv("SENTRIKAT_DATA_DIR", str(tmp_path))
    metadata, settings = tmp_path / "idp.xml", tmp_path / "more.json"
    metadata.write_text(METADATA)
    settings.write_text(json.dumps({"groups_attribute": "memberOf"}))
    added = ["identity", "add-saml", "By command", "--metadata", str(metadata), "--settings", str(settings)]
    assert run(added) == 0
    assert "/metadata" in capsys.readouterr().out
    number = next(row["id"] for row in client.get(API).json()["items"] if row["name"] == "By command")

    metadata.write_text(METADATA.replace("org/sso", "org/elsewhere"))
    assert run(["identity", "change-saml", "By command", "--metadata", str(metadata)]) == 0
    stored = client.get(f"{API}/{number}").json()["settings"]
    assert stored["sso_url"] == "https://idp.example.org/elsewhere"
    assert stored["groups_attribute"] == "memberOf"  # what metadata does not say stays

    cookie = vouched_for(database, clock, number, "by-command")
    assert run(["identity", "switch", "By command", "off"]) == 0
    assert not is_signed_in(client, cookie)
    assert client.get(f"{API}/{number}").json()["enabled"] is False
    metadata.write_text("<html/>")
    assert run(["identity", "change-saml", "By command", "--metadata", str(metadata)]) != 0
    assert "describes 0 identity providers" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("moved", "words"),
    [
        (timedelta(0), None),
        (timedelta(days=3 * 365 - 10), "It ends in 10 days"),
        (timedelta(days=3 * 365 + 1), "It has ended"),
    ],
)
def test_a_certificate_that_ends_soon_has_a_warning(
    client: TestClient,
    clock: FrozenClock,
    database: Database,
    estate: Estate,
    moved: timedelta,
    words: str | None,
) -> None:
    made_at = datetime(2026, 6, 1, 12, tzinfo=UTC)
    ending = make_key_pair("ending", made_at, bits=2048).certificate
    place = client.post(
        "/identity-providers/saml", data=form(f"Ending {moved.days}", certificates=ending.body)
    ).headers["location"]
    clock.set(made_at + moved)
    client.cookies.set("sentrikat_session", session_of(database, clock, estate, "admin"))
    page = client.get(place)
    clock.set(NOON)

    assert page.status_code == 200
    assert (words or "It ends in") in page.text or words is None
    assert ("tag-warning" in page.text) is (words is not None)


def test_our_keys_are_changed_in_three_steps_and_no_other_order(client: TestClient) -> None:
    place = "/identity-providers/saml/keys"
    assert client.post(place, data={"action": "switch"}).status_code == 409
    assert client.post(place, data={"action": "sing"}).status_code == 422
    seen = []
    for action in ("prepare", "switch", "retire"):
        assert client.post(place, data={"action": action}).status_code == 303
        seen.append(client.get(place).text)

    assert ["Next</span>" in page for page in seen] == [True, False, False]
    assert ["still opens" in page for page in seen] == [False, True, False]
    assert client.post(place, data={"action": "retire"}).status_code == 409


def test_somebody_who_does_not_run_the_installation_sees_none_of_it(
    client: TestClient, database: Database, clock: FrozenClock, estate: Estate
) -> None:
    client.cookies.set("sentrikat_session", session_of(database, clock, estate, "administrator"))

    assert client.get("/identity-providers/saml/new").status_code == 403
    assert client.get("/identity-providers/saml/keys").status_code == 403
