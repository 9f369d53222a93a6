"""Updates of machines: which are in effect, kept with the asset, and which are missing, worked out when asked.

What is in effect follows from what the agent reported, the system's build, and what any source says supersedes what.
It stands with the asset, because conditions of statements are checked for whole estates at once; it is refreshed when
the asset's report or the sources' words change.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.domain.advisory import Product, VendorUpdate
from sentrikat.domain.matching.microsoft_products import WindowsSystem, windows_system
from sentrikat.domain.matching.supersedence import (
    MissingUpdate,
    Supersedence,
    held_updates,
    missing_updates,
    with_rollups,
)
from sentrikat.vulnerabilities.updates import load_supersedence, load_updates

_ASSETS = """
select organization_id, id, os, updates, held_updates from asset
where retired_at is null and (os_family = 'windows' or updates <> '{}' or held_updates <> '{}') {narrowed}
order by organization_id, id
"""
_STORE = """
update asset a set held_updates = array(select jsonb_array_elements_text(r.held))
from json_to_recordset(cast(:rows as json)) as r(organization_id bigint, id bigint, held jsonb)
where a.organization_id = r.organization_id and a.id = r.id
"""
_AT_ONCE = 500  # assets
_KB = re.compile(r"(?:KB)?(\d{6,8})", re.IGNORECASE)


@dataclass(slots=True)
class UpdateHistory:
    """What the sources say of updates, read once for many machines."""

    session: Session
    _supersedes: Supersedence | None = None
    _of_release: dict[tuple[str, ...], tuple[tuple[VendorUpdate, ...], Supersedence]] = field(
        default_factory=dict
    )

    def held(self, system: WindowsSystem | None, installed: Sequence[str]) -> frozenset[str]:
        """Give the updates in effect on a machine."""
        if system is None and not installed:
            return frozenset()
        offers, supersedes = self._known(system)
        return held_updates(names_of(installed), supersedes, system, offers)

    def missing(
        self, system: WindowsSystem | None, installed: Sequence[str], as_of: date | None = None
    ) -> tuple[MissingUpdate, ...]:
        """Give the updates a machine should install; of a system nobody names updates for, none can be told."""
        if system is None:
            return ()
        offers, supersedes = self._known(system)
        held = held_updates(names_of(installed), supersedes, system, offers)
        if system.cumulative:
            own = offers  # one package a month, whatever the architecture and edition it is listed for
        else:
            own = tuple(one for one in offers if one.product.name == system.product)
        if as_of is not None:
            own = tuple(one for one in own if one.released is None or one.released <= as_of)
        return missing_updates(own, held, supersedes, cumulative=system.cumulative)

    def _known(self, system: WindowsSystem | None) -> tuple[tuple[VendorUpdate, ...], Supersedence]:
        editions = system.editions if system is not None else ()
        known = self._of_release.get(editions)
        if known is None:
            if self._supersedes is None:
                self._supersedes = load_supersedence(self.session)
            offers = tuple(load_updates(self.session, editions)) if editions else ()
            known = self._of_release[editions] = (offers, with_rollups(self._supersedes, offers))
        return known


def names_of(installed: Iterable[str]) -> list[str]:
    """Give updates as sources name them, KB5034122, however an agent writes them."""
    return [f"KB{match[1]}" for one in installed if (match := _KB.fullmatch(one.strip()))]


def system_of(os: Mapping[str, Any]) -> WindowsSystem | None:
    """Tell which Windows an asset's system is; None for any other."""
    if os.get("family") != "windows":
        return None
    name = f"{os.get('name') or ''} {os.get('edition') or ''}"
    return windows_system(name, os.get("version") or os.get("build"), os.get("arch"))


def update_products(held: Iterable[str]) -> dict[Product, tuple[bytes, ...]]:
    """Give updates as what runs on a machine, for conditions that none of them is there."""
    return {Product("update", one.lower()): (b"\x00",) for one in held}


def refresh_held(
    session: Session, organization_id: int | None = None, asset_id: int | None = None
) -> list[tuple[int, int]]:
    """Work out anew what is in effect on one machine, or on all; give (organization, asset) of those that moved."""
    narrowed, values = "", {}
    if asset_id is not None:
        narrowed = "and organization_id = :organization_id and id = :asset_id"
        values = {"organization_id": organization_id, "asset_id": asset_id}
    history = UpdateHistory(session)
    moved: list[tuple[int, int]] = []
    rows: list[dict[str, Any]] = []
    for row in session.execute(text(_ASSETS.replace("{narrowed}", narrowed)), values).all():
        held = sorted(history.held(system_of(row.os), row.updates))
        if held != row.held_updates:
            moved.append((row.organization_id, row.id))
            rows.append({"organization_id": row.organization_id, "id": row.id, "held": held})
    for start in range(0, len(rows), _AT_ONCE):
        some = orjson.dumps(rows[start : start + _AT_ONCE]).decode()
        session.execute(text(_STORE), {"rows": some})
    return moved


def missing_of_asset(session: Session, organization_id: int, asset_id: int) -> tuple[MissingUpdate, ...]:
    """Give the updates an asset should install."""
    row = session.execute(
        text("select os, updates from asset where organization_id = :organization_id and id = :asset_id"),
        {"organization_id": organization_id, "asset_id": asset_id},
    ).one_or_none()
    if row is None:
        return ()
    return UpdateHistory(session).missing(system_of(row.os), row.updates)
