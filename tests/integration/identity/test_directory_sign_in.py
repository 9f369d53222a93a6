"""Sign-in and synchronization with real directories, down to the accounts and the log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text, update

from sentrikat.audit.queries import list_entries
from sentrikat.cli import run
from sentrikat.domain.errors import Conflict, Forbidden, InvalidInput
from sentrikat.domain.permissions import COMMAND_LINE, SYSTEM, Caller, Role, permissions_of
from sentrikat.identity import notices, sign_in
from sentrikat.identity.accounts import create_account, get_account
from sentrikat.identity.admission import SignInMethod
from sentrikat.identity.directories import password_sources, stored_directory
from sentrikat.identity.directory_sync import Synced, synchronize
from sentrikat.identity.group_rules import EVERYBODY, GroupRule
from sentrikat.identity.models import IdentityProvider, Membership, UserAccount, WebSession
from sentrikat.identity.organizations import create_organization
from sentrikat.identity.providers import (
    ProviderChange,
    change_provider,
    create_provider,
    delete_provider,
    list_providers,
    set_rules,
)
from sentrikat.identity.sign_in import Attempt
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database
from sentrikat.infra.encryption import open_vault
from sentrikat.infra.settings import Settings
from sentrikat.reactions import SCHEDULE, run_directory_sync
from tests.integration.identity.directories import ad_settings, openldap_settings
from tests.peers.openldap import SERVICE_PASSWORD, OpenLdap, password_of, person_dn
from tests.peers.processes import free_port
from tests.peers.samba import PASSWORD, ActiveDirectory

ADDRESS = "192.0.2.7"


@dataclass(frozen=True, slots=True)
class Site:
    """An installation with one organization."""

    database: Database
    clock: FrozenClock
    settings: Settings
    acme: int

    def add(self, settings: dict[str, Any], secret: str, *rules: GroupRule, name: str = "Head office") -> int:
        """Add a directory."""
        with self.database.as_system() as session:
            provider = create_provider(
                session,
                COMMAND_LINE,
                partial(open_vault, self.settings),
                kind="ldap",
                name=name,
                settings=settings,
                secret=secret,
                now=self.clock.now(),
            )
            set_rules(session, COMMAND_LINE, provider, rules, now=self.clock.now())
            return provider.id

    def sign_in(self, login: str, password: str) -> Attempt:
        """Show a password to everybody who may know it."""
        with self.database.as_system() as session:
            attempt = sign_in.begin(session, login, ADDRESS, self.clock.now())
        assert isinstance(attempt, Attempt)
        sources = password_sources(self.database, self.settings, self.clock)
        return sign_in.check(attempt, password, sources(ADDRESS))

    def sync(self, provider_id: int, *, accept_many: bool = False) -> Synced:
        """Bring a directory's accounts up to date."""
        with self.database.as_system() as session:
            provider = session.get_one(IdentityProvider, provider_id)
        return synchronize(
            self.database,
            stored_directory(provider, self.settings),
            self.clock,
            caller=SYSTEM,
            accept_many=accept_many,
        )

    def log(self) -> list[tuple[str, dict[str, Any]]]:
        """What the installation's log says, the newest first."""
        with self.database.as_system() as session:
            return [(e.action, e.detail) for e in list_entries(session, 0, before=None, limit=200)]

    def provider(self, provider_id: int) -> IdentityProvider:
        """A directory as it is stored."""
        with self.database.as_system() as session:
            return session.get_one(IdentityProvider, provider_id)


@pytest.fixture
def site(database: Database, clock: FrozenClock, tmp_path: Path) -> Site:
    with database.as_system() as session:
        acme = create_organization(session, COMMAND_LINE, name="Acme", slug="acme", now=clock.now())
        return Site(database, clock, Settings(data_dir=tmp_path), acme.id)


def staff(site: Site) -> GroupRule:
    return GroupRule("staff", site.acme, Role.ANALYST)


