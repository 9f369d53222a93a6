"""What happens when: every job, its schedule, and which work follows which fact. One page.

    a feed brought statements      identify what is new, match these products, reconcile, price     after_merge
    a feed brought enrichments     price again; nothing is matched                                   after_merge
    a feed brought release cycles  find each component's cycle; whether it is over is asked by the day  after_merge
    a feed spoke of a flaw         look whose name it may mean (possibly affected)                   after_merge
    an asset's components changed  identify and match the new ones, reconcile the asset, price       after_ingest
    people said what software is   identify and match it for their assets, reconcile, price          after_correction
    an asset's exposure changed    price the asset's findings                                        after_asset_change
    an organization's zone changed price its findings: its days end at another hour                  price_organization

Rooms never call upwards. A room that changes something returns the fact, and the doors and jobs that see it
call a function of this page, inside the same transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.audit.jobs import deliver_audit_log, sign_audit_log
from sentrikat.domain.inventory import DISTRIBUTION_KINDS, LANGUAGE_KINDS, Component
from sentrikat.domain.matching.titles import letters_of
from sentrikat.domain.permissions import SYSTEM, Caller, Permission
from sentrikat.feeds.registry import FEEDS, feed
from sentrikat.findings.change import newly_marked, pairs_moved, remember_pairs
from sentrikat.findings.match import (
    begin_matching,
    match_all,
    match_components,
    match_new,
    match_statements,
    recheck_conditions,
)
from sentrikat.findings.possible import refresh_all, refresh_changed, refresh_components
from sentrikat.findings.prioritize import (
    prioritize_all,
    prioritize_assets,
    prioritize_flaws,
    prioritize_organization,
)
from sentrikat.findings.reconcile import Reconciled, reconcile_asset, reconcile_matches
from sentrikat.findings.reopen import reopen_findings
from sentrikat.identity import budgets, password_reset
from sentrikat.identity.directories import stored_directories
from sentrikat.identity.directory_sync import synchronize
from sentrikat.identity.jobs import mail_notice
from sentrikat.identity.notices import MAIL_JOB
from sentrikat.identity.owner_mail import MAIL_JOB as OWNER_MAIL_JOB
from sentrikat.identity.owner_mail import mail_owner
from sentrikat.infra.clock import Clock, SystemClock
from sentrikat.infra.database.sessions import Database
from sentrikat.infra.jobs import Job, Periodic
from sentrikat.infra.settings import load
from sentrikat.inventory.candidates import possible_vendors
from sentrikat.inventory.corrections import Moved
from sentrikat.inventory.identification import Reidentified, identify, needs_names, note_covered
from sentrikat.inventory.ingest import IngestResult
from sentrikat.inventory.jobs import ingest_report
from sentrikat.inventory.lifecycle import assign_cycles
from sentrikat.inventory.titles import names_of
from sentrikat.inventory.updates import concerns_updates, refresh_held
from sentrikat.vulnerabilities.bundle_approval import take_in_approved
from sentrikat.vulnerabilities.canary import FindingsChange
from sentrikat.vulnerabilities.candidates import candidates
from sentrikat.vulnerabilities.merge import Merged
from sentrikat.vulnerabilities.rollback import roll_back
from sentrikat.vulnerabilities.sources import approve, limits_of, refresh

# Above this many changed statements one pass over everything is cheaper than the join by pairs.
_MATCH_ALL_ABOVE = 300_000
_IDENTIFY_AT_ONCE = 5_000  # components


def after_merge(session: Session, merged: Merged, *, now: datetime) -> FindingsChange:
    """Let matches, findings and deadlines follow what a feed changed, and say what that did."""
    now = max(now, merged.at or now)  # nothing ends before it began, wherever the clock was set
    change = FindingsChange()
    updated = refresh_held(session) if merged.changed_updates else []
    again = 0
    if merged.changed_statements or merged.changed_names:
        begin_matching(session)
        note_covered(session)
        concerned = _identify_again(session)
        if merged.changed_statements > _MATCH_ALL_ABOVE:
            match_all(session, now=now)
        else:
            match_components(session, concerned, now=now)
            match_statements(session, now=now)
        remember_pairs(session)
        again = reopen_findings(session, since=merged.since, now=now) if merged.since else 0
        reconciled = reconcile_matches(session, now=now)
        change = pairs_moved(session, replace(reconciled, opened=reconciled.opened + again))
    # What supersedes what has changed: a machine may be repaired by an update it has had for long.
    for organization_id, asset_id in updated:
        done = reconcile_asset(session, organization_id, asset_id, now=now)
        change = replace(change, opened=change.opened + done.opened, closed=change.closed + done.closed)
    if merged.changed_cycles:
        assign_cycles(session)
    if merged.changed_enrichments or again:
        prioritize_flaws(session, now=now, cause="enrichment")
        change = replace(change, exploited=change.exploited + newly_marked(session))
    if merged.changed_statements or merged.changed_enrichments:
        refresh_changed(session, now=now)
    return change


def following(clock: Clock) -> Callable[[Session, Merged], FindingsChange]:
    """Give `after_merge` as the step that runs of feeds, approvals and rollbacks end with."""

    def after(session: Session, merged: Merged) -> FindingsChange:
        return after_merge(session, merged, now=clock.now())

    return after


def _identify_again(session: Session) -> list[int]:
    """Identify anew what goes by a name that a feed has just spoken of; give whom that concerned.

    Identification depends on which names are spoken of at all: one that was unknown may be told now, and one that
    seemed to belong to one product alone may turn out to belong to two. What nobody could tell may be told by a new
    product of a maker it names.
    """
    names = [
        name.partition(":")
        for name in session.scalars(
            text(
                "select p.name from product p where p.id in (select product_id from changed_statement"
                " union all select product_id from changed_name)"
                " and (p.ecosystem like 'cpe:%' or p.ecosystem in ('cve5', 'maven'))"
            )
        )
    ]
    if not names:
        return []
    spoken = {letters_of(product) for _, _, product in names}
    vendors = {letters_of(vendor) for vendor, _, _ in names}
    rows = session.execute(
        text(
            "select id, kind, namespace, name, version, source_name, source_version, vendor, module, bundle_id,"
            " cpe, purl, arch, corrected, identified from component where kind <> all(cast(:packages as text[]))"
            " or (kind = 'maven' and position(':' in name) = 0) order by id"
        ),
        {"packages": sorted(DISTRIBUTION_KINDS | LANGUAGE_KINDS)},
    )
    concerned = []
    for row in rows:
        component = Component(*row[1:-1])
        if not needs_names(component):
            continue
        if not spoken.isdisjoint(names_of(component)) or (
            row.identified == "unidentified" and not vendors.isdisjoint(possible_vendors(component))
        ):
            concerned.append(row.id)
    moved = _identify(session, concerned)
    # They may be the platforms that conditions of other components wait for, on the same assets.
    recheck_conditions(session, moved.product_ids, systems=moved.systems)
    return concerned


def _identify(session: Session, component_ids: Sequence[int]) -> Reidentified:
    moved = Reidentified()
    for start in range(0, len(component_ids), _IDENTIFY_AT_ONCE):
        more = identify(session, component_ids[start : start + _IDENTIFY_AT_ONCE])
        moved = Reidentified(moved.product_ids | more.product_ids, moved.systems or more.systems)
    return moved


def after_ingest(session: Session, result: IngestResult, *, now: datetime) -> Reconciled:
    """Let matches, findings and deadlines follow what an asset's report changed."""
    touched = {*result.added_component_ids, *result.removed_component_ids}
    whole = result.whole  # its system or its updates are others
    if whole or concerns_updates(session, touched):
        whole = bool(refresh_held(session, result.organization_id, result.asset_id)) or whole
    identify(session, result.new_component_ids)
    match_new(session, result.new_component_ids, now=now)
    refresh_components(session, result.new_component_ids, now=now)
    return reconcile_asset(
        session,
        result.organization_id,
        result.asset_id,
        now=now,
        component_ids=None if whole else touched,
    )


