"""The audit log of an organization, or of the installation, for those who may read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, field_validator
from sqlalchemy.orm import Session

from sentrikat.audit.checkpoints import last_signed, prove
from sentrikat.audit.delivery import destination_of, state_of
from sentrikat.audit.export import WRITERS, Form
from sentrikat.audit.journal import INSTALLATION
from sentrikat.audit.queries import EntryFilters, EntryRow, list_entries
from sentrikat.audit.signing_key import known_keys
from sentrikat.domain.permissions import Permission
from sentrikat.identity.access import Visit
from sentrikat.identity.names import actors_named, names_of
from sentrikat.infra.streams import Streamed
from sentrikat.inventory.queries import hostnames_of
from sentrikat.web import words
from sentrikat.web.context import (
    Now,
    SystemSession,
    TenantSession,
    database_of,
    exporting_of,
    requires,
    settings_of,
)
from sentrikat.web.rendering import render

router = APIRouter(prefix="/audit")
Auditor = Annotated[Visit, requires(Permission.AUDIT_READ)]
Installer = Annotated[Visit, requires(Permission.INSTALLATION_READ)]

ROWS = 100
LATE = timedelta(hours=48)  # checkpoints are made once a day


class Asked(BaseModel):
    """What the page was asked for. A date that is none counts as not given: the form's own field has said so."""

    model_config = ConfigDict(extra="ignore")

    since: date | None = None
    until: date | None = None
    actor: Annotated[str, Field(max_length=200)] = ""
    action: Annotated[str, Field(max_length=100)] = ""
    address: Annotated[str, Field(max_length=100)] = ""
    before: Annotated[int | None, Field(ge=1, lt=2**63)] = None
    check: bool = False
    # The last field: below it the class's own `object` would hide Python's.
    object: Annotated[str, Field(max_length=200)] = ""

    @field_validator("since", "until", "before", mode="before")
    @classmethod
    def _empty_is_unset(cls, value: Any) -> Any:
        return None if value == "" else value

    def filters(self, actors: tuple[str, ...] | None, zone_name: str | None) -> EntryFilters:
        """Give the filters; days are those of the organization's time zone, the last one included."""
        zone = words.zone_of(zone_name)

        def start(day: date) -> datetime:
            return datetime.combine(day, time(), zone)

        return EntryFilters(
            since=start(self.since) if self.since else None,
            until=start(self.until + timedelta(days=1)) if self.until and self.until < date.max else None,
            actors=actors,
            action=_plain(self.action).replace(" ", "_") or None,
            object=_plain(self.object) or None,
            address=_plain(self.address) or None,
        )

    def kept(self) -> dict[str, str]:
        """Give what links to other pages of the same list carry."""
        given = self.model_dump(include={"since", "until", "actor", "action", "object", "address"})
        return {name: str(value) for name, value in given.items() if value}


@dataclass(frozen=True, slots=True)
class Shown:
    """An entry in words."""

    row: EntryRow
    actor: str
    action: str
    subject: str
    detail: list[tuple[str, str]]


@router.get("")
def show(
    request: Request, visit: Auditor, session: TenantSession, now: Now, asked: Annotated[Asked, Query()]
) -> Response:
    """List what was done in the organization; on request walk its chain."""
    return _page(request, visit, session, now, asked, visit.caller.organization_id, "/audit")


@router.get("/installation")
def show_installation(
    request: Request, visit: Installer, session: SystemSession, now: Now, asked: Annotated[Asked, Query()]
) -> Response:
    """List what was done to the installation: sign-ins, accounts, organizations, feeds."""
    return _page(request, visit, session, now, asked, INSTALLATION, "/audit/installation")


@router.get("/export")
def export(
    request: Request, visit: Auditor, now: Now, asked: Annotated[Asked, Query()], form: Form = Form.ENTRY
) -> Response:
    """Send the organization's log, filtered as the page is."""
    return _export(request, visit, now, asked, form, visit.caller.organization_id)


@router.get("/installation/export")
def export_installation(
    request: Request, visit: Installer, now: Now, asked: Annotated[Asked, Query()], form: Form = Form.ENTRY
) -> Response:
    """Send the installation's log, filtered as the page is."""
    return _export(request, visit, now, asked, form, INSTALLATION)


