"""`sentrikat explain`: why a machine has a flaw, or why not."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from sqlalchemy import text

from sentrikat.cli.declared import needs
from sentrikat.domain.errors import NotFound
from sentrikat.domain.permissions import Permission
from sentrikat.findings.explain import explain, explain_finding
from sentrikat.findings.explain_past import end_of_day, explain_then
from sentrikat.findings.reasoning import Explanation, Step
from sentrikat.infra.database.reach import open_database
from sentrikat.infra.settings import load


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("explain")(explain_command)


@needs(Permission.FINDINGS_READ)
def explain_command(
    host: Annotated[str, typer.Argument(help="Host name of an asset.")],
    vulnerability: Annotated[str, typer.Argument(help="CVE, GHSA or another id.")],
    organization: Annotated[
        str | None, typer.Option(help="Slug; needed when several have such a host.")
    ] = None,
    as_of: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"], help="As of the end of a past day: what was installed and known then."
        ),
    ] = None,
) -> None:
    """Say why a machine has a flaw, why it has not, or what is not known."""
    with (
        open_database(load(), application_name="sentrikat explain") as database,
        database.as_system() as session,
    ):
        assets = session.execute(
            text(
                "select a.id, a.organization_id, o.slug, o.time_zone from asset a join organization o on o.id = a.organization_id"
                " where lower(a.hostname) = lower(:host) and (cast(:slug as text) is null or o.slug = :slug)"
            ),
            {"host": host, "slug": organization},
        ).all()
        if not assets:
            raise NotFound(f"No asset is called {host}.", hint="sentrikat scan --host looks at this machine.")
        for asset in assets:
            if as_of is not None:
                moment = end_of_day(as_of.date(), ZoneInfo(asset.time_zone))
                for answer in explain_then(session, asset.organization_id, asset.id, vulnerability, moment):
                    _print(answer)
                continue
            open_findings = session.scalars(
                text(
                    "select f.id from finding f join vulnerability v on v.id = f.vulnerability_id"
                    " where f.organization_id = :organization_id and f.asset_id = :asset_id"
                    " and f.closed_at is null and v.name = :name order by f.id"
                ),
                {"organization_id": asset.organization_id, "asset_id": asset.id, "name": vulnerability},
            ).all()
            answers = [explain_finding(session, asset.organization_id, number) for number in open_findings]
            if not answers:
                answers = explain(session, asset.organization_id, asset.id, vulnerability)
            for answer in answers:
                _print(answer)


def _print(answer: Explanation) -> None:
    console = Console(highlight=False)
    console.print(answer.sentence, style="bold", markup=False, soft_wrap=True)
    for step in answer.chain:
        _print_step(console, step)
    for step in answer.lost:
        _print_step(console, step)
    if answer.deadline is not None:
        due = f"{answer.deadline.due_at:%Y-%m-%d}" if answer.deadline.due_at else "no date"
        console.print(f"  Fix by        {due} ({answer.deadline.policy})", markup=False)
        for reason in answer.deadline.reasons:
            console.print(f"                {reason}", markup=False, soft_wrap=True)
    for words in answer.what_would_change:
        console.print(f"  Would change  {words}", markup=False, soft_wrap=True)
    console.print()


def _print_step(console: Console, step: Step) -> None:
    console.print(f"  {step.title:13} {step.text}", markup=False, soft_wrap=True)
