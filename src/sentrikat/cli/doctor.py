"""`sentrikat doctor`: look over the installation and say what is wrong."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import typer
from rich.console import Console
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from sentrikat.audit.checkpoints import chains, unsigned_since
from sentrikat.audit.delivery import destination_of, state_of
from sentrikat.cli.declared import needs
from sentrikat.domain.permissions import Permission
from sentrikat.infra.clock import SystemClock
from sentrikat.infra.database import tenancy
from sentrikat.infra.database.reach import open_database
from sentrikat.infra.settings import Settings, load
from sentrikat.infra.way_in import doubt_about
from sentrikat.migrations import runner
from sentrikat.vulnerabilities.freshness import feed_statuses

# A full NVD import writes some 3 GB of rows, indexes and log before it is compacted.
LEAST_FREE_BYTES = 5 * 1024**3
SIGNED_WITHIN = timedelta(days=2)  # checkpoints are made once a day
WAITING_MINUTES = 15  # jobs wait seconds; a quarter of an hour means that no worker runs


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What one look found."""

    subject: str
    finding: str
    remedy: str | None = None  # None: nothing is wrong


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("doctor")(doctor)


@needs(Permission.INSTALLATION_READ)
def doctor() -> None:
    """Look over web address, database, schema, tenancy, queue, disk and feeds; status 1 when something is wrong."""
    settings = load()
    console = Console(highlight=False)
    wrong = 0
    with open_database(settings, application_name="sentrikat doctor") as database:
        for diagnosis in examine(settings, database.url, database.engine):
            wrong += diagnosis.remedy is not None
            mark = "[green]ok   [/]" if diagnosis.remedy is None else "[red]WRONG[/]"
            console.print(f"{mark} {diagnosis.subject}: {diagnosis.finding}", soft_wrap=True)
            if diagnosis.remedy is not None:
                console.print(f"      {diagnosis.remedy}", soft_wrap=True)
    raise typer.Exit(1 if wrong else 0)


def examine(settings: Settings, url: str, engine: Engine) -> Iterator[Diagnosis]:
    """Yield every diagnosis, the foundations first."""
    looks: tuple[Callable[[], Diagnosis], ...] = (
        lambda: _way_in(settings),
        lambda: _server(engine),
        lambda: _schema(url),
        lambda: _tenancy(engine),
        lambda: _second_factor(settings, engine),
        lambda: _queue(engine),
        lambda: _disk(settings),
        lambda: _feeds(engine),
        lambda: _audit(settings, engine),
    )
    for look in looks:
        yield look()


def _way_in(settings: Settings) -> Diagnosis:
    doubt = doubt_about(settings)
    if doubt is not None:
        return Diagnosis("Web address", doubt.what, doubt.remedy)
    where = settings.public_url or f"http://{settings.host}:{settings.port}, of this machine alone"
    return Diagnosis("Web address", where)


# Those of SAML give their second factor there, and emergency accounts open without one.
_WITHOUT_FACTOR = text("""
select count(*) filter (where factor.user_id is null) as without, count(*) as administrators
from user_account account left join totp_factor factor on factor.user_id = account.id
left join identity_provider provider on provider.id = account.provider_id
where account.disabled_at is null and not account.break_glass and coalesce(provider.kind, '') <> 'saml'
  and (account.installation_admin
       or exists (
           select from membership m
           left join custom_role r on r.organization_id = m.organization_id and r.id = m.custom_role_id
           where m.user_id = account.id
             and (m.role = 'administrator' or r.permissions && array['keys:manage', 'members:manage'])))
""")


def _second_factor(settings: Settings, engine: Engine) -> Diagnosis:
    with Session(engine) as session:
        tenancy.enter(session.connection(), tenancy.SYSTEM)
        row = session.execute(_WITHOUT_FACTOR).one()
    rule = settings.second_factor_of
    said = f"{rule}; {row.without} of {row.administrators} administrators have none"
    if settings.is_for_others and row.without and rule in {"off", "optional"}:
        return Diagnosis(
            "Second factor",
            said,
            "Set SENTRIKAT_SECOND_FACTOR=administrators: their password alone opens everything.",
        )
    return Diagnosis("Second factor", said)


def _server(engine: Engine) -> Diagnosis:
    with engine.connect() as connection:
        version = connection.execute(text("show server_version")).scalar_one()
        size = connection.execute(
            text("select pg_size_pretty(pg_database_size(current_database()))")
        ).scalar_one()
    return Diagnosis("Database", f"PostgreSQL {version}, {size}")