def test_a_person_of_openldap_gets_an_account_and_the_role_of_a_nested_group(
    site: Site, openldap: OpenLdap
) -> None:
    provider_id = site.add(openldap_settings(openldap), SERVICE_PASSWORD, staff(site))

    attempt = site.sign_in("Jane", password_of("jane"))

    assert attempt.proven is not None
    assert (attempt.proven.method, attempt.proven.provider_id) == (SignInMethod.LDAP, provider_id)
    with site.database.as_system() as session:
        membership = session.scalars(select(Membership)).one()
        assert (membership.role, membership.provider_id) == ("analyst", provider_id)
    assert not site.sign_in("jane", "wrong").right
    assert site.log()[0][0] == "sign_in.directory_refused"


@pytest.mark.parametrize("login", ["jane", "EXAMPLE\\jane", "jane@example.test"])
def test_a_person_of_active_directory_is_one_account_under_every_spelling(
    site: Site, active_directory: ActiveDirectory, login: str
) -> None:
    site.add(ad_settings(active_directory), PASSWORD, staff(site))
    assert site.sign_in("jane", PASSWORD).right

    assert site.sign_in(login, PASSWORD).right
    with site.database.as_system() as session:
        assert session.scalar(select(func.count()).select_from(UserAccount)) == 1


def test_why_active_directory_refused_stands_in_the_log_alone(
    site: Site, active_directory: ActiveDirectory
) -> None:
    site.add(ad_settings(active_directory), PASSWORD, staff(site))

    assert not site.sign_in("disabled", PASSWORD).right
    action, detail = site.log()[0]
    assert (action, detail["code"]) == ("sign_in.directory_refused", "533")


def test_somebody_without_a_rule_is_not_let_in(site: Site, openldap: OpenLdap) -> None:
    site.add(openldap_settings(openldap), SERVICE_PASSWORD, staff(site))

    assert not site.sign_in("root", password_of("root")).right
    assert site.log()[0] == (
        "sign_in.not_admitted",
        site.log()[0][1] | {"reason": "no_rule"},
    )


def test_directories_are_asked_in_turn_and_an_outage_leaves_the_others_and_local_accounts(
    site: Site, openldap: OpenLdap
) -> None:
    down = site.add(
        openldap_settings(openldap, hosts=[f"127.0.0.1:{free_port()}"]), "secret", staff(site), name="Down"
    )
    site.add(openldap_settings(openldap), SERVICE_PASSWORD, staff(site), name="Up")
    with site.database.as_system() as session:
        create_account(
            session,
            COMMAND_LINE,
            login="admin",
            display_name="",
            password="a local password",
            now=site.clock.now(),
        )

    assert site.sign_in("admin", "a local password").right
    assert site.sign_in("jane", password_of("jane")).right
    unknown = site.sign_in("nobody", "anything")
    assert (unknown.right, unknown.unanswered) == (False, True)
    trouble = site.provider(down).last_error
    assert trouble is not None
    assert "was not reached" in trouble
    # Told once, however many sign-ins find it so.
    assert [action for action, _ in site.log()].count("identity_provider.unavailable") == 1


def test_a_directory_that_answers_again_is_told_too(site: Site, openldap: OpenLdap) -> None:
    provider_id = site.add(openldap_settings(openldap), "not the password", staff(site))
    site.sign_in("jane", password_of("jane"))
    assert "refused the service account" in (site.provider(provider_id).last_error or "")

    with site.database.as_system() as session:
        provider = session.get_one(IdentityProvider, provider_id)
        provider.secret = open_vault(site.settings).encrypt(
            SERVICE_PASSWORD, purpose="identity_provider.secret"
        )
    assert site.sign_in("jane", password_of("jane")).right
    assert site.provider(provider_id).last_error is None
    assert "identity_provider.answers" in [action for action, _ in site.log()]


