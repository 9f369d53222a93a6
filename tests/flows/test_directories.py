"""Directories in the browser: set up, tested, signed in with, synchronized, and down."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from sentrikat.app import create_app
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database
from sentrikat.infra.settings import Settings
from tests.flows.estate import PASSWORD as LOCAL_PASSWORD
from tests.flows.test_web import sign_in, token_of
from tests.peers import openldap as ldap
from tests.peers import samba
from tests.peers.openldap import OpenLdap
from tests.peers.processes import free_port
from tests.peers.samba import ActiveDirectory


@pytest.fixture
def client(database: Database, clock: FrozenClock, tmp_path: Path) -> Iterator[TestClient]:
    """The application with keys of its own; an installation administrator is signed in."""
    app = create_app(Settings(data_dir=tmp_path), database.url, clock=clock)
    with TestClient(app, base_url="http://testserver", follow_redirects=False) as started:
        assert sign_in(started, "admin") == 303
        yield started


def post(client: TestClient, path: str, page: str, **fields: str) -> tuple[int, str]:
    """Send a form of a page; give the status, and what the page that follows says."""
    token = token_of(client.get(page).text)
    answer = client.post(path, data={"csrf_token": token, **fields})
    if answer.status_code == 303:
        return 303, client.get(answer.headers["location"].partition("#")[0]).text
    return answer.status_code, answer.text


def add(client: TestClient, **fields: str) -> str:
    """Add a directory through its form; give its page's address."""
    token = token_of(client.get("/identity-providers/new").text)
    form = {"nested_groups": "yes", "provisioning": "yes", "sync": "yes", "security": "ldaps", **fields}
    answer = client.post("/identity-providers", data={"csrf_token": token, **form})
    assert answer.status_code == 303, re.findall(r'role="alert">([^<]+)', answer.text)
    return answer.headers["location"]


def add_openldap(client: TestClient, server: OpenLdap, name: str, port: int | None = None) -> str:
    """Add the tests' OpenLDAP."""
    return add(
        client,
        name=name,
        directory="openldap",
        hosts=f"127.0.0.1:{port or server.tls_port}",
        ca_pem=server.ca_pem,
        base_dn=ldap.BASE,
        bind_dn=ldap.SERVICE,
        secret=ldap.SERVICE_PASSWORD,
    )


def sign_in_anew(client: TestClient, login: str, password: str) -> int:
    """Sign in with a browser that nobody is signed in with."""
    client.cookies.clear()
    return sign_in(client, login, password)


def test_openldap_from_the_empty_list_to_a_person_signed_in(client: TestClient, openldap: OpenLdap) -> None:
    page = add_openldap(client, openldap, "Head office")
    assert "It lets nobody in" in client.get(page).text

    _status, text = post(
        client,
        f"{page}/rules",
        page,
        action="add",
        group="CN=staff, OU=groups,DC=example,DC=test",
        organization="acme",
        role="analyst",
    )
    assert "cn=staff,ou=groups,dc=example,dc=test" in text
    _status, text = post(client, f"{page}/test", page, login="jane")
    assert "1 of 1 apply" in text
    assert ldap.SERVICE_PASSWORD not in text

    assert sign_in_anew(client, "jane", "wrong") == 401
    assert sign_in_anew(client, "jane", "") == 401
    assert sign_in_anew(client, "root", ldap.password_of("root")) == 401  # in no group with a rule
    assert sign_in_anew(client, "Jane", ldap.password_of("jane")) == 303
    overview = client.get("/").text
    assert "Jane Müller-Example" in overview
    assert "Acme" in overview
    assert client.get("/identity-providers").status_code == 403  # an analyst


def test_active_directory_from_the_form_to_a_synchronization(
    client: TestClient, active_directory: ActiveDirectory
) -> None:
    page = add(
        client,
        name="Active Directory",
        directory="active_directory",
        hosts=active_directory.address,
        ca_pem=active_directory.ca_pem,
        base_dn=samba.BASE,
        bind_dn=samba.SERVICE,
        secret=samba.PASSWORD,
        domain=samba.DOMAIN,
    )
    post(client, f"{page}/rules", page, action="add", group="ring", organization="acme", role="viewer")
    post(client, f"{page}/rules", page, action="add", group="admins", installation_admin="yes")

    assert sign_in_anew(client, "EXAMPLE\\leaver", samba.PASSWORD) == 303
    assert sign_in_anew(client, "disabled", samba.PASSWORD) == 401
    assert sign_in_anew(client, "boss@example.test", samba.PASSWORD) == 303
    # A rule with the explicit word made them an administrator of the installation.
    assert client.get("/identity-providers").status_code == 200
    _status, text = post(client, f"{page}/sync", page)
    assert "2 of 2 accounts found, nobody disabled" in text


def test_a_directory_that_is_down_is_told_and_local_accounts_come_in(
    client: TestClient, openldap: OpenLdap
) -> None:
    add_openldap(client, openldap, "Branch office", port=free_port())

    assert sign_in_anew(client, "somebody", "anything") == 401
    assert sign_in_anew(client, "admin", LOCAL_PASSWORD) == 303
    listed = client.get("/identity-providers").text
    assert "In trouble" in listed
    assert "was not reached" in listed
    overview = client.get("/").text
    assert "The directory “Branch office” is out of order" in overview
    assert '<a href="/identity-providers">Identity providers</a></li>' in overview


def test_what_is_wrong_in_the_form_is_said_beside_its_field(client: TestClient) -> None:
    status, text = post(
        client,
        "/identity-providers",
        "/identity-providers/new",
        name="Broken",
        directory="openldap",
        security="none",
        hosts="ldap://dc1",
        base_dn="dc=example",
        bind_dn="cn=reader",
    )

    assert status == 422
    assert "is not a host or host:port" in text
    assert "ldaps" in text


def test_rules_are_moved_and_removed_and_the_directory_goes_by_its_name(
    client: TestClient, openldap: OpenLdap
) -> None:
    page = add_openldap(client, openldap, "Short-lived")
    for group in ("one", "two"):
        post(client, f"{page}/rules", page, action="add", group=group, organization="acme", role="viewer")

    _status, text = post(client, f"{page}/rules", page, action="up:1")
    assert text.index(">two<") < text.index(">one<")
    _status, text = post(client, f"{page}/rules", page, action="remove:0")
    assert ">two<" not in text
    status, _text = post(client, f"{page}/rules", page, action="remove:7")
    assert status == 422
    status, text = post(
        client, f"{page}/rules", page, action="add", group="three", organization="no-such", role="viewer"
    )
    assert status == 422
    assert "there is no organization “no-such”" in text
    assert ">three<" not in text
    assert post(client, f"{page}/delete", page, name="something else")[0] == 422
    assert "Short-lived" not in post(client, f"{page}/delete", page, name="Short-lived")[1]
