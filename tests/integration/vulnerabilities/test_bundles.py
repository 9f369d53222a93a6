"""An isolated installation that only ever takes in bundles ends in the state of a connected one; and what it refuses."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text

from sentrikat.domain.errors import Conflict, NotFound, SentriKatError, Unavailable
from sentrikat.domain.permissions import COMMAND_LINE, INSTALLATION_ADMINISTRATOR, Caller
from sentrikat.feeds.adapter import Feed
from sentrikat.feeds.bundle import root as roots
from sentrikat.feeds.bundle.keyring import Keyring
from sentrikat.feeds.bundle.listing import listing
from sentrikat.feeds.bundle.manifest import BundleRefused, Manifest
from sentrikat.feeds.bundle.root import RootRefused
from sentrikat.feeds.registry import feed
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database.sessions import Database
from sentrikat.infra.settings import Settings
from sentrikat.reactions import following
from sentrikat.vulnerabilities.bundle_export import export_bundle, keyring_of
from sentrikat.vulnerabilities.bundle_import import offered, reject, stage, staged_file, take_in, waiting
from sentrikat.vulnerabilities.bundle_trust import distrust, pin, trusted_roots
from sentrikat.vulnerabilities.run_record import RunReport
from sentrikat.vulnerabilities.sources import refresh
from tests.builders import rows
from tests.integration.vulnerabilities.small_internet import (
    NVD,
    SmallInternet,
    everything,
    nvd,
    nvd_records,
    serving,
)
from tests.postgres import DatabaseCleaner, SharedServer
from tests.unit.feeds.samples import sample

CARRIED = tuple(map(feed, ("kev", "euvd", "epss", "exploitdb", "metasploit", "nvd", "debian")))
FEW = tuple(map(feed, ("kev", "euvd", "debian")))  # what most tests carry: NVD has 25 files
KEV = "www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json"
TRACKER = "security-tracker.debian.org/tracker/data/json"

# Everything the sources said, without our own numbers and times.
STATE = {
    "vulnerability": "select name, (select w.name from vulnerability w where w.id = v.same_as_id), title, description,"
    " summary_source, summary_rank, published_at, modified_at, rejected_at is null, weaknesses, links, cvss_score,"
    " cvss_version, cvss_vector, cvss_provider, severity, exploited_since, exploited_due, ransomware,"
    " enisa_exploited_since, exploit_public, epss, epss_percentile, epss_model, ssvc_exploitation, ssvc_automatable,"
    " ssvc_technical_impact from vulnerability v order by v.name",
    "alias": "select source, name, alias from alias order by 1, 2, 3",
    "advisory": "select source, external_id, digest, document, modified_at, withdrawn_at is null from advisory"
    " order by 1, 2",
    "affected_range": "select r.source, a.external_id, v.name, p.ecosystem, p.name, r.digest, r.lo, r.hi, r.status,"
    " r.remedy, r.rank, r.strength, t.digest, c.digest, r.note from affected_range r"
    " join advisory a on a.id = r.advisory_id join vulnerability v on v.id = r.vulnerability_id"
    " join product p on p.id = r.product_id left join platform_target t on t.id = r.target_id"
    " left join platform_condition c on c.id = r.condition_id where r.valid_to is null order by 1, 2, 3, 4, 5, 6",
    "enrichment": "select v.name, e.kind, e.source, e.fact from enrichment e"
    " join vulnerability v on v.id = e.vulnerability_id where e.valid_to is null order by 1, 2, 3",
    "likelihood": "select v.name, l.probability, l.percentile, l.model_version, l.scored_on from likelihood l"
    " join vulnerability v on v.id = l.vulnerability_id order by v.name, l.valid_from",
    "severity_score": "select v.name, a.source, a.external_id, s.version, s.vector, s.score, s.severity, s.provider,"
    " s.is_primary from severity_score s join vulnerability v on v.id = s.vulnerability_id"
    " join advisory a on a.id = s.advisory_id order by 1, 2, 3, 4, 5",
    "product": "select ecosystem, name from product order by 1, 2",
    "ecosystem": "select name from ecosystem order by 1",
    "product_name": "select p.ecosystem, p.name, n.source, n.vendor, n.title, n.end_of_life from product_name n"
    " join product p on p.id = n.product_id order by 1, 2, 3, 4, 5",
    "condition_term": "select c.digest, t.group_number, t.negate, p.ecosystem, p.name, t.lo, t.hi from condition_term t"
    " join platform_condition c on c.id = t.condition_id join product p on p.id = t.product_id"
    " order by 1, 2, 3, 4, 5, 6",
    "quarantined_record": "select feed, record, reason from quarantined_record order by 1, 2",
    "feed": "select name, state, record_count from feed order by 1",
}


def state(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    return {table: rows(database, query) for table, query in STATE.items()}


@dataclass
class Site:
    """One installation."""

    database: Database
    settings: Settings
    clock: FrozenClock
    caller: Caller = COMMAND_LINE

    def refresh(self, feeds: Sequence[Feed]) -> None:
        for one in feeds:
            report = refresh(self.database, self.settings, self.clock, one, after=following(self.clock))
            assert report.outcome in {"succeeded", "unchanged"}, report

    def export(self, path: Path, since: int | None = None, feeds: Sequence[Feed] = FEW) -> Manifest:
        return export_bundle(self.database, self.settings, self.clock, self.caller, path, feeds, since=since)

    def take_in(self, path: Path, caller: Caller = COMMAND_LINE) -> list[RunReport]:
        with offered(self.database, caller, path, self.clock) as offer:
            return take_in(
                self.database, caller, offer, self.clock, each=quietly, after=following(self.clock)
            )

    def trust(self, ring: Keyring) -> None:
        with self.database.as_system() as session:
            fingerprint = ring.root().keys[0].id
            pin(
                session,
                COMMAND_LINE,
                ring.roots_file.read_bytes(),
                fingerprint=fingerprint,
                now=self.clock.now(),
            )

    def untouched(self) -> list[tuple[Any, ...]]:
        return rows(self.database, "select feed, outcome from feed_run order by id")


@contextmanager
def quietly(_feed: Feed) -> Iterator[None]:
    yield None


@pytest.fixture
def internet() -> Iterator[SmallInternet]:
    with serving(everything()) as found:
        yield found


@pytest.fixture
def connected(database: Database, clock: FrozenClock, internet: SmallInternet, tmp_path: Path) -> Site:
    settings = Settings(data_dir=tmp_path / "connected", feed_base_url=internet.url)
    keyring_of(settings).create("Example connected site", clock.now())
    return Site(database, settings, clock)


@pytest.fixture(scope="module")
def _second_database(database_server: SharedServer) -> Iterator[tuple[Database, DatabaseCleaner]]:
    name = f"isolated_{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
    database = Database(database_server.clone_template(name), application_name="test")
    yield database, DatabaseCleaner(database)
    database.close()
    database_server.drop(name)


@pytest.fixture
def isolated(
    _second_database: tuple[Database, DatabaseCleaner], clock: FrozenClock, connected: Site, tmp_path: Path
) -> Site:
    database, cleaner = _second_database
    cleaner.clean()
    site = Site(database, Settings(data_dir=tmp_path / "isolated", feeds_enabled=False), clock)
    site.trust(keyring_of(connected.settings))
    return site


@pytest.fixture
def bundle(connected: Site, tmp_path: Path) -> Path:
    path = tmp_path / "feeds.bundle"
    connected.export(path)
    return path


# -- the same state -----------------------------------------------------------------------


def test_an_isolated_site_ends_in_the_state_of_a_connected_one_by_full_bundle_and_deltas(
    connected: Site, isolated: Site, internet: SmallInternet, tmp_path: Path, clock: FrozenClock
) -> None:
    connected.refresh(CARRIED)
    connected.export(tmp_path / "1.bundle", feeds=CARRIED)
    isolated.take_in(tmp_path / "1.bundle")
    assert state(isolated.database) == state(connected.database)
    assert all(
        state(connected.database)[table] for table in ("vulnerability", "advisory", "enrichment", "alias")
    )

    clock.advance(timedelta(days=1))
    changed = nvd_records()[0] | {"lastModified": "2026-06-03T09:00:00.000"}
    changed["descriptions"] = [{"lang": "en", "value": "Described anew."}]
    internet.change(f"{NVD}modified.json.gz", nvd(changed, made_at="2026-06-03T10:00:00.000"))
    internet.change(KEV, sample("kev/known_exploited_vulnerabilities_2026-05-30.json"))
    tracker = orjson.loads(sample("debian/tracker.json"))
    tracker.pop(min(tracker))  # withdrawn
    internet.change(TRACKER, orjson.dumps(tracker))
    connected.refresh(CARRIED)
    delta = connected.export(tmp_path / "2.bundle", since=1, feeds=CARRIED)
    isolated.take_in(tmp_path / "2.bundle")

    assert delta.feeds == {"kev", "euvd", "nvd", "debian"}, "what did not change is not carried"
    assert [one.name for one in delta.documents if one.feed == "nvd"] == ["nvdcve-2.0-modified.json.gz"]
    assert state(isolated.database) == state(connected.database)

    clock.advance(timedelta(days=1))
    internet.change(TRACKER, sample("debian/tracker.json"))  # and back
    connected.refresh(CARRIED)
    connected.export(tmp_path / "3.bundle", since=2, feeds=CARRIED)
    isolated.take_in(tmp_path / "3.bundle")
    assert state(isolated.database) == state(connected.database)


def test_a_delta_may_skip_one_that_was_lost(
    connected: Site, isolated: Site, internet: SmallInternet, bundle: Path, tmp_path: Path, clock: FrozenClock
) -> None:
    isolated.take_in(bundle)
    clock.advance(timedelta(hours=1))
    connected.export(tmp_path / "lost.bundle", since=1)
    internet.change(KEV, sample("kev/known_exploited_vulnerabilities_2026-05-30.json"))
    clock.advance(timedelta(hours=1))
    connected.export(tmp_path / "3.bundle", since=1)

    isolated.take_in(tmp_path / "3.bundle")

    assert rows(isolated.database, "select sequence, state from bundle_import order by 1") == [
        (1, "imported"),
        (3, "imported"),
    ]


def test_a_bundle_taken_in_again_changes_nothing(isolated: Site, bundle: Path) -> None:
    isolated.take_in(bundle)
    before = state(isolated.database)

    reports = isolated.take_in(bundle)

    assert state(isolated.database) == before
    assert all(one.merged is None or not one.merged.changed_statements for one in reports)


_KILLED = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from sentrikat.domain.permissions import COMMAND_LINE
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database.sessions import Database
from sentrikat.vulnerabilities import bundle_import
from tests.integration.vulnerabilities.test_bundles import stopping_at_debian
clock = FrozenClock(datetime(2026, 6, 2, 12, tzinfo=UTC))
database = Database(sys.argv[1])
with bundle_import.offered(database, COMMAND_LINE, Path(sys.argv[2]), clock) as offer:
    bundle_import.take_in(database, COMMAND_LINE, offer, clock, each=stopping_at_debian)
"""


