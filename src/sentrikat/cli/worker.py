"""`sentrikat worker`: the job worker alone."""

from __future__ import annotations

import typer

from sentrikat.cli.declared import needs
from sentrikat.domain.permissions import Permission
from sentrikat.infra import logging
from sentrikat.infra.database.reach import reach_server
from sentrikat.infra.settings import load
from sentrikat.worker.run import run


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("worker")(worker)


@needs(Permission.INSTALLATION_MANAGE)
def worker() -> None:
    """Run the job worker in the foreground."""
    settings = load()
    logging.configure(settings, process="worker")
    with reach_server(settings) as url:
        run(settings, url)
