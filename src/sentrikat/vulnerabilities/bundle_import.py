"""Take a bundle in: is it newer than what is held, does a second person agree, and then the ordinary runs.

    offered ── refused                     nothing is written but the refusal in the audit log
       │
       ├── pending ── rejected             with two persons: the file waits in the data directory
       │      └── approved ┐
       └───────────────────┴─ importing ── imported | incomplete
                                  └ killed: imported again from the same file

Numbers are kept per origin. What was taken in, even in part, bars everything older.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from sentrikat.audit.journal import record
from sentrikat.domain.errors import Conflict, NotFound
from sentrikat.domain.permissions import Caller, Permission
from sentrikat.feeds.adapter import Feed
from sentrikat.feeds.bundle.manifest import BundleRefused, Manifest, Place, refused
from sentrikat.feeds.bundle.reader import BundleReader
from sentrikat.feeds.bundle.root import Root, RootRefused
from sentrikat.feeds.bundle.trust import Gate
from sentrikat.feeds.registry import FEEDS
from sentrikat.feeds.transports.bundle import BundleTransport
from sentrikat.infra.clock import Clock
from sentrikat.infra.database.locks import try_advisory_lock
from sentrikat.infra.database.sessions import Database
from sentrikat.infra.settings import Settings
from sentrikat.vulnerabilities.bundle_trust import follow, trusted_roots
from sentrikat.vulnerabilities.canary import Limits
from sentrikat.vulnerabilities.run import AfterMerge, run_feed
from sentrikat.vulnerabilities.run_record import RunReport

CLOCKS_APART = timedelta(days=1)  # an isolated site's clock is set by hand
GOOD = frozenset({"succeeded", "unchanged"})

Each = Callable[[Feed], Any]  # a context manager that shows one feed's progress and gives its counter


@dataclass(frozen=True)
class Offer:
    """An open bundle whose seal holds."""

    reader: BundleReader
    root: Root
    key_id: str
    place: Place
    sha256: str  # of the manifest

    @property
    def manifest(self) -> Manifest:
        """Give what it says it holds."""
        return self.reader.manifest

    @property
    def words(self) -> str:
        """Name it for people."""
        return f"number {self.place.sequence} of {self.root.name}, made on {_day(self.manifest.made_at)}"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A bundle offered here, as lists show it."""

    id: int
    origin: str
    sequence: int
    sha256: str
    made_at: datetime
    state: str
    waits: bool
    offered_at: datetime
    offered_by: str
    decided_by: str | None
    outcomes: dict[str, str]


@contextmanager
def offered(database: Database, caller: Caller, path: Path, clock: Clock) -> Iterator[Offer]:
    """Open a bundle and check seal, digests and age; a refusal is told and stands in the audit log."""
    caller.require(Permission.INSTALLATION_MANAGE)
    try:
        with database.as_system() as session:
            gate = Gate(trusted_roots(session))
        with BundleReader(path, gate=gate) as reader:
            place = reader.manifest.place
            if gate.root is None or gate.key_id is None or place is None:
                raise refused("its manifest does not say which number of which origin it is")
            if place.origin != gate.root.origin:
                raise refused(
                    f"its manifest names the origin {place.origin[:8]}, and {gate.root.origin[:8]} signed it"
                )
            offer = Offer(
                reader, gate.root, gate.key_id, place, hashlib.sha256(reader.manifest_bytes).hexdigest()
            )
            with database.as_system() as session:
                _admit(session, offer, clock.now())
            yield offer
    except (BundleRefused, RootRefused) as refusal:
        with database.as_system() as session:
            record(
                session,
                caller,
                "bundle.refused",
                f"bundle:{path.name[:100]}",
                {"reason": refusal.message[:500]},
                now=clock.now(),
            )
        raise


