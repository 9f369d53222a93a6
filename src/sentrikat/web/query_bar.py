"""The query bar of findings: `exploited:yes due:<7d software:openssl`, read and written.

What cannot be read is said, not guessed: a filter that was silently dropped would show a wrong count.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sentrikat.findings.queries import FindingFilters

_TOKEN = re.compile(r'(?:(?P<key>[a-z-]+):)?(?:"(?P<quoted>[^"]*)"|(?P<plain>\S+))', re.IGNORECASE)
_FLAW = re.compile(r"(?:CVE|GHSA|DSA|PYSEC|OSV|RUSTSEC|GO)-[A-Za-z0-9-]+", re.IGNORECASE)
_DAYS = re.compile(r"<?(\d{1,4})d")

SEVERITIES = ("critical", "high", "medium", "low", "none")
EXPOSURES = ("public", "internal", "unknown")
REMEDIES = ("fixed", "open", "deferred", "will_not_fix", "end_of_life", "none")
STATES = ("open", "closed", "all")


@dataclass(frozen=True, slots=True)
class Query:
    """What was asked for, and which words could not be read."""

    filters: FindingFilters
    problems: tuple[str, ...] = ()


HELP: tuple[tuple[str, str], ...] = (
    ("exploited:yes", "known to be exploited"),
    ("ransomware:yes", "used in ransomware campaigns"),
    ("exploit:yes", "an exploit is public"),
    ("due:overdue", "past its deadline"),
    ("due:<7d", "due within seven days"),
    ("severity:critical", "critical, high, medium or low"),
    ("exposure:public", "public, internal or unknown"),
    ("asset:db-07", "part of the host name"),
    ("software:openssl", "part of the software's name"),
    ("cve:CVE-2026-1234", "one vulnerability"),
    ("verdict:review", "where a source names no versions"),
    ("remedy:none", "no repair: or open, deferred, will-not-fix, end-of-life; fixed: there is one"),
    ("opened:<7d", "opened within seven days, or since a day: opened:2026-06-01"),
    ("closed:<7d", "closed within seven days, or since a day: closed:2026-06-01"),
    ("state:all", "open, closed or all"),
)


def read_query(text: str, zone: ZoneInfo, now: datetime) -> Query:
    """Read the bar; a word without a key is a vulnerability's name or part of a software's."""
    filters, problems = FindingFilters(), []
    for match in _TOKEN.finditer(text[:500]):
        value = match["quoted"] if match["quoted"] is not None else match["plain"]
        key = (match["key"] or ("cve" if _FLAW.fullmatch(value) else "software")).lower()
        if "\x00" in value:
            problems.append("A word holds a character that no name has.")
            continue
        try:
            filters = _KEYS[key](filters, value, zone, now)
        except KeyError:
            problems.append(f"There is no filter “{key}”.")
        except ValueError as error:
            problems.append(f"{key}: {error}.")
    return Query(filters, tuple(problems))


def _choice(name: str, allowed: Iterable[str]) -> _Reader:
    def read(filters: FindingFilters, value: str, _zone: ZoneInfo, _now: datetime) -> FindingFilters:
        if value.lower() not in allowed:
            raise ValueError(f"“{value}” is not one of {', '.join(allowed)}")
        return replace(filters, **{name: value.lower()})  # type: ignore[arg-type]  # text fields only

    return read


def _yes_no(name: str) -> _Reader:
    def read(filters: FindingFilters, value: str, _zone: ZoneInfo, _now: datetime) -> FindingFilters:
        if value.lower() not in {"yes", "no"}:
            raise ValueError(f"“{value}” is neither yes nor no")
        return replace(filters, **{name: value.lower() == "yes"})  # type: ignore[arg-type]  # yes-no fields only

    return read


def _text(name: str) -> _Reader:
    def read(filters: FindingFilters, value: str, _zone: ZoneInfo, _now: datetime) -> FindingFilters:
        if not value:
            raise ValueError("it needs a value")
        return replace(filters, **{name: value})  # type: ignore[arg-type]  # text fields only

    return read


def _flaw(filters: FindingFilters, value: str, _zone: ZoneInfo, _now: datetime) -> FindingFilters:
    # CVE numbers are upper case; GHSA ids are lower case behind their prefix.
    prefix, _, rest = value.partition("-")
    name = f"{prefix.upper()}-{rest.lower() if prefix.upper() == 'GHSA' else rest.upper()}"
    return replace(filters, vulnerability=name)


def _asset_id(filters: FindingFilters, value: str, _zone: ZoneInfo, _now: datetime) -> FindingFilters:
    if not value.isascii() or not value.isdigit() or len(value) > 18:
        raise ValueError(f"“{value}” is not a number")
    return replace(filters, asset_id=int(value))


def _verdict(filters: FindingFilters, value: str, _zone: ZoneInfo, _now: datetime) -> FindingFilters:
    known = {"affected": "affected", "review": "unknown", "unknown": "unknown"}
    if value.lower() not in known:
        raise ValueError(f"“{value}” is neither affected nor review")
    return replace(filters, verdict=known[value.lower()])


def _remedy(filters: FindingFilters, value: str, _zone: ZoneInfo, _now: datetime) -> FindingFilters:
    name = value.lower().replace("-", "_")
    if name not in REMEDIES:
        known = ", ".join(one.replace("_", "-") for one in REMEDIES)
        raise ValueError(f"“{value}” is not one of {known}")
    return replace(filters, remedy=name)


def _due(filters: FindingFilters, value: str, zone: ZoneInfo, now: datetime) -> FindingFilters:
    if value.lower() == "overdue":
        return replace(filters, due_before=now)
    if days := _DAYS.fullmatch(value):
        return replace(filters, due_after=now, due_before=now + timedelta(days=int(days[1])))
    return replace(filters, due_before=_start_of(value.lstrip("<"), zone))


def _opened(filters: FindingFilters, value: str, zone: ZoneInfo, now: datetime) -> FindingFilters:
    if days := _DAYS.fullmatch(value):
        return replace(filters, opened_after=now - timedelta(days=int(days[1])))
    return replace(filters, opened_after=_start_of(value.lstrip(">"), zone))


def _closed(filters: FindingFilters, value: str, zone: ZoneInfo, now: datetime) -> FindingFilters:
    days = _DAYS.fullmatch(value)
    since = now - timedelta(days=int(days[1])) if days else _start_of(value.lstrip(">"), zone)
    return replace(filters, state="closed", closed_after=since)


def _start_of(value: str, zone: ZoneInfo) -> datetime:
    try:
        if "T" in value:
            moment = datetime.fromisoformat(value)
            return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)
        return datetime.combine(date.fromisoformat(value), time(), zone)
    except ValueError as error:
        raise ValueError(
            f"“{value}” is neither a number of days such as 7d nor a day such as 2026-06-01"
        ) from error


_Reader = Callable[[FindingFilters, str, ZoneInfo, datetime], FindingFilters]

_KEYS: dict[str, _Reader] = {
    "exploited": _yes_no("exploited"),
    "ransomware": _yes_no("ransomware"),
    "exploit": _yes_no("exploit_public"),
    "severity": _choice("severity", SEVERITIES),
    "exposure": _choice("exposure", EXPOSURES),
    "state": _choice("state", STATES),
    "asset": _text("hostname"),
    "host": _text("hostname"),
    "asset-id": _asset_id,
    "software": _text("software"),
    "cve": _flaw,
    "vulnerability": _flaw,
    "verdict": _verdict,
    "remedy": _remedy,
    "due": _due,
    "opened": _opened,
    "closed": _closed,
}