def after_correction(session: Session, moved: Moved, *, now: datetime) -> Reconciled:
    """Let identities, matches, findings and deadlines follow what people said software is."""
    begin_matching(session)
    concerned = sorted({*moved.before, *moved.after})
    _identify(session, sorted(set(moved.after)))
    match_components(session, sorted(set(moved.after)), now=now)
    # Matches of the components left behind stay as they are, for those who still have them; the findings do not.
    session.execute(
        text(
            "insert into changed_match"
            " select component_id, vulnerability_id from match where valid_to is null and component_id = any(:ids)"
            " union select component_id, vulnerability_id from finding"
            " where closed_at is null and component_id = any(:ids)"
        ),
        {"ids": concerned},
    )
    # And what they are, or no longer are, may be the platform that other software of the same assets waits for.
    products = session.scalars(
        text("select distinct product_id from component_product where component_id = any(:ids)"),
        {"ids": concerned},
    ).all()
    recheck_conditions(session, products, systems=False)
    return reconcile_matches(session, now=now)


def after_asset_change(session: Session, organization_id: int, asset_id: int, *, now: datetime) -> None:
    """Let deadlines follow an asset's exposure or criticality."""
    prioritize_assets(session, organization_id, [asset_id], now=now, cause="exposure")


def rematch(session: Session, *, now: datetime) -> Reconciled:
    """Identify, judge, reconcile and price everything anew: after a change of rules, and for `doctor`."""
    begin_matching(session)
    _identify(session, session.scalars(text("select id from component order by id")).all())
    match_all(session, now=now)
    # Every pair, changed or not: a finding that should not be, or is missing, is what this is asked to repair.
    session.execute(
        text(
            "insert into changed_match select component_id, vulnerability_id from match where valid_to is null"
            " union select component_id, vulnerability_id from finding where closed_at is null"
        )
    )
    reconciled = reconcile_matches(session, now=now)
    refresh_all(session, now=now)
    prioritize_all(session, now=now, cause="rules")
    return reconciled


