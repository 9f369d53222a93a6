"""A real domain controller: nested and primary groups, spellings of names, and why somebody is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from sentrikat.identity.ldap.authentication import Authenticated, NotAuthenticated, authenticate
from sentrikat.identity.ldap.connection import DirectoryUnavailable
from tests.integration.identity.directories import ad_settings, read
from tests.peers.samba import PASSWORD, ActiveDirectory

NOW = datetime(2026, 6, 2, 12, tzinfo=UTC)


def sign_in(
    server: ActiveDirectory, login: str, password: str = PASSWORD, **more: Any
) -> Authenticated | NotAuthenticated:
    return authenticate(read(ad_settings(server, **more)), PASSWORD, login, password, now=NOW)


@pytest.mark.parametrize("login", ["jane", "JANE", "EXAMPLE\\jane", "example\\Jane", "jane@example.test"])
def test_every_spelling_of_a_name_is_the_same_person(active_directory: ActiveDirectory, login: str) -> None:
    answer = sign_in(active_directory, login)

    assert isinstance(answer, Authenticated)
    assert (answer.person.login, answer.person.email) == ("jane", "jane@example.test")
    assert len(answer.person.external_id) == 36  # objectGUID as Microsoft prints it


def test_groups_of_groups_and_the_primary_group_count(active_directory: ActiveDirectory) -> None:
    answer = sign_in(active_directory, "jane")

    assert isinstance(answer, Authenticated)
    # staff holds developers, ring and staff hold each other, everyone holds Domain Users, the primary group.
    assert {"developers", "staff", "ring", "Domain Users", "everyone"} <= answer.groups
    assert "admins" not in answer.groups
    assert "CN=staff,CN=Users,DC=example,DC=test" in answer.groups


def test_without_nesting_only_the_nearest_groups_count(active_directory: ActiveDirectory) -> None:
    answer = sign_in(active_directory, "jane", nested_groups=False)

    assert isinstance(answer, Authenticated)
    assert {group for group in answer.groups if "=" not in group} == {"developers", "Domain Users"}


@pytest.mark.parametrize(
    ("login", "password", "code"),
    [
        ("jane", "wrong", "52e"),
        ("disabled", PASSWORD, "533"),
        ("expired", PASSWORD, "701"),
        ("stale", PASSWORD, "773"),  # must change the password first
    ],
)
def test_the_log_may_know_why_somebody_was_refused(
    active_directory: ActiveDirectory, login: str, password: str, code: str
) -> None:
    answer = sign_in(active_directory, login, password)

    assert isinstance(answer, NotAuthenticated)
    assert answer.sub_code == code
    assert answer.why is not None


def test_an_account_locked_by_guessing_is_told_apart(active_directory: ActiveDirectory) -> None:
    for _ in range(3):
        sign_in(active_directory, "locked", "wrong")

    answer = sign_in(active_directory, "locked")
    assert isinstance(answer, NotAuthenticated)
    assert answer.sub_code == "775"


def test_an_unknown_name_is_no_news(active_directory: ActiveDirectory) -> None:
    assert sign_in(active_directory, "nobody") == NotAuthenticated()
    assert sign_in(active_directory, "OTHER\\jane") == NotAuthenticated()


def test_people_bind_themselves_by_their_principal_name(active_directory: ActiveDirectory) -> None:
    more: dict[str, Any] = {"bind_dn": None, "bind_template": "{login}@example.test"}

    assert isinstance(sign_in(active_directory, "jane", **more), Authenticated)
    assert isinstance(sign_in(active_directory, "jane@example.test", **more), Authenticated)
    refused = sign_in(active_directory, "disabled", **more)
    assert isinstance(refused, NotAuthenticated)
    assert refused.sub_code == "533"


def test_nobody_is_somebody_else_by_a_principal_name_that_is_their_account_name(
    active_directory: ActiveDirectory,
) -> None:
    """The bind answers for the principal name, the search finds the account name: both must be one person."""
    own: dict[str, Any] = {"bind_dn": None, "bind_template": "{login}@other.test"}

    # Mallory's principal name is victim@other.test, so the bind with it is hers; the account name is the victim's.
    answer = sign_in(active_directory, "victim", PASSWORD + "x", **own)
    assert isinstance(answer, NotAuthenticated)


def test_a_wrong_base_is_told_with_what_to_check(active_directory: ActiveDirectory) -> None:
    with pytest.raises(DirectoryUnavailable, match="did not search"):
        sign_in(active_directory, "jane", base_dn="DC=elsewhere,DC=test")