def stage(database: Database, settings: Settings, caller: Caller, offer: Offer, clock: Clock) -> int:
    """Keep a copy of the bundle until a second person decides; give the number to approve it by."""
    folder = settings.data_dir / "bundles"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    target = folder / f"{offer.sha256}.bundle"
    partial = target.with_name(target.name + ".part")
    shutil.copyfile(offer.reader.path, partial)
    partial.replace(target)
    with database.as_system() as session:
        held = session.execute(
            text("select id, state from bundle_import where sha256 = :sha256"), {"sha256": offer.sha256}
        ).one_or_none()
        if held is not None and held.state == "imported":
            raise Conflict(
                f"The bundle does not wait: it is imported already ({offer.words}).",
                hint="Nothing was changed.",
                code="bundle_known",
            )
        offer_id = _remember(session, caller, offer, "pending", clock.now(), file=target.name)
        session.execute(
            text(
                "update bundle_import set bytes = :bytes, holds = cast(:holds as jsonb), trouble = null where id = :id"
            ),
            {"bytes": target.stat().st_size, "holds": orjson.dumps(_held_of(offer)).decode(), "id": offer_id},
        )
        _log(session, caller, "bundle.offered", offer, clock)
    return offer_id


def _held_of(offer: Offer) -> list[dict[str, Any]]:
    """Sum up what a bundle holds of each feed."""
    sums: dict[str, list[int]] = {}
    for one in offer.manifest.documents:
        known = sums.setdefault(one.feed, [0, 0])
        known[0] += 1
        known[1] += one.bytes
    return [{"feed": name, "documents": count, "bytes": size} for name, (count, size) in sums.items()]


def waiting(session: Session, caller: Caller) -> list[Waiting]:
    """Give the bundles offered here, the newest first."""
    caller.require(Permission.INSTALLATION_MANAGE)
    rows = session.execute(
        text(
            "select id, origin, sequence, sha256, made_at, state, file is not null as waits, offered_at,"
            " offered_by, decided_by, outcomes"
            " from bundle_import order by offered_at desc, id desc limit 100"
        )
    )
    return [Waiting(*row) for row in rows]


def is_person(caller: Caller) -> bool:
    """Say whether an account of a person asks. Whoever brought a bundle may hold the key of the admin API as well."""
    return caller.actor.startswith("user:")


def staged_file(session: Session, settings: Settings, caller: Caller, offer_id: int) -> tuple[Path, str]:
    """Give the staged file that `caller` may approve and the digest it must have; Conflict for whoever offered it."""
    caller.require(Permission.INSTALLATION_MANAGE)
    row = _pending(session, offer_id)
    if row.offered_by == caller.actor:
        raise Conflict(
            f"Bundle {offer_id} was not approved: {caller.actor} offered it, and a second person decides.",
            hint="Have another installation administrator approve it. It keeps waiting; nothing was changed.",
            code="bundle_same_person",
        )
    if not is_person(caller):
        raise Conflict(
            f"Bundle {offer_id} was not approved: {caller.actor} is no person, and a second person decides.",
            hint="Have an installation administrator sign in and approve it. It keeps waiting; nothing was changed.",
            code="bundle_no_person",
        )
    return settings.data_dir / "bundles" / str(row.file), str(row.sha256)


def reject(database: Database, settings: Settings, caller: Caller, offer_id: int, clock: Clock) -> None:
    """Throw a waiting bundle away."""
    caller.require(Permission.INSTALLATION_MANAGE)
    with database.as_system() as session:
        row = _pending(session, offer_id)
        session.execute(
            text(
                "update bundle_import set state = case when state = 'pending' then 'rejected' else state end,"
                " file = null, decided_at = :now, decided_by = :actor where id = :id"
            ),
            {"now": clock.now(), "actor": caller.actor, "id": offer_id},
        )
        record(
            session,
            replace(caller, organization_id=0),  # of the installation, whichever organization they look at
            "bundle.rejected",
            f"bundle:{row.origin[:8]}/{row.sequence}",
            {"sha256": row.sha256},
            now=clock.now(),
        )
    (settings.data_dir / "bundles" / str(row.file)).unlink(missing_ok=True)


