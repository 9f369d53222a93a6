"""Numbers, dates and states as people read them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from sentrikat.domain.advisory import Remedy
from sentrikat.domain.matching.wording import remedy_words


class Repairable(Protocol):
    """A row of a list that says how its source stands to a repair."""

    @property
    def remedy(self) -> str | None:
        """Give a `Remedy`."""
        ...

    @property
    def fixed_version(self) -> str | None:
        """Give the first good version."""
        ...


NOTHING = "\u2013"  # a dash where there is no figure


def number(value: float | None) -> str:
    """Write a count with thousands separated: 1,903."""
    return NOTHING if value is None else f"{value:,}"


def plural(count: int, one: str, many: str | None = None) -> str:
    """Write a count with its noun: 1 asset, 212 assets."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def span(length: timedelta) -> str:
    """Write how long something is, in its largest unit: 40 s, 12 min, 2 h, 9 days."""
    seconds = abs(int(length.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min"
    if seconds < 48 * 3600:
        return f"{seconds // 3600} h"
    return f"{seconds // 86400} days"


def ago(moment: datetime | None, now: datetime) -> str:
    """Write how far away a moment is: 2 h ago, in 3 days, never."""
    if moment is None:
        return "never"
    distance = now - moment
    if abs(distance) < timedelta(seconds=10):
        return "now"
    return f"in {span(distance)}" if distance < timedelta(0) else f"{span(distance)} ago"


def moment(value: datetime, zone: ZoneInfo) -> str:
    """Write a moment in the organization's time zone: 23 Nov 2026 16:02."""
    local = value.astimezone(zone)
    return f"{local.day} {local:%b %Y %H:%M}"


def day(value: date | datetime, zone: ZoneInfo, now: datetime) -> str:
    """Write a day: Fri 27 Nov, with the year when it is not this one."""
    local = value.astimezone(zone).date() if isinstance(value, datetime) else value
    year = "" if local.year == now.astimezone(zone).year else f" {local.year}"
    return f"{local:%a} {local.day} {local:%b}{year}"


def days_left(value: date | datetime, zone: ZoneInfo, now: datetime) -> int:
    """Count calendar days until a day, in the organization's time zone; negative when it is past."""
    today = now.astimezone(zone).date()
    local = value.astimezone(zone).date() if isinstance(value, datetime) else value
    return (local - today).days


def due_words(due: datetime, zone: ZoneInfo, now: datetime) -> str:
    """Write how a deadline stands: 3 days left, due today, 2 days overdue."""
    left = days_left(due, zone, now)
    if due <= now:
        return "overdue today" if left == 0 else f"{plural(-left, 'day')} overdue"
    if left == 0:
        return "due today"
    return f"{plural(left, 'day')} left"


def zone_of(name: str | None) -> ZoneInfo:
    """Give the zone of an organization; UTC where there is none."""
    return ZoneInfo(name or "UTC")


def iso(value: date | datetime) -> str:
    """Write the machine's form, for `<time datetime>`."""
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value.isoformat()


def percent(share: float | None) -> str:
    """Write a probability 0..1 as people say it: 0.4 %, 12 %, 97 %."""
    if share is None:
        return NOTHING
    value = share * 100
    return f"{value:.1f}\u00a0%" if value < 10 else f"{value:.0f}\u00a0%"


# The first that fits: each says the words of those after it, too.
_BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("HeadlessChrome/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Version/", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iOS"),
    ("iPad", "iPadOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def browser(user_agent: str | None) -> str:
    """Write what a browser says of itself as people know it: Firefox 145 on Windows. Any other stays as it is."""
    if not user_agent:
        return "unknown"
    if not user_agent.startswith("Mozilla/"):
        return user_agent
    for sign, name in _BROWSERS:
        _, found, rest = user_agent.partition(sign)
        if found:
            system = next((known for word, known in _SYSTEMS if word in user_agent), None)
            return f"{name} {rest.split('.')[0].split(' ')[0]}" + (f" on {system}" if system else "")
    return user_agent


def repair(row: Repairable) -> str:
    """Write what a source says of a repair: fixed in 3.0.13, will not be fixed, past the support of this release."""
    return remedy_words(Remedy(row.remedy) if row.remedy else None, row.fixed_version)