def test_a_secret_that_cannot_be_read_keeps_nobody_else_out(site: Site, openldap: OpenLdap) -> None:
    provider_id = site.add(openldap_settings(openldap), SERVICE_PASSWORD, staff(site))
    with site.database.as_system() as session:
        session.get_one(IdentityProvider, provider_id).secret = b"not a token"
        create_account(
            session,
            COMMAND_LINE,
            login="admin",
            display_name="",
            password="a local password",
            now=site.clock.now(),
        )

    assert site.sign_in("admin", "a local password").right
    assert "was not read" in (site.provider(provider_id).last_error or "")


# -- synchronization ------------------------------------------------------------------------------


def person(uid: str) -> str:
    return (
        f"dn: {person_dn(uid)}\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {uid}\nsn: {uid}\n"
        f"userPassword: {password_of(uid)}\n"
    )


@contextmanager
def people(openldap: OpenLdap, *uids: str) -> Iterator[None]:
    """People of one test, who are taken out again."""
    openldap.add("\n".join(person(uid) for uid in uids))
    try:
        yield
    finally:
        for uid in uids:
            openldap.modify(f"dn: {person_dn(uid)}\nchangetype: delete\n")


def everybody(site: Site) -> GroupRule:
    return GroupRule(EVERYBODY, site.acme, Role.VIEWER)


def test_who_left_the_directory_is_shut_out_at_once(site: Site, openldap: OpenLdap) -> None:
    provider_id = site.add(openldap_settings(openldap), SERVICE_PASSWORD, everybody(site))
    with people(openldap, "leaver"):
        for login in ("leaver", "jane", "guest"):
            assert site.sign_in(login, password_of(login)).right
    with site.database.as_system() as session:
        leaver = get_account(session, "leaver")
        session.add(
            WebSession(
                token_hash=b"x",
                user_id=leaver.id,
                csrf_secret=b"x",
                created_at=site.clock.now(),
                authenticated_at=site.clock.now(),
                last_used_at=site.clock.now(),
                expires_at=site.clock.now(),
            )
        )

    outcome = site.sync(provider_id)

    assert (outcome.accounts, outcome.found, outcome.disabled) == (3, 2, ("leaver",))
    with site.database.as_system() as session:
        assert get_account(session, "leaver").disabled_at is not None
        assert get_account(session, "jane").disabled_at is None
        assert session.scalar(select(func.count()).select_from(WebSession)) == 0
    assert site.provider(provider_id).last_sync_at == site.clock.now()
    assert site.sync(provider_id).disabled == ()  # a second time there is nothing to do


def test_who_is_disabled_or_expired_in_active_directory_is_shut_out(
    site: Site, active_directory: ActiveDirectory
) -> None:
    provider_id = site.add(ad_settings(active_directory), PASSWORD, everybody(site))
    for login in ("leaver", "jane", "boss"):
        assert site.sign_in(login, PASSWORD).right
    dn = active_directory.person_dn("leaver")
    active_directory.modify(
        f"dn: {dn}\nchangetype: modify\nreplace: userAccountControl\nuserAccountControl: 514\n"
    )
    try:
        outcome = site.sync(provider_id)
    finally:
        active_directory.modify(
            f"dn: {dn}\nchangetype: modify\nreplace: userAccountControl\nuserAccountControl: 512\n"
        )

    assert outcome.disabled == ("leaver",)
    assert ("account.disabled", {"login": "leaver", "why": "disabled in the directory"}) in site.log()