def run_ingest(database: Database, *, receipt_id: int) -> None:
    """Take a received report in."""
    clock = SystemClock()

    def then(session: Session, result: IngestResult) -> None:
        after_ingest(session, result, now=clock.now())

    ingest_report(database, clock, receipt_id=receipt_id, then=then)


def run_refresh(database: Database, *, name: str) -> None:
    """Bring one feed up to date from its servers; trouble with the source stands in the feed's run."""
    clock, settings = SystemClock(), load()
    if not settings.feeds_enabled:
        return  # an isolated installation: data comes by bundle, and its age is shown as it is
    with database.as_system() as session:
        if session.scalar(
            text("select rolled_back_at is not null from feed where name = :name"), {"name": name}
        ):
            return  # waits until somebody releases it, and is shown as that

    refresh(database, settings, clock, feed(name), after=following(clock))


def run_approval(database: Database, *, name: str, run_id: int) -> None:
    """Let a held run live that somebody approved; how it went stands in the feed's run."""
    clock, settings = SystemClock(), load()
    with database.as_system() as session:
        held = candidates(session).get(name)
    if held is None or held.run_id != run_id or held.decision is None:
        return  # decided otherwise, or a newer run has taken its place

    approve(database, settings, clock, feed(name), accepted_by=held.decided_by or "", after=following(clock))


def run_rollback(database: Database, *, name: str, to: int, actor: str, address: str | None) -> None:
    """Roll a feed back for somebody who was asked for their permission at the door."""
    clock = SystemClock()

    caller = Caller(0, actor, frozenset({Permission.INSTALLATION_MANAGE}), address)
    with database.as_system() as session:
        done = session.scalar(text("select rolled_back_to from feed where name = :name"), {"name": name})
    if done != to:  # run twice, it does nothing the second time
        roll_back(database, name, clock, caller, to=to, after=following(clock))


def run_price_organization(database: Database, *, organization_id: int) -> None:
    """Let an organization's deadlines follow its time zone."""
    with database.as_system() as session:
        prioritize_organization(session, organization_id, now=SystemClock().now(), cause="time zone")


def run_deliver_audit_log(database: Database) -> None:
    """Hand the audit log on to the collector of the settings."""
    deliver_audit_log(database, load(), SystemClock())


