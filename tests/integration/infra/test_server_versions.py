"""Every PostgreSQL this machine has, and every kind of login: the schema and the roles work."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import text

from sentrikat.domain.errors import Unavailable
from sentrikat.infra.database import Database
from sentrikat.infra.database.binaries import OLDEST_MAJOR, find_binaries
from sentrikat.infra.database.embedded import EmbeddedPostgres
from sentrikat.migrations import runner


def _majors() -> list[int]:
    found = []
    for major in range(OLDEST_MAJOR, 20):
        try:
            found.append(find_binaries(major).major)
        except Unavailable:
            continue
    return found


@pytest.fixture(scope="module", params=_majors())
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EmbeddedPostgres]:
    directory = tmp_path_factory.mktemp("version")
    with EmbeddedPostgres(directory, throwaway=True, major=request.param) as server:
        yield server


def _login(server: EmbeddedPostgres, name: str, rights: str) -> str:
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f"create role {name} login {rights} password 'secret'")
        connection.execute(f"create database {name} owner {name}")
    return f"postgresql://{name}:secret@/{name}?{server.url().partition('?')[2]}"


def test_a_login_without_rights_is_told_what_an_administrator_must_run(server: EmbeddedPostgres) -> None:
    url = _login(server, "bare", "")
    with pytest.raises(Unavailable) as refused:
        runner.upgrade(url)
    hint = refused.value.hint or ""
    assert "grant sentrikat_application, sentrikat_system to bare" in hint
    with psycopg.connect(server.url("postgres"), autocommit=True) as administrator:
        administrator.execute(hint.partition(": ")[2].removesuffix("Nothing was changed."))
    assert runner.upgrade(url)
    with psycopg.connect(server.url("postgres"), autocommit=True) as administrator:
        administrator.execute("drop database bare with (force)")
        administrator.execute("drop role bare, sentrikat_application, sentrikat_system")


def test_a_login_that_creates_roles_needs_no_administrator(server: EmbeddedPostgres) -> None:
    url = _login(server, "creator", "createrole")
    runner.upgrade(url)
    assert runner.differences(url) == []
    database = Database(url)
    for opened, role in (
        (database.as_system(), "sentrikat_system"),
        (database.as_organization(1), "sentrikat_application"),
        (database.as_visitor(), "sentrikat_application"),
    ):
        with opened as session:
            assert session.execute(text("select current_user")).scalar_one() == role
    database.close()