@contextmanager
def stopping_at_debian(one: Feed) -> Iterator[None]:
    """Say when Debian's turn comes, and wait for the end there."""
    if one.name == "debian":
        sys.stdout.write("at debian\n")
        sys.stdout.flush()
        sys.stdin.read()
    yield None


def test_killed_in_the_middle_it_is_taken_in_again_and_bars_older_ones(
    connected: Site, isolated: Site, bundle: Path, tmp_path: Path, clock: FrozenClock
) -> None:
    connected.refresh(FEW)
    clock.advance(timedelta(seconds=1))
    connected.export(tmp_path / "2.bundle")
    command = [sys.executable, "-c", _KILLED, isolated.database.url, str(tmp_path / "2.bundle")]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, cwd=Path(__file__).parents[3], text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "at debian\n"
        process.kill()
    assert rows(isolated.database, "select sequence, state from bundle_import") == [(2, "importing")]

    with pytest.raises(BundleRefused, match="holds number 2"):
        isolated.take_in(bundle)
    isolated.take_in(tmp_path / "2.bundle")

    assert state(isolated.database) == state(connected.database)
    assert rows(isolated.database, "select sequence, state from bundle_import") == [(2, "imported")]


def test_a_feed_that_fails_is_named_and_its_delta_waits_for_it(
    connected: Site, isolated: Site, internet: SmallInternet, bundle: Path, tmp_path: Path, clock: FrozenClock
) -> None:
    clock.advance(timedelta(days=3))
    rows_of_kev = "update feed set data_as_of = :then where name = 'kev'"
    with isolated.database.as_system() as session:
        session.execute(text("insert into feed (name) values ('kev')"))
        session.execute(text(rows_of_kev), {"then": clock.now()})  # newer data came another way
    reports = {one.feed: one for one in isolated.take_in(bundle)}

    assert reports["kev"].outcome == "refused"
    assert "this server holds data of 2026-06-05 12:00 UTC" in str(reports["kev"].error)
    assert reports["debian"].outcome == "succeeded"
    assert rows(isolated.database, "select state from bundle_import") == [("incomplete",)]

    internet.change(KEV, sample("kev/known_exploited_vulnerabilities_2026-05-30.json"))
    connected.export(tmp_path / "2.bundle", since=1)
    reports = {one.feed: one for one in isolated.take_in(tmp_path / "2.bundle")}
    assert "continues number 1, of which this feed was refused" in str(reports["kev"].error)


