"""The clock that stands still."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from sentrikat.infra.clock import FrozenClock, SystemClock


def test_a_frozen_clock_moves_only_when_told(clock: FrozenClock) -> None:
    before = clock.now()
    clock.advance(timedelta(days=1))
    assert clock.now() - before == timedelta(days=1)


def test_every_clock_tells_utc() -> None:
    eastern = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=-5)))
    assert FrozenClock(eastern).now().tzinfo is UTC
    assert SystemClock().now().tzinfo is UTC


def test_a_moment_without_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="ambiguous"):
        FrozenClock(datetime(2026, 1, 1))  # noqa: DTZ001  # the point of the test