def take_in(
    database: Database,
    caller: Caller,
    offer: Offer,
    clock: Clock,
    *,
    each: Each,
    after: AfterMerge | None = None,
    limits: Limits | None = None,
) -> list[RunReport]:
    """Run every feed of the bundle, as online; give what each run did.

    A run is a transaction, so a bundle that is cut short leaves whole feeds, and is taken in again from its file.
    """
    with database.as_system() as lock:
        if not try_advisory_lock(lock, "bundle.import"):
            raise Conflict(
                "The bundle was not imported: another import is running.",
                hint="Wait for it, then import again. Nothing was changed.",
                code="bundle_busy",
            )
        with database.as_system() as session:
            # Once more, under the lock: another import may have finished since the first look.
            _admit(session, offer, clock.now())
            follow(session, caller, offer.root, now=clock.now())
            _remember(session, caller, offer, "importing", clock.now())
            _log(session, caller, "bundle.importing", offer, clock)
            inherited = _outcomes_of_base(session, offer.place)
        outcomes = dict(inherited)
        reports = []
        for feed in FEEDS:
            if feed.name in offer.manifest.feeds:
                report = _run(database, feed, offer, inherited, clock, each, after, limits)
                outcomes[feed.name] = report.outcome
                reports.append(report)
        # A product older than its bundle: what it does not know is missing, and must not pass for good.
        for name in sorted(offer.manifest.feeds - {feed.name for feed in FEEDS}):
            outcomes[name] = "unknown"
            reports.append(
                RunReport(
                    name,
                    "unknown",
                    error="this version of SentriKat has no such feed, so its documents were left out",
                    hint="Update SentriKat, then import the bundle again.",
                )
            )
        state = "imported" if GOOD.issuperset(outcomes.values()) else "incomplete"
        with database.as_system() as session:
            session.execute(
                text(
                    "update bundle_import set state = :state, finished_at = :now,"
                    # A second person's approval holds for another try of what was taken in only in part.
                    " file = case when :state = 'imported' then null else file end,"
                    " outcomes = cast(:outcomes as jsonb) where sha256 = :sha256"
                ),
                {
                    "state": state,
                    "now": clock.now(),
                    "outcomes": orjson.dumps(outcomes).decode(),
                    "sha256": offer.sha256,
                },
            )
            _log(session, caller, f"bundle.{state}", offer, clock, {"outcomes": outcomes})
    return reports


def _run(
    database: Database,
    feed: Feed,
    offer: Offer,
    inherited: Mapping[str, str],
    clock: Clock,
    each: Each,
    after: AfterMerge | None,
    limits: Limits | None,
) -> RunReport:
    documents = [one for one in offer.manifest.documents if one.feed == feed.name]
    base = offer.place.base
    if base is not None and inherited.get(feed.name, "succeeded") not in GOOD:
        return RunReport(
            feed.name,
            "refused",
            error=f"the bundle continues number {base.sequence}, of which this feed was {inherited[feed.name]}",
            hint=f"Import number {base.sequence} again, then this one; or import a full bundle.",
        )
    newest = max(one.fetched_at for one in documents)
    with database.as_system() as session:
        held = session.scalar(text("select data_as_of from feed where name = :name"), {"name": feed.name})
    if held is not None and newest < held:
        return RunReport(
            feed.name,
            "refused",
            error=f"the bundle's data was fetched on {_day(newest)}, and this server holds data of {_day(held)}",
            hint="The newer data stays in use. Import a newer bundle.",
        )
    with each(feed) as progress:
        return run_feed(
            database,
            feed,
            BundleTransport(offer.reader, feed.name),
            clock,
            transport_kind="bundle",
            after=after,
            progress=progress,
            limits=limits,
        )