def test_a_feed_held_for_approval_is_named_and_leaves_its_bundle_incomplete(
    connected: Site, isolated: Site, internet: SmallInternet, bundle: Path, tmp_path: Path, clock: FrozenClock
) -> None:
    isolated.take_in(bundle)
    catalogue = orjson.loads(sample("kev/known_exploited_vulnerabilities_2026-05-30.json"))
    # A list that lost what every list has is not taken for the truth.
    entries = [one for one in catalogue["vulnerabilities"] if one["cveID"] != "CVE-2021-44228"]
    internet.change(KEV, orjson.dumps(catalogue | {"count": len(entries), "vulnerabilities": entries}))
    clock.advance(timedelta(days=1))
    connected.export(tmp_path / "2.bundle", since=1)

    reports = {one.feed: one for one in isolated.take_in(tmp_path / "2.bundle")}

    assert reports["kev"].outcome == "held"
    assert reports["euvd"].outcome == "succeeded"
    assert rows(
        isolated.database, "select state, outcomes->>'kev' from bundle_import where sequence = 2"
    ) == [("incomplete", "held")]
    assert rows(
        isolated.database,
        "select exploited_since is not null from vulnerability where name = 'CVE-2021-44228'",
    ) == [(True,)]


# -- refusals -----------------------------------------------------------------------------


