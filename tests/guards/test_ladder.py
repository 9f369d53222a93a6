"""The order of the rooms (ARCHITECTURE.md), checked by machine on every run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.conftest import REPOSITORY


def test_every_import_goes_down_the_ladder() -> None:
    told = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stdout


def test_the_lint_rules_of_our_own_hold() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "tools.lint"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stdout + told.stderr
