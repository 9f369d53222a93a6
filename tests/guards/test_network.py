"""The tests' own guard: nothing they run talks to another machine."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY


def test_looking_up_another_host_fails_the_test() -> None:
    with pytest.raises(pytest.fail.Exception, match=r"looked up the host 'www\.example\.org'"):
        socket.create_connection(("www.example.org", 443), timeout=1)


def test_connecting_to_another_machine_fails_the_test() -> None:
    with (
        socket.socket() as outside,
        pytest.raises(pytest.fail.Exception, match=r"connected to 192\.0\.2\.1"),
    ):
        outside.connect(("192.0.2.1", 443))


def test_this_machine_may_be_talked_to() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=1).close()


def test_a_skipped_test_fails_a_run_that_must_not_skip(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = tmp_path_factory.mktemp("skips") / "test_skips.py"
    test.write_text("import pytest\n\ndef test_it():\n    pytest.skip('no peer')\n", encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-c",
        "pyproject.toml",
        "-p",
        "tests.conftest",
        str(test),
    ]
    monkeypatch.setenv("SENTRIKAT_NO_SKIPS", "0")
    assert subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=False).returncode == 0
    monkeypatch.setenv("SENTRIKAT_NO_SKIPS", "1")
    refused = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "no peer" in refused.stdout
