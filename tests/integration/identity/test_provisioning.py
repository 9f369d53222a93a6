"""Who gets in through a provider, as what, and who never does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from sentrikat.audit.queries import list_entries
from sentrikat.domain.errors import Conflict
from sentrikat.domain.permissions import COMMAND_LINE, Caller, Permission, Role, permissions_of
from sentrikat.identity.accounts import (
    create_account,
    disable_account,
    enable_account,
    get_account,
    require_resettable,
    set_role,
)
from sentrikat.identity.api_keys import KeyRefused, caller_of_key, create_token
from sentrikat.identity.group_rules import normal_group
from sentrikat.identity.members import remove_member
from sentrikat.identity.models import IdentityGroupRule, IdentityProvider, Membership, UserAccount
from sentrikat.identity.organizations import create_organization
from sentrikat.identity.providers import delete_provider
from sentrikat.identity.provisioning import ExternalPerson, NotAdmitted, NotAdmittedReason, admit
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database


@dataclass(frozen=True, slots=True)
class Site:
    """An installation with a directory, two organizations, and rules for three groups."""

    database: Database
    clock: FrozenClock
    provider_id: int
    acme: int
    other: int

    def person(self, *groups: str, login: str = "Jane", external_id: str = "guid-1") -> ExternalPerson:
        """Somebody the directory vouches for."""
        return ExternalPerson(
            self.provider_id, external_id, login, "Jane Doe", "Jane@Example.Test", frozenset(groups)
        )

    def admit(self, person: ExternalPerson) -> UserAccount | NotAdmitted:
        """Let them in, or not, in a transaction of its own."""
        with self.database.as_system() as session:
            return admit(session, person, address="192.0.2.7", now=self.clock.now())

    def roles(self, login: str) -> dict[int, str]:
        """What an account is, by organization."""
        with self.database.as_system() as session:
            user = get_account(session, login)
            rows = session.scalars(select(Membership).where(Membership.user_id == user.id))
            return {row.organization_id: row.role for row in rows}

    def actions(self, organization_id: int) -> list[str]:
        """What the log says, the oldest first."""
        with self.database.as_system() as session:
            entries = list_entries(session, organization_id, before=None, limit=100)
            return [entry.action for entry in reversed(entries)]


@pytest.fixture
def site(database: Database, clock: FrozenClock) -> Site:
    now = clock.now()
    with database.as_system() as session:
        acme = create_organization(session, COMMAND_LINE, name="Acme", slug="acme", now=now)
        other = create_organization(session, COMMAND_LINE, name="Other", slug="other", now=now)
        provider = IdentityProvider(kind="ldap", name="Head office", position=1, settings={}, created_at=now)
        session.add(provider)
        session.flush()
        for position, (group, organization_id, role, administers) in enumerate(
            [
                ("sk-admins", None, None, True),
                ("cn=security,ou=groups,dc=example,dc=test", acme.id, "manager", False),
                ("staff", acme.id, "viewer", False),
                ("staff", other.id, "auditor", False),
            ]
        ):
            session.add(
                IdentityGroupRule(
                    provider_id=provider.id,
                    position=position,
                    group_name=group,
                    organization_id=organization_id,
                    role=role,
                    installation_admin=administers,
                )
            )
        return Site(database, clock, provider.id, acme.id, other.id)


def test_somebody_a_rule_speaks_for_gets_an_account_and_its_roles(site: Site) -> None:
    user = site.admit(site.person("Staff"))

    assert isinstance(user, UserAccount)
    assert (user.login, user.email, user.password_hash) == ("jane", "jane@example.test", None)
    assert not user.installation_admin
    assert site.roles("jane") == {site.acme: "viewer", site.other: "auditor"}
    assert "account.created" in site.actions(0)
    assert "membership.set" in site.actions(site.acme)


def test_the_first_rule_that_matches_decides_the_role(site: Site) -> None:
    site.admit(site.person("staff", "CN=Security , OU=Groups,DC=example, DC=test"))

    assert site.roles("jane") == {site.acme: "manager", site.other: "auditor"}


def test_without_a_rule_there_is_no_account_and_the_log_says_why(site: Site) -> None:
    assert site.admit(site.person("guests")) == NotAdmitted(NotAdmittedReason.NO_RULE)
    with site.database.as_system() as session:
        assert session.scalar(select(UserAccount.id)) is None
    assert site.actions(0)[-1] == "sign_in.not_admitted"


def test_roles_follow_the_groups_and_what_people_gave_stays(site: Site) -> None:
    first = site.admit(site.person("staff"))
    assert isinstance(first, UserAccount)
    with site.database.as_system() as session:
        third = create_organization(session, COMMAND_LINE, name="Third", slug="third", now=site.clock.now())
        set_role(session, COMMAND_LINE, first, third.id, Role.ANALYST, now=site.clock.now())
        third_id = third.id

    again = site.admit(site.person("cn=security,ou=groups,dc=example,dc=test"))

    assert isinstance(again, UserAccount)
    assert again.id == first.id
    assert site.roles("jane") == {site.acme: "manager", third_id: "analyst"}
    assert "membership.removed" in site.actions(site.other)


def test_a_role_of_a_rule_is_changed_by_the_rule_alone(site: Site) -> None:
    user = site.admit(site.person("staff"))
    assert isinstance(user, UserAccount)
    boss = replace(COMMAND_LINE, organization_id=site.acme)
    with site.database.as_system() as session:
        with pytest.raises(Conflict, match="a group rule of an identity provider gives it"):
            set_role(session, COMMAND_LINE, user, site.acme, Role.ADMINISTRATOR, now=site.clock.now())
        with pytest.raises(Conflict, match="was not removed"):
            remove_member(session, boss, user.id, now=site.clock.now())
        with pytest.raises(Conflict, match="belongs to a directory"):
            require_resettable(COMMAND_LINE, get_account(session, "jane"))
    assert site.roles("jane")[site.acme] == "viewer"


def test_who_left_every_group_has_no_way_in_and_no_role_of_a_rule(site: Site) -> None:
    site.admit(site.person("staff"))

    assert site.admit(site.person()) == NotAdmitted(NotAdmittedReason.NO_RULE)
    assert site.roles("jane") == {}


def test_the_installation_is_run_by_those_a_rule_names_for_it_and_only_so_long(site: Site) -> None:
    admin = site.admit(site.person("sk-admins", "staff"))
    assert isinstance(admin, UserAccount)
    assert admin.installation_admin

    later = site.admit(site.person("staff"))
    assert isinstance(later, UserAccount)
    assert not later.installation_admin
    assert site.actions(0).count("account.installation_admin") == 2


def test_an_administrator_of_a_directory_does_not_replace_the_last_one_with_a_local_password(
    site: Site,
) -> None:
    with site.database.as_system() as session:
        create_account(
            session,
            COMMAND_LINE,
            login="local",
            display_name="",
            password="correct horse battery",
            installation_admin=True,
            now=site.clock.now(),
        )
    assert isinstance(site.admit(site.person("sk-admins")), UserAccount)

    with site.database.as_system() as session:
        with pytest.raises(Conflict, match="the last installation administrator with a local password"):
            disable_account(session, COMMAND_LINE, get_account(session, "local"), now=site.clock.now())
        disable_account(session, COMMAND_LINE, get_account(session, "jane"), now=site.clock.now())


def test_an_administrator_made_by_a_person_stays_one(site: Site) -> None:
    user = site.admit(site.person("staff"))
    assert isinstance(user, UserAccount)
    with site.database.as_system() as session:
        get_account(session, "jane").installation_admin = True

    again = site.admit(site.person("staff"))
    assert isinstance(again, UserAccount)
    assert again.installation_admin


def test_a_local_account_of_the_same_name_is_never_taken_over(site: Site) -> None:
    with site.database.as_system() as session:
        create_account(
            session,
            COMMAND_LINE,
            login="jane",
            display_name="Local Jane",
            password="correct horse battery",
            now=site.clock.now(),
        )

    assert site.admit(site.person("staff")) == NotAdmitted(NotAdmittedReason.LOGIN_TAKEN)
    assert site.roles("jane") == {}


def test_the_account_of_another_provider_is_never_taken_over(site: Site) -> None:
    site.admit(site.person("staff"))
    with site.database.as_system() as session:
        second = IdentityProvider(
            kind="saml", name="Second", position=2, settings={}, created_at=site.clock.now()
        )
        session.add(second)
        session.flush()
        session.add(
            IdentityGroupRule(provider_id=second.id, position=0, group_name="*", installation_admin=True)
        )
        second_id = second.id

    theirs = replace(site.person("staff"), provider_id=second_id)
    assert site.admit(theirs) == NotAdmitted(NotAdmittedReason.LOGIN_TAKEN)


def test_a_disabled_account_stays_disabled(site: Site) -> None:
    user = site.admit(site.person("staff"))
    assert isinstance(user, UserAccount)
    with site.database.as_system() as session:
        disable_account(session, COMMAND_LINE, get_account(session, "jane"), now=site.clock.now())

    assert site.admit(site.person("staff")) == NotAdmitted(NotAdmittedReason.DISABLED)


def test_a_renamed_person_keeps_the_account(site: Site) -> None:
    before = site.admit(site.person("staff"))
    after = site.admit(site.person("staff", login="jane.roe"))

    assert isinstance(before, UserAccount)
    assert isinstance(after, UserAccount)
    assert (after.id, after.login) == (before.id, "jane.roe")


def test_somebody_renamed_to_a_taken_name_keeps_the_old_one(site: Site) -> None:
    site.admit(site.person("staff"))
    site.admit(site.person("staff", login="john", external_id="guid-2"))

    after = site.admit(site.person("staff", login="jane", external_id="guid-2"))
    assert isinstance(after, UserAccount)
    assert after.login == "john"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"enabled": False}, NotAdmittedReason.PROVIDER_OFF),
        ({"provisioning": False}, NotAdmittedReason.PROVISIONING_OFF),
    ],
)
def test_a_provider_says_itself_whom_it_may_let_in(
    site: Site, changes: dict[str, bool], reason: NotAdmittedReason
) -> None:
    with site.database.as_system() as session:
        provider = session.get_one(IdentityProvider, site.provider_id)
        for name, value in changes.items():
            setattr(provider, name, value)

    assert site.admit(site.person("staff")) == NotAdmitted(reason)


@pytest.mark.parametrize(
    ("person", "reason"),
    [
        ({"login": "no spaces please"}, NotAdmittedReason.LOGIN_INVALID),
        ({"login": ""}, NotAdmittedReason.LOGIN_INVALID),
        ({"external_id": ""}, NotAdmittedReason.NO_EXTERNAL_ID),
    ],
)
def test_a_person_without_a_usable_name_is_not_admitted(
    site: Site, person: dict[str, str], reason: NotAdmittedReason
) -> None:
    assert site.admit(site.person("staff", **person)) == NotAdmitted(reason)


def test_a_name_too_long_is_cut_and_a_mail_address_that_is_none_is_left_out(site: Site) -> None:
    user = site.admit(replace(site.person("staff"), display_name="J" * 300, email="nobody"))

    assert isinstance(user, UserAccount)
    assert (len(user.display_name), user.email) == (200, None)


def test_two_browsers_of_one_person_make_one_account(site: Site) -> None:
    with ThreadPoolExecutor(4) as pool:
        users = list(pool.map(site.admit, [site.person("staff")] * 4))

    assert all(isinstance(user, UserAccount) for user in users)
    assert len({user.id for user in users if isinstance(user, UserAccount)}) == 1
    assert site.actions(0).count("account.created") == 1


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("  Domain  Users ", "domain users"),
        ("CN=Sec Ops, OU=Groups ,DC=Example", "cn=sec ops,ou=groups,dc=example"),
        ("cn = a\\, b,dc=x", "cn=a\\, b,dc=x"),  # an escaped comma is part of the name
        ("STRASSE", "strasse"),
    ],
)
def test_a_group_has_one_spelling(written: str, normal: str) -> None:
    assert normal_group(written) == normal
    assert normal_group(normal) == normal


def test_one_whom_a_removed_provider_left_without_a_password_is_no_other_administrator(site: Site) -> None:
    assert isinstance(site.admit(site.person("staff")), UserAccount)
    now = site.clock.now()
    with site.database.as_system() as session:
        create_account(
            session,
            COMMAND_LINE,
            login="local",
            display_name="",
            password="correct horse battery",
            installation_admin=True,
            now=now,
        )
        jane = get_account(session, "jane")
        jane.installation_admin = True
        delete_provider(session, COMMAND_LINE, session.get_one(IdentityProvider, site.provider_id), now=now)
        enable_account(session, COMMAND_LINE, get_account(session, "jane"), now=now)

        with pytest.raises(Conflict, match="the last installation administrator with a local password"):
            disable_account(session, COMMAND_LINE, get_account(session, "local"), now=now)


def test_a_token_ends_while_nobody_vouches_for_its_owner(site: Site) -> None:
    user = site.admit(site.person("staff"))
    assert isinstance(user, UserAccount)
    now, pepper = site.clock.now(), b"a pepper of thirty-two characters"
    owner = Caller(site.acme, f"user:{user.id}", permissions_of(Role.VIEWER, installation_admin=False))
    with site.database.as_organization(site.acme) as session:
        made = create_token(
            session,
            owner,
            user.id,
            pepper=pepper,
            name="laptop",
            scopes={Permission.FINDINGS_READ},
            expires_at=now + timedelta(days=30),
            now=now,
        )

    def look() -> str:
        with site.database.as_system() as session:
            found = caller_of_key(session, made.secret, pepper=pepper, address=None, now=now)
        return found.sentence if isinstance(found, KeyRefused) else "let in"

    def switch(enabled: bool) -> None:
        with site.database.as_system() as session:
            session.get_one(IdentityProvider, site.provider_id).enabled = enabled

    assert look() == "let in"
    switch(False)
    assert look() == (
        "The token does not work: its owner, jane, signs in with an identity provider that is switched off."
    )
    switch(True)
    assert look() == "let in"