def test_roles_follow_the_groups_without_a_sign_in(site: Site, openldap: OpenLdap) -> None:
    provider_id = site.add(openldap_settings(openldap), SERVICE_PASSWORD, staff(site))
    assert site.sign_in("jane", password_of("jane")).right
    with site.database.as_system() as session:
        provider = session.get_one(IdentityProvider, provider_id)
        set_rules(
            session,
            COMMAND_LINE,
            provider,
            [GroupRule("developers", site.acme, Role.MANAGER)],
            now=site.clock.now(),
        )

    site.sync(provider_id)
    with site.database.as_system() as session:
        assert session.scalars(select(Membership.role)).all() == ["manager"]


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"base_dn": "ou=services,dc=example,dc=test"}, "a base in which nobody is"),
        ({"user_filter": "(&(uid={login})(cn=Jane*))"}, "a filter that leaves most out"),
        ({"id_attribute": "objectGUID"}, "an attribute that accounts were not made with"),
    ],
)
def test_a_mistake_that_looks_like_everybody_leaving_is_held_until_somebody_lets_it_happen(
    site: Site, openldap: OpenLdap, changes: dict[str, Any], what: str
) -> None:
    provider_id = site.add(openldap_settings(openldap), SERVICE_PASSWORD, everybody(site))
    for login in ("jane", "guest", "root", "person01", "person02"):
        assert site.sign_in(login, password_of(login)).right
    with site.database.as_system() as session:
        provider = session.get_one(IdentityProvider, provider_id)
        provider.settings = provider.settings | changes

    outcome = site.sync(provider_id)

    assert len(outcome.held) >= 4, what
    assert outcome.disabled == ()
    with site.database.as_system() as session:
        disabled = select(func.count()).where(UserAccount.disabled_at.is_not(None))
        assert session.scalar(disabled) == 0
    assert site.log()[0][0] == "identity_provider.sync_held"
    assert site.sync(provider_id).held == outcome.held
    assert [action for action, _ in site.log()].count("identity_provider.sync_held") == 1

    accepted = site.sync(provider_id, accept_many=True)
    assert accepted.disabled == outcome.held


@pytest.mark.parametrize(
    "changes",
    [
        {"hosts": ["127.0.0.1:1"]},  # does not answer
        {"base_dn": "dc=nothing"},  # answers with an error
        {"bind_dn": None, "bind_template": "uid={login},dc=example"},  # nobody may look
    ],
)
def test_a_directory_that_gives_no_answer_disables_nobody(
    site: Site, openldap: OpenLdap, changes: dict[str, Any]
) -> None:
    provider_id = site.add(openldap_settings(openldap), SERVICE_PASSWORD, everybody(site))
    assert site.sign_in("jane", password_of("jane")).right
    with site.database.as_system() as session:
        provider = session.get_one(IdentityProvider, provider_id)
        provider.settings = provider.settings | changes

    outcome = site.sync(provider_id, accept_many=True)

    assert outcome.trouble is not None
    with site.database.as_system() as session:
        assert get_account(session, "jane").disabled_at is None


# -- managing them --------------------------------------------------------------------------------


def test_a_secret_is_encrypted_and_follows_nobody_to_another_server(site: Site, openldap: OpenLdap) -> None:
    provider_id = site.add(openldap_settings(openldap), SERVICE_PASSWORD)
    vault = partial(open_vault, site.settings)
    assert SERVICE_PASSWORD.encode() not in (site.provider(provider_id).secret or b"")

    elsewhere = ProviderChange(settings=openldap_settings(openldap, hosts=["127.0.0.1:1"]))
    with (
        site.database.as_system() as session,
        pytest.raises(InvalidInput, match="where its password is sent"),
    ):
        provider = session.get_one(IdentityProvider, provider_id)
        change_provider(session, COMMAND_LINE, vault, provider, elsewhere, now=site.clock.now())

    narrower = ProviderChange(settings=openldap_settings(openldap, page_size=20))
    with site.database.as_system() as session:
        provider = session.get_one(IdentityProvider, provider_id)
        change_provider(session, COMMAND_LINE, vault, provider, narrower, now=site.clock.now())
    assert site.log()[0] == ("identity_provider.changed", {"name": "Head office", "changed": ["page_size"]})


def test_switching_a_directory_off_ends_its_sessions_and_ways_in(site: Site, openldap: OpenLdap) -> None:
    provider_id = site.add(openldap_settings(openldap), SERVICE_PASSWORD, everybody(site))
    assert site.sign_in("jane", password_of("jane")).right
    with site.database.as_system() as session:
        provider = session.get_one(IdentityProvider, provider_id)
        change_provider(
            session,
            COMMAND_LINE,
            partial(open_vault, site.settings),
            provider,
            ProviderChange(enabled=False),
            now=site.clock.now(),
        )

    assert not site.sign_in("jane", password_of("jane")).right


