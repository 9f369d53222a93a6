"""What is kept about a person can be had whole, and be taken out of everything but the log."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import orjson
import pyotp
import pytest
from cryptography.fernet import Fernet
from sqlalchemy import insert, select, text

from sentrikat.audit.checkpoints import chains, prove
from sentrikat.audit.journal import record
from sentrikat.domain.errors import Conflict, Forbidden, InvalidInput
from sentrikat.domain.permissions import COMMAND_LINE, Caller, Permission, Role
from sentrikat.identity import accounts, api_keys, notices, second_factor, throttle, web_sessions
from sentrikat.identity.accounts import create_account, set_role
from sentrikat.identity.models import HalfOpenSignIn, IdentityProvider, PasswordReset, UserAccount
from sentrikat.identity.personal_data import erase, export
from sentrikat.identity.saml.models import SamlSession
from sentrikat.identity.web_sessions import SessionLimits
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database
from sentrikat.infra.encryption import Vault
from tests.builders import new_organization

LIMITS = SessionLimits(idle=timedelta(minutes=60), lifetime=timedelta(hours=12))
VAULT = Vault([Fernet.generate_key().decode()])
PEPPER = b"a pepper for tests that is long enough"
LOGIN, NAME, MAIL = "zelda.quill", "Zelda Quill", "zelda@quill.example"
ADDRESS, BROWSER, AT_PROVIDER = "198.51.100.77", "Quillbrowser 1.0", "quill-0815"
PERSONAL = (LOGIN, NAME, MAIL, ADDRESS, BROWSER, AT_PROVIDER, "quill")


@pytest.fixture
def acme(database: Database) -> int:
    return new_organization(database)


@pytest.fixture
def zelda(database: Database, clock: FrozenClock, acme: int) -> int:
    """Somebody of whom everything is kept that can be."""
    now = clock.now()
    there = Caller(acme, "cli", COMMAND_LINE.permissions)
    with database.as_system() as session:
        user = create_account(
            session, COMMAND_LINE, login=LOGIN, display_name=NAME, password="correct horse battery", now=now
        )
        set_role(session, there, user, acme, Role.ANALYST, now=now)
        accounts.set_email(session, COMMAND_LINE, user, MAIL, now=now)
        own = Caller(
            acme, f"user:{user.id}", frozenset({Permission.PROFILE, Permission.INVENTORY_READ}), ADDRESS
        )
        seed = second_factor.new_seed()
        code = pyotp.TOTP(seed).at(now)
        second_factor.set_up(session, own, VAULT, user, seed=seed, code=code, but_session=None, now=now)
        provider = session.scalar(
            insert(IdentityProvider)
            .values(kind="saml", name="Company", position=1, settings={}, created_at=now)
            .returning(IdentityProvider.id)
        )
        user.provider_id, user.external_id = provider, AT_PROVIDER
        session.flush()
        web_sessions.open_session(session, user, acme, LIMITS, now=now, address=ADDRESS, user_agent=BROWSER)
        session.execute(
            insert(HalfOpenSignIn).values(
                token_hash=b"h", user_id=user.id, method="password", csrf_secret=b"c", created_at=now,
                expires_at=now, address=ADDRESS, user_agent=BROWSER, next_path="/",
            )
        )  # fmt: skip
        session.execute(
            insert(PasswordReset).values(token_hash=b"r", user_id=user.id, bound_to=b"b", expires_at=now)
        )
        session.execute(
            insert(SamlSession).values(
                provider_id=provider, user_id=user.id, name_id=AT_PROVIDER, name_id_detail={}, created_at=now,
                expires_at=now,
            )
        )  # fmt: skip
        throttle.count_attempt(session, LOGIN, None, now)
        notices.tell(session, notices.Kind.LIMIT, LOGIN, ADDRESS, once_in=None, now=now)
        made = api_keys.create_token(
            session,
            own,
            user.id,
            pepper=PEPPER,
            name="quill's script",
            scopes=[Permission.INVENTORY_READ],
            expires_at=now + timedelta(days=30),
            limits=api_keys.Limits(networks=("198.51.100.0/24",)),
            now=now,
        )
        assert made.secret
        record(session, own, "asset.changed", "asset:1", {"hostname": "web-03"}, now=now)
        return user.id


def document(database: Database, user_id: int, entered: list[int] | None = None) -> dict[str, Any]:
    with database.as_system() as session:
        user = session.get_one(UserAccount, user_id)
        held: dict[str, Any] = orjson.loads(b"".join(export(session, user, entered)))
    return held


def kept(database: Database) -> Iterator[tuple[str, str]]:
    """Every row there is but the log's, as text."""
    with database.engine.connect() as connection:
        tables = connection.scalars(
            text(
                "select table_name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'"
            )
        ).all()
        for table in tables:
            # A finished mail stands in the queue until it is swept out: docs/security/data.md.
            if table in {"audit_entry", "procrastinate_jobs"}:
                continue
            for row in connection.scalars(text(f'select t::text from "{table}" t')):
                yield table, row


