"""How many requests a client may make: so many an hour and so many a day, exactly, over all processes.

Each client has two buckets that fill by one with a request and leak evenly over their hour and their day. A
request that would make either overflow is refused and fills neither. One call under one row lock decides, so
however many processes ask at once, no more get through than there is room for.

    client      api:key:12 | agents:key:3 | api:user:4 | api:address:203.0.113.7 | sign-in:address:… | admin
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.domain.errors import SentriKatError

HOUR, DAY = 3_600.0, 86_400.0  # seconds

_TAKE = text("select allowed, hour_level, day_level from rate_take(:client, :per_hour, :per_day, :now)")
_PURGE = text("delete from rate_bucket where at < cast(:now as timestamptz) - interval '1 day'")


@dataclass(frozen=True, slots=True)
class Budget:
    """Requests an hour and a day; 0 is no limit."""

    per_hour: int
    per_day: int

    @property
    def unlimited(self) -> bool:
        """Say whether nothing is counted."""
        return self.per_hour == 0 and self.per_day == 0


@dataclass(frozen=True, slots=True)
class Taken:
    """A request was counted, or refused. Levels are how full the buckets are now, in requests."""

    allowed: bool
    budget: Budget
    hour_level: float
    day_level: float

    @property
    def retry_after(self) -> int:
        """Give after how many whole seconds one more request fits."""
        waits = [
            (level + 1 - limit) * period / limit
            for limit, level, period in self._buckets()
            if level + 1 > limit
        ]
        return max(1, math.ceil(max(waits, default=0)))

    @property
    def headers(self) -> dict[str, str]:
        """Give the fields of draft-ietf-httpapi-ratelimit-headers: what is allowed, left, and when all of it is again."""
        policies, states = [], []
        for limit, level, period in self._buckets():
            name = "hour" if period == HOUR else "day"
            left = max(0, math.floor(limit - level + 1e-6))
            policies.append(f'"{name}";q={limit};w={period:.0f}')
            states.append(f'"{name}";r={left};t={math.ceil(level * period / limit)}')
        return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(states)}

    def _buckets(self) -> list[tuple[int, float, float]]:
        both = (
            (self.budget.per_hour, self.hour_level, HOUR),
            (self.budget.per_day, self.day_level, DAY),
        )
        return [bucket for bucket in both if bucket[0] > 0]


class TooManyRequests(SentriKatError):
    """The client's budget is used up for the moment."""

    code = "rate_limited"

    def __init__(self, taken: Taken) -> None:
        limits = " and ".join(
            f"{limit:,} {word}"
            for limit, word in ((taken.budget.per_hour, "an hour"), (taken.budget.per_day, "a day"))
            if limit
        )
        super().__init__(
            f"The request was not carried out: this client has used up its requests ({limits}).",
            hint=f"Send it again in {taken.retry_after} seconds. An administrator can change the limits "
            "(docs/admin/rate-limits.md). Nothing was changed.",
        )
        self.headers = taken.headers | {"Retry-After": str(taken.retry_after)}


def take(session: Session, client: str, budget: Budget, now: datetime) -> Taken | None:
    """Count one request of a client, or refuse it; None where there is no limit.

    Needs a session of the system, and counts when that is committed: raise the refusal after it.
    """
    if budget.unlimited:
        return None
    row = session.execute(
        _TAKE,
        {"client": client[:200], "per_hour": budget.per_hour, "per_day": budget.per_day, "now": now},
    ).one()
    return Taken(row.allowed, budget, row.hour_level, row.day_level)


def purge(session: Session, now: datetime) -> None:
    """Forget clients that have not been heard of for a day: their buckets are empty."""
    session.execute(_PURGE, {"now": now})
