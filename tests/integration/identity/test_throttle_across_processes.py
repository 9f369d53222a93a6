"""The throttle is exact over processes, and nothing that is done tells whether an account exists."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from typing import Any

import bcrypt
import pytest
from sqlalchemy import event, func, select

from sentrikat.domain.permissions import COMMAND_LINE
from sentrikat.identity import sign_in, throttle
from sentrikat.identity.accounts import create_account
from sentrikat.identity.admission import Arrival, Reason, Refused, SignInRules
from sentrikat.identity.models import SecurityNotice, SignInAttempt
from sentrikat.identity.web_sessions import SessionLimits
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database

PROCESSES = 8
RULES = SignInRules(SessionLimits(idle=timedelta(minutes=60), lifetime=timedelta(hours=12)))

# Each process tries six times, as fast as it can, once all have started.
_TRY = """
import sys
from datetime import datetime
from sentrikat.identity import sign_in
from sentrikat.identity.admission import Refused
from sentrikat.infra.database import Database
database = Database(sys.argv[1], application_name="test")
now = datetime.fromisoformat(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
let_in = 0
for _ in range(6):
    with database.as_system() as session:
        let_in += not isinstance(sign_in.begin(session, "jane", "192.0.2.7", now), Refused)
database.close()
print(let_in)
"""


def make_jane(database: Database, clock: FrozenClock) -> None:
    with database.as_system() as session:
        create_account(
            session,
            COMMAND_LINE,
            login="jane",
            display_name="Jane",
            password="correct horse battery",
            now=clock.now(),
        )


def test_eight_processes_get_no_more_guesses_than_one_and_one_notice(
    database: Database, clock: FrozenClock
) -> None:
    make_jane(database, clock)
    started = [
        subprocess.Popen(
            [sys.executable, "-c", _TRY, database.url, clock.now().isoformat()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(PROCESSES)
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    let_in = [process.communicate("go\n", timeout=60)[0] for process in started]

    assert sum(int(one) for one in let_in) == throttle.PER_LOGIN
    with database.as_system() as session:
        assert session.scalar(select(func.count()).select_from(SecurityNotice)) == 1
        counted = select(func.count()).where(SignInAttempt.subject == throttle.login_subject("jane"))
        assert session.scalar(counted) == throttle.PER_LOGIN


def work_of(
    database: Database, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch, login: str
) -> tuple[list[str], list[bytes]]:
    """Sign in with a wrong password; give the statements that were run and the cost of each hash checked."""
    statements: list[str] = []
    costs: list[bytes] = []
    real = bcrypt.checkpw

    def checked(password: bytes, stored: bytes) -> bool:
        costs.append(stored[:7])
        return real(password, stored)

    def seen(_connection: object, _cursor: object, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    monkeypatch.setattr(bcrypt, "checkpw", checked)
    event.listen(database.engine, "before_cursor_execute", seen)
    try:
        with database.as_system() as session:
            attempt = sign_in.begin(session, login, "192.0.2.7", clock.now())
        if not isinstance(attempt, Refused):
            attempt = sign_in.check(attempt, "wrong")
            with database.as_system() as session:
                refused = sign_in.complete(
                    session, attempt, RULES, now=clock.now(), arrival=Arrival("192.0.2.7")
                )
                assert refused == Refused(Reason.WRONG)
    finally:
        event.remove(database.engine, "before_cursor_execute", seen)
        monkeypatch.setattr(bcrypt, "checkpw", real)
    return statements, costs


def test_an_unknown_name_causes_the_same_work_as_a_known_one(
    database: Database, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same statements and the same hashing: what differs can be measured from outside."""
    make_jane(database, clock)
    for _ in range(throttle.PER_LOGIN):
        known = work_of(database, clock, monkeypatch, "jane")
        unknown = work_of(database, clock, monkeypatch, "nobody")
        assert known == unknown
        assert known[1] == [b"$2b$12$"]

    # And when the limit is reached, whoever it is: with its notice, and without.
    for _ in range(2):
        known = work_of(database, clock, monkeypatch, "jane")
        assert known == work_of(database, clock, monkeypatch, "nobody")
        assert known[1] == []