def test_everything_kept_is_in_the_document(database: Database, zelda: int) -> None:
    held = document(database, zelda)

    assert held["account"]["login"] == LOGIN
    assert held["account"]["email"] == MAIL
    assert (held["account"]["identity_provider"], held["account"]["name_at_provider"]) == (
        "Company",
        AT_PROVIDER,
    )
    assert held["account"]["second_factor_since"] is not None
    empty = [part for part, rows in held.items() if not rows]
    assert empty == []
    assert held["sessions"][0]["address"] == ADDRESS
    assert {"account.created", "membership.set", "asset.changed"} <= {one["action"] for one in held["log"]}


def test_no_secret_is_in_the_document(database: Database, zelda: int) -> None:
    said = orjson.dumps(document(database, zelda)).decode()

    assert "hash" not in said
    assert "$2b$" not in said
    with database.as_system() as session:
        secrets = session.execute(
            text(
                "select encode(secret_hash, 'hex') from api_key union select encode(secret, 'hex') from totp_factor"
            )
        ).scalars()
        assert [one for one in secrets if one in said] == []


def test_whoever_left_an_organization_is_not_told_what_it_runs(
    database: Database, zelda: int, acme: int
) -> None:
    def hosts(entered: list[int] | None) -> list[str]:
        return [
            one["detail"]["hostname"]
            for one in document(database, zelda, entered)["log"]
            if "hostname" in one["detail"]
        ]

    assert hosts(None) == hosts([acme]) == ["web-03"]
    assert hosts([]) == []


def test_what_others_did_is_told_without_their_addresses(
    database: Database, clock: FrozenClock, zelda: int
) -> None:
    other = Caller(0, "user:999", COMMAND_LINE.permissions, "203.0.113.5")
    with database.as_system() as session:
        accounts.end_sessions(session, other, session.get_one(UserAccount, zelda), now=clock.now())

    assert "203.0.113.5" not in orjson.dumps(document(database, zelda)).decode()


def test_after_erasing_nothing_but_the_log_knows_the_person(
    database: Database, clock: FrozenClock, zelda: int, acme: int
) -> None:
    assert {word for word in PERSONAL if any(word in row for _, row in kept(database))} == set(PERSONAL)

    with database.as_system() as session:
        assert (
            erase(session, COMMAND_LINE, session.get_one(UserAccount, zelda), now=clock.now())
            == f"erased-{zelda}"
        )

    assert [
        (table, word)
        for table, row in kept(database)
        for word in PERSONAL
        if word in row.casefold() or word in row
    ] == []
    with database.as_system() as session:
        user = session.get_one(UserAccount, zelda)
        assert (user.disabled_at, user.password_hash, user.provider_id) == (clock.now(), None, None)
        assert (
            session.execute(text("select count(*) from api_key where revoked_at is null")).scalar_one() == 0
        )
        entries = session.execute(
            text(
                "select organization_id, action, detail::text from audit_entry where at = :now and actor = 'cli' order by id desc limit 3"
            ),
            {"now": clock.now()},
        ).all()
        assert [(one.organization_id, one.action) for one in entries] == [
            (0, "account.erased"), (acme, "membership.removed"), (acme, "api_key.revoked"),
        ]  # fmt: skip
        assert [one for one in entries if "quill" in one.detail] == []
        # The log is whole: what it said before, it says now.
        assert [chain for chain in chains(session) if prove(session, chain, {}, ()).walked.broken] == []