def alter(path: Path, change: Callable[[dict[str, bytes]], Any]) -> None:
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def _another_manifest(members: dict[str, bytes]) -> None:
    members["manifest.json"] = members["manifest.json"].replace(b'"sequence":1', b'"sequence":9')


def _another_payload(members: dict[str, bytes]) -> None:
    envelope = orjson.loads(members["manifest.sig"])
    envelope["signatures"][0]["sig"] = "A" * 86 + "=="
    members["manifest.sig"] = orjson.dumps(envelope)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda members: members.pop("manifest.sig"), "it is not signed"),
        (lambda members: members.pop("roots.json"), "it is not signed"),
        (_another_manifest, "its manifest is not the one that was signed"),
        (_another_payload, "does not hold, so it was altered"),
        (lambda members: members.update({"manifest.sig": b"{}"}), "payloadType is missing"),
        (lambda members: members.update({"documents/00000.zst": b"x"}), "was not imported"),
        (lambda members: members.pop("documents/00001.zst"), "is missing"),
        (lambda members: members.update({"../../x": b"x"}), "does not name"),
    ],
)
def test_an_altered_bundle_is_refused_and_nothing_ran(
    isolated: Site, bundle: Path, change: Callable[[dict[str, bytes]], Any], reason: str
) -> None:
    alter(bundle, change)

    with pytest.raises(BundleRefused, match=reason) as refusal:
        isolated.take_in(bundle)

    assert str(refusal.value.hint).endswith("Nothing was changed.")
    assert isolated.untouched() == []
    assert rows(isolated.database, "select action from audit_entry order by id desc limit 1") == [
        ("bundle.refused",)
    ]


