"""A second factor is set up, asked for, taken once, and lost, on a real database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pyotp
import pytest
from cryptography.fernet import Fernet
from sqlalchemy import func, select, text

from sentrikat.audit.models import AuditEntry
from sentrikat.domain.errors import Conflict, Forbidden
from sentrikat.domain.permissions import COMMAND_LINE, Caller, Role
from sentrikat.identity import second_factor, web_sessions
from sentrikat.identity.accounts import create_account, set_role
from sentrikat.identity.admission import (
    Arrival,
    HalfOpen,
    Proven,
    SignedIn,
    SignInMethod,
    SignInRules,
    Step,
    finish,
    pending_seed,
    resume,
)
from sentrikat.identity.models import RecoveryCode, TotpFactor, UserAccount, WebSession
from sentrikat.identity.second_factor import Factor
from sentrikat.identity.web_sessions import SessionLimits
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database
from sentrikat.infra.encryption import Vault
from tests.builders import new_organization

LIMITS = SessionLimits(idle=timedelta(minutes=60), lifetime=timedelta(hours=12))
VAULT = Vault([Fernet.generate_key().decode()])


@pytest.fixture
def jane(database: Database, clock: FrozenClock) -> int:
    with database.as_system() as session:
        return create_account(
            session,
            COMMAND_LINE,
            login="jane",
            display_name="Jane",
            password="correct horse battery",
            now=clock.now(),
        ).id


@pytest.fixture
def seed(database: Database, clock: FrozenClock, jane: int) -> str:
    """Jane's phone."""
    seed, codes = enroll(database, clock, jane)
    assert len(set(codes)) == 10
    clock.advance(timedelta(minutes=1))  # the code that confirmed it is used up
    return seed


def enroll(database: Database, clock: FrozenClock, user_id: int) -> tuple[str, list[str]]:
    seed = second_factor.new_seed()
    with database.as_system() as session:
        codes = second_factor.set_up(
            session,
            Caller(0, f"user:{user_id}", frozenset()),
            VAULT,
            session.get_one(UserAccount, user_id),
            seed=seed,
            code=code_of(seed, clock),
            but_session=None,
            now=clock.now(),
        )
    assert codes is not None
    return seed, codes


def code_of(seed: str, clock: FrozenClock) -> str:
    return pyotp.TOTP(seed).at(clock.now())


def accept(database: Database, clock: FrozenClock, user_id: int, code: str) -> Factor | None:
    with database.as_system() as session:
        return second_factor.accept(session, VAULT, user_id, code, clock.now())


def enter(
    database: Database,
    clock: FrozenClock,
    user_id: int,
    rules: SignInRules,
    method: SignInMethod = SignInMethod.PASSWORD,
) -> object:
    with database.as_system() as session:
        user = session.get_one(UserAccount, user_id)
        outcome = finish(session, user, Proven(user_id, method), rules, Arrival("192.0.2.7"), now=clock.now())
    return outcome.step if isinstance(outcome, HalfOpen) else type(outcome)


def test_the_seed_is_not_in_the_database(database: Database, jane: int, seed: str) -> None:
    with database.as_system() as session:
        stored = session.scalars(select(TotpFactor.secret).where(TotpFactor.user_id == jane)).one()
        everything = session.execute(text("select t::text from totp_factor t")).scalar_one()

    assert seed.encode() not in stored
    assert seed not in everything
    assert VAULT.decrypt(stored, purpose="totp.secret") == seed


def test_a_code_is_taken_once(database: Database, clock: FrozenClock, jane: int, seed: str) -> None:
    code = code_of(seed, clock)

    assert accept(database, clock, jane, code) is Factor.TOTP
    assert accept(database, clock, jane, code) is None
    clock.advance(timedelta(seconds=30))
    assert accept(database, clock, jane, code) is None  # still inside the drift
    assert accept(database, clock, jane, code_of(seed, clock)) is Factor.TOTP


def test_the_code_that_set_it_up_does_not_sign_in(database: Database, clock: FrozenClock, jane: int) -> None:
    seed, _ = enroll(database, clock, jane)

    assert accept(database, clock, jane, code_of(seed, clock)) is None


