"""`sentrikat serve`: the web server alone."""

from __future__ import annotations

import socket
from typing import Annotated

import typer
import uvicorn

from sentrikat.app import create_app
from sentrikat.cli.declared import needs
from sentrikat.domain.permissions import Permission
from sentrikat.infra import logging
from sentrikat.infra.database.reach import reach_server
from sentrikat.infra.settings import load

GRACE_SECONDS = 10  # running requests get as long as the slowest page may take


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
    with reach_server(settings) as url:
        config = uvicorn.Config(
            create_app(settings, url),
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=True,
            forwarded_allow_ips=settings.trusted_proxies,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        sockets = None
        if inherited_socket is not None:
            sockets = [socket.socket(fileno=inherited_socket)]  # allow connections: it listens
        uvicorn.Server(config).run(sockets)
