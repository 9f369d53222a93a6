"""Signing in, staying signed in, and being shut out, on a real database."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from sentrikat.audit.models import AuditEntry
from sentrikat.domain.errors import Conflict, Unavailable
from sentrikat.domain.permissions import COMMAND_LINE, Permission, Role
from sentrikat.identity import accounts, sign_in, throttle, web_sessions
from sentrikat.identity.access import Visit, visit_of_cookie
from sentrikat.identity.accounts import create_account, create_first_administrator, set_role
from sentrikat.identity.admission import (
    HALF_OPEN_FOR,
    Arrival,
    HalfOpen,
    Proven,
    Reason,
    Refused,
    SignedIn,
    SignInMethod,
    SignInRules,
    Step,
    claim,
    finish,
    resume,
)
from sentrikat.identity.models import SignInAttempt, UserAccount, WebSession
from sentrikat.identity.organizations import create_organization
from sentrikat.identity.sign_in import Attempt, PasswordSource
from sentrikat.identity.web_sessions import SessionLimits, token_hash
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database

LIMITS = SessionLimits(idle=timedelta(minutes=60), lifetime=timedelta(hours=12))
RULES = SignInRules(LIMITS)
PASSWORD = "correct horse battery"
ADDRESS = "192.0.2.7"


@pytest.fixture
def organization_id(database: Database, clock: FrozenClock) -> int:
    with database.as_system() as session:
        organization = create_organization(session, COMMAND_LINE, name="Acme", slug="acme", now=clock.now())
        user = create_account(
            session, COMMAND_LINE, login="Jane", display_name="Jane Doe", password=PASSWORD, now=clock.now()
        )
        set_role(session, COMMAND_LINE, user, organization.id, Role.ANALYST, now=clock.now())
        return organization.id


def try_password(
    database: Database,
    clock: FrozenClock,
    password: str,
    *,
    login: str = "jane",
    address: str = ADDRESS,
    sources: Sequence[PasswordSource] = (),
    list_file: Path | None = None,
) -> SignedIn | HalfOpen | Refused:
    with database.as_system() as session:
        attempt = sign_in.begin(session, login, address, clock.now())
    if isinstance(attempt, Refused):
        return attempt
    checked = sign_in.check(attempt, password, sources, list_file=list_file)
    with database.as_system() as session:
        return sign_in.complete(
            session, checked, RULES, now=clock.now(), arrival=Arrival(address, "Test\x00er", "/findings")
        )


def visit(database: Database, clock: FrozenClock, token: str) -> Visit | None:
    with database.as_system() as session:
        return visit_of_cookie(session, token, LIMITS, address=ADDRESS, now=clock.now())


def signed_in(database: Database, clock: FrozenClock) -> str:
    outcome = try_password(database, clock, PASSWORD, login=" JANE ")
    assert isinstance(outcome, SignedIn)
    return outcome.session.token


@pytest.mark.usefixtures("organization_id")
def test_the_right_password_opens_a_session_in_the_own_organization(
    database: Database, clock: FrozenClock, organization_id: int
) -> None:
    found = visit(database, clock, signed_in(database, clock))

    assert found is not None
    assert found.caller.organization_id == organization_id
    assert found.caller.may(Permission.INVENTORY_WRITE)
    assert not found.caller.may(Permission.KEYS_MANAGE)


@pytest.mark.usefixtures("organization_id")
def test_a_password_of_ten_years_ago_still_opens_a_session(database: Database, clock: FrozenClock) -> None:
    clock.advance(timedelta(days=3653))

    assert isinstance(try_password(database, clock, PASSWORD), SignedIn)


@pytest.mark.usefixtures("organization_id")
def test_only_a_hash_of_the_token_is_stored(database: Database, clock: FrozenClock) -> None:
    token = signed_in(database, clock)

    with database.as_system() as session:
        stored = session.scalars(select(WebSession.token_hash)).one()
    assert stored == token_hash(token)
    assert token.encode() not in stored


@pytest.mark.usefixtures("organization_id")
def test_a_wrong_password_and_an_unknown_account_get_the_same_answer(
    database: Database, clock: FrozenClock
) -> None:
    wrong = try_password(database, clock, "wrong")
    unknown = try_password(database, clock, "wrong", login="nobody")

    assert wrong == unknown == Refused(Reason.WRONG)


@pytest.mark.usefixtures("organization_id")
def test_a_session_ends_when_idle_and_in_any_case(database: Database, clock: FrozenClock) -> None:
    token = signed_in(database, clock)
    clock.advance(timedelta(minutes=59))
    assert visit(database, clock, token) is not None
    clock.advance(timedelta(minutes=61))
    assert visit(database, clock, token) is None

    token = signed_in(database, clock)
    for _ in range(13):
        clock.advance(timedelta(minutes=55))
        visit(database, clock, token)
    assert visit(database, clock, token) is not None
    clock.advance(timedelta(minutes=10))
    assert visit(database, clock, token) is None


@pytest.mark.usefixtures("organization_id")
def test_a_changed_password_ends_all_other_sessions(database: Database, clock: FrozenClock) -> None:
    other, own = signed_in(database, clock), signed_in(database, clock)
    found = visit(database, clock, own)
    assert found is not None

    with database.as_system() as session:
        accounts.change_password(
            session,
            found.caller,
            accounts.get_account(session, "jane"),
            new_password_hash="$2b$12$x",
            but_session=found.session.id,
            now=clock.now(),
        )

    assert visit(database, clock, own) is not None
    assert visit(database, clock, other) is None


@pytest.mark.usefixtures("organization_id")
def test_a_disabled_account_is_out_at_once(database: Database, clock: FrozenClock) -> None:
    token = signed_in(database, clock)

    with database.as_system() as session:
        accounts.disable_account(
            session, COMMAND_LINE, accounts.get_account(session, "jane"), now=clock.now()
        )

    assert visit(database, clock, token) is None
    assert try_password(database, clock, PASSWORD) == Refused(Reason.WRONG)


def test_the_last_installation_administrator_cannot_be_disabled(
    database: Database, clock: FrozenClock
) -> None:
    with database.as_system() as session:
        assert create_first_administrator(session, now=clock.now())
        admin = accounts.get_account(session, accounts.FIRST_LOGIN)
        with pytest.raises(Conflict, match="last installation administrator"):
            accounts.disable_account(session, COMMAND_LINE, admin, now=clock.now())


def test_the_first_administrator_is_made_once(database: Database, clock: FrozenClock) -> None:
    with database.as_system() as session:
        password = create_first_administrator(session, now=clock.now())
        assert create_first_administrator(session, now=clock.now()) is None

    assert password is not None
    outcome = try_password(database, clock, password, login="admin")
    assert isinstance(outcome, HalfOpen)
    assert outcome.step is Step.NEW_PASSWORD


@pytest.mark.usefixtures("organization_id")
@pytest.mark.parametrize(("days", "opens"), [(6, True), (8, False)])
def test_a_password_that_somebody_else_has_seen_ends_after_a_week(
    database: Database, clock: FrozenClock, days: int, opens: bool
) -> None:
    with database.as_system() as session:
        jane = accounts.get_account(session, "jane")
        hashed = jane.password_hash
        assert hashed is not None
        accounts.reset_password(session, COMMAND_LINE, jane, new_password_hash=hashed, now=clock.now())
    clock.advance(timedelta(days=days))
    outcome = try_password(database, clock, PASSWORD)

    assert isinstance(outcome, HalfOpen if opens else Refused)


@pytest.mark.usefixtures("organization_id")
def test_a_password_that_was_listed_since_opens_the_door_to_choose_another_one_only(
    database: Database, clock: FrozenClock, tmp_path: Path
) -> None:
    refused = tmp_path / "refused.txt"
    refused.write_text(f"{PASSWORD}\n", encoding="utf-8")
    clock.advance(timedelta(days=400))
    before = try_password(database, clock, PASSWORD)
    outcome = try_password(database, clock, PASSWORD, list_file=refused)
    gone = try_password(database, clock, PASSWORD, list_file=tmp_path / "nothing.txt")

    assert isinstance(before, SignedIn)
    assert isinstance(outcome, HalfOpen)
    assert outcome.step is Step.NEW_PASSWORD
    assert isinstance(gone, HalfOpen)  # what was said of the account stays said
    with database.as_system() as session:
        actions = session.scalars(
            select(AuditEntry.action).where(AuditEntry.action == "account.password_known")
        ).all()
    assert actions == ["account.password_known"]


@pytest.mark.usefixtures("organization_id")
def test_signing_out_ends_the_session(database: Database, clock: FrozenClock) -> None:
    token = signed_in(database, clock)
    with database.as_system() as session:
        web_sessions.end(session, token)

    assert visit(database, clock, token) is None


def _begin(database: Database, clock: FrozenClock, login: str, address: str) -> Attempt | Refused:
    with database.as_system() as session:
        return sign_in.begin(session, login, address, clock.now())


def test_after_ten_failures_an_account_waits_and_opens_by_itself(
    database: Database, clock: FrozenClock
) -> None:
    for number in range(throttle.PER_LOGIN):
        assert isinstance(_begin(database, clock, "jane", f"192.0.2.{number}"), Attempt)

    refused = _begin(database, clock, "jane", "198.51.100.1")
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.THROTTLED
    assert refused.retry_after == throttle.WINDOW

    clock.advance(throttle.WINDOW)
    assert isinstance(_begin(database, clock, "jane", ADDRESS), Attempt)


def test_knocking_on_a_shut_account_does_not_keep_it_shut(database: Database, clock: FrozenClock) -> None:
    for _ in range(throttle.PER_LOGIN):
        _begin(database, clock, "jane", ADDRESS)
    clock.advance(throttle.WINDOW / 2)
    for _ in range(5):
        assert isinstance(_begin(database, clock, "jane", ADDRESS), Refused)
    clock.advance(throttle.WINDOW / 2)

    assert isinstance(_begin(database, clock, "jane", ADDRESS), Attempt)


def test_one_address_cannot_try_many_accounts(database: Database, clock: FrozenClock) -> None:
    """An IPv6 holder has a whole /64: the address behind it does not matter."""
    for number in range(throttle.PER_ADDRESS):
        assert isinstance(_begin(database, clock, f"user{number}", f"2001:db8::{number:x}"), Attempt)

    assert isinstance(_begin(database, clock, "another", "2001:db8::ffff"), Refused)
    assert isinstance(_begin(database, clock, "another", "2001:db8:0:1::1"), Attempt)


def test_attempts_at_the_same_instant_get_no_more_guesses(database: Database, clock: FrozenClock) -> None:
    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(lambda _: _begin(database, clock, "jane", ADDRESS), range(24)))

    assert sum(isinstance(outcome, Attempt) for outcome in outcomes) == throttle.PER_LOGIN


@pytest.mark.usefixtures("organization_id")
def test_the_right_password_clears_the_failures(database: Database, clock: FrozenClock) -> None:
    for _ in range(throttle.PER_LOGIN - 1):
        _begin(database, clock, "jane", ADDRESS)
    signed_in(database, clock)

    assert isinstance(_begin(database, clock, "jane", ADDRESS), Attempt)


@pytest.mark.usefixtures("organization_id")
def test_signing_in_sweeps_out_what_has_ended(database: Database, clock: FrozenClock) -> None:
    signed_in(database, clock)
    _begin(database, clock, "nobody", ADDRESS)
    clock.advance(timedelta(hours=12))
    signed_in(database, clock)

    with database.as_system() as session:
        assert session.scalar(select(func.count()).select_from(WebSession)) == 1
        assert session.scalar(select(func.count()).select_from(SignInAttempt)) == 0


@pytest.fixture
def elsewhere(database: Database, clock: FrozenClock) -> int:
    """An account that a directory knows the password of, and we do not."""
    with database.as_system() as session:
        user = UserAccount(
            login="ada",
            display_name="Ada",
            password_hash=None,
            password_changed_at=clock.now(),
            created_at=clock.now(),
        )
        session.add(user)
        session.flush()
        return user.id


@pytest.mark.usefixtures("organization_id")
def test_a_directory_is_asked_after_the_local_password_was_wrong(
    database: Database, clock: FrozenClock, elsewhere: int
) -> None:
    asked: list[str] = []

    def silent(login: str, password: str) -> None:
        del password
        asked.append(f"first:{login}")

    def knowing(login: str, password: str) -> Proven | None:
        asked.append(f"second:{login}")
        return (
            Proven(elsewhere, SignInMethod.LDAP, 7)
            if (login, password) == ("ada", "of the directory")
            else None
        )

    sources = (silent, knowing)

    assert isinstance(try_password(database, clock, PASSWORD, sources=sources), SignedIn)
    assert asked == []

    outcome = try_password(database, clock, "of the directory", login="Ada", sources=sources)

    assert isinstance(outcome, SignedIn)
    assert outcome.user_id == elsewhere
    assert asked == ["first:ada", "second:ada"]
    found = visit(database, clock, outcome.session.token)
    assert found is not None
    assert (found.session.method, found.session.provider_id) == ("ldap", 7)
    assert found.session.authenticated_at == clock.now()


@pytest.mark.usefixtures("organization_id", "elsewhere")
def test_directories_are_asked_for_unknown_names_and_wrong_passwords_alike(
    database: Database, clock: FrozenClock
) -> None:
    """Which of them is asked, and how long it takes, must not tell whether there is an account."""
    asked: list[str] = []

    def silent(login: str, password: str) -> None:
        del password
        asked.append(login)

    for login in ("jane", "nobody", "ada"):
        outcome = try_password(database, clock, "wrong", login=login, sources=(silent,))
        assert outcome == Refused(Reason.WRONG)

    assert asked == ["jane", "nobody", "ada"]


@pytest.mark.usefixtures("organization_id")
def test_a_directory_that_does_not_answer_is_said_to_everybody_alike(
    database: Database, clock: FrozenClock
) -> None:
    def away(login: str, password: str) -> None:
        del login, password
        raise Unavailable("The directory did not answer.")

    known = try_password(database, clock, "wrong", sources=(away,))
    unknown = try_password(database, clock, "wrong", login="nobody", sources=(away,))

    assert known == unknown == Refused(Reason.WRONG, unanswered=True)
    assert isinstance(try_password(database, clock, PASSWORD, sources=(away,)), SignedIn)


@pytest.mark.usefixtures("organization_id", "elsewhere")
@pytest.mark.parametrize("password", ["", "anything"])
def test_an_account_without_a_password_of_ours_opens_with_none(
    database: Database, clock: FrozenClock, password: str
) -> None:
    assert try_password(database, clock, password, login="ada") == Refused(Reason.WRONG)


def test_a_directory_is_never_asked_without_a_password(database: Database, clock: FrozenClock) -> None:
    """RFC 4513 5.1.2: a bind without a password succeeds as nobody."""

    def anybody(login: str, password: str) -> Proven:
        raise AssertionError((login, password))

    assert try_password(database, clock, "", login="ada", sources=(anybody,)) == Refused(Reason.WRONG)


def test_a_proven_person_whose_account_is_disabled_stays_out(
    database: Database, clock: FrozenClock, elsewhere: int
) -> None:
    with database.as_system() as session:
        user = session.get_one(UserAccount, elsewhere)
        user.disabled_at = clock.now()
        session.flush()
        outcome = finish(
            session, user, Proven(elsewhere, SignInMethod.SAML, 1), RULES, Arrival(ADDRESS), now=clock.now()
        )

    assert outcome == Refused(Reason.WRONG)


@pytest.fixture
def half_open(database: Database, clock: FrozenClock, organization_id: int) -> str:
    """The cookie of a person whose password somebody else has set."""
    assert organization_id
    with database.as_system() as session:
        accounts.get_account(session, "jane").must_change_password = True
    outcome = try_password(database, clock, PASSWORD)
    assert isinstance(outcome, HalfOpen)
    assert outcome.step is Step.NEW_PASSWORD
    return outcome.token


def test_a_half_open_sign_in_is_no_session_and_is_taken_once(
    database: Database, clock: FrozenClock, half_open: str
) -> None:
    assert visit(database, clock, half_open) is None
    with database.as_system() as session:
        held = resume(session, half_open, RULES, clock.now())
        assert held is not None
        assert held.arrival == Arrival(ADDRESS, "Tester", "/findings")
        assert claim(session, held)
        assert not claim(session, held)
        assert resume(session, half_open, RULES, clock.now()) is None


def test_a_half_open_sign_in_ends_after_ten_minutes_and_with_the_account(
    database: Database, clock: FrozenClock, half_open: str
) -> None:
    with database.as_system() as session:
        assert resume(session, half_open, RULES, clock.now() + HALF_OPEN_FOR) is None
        accounts.disable_account(
            session, COMMAND_LINE, accounts.get_account(session, "jane"), now=clock.now()
        )
        assert resume(session, half_open, RULES, clock.now()) is None


@pytest.mark.parametrize("changed", ["password", "disabled"])
@pytest.mark.usefixtures("organization_id")
def test_a_sign_in_while_the_password_changes_opens_no_session_that_outlives_the_change(
    database: Database, clock: FrozenClock, changed: str
) -> None:
    with database.as_system() as session:
        attempt = sign_in.begin(session, "jane", ADDRESS, clock.now())
    assert isinstance(attempt, Attempt)
    checked = sign_in.check(attempt, PASSWORD)

    def complete() -> SignedIn | HalfOpen | Refused:
        with database.as_system() as session:
            return sign_in.complete(session, checked, RULES, now=clock.now(), arrival=Arrival(ADDRESS))

    with ThreadPoolExecutor(1) as threads:
        with database.as_system() as session:
            user = accounts.get_account(session, "jane")
            if changed == "password":
                accounts.change_password(
                    session,
                    COMMAND_LINE,
                    user,
                    new_password_hash="$2b$12$",
                    but_session=None,
                    now=clock.now(),
                )
            else:
                accounts.disable_account(session, COMMAND_LINE, user, now=clock.now())
            outcome = threads.submit(complete)
            wait_until_somebody_waits(database)
        assert outcome.result(timeout=10) == Refused(Reason.WRONG)

    with database.as_system() as session:
        assert session.scalar(select(func.count()).select_from(WebSession)) == 0


@pytest.mark.usefixtures("organization_id")
def test_a_second_factor_is_guessed_thirty_times_a_day_and_a_new_password_begins_anew(
    database: Database, clock: FrozenClock
) -> None:
    def guesses() -> int:
        with database.as_system() as session:
            user = accounts.get_account(session, "jane")
            throttle.purge(session, clock.now())
            made = 0
            while throttle.count_factor_attempt(session, user.id, None, clock.now()) is None:
                made += 1
            return made

    made = []
    for _quarter in range(8):
        made.append(guesses())
        clock.advance(throttle.WINDOW)
    assert made == [10, 10, 10, 0, 0, 0, 0, 0]
    with database.as_system() as session:
        user = accounts.get_account(session, "jane")
        blocked = throttle.count_factor_attempt(session, user.id, None, clock.now())
        assert blocked is not None
        assert blocked.sentence == "Too many attempts failed. Try again in 22 hours."
        accounts.change_password(
            session, COMMAND_LINE, user, new_password_hash="$2b$12$", but_session=None, now=clock.now()
        )
    assert guesses() == 10


def wait_until_somebody_waits(database: Database) -> None:
    """Return when a transaction waits for a lock, or after a second in which none did."""
    waiting = text("select count(*) from pg_stat_activity where wait_event_type = 'Lock'")
    end = time.monotonic() + 1
    while time.monotonic() < end:
        with database.engine.connect() as connection:
            if connection.execute(waiting).scalar_one():
                return
        time.sleep(0.01)
