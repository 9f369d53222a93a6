"""`sentrikat audit`, as an operator runs it."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import jsonschema
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from sentrikat.audit.export import ExportFile, prove_export
from sentrikat.audit.signing_key import read_public
from sentrikat.cli import run
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database
from tests.conftest import REPOSITORY
from tests.flows.estate import people
from tests.integration.audit.chains import attack

CONTRACT = REPOSITORY / "contracts" / "audit-export"


@pytest.fixture
def told(
    database: Database,
    clock: FrozenClock,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> Told:
    """The command line on a database with two organizations and their members."""
    monkeypatch.setenv("SENTRIKAT_DATABASE_URL", database.url)
    monkeypatch.setenv("SENTRIKAT_DATA_DIR", str(tmp_path / "data"))
    people(database, clock)
    return Told(capsys)


class Told:
    """Runs `sentrikat audit` and gives what it said."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: object, status: int = 0) -> str:
        assert run(["audit", *map(str, arguments)]) == status
        return " ".join(self._capsys.readouterr().out.split())


def test_without_a_checkpoint_it_says_what_it_cannot_see(told: Told) -> None:
    said = told("verify")

    assert "installation: holds, 2 entries; no checkpoint, so a cut end" in said
    assert "acme: holds" in said


def test_a_signed_log_verifies_and_one_that_was_changed_has_status_3(told: Told, database: Database) -> None:
    assert "acme: signed" in told("checkpoint")
    assert "signed by checkpoint 1" in told("verify", "--all")

    attack(database, "update audit_entry set detail = '{}' where action = 'member.role_set' or id = 3")
    said = told("verify", "--organization", "acme", status=3)
    assert "acme: BROKEN (changed) at entry" in said
    assert "UTC" in said
    assert "BROKEN" in told("checkpoint", status=3)


def test_the_key_is_made_once_and_readable_by_its_owner_only(told: Told, tmp_path: Path) -> None:
    first = told("key")
    file = tmp_path / "data" / "audit" / "signing.pem"

    assert "BEGIN PUBLIC KEY" in first
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert told("key") == first


def test_an_export_is_verified_elsewhere_with_the_public_key_alone(
    told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told("checkpoint")
    told("key", "--output", tmp_path / "audit.pub")
    told("export", "-o", "acme", "--output", tmp_path / "acme.jsonl")
    monkeypatch.setenv("SENTRIKAT_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setenv("SENTRIKAT_DATA_DIR", str(tmp_path / "elsewhere"))

    elsewhere = ("verify", "--export", tmp_path / "acme.jsonl", "--public-key", tmp_path / "audit.pub")
    assert "signed by checkpoint 1" in told(*elsewhere)
    assert "none of those given" in told("verify", "--export", tmp_path / "acme.jsonl", status=3)


def test_checkpoints_kept_elsewhere_find_a_cut_log(told: Told, database: Database, tmp_path: Path) -> None:
    told("checkpoint")
    told("export", "-o", "acme", "--output", tmp_path / "acme.jsonl")
    attack(
        database,
        "delete from audit_checkpoint",
        "delete from audit_entry where id = (select max(id) from audit_entry where organization_id = 1)",
    )

    assert "acme: holds" in told("verify", "-o", "acme")
    said = told("verify", "--checkpoints", tmp_path / "acme.jsonl", status=3)
    assert "BROKEN (truncated)" in said
    assert "1 entries are missing at the end" in said


def test_an_export_follows_its_contract(told: Told, tmp_path: Path) -> None:
    told("checkpoint")
    told("export", "-o", "installation", "--since", "2026-01-01", "--output", tmp_path / "some.jsonl")
    schema = jsonschema.Draft202012Validator(json.loads((CONTRACT / "v1.schema.json").read_bytes()))

    lines = [json.loads(line) for line in (tmp_path / "some.jsonl").read_bytes().splitlines()]
    assert [one["record"] for one in lines] == ["export", "entry", "entry", "checkpoint", "end"]
    for line in lines:
        schema.validate(line)


def test_an_export_may_be_in_the_open_schema(told: Told, tmp_path: Path) -> None:
    told("export", "-o", "acme", "--format", "ocsf", "--output", tmp_path / "some.jsonl")

    lines = [json.loads(line) for line in (tmp_path / "some.jsonl").read_bytes().splitlines()]
    assert len(lines) > 3
    assert {line["class_uid"] for line in lines} == {3001}


def test_without_a_collector_nothing_can_be_handed_on(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(["audit", "deliver"]) == 1
    monkeypatch.setenv("SENTRIKAT_SYSLOG_HOST", "127.0.0.1")
    monkeypatch.setenv("SENTRIKAT_SYSLOG_PORT", "1")
    assert "0 messages handed on" in told("deliver", status=1)


def test_the_file_of_the_contract_verifies() -> None:
    """It was written by the first release that could: a later one must still read it."""
    key = read_public(CONTRACT / "good.pub")

    proof = prove_export(ExportFile(CONTRACT / "good.jsonl"), {key.id: key})

    assert proof.holds
    assert proof.walked.entries > 3
    assert len(proof.checkpoints) == 1


COMMANDS = [
    ("users", "add", "new.person", "--organization", "acme"),
    ("users", "set-role", "viewer", "analyst", "-o", "acme"),
    ("users", "reset-password", "viewer"),
    ("users", "disable", "viewer"),
    ("users", "organizations", "add", "third"),
    ("users", "keys", "create", "-o", "acme", "--name", "A scanner"),
]


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_that_changes_something_is_logged_and_does_not_happen_unlogged(
    database: Database, command: tuple[str, ...]
) -> None:
    def counted(session: Session) -> list[int]:
        tables = ("audit_entry", "user_account", "membership", "organization", "api_key")
        counts = [session.scalar(text(f"select count(*) from {table}")) or 0 for table in tables]
        return [
            *counts,
            session.scalar(text("select count(*) from user_account where disabled_at is null")) or 0,
        ]

    with database.as_system() as session:
        before = counted(session)
    with database.engine.begin() as owner:
        owner.execute(text("revoke insert on audit_entry from sentrikat_system"))
    try:
        with pytest.raises(ProgrammingError, match="permission denied for table audit_entry"):
            run(list(command))
    finally:
        with database.engine.begin() as owner:
            owner.execute(text("grant insert on audit_entry to sentrikat_system"))
    with database.as_system() as session:
        assert counted(session) == before

    assert run(list(command)) == 0
    with database.as_system() as session:
        rows = session.execute(
            text("select actor, object from audit_entry order by id offset :known"), {"known": before[0]}
        ).all()
    assert rows
    assert {row.actor for row in rows} == {"cli"}
    assert all(":" in row.object for row in rows)


@pytest.mark.usefixtures("told")
def test_the_doctor_says_that_the_log_is_not_signed(capsys: pytest.CaptureFixture[str]) -> None:
    """Its entries are of June 2026, which is more than two days ago."""
    run(["doctor"])
    assert "Audit log: 3 of 3 chains have entries that no checkpoint covers" in capsys.readouterr().out
    assert run(["audit", "checkpoint"]) == 0
    run(["doctor"])
    assert "Audit log: 3 chains, signed" in capsys.readouterr().out
