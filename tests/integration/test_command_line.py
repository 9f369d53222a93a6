"""The frame of the command line: exit statuses, messages, the database it finds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sentrikat.cli import run
from sentrikat.domain.permissions import COMMAND_LINE
from sentrikat.feeds.registry import FEEDS
from sentrikat.identity import custom_roles
from sentrikat.identity.accounts import create_first_administrator
from sentrikat.identity.organizations import get_by_slug
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("sentrikat ")


def test_a_wrong_command_line_has_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["migrate", "--no-such-option"]) == 2
    assert "--no-such-option" in capsys.readouterr().err


def test_an_expected_error_is_a_message_with_what_to_do_and_no_trace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SENTRIKAT_DATABASE_URL", "mysql://db/x")
    assert run(["migrate"]) == 1
    said = capsys.readouterr().err
    assert "not in mysql" in said
    assert "postgresql://user:password@host:5432/name" in said
    assert "Traceback" not in said


@pytest.fixture
def _external(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENTRIKAT_DATABASE_URL", database.url)


@pytest.mark.usefixtures("_external")
def test_a_migrated_database_lacks_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["migrate", "--check"]) == 0
    assert "up to date" in capsys.readouterr().out


def test_an_empty_database_lacks_everything(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SENTRIKAT_DATABASE_URL", empty_database_url)
    assert run(["migrate", "--check"]) == 1
    assert "missing: pre_0001" in capsys.readouterr().out


@pytest.mark.usefixtures("_external")
def test_the_doctor_finds_a_tenant_table_left_open(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    with database.engine.begin() as connection:
        connection.exec_driver_sql("create table left_open (organization_id bigint)")
        connection.exec_driver_sql("grant select on left_open to sentrikat_application")
    try:
        assert run(["doctor"]) == 1
        assert "row-level security is off for left_open" in capsys.readouterr().out
    finally:
        with database.engine.begin() as connection:
            connection.exec_driver_sql("drop table left_open")


@pytest.mark.usefixtures("_external")
@pytest.mark.parametrize(
    ("host", "mark"), [("127.0.0.1", "ok    Web address"), ("192.0.2.7", "WRONG Web address")]
)
def test_the_doctor_looks_at_the_way_in(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], host: str, mark: str
) -> None:
    monkeypatch.setenv("SENTRIKAT_HOST", host)
    run(["doctor"])
    assert mark in capsys.readouterr().out


@pytest.mark.usefixtures("_external")
def test_the_doctor_names_administrators_with_a_password_alone(
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    clock: FrozenClock,
) -> None:
    with database.as_system() as session:
        create_first_administrator(session, now=clock.now())
    monkeypatch.setenv("SENTRIKAT_PUBLIC_URL", "https://sentrikat.example.org")
    for rule, mark in (
        ("optional", "WRONG Second factor: optional; 1 of 1 administrators have none"),
        ("administrators", "ok    Second factor: administrators; 1 of 1"),
    ):
        monkeypatch.setenv("SENTRIKAT_SECOND_FACTOR", rule)
        run(["doctor"])
        assert mark in capsys.readouterr().out


@pytest.mark.usefixtures("_external")
def test_a_role_of_an_organization_s_own_is_given_by_its_name(
    database: Database, capsys: pytest.CaptureFixture[str], clock: FrozenClock
) -> None:
    assert run(["users", "organizations", "add", "main"]) == 0
    with database.as_system() as session:
        main = get_by_slug(session, "main")
        for name, permissions in (("Night shift", ["inventory:read"]), ("Keepers", ["members:manage"])):
            caller = replace(COMMAND_LINE, organization_id=main.id)
            custom_roles.create_role(session, caller, name=name, permissions=permissions, now=clock.now())

    assert run(["users", "add", "jane", "--organization", "main", "--role", "night SHIFT"]) == 0
    assert run(["doctor"]) in {0, 1}
    assert "0 of 0" in capsys.readouterr().out  # jane decides about nobody
    assert run(["users", "set-role", "jane", "Keepers", "--organization", "main"]) == 0
    assert "jane is now Keepers of main." in capsys.readouterr().out
    run(["doctor"])
    assert "1 of 1 administrators have none" in capsys.readouterr().out
    assert run(["users", "set-role", "jane", "Emperor", "--organization", "main"]) != 0
    assert "there is no role “Emperor”" in capsys.readouterr().err


@pytest.mark.usefixtures("_external")
def test_a_list_without_rows_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    for command, words in (
        (["users", "list"], "sentrikat users add LOGIN"),
        (["users", "organizations", "list"], "sentrikat users organizations add"),
        (["identity", "list"], "sentrikat identity add-directory"),
        (["feeds", "bundles"], "sentrikat feeds import-bundle FILE"),
    ):
        assert run(command) == 0
        said = capsys.readouterr().out
        assert words in said
        assert len(said.splitlines()) == 1


@pytest.mark.usefixtures("_external")
def test_a_list_in_a_pipe_folds_nothing_and_takes_no_name_for_markup(
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = "[red]Ministry of Long Names, Department of Connected Computers, Third Building, Second Floor"
    assert run(["users", "organizations", "add", "ministry", "--name", name]) == 0
    capsys.readouterr()

    assert run(["users", "organizations", "list"]) == 0
    assert f"ministry    {name}  UTC" in capsys.readouterr().out


@pytest.mark.usefixtures("_external")
def test_the_doctor_looks_at_the_schema_before_what_is_stored_in_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Between a new release and its migration, what it stores may have no place yet: that is said first."""
    run(["doctor"])
    said = capsys.readouterr().out

    assert said.index(" Schema: ") < min(said.index(" Second factor: "), said.index(" Feeds: "))


@pytest.mark.usefixtures("_external")
def test_the_doctor_names_the_feeds_by_their_state(capsys: pytest.CaptureFixture[str]) -> None:
    run(["doctor"])
    said = capsys.readouterr().out

    assert f"WRONG Feeds: 0 of {len(FEEDS)} are fresh; never loaded: kev, euvd, " in said
    assert "sentrikat feeds status" in said