@pytest.mark.parametrize("kind", ["totp", "recovery code"])
def test_of_many_requests_with_the_same_code_one_gets_in(
    database: Database, clock: FrozenClock, jane: int, kind: str
) -> None:
    """Each transaction has a connection of its own, so processes would do the same."""
    seed, codes = enroll(database, clock, jane)
    clock.advance(timedelta(minutes=1))
    code = code_of(seed, clock) if kind == "totp" else codes[3]
    with ThreadPoolExecutor(8) as threads:
        taken = list(threads.map(lambda _: accept(database, clock, jane, code), range(16)))

    assert sum(one is not None for one in taken) == 1


def test_each_recovery_code_opens_once_however_it_is_typed(
    database: Database, clock: FrozenClock, jane: int
) -> None:
    _, codes = enroll(database, clock, jane)

    for code in (codes[0], codes[1].upper(), codes[2].replace("-", ""), f" {codes[3]} "):
        assert accept(database, clock, jane, code) is Factor.RECOVERY_CODE
        assert accept(database, clock, jane, code) is None
    with database.as_system() as session:
        assert second_factor.codes_left(session, jane) == 6


def test_recovery_codes_work_when_the_key_of_the_seed_is_lost(
    database: Database, clock: FrozenClock, jane: int
) -> None:
    _, codes = enroll(database, clock, jane)
    with database.as_system() as session:
        other = Vault([Fernet.generate_key().decode()])
        assert second_factor.accept(session, other, jane, codes[0], clock.now()) is Factor.RECOVERY_CODE


def test_new_recovery_codes_void_the_old_ones(database: Database, clock: FrozenClock, jane: int) -> None:
    _, old = enroll(database, clock, jane)
    with database.as_system() as session:
        user = session.get_one(UserAccount, jane)
        new = second_factor.renew_codes(session, COMMAND_LINE, user, now=clock.now())
        assert session.scalar(select(func.count()).select_from(RecoveryCode)) == 10

    assert accept(database, clock, jane, old[0]) is None
    assert accept(database, clock, jane, new[0]) is Factor.RECOVERY_CODE


def test_the_code_of_somebody_else_is_worth_nothing(
    database: Database, clock: FrozenClock, jane: int, seed: str
) -> None:
    with database.as_system() as session:
        other = create_account(
            session, COMMAND_LINE, login="eve", display_name="Eve", password="x" * 12, now=clock.now()
        ).id
    _, codes = enroll(database, clock, other)

    assert accept(database, clock, other, code_of(seed, clock)) is None
    assert accept(database, clock, jane, codes[0]) is None


def test_a_second_one_is_not_set_up_over_the_first(
    database: Database, clock: FrozenClock, jane: int, seed: str
) -> None:
    assert seed
    with pytest.raises(Conflict, match="has one already"):
        enroll(database, clock, jane)


def test_whoever_has_one_is_asked_whatever_the_rule_and_the_method(
    database: Database, clock: FrozenClock, jane: int, seed: str
) -> None:
    assert seed
    for method in SignInMethod:
        for rule in ("off", "optional", "administrators", "everybody"):
            rules = SignInRules(LIMITS, second_factor=rule)
            assert enter(database, clock, jane, rules, method) is Step.SECOND_FACTOR


@pytest.mark.parametrize(
    ("rule", "admin", "break_glass", "method", "expected"),
    [
        ("off", True, False, SignInMethod.PASSWORD, SignedIn),
        ("optional", True, False, SignInMethod.PASSWORD, SignedIn),
        ("administrators", False, False, SignInMethod.PASSWORD, SignedIn),
        ("administrators", True, False, SignInMethod.PASSWORD, Step.ENROLLMENT),
        ("administrators", True, False, SignInMethod.SAML, SignedIn),
        ("administrators", True, True, SignInMethod.PASSWORD, SignedIn),
        ("everybody", False, False, SignInMethod.PASSWORD, Step.ENROLLMENT),
        ("everybody", False, False, SignInMethod.LDAP, Step.ENROLLMENT),
        ("everybody", False, False, SignInMethod.SAML, SignedIn),  # the provider asks for its own
        ("everybody", True, True, SignInMethod.PASSWORD, SignedIn),  # must open when phones are missing
    ],
)
def test_the_installation_decides_who_needs_one(
    database: Database,
    clock: FrozenClock,
    jane: int,
    rule: str,
    admin: bool,
    break_glass: bool,
    method: SignInMethod,
    expected: object,
) -> None:
    with database.as_system() as session:
        user = session.get_one(UserAccount, jane)
        user.installation_admin, user.break_glass = admin, break_glass

    rules = SignInRules(LIMITS, second_factor=rule)  # type: ignore[arg-type]  # a word of the table above
    assert enter(database, clock, jane, rules, method) is expected


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        (Role.ADMINISTRATOR, Step.ENROLLMENT),  # lets people in, makes keys
        (Role.MANAGER, SignedIn),
        (Role.AUDITOR, SignedIn),  # reads, and changes nothing
    ],
)
def test_who_administers_an_organization_is_an_administrator(
    database: Database, clock: FrozenClock, jane: int, role: Role, expected: object
) -> None:
    organization_id = new_organization(database)
    with database.as_system() as session:
        caller = Caller(organization_id, "cli", COMMAND_LINE.permissions)
        set_role(session, caller, session.get_one(UserAccount, jane), organization_id, role, now=clock.now())

    assert enter(database, clock, jane, SignInRules(LIMITS, second_factor="administrators")) is expected


