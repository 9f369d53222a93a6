"""From a received report to what is installed: one transaction, a handful of statements.

    receipt -> which asset (sameness) -> what changed (difference) -> components, installs, asset, receipt

Nothing is committed here, so a process killed anywhere leaves the receipt as it was, and the job runs again.
Reports of one machine are taken one after another: the names a machine is known by are locked first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import Row
from sqlalchemy.orm import Session

from sentrikat.domain.errors import Conflict, NotFound
from sentrikat.domain.inventory import (
    DISTRIBUTION_KINDS,
    Component,
    Installed,
    Inventory,
    OperatingSystem,
    installed_components,
    learned_sources,
    release_of,
)
from sentrikat.domain.matching.microsoft_programs import reported_updates
from sentrikat.infra.database.locks import KNOWLEDGE, lock_number, shared_advisory_lock
from sentrikat.inventory import statements
from sentrikat.inventory.asset_limits import admit_new_asset
from sentrikat.inventory.corrections import corrected, list_corrections
from sentrikat.inventory.difference import (
    Change,
    Present,
    by_identity,
    compare_part,
    compare_whole,
    removes_too_much,
)
from sentrikat.inventory.readers import agent_report
from sentrikat.inventory.receipts import read_stored
from sentrikat.inventory.sameness import Names, choose, usable_machine_id

# A clock may be a little fast; one that is days ahead is wrong, and worth a remark.
CLOCK_SKEW = timedelta(days=1)

PROCESSED, UNCHANGED, OUTDATED, HELD = "processed", "unchanged", "outdated", "held"


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What a report changed. Components of an upgraded package stand in both lists of installs.

    `new_component_ids`  seen for the first time by anybody: to be identified and matched
    `changed`            findings of the asset may have moved; false for all that ends at the receipt
    `whole`              by more than the components added and removed: all of them are to be looked at
    """

    receipt_id: int
    organization_id: int
    asset_id: int
    status: str
    added_component_ids: tuple[int, ...] = ()
    removed_component_ids: tuple[int, ...] = ()
    new_component_ids: tuple[int, ...] = ()
    changed: bool = False
    whole: bool = True

    @property
    def unchanged(self) -> bool:
        """Say whether the report said what the one before it said."""
        return self.status == UNCHANGED

    @property
    def held(self) -> bool:
        """Say whether the report waits for a person."""
        return self.status == HELD


def ingest(session: Session, receipt_id: int, *, now: datetime) -> IngestResult:
    """Take one received report in; safe to run again, then it says what became of it the first time."""
    # Nothing follows from it, so it need not wait for a feed's merge either.
    same = session.execute(statements.SAME, {"id": receipt_id, "now": now, "skew": CLOCK_SKEW}).one_or_none()
    if same is not None:
        return IngestResult(receipt_id, same.organization_id, same.id, UNCHANGED)
    # Before any row is locked: a feed's merge, which holds this alone, may wait for rows but never for us.
    shared_advisory_lock(session, KNOWLEDGE)
    receipt = session.execute(statements.RECEIPT, {"id": receipt_id}).one_or_none()
    if receipt is None:
        raise NotFound(f"There is no receipt {receipt_id}.")
    if receipt.status != "received":
        if receipt.asset_id is None:
            raise Conflict(f"The report of receipt {receipt_id} was not taken in: it is {receipt.status}.")
        return IngestResult(receipt_id, receipt.organization_id, receipt.asset_id, receipt.status)
    inventory = read_stored(receipt.body, receipt.form, receipt.asset_hint).inventory
    return _Ingest(session, receipt, inventory, now).run()


