"""`sentrikat keys`: secrets stay readable whatever happens in the middle."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr
from sqlalchemy import insert, select, text

from sentrikat.audit.models import AuditEntry
from sentrikat.cli import run
from sentrikat.identity.models import IdentityProvider
from sentrikat.infra.database import Database
from sentrikat.infra.encryption import KEY_FILE, SecretUnreadable, Vault, open_vault, read_keys
from sentrikat.infra.key_rotation import waiting
from sentrikat.infra.settings import Settings
from sentrikat.migrations import all_metadata

PURPOSE = "identity_provider.secret"
MANY = 1_500
MADE = datetime(2026, 6, 2, 12, tzinfo=UTC)


def store(database: Database, vault: Vault, count: int) -> None:
    """Store `count` secrets that are easy to tell apart."""
    rows = [
        {
            "kind": "ldap",
            "name": f"directory {number}",
            "position": number,
            "settings": {},
            "secret": vault.encrypt(f"secret {number}", purpose=PURPOSE),
            "created_at": MADE,
        }
        for number in range(count)
    ]
    with database.as_system() as session:
        session.execute(insert(IdentityProvider), rows)


def stored(database: Database, vault: Vault) -> set[str]:
    """Read every secret back."""
    with database.as_system() as session:
        tokens = session.execute(select(IdentityProvider.secret)).scalars().all()
    return {vault.decrypt(token, purpose=PURPOSE) for token in tokens if token is not None}


def left(database: Database, vault: Vault) -> int:
    """Count the values that an older key is needed for."""
    with database.as_system() as session:
        return sum(waiting(session, all_metadata(), vault).values())


def logged(database: Database) -> list[str]:
    """Give the actions in the installation's log, oldest first."""
    with database.as_system() as session:
        return list(session.execute(select(AuditEntry.action).order_by(AuditEntry.id)).scalars())


@pytest.fixture
def settings(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Those of the command line, with keys in a file."""
    monkeypatch.setenv("SENTRIKAT_DATABASE_URL", database.url)
    monkeypatch.setenv("SENTRIKAT_DATA_DIR", str(tmp_path))
    return Settings(database_url=SecretStr(database.url), data_dir=tmp_path)


def test_a_rotation_killed_in_the_middle_is_finished_by_the_next(
    database: Database, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    before = open_vault(settings)  # as a server has it that runs all the while
    store(database, before, MANY)
    expected = {f"secret {number}" for number in range(MANY)}
    first = subprocess.Popen(
        [sys.executable, "-m", "sentrikat", "keys", "rotate"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ},
    )
    assert first.stdout is not None
    for line in first.stdout:
        if line.startswith(PURPOSE):
            break
    first.send_signal(signal.SIGKILL)
    first.wait()
    first.stdout.close()

    assert 0 < left(database, before) < MANY
    assert stored(database, before) == expected  # the running server reads both kinds
    assert len(read_keys(settings.data_dir / KEY_FILE)) == 2

    assert run(["keys", "rotate", "--drop-old"]) == 0
    assert "Continuing" in capsys.readouterr().out
    keys = read_keys(settings.data_dir / KEY_FILE)
    assert len(keys) == 1
    assert stored(database, Vault(keys)) == expected == stored(database, before)
    actions = logged(database)
    assert actions[0] == "encryption_key.added"
    assert actions[-1] == "encryption_key.dropped"
    assert actions.count("encryption_key.added") == 1


def test_what_a_running_server_writes_after_the_new_key_uses_it(
    database: Database, settings: Settings
) -> None:
    server = open_vault(settings)
    store(database, server, 1)
    assert run(["keys", "rotate"]) == 0

    assert open_vault(settings).is_newest(server.encrypt("written later", purpose=PURPOSE))


def test_old_keys_stay_while_a_transaction_may_hold_what_they_encrypted(
    database: Database, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    store(database, open_vault(settings), 1)
    with database.engine.connect() as slow:
        slow.execute(text("select 1"))
        assert run(["keys", "rotate", "--drop-old"]) == 1
    assert "began before the newest key" in capsys.readouterr().err
    assert len(read_keys(settings.data_dir / KEY_FILE)) == 2


def test_keys_of_the_environment_are_changed_there_and_the_secrets_here(
    database: Database,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    store(database, Vault([old]), 3)
    monkeypatch.setenv("SENTRIKAT_ENCRYPTION_KEYS", old)
    assert run(["keys", "rotate"]) == 0
    assert "sentrikat keys new" in capsys.readouterr().out

    monkeypatch.setenv("SENTRIKAT_ENCRYPTION_KEYS", f"{new},{old}")
    assert run(["keys", "status"]) == 1
    assert run(["keys", "rotate"]) == 0
    assert run(["keys", "status"]) == 0
    assert stored(database, Vault([new])) == {"secret 0", "secret 1", "secret 2"}
    with pytest.raises(SecretUnreadable):
        stored(database, Vault([old]))
    said = capsys.readouterr().out
    assert old not in said
    assert new not in said
    assert not (settings.data_dir / KEY_FILE).exists()


def test_a_fresh_key_is_printed_and_stored_nowhere(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["keys", "new"]) == 0
    Fernet(capsys.readouterr().out.strip())
    assert list(settings.data_dir.iterdir()) == []
