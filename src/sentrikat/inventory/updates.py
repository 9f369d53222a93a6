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
from sentrikat.domain.inventory import Component
from sentrikat.domain.matching.microsoft_products import WindowsSystem, windows_system, without_core
from sentrikat.domain.matching.program_updates import (
    Program,
    held_of_line,
    missing_of_framework,
    missing_of_program,
    programs_of,
)
from sentrikat.domain.matching.supersedence import (
    MissingUpdate,
    OfferedUpdates,
    Supersedence,
    held_updates,
    joined,
    missing_updates,
    with_rollups,
)
from sentrikat.vulnerabilities.updates import (
    load_catalog,
    load_framework_updates,
    load_supersedence,
    load_updates,
)

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
# The programs whose updates are told by more than the list of updates; one title, one beginning.
_MAKERS_PROGRAMS = (
    "microsoft sql server",
    "microsoft exchange server",
    "microsoft .net",
    "microsoft asp.net core",
    "microsoft windows desktop runtime",
    "microsoft office",
)
_BEGINS = " or ".join(f"lower(c.name) like '{one}%'" for one in _MAKERS_PROGRAMS)
_PROGRAMS = f"""
select i.organization_id, i.asset_id, c.name, c.version, c.vendor
from component c join install i on i.component_id = c.id and i.removed_at is null
where c.kind = 'windows' and ({_BEGINS}) {{narrowed}}
order by i.organization_id, i.asset_id, c.id
"""  # noqa: S608 - the words above
_AT_ONCE = 500  # assets
_KB = re.compile(r"(?:KB)?(\d{6,8})", re.IGNORECASE)


@dataclass(slots=True)
class UpdateHistory:
    """What the sources say of updates, read once for many machines."""

    session: Session
    _supersedes: Supersedence | None = None
    _of_release: dict[str, tuple[tuple[VendorUpdate, ...], Supersedence]] = field(default_factory=dict)
    _of_system: dict[str, OfferedUpdates] = field(default_factory=dict)
    _of_titles: dict[frozenset[str], tuple[VendorUpdate, ...]] = field(default_factory=dict)
    _of_framework: dict[tuple[str, ...], tuple[VendorUpdate, ...]] = field(default_factory=dict)

    def held(
        self, system: WindowsSystem | None, installed: Sequence[str], programs: Sequence[Program] = ()
    ) -> frozenset[str]:
        """Give the updates in effect on a machine: of its system, and of its maker's programs."""
        if system is None and not installed and not programs:
            return frozenset()
        names = names_of(installed)
        offers, supersedes = self._known(system)
        held = held_updates(names, supersedes, system, offers)
        for program in programs:
            held |= held_of_line(program, names, self._of_program(program))
        return held

    def missing_of_programs(
        self,
        system: WindowsSystem | None,
        installed: Sequence[str],
        programs: Sequence[Program],
        as_of: date | None = None,
    ) -> tuple[MissingUpdate, ...]:
        """Give the updates that a machine's programs and its .NET Framework should get."""
        found: dict[str, MissingUpdate] = {}
        held = self.held(system, installed, programs)
        own, supersedes = self._known(system)
        for program in programs:
            offers = _until(as_of, self._of_program(program))
            for one in missing_of_program(program, held, offers, supersedes):
                found.setdefault(one.name, one)
        if system is not None:
            framework = missing_of_framework(
                system.product,
                names_of(installed),
                _until(as_of, self._of_frameworks(system)),
                frozenset(one.name for one in own),
            )
            if framework is not None:
                found.setdefault(framework.name, framework)
        return tuple(found.values())

    def missing(
        self, system: WindowsSystem | None, installed: Sequence[str], as_of: date | None = None
    ) -> tuple[MissingUpdate, ...]:
        """Give the updates a machine should install; of a system nobody names updates for, none can be told."""
        if system is None:
            return ()
        offers, supersedes = self._known(system)
        held = held_updates(names_of(installed), supersedes, system, offers)
        catalog = self._catalog(system)
        if system.cumulative:
            own = offers  # one package a month, whatever the architecture and edition it is listed for
        else:
            own = tuple(one for one in offers if one.product.name == system.product)
        own = _until(as_of, own)
        return missing_updates(own, held, supersedes, cumulative=system.cumulative, catalog=catalog)

    def _catalog(self, system: WindowsSystem) -> OfferedUpdates:
        name = without_core(system.product)
        known = self._of_system.get(name)
        if known is None:
            known = self._of_system[name] = OfferedUpdates.of(load_catalog(self.session, name))
        return known

    def _of_program(self, program: Program) -> tuple[VendorUpdate, ...]:
        known = self._of_titles.get(program.titles)
        if known is None:
            known = self._of_titles[program.titles] = tuple(
                load_updates(self.session, sorted(program.titles))
            )
        return known

    def _of_frameworks(self, system: WindowsSystem) -> tuple[VendorUpdate, ...]:
        known = self._of_framework.get(system.editions)
        if known is None:
            found = tuple(load_framework_updates(self.session, system.editions))
            known = self._of_framework[system.editions] = found
        return known

    def _known(self, system: WindowsSystem | None) -> tuple[tuple[VendorUpdate, ...], Supersedence]:
        name = system.product if system is not None else ""
        known = self._of_release.get(name)
        if known is None:
            if self._supersedes is None:
                self._supersedes = load_supersedence(self.session)
            if system is None:
                known = ((), self._supersedes)
            else:
                offers = tuple(load_updates(self.session, system.editions))
                chains = joined(self._supersedes, self._catalog(system).supersedes)
                known = (offers, with_rollups(chains, offers))
            self._of_release[name] = known
        return known