class _Ingest:
    """The steps of taking one report in, and what they share."""

    def __init__(self, session: Session, receipt: Row[Any], inventory: Inventory, now: datetime) -> None:
        self.session = session
        self.receipt = receipt
        self.inventory = inventory
        self.now = now
        self.remarks: list[str] = [receipt.detail] if receipt.detail else []
        self.collected_at = self._collected_at()
        self.names = Names(
            hostname=inventory.hostname,
            agent_id=inventory.agent_id,
            machine_id=usable_machine_id(inventory.machine_id),
        )
        self.scope = {"organization_id": receipt.organization_id}
        self.asked_sources = False

    def run(self) -> IngestResult:
        """Do the steps."""
        asset = self._asset()
        if asset is not None and self._is_outdated(asset):
            return self._set_aside(asset.id, OUTDATED)
        if asset is not None and not self.inventory.complete:
            # A part may name its system in brief; what the asset is known to run completes it.
            system = OperatingSystem(**(asset.os | _known(self.inventory.os)))
            self.inventory = replace(self.inventory, os=system)
        sources = self._sources()
        installed = installed_components(self.inventory, lambda r, b: sources.get((r, b)))
        if self.receipt.corrects:
            corrections = list_corrections(self.session, self.receipt.organization_id)
            for item in installed:
                item.component = corrected(item.component, corrections)
        reported = by_identity(installed)
        digest = _digest(self.inventory, reported)
        if asset is not None and self._is_known(asset, digest):
            return self._finish(asset, asset.id, UNCHANGED, Change(), [], digest)
        present = self._present(asset.id) if asset is not None else []
        compare = compare_whole if self.inventory.complete else compare_part
        change = compare(present, reported, self.collected_at)
        if (
            asset is not None
            and self.inventory.complete
            and not self.receipt.confirmed
            and removes_too_much(present, reported, change)
        ):
            self.remarks.append(
                f"held: it would remove {len(change.closed)} of {len(present)} components, which looks like a"
                " failure of the agent; nothing was removed"
            )
            return self._set_aside(asset.id, HELD)
        asset_id = asset.id if asset is not None else self._new_asset()
        component_ids, new = self._components(change)
        self._write_installs(asset_id, change, component_ids)
        self._learn(change)
        status = UNCHANGED if asset is not None and self._says_nothing_new(asset, change) else PROCESSED
        return self._finish(asset, asset_id, status, change, new, digest, component_ids)

    # -- which asset, and when --

    def _collected_at(self) -> datetime:
        """Give the moment of the look; never later than its arrival, whatever the machine's clock said."""
        received_at: datetime = self.receipt.received_at
        said = self.inventory.collected_at
        if said is None:
            return received_at
        if said > received_at + CLOCK_SKEW:
            self.remarks.append(
                f"the machine's clock is ahead: it says {said:%Y-%m-%d %H:%M} UTC, so the time of arrival is used"
            )
        return min(said, received_at)

    def _asset(self) -> Row[Any] | None:
        organization_id = self.receipt.organization_id
        names = self.names
        keys = [f"machine:{names.machine_id}", f"agent:{names.agent_id}", f"host:{names.hostname.lower()}"]
        known = [key for key in keys if not key.endswith(":None")]
        numbers = sorted(lock_number(f"asset:{organization_id}:{key}") for key in known)
        self.session.execute(statements.LOCK, {"numbers": numbers})
        rows = self.session.execute(
            statements.CANDIDATES,
            self.scope
            | {
                "machine_id": names.machine_id,
                "agent_id": names.agent_id,
                "hostnames": list({names.hostname, names.hostname.lower(), names.hostname.upper()}),
            },
        ).all()
        if self.receipt.form != agent_report.FORM:
            # An SBOM never speaks for a machine with an agent (receipts.accept tells its sender).
            rows = [row for row in rows if row.agent_id is None]
        by_key = {row.id: row for row in rows}
        chosen = choose(names, (Names(r.hostname, r.agent_id, r.machine_id, r.id) for r in rows))
        return by_key[chosen.key] if chosen is not None else None

    def _new_asset(self) -> int:
        parameters = self._described(None) | {
            "received_at": self.receipt.received_at,
            "key_family": admit_new_asset(self.session, self.receipt.organization_id, self.receipt.key_id),
        }
        asset_id: int = self.session.execute(statements.NEW_ASSET, parameters).scalar_one()
        return asset_id

    def _is_outdated(self, asset: Row[Any]) -> bool:
        newest = asset.last_collected_at
        if newest is None or self.collected_at >= newest:
            return False
        self.remarks.append(
            f"outdated: it looked at the machine on {self.collected_at:%Y-%m-%d %H:%M} UTC, and the inventory held is"
            f" of {newest:%Y-%m-%d %H:%M} UTC; nothing was changed"
        )
        return True

    def _is_known(self, asset: Row[Any], digest: bytes) -> bool:
        """Say whether a complete report says exactly what the last one said."""
        return self.inventory.complete and digest == asset.inventory_digest and asset.retired_at is None

    # -- what is installed --

    def _sources(self) -> dict[tuple[str, str], str]:
        """Find the source packages the report leaves out: elsewhere in it, or in what feeds and hosts taught."""
        release = release_of(self.inventory.os.name, self.inventory.os.version) or ""
        missing = {
            (software.release or release, software.name)
            for software in self.inventory.software
            if software.source_name is None and software.type in DISTRIBUTION_KINDS
        }
        if not missing:
            return {}
        found = {(r, b): s for r, b, s in learned_sources(self.inventory) if (r, b) in missing}
        asked = sorted(missing - found.keys())
        if asked:
            self.asked_sources = True
            parameters = {"releases": [r for r, _ in asked], "names": [n for _, n in asked]}
            rows = self.session.execute(statements.SOURCES, parameters)
            found.update({(namespace, name): source for namespace, name, source in rows})
        return found

    def _present(self, asset_id: int) -> list[Present]:
        rows = self.session.execute(statements.PRESENT, self.scope | {"asset_id": asset_id})
        return [
            Present(i, c, bytes(identity), kind, name, tuple(binaries or ()), tuple(paths or ()), first)
            for i, c, identity, kind, name, binaries, paths, first in rows
        ]

    def _components(self, change: Change) -> tuple[dict[bytes, int], list[int]]:
        """Give the id of every component to add, and which of them nobody had before."""
        if not change.added:
            return {}, []
        rows = orjson.dumps([_component_row(identity, item.component) for identity, item in change.added])
        ids: dict[bytes, int] = {}
        new: list[int] = []
        for component_id, identity, is_new in self.session.execute(
            statements.ADD_COMPONENTS, {"rows": rows.decode()}
        ):
            ids[bytes(identity)] = component_id
            if is_new:
                new.append(component_id)
        # Another transaction may have added one while ours waited for it; our snapshot was older.
        others = [identity for identity, _ in change.added if identity not in ids]
        if others:
            found = self.session.execute(statements.COMPONENTS, {"identities": others})
            ids.update({bytes(identity): component_id for component_id, identity in found})
        return ids, new

    def _write_installs(self, asset_id: int, change: Change, component_ids: Mapping[bytes, int]) -> None:
        if change.closed:
            ids = [row.install_id for row in change.closed]
            self.session.execute(
                statements.CLOSE_INSTALLS, self.scope | {"ids": ids, "collected_at": self.collected_at}
            )
        if change.seen:
            seen = [
                {"id": s.install_id, "binaries": s.binaries or None, "paths": s.paths or None}
                for s in change.seen
            ]
            self.session.execute(statements.SEEN_INSTALLS, self.scope | {"rows": orjson.dumps(seen).decode()})
        if change.added:
            added = [
                {
                    "component_id": component_ids[identity],
                    "binaries": item.binaries or None,
                    "paths": item.paths or None,
                }
                for identity, item in change.added
            ]
            parameters = {"asset_id": asset_id, "collected_at": self.collected_at}
            self.session.execute(
                statements.ADD_INSTALLS, self.scope | parameters | {"rows": orjson.dumps(added).decode()}
            )

    def _learn(self, change: Change) -> None:
        """Remember which sources this host's new packages come from, for hosts that cannot say."""
        sources = {
            (item.component.namespace, item.component.source_name)
            for _, item in change.added
            if item.component.source_name is not None
        }
        if not sources:
            return
        known = {(r, b): s for r, b, s in learned_sources(self.inventory) if (r, s) in sources}
        if known:
            parameters = {
                "releases": [release for release, _ in known],
                "names": [name for _, name in known],
                "sources": list(known.values()),
            }
            self.session.execute(statements.LEARN, parameters)

    # -- the end --

    def _described(self, asset: Row[Any] | None) -> dict[str, Any]:
        """Give the columns that describe the machine; a part leaves alone what it does not say."""
        system = _known(self.inventory.os)
        updates = list(reported_updates(self.inventory))
        if asset is not None and not self.inventory.complete:
            updates = list(dict.fromkeys([*asset.updates, *updates]))
        return self.scope | {
            "hostname": self.names.hostname,
            "agent_id": self.names.agent_id or (asset.agent_id if asset is not None else None),
            "machine_id": self.names.machine_id or (asset.machine_id if asset is not None else None),
            "family": system["family"],
            "os": orjson.dumps(system).decode(),
            "updates": updates,
            "collected_at": self.collected_at,
        }

    def _says_nothing_new(self, asset: Row[Any], change: Change) -> bool:
        return change.is_nothing() and self._is_described(asset)

    def _is_described(self, asset: Row[Any]) -> bool:
        """Say whether the asset itself stands as the report describes it, whatever is installed on it."""
        described = self._described(asset)
        return (
            asset.retired_at is None
            and asset.updates == described["updates"]
            and asset.os == orjson.loads(described["os"])
        )

    def _finish(
        self,
        asset: Row[Any] | None,
        asset_id: int,
        status: str,
        change: Change,
        new: list[int],
        digest: bytes,
        component_ids: Mapping[bytes, int] | None = None,
    ) -> IngestResult:
        parameters = self._described(asset)
        if not self.inventory.complete:
            # A part moves no complete report's mark, and makes its fingerprint void where it changed something.
            parameters["collected_at"] = asset.last_collected_at if asset is not None else None
            held = asset.inventory_digest if asset is not None else None
            parameters |= {"digest": held if status == UNCHANGED else None, "report_digest": None}
        else:
            # Where sources had to be looked up, the same words may say more the next time.
            said = None if self.asked_sources else self.receipt.content_digest
            parameters |= {"digest": digest, "report_digest": said}
        parameters |= self._outcome(asset_id, status)
        parameters |= {"installed": len(change.added), "removed": len(change.closed)}
        self.session.execute(statements.FINISH, parameters)
        ids = component_ids or {}
        return IngestResult(
            receipt_id=self.receipt.id,
            organization_id=self.receipt.organization_id,
            asset_id=asset_id,
            status=status,
            added_component_ids=tuple(ids[identity] for identity, _ in change.added),
            removed_component_ids=tuple(row.component_id for row in change.closed),
            new_component_ids=tuple(new),
            changed=status == PROCESSED,
            whole=asset is None or not self._is_described(asset),
        )

    def _set_aside(self, asset_id: int, status: str) -> IngestResult:
        self.session.execute(statements.SET_ASIDE, self.scope | self._outcome(asset_id, status))
        return IngestResult(self.receipt.id, self.receipt.organization_id, asset_id, status)

    def _outcome(self, asset_id: int, status: str) -> dict[str, Any]:
        return {
            "receipt_id": self.receipt.id,
            "asset_id": asset_id,
            "status": status,
            "detail": "; ".join(self.remarks) or None,
            "now": self.now,
            "received_at": self.receipt.received_at,
        }


def _known(system: OperatingSystem) -> dict[str, str]:
    names = ("family", "name", "version", "build", "edition", "kernel", "arch", "cpe")
    return {name: value for name in names if (value := getattr(system, name)) is not None}


def _component_row(identity: bytes, component: Component) -> dict[str, str | None]:
    return {"identity": f"\\x{identity.hex()}"} | {
        name: getattr(component, name) for name in statements.COMPONENT_FIELDS
    }


def _digest(inventory: Inventory, reported: Mapping[bytes, Installed]) -> bytes:
    """Give a fingerprint of what is installed: equal whatever the order, the report's id and its time.

    Made of the components and not of the report, so that a source package learned since, or a better rule of
    which component a package is, makes the same report say more.
    """
    digest = hashlib.sha256(orjson.dumps([inventory.os, sorted(inventory.updates)]))
    for identity in sorted(reported):
        item = reported[identity]
        digest.update(identity)
        if item.binaries or item.paths:
            digest.update(orjson.dumps([sorted(item.binaries), sorted(item.paths)]))
    return digest.digest()
