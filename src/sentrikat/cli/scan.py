"""`sentrikat scan`: match inventories and SBOMs against the loaded feeds without storing them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import orjson
import typer
from rich.console import Console

from sentrikat.cli.declared import needs
from sentrikat.domain.errors import InvalidInput
from sentrikat.domain.inventory import Inventory
from sentrikat.domain.permissions import Permission
from sentrikat.findings.scan import Scanner
from sentrikat.findings.scan_formats import cyclonedx_vex, print_table, sarif
from sentrikat.findings.scan_record import scan_record
from sentrikat.infra.clock import SystemClock
from sentrikat.infra.database.reach import reach_server
from sentrikat.infra.database.sessions import Database
from sentrikat.infra.settings import Settings, load
from sentrikat.inventory.host import scan_host
from sentrikat.inventory.readers import read

EXIT_GATE = 3  # something at or above --fail-on; 1 and 2 are errors


class Format(StrEnum):
    """How results are printed."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"
    SARIF = "sarif"
    VEX = "cyclonedx-vex"


class Gate(StrEnum):
    """What makes the command end with status 3."""

    KEV = "kev"
    CRITICAL = "critical"
    HIGH = "high"
    ANY = "any"


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("scan")(scan)


@needs(Permission.KNOWLEDGE_READ)
def scan(
    files: Annotated[
        list[str] | None,
        typer.Argument(help="Agent reports, CycloneDX or SPDX documents in JSON; - reads standard input."),
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="How to print the results.")] = Format.TABLE,
    ndjson: Annotated[
        bool,
        typer.Option(
            "--ndjson", help="Read one agent report a line, write one record a line (a stable contract)."
        ),
    ] = False,
    fail_on: Annotated[
        Gate | None, typer.Option(help="End with status 3 when something like this, or worse, is found.")
    ] = None,
    as_of: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="What was known at the end of a past day, UTC."),
    ] = None,
    host: Annotated[bool, typer.Option("--host", help="Scan this machine.")] = False,
) -> None:
    """Match any inventory or SBOM without storing it."""
    if not files and not host and not ndjson:
        raise InvalidInput("Nothing was scanned: name a file, - for standard input, or --host.")
    settings = load()
    if ndjson:
        form = Format.NDJSON
    day = as_of.replace(tzinfo=UTC).date() if as_of else None
    gate = _GateWatch(fail_on)
    with reach_server(settings) as url:
        database = Database(url, application_name="sentrikat scan", pool_size=1)
        try:
            with database.as_system() as session:
                scanner = Scanner(session, day, SystemClock().now().date())
                scanner.begin()
                inventories = _inventories(files or [], ndjson=ndjson, host=host, settings=settings)
                records = (gate.seen(scan_record(result)) for result in scanner.scan(inventories))
                _print(records, form)
                session.rollback()
        finally:
            database.close()
    if gate.tripped:
        raise typer.Exit(EXIT_GATE)


def _inventories(files: list[str], *, ndjson: bool, host: bool, settings: Settings) -> Iterator[Inventory]:
    if host:
        found = scan_host(collected_at=SystemClock().now())
        for warning in found.warnings:
            print(f"Not looked at: {warning}", file=sys.stderr)
        yield found.inventory
    for name in files or (["-"] if ndjson else []):
        if name == "-":
            yield from _from_stream(sys.stdin.buffer, "standard input", ndjson=ndjson, settings=settings)
            continue
        path = Path(name)
        try:
            with path.open("rb") as stream:
                yield from _from_stream(stream, name, ndjson=ndjson, settings=settings)
        except OSError as trouble:
            raise InvalidInput(f"{name} was not scanned: {trouble.strerror}.") from trouble


def _from_stream(stream: BinaryIO, name: str, *, ndjson: bool, settings: Settings) -> Iterator[Inventory]:
    largest = settings.max_report_bytes
    if not ndjson:
        yield _read(stream.read(largest + 1), largest, name)
        return
    number = 0
    while line := stream.readline(largest + 1):
        number += 1
        if line.strip():
            yield _read(line, largest, f"{name}, line {number}")


def _read(body: bytes, largest: int, place: str) -> Inventory:
    if len(body) > largest:
        raise InvalidInput(
            f"{place} was not scanned: it is larger than {largest:,} bytes.",
            hint="Raise SENTRIKAT_MAX_REPORT_BYTES, or split the inventory.",
        )
    try:
        return read(body)
    except InvalidInput as trouble:
        if len(trouble.fields) == 1 and "no host name was given" in "".join(trouble.fields.values()):
            # An SBOM that does not say what it is of cannot be filed, but it can be looked through.
            return read(body, hostname=Path(place).name[:253])
        details = "".join(f"\n  {path or '(document)'}: {why}" for path, why in trouble.fields.items())
        raise InvalidInput(
            f"{place} was not scanned: {trouble.message}{details}", hint=trouble.hint
        ) from trouble


def _print(records: Iterable[dict[str, Any]], form: Format) -> None:
    out = sys.stdout.buffer
    if form is Format.NDJSON:
        for record in records:
            out.write(orjson.dumps(record) + b"\n")
        out.flush()
    elif form is Format.TABLE:
        console = Console(highlight=False)
        # A file or a pipe has no width of its own; 80 would break every identifier.
        print_table(console if console.is_terminal else Console(highlight=False, width=160), records)
    else:
        ours = version("sentrikat")
        document: Any
        if form is Format.SARIF:
            document = sarif(records, ours)
        elif form is Format.VEX:
            document = cyclonedx_vex(records, ours)
        else:
            document = list(records)
        out.write(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
        out.flush()


class _GateWatch:
    """Looks at every record that passes, and remembers whether the gate was tripped."""

    def __init__(self, gate: Gate | None) -> None:
        self._gate = gate
        self.tripped = False

    def seen(self, record: dict[str, Any]) -> dict[str, Any]:
        """Pass a record on."""
        if self._gate is not None and not self.tripped:
            self.tripped = any(self._trips(one) for one in record["findings"])
        return record

    def _trips(self, finding: dict[str, Any]) -> bool:
        if self._gate is Gate.ANY or finding["kev"] is not None:
            return True
        severity = (finding["cvss"] or {}).get("severity")
        if self._gate is Gate.CRITICAL:
            return severity == "critical"
        return self._gate is Gate.HIGH and severity in {"critical", "high"}