def _until(as_of: date | None, offers: tuple[VendorUpdate, ...]) -> tuple[VendorUpdate, ...]:
    """Leave out what was not there on the day asked about."""
    if as_of is None:
        return offers
    return tuple(one for one in offers if one.released is None or one.released <= as_of)


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
    programs = _programs(session, organization_id, asset_id)
    moved: list[tuple[int, int]] = []
    rows: list[dict[str, Any]] = []
    for row in session.execute(text(_ASSETS.replace("{narrowed}", narrowed)), values).all():
        own = programs.get((row.organization_id, row.id), ())
        held = sorted(history.held(system_of(row.os), row.updates, own))
        if held != row.held_updates:
            moved.append((row.organization_id, row.id))
            rows.append({"organization_id": row.organization_id, "id": row.id, "held": held})
    for start in range(0, len(rows), _AT_ONCE):
        some = orjson.dumps(rows[start : start + _AT_ONCE]).decode()
        session.execute(text(_STORE), {"rows": some})
    return moved


def missing_of_asset(session: Session, organization_id: int, asset_id: int) -> tuple[MissingUpdate, ...]:
    """Give the updates an asset should install: those of its system, then those of its maker's programs."""
    row = session.execute(
        text("select os, updates from asset where organization_id = :organization_id and id = :asset_id"),
        {"organization_id": organization_id, "asset_id": asset_id},
    ).one_or_none()
    if row is None:
        return ()
    history, system = UpdateHistory(session), system_of(row.os)
    programs = _programs(session, organization_id, asset_id).get((organization_id, asset_id), ())
    of_system = history.missing(system, row.updates)
    known = {one.name for one in of_system}
    of_programs = history.missing_of_programs(system, row.updates, programs)
    return (*of_system, *(one for one in of_programs if one.name not in known))


def concerns_updates(session: Session, component_ids: Iterable[int]) -> bool:
    """Say whether one of the components is a program whose version tells which updates are in effect."""
    ids = sorted(set(component_ids))
    return bool(ids) and bool(
        session.scalar(
            text(
                f"select exists (select from component c where c.id = any(cast(:ids as bigint[]))"  # noqa: S608
                f" and c.kind = 'windows' and ({_BEGINS}))"
            ),
            {"ids": ids},
        )
    )


def _programs(
    session: Session, organization_id: int | None, asset_id: int | None
) -> dict[tuple[int, int], tuple[Program, ...]]:
    """Give the programs whose updates are told by version, by asset; of one asset, or of all."""
    narrowed, values = "", {}
    if asset_id is not None:
        narrowed = "and i.organization_id = :organization_id and i.asset_id = :asset_id"
        values = {"organization_id": organization_id, "asset_id": asset_id}
    found: dict[tuple[int, int], list[Component]] = {}
    for row in session.execute(text(_PROGRAMS.replace("{narrowed}", narrowed)), values):
        component = Component("windows", "windows", row.name, row.version, vendor=row.vendor)
        found.setdefault((row.organization_id, row.asset_id), []).append(component)
    return {asset: programs_of(components) for asset, components in found.items()}