def _schema(url: str) -> Diagnosis:
    missing = runner.pending(url)
    if missing:
        return Diagnosis(
            "Schema", f"{len(missing)} changes are missing, first {missing[0]}", "Run: sentrikat migrate"
        )
    return Diagnosis("Schema", "up to date")


# A table of an organization that anybody may read is the one fault this program must not have.
_UNPROTECTED = text("""
select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid
where a.attname = 'organization_id' and not a.attisdropped and c.relkind in ('r', 'p')
  and c.relnamespace = 'public'::regnamespace
  and not (c.relrowsecurity and c.relforcerowsecurity)
  and has_table_privilege('sentrikat_application', c.oid, 'select, insert, update, delete')
order by 1
""")


def _tenancy(engine: Engine) -> Diagnosis:
    with engine.connect() as connection:
        open_tables = connection.execute(_UNPROTECTED).scalars().all()
    if open_tables:
        return Diagnosis(
            "Tenancy",
            f"row-level security is off for {', '.join(open_tables)}",
            "Somebody has changed the schema by hand: restore it from a backup, and tell support.",
        )
    return Diagnosis("Tenancy", "every tenant table is protected by row-level security")


_QUEUE = text("""
select count(*) filter (where status = 'todo') as waiting,
       count(*) filter (where status = 'doing') as running,
       count(*) filter (where status = 'failed') as failed,
       count(*) filter (where status = 'todo' and event.at < now() - make_interval(mins => :minutes)
                          and coalesce(scheduled_at, event.at) < now() - make_interval(mins => :minutes)) as late
from procrastinate_jobs job
left join lateral (
    select max(at) as at from procrastinate_events where job_id = job.id
) event on true
""")


def _queue(engine: Engine) -> Diagnosis:
    with engine.connect() as connection:
        row = connection.execute(_QUEUE, {"minutes": WAITING_MINUTES}).one()
    said = f"{row.waiting} jobs wait, {row.running} run, {row.failed} failed in the last 30 days"
    if row.late:
        return Diagnosis(
            "Queue",
            f"{row.late} jobs have waited for more than {WAITING_MINUTES} minutes",
            "Start a worker: sentrikat worker (sentrikat up includes one).",
        )
    return Diagnosis("Queue", said)


def _disk(settings: Settings) -> Diagnosis:
    place = settings.data_dir if settings.data_dir.exists() else settings.data_dir.absolute().parent
    free = shutil.disk_usage(place).free
    said = f"{free / 1024**3:.1f} GB free in {place.absolute()}"
    if free < LEAST_FREE_BYTES:
        return Diagnosis(
            "Disk", said, f"Keep at least {LEAST_FREE_BYTES // 1024**3} GB free for feed imports."
        )
    return Diagnosis("Disk", said)


def _audit(settings: Settings, engine: Engine) -> Diagnosis:
    now = SystemClock().now()
    with Session(engine) as session:
        tenancy.enter(session.connection(), tenancy.SYSTEM)
        found = chains(session)
        late = [chain for chain in found if unsigned_since(session, chain, now - SIGNED_WITHIN)]
        name = destination_of(settings)
        state = state_of(session, name) if name is not None else None
    if late:
        return Diagnosis(
            "Audit log",
            f"{len(late)} of {len(found)} chains have entries that no checkpoint covers after two days",
            "Look why: sentrikat audit checkpoint signs them, or names what is broken.",
        )
    if state is not None and state.failing_since is not None:
        return Diagnosis(
            "Audit log",
            f"{state.waiting} entries wait since {state.failing_since:%Y-%m-%d %H:%M} UTC: {state.trouble}",
            "Nothing is lost. See that the collector can be reached: sentrikat audit deliver",
        )
    said = f"{len(found)} {'chain' if len(found) == 1 else 'chains'}, signed"
    return Diagnosis("Audit log", said if name is None else f"{said}, handed on to {name}")


def _feeds(engine: Engine) -> Diagnosis:
    with Session(engine) as session:
        statuses = feed_statuses(session, SystemClock().now())
    wrong = [one for one in statuses if not one.good]
    if not wrong:
        return Diagnosis("Feeds", f"all {len(statuses)} are fresh")
    by_state: dict[str, list[str]] = {}
    for one in wrong:
        by_state.setdefault(one.state, []).append(one.name)
    words = "; ".join(f"{state}: {', '.join(names)}" for state, names in by_state.items())
    return Diagnosis(
        "Feeds",
        f"{len(statuses) - len(wrong)} of {len(statuses)} are fresh; {words}",
        "What is wrong with each, and what to do: sentrikat feeds status",
    )
