"""The application on a furnished database, spoken to over HTTP without a socket.

Furnishing takes seconds, so it is done once per worker, into a database that each module gets a copy of.
Tests of a module share their copy: each changes only what it made itself or what no other looks at.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from fastapi.testclient import TestClient

from sentrikat.app import create_app
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database
from sentrikat.infra.settings import Settings
from tests.flows.estate import Estate, furnish
from tests.postgres import SharedServer

NOON = datetime(2026, 6, 2, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Furnished:
    """The name of the furnished database, and what is in it."""

    name: str
    estate: Estate


@pytest.fixture(scope="session")
def furnished(database_server: SharedServer) -> Furnished:
    """One furnished database per worker."""
    name = f"furnished_{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
    database = Database(database_server.clone_template(name), application_name="test")
    estate = furnish(database, FrozenClock(NOON))
    database.close()
    return Furnished(name, estate)


@pytest.fixture(scope="module")
def database(database_server: SharedServer, furnished: Furnished) -> Iterator[Database]:
    """A copy of the furnished database, of this module alone."""
    name = f"{furnished.name}_copy"
    database_server.drop(name)
    database = Database(database_server.create(name, furnished.name), application_name="test")
    yield database
    database.close()
    database_server.drop(name)


@pytest.fixture(scope="module")
def estate(furnished: Furnished) -> Estate:
    """People, feeds, assets and findings."""
    return furnished.estate


@pytest.fixture
def clock() -> FrozenClock:
    """The noon at which everything was made."""
    return FrozenClock(NOON)


@pytest.fixture
def client(database: Database, clock: FrozenClock) -> Iterator[TestClient]:
    """The application; nobody is signed in."""
    app = create_app(Settings(), database.url, clock=clock)
    with TestClient(app, base_url="http://testserver", follow_redirects=False) as started:
        yield started
