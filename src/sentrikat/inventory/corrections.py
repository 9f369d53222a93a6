"""Local corrections: what an organization says its software is, and what follows for its own assets.

Components are shared by all organizations, so a correction changes none of them. It gives the organization's installs
another component, equal but for what people said (`Component.corrected`), which is identified by that word. Whoever
has not said so keeps the component they had, and its findings. Reports taken in later arrive at the same component.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import orjson
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from sentrikat.audit.journal import record
from sentrikat.domain.errors import Conflict, InvalidInput, NotFound
from sentrikat.domain.inventory import Component
from sentrikat.domain.matching.correction import CORRECTABLE, IGNORED, UNLISTED, Pattern
from sentrikat.domain.permissions import Caller, Permission
from sentrikat.infra.database.locks import KNOWLEDGE, advisory_lock
from sentrikat.inventory import statements
from sentrikat.inventory.models import TitleCorrection
from sentrikat.inventory.products import product_named

_FEWEST_LETTERS = 3  # of a pattern beside its stars
_SHORTEST_REASON = 5
_LONGEST = 500
_PATIENCE_SECONDS = 5  # reports take milliseconds, a feed may take minutes

_OWN = text(
    f"select c.id, {', '.join(f'c.{field}' for field in statements.COMPONENT_FIELDS)} from component c"  # noqa: S608
    " where c.kind = any(:kinds) and exists (select from install i where i.component_id = c.id"
    "   and i.organization_id = :organization_id and i.removed_at is null) order by c.id"
)
_MOVE = text(
    "update install i set component_id = m.new from unnest(cast(:old as bigint[]), cast(:new as bigint[])) as m(old, new)"
    " where i.component_id = m.old and i.organization_id = :organization_id and i.removed_at is null"
)


@dataclass(frozen=True, slots=True)
class Moved:
    """Components that installs were moved from and to."""

    before: tuple[int, ...] = ()
    after: tuple[int, ...] = ()


def list_corrections(session: Session, organization_id: int) -> Sequence[TitleCorrection]:
    """Give the organization's corrections, the newest first: the first that fits counts."""
    return session.scalars(
        select(TitleCorrection)
        .where(TitleCorrection.organization_id == organization_id)
        .order_by(TitleCorrection.id.desc())
    ).all()


def corrected(component: Component, corrections: Sequence[TitleCorrection]) -> Component:
    """Give the component as the organization's corrections make it."""
    bare = component if component.corrected is None else replace(component, corrected=None)
    for one in corrections:
        if Pattern(one.title, one.vendor, one.bundle_id).matches(bare):
            return replace(bare, corrected=one.meaning)
    return bare


def correct(
    session: Session, caller: Caller, pattern: Pattern, meaning: str, reason: str, *, now: datetime
) -> tuple[TitleCorrection, Moved]:
    """Store a correction and move the installs it is about; their components are to be identified and matched."""
    caller.require(Permission.INVENTORY_WRITE)
    _check(session, pattern, meaning, reason)
    _alone(session)
    made = TitleCorrection(
        organization_id=caller.organization_id,
        title=pattern.title,
        vendor=pattern.vendor,
        bundle_id=pattern.bundle_id,
        meaning=meaning,
        reason=reason.strip(),
        author=caller.actor,
        created_at=now,
    )
    session.add(made)
    session.flush()
    moved = _move(session, caller.organization_id)
    _journal(session, caller, "identification.corrected", made, moved, now)
    return made, moved


def withdraw(session: Session, caller: Caller, correction_id: int, *, now: datetime) -> Moved:
    """Take a correction back; the installs return to the components they had without it."""
    caller.require(Permission.INVENTORY_WRITE)
    held = session.scalar(
        select(TitleCorrection).where(
            TitleCorrection.organization_id == caller.organization_id, TitleCorrection.id == correction_id
        )
    )
    if held is None:
        raise NotFound(f"There is no correction {correction_id} in this organization.")
    _alone(session)
    session.delete(held)
    session.flush()
    moved = _move(session, caller.organization_id)
    _journal(session, caller, "identification.correction_withdrawn", held, moved, now)
    return moved


def _alone(session: Session) -> None:
    """Keep reports and feeds out until the correction is stored: both read what it changes."""
    session.execute(text(f"set local lock_timeout = '{_PATIENCE_SECONDS}s'"))
    try:
        advisory_lock(session, KNOWLEDGE)
    except OperationalError as trouble:
        raise Conflict(
            f"The correction was not stored: a feed has been taken in for more than {_PATIENCE_SECONDS} seconds.",
            hint="Try again when it is done. Nothing was changed.",
            code="busy",
        ) from trouble


def _check(session: Session, pattern: Pattern, meaning: str, reason: str) -> None:
    wrong: dict[str, str] = {}
    given = {
        name: getattr(pattern, name) for name in ("title", "vendor", "bundle_id") if getattr(pattern, name)
    }
    if not any(len(value.replace("*", "").strip()) >= _FEWEST_LETTERS for value in given.values()):
        wrong["title"] = (
            f"or vendor or bundle_id must hold at least {_FEWEST_LETTERS} letters beside the stars"
        )
    wrong |= {
        name: f"is longer than {_LONGEST} characters"
        for name, value in given.items()
        if len(value) > _LONGEST
    }
    if not _SHORTEST_REASON <= len(reason.strip()) <= _LONGEST:
        wrong["reason"] = f"must be {_SHORTEST_REASON} to {_LONGEST} characters long"
    if meaning not in {UNLISTED, IGNORED}:
        product = product_named(meaning)
        known = session.scalar(
            text("select id from product where ecosystem = :ecosystem and name = :name"),
            {"ecosystem": product.ecosystem, "name": product.name},
        )
        if known is None:
            wrong["meaning"] = f"is neither {UNLISTED} nor {IGNORED}, nor a product that any source speaks of"
    if wrong:
        raise InvalidInput(
            f"The correction was not stored: {'; '.join(f'{name} {why}' for name, why in wrong.items())}.",
            hint="Nothing was changed.",
            fields=wrong,
        )


def _move(session: Session, organization_id: int) -> Moved:
    """Give every install the component that the corrections now make of it."""
    corrections = list_corrections(session, organization_id)
    rows = session.execute(_OWN, {"organization_id": organization_id, "kinds": sorted(CORRECTABLE)})
    wanted: dict[int, Component] = {}
    for component_id, *fields in rows:
        held = Component(*fields)
        if (meant := corrected(held, corrections)) != held:
            wanted[component_id] = meant
    if not wanted:
        return Moved()
    written = [
        {"identity": f"\\x{one.identity().hex()}"}
        | {field: getattr(one, field) for field in statements.COMPONENT_FIELDS}
        for one in wanted.values()
    ]
    made = session.execute(statements.ADD_COMPONENTS, {"rows": orjson.dumps(written).decode()})
    ids = {bytes(identity): component_id for component_id, identity, _ in made}
    before = tuple(wanted)
    after = tuple(ids[wanted[one].identity()] for one in before)
    session.execute(_MOVE, {"old": list(before), "new": list(after), "organization_id": organization_id})
    return Moved(before, after)


def _journal(
    session: Session, caller: Caller, action: str, correction: TitleCorrection, moved: Moved, now: datetime
) -> None:
    detail = {
        "title": correction.title,
        "vendor": correction.vendor,
        "bundle_id": correction.bundle_id,
        "meaning": correction.meaning,
        "reason": correction.reason,
        "components": len(moved.before),
    }
    record(session, caller, action, f"correction:{correction.id}", detail, now=now)
