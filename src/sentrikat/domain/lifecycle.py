"""Until when a release gets repairs, and which release something installed belongs to.

Past its end a product gets no more advisories: that nothing is known against it then means nothing. So its end is
shown by itself, never as an absence of findings.

Three answers about an end are kept apart: a day, "it is over" without a day, and "no end was announced". Where a
source says nothing at all, the answer is unknown, and unknown is not supported.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Ending:
    """When a kind of support ends: `on` the last day with it, or `over` where no day was given."""

    on: date | None = None
    over: bool = False  # without a day: True it has ended, False no end was announced


@dataclass(frozen=True, slots=True)
class Cycle:
    """One release of a product with its ends; None: the source does not speak of that kind of support.

    `extended` is what costs extra or covers less: ESM, LTS, LTSS, ESU.
    `latest` is the newest version of the cycle, which for Windows is the build that tells it.
    """

    product: str
    name: str
    security: Ending | None = None
    support: Ending | None = None
    extended: Ending | None = None
    released: date | None = None
    latest: str | None = None
    label: str | None = None


class Support(StrEnum):
    """How far a release is supported on a day."""

    SUPPORTED = "supported"
    EXTENDED = "extended"  # only what is bought, or maintained by a smaller team
    ENDED = "ended"
    UNKNOWN = "unknown"


def support_on(cycle: Cycle, day: date) -> Support:
    """Say how far `cycle` is supported on `day`; the day an ending names is still a supported one."""
    if cycle.security is None:
        return Support.UNKNOWN
    if not _past(cycle.security, day):
        return Support.SUPPORTED
    if cycle.extended is not None and not _past(cycle.extended, day):
        return Support.EXTENDED
    return Support.ENDED


def _past(ending: Ending, day: date) -> bool:
    return ending.on < day if ending.on is not None else ending.over
