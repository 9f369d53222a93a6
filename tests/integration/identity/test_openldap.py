"""A real OpenLDAP: who is trusted, who is believed, who is found, and in which groups."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sentrikat.identity.group_rules import GroupRule, normal_group
from sentrikat.identity.ldap.authentication import Authenticated, NotAuthenticated, authenticate
from sentrikat.identity.ldap.connection import (
    Bound,
    DirectoryUnavailable,
    connect,
    escaped,
    escaped_in_dn,
)
from sentrikat.identity.ldap.diagnosis import diagnose
from sentrikat.identity.ldap.people import find_person
from tests.integration.identity.directories import openldap_settings, read
from tests.peers.certificates import Authority
from tests.peers.openldap import (
    BASE,
    SERVICE,
    SERVICE_PASSWORD,
    OpenLdap,
    group_dn,
    password_of,
    person_dn,
)
from tests.peers.openldap import openldap as run_openldap
from tests.peers.processes import free_port

NOW = datetime(2026, 6, 2, 12, tzinfo=UTC)


def sign_in(settings: dict[str, Any], login: str, password: str) -> Authenticated | NotAuthenticated:
    return authenticate(read(settings), SERVICE_PASSWORD, login, password, now=NOW)


@pytest.mark.parametrize("security", ["ldaps", "starttls"])
def test_the_right_password_is_believed_over_tls(openldap: OpenLdap, security: str) -> None:
    port = openldap.tls_port if security == "ldaps" else openldap.plain_port
    settings = openldap_settings(openldap, security=security, hosts=[f"localhost:{port}"])

    answer = sign_in(settings, "jane", password_of("jane"))

    assert isinstance(answer, Authenticated)
    assert (answer.person.login, answer.person.display_name) == ("jane", "Jane Müller-Example")
    assert len(answer.person.external_id) == 36  # entryUUID


def test_groups_of_groups_count_and_a_circle_ends(openldap: OpenLdap) -> None:
    answer = sign_in(openldap_settings(openldap), "jane", password_of("jane"))

    assert isinstance(answer, Authenticated)
    names = {"developers", "staff", "circle", "round"}
    assert answer.groups == names | {group_dn(name) for name in names}


def test_without_nesting_only_the_nearest_groups_count(openldap: OpenLdap) -> None:
    answer = sign_in(openldap_settings(openldap, nested_groups=False), "jane", password_of("jane"))

    assert isinstance(answer, Authenticated)
    assert answer.groups == {"developers", group_dn("developers")}


@pytest.mark.parametrize(
    ("login", "password"),
    [
        ("jane", "wrong"),
        ("jane", ""),  # a directory would take it for an anonymous bind, and say yes
        ("nobody", "anything"),
        ("*", password_of("jane")),  # would find everybody if it were not escaped
        ("jane)(uid=*", password_of("jane")),
        ("", "anything"),
        ("OTHER\\jane", password_of("jane")),  # another domain's
        ("jane\x00", password_of("jane")),
    ],
)
def test_everything_else_is_not(openldap: OpenLdap, login: str, password: str) -> None:
    assert isinstance(sign_in(openldap_settings(openldap), login, password), NotAuthenticated)


def test_a_name_full_of_signs_of_the_language_is_a_name(openldap: OpenLdap) -> None:
    answer = sign_in(openldap_settings(openldap), "star*(x)", password_of("star*(x)"))

    assert isinstance(answer, Authenticated)
    assert answer.person.login == "star*(x)"


def test_a_locked_account_is_refused_and_the_log_may_know_why(openldap: OpenLdap) -> None:
    answer = sign_in(openldap_settings(openldap), "locked", password_of("locked"))

    assert answer == NotAuthenticated("the account is locked in the directory")


def test_without_a_service_account_people_bind_themselves(openldap: OpenLdap) -> None:
    settings = openldap_settings(openldap, bind_dn=None, bind_template=f"uid={{login}},ou=people,{BASE}")

    assert isinstance(sign_in(settings, "jane", password_of("jane")), Authenticated)
    refused = sign_in(settings, "jane", "wrong")
    assert isinstance(refused, NotAuthenticated)
    assert refused.why is not None
    # The name is one value of the DN, whatever is in it.
    assert isinstance(sign_in(settings, f"jane,ou=people,{BASE}", password_of("jane")), NotAuthenticated)


def test_a_filter_that_finds_two_people_signs_in_neither(openldap: OpenLdap) -> None:
    settings = openldap_settings(openldap, user_filter="(|(uid={login})(uid=guest))")

    with pytest.raises(DirectoryUnavailable, match="more than one entry"):
        sign_in(settings, "jane", password_of("jane"))


def test_a_search_goes_over_all_pages_and_stops_where_it_is_told(openldap: OpenLdap) -> None:
    settings = read(openldap_settings(openldap))
    with connect(settings, "127.0.0.1", openldap.tls_port) as directory:
        assert directory.bind(SERVICE, SERVICE_PASSWORD) == Bound()
        everybody = directory.search(BASE, "(uid=person*)", ["uid"])
        some = directory.search(BASE, "(uid=person*)", ["uid"], limit=3)

    assert (len(everybody.entries), everybody.complete) == (40, True)
    assert (len(some.entries), some.complete) == (3, False)


@pytest.fixture(scope="module")
def mistrusted(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> Iterator[dict[str, OpenLdap]]:
    """Servers whose certificates are not good enough."""
    folder = tmp_path_factory.mktemp("mistrusted")
    expired = authority.issue("expired", hosts=("localhost", "127.0.0.1"), expired=True)
    elsewhere = authority.issue("elsewhere", hosts=("elsewhere.example.test",))
    with (
        run_openldap(folder / "expired", authority, expired, furnished=False) as one,
        run_openldap(folder / "elsewhere", authority, elsewhere, furnished=False) as two,
    ):
        yield {"expired": one, "elsewhere": two}


@pytest.mark.parametrize("security", ["ldaps", "starttls"])
@pytest.mark.parametrize(
    ("server", "words"),
    [("expired", "has expired"), ("elsewhere", "is for another name than “127.0.0.1”")],
)
def test_a_certificate_that_is_not_good_ends_it_before_anything_is_sent(
    mistrusted: dict[str, OpenLdap], server: str, words: str, security: str
) -> None:
    one = mistrusted[server]
    port = one.tls_port if security == "ldaps" else one.plain_port
    settings = openldap_settings(one, security=security, hosts=[f"127.0.0.1:{port}"])

    with pytest.raises(DirectoryUnavailable, match=words) as refused:
        sign_in(settings, "jane", password_of("jane"))
    assert refused.value.step == "tls"


@pytest.mark.parametrize("security", ["ldaps", "starttls"])
def test_a_certificate_of_an_unknown_authority_is_refused(
    openldap: OpenLdap, tmp_path: Path, security: str
) -> None:
    stranger = Authority(tmp_path, "Somebody else")
    port = openldap.tls_port if security == "ldaps" else openldap.plain_port
    settings = openldap_settings(
        openldap, ca_pem=stranger.pem, security=security, hosts=[f"127.0.0.1:{port}"]
    )

    with pytest.raises(DirectoryUnavailable, match="an authority that is not trusted here"):
        sign_in(settings, "jane", password_of("jane"))


def test_ldaps_to_the_plain_port_is_told_as_what_it_is(openldap: OpenLdap) -> None:
    settings = openldap_settings(openldap, hosts=[f"127.0.0.1:{openldap.plain_port}"], timeout_seconds=2)

    with pytest.raises(DirectoryUnavailable) as refused:
        sign_in(settings, "jane", password_of("jane"))
    assert refused.value.step == "tls"


@pytest.mark.parametrize("security", ["ldaps", "starttls"])
def test_a_server_that_takes_the_connection_and_says_nothing_is_given_up(
    openldap: OpenLdap, security: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        settings = openldap_settings(
            openldap, security=security, hosts=[f"127.0.0.1:{port}"], timeout_seconds=1
        )
        began = time.monotonic()
        with pytest.raises(DirectoryUnavailable):
            sign_in(settings, "jane", password_of("jane"))

    assert time.monotonic() - began < 5


def test_the_next_host_is_asked_when_one_does_not_answer(openldap: OpenLdap) -> None:
    hosts = [f"127.0.0.1:{free_port()}", f"127.0.0.1:{openldap.tls_port}"]

    assert isinstance(
        sign_in(openldap_settings(openldap, hosts=hosts), "jane", password_of("jane")), Authenticated
    )


def test_when_none_answers_every_one_is_named(openldap: OpenLdap) -> None:
    ports = [free_port(), free_port()]
    settings = openldap_settings(openldap, hosts=[f"127.0.0.1:{port}" for port in ports])

    with pytest.raises(DirectoryUnavailable) as trouble:
        sign_in(settings, "jane", password_of("jane"))
    assert all(str(port) in trouble.value.message for port in ports)


def test_a_refused_service_account_is_trouble_of_the_directory_not_of_the_person(openldap: OpenLdap) -> None:
    with pytest.raises(DirectoryUnavailable, match="refused the service account"):
        authenticate(read(openldap_settings(openldap)), "not it", "jane", password_of("jane"), now=NOW)


# -- the test an administrator runs ---------------------------------------------------------------


def test_a_test_shows_each_step_the_groups_and_the_rules_that_apply(openldap: OpenLdap) -> None:
    rules = [GroupRule("staff", 1), GroupRule("admins", 1)]

    steps = diagnose(
        read(openldap_settings(openldap)), SERVICE_PASSWORD, rules, login="jane", password="wrong", now=NOW
    )

    assert [(step.name, step.good) for step in steps] == [
        ("Connect", True),
        ("Encrypt", True),
        ("Sign in", True),
        ("Search", True),
        ("Password", False),
        ("Groups", True),
        ("Rules", True),
    ]
    said = {step.name: step.words for step in steps}
    assert "TLSv1.3" in said["Encrypt"]
    assert "localhost" in said["Encrypt"]
    assert person_dn("jane") in said["Search"]
    assert group_dn("staff") in said["Groups"]
    assert "1 of 2 apply: “staff”" in said["Rules"]


@pytest.mark.parametrize(
    ("changes", "secret", "step", "words"),
    [
        ({"base_dn": "dc=elsewhere"}, SERVICE_PASSWORD, "Search", "nothing of this name"),
        ({}, "wrong", "Sign in", "refused the service account"),
        ({"ca_pem": None}, SERVICE_PASSWORD, "Encrypt", "an authority that is not trusted here"),
        ({"hosts": ["127.0.0.1:1"]}, SERVICE_PASSWORD, "Connect", "was not reached"),
    ],
)
def test_a_test_says_in_words_what_is_wrong(
    openldap: OpenLdap, changes: dict[str, Any], secret: str, step: str, words: str
) -> None:
    steps = diagnose(read(openldap_settings(openldap, **changes)), secret, [], now=NOW)

    assert (steps[-1].name, steps[-1].good) == (step, False)
    assert words in steps[-1].words


def test_escaped_values_find_exactly_what_was_meant(openldap: OpenLdap) -> None:
    settings = read(openldap_settings(openldap))
    with connect(settings, "127.0.0.1", openldap.tls_port) as directory:
        directory.bind(SERVICE, SERVICE_PASSWORD)
        found = find_person(directory, settings, "star*(x)", now=NOW)
        entry = directory.search(
            f"uid={escaped_in_dn('star*(x)')},ou=people,{BASE}", "(objectClass=*)", ["uid"]
        )
        none = directory.search(BASE, f"(uid={escaped('person*')})", ["uid"])

    assert found is not None
    assert [one.text("uid") for one in entry.entries] == ["star*(x)"]
    assert none.entries == ()


def test_groups_by_name_follow_the_entry_and_not_what_was_typed(openldap: OpenLdap) -> None:
    """People may often set their own mail address: one that is somebody's name must give none of their groups."""
    openldap.add(
        f"dn: cn=left-behind,ou=groups,{BASE}\nobjectClass: posixGroup\ncn: left-behind\ngidNumber: 7001\n"
        f"memberUid: gone\nmemberUid: jane\n"
    )
    openldap.modify(f"dn: {person_dn('person01')}\nchangetype: modify\nreplace: mail\nmail: gone\n")
    by_mail = openldap_settings(
        openldap, user_filter="(&(objectClass=inetOrgPerson)(|(uid={login})(mail={login})))"
    )
    try:
        answer = sign_in(by_mail, "gone", password_of("person01"))
        assert isinstance(answer, Authenticated)
        assert "left-behind" not in answer.groups
        jane = sign_in(by_mail, "jane@Example.test", password_of("jane"))
        assert isinstance(jane, Authenticated)
        assert "left-behind" in jane.groups
    finally:
        openldap.modify(f"dn: cn=left-behind,ou=groups,{BASE}\nchangetype: delete\n")
        openldap.modify(f"dn: {person_dn('person01')}\nchangetype: modify\ndelete: mail\n")


def test_a_group_that_is_named_like_the_dn_of_another_gives_nothing_of_it(openldap: OpenLdap) -> None:
    """Whoever may make groups somewhere may not make themselves a member of the one that a rule names."""
    dn = f"ou=forged,ou=groups,{BASE}"
    openldap.add(
        f"dn: {dn}\nobjectClass: groupOfNames\nou: forged\ncn: {group_dn('admins')}\n"
        f"member: {person_dn('person01')}\n"
    )
    try:
        answer = sign_in(openldap_settings(openldap), "person01", password_of("person01"))
        assert isinstance(answer, Authenticated)
        assert {normal_group(group) for group in answer.groups} == {dn}
    finally:
        openldap.modify(f"dn: {dn}\nchangetype: delete\n")
