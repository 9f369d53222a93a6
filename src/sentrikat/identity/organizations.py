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
from sentrikat.identity.one_line import one_line
from sentrikat.infra.database.locks import advisory_lock
from sentrikat.infra.jobs import enqueue

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
    name = _name(name, "created")
    if not _SLUG.fullmatch(slug):
        raise InvalidInput(
            f"The organization was not created: “{slug}” cannot be its short name.",
            hint="Use lower-case letters, digits and hyphens, at most 50.",
            fields={"slug": "Use lower-case letters, digits and hyphens, at most 50."},
        )
    _require_place(time_zone, "created")
    advisory_lock(session, f"organization:{slug}")  # of two who choose it at once, the second is told
    if session.scalar(select(Organization.id).where(Organization.slug == slug)) is not None:
        raise Conflict(
            f"The organization was not created: the short name “{slug}” is taken.",
            hint="Choose another one.",
            fields={"slug": "This short name is taken."},
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


def change_organization(
    session: Session,
    caller: Caller,
    organization_id: int,
    *,
    name: str | None = None,
    time_zone: str | None = None,
    now: datetime,
) -> bool:
    """Rename an organization or move it to another time zone; its deadlines follow by a job.

    The short name stays: links and scripts hold it. Says whether anything was changed.
    """
    caller.require(Permission.INSTALLATION_MANAGE)
    organization = session.get(Organization, organization_id, with_for_update=True)
    if organization is None:
        raise NotFound(
            f"There is no organization {organization_id}.",
            hint="The list of organizations names those there are.",
        )
    wanted = {
        "name": _name(name, "changed") if name is not None else organization.name,
        "time_zone": time_zone if time_zone is not None else organization.time_zone,
    }
    _require_place(wanted["time_zone"], "changed")
    changed = {field: value for field, value in wanted.items() if value != getattr(organization, field)}
    if not changed:
        return False
    before = {f"{field}_before": getattr(organization, field) for field in changed}
    for field, value in changed.items():
        setattr(organization, field, value)
    session.flush()
    record(
        session,
        replace(caller, organization_id=0),
        "organization.changed",
        f"organization:{organization.id}",
        {"slug": organization.slug, **changed, **before},
        now=now,
    )
    if "time_zone" in changed:
        enqueue(
            session,
            "price_organization",
            queueing_lock=f"price_organization:{organization_id}",
            organization_id=organization_id,
        )
    return True


def access_organization(
    session: Session, caller: Caller, organization_id: int, permission: Permission
) -> Organization:
    """Give the organization that a door names, to somebody who may see every one."""
    caller.require(permission)
    organization = session.get(Organization, organization_id)
    if organization is None:
        raise NotFound(
            f"There is no organization {organization_id}.",
            hint="The list of organizations names those there are.",
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


def chosen_organization(session: Session, slug: str) -> Organization:
    """Give the organization that was chosen in a form; InvalidInput, for its field, where none is."""
    try:
        return get_by_slug(session, slug)
    except NotFound as error:
        raise InvalidInput(
            f"Nothing was changed: there is no organization “{slug[:100]}”.",
            hint="Choose one of the organizations.",
            fields={"organization": "Choose one."},
        ) from error


def _name(name: str, done: str) -> str:
    name = one_line(name)
    if not 1 <= len(name) <= 200:
        raise InvalidInput(
            f"The organization was not {done}: its name must have 1 to 200 characters.",
            hint="Nothing was changed.",
            fields={"name": "Use 1 to 200 characters."},
        )
    return name


def _require_place(time_zone: str, done: str) -> None:
    if not is_place(time_zone):
        raise InvalidInput(
            f"The organization was not {done}: there is no time zone “{time_zone[:100]}”.",
            hint="Use an IANA name such as Europe/Zurich. Nothing was changed.",
            fields={"time_zone": "Use an IANA name such as Europe/Zurich."},
        )
