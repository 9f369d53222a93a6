"""`sentrikat up`: everything on one machine under one supervisor."""

from __future__ import annotations

import http.client  # allow outbound: asks our own web process whether it is ready
import os
import signal
import socket
import sys
import threading
import time
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from sentrikat.cli.declared import needs
from sentrikat.domain.errors import Conflict, Unavailable
from sentrikat.domain.permissions import Permission
from sentrikat.first_start import fill, prepare
from sentrikat.infra import logging
from sentrikat.infra.database import Database
from sentrikat.infra.database.embedded import EmbeddedPostgres
from sentrikat.infra.database.reach import embedded_directory
from sentrikat.infra.settings import Settings, load
from sentrikat.infra.supervision import ChildProcess, DatabasePart, Part, Supervisor
from sentrikat.infra.way_in import doubt_about
from sentrikat.migrations import runner
from sentrikat.worker.run import GRACE_SECONDS

# The first page waits for imports of a cold disk; the budget is 10 s.
READY_SECONDS = 60.0
WEB_GRACE_SECONDS = 12.0  # uvicorn gives running requests 10 s (serve.py)
BACKLOG = 512  # requests that wait while the web process restarts


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("up")(up)


@needs(Permission.INSTALLATION_MANAGE)
def up(
    demo: Annotated[
        bool, typer.Option("--demo/--no-demo", help="Fill a Demo organization at the first start.")
    ] = True,
) -> None:
    """Start the database, the web server and the job worker; Ctrl-C stops them."""
    began = time.monotonic()
    settings = load()
    logging.configure(settings, process="up")
    console = Console(highlight=False)
    listener = _listen(settings)
    supervisor = Supervisor([])
    signal.signal(signal.SIGTERM, _as_interrupt)
    parts: list[Part] = []
    try:
        url = _database_address(settings, console, parts)
        for revision in runner.upgrade(url):
            console.print(f"Database: applied {revision}")
        database = Database(url, application_name="sentrikat first start")
        organization_id = prepare(database, console, demo=demo)
        parts += _children(settings, url, listener)
        supervisor = Supervisor(parts)
        supervisor.start()
        _wait_until_ready(listener, parts)
    except BaseException as error:
        for part in reversed(parts):
            part.stop()
        if isinstance(error, KeyboardInterrupt):
            console.print("Stopped before the start was finished; the next start continues.")
            raise typer.Exit(130) from None
        raise
    filling = _Filling(database, console, organization_id, demo=demo)

    def stop(number: int, frame: FrameType | None) -> None:
        filling.abandon()
        supervisor.request_stop(number, frame)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    console.print(
        f"SentriKat is ready: [bold]{_address(settings, listener)}[/]  ({time.monotonic() - began:.1f} s)"
    )
    if (doubt := doubt_about(settings)) is not None:
        console.print(
            f"[bold red]Careful:[/] {escape(doubt.what)}.\n         {escape(doubt.remedy)}", soft_wrap=True
        )
    console.print("Ctrl-C stops it.")
    filling.start()
    supervisor.run()
    if not filling.finished:
        console.print("The first start was not finished; the next start continues it.")
    listener.close()
    console.print("Stopped.")


class _Filling(threading.Thread):
    """Fills a new installation while its pages already answer; what is cut short, the next start continues."""

    def __init__(self, database: Database, console: Console, organization_id: int, *, demo: bool) -> None:
        # A daemon: at the end the process does not wait for a statement on a database that has stopped.
        super().__init__(name="first start", daemon=True)
        self._database, self._console = database, console
        self._organization_id, self._demo = organization_id, demo
        self._abandoned = False
        self.finished = False

    def run(self) -> None:
        """Fill, and say so when it cannot be done."""
        try:
            fill(self._database, self._console, self._organization_id, demo=self._demo)
        except Exception as error:  # noqa: BLE001 - said, not swallowed; the pages go on without the data
            if not self._abandoned:
                self._console.print(f"The first start was not finished: {error}", markup=False)
                self._console.print("The next start continues it.")
        else:
            self.finished = True
            self._database.close()

    def abandon(self) -> None:
        """Stop caring about errors: the database is being stopped."""
        self._abandoned = True


def _as_interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _listen(settings: Settings) -> socket.socket:
    """Bind the port before anything else: a taken port is said at once, and nothing was started.

    The supervisor keeps the socket, so requests wait in line while the web process restarts.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)  # allow connections: it listens
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise Conflict(
            f"SentriKat was not started: it cannot listen on {settings.host}:{settings.port}, {error.strerror}.",
            hint="Stop the program that uses the port, or choose another in SENTRIKAT_PORT.",
            code="port_in_use",
        ) from error
    listener.listen(BACKLOG)
    listener.set_inheritable(True)
    return listener


def _database_address(settings: Settings, console: Console, parts: list[Part]) -> str:
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    directory = embedded_directory(settings)
    if not directory.exists():
        console.print(f"Creating the database in {directory.absolute()}")
    server = EmbeddedPostgres(directory)
    server.start()
    parts.append(DatabasePart(server))
    return server.url()


def _children(settings: Settings, url: str, listener: socket.socket) -> list[Part]:
    own = {"SENTRIKAT_DATABASE_URL": url, "PYTHONUNBUFFERED": "1"}
    environment = os.environ | own  # allow environment: handed to our own children
    program = [sys.executable, "-m", "sentrikat"]
    descriptor = listener.fileno()
    return [
        ChildProcess("worker", [*program, "worker"], environment, GRACE_SECONDS + 2),
        ChildProcess(
            "web",
            [*program, "serve", "--socket", str(descriptor)],
            environment | {"SENTRIKAT_HOST": settings.host},
            WEB_GRACE_SECONDS,
            inherit=(descriptor,),
        ),
    ]


def _reachable_host(listener: socket.socket) -> str:
    host = str(listener.getsockname()[0])
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # compared, not bound


def _wait_until_ready(listener: socket.socket, parts: list[Part]) -> None:
    """Ask for a page until one comes; the socket already listens, so the answer just takes its time."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        for part in parts:
            if not part.is_running():
                raise Unavailable(
                    f"SentriKat was not started: the {part.name} process ended at once.",
                    hint="Its reason is printed above.",
                )
        connection = http.client.HTTPConnection(
            _reachable_host(listener), listener.getsockname()[1], timeout=1
        )
        try:
            connection.request("GET", "/api/v1/health/live")
            connection.getresponse().read()
        except OSError:
            time.sleep(0.05)
        else:
            return
        finally:
            connection.close()
    raise Unavailable(f"SentriKat was not started: no page came within {READY_SECONDS:.0f} seconds.")


def _address(settings: Settings, listener: socket.socket) -> str:
    if settings.public_url is not None:
        return settings.public_url
    host = _reachable_host(listener)
    return f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