def test_a_seed_is_of_one_browser_alone(database: Database, clock: FrozenClock, jane: int) -> None:
    """Somebody with the password may look at a seed; the owner must not confirm that one later."""
    rules = SignInRules(LIMITS, second_factor="everybody")
    seeds = []
    for _ in range(2):
        with database.as_system() as session:
            user = session.get_one(UserAccount, jane)
            outcome = finish(
                session,
                user,
                Proven(jane, SignInMethod.PASSWORD),
                rules,
                Arrival("192.0.2.7"),
                now=clock.now(),
            )
            assert isinstance(outcome, HalfOpen)
            held = resume(session, outcome.token, rules, clock.now())
            assert held is not None
            seeds.append(pending_seed(session, held, VAULT))
            assert pending_seed(session, held, VAULT) == seeds[-1]

    assert len(set(seeds)) == 2


def test_setting_up_and_removing_end_other_sessions(
    database: Database, clock: FrozenClock, jane: int
) -> None:
    def open_sessions() -> int:
        with database.as_system() as session:
            return session.scalar(select(func.count()).select_from(WebSession)) or 0

    def sign_in() -> None:
        with database.as_system() as session:
            web_sessions.open_session(
                session,
                session.get_one(UserAccount, jane),
                None,
                LIMITS,
                now=clock.now(),
                address=None,
                user_agent=None,
            )

    sign_in()
    enroll(database, clock, jane)
    assert open_sessions() == 0
    sign_in()
    with database.as_system() as session:
        user = session.get_one(UserAccount, jane)
        assert second_factor.remove(session, COMMAND_LINE, user, but_session=None, now=clock.now())
        assert not second_factor.remove(session, COMMAND_LINE, user, but_session=None, now=clock.now())
    assert open_sessions() == 0


def test_a_lost_one_is_reset_by_an_administrator_and_logged(
    database: Database, clock: FrozenClock, jane: int, seed: str
) -> None:
    assert seed
    with database.as_system() as session:
        user = session.get_one(UserAccount, jane)
        with pytest.raises(Forbidden):
            second_factor.reset(session, Caller(0, "user:99", frozenset()), user, now=clock.now())
        own = Caller(0, f"user:{jane}", COMMAND_LINE.permissions)
        with pytest.raises(Conflict, match="your own account"):
            second_factor.reset(session, own, user, now=clock.now())
        assert second_factor.reset(session, COMMAND_LINE, user, now=clock.now())
        assert not second_factor.is_set_up(session, jane)
        logged = session.execute(
            select(AuditEntry.actor, AuditEntry.detail).where(AuditEntry.action == "second_factor.removed")
        ).one()
    assert logged == ("cli", {"login": "jane"})


def test_of_two_who_set_one_up_at_once_the_second_is_told(
    database: Database, clock: FrozenClock, jane: int
) -> None:
    def set_up(_number: int) -> str:
        try:
            enroll(database, clock, jane)
        except Conflict as told:
            return told.message
        return "done"

    with ThreadPoolExecutor(4) as threads:
        told = list(threads.map(set_up, range(4)))

    assert sorted(told) == ["The second factor was not set up: the account has one already."] * 3 + ["done"]