def test_a_stranger_is_refused_by_name_and_so_is_a_copy_of_his_root(
    isolated: Site, connected: Site, bundle: Path, clock: FrozenClock, tmp_path: Path
) -> None:
    stranger = Site(
        connected.database,
        Settings(data_dir=tmp_path / "stranger", feed_base_url=connected.settings.feed_base_url),
        clock,
    )
    keyring_of(stranger.settings).create("Somebody else", clock.now())
    stranger.export(tmp_path / "foreign.bundle", feeds=FEW[:1])

    with pytest.raises(
        BundleRefused, match=r"\(Somebody else\), and this server trusts Example connected site"
    ):
        isolated.take_in(tmp_path / "foreign.bundle")

    # His documents under our origin's roots: the signature is still his.
    with zipfile.ZipFile(bundle) as archive:
        ours = archive.read("roots.json")
    alter(tmp_path / "foreign.bundle", lambda members: members.update({"roots.json": ours}))
    with pytest.raises(
        BundleRefused, match=r"it is signed by [0-9a-f]{16}, and Example connected site signs with"
    ):
        isolated.take_in(tmp_path / "foreign.bundle")
    assert isolated.untouched() == []


def test_an_older_bundle_is_refused_with_both_numbers_and_days(
    connected: Site, isolated: Site, bundle: Path, tmp_path: Path, clock: FrozenClock
) -> None:
    clock.advance(timedelta(days=1))
    connected.export(tmp_path / "2.bundle", feeds=FEW[:1])
    isolated.take_in(tmp_path / "2.bundle")

    with pytest.raises(
        BundleRefused,
        match=r"it is number 1 of Example connected site, made on 2026-06-02 12:00 UTC, and this server holds"
        r" number 2, made on 2026-06-03 12:00 UTC",
    ):
        isolated.take_in(bundle)


def test_a_larger_number_of_an_earlier_day_and_a_day_of_the_future_are_refused(
    connected: Site, isolated: Site, bundle: Path, tmp_path: Path, clock: FrozenClock
) -> None:
    isolated.take_in(bundle)
    noon = clock.now()
    clock.set(noon - timedelta(days=3))  # the clock of whoever makes bundles jumped back
    connected.export(tmp_path / "2.bundle", feeds=FEW[:1])
    clock.set(noon + timedelta(days=400))
    connected.export(tmp_path / "3.bundle", feeds=FEW[:1])
    clock.set(noon)

    with pytest.raises(BundleRefused, match="number 1, which this server holds, was made later"):
        isolated.take_in(tmp_path / "2.bundle")
    with pytest.raises(BundleRefused, match="the clock of this server stands at 2026-06-02 12:00 UTC"):
        isolated.take_in(tmp_path / "3.bundle")


def test_one_number_used_twice_is_refused(
    connected: Site, isolated: Site, bundle: Path, tmp_path: Path, clock: FrozenClock
) -> None:
    isolated.take_in(bundle)
    with connected.database.as_system() as session:
        session.execute(text("delete from bundle_export"))  # an old backup was brought back
    clock.advance(timedelta(hours=1))
    connected.export(tmp_path / "again.bundle", feeds=FEW[:1])

    with pytest.raises(BundleRefused, match="another bundle of that number"):
        isolated.take_in(tmp_path / "again.bundle")


def test_a_delta_without_its_base_is_refused(
    connected: Site, isolated: Site, bundle: Path, tmp_path: Path, clock: FrozenClock
) -> None:
    assert bundle.is_file()
    clock.advance(timedelta(hours=1))
    connected.export(tmp_path / "2.bundle", since=1)

    with pytest.raises(BundleRefused, match=r"continues number 1 .*, and this server holds no bundle of it"):
        isolated.take_in(tmp_path / "2.bundle")


