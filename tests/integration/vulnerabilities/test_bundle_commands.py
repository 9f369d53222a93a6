"""The commands around bundles, as an operator types them at both ends."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sentrikat.cli import run
from sentrikat.domain.permissions import COMMAND_LINE
from sentrikat.identity.accounts import create_account
from sentrikat.infra.database.sessions import Database
from tests.builders import rows
from tests.integration.vulnerabilities.small_internet import SmallInternet, everything, serving

PASSWORD = "correct horse battery staple"
FEEDS = ("--feed", "kev", "--feed", "euvd")
NOW = datetime(2026, 6, 2, 12, tzinfo=UTC)


@pytest.fixture
def internet() -> Iterator[SmallInternet]:
    with serving(everything()) as found:
        yield found


@pytest.fixture
def _site(
    database: Database, internet: SmallInternet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both ends in one installation: it trusts its own bundles."""
    monkeypatch.setenv("SENTRIKAT_DATABASE_URL", database.url)
    monkeypatch.setenv("SENTRIKAT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("SENTRIKAT_FEED_BASE_URL", internet.url)
    monkeypatch.chdir(tmp_path)
    with database.as_system() as session:
        for login, admin in (("alice", True), ("bob", True), ("carol", False)):
            create_account(
                session,
                COMMAND_LINE,
                login=login,
                display_name=login,
                password=PASSWORD,
                installation_admin=admin,
                now=NOW,
            )


def fingerprint(said: str) -> str:
    (line,) = {
        line.split("fingerprint ")[1] for line in said.splitlines() if line.startswith("  fingerprint ")
    }
    return line


@pytest.fixture
def _trusting(_site: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["feeds", "bundle-key", "create", "--name", "Example"]) == 0
    assert run(["feeds", "bundle-key", "show", "--output", "roots.json"]) == 0
    key = fingerprint(capsys.readouterr().out)
    assert run(["feeds", "bundle-key", "trust", "roots.json", "--fingerprint", key]) == 0


def typed(*arguments: str, password: str = PASSWORD, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command that asks for a password; without a terminal it is read from its input."""
    return subprocess.run(
        [sys.executable, "-m", "sentrikat", "feeds", *arguments],
        input=f"{password}\n",
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
        env={**os.environ, **environment},
    )


@pytest.mark.usefixtures("_trusting")
def test_a_bundle_goes_out_and_comes_in(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["feeds", "export-bundle", "one.bundle", *FEEDS]) == 0
    assert Path("one.bundle.manifest.txt").read_text().count("\n") == 7
    assert run(["feeds", "export-bundle", "two.bundle", *FEEDS, "--since", "last"]) == 0
    capsys.readouterr()

    assert run(["feeds", "import-bundle", "one.bundle", "--list"]) == 0
    assert capsys.readouterr().out == Path("one.bundle.manifest.txt").read_text()
    assert rows(database, "select * from feed_run") == []

    assert run(["feeds", "import-bundle", "one.bundle"]) == 0
    assert run(["feeds", "import-bundle", "two.bundle"]) == 0
    assert run(["feeds", "bundles"]) == 0
    assert "Bundle number 2 of Example" in capsys.readouterr().out
    assert rows(database, "select sequence, state from bundle_import order by 1") == [
        (1, "imported"),
        (2, "imported"),
    ]
    assert run(["feeds", "import-bundle", "one.bundle"]) == 1
    assert "this server holds number 2" in capsys.readouterr().err


@pytest.mark.usefixtures("_trusting")
def test_two_persons_are_two_persons(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["feeds", "export-bundle", "one.bundle", *FEEDS]) == 0
    two = {"SENTRIKAT_BUNDLE_TWO_PERSONS": "true"}

    alone = typed("import-bundle", "one.bundle", **two)
    assert "nobody said who brings it" in alone.stderr
    wrong = typed("import-bundle", "one.bundle", "--as", "alice", password="guess", **two)
    assert "The login name or the password is not right." in wrong.stderr
    offered = typed("import-bundle", "one.bundle", "--as", "alice", **two)
    assert offered.returncode == 0, offered.stderr
    (number,) = rows(database, "select id from bundle_import")[0]
    same = typed("approve-bundle", str(number), "--as", "alice", **two)
    assert "offered it, and a second person decides" in same.stderr
    unfit = typed("approve-bundle", str(number), "--as", "carol", **two)
    assert "carol may not do this: the account is no installation administrator" in unfit.stderr
    assert rows(database, "select * from feed_run") == []

    approved = typed("approve-bundle", str(number), "--as", "bob", **two)
    assert approved.returncode == 0, approved.stderr
    assert rows(database, "select state, file from bundle_import") == [("imported", None)]
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("_trusting")
def test_a_rotation_is_two_commands_and_needs_no_third_at_the_other_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["feeds", "bundle-key", "rotate"]) == 0
    assert run(["feeds", "export-bundle", "one.bundle", "--feed", "kev"]) == 0
    assert run(["feeds", "import-bundle", "one.bundle"]) == 0
    capsys.readouterr()

    assert run(["feeds", "bundle-key", "show"]) == 0
    assert capsys.readouterr().out.count("root 2 of") == 2  # what signs, and what is trusted


@pytest.mark.usefixtures("_site")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["export-bundle", "x.bundle"], "there is no key in"),
        (["import-bundle", "missing.bundle"], "there is no such file"),
        (["bundle-key", "trust", "missing.json", "--fingerprint", "00"], "missing.json was not read"),
        (["bundle-key", "distrust", "ff"], "0 trusted origins begin with 'ff'"),
        (["import", "missing.json"], "there is no such file"),
    ],
)
def test_what_cannot_be_done_is_said(
    capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    assert run(["feeds", *arguments]) == 1
    assert says in capsys.readouterr().err