@pytest.fixture
def erased(database: Database, clock: FrozenClock, zelda: int) -> int:
    with database.as_system() as session:
        erase(session, COMMAND_LINE, session.get_one(UserAccount, zelda), now=clock.now())
    return zelda


def test_an_erased_account_is_nobody_s_again(
    database: Database, clock: FrozenClock, erased: int, acme: int
) -> None:
    now, there = clock.now(), Caller(acme, "cli", COMMAND_LINE.permissions)
    with database.as_system() as session:
        user = session.get_one(UserAccount, erased)
        for change in (
            lambda: accounts.enable_account(session, COMMAND_LINE, user, now=now),
            lambda: accounts.set_installation_admin(session, COMMAND_LINE, user, True, now=now),
            lambda: accounts.require_resettable(COMMAND_LINE, user),
            lambda: accounts.set_email(session, COMMAND_LINE, user, MAIL, now=now),
            lambda: set_role(session, there, user, acme, Role.VIEWER, now=now),
            lambda: erase(session, COMMAND_LINE, user, now=now),
        ):
            with pytest.raises(Conflict, match="erased"):
                change()


def test_nobody_takes_the_name_of_an_erased_account(database: Database, clock: FrozenClock) -> None:
    with database.as_system() as session, pytest.raises(InvalidInput, match="cannot be a login name"):
        create_account(
            session,
            COMMAND_LINE,
            login="erased-7",
            display_name="",
            password="correct horse",
            now=clock.now(),
        )


def test_the_name_is_free_for_another_person(database: Database, clock: FrozenClock, erased: int) -> None:
    with database.as_system() as session:
        made = create_account(
            session,
            COMMAND_LINE,
            login=LOGIN,
            display_name="Another",
            password="correct horse",
            now=clock.now(),
        )
        assert made.id != erased


def test_who_may_and_who_is_left_out(database: Database, clock: FrozenClock, zelda: int) -> None:
    with database.as_system() as session:
        user = session.get_one(UserAccount, zelda)
        with pytest.raises(Forbidden):
            erase(
                session, Caller(1, "user:99", frozenset({Permission.MEMBERS_MANAGE})), user, now=clock.now()
            )
        own = Caller(0, f"user:{zelda}", COMMAND_LINE.permissions)
        with pytest.raises(Conflict, match="your own"):
            erase(session, own, user, now=clock.now())
        admin = create_account(
            session, COMMAND_LINE, login="admin", display_name="", password="correct horse",
            installation_admin=True, now=clock.now(),
        )  # fmt: skip
        with pytest.raises(Conflict, match="last installation administrator"):
            erase(session, COMMAND_LINE, admin, now=clock.now())


def test_of_two_administrators_who_erase_each_other_one_stays(database: Database, clock: FrozenClock) -> None:
    with database.as_system() as session:
        ids = [
            create_account(
                session, COMMAND_LINE, login=f"admin-{number}", display_name="", password="correct horse",
                installation_admin=True, now=clock.now(),
            ).id
            for number in range(2)
        ]  # fmt: skip

    def attempt(user_id: int) -> bool:
        try:
            with database.as_system() as session:
                erase(session, COMMAND_LINE, session.get_one(UserAccount, user_id), now=clock.now())
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(attempt, ids)) == [False, True]
    with database.as_system() as session:
        assert len(session.scalars(select(UserAccount.id).where(UserAccount.installation_admin)).all()) == 1
