"""Organizations: tenants of an installation."""

from __future__ import annotations

import re
import zoneinfo
from dataclasses import replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from sentrikat.audit.journal import record
from sentrikat.domain.errors import Conflict, InvalidInput, NotFound
from sentrikat.domain.permissions import Caller, Permission
from sentrikat.identity.models import Organization

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,48}[a-z0-9])?")


def is_place(time_zone: str) -> bool:
    """Say whether a time zone names a place, or UTC.

    Abbreviations such as CET are left out: PostgreSQL reads them as a fixed offset, without the summer time that
    they have elsewhere, and deadlines would end an hour off.
    """
    return time_zone == "UTC" or ("/" in time_zone and time_zone in zoneinfo.available_timezones())


def create_organization(
    session: Session, caller: Caller, *, name: str, slug: str, time_zone: str = "UTC", now: datetime
) -> Organization:
    """Add an organization."""
    caller.require(Permission.INSTALLATION_MANAGE)
    name = name.strip()
    if not 1 <= len(name) <= 200:
        raise InvalidInput(
            "The organization was not created: its name must have 1 to 200 characters.",
            fields={"name": "1 to 200 characters"},
        )
    if not _SLUG.fullmatch(slug):
        raise InvalidInput(
            f"The organization was not created: “{slug}” cannot be its short name.",
            hint="Use lower-case letters, digits and hyphens, at most 50.",
            fields={"slug": "lower-case letters, digits and hyphens"},
        )
    if not is_place(time_zone):
        raise InvalidInput(
            f"The organization was not created: there is no time zone “{time_zone}”.",
            hint="Use an IANA name such as Europe/Zurich.",
            fields={"time_zone": "not an IANA time zone"},
        )
    if session.scalar(select(Organization.id).where(Organization.slug == slug)) is not None:
        raise Conflict(
            f"The organization was not created: the short name “{slug}” is taken.",
            hint="Choose another one.",
            fields={"slug": "taken"},
        )
    organization = Organization(slug=slug, name=name, time_zone=time_zone, created_at=now)
    session.add(organization)
    session.flush()
    record(
        session,
        replace(caller, organization_id=0),
        "organization.created",
        f"organization:{organization.id}",
        {"slug": slug, "name": name, "time_zone": time_zone},
        now=now,
    )
    return organization


def get_by_slug(session: Session, slug: str) -> Organization:
    """Give the organization of a short name."""
    organization = session.scalar(select(Organization).where(Organization.slug == slug))
    if organization is None:
        raise NotFound(
            f"There is no organization “{slug}”.", hint="List them with: sentrikat users organizations list"
        )
    return organization