def test_a_delta_of_a_bundle_that_was_never_made_is_refused(connected: Site, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="none with the number 7 to continue; the newest is 0"):
        connected.export(tmp_path / "x.bundle", since=7)


def test_a_source_that_is_away_ends_the_export_and_leaves_the_older_file(
    connected: Site, internet: SmallInternet, bundle: Path
) -> None:
    before = bundle.read_bytes()
    del internet.documents[KEV]

    with pytest.raises(Unavailable, match="No bundle was made, because of the feed kev"):
        connected.export(bundle)

    assert bundle.read_bytes() == before
    assert not bundle.with_name(bundle.name + ".part").exists()


def test_a_document_nobody_could_read_is_not_carried(
    connected: Site, internet: SmallInternet, tmp_path: Path
) -> None:
    internet.change(TRACKER, b"<html>maintenance</html>")

    with pytest.raises(Unavailable, match="because of the feed debian"):
        connected.export(tmp_path / "x.bundle")


def test_an_isolated_site_makes_no_bundle(isolated: Site, tmp_path: Path) -> None:
    with pytest.raises(Conflict, match="SENTRIKAT_FEEDS_ENABLED is off"):
        isolated.export(tmp_path / "x.bundle")


# -- keys ---------------------------------------------------------------------------------


def test_a_rotated_key_is_followed_and_the_old_one_is_refused_from_then_on(
    connected: Site, isolated: Site, bundle: Path, tmp_path: Path, clock: FrozenClock
) -> None:
    ring = keyring_of(connected.settings)
    old, _ = ring.signer()
    isolated.take_in(bundle)
    for number in (2, 3):  # two rotations, one bundle: the chain is followed through both
        ring.rotate(clock.now())
        assert ring.root().version == number
    clock.advance(timedelta(hours=1))
    connected.export(tmp_path / "2.bundle", feeds=FEW[:1])
    isolated.take_in(tmp_path / "2.bundle")

    with isolated.database.as_system() as session:
        (root,) = trusted_roots(session).values()
    assert root.version == 3
    assert rows(
        isolated.database, "select count(*) from audit_entry where action = 'bundle_root.rotated'"
    ) == [(1,)]

    # Whoever stole the old key and kept its root cannot sign for us any more.
    thief = Keyring(tmp_path / "thief")
    thief._keep(old, ring.signer()[1][:1])
    stolen = Site(
        connected.database,
        connected.settings.model_copy(update={"data_dir": tmp_path / "stolen"}),
        clock,
    )
    thief.folder.rename(tmp_path / "bundle-keys")
    (tmp_path / "stolen").mkdir()
    (tmp_path / "bundle-keys").rename(tmp_path / "stolen" / "bundle-keys")
    clock.advance(timedelta(hours=1))
    stolen.export(tmp_path / "3.bundle", feeds=FEW[:1])
    with pytest.raises(BundleRefused, match=r"which root 3 of Example connected site replaced by"):
        isolated.take_in(tmp_path / "3.bundle")


def test_the_old_key_cannot_go_another_way_once_it_was_replaced(
    connected: Site, isolated: Site, bundle: Path, clock: FrozenClock
) -> None:
    ring = keyring_of(connected.settings)
    old, chain = ring.signer()
    isolated.take_in(bundle)
    ring.rotate(clock.now())
    isolated.trust(ring)

    first = roots.first_of(chain)
    forged = (*chain, roots.next_root(first, old, Ed25519PrivateKey.generate(), clock.now()))
    with (
        isolated.database.as_system() as session,
        pytest.raises(RootRefused, match="another one than the root 2"),
    ):
        pin(
            session,
            COMMAND_LINE,
            roots.encoded_chain(forged),
            fingerprint=roots.newest(first, forged).keys[0].id,
            now=clock.now(),
        )