def run_sign_audit_log(database: Database) -> None:
    """Make a checkpoint of every chain of the audit log."""
    sign_audit_log(database, load(), SystemClock())


def run_forget(database: Database) -> None:
    """Delete what has run out and serves nobody any more."""
    now = SystemClock().now()
    with database.as_system() as session:
        budgets.purge(session, now)


def run_bundle(database: Database, *, offer_id: int, sha256: str, actor: str, address: str | None) -> None:
    """Take in a bundle that a second person approved at the door; how it went stands with the bundle."""
    clock, settings = SystemClock(), load()
    caller = Caller(0, actor, frozenset({Permission.INSTALLATION_MANAGE}), address)
    take_in_approved(
        database,
        settings,
        caller,
        offer_id,
        sha256,
        clock,
        after=following(clock),
        limits=limits_of(settings),
    )


def run_mail_notice(database: Database, *, notice_id: int) -> None:
    """Tell administrators what happened at the door."""
    mail_notice(database, load(), SystemClock(), notice_id=notice_id)


def run_mail_owner(_database: Database, **what: Any) -> None:
    """Tell the owner of an account what was changed of it."""
    mail_owner(load(), SystemClock(), **what)


def run_directory_sync(database: Database, *, provider_id: int | None = None) -> None:
    """Bring the accounts of one directory, or of all, to what it says; how it went stands with the provider."""
    clock = SystemClock()
    for directory in stored_directories(database, load(), clock):
        wanted = directory.provider_id == provider_id if provider_id is not None else directory.settings.sync
        if wanted:
            synchronize(database, directory, clock, caller=SYSTEM)


def run_mail_password_reset(database: Database, *, text: str) -> None:
    """Send links to choose a new password."""
    password_reset.mail_links(database, load(), SystemClock(), text=text)


JOBS: list[Job] = [
    Job("forget_expired", run_forget),
    Job("ingest_report", run_ingest, queue="ingest"),
    # The schedule asks again anyway, and each run retries its requests by itself.
    Job("refresh_feed", run_refresh, queue="feeds", max_attempts=2),
    Job(MAIL_JOB, run_mail_notice),
    Job(OWNER_MAIL_JOB, run_mail_owner),
    Job(password_reset.MAIL_JOB, run_mail_password_reset),
    Job("approve_feed", run_approval, queue="feeds", max_attempts=2),
    Job("price_organization", run_price_organization, queue="ingest"),
    Job("roll_back_feed", run_rollback, queue="feeds", max_attempts=2),
    # The next hour asks again.
    Job("sync_directories", run_directory_sync, max_attempts=2),
    Job("sign_audit_log", run_sign_audit_log),
    Job("deliver_audit_log", run_deliver_audit_log, max_attempts=1),
    Job("import_bundle", run_bundle, queue="feeds", max_attempts=2),
]

# Minutes differ so that an hour's work does not start all at once; KEV is small and urgent.
_CRON = {
    "kev": "*/30 * * * *",
    "epss": "17 14 * * *",  # published once a day
    "nvd": "25 */2 * * *",  # NVD asks for no more than every two hours
    "nvd_cpe": "5 3 * * *",  # new products come with new records of NVD, which bring their names themselves
}
_CRON_OTHERS = ("41 */6 * * *", "47 */6 * * *", "53 */6 * * *", "59 */6 * * *")

SCHEDULE: list[Periodic] = [
    Periodic("forget_expired", "33 * * * *", queueing_lock="forget_expired"),
    Periodic("sync_directories", "11 * * * *", queueing_lock="sync_directories"),
    *(
        Periodic(
            "refresh_feed",
            _CRON.get(one.name, _CRON_OTHERS[number % len(_CRON_OTHERS)]),
            {"name": one.name},
            queueing_lock=f"refresh_feed:{one.name}",
        )
        for number, one in enumerate(FEEDS)
    ),
    Periodic("sign_audit_log", "9 2 * * *", queueing_lock="sign_audit_log"),
    # Where no collector is named it does nothing.
    Periodic("deliver_audit_log", "* * * * *", queueing_lock="deliver_audit_log"),
]
