"""The only place that knows what time it is. Everything else is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Something that tells the time in UTC."""

    def now(self) -> datetime:
        """Return the present moment, with time zone UTC."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the present moment."""
        return datetime.now(UTC)


class FrozenClock:
    """A clock that stands still until it is moved: for tests and for "as of" questions."""

    def __init__(self, moment: datetime) -> None:
        if moment.tzinfo is None:
            raise ValueError("a moment without time zone is ambiguous")
        self._moment = moment.astimezone(UTC)

    def now(self) -> datetime:
        """Return the moment the clock stands at."""
        return self._moment

    def advance(self, by: timedelta) -> None:
        """Move the clock forward."""
        self._moment += by

    def set(self, moment: datetime) -> None:
        """Move the clock to `moment`."""
        self._moment = moment.astimezone(UTC)
