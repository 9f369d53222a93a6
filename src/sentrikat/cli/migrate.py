"""`sentrikat migrate`: bring the database to this release's schema."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from sentrikat.cli.declared import needs
from sentrikat.domain.permissions import Permission
from sentrikat.infra import logging
from sentrikat.infra.database.reach import reach_server
from sentrikat.infra.settings import load
from sentrikat.migrations import runner


class PhaseOption(StrEnum):
    """Which half of an upgrade."""

    PRE = "pre"
    POST = "post"
    ALL = "all"


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("migrate")(migrate)


@needs(Permission.INSTALLATION_MANAGE)
def migrate(
    phase: Annotated[
        PhaseOption,
        typer.Option(help="pre: before the new release starts; post: when no old one runs any more."),
    ] = PhaseOption.ALL,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; status 1 when something is missing.")
    ] = False,
) -> None:
    """Apply schema changes that are missing; safe to run on several machines at once."""
    settings = load()
    logging.configure(settings, process="migrate")
    with reach_server(settings) as url:
        if check:
            missing = runner.pending(url, phase.value)
            print("\n".join(f"missing: {name}" for name in missing) or "The database is up to date.")
            raise typer.Exit(1 if missing else 0)
        applied = runner.upgrade(url, phase.value)
        print("\n".join(f"applied: {name}" for name in applied) or "The database was up to date.")