def test_removing_a_directory_disables_its_accounts_and_keeps_them(site: Site, openldap: OpenLdap) -> None:
    provider_id = site.add(openldap_settings(openldap), SERVICE_PASSWORD, everybody(site))
    assert site.sign_in("jane", password_of("jane")).right
    with site.database.as_system() as session:
        provider = session.get_one(IdentityProvider, provider_id)
        assert delete_provider(session, COMMAND_LINE, provider, now=site.clock.now()) == 1

    with site.database.as_system() as session:
        jane = get_account(session, "jane")
        assert (jane.provider_id, jane.disabled_at is not None) == (None, True)
        assert session.scalar(select(func.count()).select_from(Membership)) == 0
        assert list_providers(session, COMMAND_LINE) == []


@pytest.mark.parametrize(
    "rule",
    [
        GroupRule("", 1, Role.VIEWER),
        GroupRule("staff"),  # gives nothing
        GroupRule("staff", 1),
        GroupRule("staff", 987654, Role.VIEWER),  # no such organization
        GroupRule(EVERYBODY, installation_admin=True),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(site: Site, openldap: OpenLdap, rule: GroupRule) -> None:
    provider_id = site.add(openldap_settings(openldap), SERVICE_PASSWORD)
    with site.database.as_system() as session, pytest.raises(InvalidInput, match="rule 1 is wrong"):
        provider = session.get_one(IdentityProvider, provider_id)
        set_rules(session, COMMAND_LINE, provider, [rule], now=site.clock.now())


def test_only_who_runs_the_installation_has_a_hand_in_it(site: Site, openldap: OpenLdap) -> None:
    boss = Caller(site.acme, "user:1", permissions_of(Role.ADMINISTRATOR, installation_admin=False))
    with site.database.as_system() as session:
        with pytest.raises(Forbidden):
            list_providers(session, boss)
        with pytest.raises(Forbidden):
            create_provider(
                session,
                boss,
                partial(open_vault, site.settings),
                kind="ldap",
                name="Mine",
                settings=openldap_settings(openldap),
                secret="x",
                now=site.clock.now(),
            )


def test_two_providers_have_two_names(site: Site, openldap: OpenLdap) -> None:
    site.add(openldap_settings(openldap), SERVICE_PASSWORD)
    with pytest.raises(Conflict, match="is taken"):
        site.add(openldap_settings(openldap), SERVICE_PASSWORD)


def roles(site: Site) -> list[str]:
    with site.database.as_system() as session:
        return sorted(session.scalars(select(Membership.role)))


def test_a_group_base_with_a_typing_error_takes_nobody_s_roles_until_somebody_lets_it_happen(
    site: Site, openldap: OpenLdap
) -> None:
    provider_id = site.add(openldap_settings(openldap), SERVICE_PASSWORD, staff(site), everybody(site))
    with people(openldap, "leaver"):
        for login in ("jane", "guest", "person01", "leaver"):
            assert site.sign_in(login, password_of(login)).right
    assert roles(site) == ["analyst", "analyst", "viewer", "viewer"]
    with site.database.as_system() as session:
        provider = session.get_one(IdentityProvider, provider_id)
        provider.settings = provider.settings | {"group_base_dn": "ou=services,dc=example,dc=test"}

    outcome = site.sync(provider_id)

    assert (outcome.losing, outcome.held) == (("guest", "jane"), ())
    assert outcome.disabled == ("leaver",)  # what is not in doubt is done
    assert roles(site) == ["analyst", "analyst", "viewer", "viewer"]
    assert site.log()[0][0] == "identity_provider.sync_held"
    site.sync(provider_id)
    assert [action for action, _ in site.log()].count("identity_provider.sync_held") == 1
    assert "No role was changed" in (site.provider(provider_id).last_sync or {})["sentence"]

    assert site.sync(provider_id, accept_many=True).losing == ()
    assert roles(site) == ["viewer"] * 4


def test_one_person_may_lose_their_last_group(site: Site, openldap: OpenLdap) -> None:
    provider_id = site.add(
        openldap_settings(openldap, group_base_dn="ou=services,dc=example,dc=test"),
        SERVICE_PASSWORD,
        everybody(site),
    )
    assert site.sign_in("jane", password_of("jane")).right
    with site.database.as_system() as session:
        session.execute(update(Membership).values(role="analyst"))  # as a group gave it once

    assert site.sync(provider_id).losing == ()
    assert roles(site) == ["viewer"]


def test_administrators_are_told_of_an_outage_once(site: Site, openldap: OpenLdap) -> None:
    up = openldap_settings(openldap)
    down = up | {"hosts": [f"127.0.0.1:{free_port()}"]}
    provider_id = site.add(up, SERVICE_PASSWORD, everybody(site))
    assert site.sign_in("jane", password_of("jane")).right

    def told() -> list[str]:
        with site.database.as_system() as session:
            return [one.sentence for one in notices.recent(session, site.clock.now())]

    def reach(settings: dict[str, Any]) -> None:
        with site.database.as_system() as session:
            session.get_one(IdentityProvider, provider_id).settings = settings
        site.sync(provider_id)

    assert told() == []
    for _ in range(3):
        reach(down)
    assert told() == [
        "The directory “Head office” is out of order: its people cannot sign in, local accounts can."
    ]
    reach(up)  # it is over
    reach(down)  # the next one
    assert len(told()) == 2
    with site.database.engine.connect() as connection:  # the roles may not read the queue
        mails = text("select count(*) from procrastinate_jobs where task_name = 'mail_notice'")
        assert connection.scalar(mails) == 2


# -- from the command line and by the worker ------------------------------------------------------


@pytest.fixture
def _commands(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENTRIKAT_DATABASE_URL", site.database.url)
    monkeypatch.setenv("SENTRIKAT_DATA_DIR", str(site.settings.data_dir))
    monkeypatch.setenv("DIRECTORY_PASSWORD", SERVICE_PASSWORD)


@pytest.mark.usefixtures("_commands")
def test_a_directory_is_set_up_tested_and_synchronized_by_commands(
    site: Site, openldap: OpenLdap, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "directory.json"
    file.write_text(json.dumps(openldap_settings(openldap)))

    assert run(["identity", "add-directory", "Head office", str(file)]) == 0
    assert run(["identity", "add-rule", "Head office", "staff", "-o", "acme", "--role", "analyst"]) == 0
    assert run(["identity", "test", "Head office", "--login", "jane"]) == 0
    said = capsys.readouterr().out
    assert "1 of 1 apply" in said
    assert SERVICE_PASSWORD not in said
    assert run(["identity", "test", "Head office", "--login", "nobody"]) == 1
    assert site.sign_in("jane", password_of("jane")).right
    assert run(["identity", "sync", "Head office"]) == 0
    assert "1 of 1 accounts found" in capsys.readouterr().out
    assert run(["identity", "list"]) == 0
    assert run(["identity", "sync", "No such"]) == 1


@pytest.mark.usefixtures("_commands")
def test_the_worker_s_hourly_job_goes_through_every_directory(site: Site, openldap: OpenLdap) -> None:
    quiet = site.add(openldap_settings(openldap, sync=False), SERVICE_PASSWORD, everybody(site), name="Quiet")
    down = site.add(
        openldap_settings(openldap, hosts=[f"127.0.0.1:{free_port()}"]),
        "secret",
        everybody(site),
        name="Down",
    )
    up = site.add(openldap_settings(openldap), SERVICE_PASSWORD, everybody(site), name="Up")

    run_directory_sync(site.database)

    assert site.provider(quiet).last_sync_at is None
    assert site.provider(down).last_error is not None
    assert site.provider(up).last_sync_at is not None
    assert any(one.job == "sync_directories" for one in SCHEDULE)
