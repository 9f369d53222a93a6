"""An isolated installation connects to nothing, by schedule or by hand."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from sentrikat.domain.errors import Conflict
from sentrikat.feeds.registry import feed
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database.sessions import Database
from sentrikat.infra.settings import Settings
from sentrikat.reactions import run_refresh
from sentrikat.vulnerabilities.sources import refresh


def test_a_refresh_by_hand_is_refused_and_leaves_no_run(database: Database, clock: FrozenClock) -> None:
    with pytest.raises(Conflict, match="SENTRIKAT_FEEDS_ENABLED"):
        refresh(database, Settings(feeds_enabled=False), clock, feed("kev"))

    with database.as_system() as session:
        assert session.scalar(text("select count(*) from feed_run")) == 0


def test_the_schedule_does_nothing(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENTRIKAT_FEEDS_ENABLED", "false")

    run_refresh(database, name="kev")

    with database.as_system() as session:
        assert session.scalar(text("select count(*) from feed_run")) == 0