def _admit(session: Session, offer: Offer, now: datetime) -> None:
    """Raise BundleRefused unless the bundle is newer than what is held of its origin, or the same once more."""
    made_at, place = offer.manifest.made_at, offer.place
    if made_at > now + CLOCKS_APART:
        raise refused(
            f"it says it was made on {_day(made_at)}, and the clock of this server stands at {_day(now)}",
            "Set the clock that is wrong: a bundle of the future would bar every later one.",
        )
    held = session.execute(
        text(
            "select sequence, made_at, sha256 from bundle_import where origin = :origin"
            " and state in ('importing', 'incomplete', 'imported') order by sequence desc limit 1"
        ),
        {"origin": place.origin},
    ).one_or_none()
    if held is not None and held.sha256 == offer.sha256:
        return
    if held is not None and place.sequence < held.sequence:
        raise refused(
            f"it is {offer.words}, and this server holds number {held.sequence}, made on {_day(held.made_at)}",
            "Take the newest bundle.",
        )
    if held is not None and place.sequence == held.sequence:
        raise refused(
            f"it is {offer.words}, and this server holds another bundle of that number"
            f" ({held.sha256[:16]}, this one is {offer.sha256[:16]})",
            "Somebody made two: the database of the server that makes bundles was probably restored. Make a new one"
            " there until its number is larger.",
        )
    if held is not None and made_at < held.made_at:
        raise refused(
            f"it is {offer.words}, and number {held.sequence}, which this server holds, was made later, on"
            f" {_day(held.made_at)}",
            "The clock of the server that makes bundles was probably wrong.",
        )
    if place.base is not None:
        base = session.scalar(
            text(
                "select 1 from bundle_import where origin = :origin and sha256 = :sha256"
                " and state in ('incomplete', 'imported')"
            ),
            {"origin": place.origin, "sha256": place.base.sha256},
        )
        if base is None:
            holds = f"holds number {held.sequence}" if held is not None else "holds no bundle of it"
            raise refused(
                f"it is {offer.words} and continues number {place.base.sequence} ({place.base.sha256[:16]}), and this"
                f" server {holds}",
                f"Import number {place.base.sequence} first, or a full bundle.",
            )


def _outcomes_of_base(session: Session, place: Place) -> dict[str, str]:
    if place.base is None:
        return {}
    found: dict[str, str] | None = session.scalar(
        text("select outcomes from bundle_import where origin = :origin and sha256 = :sha256"),
        {"origin": place.origin, "sha256": place.base.sha256},
    )
    return dict(found or {})


def _pending(session: Session, offer_id: int) -> Row[Any]:
    row = session.execute(
        text("select * from bundle_import where id = :id and file is not null"), {"id": offer_id}
    ).one_or_none()
    if row is None:
        raise NotFound(
            f"No bundle waits under the number {offer_id}.", hint="List them with: sentrikat feeds bundles"
        )
    return row


def _remember(
    session: Session, caller: Caller, offer: Offer, state: str, now: datetime, file: str | None = None
) -> int:
    made: int = session.execute(
        text(
            "insert into bundle_import (sha256, origin, sequence, base_sha256, made_at, state, file, offered_at,"
            " offered_by) values (:sha256, :origin, :sequence, :base, :made_at, :state, :file, :now, :actor)"
            # What was begun stays begun, whoever offers it again: it bars older bundles.
            " on conflict (sha256) do update set state = case when excluded.state = 'pending'"
            " and bundle_import.state in ('importing', 'incomplete') then bundle_import.state else excluded.state end,"
            " file = coalesce(excluded.file, bundle_import.file),"
            # Whoever brings it once more takes the place of whoever brought it first; whoever imports it has decided.
            " offered_by = case when excluded.state = 'pending' then :actor else bundle_import.offered_by end,"
            " offered_at = case when excluded.state = 'pending' then :now else bundle_import.offered_at end,"
            " decided_by = case when excluded.state = 'pending' then null else :actor end,"
            " decided_at = case when excluded.state = 'pending' then null else cast(:now as timestamptz) end"
            " returning id"
        ),
        {
            "sha256": offer.sha256,
            "origin": offer.place.origin,
            "sequence": offer.place.sequence,
            "base": offer.place.base.sha256 if offer.place.base else None,
            "made_at": offer.manifest.made_at,
            "state": state,
            "file": file,
            "now": now,
            "actor": caller.actor,
        },
    ).scalar_one()
    return made


def _log(
    session: Session,
    caller: Caller,
    action: str,
    offer: Offer,
    clock: Clock,
    detail: Mapping[str, Any] | None = None,
) -> None:
    record(
        session,
        caller,
        action,
        f"bundle:{offer.place.origin[:8]}/{offer.place.sequence}",
        {"sha256": offer.sha256, "key": offer.key_id, **(detail or {})},
        now=clock.now(),
    )


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