def test_a_root_is_pinned_by_its_fingerprint_and_let_go_by_its_name(
    connected: Site, isolated: Site, bundle: Path
) -> None:
    ring = keyring_of(connected.settings)
    with (
        isolated.database.as_system() as session,
        pytest.raises(Conflict, match="the fingerprint given is 0000"),
    ):
        pin(
            session,
            COMMAND_LINE,
            ring.roots_file.read_bytes(),
            fingerprint="0" * 64,
            now=isolated.clock.now(),
        )

    with isolated.database.as_system() as session:
        distrust(session, COMMAND_LINE, ring.root().origin[:8], now=isolated.clock.now())
    with pytest.raises(BundleRefused, match="this server trusts nobody yet"):
        isolated.take_in(bundle)


# -- two persons --------------------------------------------------------------------------

FIRST, SECOND = (Caller(0, f"user:{number}", INSTALLATION_ADMINISTRATOR) for number in (1, 2))


def offer_by(site: Site, path: Path, caller: Caller) -> int:
    with offered(site.database, caller, path, site.clock) as offer:
        return stage(site.database, site.settings, caller, offer, site.clock)


def approve(site: Site, number: int, caller: Caller) -> list[RunReport]:
    with site.database.as_system() as session:
        path, _ = staged_file(session, site.settings, caller, number)
    return site.take_in(path, caller)


def test_the_second_person_approves_and_the_first_cannot(isolated: Site, bundle: Path) -> None:
    number = offer_by(isolated, bundle, FIRST)
    bundle.unlink()  # the stick is gone; the copy waits
    assert isolated.untouched() == []

    with pytest.raises(Conflict, match="user:1 offered it, and a second person decides"):
        approve(isolated, number, FIRST)
    approve(isolated, number, SECOND)

    with isolated.database.as_system() as session:
        (one,) = waiting(session, COMMAND_LINE)
    assert (one.state, one.waits, one.offered_by, one.decided_by) == ("imported", False, "user:1", "user:2")
    assert rows(
        isolated.database, "select action, actor from audit_entry where action like 'bundle.%' order by id"
    ) == [
        ("bundle.offered", "user:1"),
        ("bundle.importing", "user:2"),
        ("bundle.imported", "user:2"),
    ]


def test_a_key_is_no_second_person(isolated: Site, bundle: Path) -> None:
    """Whoever brought it may hold the key of the admin API as well, and no name would stand with the approval."""
    number = offer_by(isolated, bundle, FIRST)

    with pytest.raises(Conflict, match="admin_api is no person, and a second person decides"):
        approve(isolated, number, Caller(0, "admin_api", INSTALLATION_ADMINISTRATOR))

    approve(isolated, number, SECOND)


def test_a_rejected_bundle_is_gone_and_may_be_offered_again(isolated: Site, bundle: Path) -> None:
    number = offer_by(isolated, bundle, FIRST)
    reject(isolated.database, isolated.settings, SECOND, number, isolated.clock)

    assert list((isolated.settings.data_dir / "bundles").iterdir()) == []
    with pytest.raises(NotFound):
        approve(isolated, number, SECOND)
    assert offer_by(isolated, bundle, SECOND) == number
    with pytest.raises(Conflict):
        approve(isolated, number, SECOND)


def test_who_runs_no_installation_does_none_of_it(isolated: Site, connected: Site, bundle: Path) -> None:
    nobody = Caller(1, "user:3", frozenset())
    connected.caller = nobody

    for act in (lambda: isolated.take_in(bundle, nobody), lambda: connected.export(bundle)):
        with pytest.raises(SentriKatError, match="run the installation"):
            act()


# -- for the walk -------------------------------------------------------------------------


def test_the_listing_is_what_sha256sum_checks(connected: Site, tmp_path: Path) -> None:
    path = tmp_path / "feeds.bundle"
    manifest = connected.export(path, feeds=FEW[:2])
    (tmp_path / "feeds.bundle.manifest.txt").write_text("\n".join(listing(path, manifest)) + "\n")

    checked = subprocess.run(
        ["sha256sum", "--check", "--strict", "feeds.bundle.manifest.txt"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (checked.returncode, checked.stdout.strip()) == (0, "feeds.bundle: OK")
