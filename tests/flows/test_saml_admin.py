"""Administrators set up a SAML provider from its metadata, read what went wrong, and change our keys."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.fernet import Fernet
from fastapi.testclient import TestClient
from pydantic import SecretStr

from sentrikat.app import create_app
from sentrikat.identity.saml.certificates import make_key_pair
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database
from sentrikat.infra.settings import Settings
from tests.flows.conftest import NOON
from tests.flows.estate import Estate, session_of
from tests.identity_provider import keys

SETTINGS = Settings(
    public_url="http://testserver",
    encryption_keys=SecretStr(Fernet.generate_key().decode()),
    cookie_secure=False,
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
