"""The log handed on to rsyslog over TLS: whole, in order, and again after trouble."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text

from sentrikat.audit import delivery
from sentrikat.audit.checkpoints import sign_all
from sentrikat.audit.delivery import deliver, destination_of, state_of
from sentrikat.audit.journal import record
from sentrikat.domain.permissions import SYSTEM
from sentrikat.infra import syslog
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database
from sentrikat.infra.settings import Settings
from tests.integration.audit.chains import CHAIN, written
from tests.integration.audit.rsyslog import Collector, prepared

KEY = Ed25519PrivateKey.from_private_bytes(bytes(31) + b"1")
HOSTILE = 'x\n<34>1 2026-01-01T00:00:00Z evil su - - - gotcha\r\x1b[31m"]\\ [a b="c"] \u2028 ü'


@pytest.fixture(scope="module")
def _started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    made = prepared(tmp_path_factory.mktemp("rsyslog"))
    made.start()
    yield made
    made.stop()


@pytest.fixture
def collector(_started: Collector, monkeypatch: pytest.MonkeyPatch) -> Collector:
    """The collector, which has received nothing yet, and refuses nobody: there is no need to wait for that."""
    monkeypatch.setattr(syslog, "GRACE_SECONDS", 0.05)
    if (_started.folder / "received").exists():
        _started.stop()
        _started.forget()
    if _started.process is None:
        _started.start()
    return _started


def settings_for(collector: Collector, **more: Any) -> Settings:
    values: dict[str, Any] = {
        "syslog_host": "localhost",
        "syslog_port": collector.port,
        "syslog_ca_file": collector.folder / "ca.pem",
        **more,
    }
    return Settings(**values)


def test_every_entry_and_checkpoint_arrives_once_in_order(
    collector: Collector, database: Database, clock: FrozenClock
) -> None:
    settings = settings_for(collector)
    written(database, clock, 5)
    sign_all(database, KEY, now=clock.now())
    written(database, clock, 2)

    assert deliver(database, settings, clock) == 8
    assert deliver(database, settings, clock) == 0
    written(database, clock, 1)
    assert deliver(database, settings, clock) == 1

    lines = collector.received(9)
    assert len(lines) == 9
    priority, at, _, program, process, kind, data, content = lines[0]
    assert (priority, program) == ("109", "sentrikat")
    assert datetime.fromisoformat(at) == datetime(2026, 6, 2, 12, 0, 1, tzinfo=UTC)
    assert (process, kind) == (f"chain-{CHAIN}", "asset.changed")
    assert data.startswith('[origin software="SentriKat"')
    assert json.loads(content)["detail"] == {"name": "Zürich ✓"}
    kinds = [line[5] for line in lines]
    assert kinds == ["asset.changed"] * 7 + ["audit.checkpoint", "asset.changed"]
    objects = [json.loads(line[7]).get("object") for line in lines if line[5] == "asset.changed"]
    assert objects == ["asset:1", "asset:2", "asset:3", "asset:4", "asset:5", "asset:1", "asset:2", "asset:1"]


def test_what_was_written_while_the_collector_was_away_arrives_later(
    collector: Collector, database: Database, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "PORTION", 4)
    settings = settings_for(collector)
    name = destination_of(settings)
    assert name is not None
    written(database, clock, 3)
    assert deliver(database, settings, clock) == 3
    collector.received(3)
    collector.stop()
    written(database, clock, 9)

    assert deliver(database, settings, clock) == 0
    with database.as_system() as session:
        state = state_of(session, name)
        assert state.waiting == 9
        assert state.failing_since == clock.now()
        assert state.trouble is not None
        assert "Connection refused" in state.trouble
    collector.start()
    assert deliver(database, settings, clock) == 9

    ids = [json.loads(line[7])["id"] for line in collector.received(12)]
    assert ids == sorted(ids)
    assert len(set(ids)) == 12
    with database.as_system() as session:
        state = state_of(session, name)
        assert (state.waiting, state.failing_since, state.trouble) == (0, None, None)


def test_an_entry_of_a_slower_transaction_is_not_left_behind(
    collector: Collector, database: Database, clock: FrozenClock
) -> None:
    """Ids are drawn from one sequence by all chains, so a lower one may be committed after a higher one."""
    settings = settings_for(collector)
    with database.as_system() as slow:
        record(slow, SYSTEM, "first.drawn", "x:1", now=clock.now())
        written(database, clock, 2)
        assert deliver(database, settings, clock) == 2

    assert deliver(database, settings, clock) == 1
    assert [line[5] for line in collector.received(3)][-1] == "first.drawn"


def test_what_people_typed_cannot_end_a_message_or_begin_another(
    collector: Collector, database: Database, clock: FrozenClock
) -> None:
    with database.as_system() as session:
        record(session, SYSTEM, "sign_in.refused", f"login:{HOSTILE}", {"name": HOSTILE}, now=clock.now())
        record(session, SYSTEM, HOSTILE, "x:1", now=clock.now())
    written(database, clock, 1)

    assert deliver(database, settings_for(collector), clock) == 3

    lines = collector.received(3)
    assert len(lines) == 3
    assert {line[3] for line in lines} == {"sentrikat"}
    assert json.loads(lines[0][7])["object"] == f"login:{HOSTILE}"
    assert lines[0][0] == "108"  # a refusal is a warning


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"syslog_ca_file": "stranger.pem"}, "CERTIFICATE_VERIFY_FAILED"),  # not the one we trust
        ({"syslog_host": "127.0.0.2"}, "not handed on"),  # nobody there by that name
    ],
)
def test_a_collector_that_is_not_the_one_meant_gets_nothing(
    collector: Collector, database: Database, clock: FrozenClock, wrong: dict[str, str], words: str
) -> None:
    written(database, clock, 1)
    if "syslog_ca_file" in wrong:
        wrong = {"syslog_ca_file": str(collector.folder / wrong["syslog_ca_file"])}
    settings = settings_for(collector, **wrong)

    assert deliver(database, settings, clock) == 0
    with database.as_system() as session:
        assert words in str(session.scalar(text("select trouble from audit_destination")))
    assert not (collector.folder / "received").exists()


def test_a_collector_that_asks_who_sends_is_told(
    tmp_path: Path, database: Database, clock: FrozenClock
) -> None:
    strict = prepared(tmp_path)
    strict.mode = "x509/certvalid"
    strict.start()
    try:
        written(database, clock, 2)
        assert (
            deliver(database, settings_for(strict), clock) == 0
        )  # without a certificate nothing counts as sent
        known = settings_for(strict, syslog_certificate_file=strict.folder / "client.both.pem")
        assert deliver(database, known, clock) == 2
        assert len(strict.received(2)) == 2
    finally:
        strict.stop()


def test_a_collector_may_ask_for_the_open_schema(
    collector: Collector, database: Database, clock: FrozenClock
) -> None:
    written(database, clock, 1)

    assert deliver(database, settings_for(collector, syslog_content="ocsf"), clock) == 1

    assert json.loads(collector.received(1)[0][7])["class_uid"] == 3004


def test_without_a_collector_nothing_is_done(database: Database, clock: FrozenClock) -> None:
    written(database, clock, 1)

    assert deliver(database, Settings(), clock) == 0
