"""`sentrikat serve`: the web server alone."""

from __future__ import annotations

import socket
from typing import Annotated

import structlog
import typer
import uvicorn

from sentrikat.app import create_app
from sentrikat.cli.declared import needs
from sentrikat.domain.permissions import Permission
from sentrikat.infra import logging
from sentrikat.infra.database.reach import reach_server
from sentrikat.infra.settings import load
from sentrikat.infra.way_in import doubt_about
from sentrikat.infra.web_server import server_config

log = structlog.get_logger()


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("serve")(serve)


@needs(Permission.INSTALLATION_MANAGE)
def serve(
    inherited_socket: Annotated[
        int | None,
        typer.Option("--socket", help="Listening socket handed over by the supervisor.", hidden=True),
    ] = None,
) -> None:
    """Run the web server in the foreground."""
    settings = load()
    logging.configure(settings, process="web")
    if (doubt := doubt_about(settings)) is not None:
        log.warning("web address", problem=doubt.what, remedy=doubt.remedy)
    with reach_server(settings) as url:
        config = server_config(create_app(settings, url), settings)
        sockets = None
        if inherited_socket is not None:
            sockets = [socket.socket(fileno=inherited_socket)]  # allow connections: it listens
        uvicorn.Server(config).run(sockets)
