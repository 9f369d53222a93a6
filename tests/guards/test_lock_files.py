"""Lock files: every package pinned by hash, and no address of any index."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

LOCKS = sorted((REPOSITORY / "requirements").glob("*.lock"))


def _pins(lock: Path) -> dict[str, str]:
    return dict(
        re.findall(
            r"^([a-z0-9._-]+)(?:\[[^]]*\])?==([^ ;\\]+)", lock.read_text(encoding="utf-8"), re.MULTILINE
        )
    )


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_file_names_no_address(lock: Path) -> None:
    assert "://" not in lock.read_text(encoding="utf-8")
    assert "--index" not in lock.read_text(encoding="utf-8")


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_pin_has_a_hash(lock: Path) -> None:
    entries = re.split(r"\n(?=\S)", lock.read_text(encoding="utf-8").strip())
    without = [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry]
    assert not without


def test_what_is_tested_is_what_runs() -> None:
    runtime, dev = (_pins(REPOSITORY / "requirements" / name) for name in ("runtime.lock", "dev.lock"))
    assert {name: dev.get(name) for name in runtime} == runtime


def test_every_direct_dependency_is_locked_and_explained() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    runtime = [
        *project["project"]["dependencies"],
        *(one for extra in project["project"]["optional-dependencies"].values() for one in extra),
    ]
    dev = project["dependency-groups"]["dev"]
    build = project["build-system"]["requires"]
    names = {re.split(r"[\[<>=!~ ]", wanted, maxsplit=1)[0].lower() for wanted in [*runtime, *dev, *build]}
    locked = {name for lock in LOCKS for name in _pins(lock)}
    assert names <= locked
    page = (REPOSITORY / "docs" / "develop" / "dependencies.md").read_text(encoding="utf-8")
    explained = set(re.findall(r"^\| `([a-z0-9.-]+)` \| \S", page, re.MULTILINE))
    assert explained == names
