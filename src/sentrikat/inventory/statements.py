"""The SQL of taking a report in (ingest.py), each statement one round trip."""

# ruff: noqa: S608  # put together from the names of our own columns

from __future__ import annotations

from sqlalchemy import text

RECEIPT = text(
    "select id, organization_id, form, body, received_at, status, detail, asset_id, asset_hint, confirmed,"
    " content_digest, key_id,"
    " exists (select from title_correction t where t.organization_id = receipt.organization_id) as corrects"
    " from receipt where id = :id for update"
)
# A report that says word for word what the asset's last one said ends here, unread. Not one whose clock is ahead, and
# none older than what is held: their remarks are written by the long way.
SAME = text(
    "with told as ("
    "  select id, organization_id, received_at, content_digest, least(collected_at, received_at) as collected_at"
    "  from receipt where id = :id and status = 'received' and content_digest is not null"
    "  and (collected_at is null or collected_at <= received_at + cast(:skew as interval)) for update"
    "), same as ("
    "  update asset a set last_report_at = greatest(a.last_report_at, t.received_at), last_collected_at = t.collected_at"
    "  from told t where a.id = (select min(x.id) from asset x"
    "    where x.organization_id = t.organization_id and x.report_digest = t.content_digest)"
    "  and a.report_digest = t.content_digest and a.retired_at is null"
    "  and (a.last_collected_at is null or a.last_collected_at <= t.collected_at)"
    "  returning a.organization_id, a.id"
    "), done as (update receipt r set status = 'unchanged', asset_id = same.id, processed_at = :now, installed = 0,"
    "  removed = 0 from same where r.id = :id)"
    " select organization_id, id from same"
)
# The order of the numbers is the order of locking: two reports never wait for each other.
LOCK = text("select pg_advisory_xact_lock(number) from unnest(cast(:numbers as bigint[])) as number")

ASSET_COLUMNS = (
    "id, hostname, agent_id, machine_id, os, updates, last_collected_at, inventory_digest, retired_at"
)
CANDIDATES = text(
    f"select {ASSET_COLUMNS} from asset where organization_id = :organization_id and machine_id = :machine_id"
    f" union select {ASSET_COLUMNS} from asset where organization_id = :organization_id and agent_id = :agent_id"
    f" union select {ASSET_COLUMNS} from asset"
    " where organization_id = :organization_id and hostname = any(:hostnames)"
)
NEW_ASSET = text(
    "insert into asset (organization_id, hostname, agent_id, machine_id, os_family, os, first_seen_at,"
    " last_report_at, key_family) values (:organization_id, :hostname, :agent_id, :machine_id, :family,"
    " cast(:os as jsonb), :collected_at, :received_at, :key_family) returning id"
)
FINISH = text(
    "with done as (update receipt set status = :status, detail = :detail, asset_id = :asset_id,"
    " processed_at = :now, installed = :installed, removed = :removed where id = :receipt_id)"
    " update asset set hostname = :hostname, agent_id = :agent_id, machine_id = :machine_id,"
    " os_family = :family, os = cast(:os as jsonb), updates = :updates, retired_at = null,"
    " last_report_at = greatest(last_report_at, :received_at), last_collected_at = :collected_at,"
    " inventory_digest = :digest, report_digest = :report_digest where organization_id = :organization_id and id = :asset_id"
)
SET_ASIDE = text(
    "with done as (update receipt set status = :status, detail = :detail, asset_id = :asset_id,"
    " processed_at = :now, installed = 0, removed = 0 where id = :receipt_id)"
    " update asset set last_report_at = greatest(last_report_at, :received_at)"
    " where organization_id = :organization_id and id = :asset_id"
)
PRESENT = text(
    "select i.id, i.component_id, c.identity, c.kind, c.name, i.binaries, i.paths, i.first_seen_at"
    " from install i join component c on c.id = i.component_id"
    " where i.organization_id = :organization_id and i.asset_id = :asset_id and i.removed_at is null"
)
SOURCES = text(
    "select s.namespace, s.binary_name, s.source_name from package_source s"
    " join unnest(cast(:releases as text[]), cast(:names as text[])) as a(release, name)"
    " on s.namespace = a.release and s.binary_name = a.name"
)
LEARN = text(
    "insert into package_source (namespace, binary_name, source_name, learned_from)"
    " select release, name, source, 'inventory'"
    " from unnest(cast(:releases as text[]), cast(:names as text[]), cast(:sources as text[]))"
    "   as a(release, name, source)"
    " where not exists (select from package_source s where s.namespace = release and s.binary_name = name)"
    " order by release, name on conflict do nothing"
)

COMPONENT_FIELDS = (
    "kind",
    "namespace",
    "name",
    "version",
    "source_name",
    "source_version",
    "vendor",
    "module",
    "bundle_id",
    "cpe",
    "purl",
    "arch",
    "corrected",
)
NAMED = ", ".join(COMPONENT_FIELDS)
# Rows go in by their identity, so that two reports with the same new software lock them in one order.
ADD_COMPONENTS = text(
    "with reported as ("
    f"  select * from json_to_recordset(cast(:rows as json)) as r(identity bytea, {', '.join(f'{f} text' for f in COMPONENT_FIELDS)})"
    "), known as (select c.id, c.identity from component c join reported r on r.identity = c.identity"
    f"), added as (insert into component (identity, {NAMED})"
    f"  select identity, {NAMED} from reported r"
    "  where not exists (select from known k where k.identity = r.identity) order by identity"
    "  on conflict (identity) do nothing returning id, identity)"
    " select id, identity, false as new from known union all select id, identity, true from added"
)
COMPONENTS = text("select id, identity from component where identity = any(:identities)")
ADD_INSTALLS = text(
    "insert into install (organization_id, asset_id, component_id, binaries, paths, first_seen_at)"
    " select :organization_id, :asset_id, component_id, binaries, paths, :collected_at"
    " from json_to_recordset(cast(:rows as json)) as r(component_id bigint, binaries text[], paths text[])"
)
CLOSE_INSTALLS = text(
    "update install set removed_at = greatest(first_seen_at, :collected_at)"
    " where organization_id = :organization_id and id = any(:ids)"
)
SEEN_INSTALLS = text(
    "update install i set binaries = r.binaries, paths = r.paths"
    " from json_to_recordset(cast(:rows as json)) as r(id bigint, binaries text[], paths text[])"
    " where i.organization_id = :organization_id and i.id = r.id"
)