def _page(
    request: Request, visit: Visit, session: Session, now: datetime, asked: Asked, chain: int, path: str
) -> Response:
    filters = _filters(request, visit, asked, chain)
    rows = list_entries(session, chain, before=asked.before, limit=ROWS + 1, filters=filters)
    shown = _in_words(request, session, rows[:ROWS], chain)
    settings = settings_of(request)
    keys = known_keys(settings)
    signed = last_signed(session, chain)
    destination = None
    if visit.caller.may(Permission.INSTALLATION_READ) and (name := destination_of(settings)):
        with database_of(request).as_system() as everybody:
            destination = state_of(everybody, name)
    return render(
        request,
        "audit.html",
        visit=visit,
        now=now,
        rows=shown,
        asked=asked,
        kept=asked.kept(),
        following=rows[ROWS - 1].id if len(rows) > ROWS else None,
        proof=prove(session, chain, keys, None if keys else ()) if asked.check else None,
        keys_known=bool(keys),
        signed=signed,
        late=signed is not None and signed.since > 0 and now - signed.at > LATE,
        destination=destination,
        chain_path=path,
        of_installation=chain == INSTALLATION,
    )


def _export(request: Request, visit: Visit, now: datetime, asked: Asked, form: Form, chain: int) -> Response:
    filters = _filters(request, visit, asked, chain)
    database = exporting_of(request)
    opened = database.as_system if chain == INSTALLATION else lambda: database.as_organization(chain)

    def lines() -> Iterator[bytes]:
        with opened() as session:
            yield from WRITERS[form](session, chain, filters, now=now)

    name = f"audit-{'installation' if chain == INSTALLATION else chain}-{now:%Y%m%d-%H%M%S}.{form}.jsonl"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Streamed(lines(), media_type="application/x-ndjson", headers=headers)


def _filters(request: Request, visit: Visit, asked: Asked, chain: int) -> EntryFilters:
    actors = None
    if asked.actor.strip():
        with database_of(request).as_system() as session:
            actors = actors_named(session, asked.actor, chain)
    zone = visit.organization.time_zone if visit.organization is not None else None
    return asked.filters(actors, zone)


def _in_words(request: Request, session: Session, rows: Any, chain: int) -> list[Shown]:
    references = {one for row in rows for one in (row.actor, row.object)}
    with database_of(request).as_system() as everybody:
        names = names_of(everybody, references, chain)
    if chain != INSTALLATION:
        names |= hostnames_of(session, chain, references)
    return [
        Shown(
            row,
            names.get(row.actor, row.actor),
            action_words(row.action),
            _subject(row.object, names),
            detail_words(row.detail),
        )
        for row in rows
    ]


def action_words(action: str) -> str:
    """Write an action as people read it: account.password_changed is “Account: password changed”."""
    words = action.replace("_", " ").replace(".", ": ").capitalize()
    return words.replace("Api ", "API ").replace("Saml", "SAML")


# Of these the log keeps what was before and what is now (inventory.attributes).
_BEFORE_AND_NOW = frozenset({"exposure", "criticality"})


def detail_words(detail: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Write what an entry tells beside its object: a name and its value in words, nothing for what is not set."""
    return [
        (name.replace("_", " "), _value_words(value, change=name in _BEFORE_AND_NOW))
        for name, value in detail.items()
        if value is not None
    ]


def _value_words(value: Any, *, change: bool = False) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case None:
            return "none"
        case [before, now] if change:
            return f"{_value_words(before)} → {_value_words(now)}"
        case list():
            return ", ".join(_value_words(one) for one in value) or "none"
        case dict():
            return ", ".join(f"{name.replace('_', ' ')} {_value_words(one)}" for name, one in value.items())
        case _:
            return str(value)


def _subject(subject: str, names: dict[str, str]) -> str:
    kind, _, rest = subject.partition(":")
    if subject in names:
        return f"{kind} {names[subject]}"
    return f"{kind.replace('_', ' ')} {rest}"


def _plain(text: str) -> str:
    return text.replace("\x00", "").strip()
