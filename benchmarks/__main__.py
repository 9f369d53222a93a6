"""`make bench`: measure the budgets of docs/develop/performance.md, one table.

    python -m benchmarks                         a small estate on the shipped snapshot: a few minutes
    python -m benchmarks --loaded DIR --assets 100000 --components 100000 --findings 10000000
                                                 the full size, on a copy of a loaded data directory: by hand
    python -m benchmarks --nvd FILE              also the full import of an NVD document
    python -m benchmarks --only access,matching,reports,scans,lists

Nothing is asserted: a figure is for people to judge, and a shared machine would make a test of it lie.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from benchmarks import (
    access,
    auditing,
    importing,
    limiting,
    lists,
    matching,
    reports,
    scanning,
    single_sign_on,
)
from benchmarks.estate import Estate, Size, make_estate
from benchmarks.measure import Row, machine, table, watch
from sentrikat.cli.feeds import import_bundle
from sentrikat.domain.permissions import COMMAND_LINE
from sentrikat.identity.organizations import create_organization
from sentrikat.infra.clock import SystemClock
from sentrikat.infra.database.embedded import EmbeddedPostgres
from sentrikat.infra.database.sessions import Database
from sentrikat.migrations import runner

PARTS = ("access", "matching", "reports", "scans", "lists", "audit", "limits", "saml")


def main() -> int:
    """Run the parts asked for; give the exit status."""
    parser = argparse.ArgumentParser(prog="make bench", description="Measure the budgets.")
    parser.add_argument("--assets", type=int, default=2_000)
    parser.add_argument("--components", type=int, default=20_000)
    parser.add_argument("--packages", type=int, default=300, help="on each asset")
    parser.add_argument(
        "--findings",
        type=int,
        help="open about so many: matches of a drawn part of the components are kept, indexes built afterwards",
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--loaded", type=Path, help="a loaded data directory, not running; a copy is used")
    parser.add_argument("--nvd", type=Path, help="a document of all NVD records to import")
    parser.add_argument("--only", default=",".join(PARTS), help=f"some of {', '.join(PARTS)}")
    parser.add_argument("--work", type=Path, help="keep working files here instead of a temporary folder")
    parser.add_argument("--osv-scanner", type=Path, help="its binary")
    parser.add_argument("--osv-archives", type=Path, help="a folder of ECOSYSTEM/all.zip")
    options = parser.parse_args()
    wanted = frozenset(options.only.split(",")) - {""}
    with tempfile.TemporaryDirectory(prefix="sentrikat-bench-", dir=options.work) as folder:
        rows = _run(options, wanted, Path(folder))
    sys.stdout.write(f"{machine()}, seed {options.seed}\n\n{table(rows)}\n")
    return 0


def _run(options: argparse.Namespace, wanted: frozenset[str], work: Path) -> list[Row]:
    rows: list[Row] = []
    if options.nvd is not None:
        _tell(rows, importing.full_import(options.nvd, work / "nvd"))
        shutil.rmtree(work / "nvd")
    if "audit" in wanted:
        _tell(rows, auditing.appends(work / "audit"))
    if "limits" in wanted:
        _tell(rows, limiting.checks(work / "limits"))
    if "saml" in wanted:
        _tell(rows, single_sign_on.checks())
    if not wanted - {"audit", "limits", "saml"}:
        return rows
    directory = work / "installation"
    size = Size(options.assets, options.components, options.packages)
    if options.loaded is not None:
        shutil.copytree(options.loaded, directory, ignore=shutil.ignore_patterns("run", "*.pid"))
    with EmbeddedPostgres(directory / "postgresql") as server:
        runner.upgrade(server.url())
        database = Database(server.url(), application_name="sentrikat bench")
        try:
            if "access" in wanted:
                _tell(rows, access.access(database, 1_000))
                if wanted == {"access"}:
                    return rows  # needs no estate
            estate = _estate(database, size, options)
            _tell(
                rows,
                [
                    Row(
                        f"estate: {size.assets:,} assets, {estate.components:,} components",
                        "-",
                        f"{estate.installs:,} installs",
                    )
                ],
            )
            if "matching" in wanted:
                _tell(rows, matching.full_match(database))
                if options.findings is not None:
                    matching.thin_out(database, options.seed, options.findings)
                _tell(rows, matching.findings_of_everything(database, bulk=options.findings is not None))
                _tell(rows, matching.delta(database, estate, options.seed))
            if "reports" in wanted:
                _tell(rows, reports.agent_reports(database, estate, options.seed, 60))
                _tell(rows, reports.sustained(database, estate, options.seed, directory, 60, 600))
            if "scans" in wanted:
                _tell(
                    rows,
                    scanning.scans(
                        database, estate, options.seed, directory, work, 1_000,
                        options.osv_scanner, options.osv_archives,
                    ),
                )  # fmt: skip
            if "lists" in wanted:
                _tell(rows, lists.lists(database, estate, directory, 40))
        finally:
            database.close()
    return rows


def _estate(database: Database, size: Size, options: argparse.Namespace) -> Estate:
    clock = SystemClock()
    if options.loaded is None:
        with watch() as loading:
            bundle = Path(str(files("sentrikat.feeds.snapshot") / "feeds.bundle"))
            import_bundle(database, bundle, clock)
        sys.stderr.write(f"bench: the shipped snapshot in {loading.seconds:.0f} s\n")
    with database.as_system() as session:
        organization = create_organization(
            session, COMMAND_LINE, name="Benchmark", slug="benchmark", now=clock.now()
        )
        organization_id = organization.id
    with watch() as making:
        estate = make_estate(database, organization_id, size, options.seed, clock.now())
    sys.stderr.write(f"bench: the estate in {making.seconds:.0f} s\n")
    return estate


def _tell(rows: list[Row], found: list[Row]) -> None:
    """Keep rows, and say them at once: a long run is read while it goes on."""
    rows += found
    for row in found:
        sys.stderr.write(f"bench: {row.work} | {row.budget} | {row.figure} | {row.ratio}\n")
        sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
